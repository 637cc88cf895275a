/* patterns.c: chains that passes look for: what exporters decompose, and what convolutional networks are made of. */
#include <math.h>
#include <string.h>

#include "fuzz.h"

/* The node's first output, or NULL when an operand is missing or the node is refused. */
static Value *apply(Generator *g, const char *op, Value *x, Value *y)
{
    if (!x)
        return NULL;
    Node *node = BEGIN(g, op, 1, x, y);
    return finish(g, node) ? node->outputs[0] : NULL;
}

static Value *apply_scalar(Generator *g, const char *op, Value *x, double y)
{
    return apply(g, op, x, scalar(g, y));
}

static Value *mean_over_last(Generator *g, Value *x)
{
    if (!x)
        return NULL;
    const int64_t axis = chance(g, 50) ? -1 : x->type.rank - 1;
    return apply(g, "ReduceMean", x, whole(g, 1, &axis));
}

static bool gelu(Generator *g)
{
    Value *x = pick(g, 'f', 1, MAX_FUZZ_RANK);
    Value *inner = apply(g, "Erf", apply_scalar(g, "Div", x, sqrt(2)), NULL);
    Value *sum = apply_scalar(g, "Add", inner, 1);
    return sum && apply_scalar(g, "Mul", apply(g, "Mul", x, sum), 0.5);
}

static bool swish(Generator *g)
{
    Value *x = pick(g, 'f', 1, MAX_FUZZ_RANK), *gate = apply(g, "Sigmoid", x, NULL);
    return gate && apply(g, "Mul", x, gate);
}

static bool layer_norm(Generator *g)
{
    Value *x = pick(g, 'f', 2, 4), *mean = mean_over_last(g, x);
    Value *centred = mean ? apply(g, "Sub", x, mean) : NULL;
    Value *square =
        centred ? chance(g, 50) ? apply_scalar(g, "Pow", centred, 2) : apply(g, "Mul", centred, centred) : NULL;
    Value *root = apply(g, "Sqrt", apply_scalar(g, "Add", mean_over_last(g, square), 1e-2), NULL);
    if (!root)
        return false;
    Value *y = apply(g, "Div", centred, root);
    const int64_t *width = &x->type.dims[x->type.rank - 1];
    y = y ? apply(g, "Mul", y, fresh(g, 1, width, 0.5, 1.5)) : NULL;
    return y && (chance(g, 40) || apply(g, "Add", y, fresh(g, 1, width, -0.5, 0.5)));
}

static bool rms_norm(Generator *g)
{
    Value *x = pick(g, 'f', 2, 4), *square = x ? apply(g, "Mul", x, x) : NULL;
    Value *root = apply(g, "Sqrt", apply_scalar(g, "Add", mean_over_last(g, square), 1e-2), NULL);
    Value *y = root ? apply(g, "Mul", x, apply(g, "Reciprocal", root, NULL)) : NULL;
    return y && apply(g, "Mul", y, fresh(g, 1, &x->type.dims[x->type.rank - 1], 0.5, 1.5));
}

/* softmax(q·kᵀ·scale [+ mask])·v with keys and values that are computed from one value, or new. */
static bool attention(Generator *g)
{
    Value *q = pick(g, 'f', 3, 4);
    int64_t perm[4] = {0, 1, 2, 3};
    if (!q)
        return false;
    const int rank = q->type.rank;
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
    Value *v = chance(g, 50) ? q : fresh(g, rank, q->type.dims, -1, 1);
    Node *keys = BEGIN(g, "Transpose", 1, v);
    set_ints(g->graph, keys, "perm", rank, perm);
    Value *scores = finish(g, keys) ? apply(g, "MatMul", q, keys->outputs[0]) : NULL;
    scores = apply_scalar(g, "Mul", scores, 1 / sqrt((double)q->type.dims[rank - 1]));
    if (scores && chance(g, 40))
        scores = apply(g, "Add", scores, fresh(g, 2, &scores->type.dims[rank - 2], -1, 1));
    Value *weights = apply(g, "Softmax", scores, NULL);
    return weights && apply(g, "MatMul", weights, v);
}

static Value *plain_pool(Generator *g, Value *x)
{
    static const int64_t two[] = {2, 2};
    if (!x || !is_distinct(g, x))
        return NULL;
    Node *node = BEGIN(g, chance(g, 70) ? "MaxPool" : "AveragePool", 1, x);
    set_ints(g->graph, node, "kernel_shape", 2, two);
    set_ints(g->graph, node, "strides", 2, two);
    return finish(g, node) ? node->outputs[0] : NULL;
}

/* Conv, BatchNormalization, Relu, pool: each but the first may be missing, and each result may be read elsewhere. */
static bool block(Generator *g)
{
    Value *x = pick(g, 'f', 4, 4);
    if (!x)
        return false;
    const int64_t made = between(g, 1, 4), dims[] = {made, x->type.dims[1], 1 + below(g, 2), 1 + below(g, 2)};
    Value *y = apply(g, "Conv", x, fresh(g, 4, dims, -1, 1));
    if (y && chance(g, 70)) {
        Node *norm = BEGIN(g, "BatchNormalization", 1, y, fresh(g, 1, &made, 0.5, 1.5), fresh(g, 1, &made, -0.5, 0.5),
                           fresh(g, 1, &made, -0.5, 0.5), fresh(g, 1, &made, 0.5, 1.5));
        set_float(g->graph, norm, "epsilon", 1e-2);
        y = finish(g, norm) ? norm->outputs[0] : NULL;
    }
    if (y && chance(g, 70) && clear_of(g, y, 0))
        y = apply(g, "Relu", y, NULL);
    if (y && chance(g, 30))
        y = apply(g, "Add", y, fresh(g, 4, y->type.dims, -1, 1));
    return plain_pool(g, y);
}

/* A dense layer with what is hung onto its product, and a residual where it fits. */
static bool dense(Generator *g)
{
    static const char *const ops[] = {"Tanh", "Sigmoid", "Gelu", "Softplus", "Mish"};
    Value *x = pick(g, 'f', 2, 4);
    if (!x)
        return false;
    const int64_t inner = x->type.dims[x->type.rank - 1], dims[] = {inner, chance(g, 50) ? inner : between(g, 1, 8)};
    Value *y = apply(g, "MatMul", x, fresh(g, 2, dims, -1, 1));
    y = y ? apply(g, "Add", y, fresh(g, 1, &dims[1], -1, 1)) : NULL;
    y = apply(g, ANY_OF(g, ops), y, NULL);
    return y && (dims[1] != inner || apply(g, "Add", y, x));
}

static bool log_of_softmax(Generator *g)
{
    Value *x = pick(g, 'f', 2, 4), *y = apply(g, "Softmax", x, NULL);
    return y && apply(g, "Log", y, NULL);
}

/* Parts of one value, each with its own reader, put together again. */
static bool halves(Generator *g)
{
    Value *x = pick(g, 'f', 2, 4);
    if (!x || x->type.dims[x->type.rank - 1] < 2)
        return false;
    const int64_t width = x->type.dims[x->type.rank - 1], half = width / 2, zero = 0, axis = x->type.rank - 1;
    Node *first = BEGIN(g, "Slice", 1, x, whole(g, 1, &zero), whole(g, 1, &half), whole(g, 1, &axis));
    if (!finish(g, first))
        return false;
    Node *second = BEGIN(g, "Slice", 1, x, whole(g, 1, &half), whole(g, 1, &width), whole(g, 1, &axis));
    if (!finish(g, second))
        return false;
    Value *turned = apply(g, "Neg", second->outputs[0], NULL);
    if (!turned)
        return false;
    Node *joined = BEGIN(g, "Concat", 1, turned, first->outputs[0]);
    set_int(g->graph, joined, "axis", axis);
    return finish(g, joined);
}

Family *const pattern_families[] = {gelu,  swish, layer_norm,     rms_norm, attention, block,
                                    block, dense, log_of_softmax, halves,   NULL};
