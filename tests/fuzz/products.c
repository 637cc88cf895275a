/* products.c: products, convolutions, pools, recurrent layers, attention. */
#include <math.h>
#include <string.h>

#include "fuzz.h"

static bool product(Generator *g)
{
    Value *x = pick(g, 'f', 1, 4), *y = pick(g, 'f', 1, 4);
    if (!x)
        return false;
    const int64_t inner = x->type.dims[x->type.rank - 1];
    if (y && chance(g, 40) && y->type.rank > 1 && y->type.dims[y->type.rank - 2] == inner)
        return finish(g, BEGIN(g, "MatMul", 1, x, y));
    int64_t dims[MAX_RANK];
    int rank = chance(g, 40) && x->type.rank > 2 ? x->type.rank : 2;
    for (int i = 0; i < rank - 2; i++)
        dims[i] = chance(g, 30) ? 1 : x->type.dims[i];
    dims[rank - 2] = inner;
    dims[rank - 1] = between(g, 1, 8);
    y = fresh(g, rank, dims, -1, 1);
    if (chance(g, 10))
        y = fresh(g, 1, &inner, -1, 1);
    return finish(g, BEGIN(g, "MatMul", 1, x, y));
}

/* x·xᵀ and the like: both operands depend on one value. */
static bool product_with_itself(Generator *g)
{
    Value *x = pick(g, 'f', 2, 3);
    if (!x)
        return false;
    int64_t perm[] = {0, 1, 2};
    const int rank = x->type.rank;
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
    Node *swapped = BEGIN(g, "Transpose", 1, x);
    set_ints(g->graph, swapped, "perm", rank, perm);
    if (!finish(g, swapped))
        return false;
    Value *y = swapped->outputs[0];
    return finish(g, chance(g, 50) ? BEGIN(g, "MatMul", 1, x, y) : BEGIN(g, "MatMul", 1, y, x));
}

static bool gemm(Generator *g)
{
    Value *x = pick(g, 'f', 2, 2);
    if (!x)
        return false;
    const bool a = chance(g, 40), b = chance(g, 40);
    const int64_t rows = x->type.dims[a], inner = x->type.dims[!a], columns = between(g, 1, 8);
    const int64_t dims[] = {b ? columns : inner, b ? inner : columns}, bias[] = {chance(g, 30) ? rows : 1, columns};
    Value *c = chance(g, 30) ? NULL : chance(g, 50) ? fresh(g, 1, &columns, -1, 1) : fresh(g, 2, bias, -1, 1);
    Node *node = BEGIN(g, "Gemm", 1, x, fresh(g, 2, dims, -1, 1), c);
    set_int(g->graph, node, "transA", a);
    set_int(g->graph, node, "transB", b);
    if (chance(g, 30))
        set_float(g->graph, node, "alpha", uniform(g, 0.5, 1.5));
    if (chance(g, 30))
        set_float(g->graph, node, "beta", uniform(g, 0.5, 1.5));
    return finish(g, node);
}

static bool einsum(Generator *g)
{
    static const char *const equations[] = {"abc,dc->abd", "abc,acd->abd", "abc,abd->acd",
                                            "abc,abc->b",  "abc,cba->ac",  "abc,bd->dac"};
    Value *x = pick(g, 'f', 3, 3);
    int64_t extents[4], dims[MAX_RANK];
    if (!x)
        return false;
    memcpy(extents, x->type.dims, 3 * sizeof *extents);
    extents[3] = between(g, 1, 5);
    const char *equation = ANY_OF(g, equations);
    int rank = 0;
    for (const char *letter = equation + 4; *letter != '-'; letter++)
        dims[rank++] = extents[*letter - 'a'];
    Node *node = BEGIN(g, "Einsum", 1, x, fresh(g, rank, dims, -1, 1));
    set_string(g->graph, node, "equation", equation);
    return finish(g, node);
}

/* Kernel, strides, pads, dilations of a window over the spatial axes; false when it does not fit. */
static bool set_window(Generator *g, Node *node, const Value *x, const int64_t *kernel, bool dilated)
{
    int64_t strides[3], pads[6], dilations[3];
    const int axes = x->type.rank - 2;
    for (int i = 0; i < axes; i++) {
        strides[i] = chance(g, 60) ? 1 : between(g, 1, 3);
        dilations[i] = dilated && chance(g, 25) ? 2 : 1;
        pads[i] = chance(g, 50) ? 0 : below(g, kernel[i]);
        pads[i + axes] = chance(g, 50) ? pads[i] : below(g, kernel[i]);
        if ((kernel[i] - 1) * dilations[i] + 1 > x->type.dims[i + 2] + pads[i] + pads[i + axes])
            return false;
    }
    set_ints(g->graph, node, "kernel_shape", axes, kernel);
    set_ints(g->graph, node, "strides", axes, strides);
    set_ints(g->graph, node, "dilations", axes, dilations);
    if (chance(g, 15))
        set_string(g->graph, node, "auto_pad", chance(g, 50) ? "SAME_UPPER" : "SAME_LOWER");
    else
        set_ints(g->graph, node, "pads", 2 * axes, pads);
    return true;
}

static bool finish_window(Generator *g, Node *node, const Value *x, const int64_t *kernel, bool dilated)
{
    if (set_window(g, node, x, kernel, dilated))
        return finish(g, node);
    node_remove(g->graph, node);
    return false;
}

static bool convolution(Generator *g)
{
    Value *x = pick(g, 'f', 3, 5);
    if (!x)
        return false;
    const int64_t channels = x->type.dims[1];
    const bool transposed = chance(g, 25);
    int64_t group = chance(g, 70) ? 1 : chance(g, 50) ? channels : channels % 2 == 0 ? 2 : 1, dims[MAX_RANK];
    int64_t made = group * between(g, 1, 3);
    dims[0] = transposed ? channels : made;
    dims[1] = transposed ? made / group : channels / group;
    for (int i = 2; i < x->type.rank; i++)
        dims[i] = between(g, 1, x->type.dims[i] < 3 ? x->type.dims[i] : 3);
    Node *node = BEGIN(g, transposed ? "ConvTranspose" : "Conv", 1, x, fresh(g, x->type.rank, dims, -1, 1),
                       chance(g, 60) ? fresh(g, 1, &made, -1, 1) : NULL);
    set_int(g->graph, node, "group", group);
    return finish_window(g, node, x, dims + 2, true);
}

static bool pool(Generator *g)
{
    static const char *const ops[] = {"MaxPool", "AveragePool", "MaxPool", "AveragePool", "LpPool"};
    Value *x = pick(g, 'f', 3, 5);
    const char *op = ANY_OF(g, ops);
    int64_t kernel[3];
    if (!x || (*op == 'M' && !is_distinct(g, x)) || (*op == 'L' && !clear_of(g, x, 0)))
        return false;
    for (int i = 2; i < x->type.rank; i++)
        kernel[i - 2] = between(g, 1, x->type.dims[i] < 3 ? x->type.dims[i] : 3);
    Node *node = BEGIN(g, op, 1, x);
    if (*op == 'A')
        set_int(g->graph, node, "count_include_pad", chance(g, 50));
    if (chance(g, 25))
        set_int(g->graph, node, "ceil_mode", 1);
    return finish_window(g, node, x, kernel, true);
}

static bool global_pool(Generator *g)
{
    static const char *const ops[] = {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"};
    Value *x = pick(g, 'f', 3, 5);
    const char *op = ANY_OF(g, ops);
    if (!x || !clear_of(g, x, 0) || (op[6] == 'M' && !is_distinct(g, x)))
        return false;
    return finish(g, BEGIN(g, op, 1, x));
}

static bool resize(Generator *g)
{
    static const char *const modes[] = {"linear", "cubic", "nearest"};
    static const char *const places[] = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"};
    Value *x = pick(g, 'f', 3, 4);
    int64_t sizes[MAX_RANK];
    if (!x)
        return false;
    for (int i = 0; i < x->type.rank; i++)
        sizes[i] = i < 2 ? x->type.dims[i] : between(g, 1, 2 * x->type.dims[i]);
    Node *node = BEGIN(g, "Resize", 1, x, NULL, NULL, whole(g, x->type.rank, sizes));
    set_string(g->graph, node, "mode", ANY_OF(g, modes));
    set_string(g->graph, node, "coordinate_transformation_mode", ANY_OF(g, places));
    return finish(g, node);
}

/* x: [steps, sequences, features]. */
static bool recurrent(Generator *g)
{
    static const char *const ops[] = {"LSTM", "GRU", "RNN"}, *const ways[] = {"forward", "reverse", "bidirectional"};
    static const int64_t gates[] = {4, 3, 1};
    Value *x = pick(g, 'f', 3, 3);
    if (!x)
        return false;
    const int64_t kind = below(g, 3), way = below(g, 3), directions = way == 2 ? 2 : 1, hidden = between(g, 1, 4);
    const int64_t steps = x->type.dims[0], sequences = x->type.dims[1], rows = gates[kind] * hidden;
    const int64_t w[] = {directions, rows, x->type.dims[2]}, r[] = {directions, rows, hidden},
                  b[] = {directions, 2 * rows};
    const int64_t h[] = {directions, sequences, hidden}, p[] = {directions, 3 * hidden};
    Value *inputs[] = {x,
                       fresh(g, 3, w, -1, 1),
                       fresh(g, 3, r, -1, 1),
                       chance(g, 70) ? fresh(g, 2, b, -1, 1) : NULL,
                       chance(g, 20) ? fresh_indices(g, 1, &sequences, 1, steps) : NULL,
                       chance(g, 50) ? fresh(g, 3, h, -1, 1) : NULL,
                       kind == 0 && chance(g, 50) ? fresh(g, 3, h, -1, 1) : NULL,
                       kind == 0 && chance(g, 30) ? fresh(g, 2, p, -1, 1) : NULL};
    Node *node = begin(g, ops[kind], kind == 0 ? 3 : 2, 8, inputs);
    set_int(g->graph, node, "hidden_size", hidden);
    set_string(g->graph, node, "direction", ways[way]);
    if (kind == 1)
        set_int(g->graph, node, "linear_before_reset", chance(g, 50));
    return finish(g, node);
}

/* q: [batch, heads, length, width]; keys and values of another length. */
static bool attention(Generator *g)
{
    Value *q = pick(g, 'f', 4, 4);
    if (!q)
        return false;
    int64_t k[4], v[4], mask[2] = {q->type.dims[2], between(g, 1, 5)};
    memcpy(k, q->type.dims, sizeof k);
    memcpy(v, q->type.dims, sizeof v);
    k[2] = v[2] = mask[1];
    v[3] = between(g, 1, 5);
    if (chance(g, 30) && k[1] % 2 == 0)
        k[1] = v[1] = k[1] / 2;
    Value *bias = !chance(g, 40) ? NULL : fresh(g, 2, mask, -1, 1);
    Node *node = BEGIN(g, "Attention", 1, q, fresh(g, 4, k, -1, 1), fresh(g, 4, v, -1, 1), bias);
    set_int(g->graph, node, "is_causal", chance(g, 30));
    if (chance(g, 20))
        set_float(g->graph, node, "softcap", 2.0);
    return finish(g, node);
}

static bool rotary(Generator *g)
{
    Value *x = pick(g, 'f', 4, 4);
    if (!x || x->type.dims[3] % 2 != 0)
        return false;
    const int64_t dims[] = {x->type.dims[0], x->type.dims[2], x->type.dims[3] / 2};
    Node *node = BEGIN(g, "RotaryEmbedding", 1, x, fresh(g, 3, dims, -1, 1), fresh(g, 3, dims, -1, 1));
    set_int(g->graph, node, "interleaved", chance(g, 50));
    return finish(g, node);
}

Family *const product_families[] = {
    product, product,     product, product_with_itself, gemm,      einsum, convolution, convolution, convolution, pool,
    pool,    global_pool, resize,  recurrent,           attention, rotary, NULL};
