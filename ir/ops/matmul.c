/* matmul.c: matrix products. MatMul carries pcc's attributes trans_a and trans_b: an operand's last two dims are then
 * read swapped. Gemm is MatMul, Mul and Add. */
#include "ir/ops/shared/geometry.h"
#include "ir/schema.h"

#include <assert.h>

static Matrices matrices_of(const Type *type, const int64_t *strides, bool swapped, bool is_left)
{
    Matrices m = {.batch = {.dtype = type->dtype}};
    int last = type->rank - 1;
    if (type->rank == 1 && is_left) {
        m.rows = 1, m.columns = type->dims[0];
        m.row_stride = m.columns * strides[0], m.column_stride = strides[0];
        return m;
    }
    if (type->rank == 1) {
        m.rows = type->dims[0], m.columns = 1;
        m.row_stride = strides[0], m.column_stride = 1;
        return m;
    }
    int row = swapped ? last : last - 1, column = swapped ? last - 1 : last;
    m.rows = type->dims[row], m.columns = type->dims[column];
    m.row_stride = strides[row], m.column_stride = strides[column];
    m.batch.rank = last - 1;
    for (int i = 0; i < m.batch.rank; i++) {
        m.batch.dims[i] = type->dims[i];
        m.batch_strides[i] = strides[i];
    }
    return m;
}

Matrices operand_matrices(const Node *node, int i)
{
    int64_t strides[MAX_RANK];
    operand_strides(node->inputs[i], strides);
    return matrices_of(&node->inputs[i]->type, strides, attr_int(node, i == 0 ? "trans_a" : "trans_b"), i == 0);
}

/* The result's dims: broadcast batch, then rows and columns less those that vectors lack. */
static bool product_type(const Node *node, Type *result)
{
    const Type *x = &node->inputs[0]->type, *y = &node->inputs[1]->type;
    int64_t strides[MAX_RANK] = {0};
    Matrices a = matrices_of(x, strides, attr_int(node, "trans_a"), true);
    Matrices b = matrices_of(y, strides, attr_int(node, "trans_b"), false);
    if (a.columns != b.rows || !broadcast_dims(&a.batch, &b.batch, result))
        return false;
    result->dtype = x->dtype;
    if (x->rank > 1)
        result->dims[result->rank++] = a.rows;
    if (y->rank > 1)
        result->dims[result->rank++] = b.columns;
    return true;
}

/* gemm_batched steps through each operand by one batch stride, so an operand has all batch dims or none of them: one
 * that broadcasts in only some is expanded in front of the node. */
static void expand_partial_batches(Graph *graph, Node *node, const Type *result)
{
    int batch_rank = result->rank - 2;
    for (int i = 0; i < 2; i++) {
        const Type *type = &node->inputs[i]->type;
        int64_t dims[MAX_RANK], batch = dims_product(type, 0, type->rank - 2);
        if (batch == 1 || batch == dims_product(result, 0, batch_rank))
            continue;
        for (int j = 0; j < batch_rank; j++)
            dims[j] = result->dims[j];
        dims[batch_rank] = type->dims[type->rank - 2];
        dims[batch_rank + 1] = type->dims[type->rank - 1];
        expand_input(graph, node, i, result->rank, dims);
    }
}

static bool infer_matmul(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *y = &node->inputs[1]->type;
    Type result;
    if (!dtypes_agree(node, x->dtype, y->dtype))
        return REJECT(graph, node, "the operands are %s and %s; they must have one dtype", type_text(graph->arena, x),
                      type_text(graph->arena, y));
    if (x->rank < 1 || y->rank < 1 || !product_type(node, &result))
        return REJECT(graph, node, "%s and %s cannot be multiplied as matrices", type_text(graph->arena, x),
                      type_text(graph->arena, y));
    if (x->rank > 1 && y->rank > 1)
        expand_partial_batches(graph, node, &result);
    return set_stored_type(graph, node, result);
}

static int matmul_follow_axis(const Node *node, int i, int axis)
{
    int own = node->inputs[i]->type.rank, other = node->inputs[1 - i]->type.rank, result = node->outputs[0]->type.rank;
    int matrix = axis - (own - 2); /* 0, 1: rows, columns; below: an axis of the batch */
    bool swapped = attr_int(node, i == 0 ? "trans_a" : "trans_b");
    if (own < 2)
        return -1;
    if (matrix < 0)
        return axis + result - (other > 1 ? 2 : 1) - (own - 2);
    if (matrix != (i == 0 ? swapped : !swapped))
        return -1; /* summed over */
    return i == 1 || other < 2 ? result - 1 : result - 2;
}

/* ---- reference ---- */

/* Offset of the operand's matrix for the `index`-th matrix of the result, whose batch dims are `batch`. */
static int64_t batch_offset(const Matrices *operand, const Type *batch, int64_t index)
{
    int64_t offset = 0;
    for (int i = batch->rank - 1; i >= 0; i--) {
        int64_t position = index % batch->dims[i];
        int own = i - (batch->rank - operand->batch.rank);
        index /= batch->dims[i];
        if (own >= 0 && operand->batch.dims[own] > 1)
            offset += position * operand->batch_strides[own];
    }
    return offset;
}

static void multiply(const Matrices *a, const Matrices *b, const double *x, const double *y, double *z)
{
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t p = 0; p < a->columns; p++) {
            double factor = x[i * a->row_stride + p * a->column_stride];
            for (int64_t j = 0; j < b->columns; j++)
                z[i * b->columns + j] += factor * y[p * b->row_stride + j * b->column_stride];
        }
}

static void multiply_ints(const Matrices *a, const Matrices *b, const int64_t *x, const int64_t *y, int64_t *z)
{
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t p = 0; p < a->columns; p++) {
            uint64_t factor = (uint64_t)x[i * a->row_stride + p * a->column_stride];
            for (int64_t j = 0; j < b->columns; j++) {
                uint64_t term = factor * (uint64_t)y[p * b->row_stride + j * b->column_stride];
                z[i * b->columns + j] = (int64_t)((uint64_t)z[i * b->columns + j] + term);
            }
        }
}

static void evaluate_matmul(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    int64_t strides[2][MAX_RANK];
    dense_strides(&inputs[0].type, strides[0]);
    dense_strides(&inputs[1].type, strides[1]);
    Matrices a = matrices_of(&inputs[0].type, strides[0], attr_int(node, "trans_a"), true);
    Matrices b = matrices_of(&inputs[1].type, strides[1], attr_int(node, "trans_b"), false);
    Type batch;
    broadcast_dims(&a.batch, &b.batch, &batch);
    for (int64_t i = 0; i < element_count(&batch); i++) {
        int64_t x = batch_offset(&a, &batch, i), y = batch_offset(&b, &batch, i), z = i * a.rows * b.columns;
        if (outputs[0].f)
            multiply(&a, &b, inputs[0].f + x, inputs[1].f + y, outputs[0].f + z);
        else
            multiply_ints(&a, &b, inputs[0].i + x, inputs[1].i + y, outputs[0].i + z);
    }
}

/* ---- gradient ---- */

/* x with the dim of 1 that numpy's rule gives a vector. */
static Value *complete_matrix(Graph *graph, Value *x, bool is_left)
{
    int64_t count = x->type.dims[0];
    if (x->type.rank > 1)
        return x;
    return build_reshape(graph, x, 2, is_left ? (int64_t[]){1, count} : (int64_t[]){count, 1});
}

static Value *complete_product(Graph *graph, Value *dy, const Node *node)
{
    Type type = dy->type;
    if (node->inputs[1]->type.rank == 1)
        type.dims[type.rank++] = 1;
    if (node->inputs[0]->type.rank == 1) {
        type.rank++;
        type.dims[type.rank - 1] = type.dims[type.rank - 2];
        type.dims[type.rank - 2] = 1;
    }
    return build_reshape_as(graph, dy, &type);
}

static Value *flatten_rows(Graph *graph, Value *x)
{
    int last = x->type.rank - 1;
    return build_reshape(graph, x, 2, (int64_t[]){dims_product(&x->type, 0, last), x->type.dims[last]});
}

/* With op(A) = A or Aᵀ: d op(A) = dY·op(B)ᵀ and d op(B) = op(A)ᵀ·dY. Where B is a single matrix, the rows of all of
 * A's matrices are those of one, so that dB is one product over all rows and not a sum of batched ones. */
static void matmul_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    bool trans_a = attr_int(node, "trans_a") && node->inputs[0]->type.rank > 1;
    bool trans_b = attr_int(node, "trans_b") && node->inputs[1]->type.rank > 1;
    Value *a = complete_matrix(graph, node->inputs[0], true), *b = complete_matrix(graph, node->inputs[1], false);
    Value *dy = complete_product(graph, dy_of(d, node, 0), node);
    int b_rank = b->type.rank;
    if (!trans_a && dims_product(&b->type, 0, b_rank - 2) == 1) {
        a = flatten_rows(graph, a);
        dy = flatten_rows(graph, dy);
        b = build_reshape(graph, b, 2, &b->type.dims[b_rank - 2]);
    }
    if (wants(d, node, 0)) {
        Value *da = trans_a ? build_matmul(graph, b, trans_b, dy, true) : build_matmul(graph, dy, false, b, !trans_b);
        contribute(d, node, 0, build_reshape_as(graph, build_unbroadcast(graph, da, &a->type), &node->inputs[0]->type));
    }
    if (wants(d, node, 1)) {
        Value *db = trans_b ? build_matmul(graph, dy, true, a, trans_a) : build_matmul(graph, a, !trans_a, dy, false);
        contribute(d, node, 1, build_reshape_as(graph, build_unbroadcast(graph, db, &b->type), &node->inputs[1]->type));
    }
}

static double matmul_flops(const Node *node)
{
    const Type *a = &node->inputs[0]->type;
    int64_t depth = a->rank < 2 ? a->dims[0] : a->dims[attr_int(node, "trans_a") ? a->rank - 2 : a->rank - 1];
    return 2.0 * (double)element_count(result_type(node)) * (double)depth;
}

/* ---- Gemm ---- */

static bool infer_gemm(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *y = &node->inputs[1]->type;
    bool trans_a = attr_int(node, "transA"), trans_b = attr_int(node, "transB");
    if (x->rank != 2 || y->rank != 2 || x->dims[!trans_a] != y->dims[trans_b])
        return REJECT(graph, node, "%s%s and %s%s cannot be multiplied as matrices", type_text(graph->arena, x),
                      trans_a ? " transposed" : "", type_text(graph->arena, y), trans_b ? " transposed" : "");
    Type result = make_type(x->dtype, 2, (int64_t[]){x->dims[trans_a], y->dims[!trans_b]}), sum;
    if (input(node, 2) && (!broadcast_dims(&result, &input(node, 2)->type, &sum) || !same_dims(&result, &sum)))
        return REJECT(graph, node, "C is %s and does not broadcast to the product's %s",
                      type_text(graph->arena, &input(node, 2)->type), type_text(graph->arena, &result));
    return set_output_type(graph, node, 0, result);
}

static int gemm_follow_axis(const Node *node, int i, int axis)
{
    if (i == 2)
        return axis + 2 - node->inputs[2]->type.rank;
    bool rows = axis == (attr_int(node, i == 0 ? "transA" : "transB") ? 1 : 0);
    return i == 0 ? (rows ? 0 : -1) : (rows ? -1 : 1);
}

/* Y = alpha·op(A)·op(B) + beta·C */
static void expand_gemm(Graph *graph, Node *node, Value **replacements)
{
    Value *product =
        build_matmul(graph, node->inputs[0], attr_int(node, "transA"), node->inputs[1], attr_int(node, "transB"));
    Value *y = build_scale(graph, product, attr_float(node, "alpha"));
    if (input(node, 2) && attr_float(node, "beta") != 0)
        y = build_add(graph, y, build_scale(graph, node->inputs[2], attr_float(node, "beta")));
    replacements[0] = y;
}

const Op matmul_ops[] = {
    {.name = "MatMul",
     .inputs = "A, B",
     .roles = {ROLE_DATA, ROLE_WEIGHT},
     .outputs = "Y",
     .attributes = "trans_a:int=0, trans_b:int=0, stored:int=0",
     .since = 7,
     .precision = CLASS_LOWER,
     .kind = OP_KERNEL,
     .follow_axis = matmul_follow_axis,
     .infer = infer_matmul,
     .gradient = matmul_gradient,
     .evaluate = evaluate_matmul,
     .flops = matmul_flops},
    {.name = "Gemm",
     .inputs = "A, B, C?",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT},
     .outputs = "Y",
     .attributes = "alpha:float=1, beta:float=1, transA:int=0, transB:int=0",
     .since = 7,
     .precision = CLASS_LOWER,
     .kind = OP_EXPAND,
     .follow_axis = gemm_follow_axis,
     .infer = infer_gemm,
     .expand = expand_gemm},
    {0},
};
