/* indices.c: gathers, scatters, scans, and what sorts. */
#include "fuzz.h"

static bool gather(Generator *g)
{
    Value *x = pick(g, 'f', 1, 4);
    int64_t dims[] = {between(g, 1, 4), between(g, 1, 3)};
    if (!x)
        return false;
    const int axis = (int)below(g, x->type.rank);
    const int64_t dim = x->type.dims[axis];
    Value *indices = fresh_indices(g, (int)below(g, 3), dims, chance(g, 30) ? -dim : 0, dim - 1);
    Node *node = BEGIN(g, "Gather", 1, x, indices);
    set_int(g->graph, node, "axis", axis);
    return finish(g, node);
}

static bool gather_elements(Generator *g)
{
    Value *x = pick(g, 'f', 1, 4);
    int64_t dims[MAX_RANK];
    if (!x)
        return false;
    const int axis = (int)below(g, x->type.rank);
    for (int i = 0; i < x->type.rank; i++)
        dims[i] = i == axis ? between(g, 1, 4) : between(g, 1, x->type.dims[i]);
    Node *node = BEGIN(g, "GatherElements", 1, x, fresh_indices(g, x->type.rank, dims, 0, x->type.dims[axis] - 1));
    set_int(g->graph, node, "axis", axis);
    return finish(g, node);
}

/* The least of the indexed dims bounds every coordinate. */
static int64_t least_dim(const Value *x, int first, int count)
{
    int64_t least = x->type.dims[first];
    for (int i = first; i < first + count; i++)
        least = x->type.dims[i] < least ? x->type.dims[i] : least;
    return least;
}

static bool gather_nd(Generator *g)
{
    Value *x = pick(g, 'f', 1, 4);
    if (!x)
        return false;
    const int batch = x->type.rank > 1 && chance(g, 30) ? 1 : 0, depth = (int)between(g, 1, x->type.rank - batch);
    int64_t dims[3] = {batch ? x->type.dims[0] : between(g, 1, 3), between(g, 1, 3), depth};
    Node *node = BEGIN(g, "GatherND", 1, x, fresh_indices(g, 3, dims, 0, least_dim(x, batch, depth) - 1));
    set_int(g->graph, node, "batch_dims", batch);
    return finish(g, node);
}

static const char *const reductions[] = {"none", "add", "add", "mul", "max", "min"};

/* Along the axis every line's indices are a permutation's first: what writes without a reduction must not write twice.
 */
static bool scatter_elements(Generator *g)
{
    Value *x = pick(g, 'f', 1, 4);
    int64_t dims[MAX_RANK];
    if (!x)
        return false;
    const int axis = (int)below(g, x->type.rank);
    const int64_t dim = x->type.dims[axis];
    const char *reduction = ANY_OF(g, reductions);
    for (int i = 0; i < x->type.rank; i++)
        dims[i] = between(g, 1, x->type.dims[i]);
    if (reduction[0] == 'n' || reduction[1] == 'a' || reduction[1] == 'i')
        dims[axis] = 1;
    Value *updates = fresh(g, x->type.rank, dims, -1.5, 1.5);
    Node *node = BEGIN(g, "ScatterElements", 1, x, fresh_indices(g, x->type.rank, dims, 0, dim - 1), updates);
    set_int(g->graph, node, "axis", axis);
    set_string(g->graph, node, "reduction", reduction);
    return finish(g, node);
}

static bool scatter_nd(Generator *g)
{
    Value *x = pick(g, 'f', 1, 4);
    if (!x)
        return false;
    const char *reduction = ANY_OF(g, reductions);
    const int depth = (int)between(g, 1, x->type.rank);
    const bool once = reduction[0] == 'n' || reduction[1] == 'a' || reduction[1] == 'i';
    int64_t dims[MAX_RANK] = {once ? 1 : between(g, 1, 4), depth};
    Value *indices = fresh_indices(g, 2, dims, 0, least_dim(x, 0, depth) - 1);
    for (int i = depth; i < x->type.rank; i++)
        dims[1 + i - depth] = x->type.dims[i];
    Node *node = BEGIN(g, "ScatterND", 1, x, indices, fresh(g, 1 + x->type.rank - depth, dims, -1.5, 1.5));
    set_string(g->graph, node, "reduction", reduction);
    return finish(g, node);
}

static bool one_hot(Generator *g)
{
    int64_t dims[] = {between(g, 1, 4), between(g, 1, 4)}, two = 2, depth = between(g, 2, 6);
    Value *indices = fresh_indices(g, (int)between(g, 1, 2), dims, 0, depth - 1);
    Node *node = BEGIN(g, "OneHot", 1, indices, scalar_int(g, depth), fresh(g, 1, &two, -1, 1));
    set_int(g->graph, node, "axis", chance(g, 50) ? -1 : 0);
    return finish(g, node);
}

static bool scan(Generator *g)
{
    Value *x = pick(g, 'f', 1, 4);
    if (!x)
        return false;
    int64_t axis = below(g, x->type.rank);
    Node *node = BEGIN(g, chance(g, 70) ? "CumSum" : "CumProd", 1, x, scalar_int(g, axis));
    set_int(g->graph, node, "exclusive", chance(g, 40));
    set_int(g->graph, node, "reverse", chance(g, 40));
    return finish(g, node);
}

static bool reverse_sequence(Generator *g)
{
    Value *x = pick(g, 'f', 2, 4);
    if (!x)
        return false;
    const int batch = chance(g, 50);
    Node *node = BEGIN(g, "ReverseSequence", 1, x, fresh_indices(g, 1, &x->type.dims[batch], 1, x->type.dims[!batch]));
    set_int(g->graph, node, "batch_axis", batch);
    set_int(g->graph, node, "time_axis", !batch);
    return finish(g, node);
}

static bool top_k(Generator *g)
{
    Value *x = pick(g, 'f', 1, 4);
    if (!x || g->smooth || !is_distinct(g, x))
        return false;
    const int axis = (int)below(g, x->type.rank);
    int64_t k = between(g, 1, x->type.dims[axis]);
    Node *node = BEGIN(g, "TopK", 2, x, whole(g, 1, &k));
    set_int(g->graph, node, "axis", axis);
    set_int(g->graph, node, "largest", chance(g, 50));
    return finish(g, node);
}

static bool arg_extremum(Generator *g)
{
    Value *x = pick(g, 'f', 1, 4);
    if (!x || g->smooth || !is_distinct(g, x))
        return false;
    Node *node = BEGIN(g, chance(g, 50) ? "ArgMax" : "ArgMin", 1, x);
    set_int(g->graph, node, "axis", below(g, x->type.rank));
    set_int(g->graph, node, "keepdims", chance(g, 50));
    return finish(g, node);
}

Family *const index_families[] = {gather, gather_elements,  gather_nd, scatter_elements, scatter_nd, one_hot,
                                  scan,   reverse_sequence, top_k,     arg_extremum,     NULL};
