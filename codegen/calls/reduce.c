/* reduce.c: what works along one axis, or a run of axes: sums, scans, choices, softmax. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

void call_around(KernelCall *call, const Type *type, int axis)
{
    call_int(call, dims_product(type, 0, axis));
    call_int(call, type->dims[axis]);
    call_int(call, dims_product(type, axis + 1, type->rank));
}

/* reduce_sum(outer, reduced, inner, x, y, scratch): the operand has these three dims */
void call_reduction(const Node *node, KernelCall *call)
{
    call_around(call, &node->inputs[0]->type, 1);
}

/* cumsum(outer, n, inner, exclusive, reverse, x, y) */
void call_scan(const Node *node, KernelCall *call)
{
    const Type *x = &node->inputs[0]->type;
    call_around(call, x, axis_of(node, x->rank));
    call_int(call, attr_int(node, "exclusive"));
    call_int(call, attr_int(node, "reverse"));
}

/* argmax(outer, n, inner, select_last, x, y) */
void call_arg(const Node *node, KernelCall *call)
{
    const Type *x = &node->inputs[0]->type;
    call_around(call, x, axis_of(node, x->rank));
    call_int(call, attr_int(node, "select_last_index"));
}

/* topk(outer, n, inner, k, largest, x, values, indices) */
void call_topk(const Node *node, KernelCall *call)
{
    const Type *x = &node->inputs[0]->type;
    call_around(call, x, axis_of(node, x->rank));
    call_int(call, const_int_at(node->inputs[1], 0));
    call_int(call, attr_int(node, "largest"));
}

/* softmax(outer, width, inner, x, y) */
void call_softmax(const Node *node, KernelCall *call)
{
    Slices s = slices_of(node, &node->inputs[0]->type);
    call_int(call, s.outer);
    call_int(call, s.width);
    call_int(call, s.inner);
}
