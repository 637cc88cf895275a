/* index.c: gathers, scatters and their gradients. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

static void call_extents(KernelCall *call, GatherExtents e)
{
    call_int(call, e.outer);
    call_int(call, e.axis);
    call_int(call, e.inner);
    call_int(call, e.count);
}

/* gather(outer, axis, inner, count, x, indices, y) */
void call_gather(const Node *node, KernelCall *call)
{
    call_extents(call, gather_extents(node, &node->inputs[0]->type));
    call_by_width(call, node->inputs[0]);
}

/* gather_grad(outer, axis, inner, count, dy, indices, dx, scratch) */
void call_gather_grad(const Node *node, KernelCall *call)
{
    call_extents(call, gather_extents(node, &node->outputs[0]->type));
}

/* one_hot(outer, depth, inner, indices, values, y) */
void call_one_hot(const Node *node, KernelCall *call)
{
    const Type *y = &node->outputs[0]->type;
    call->suffix = y->dtype;
    call_by_width(call, node->outputs[0]);
    call_around(call, y, axis_of(node, y->rank));
}

/* ---- elements and slices by multi-dimensional indices ----------------------------------------------------------- */

static void call_elements(const Node *node, const Type *data, KernelCall *call)
{
    const Type *indices = &node->inputs[1]->type;
    call_int(call, data->rank);
    call_int(call, axis_of(node, data->rank));
    call_dims(call, data->rank, data->dims);
    call_dims(call, indices->rank, indices->dims);
}

static void call_nd(const Node *node, const Type *data, KernelCall *call)
{
    const Type *indices = &node->inputs[1]->type;
    call_int(call, data->rank);
    call_dims(call, data->rank, data->dims);
    call_int(call, indices->rank);
    call_dims(call, indices->rank, indices->dims);
}

/* A scatter that replaces moves bits; the others compute. */
static void call_combination(const Node *node, KernelCall *call)
{
    Reduction reduction = REDUCE_NONE;
    reduction_of(node, &reduction);
    call_int(call, reduction);
    if (reduction == REDUCE_NONE)
        call_by_width(call, node->outputs[0]);
}

/* gather_elements(rank, axis, data_dims, index_dims, x, indices, y) */
void call_gather_elements(const Node *node, KernelCall *call)
{
    call_elements(node, &node->inputs[0]->type, call);
    call_by_width(call, node->inputs[0]);
}

/* gather_elements_grad(rank, axis, data_dims, index_dims, dy, indices, dx, scratch) */
void call_gather_elements_grad(const Node *node, KernelCall *call)
{
    call_elements(node, &node->outputs[0]->type, call);
}

/* scatter_elements(rank, axis, data_dims, index_dims, reduction, x, indices, updates, y, scratch) */
void call_scatter_elements(const Node *node, KernelCall *call)
{
    call_elements(node, &node->inputs[0]->type, call);
    call_combination(node, call);
}

/* gather_nd(rank, data_dims, index_rank, index_dims, batch_dims, x, indices, y) */
void call_gather_nd(const Node *node, KernelCall *call)
{
    call_nd(node, &node->inputs[0]->type, call);
    call_by_width(call, node->inputs[0]);
    call_int(call, batch_dims_of(node));
}

/* gather_nd_grad(rank, data_dims, index_rank, index_dims, batch_dims, dy, indices, dx, scratch) */
void call_gather_nd_grad(const Node *node, KernelCall *call)
{
    call_nd(node, &node->outputs[0]->type, call);
    call_int(call, batch_dims_of(node));
}

/* scatter_nd(rank, data_dims, index_rank, index_dims, reduction, x, indices, updates, y, scratch) */
void call_scatter_nd(const Node *node, KernelCall *call)
{
    call_nd(node, &node->inputs[0]->type, call);
    call_combination(node, call);
}
