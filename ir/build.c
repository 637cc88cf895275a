/* build.c: what passes and rows write nodes with. Everything is inserted at graph->cursor with graph->origin, and its
 * types are inferred at once. */
#include "ir/ir.h"

#include <string.h>

Node *build_begin(Graph *graph, const char *op, int input_count, Value *const *inputs, int output_count)
{
    const Op *row = find_op(op, strlen(op));
    if (!row)
        internal_error(graph->diagnostics, graph->origin, "pcc builds an operator '%s' that it does not have", op);
    return node_create(graph, row, input_count, inputs, output_count);
}

/* A row that rejects what pcc builds has said why; a model can cause it, by overflowing a shape for example. */
Value *build_finish(Graph *graph, Node *node)
{
    if (!infer_node(graph, node))
        leave(graph->diagnostics);
    return node->outputs[0];
}

Value *build(Graph *graph, const char *op, int input_count, Value *const *inputs)
{
    return build_finish(graph, build_begin(graph, op, input_count, inputs, 1));
}

Value *build_unary(Graph *graph, const char *op, Value *x)
{
    return build(graph, op, 1, &x);
}

Value *build_binary(Graph *graph, const char *op, Value *x, Value *y)
{
    return build(graph, op, 2, (Value *[]){x, y});
}

Value *build_add(Graph *graph, Value *x, Value *y)
{
    return build_binary(graph, "Add", x, y);
}

Value *build_sub(Graph *graph, Value *x, Value *y)
{
    return build_binary(graph, "Sub", x, y);
}

Value *build_mul(Graph *graph, Value *x, Value *y)
{
    return build_binary(graph, "Mul", x, y);
}

Value *build_div(Graph *graph, Value *x, Value *y)
{
    return build_binary(graph, "Div", x, y);
}

Value *build_neg(Graph *graph, Value *x)
{
    return build_unary(graph, "Neg", x);
}

Value *build_scale(Graph *graph, Value *x, double factor)
{
    return factor == 1 ? x : build_mul(graph, x, const_float(graph, x->type.dtype, factor));
}

Value *build_where(Graph *graph, Value *condition, Value *x, Value *y)
{
    return build(graph, "Where", 3, (Value *[]){condition, x, y});
}

Value *build_cast(Graph *graph, Value *x, Dtype dtype)
{
    if (x->type.dtype == dtype)
        return x;
    Node *node = build_begin(graph, "Cast", 1, &x, 1);
    set_int(graph, node, "to", dtype_info[dtype].onnx);
    return build_finish(graph, node);
}

/* ---- shapes ---------------------------------------------------------------------------------------------------- */

Value *build_reshape(Graph *graph, Value *x, int rank, const int64_t *dims)
{
    if (rank == x->type.rank && (rank == 0 || memcmp(x->type.dims, dims, (size_t)rank * sizeof *dims) == 0))
        return x;
    Node *node = build_begin(graph, "Reshape", 2, (Value *[]){x, const_ints(graph, rank, dims)}, 1);
    for (int i = 0; i < rank; i++)
        if (dims[i] == 0)
            set_int(graph, node, "allowzero", 1); /* without it 0 stands for x's own dimension */
    return build_finish(graph, node);
}

Value *build_transpose(Graph *graph, Value *x, const int *permutation)
{
    bool identity = true;
    int64_t perm[MAX_RANK];
    for (int i = 0; i < x->type.rank; i++) {
        perm[i] = permutation[i];
        identity &= permutation[i] == i;
    }
    if (identity)
        return x;
    Node *node = build_begin(graph, "Transpose", 1, &x, 1);
    set_ints(graph, node, "perm", x->type.rank, perm);
    return build_finish(graph, node);
}

Value *build_expand(Graph *graph, Value *x, int rank, const int64_t *dims)
{
    if (rank == x->type.rank && (rank == 0 || memcmp(x->type.dims, dims, (size_t)rank * sizeof *dims) == 0))
        return x;
    return build_binary(graph, "Expand", x, const_ints(graph, rank, dims));
}

Value *build_reduce_sum(Graph *graph, Value *x, int axis_count, const int64_t *axes, bool keep_dims)
{
    if (axis_count == 0) /* ReduceSum would take no axes for all axes */
        return x;
    Node *node = build_begin(graph, "ReduceSum", 2, (Value *[]){x, const_ints(graph, axis_count, axes)}, 1);
    set_int(graph, node, "keepdims", keep_dims);
    return build_finish(graph, node);
}

Value *build_unbroadcast(Graph *graph, Value *x, const Type *to)
{
    int64_t axes[MAX_RANK];
    int count = 0, added = x->type.rank - to->rank;
    for (int i = 0; i < x->type.rank; i++)
        if (i < added || (to->dims[i - added] == 1 && x->type.dims[i] != 1))
            axes[count++] = i;
    return build_reshape(graph, build_reduce_sum(graph, x, count, axes, true), to->rank, to->dims);
}

Value *build_matmul(Graph *graph, Value *x, bool trans_x, Value *y, bool trans_y)
{
    Node *node = build_begin(graph, "MatMul", 2, (Value *[]){x, y}, 1);
    if (trans_x)
        set_int(graph, node, "trans_a", 1);
    if (trans_y)
        set_int(graph, node, "trans_b", 1);
    return build_finish(graph, node);
}
