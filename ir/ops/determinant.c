/* determinant.c: Det by Bird's algorithm (2011), which never divides: n - 1 products of matrices. It is exact where the
 * matrix is singular, and so is its gradient, that of the products. */
#include "ir/ops/shared/row.h"

enum { MOST_ROWS = 64 };

static bool det_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    if (type.rank < 2 || type.dims[type.rank - 1] != type.dims[type.rank - 2] || type.dims[type.rank - 1] < 1)
        return REJECT(graph, node, "X is %s; it must be square matrices", type_text(graph->arena, &type));
    if (type.dims[type.rank - 1] > MOST_ROWS)
        return REJECT_UNSUPPORTED(graph, node, "matrices of %" PRId64 " rows; pcc has determinants of up to %d",
                                  type.dims[type.rank - 1], MOST_ROWS);
    type.rank -= 2;
    return set_output_type(graph, node, 0, type);
}

/* 1 where column j - row i is `above` or more, but never more than `most`. */
static Value *build_band(Graph *graph, Dtype dtype, int64_t n, int64_t above, int64_t most)
{
    Tensor band = tensor_alloc(graph->arena, make_type(dtype, 2, (int64_t[]){n, n}));
    for (int64_t i = 0; i < n * n; i++)
        band.f[i] = i % n - i / n >= above && i % n - i / n <= most;
    return const_tensor(graph, &band);
}

/* X's part above the diagonal, and on it the negative sum of what follows on X's diagonal. */
static Value *build_bird_step(Graph *graph, Value *x, int64_t n)
{
    const int last = x->type.rank - 1;
    const Dtype dtype = x->type.dtype;
    Value *identity = build_band(graph, dtype, n, 0, 0), *upper = build_band(graph, dtype, n, 1, n);
    Value *diagonal = build_reduce_range(graph, "ReduceSum", build_mul(graph, x, identity), last, last + 1);
    Value *following = build_matmul(graph, upper, false, diagonal, false);
    return build_sub(graph, build_mul(graph, x, upper), build_mul(graph, identity, following));
}

static void det_expand(Graph *graph, Node *node, Value **replacements)
{
    const Dtype dtype = wide_dtype(node->inputs[0]->type.dtype);
    Value *a = build_cast(graph, node->inputs[0], dtype), *x = a;
    const int64_t n = a->type.dims[a->type.rank - 1];
    for (int64_t i = 1; i < n; i++)
        x = build_matmul(graph, build_bird_step(graph, x, n), false, a, false);
    x = build_slice(graph, build_slice(graph, x, a->type.rank - 1, 0, 1), a->type.rank - 2, 0, 1);
    x = build_reshape_as(graph, build_scale(graph, x, n % 2 ? 1 : -1), &node->outputs[0]->type);
    replacements[0] = build_cast(graph, x, node->outputs[0]->type.dtype);
}

const Op determinant_ops[] = {
    {.name = "Det",
     .inputs = "X:float",
     .outputs = "Y",
     .since = 11,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .infer = det_infer,
     .expand = det_expand},
    {0},
};
