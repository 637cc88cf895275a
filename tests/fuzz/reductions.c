/* reductions.c: reductions, softmax, normalizations, losses. */
#include <string.h>

#include "fuzz.h"

static Value *some_axes(Generator *g, int rank)
{
    int64_t axes[MAX_RANK];
    int count = 0;
    for (int i = 0; i < rank; i++)
        if (chance(g, 50))
            axes[count++] = chance(g, 20) ? i - rank : i;
    return count == 0 && chance(g, 50) ? NULL : whole(g, count, axes);
}

static bool reduce(Generator *g)
{
    static const char *const ops[] = {"ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd",
                                      "ReduceL1",  "ReduceL2",   "ReduceMax",       "ReduceMin",       "ReduceLogSum"};
    Value *x = pick(g, 'f', 1, MAX_FUZZ_RANK);
    const char *op = ANY_OF(g, ops);
    if (!x || (strstr(op, "L1") && !clear_of(g, x, 0)) ||
        (strstr(op, "M") && !strstr(op, "Mean") && !is_distinct(g, x)) ||
        (strcmp(op, "ReduceLogSum") == 0 && !lies_in(g, x, 0.1, 30)))
        return false;
    Node *node = BEGIN(g, op, 1, x, some_axes(g, x->type.rank));
    set_int(g->graph, node, "keepdims", chance(g, 50));
    if (chance(g, 20))
        set_int(g->graph, node, "noop_with_empty_axes", 1);
    return finish(g, node);
}

static bool softmax(Generator *g)
{
    static const char *const ops[] = {"Softmax", "LogSoftmax", "Softmax", "Hardmax"};
    Value *x = pick(g, 'f', 1, 4);
    const char *op = ANY_OF(g, ops);
    if (!x || (*op == 'H' && (g->smooth || !is_distinct(g, x))))
        return false;
    Node *node = BEGIN(g, op, 1, x);
    set_int(g->graph, node, "axis", between(g, -x->type.rank, x->type.rank - 1));
    return finish(g, node);
}

static bool last_axes_norm(Generator *g)
{
    Value *x = pick(g, 'f', 1, 4);
    if (!x)
        return false;
    const int axis = chance(g, 60) ? x->type.rank - 1 : (int)below(g, x->type.rank), rank = x->type.rank - axis;
    Value *scale = fresh(g, rank, x->type.dims + axis, 0.5, 1.5);
    Node *node = chance(g, 60) ? BEGIN(g, "LayerNormalization", 1, x, scale,
                                       chance(g, 60) ? fresh(g, rank, x->type.dims + axis, -0.5, 0.5) : NULL)
                               : BEGIN(g, "RMSNormalization", 1, x, scale);
    set_int(g->graph, node, "axis", axis);
    set_float(g->graph, node, "epsilon", chance(g, 50) ? 1e-5 : 1e-2);
    return finish(g, node);
}

static bool channel_norm(Generator *g)
{
    Value *x = pick(g, 'f', 3, 4);
    if (!x)
        return false;
    const int64_t *channels = &x->type.dims[1];
    const bool grouped = chance(g, 50);
    Node *node = BEGIN(g, grouped ? "GroupNormalization" : "InstanceNormalization", 1, x,
                       fresh(g, 1, channels, 0.5, 1.5), fresh(g, 1, channels, -0.5, 0.5));
    if (grouped)
        set_int(g->graph, node, "num_groups", *channels % 2 == 0 && chance(g, 60) ? 2 : 1);
    set_float(g->graph, node, "epsilon", 1e-2);
    return finish(g, node);
}

static bool batch_norm(Generator *g)
{
    Value *x = pick(g, 'f', 2, 4);
    if (!x)
        return false;
    const int64_t *channels = &x->type.dims[1];
    Node *node = BEGIN(g, "BatchNormalization", 1, x, fresh(g, 1, channels, 0.5, 1.5), fresh(g, 1, channels, -0.5, 0.5),
                       fresh(g, 1, channels, -0.5, 0.5), fresh(g, 1, channels, 0.5, 1.5));
    set_float(g->graph, node, "epsilon", 1e-2);
    return finish(g, node);
}

static bool other_norm(Generator *g)
{
    static const char *const ops[] = {"MeanVarianceNormalization", "LpNormalization", "LRN"};
    Value *x = pick(g, 'f', 4, 4);
    const char *op = ANY_OF(g, ops);
    if (!x || !clear_of(g, x, 0))
        return false;
    Node *node = BEGIN(g, op, 1, x);
    if (op[1] == 'p') {
        set_int(g->graph, node, "axis", below(g, 4));
        set_int(g->graph, node, "p", between(g, 1, 2));
    } else if (op[1] == 'R') {
        set_int(g->graph, node, "size", between(g, 1, 4));
        set_float(g->graph, node, "alpha", 0.5);
    }
    return finish(g, node);
}

/* Classes on axis 1. */
static bool loss(Generator *g)
{
    static const char *const modes[] = {"mean", "sum", "none"};
    Value *x = pick(g, 'f', 2, 4);
    int64_t dims[MAX_RANK];
    if (!x)
        return false;
    const int64_t classes = x->type.dims[1];
    for (int i = 0; i + 1 < x->type.rank; i++)
        dims[i] = x->type.dims[i + (i > 0)];
    Value *labels = fresh_indices(g, x->type.rank - 1, dims, 0, classes - 1);
    Value *weights = chance(g, 40) ? fresh(g, 1, &classes, 0.5, 1.5) : NULL;
    Node *node =
        BEGIN(g, chance(g, 60) ? "SoftmaxCrossEntropyLoss" : "NegativeLogLikelihoodLoss", 1, x, labels, weights);
    set_string(g->graph, node, "reduction", ANY_OF(g, modes));
    if (chance(g, 20) && classes > 2)
        set_int(g->graph, node, "ignore_index", below(g, classes));
    return finish(g, node);
}

Family *const reduction_families[] = {reduce,         reduce,       reduce,     reduce,     softmax, softmax,
                                      last_axes_norm, channel_norm, batch_norm, other_norm, loss,    NULL};
