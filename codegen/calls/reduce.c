/* reduce.c: what works along one axis, or a run of axes: sums, scans, choices, softmax. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

void call_around(KernelCall *call, const Type *type, int axis)
{
    call_int(call, dims_product(type, 0, axis));
    call_int(call, type->dims[axis]);
    call_int(call, dims_product(type, axis + 1, type->rank));
}

/* reduce_*(outer, reduced, inner, x, y, scratch): the operand has these three dims */
static void call_over(const Node *node, KernelCall *call, const char *kernel)
{
    call->kernel = kernel;
    call_around(call, &node->inputs[0]->type, 1);
}

void call_reduce_sum(const Node *node, KernelCall *call)
{
    call_over(node, call, "reduce_sum");
}

void call_reduce_mean(const Node *node, KernelCall *call)
{
    call_over(node, call, "reduce_mean");
}

void call_reduce_max(const Node *node, KernelCall *call)
{
    call_over(node, call, "reduce_max");
}

void call_reduce_min(const Node *node, KernelCall *call)
{
    call_over(node, call, "reduce_min");
}

void call_reduce_prod(const Node *node, KernelCall *call)
{
    call_over(node, call, "reduce_prod");
}

/* cumsum(outer, n, inner, exclusive, reverse, x, y) */
static void call_scan(const Node *node, KernelCall *call, const char *kernel)
{
    const Type *x = &node->inputs[0]->type;
    call->kernel = kernel;
    call_around(call, x, axis_of(node, x->rank));
    call_int(call, attr_int(node, "exclusive"));
    call_int(call, attr_int(node, "reverse"));
}

void call_cumsum(const Node *node, KernelCall *call)
{
    call_scan(node, call, "cumsum");
}

void call_cumprod(const Node *node, KernelCall *call)
{
    call_scan(node, call, "cumprod");
}

/* argmax(outer, n, inner, select_last, x, y) */
static void call_arg(const Node *node, KernelCall *call, const char *kernel)
{
    const Type *x = &node->inputs[0]->type;
    call->kernel = kernel;
    call_around(call, x, axis_of(node, x->rank));
    call_int(call, attr_int(node, "select_last_index"));
}

void call_argmax(const Node *node, KernelCall *call)
{
    call_arg(node, call, "argmax");
}

void call_argmin(const Node *node, KernelCall *call)
{
    call_arg(node, call, "argmin");
}

/* topk(outer, n, inner, k, largest, x, values, indices) */
void call_topk(const Node *node, KernelCall *call)
{
    const Type *x = &node->inputs[0]->type;
    call->kernel = "topk";
    call_around(call, x, axis_of(node, x->rank));
    call_int(call, const_int_at(node->inputs[1], 0));
    call_int(call, attr_int(node, "largest"));
}

/* softmax(outer, width, inner, x, y) */
static void call_slices(const Node *node, KernelCall *call, const char *kernel)
{
    Slices s = slices_of(node, &node->inputs[0]->type);
    call->kernel = kernel;
    call_int(call, s.outer);
    call_int(call, s.width);
    call_int(call, s.inner);
}

void call_softmax(const Node *node, KernelCall *call)
{
    call_slices(node, call, "softmax");
}

void call_softmax_grad(const Node *node, KernelCall *call)
{
    call_slices(node, call, "softmax_grad");
}

void call_log_softmax(const Node *node, KernelCall *call)
{
    call_slices(node, call, "log_softmax");
}

void call_log_softmax_grad(const Node *node, KernelCall *call)
{
    call_slices(node, call, "log_softmax_grad");
}
