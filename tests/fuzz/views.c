/* views.c: what moves elements: shapes, axes, parts, borders. */
#include "fuzz.h"

static void shuffled_axes(Generator *g, int rank, int64_t *axes)
{
    for (int i = 0; i < rank; i++)
        axes[i] = i;
    for (int i = rank - 1; i > 0; i--) {
        int64_t k = below(g, i + 1), kept = axes[i];
        axes[i] = axes[k];
        axes[k] = kept;
    }
}

/* A random factorisation of the element count. */
static bool reshape(Generator *g)
{
    Value *x = pick(g, 'f', 0, MAX_FUZZ_RANK);
    int64_t dims[MAX_RANK];
    int rank = 0;
    if (!x)
        return false;
    int64_t left = element_count(&x->type);
    const int most = (int)between(g, 1, 4);
    while (rank < most - 1) {
        int64_t factor = between(g, 1, left < 8 ? left : 8);
        if (left % factor != 0)
            continue;
        dims[rank++] = factor;
        left /= factor;
    }
    dims[rank++] = left;
    shuffled_axes(g, 0, dims);
    if (chance(g, 20))
        dims[below(g, rank)] = -1;
    return finish(g, BEGIN(g, "Reshape", 1, x, whole(g, rank, dims)));
}

static bool transpose(Generator *g)
{
    Value *x = pick(g, 'f', 2, MAX_FUZZ_RANK);
    int64_t axes[MAX_RANK];
    if (!x)
        return false;
    shuffled_axes(g, x->type.rank, axes);
    Node *node = BEGIN(g, "Transpose", 1, x);
    if (chance(g, 85))
        set_ints(g->graph, node, "perm", x->type.rank, axes);
    return finish(g, node);
}

static bool slice(Generator *g)
{
    Value *x = pick(g, 'f', 1, MAX_FUZZ_RANK);
    int64_t starts[MAX_RANK], ends[MAX_RANK], steps[MAX_RANK], axes[MAX_RANK];
    if (!x)
        return false;
    shuffled_axes(g, x->type.rank, axes);
    const int count = (int)between(g, 1, x->type.rank);
    for (int i = 0; i < count; i++) {
        const int64_t dim = x->type.dims[axes[i]], first = below(g, dim), last = between(g, first, dim - 1);
        steps[i] = chance(g, 60) ? 1 : between(g, 1, 3);
        starts[i] = first;
        ends[i] = last + 1;
        if (chance(g, 25)) { /* backwards */
            starts[i] = last;
            ends[i] = first == 0 ? -dim - 1 : first - 1;
            steps[i] = -steps[i];
        }
    }
    return finish(g, BEGIN(g, "Slice", 1, x, whole(g, count, starts), whole(g, count, ends), whole(g, count, axes),
                           whole(g, count, steps)));
}

static bool split(Generator *g)
{
    Value *x = pick(g, 'f', 1, MAX_FUZZ_RANK);
    int64_t parts[3];
    if (!x)
        return false;
    const int axis = (int)below(g, x->type.rank), count = (int)between(g, 2, 3);
    int64_t left = x->type.dims[axis];
    if (left < count)
        return false;
    for (int i = 0; i < count; i++) {
        parts[i] = i == count - 1 ? left : between(g, 1, left - (count - 1 - i));
        left -= parts[i];
    }
    Node *node = BEGIN(g, "Split", count, x, whole(g, count, parts));
    set_int(g->graph, node, "axis", axis);
    return finish(g, node);
}

static bool concat(Generator *g)
{
    Value *operands[4], *x = pick(g, 'f', 1, MAX_FUZZ_RANK);
    if (!x)
        return false;
    const int axis = (int)below(g, x->type.rank), count = (int)between(g, 2, 4);
    operands[0] = x;
    for (int i = 1; i < count; i++) {
        int64_t dims[MAX_RANK];
        Value *other = pick(g, 'f', x->type.rank, x->type.rank);
        for (int k = 0; k < x->type.rank; k++)
            dims[k] = k == axis && other ? other->type.dims[k] : x->type.dims[k];
        const Type fitting = make_type(DTYPE_F32, x->type.rank, dims);
        operands[i] = chance(g, 10)                                ? x
                      : other && same_dims(&other->type, &fitting) ? other
                                                                   : fresh(g, x->type.rank, dims, -1.5, 1.5);
    }
    Node *node = begin(g, "Concat", 1, count, operands);
    set_int(g->graph, node, "axis", chance(g, 30) ? axis - x->type.rank : axis);
    return finish(g, node);
}

static bool expand_or_tile(Generator *g)
{
    Value *x = pick(g, 'f', 0, 3);
    int64_t dims[MAX_RANK], repeats[MAX_RANK];
    if (!x)
        return false;
    const int added = (int)below(g, 3), rank = x->type.rank + added;
    for (int i = 0; i < rank; i++) {
        int64_t dim = i < added ? 1 : x->type.dims[i - added];
        dims[i] = dim == 1 ? between(g, 1, 4) : chance(g, 20) ? 1 : dim;
        repeats[i] = between(g, 1, 3);
    }
    if (chance(g, 40) && x->type.rank > 0)
        return finish(g, BEGIN(g, "Tile", 1, x, whole(g, x->type.rank, repeats)));
    return finish(g, BEGIN(g, "Expand", 1, x, whole(g, rank, dims)));
}

static bool pad(Generator *g)
{
    static const char *const modes[] = {"constant", "constant", "reflect", "edge", "wrap"};
    Value *x = pick(g, 'f', 1, 4);
    int64_t pads[2 * MAX_RANK];
    if (!x)
        return false;
    const char *mode = ANY_OF(g, modes);
    for (int i = 0; i < 2 * x->type.rank; i++)
        pads[i] = chance(g, 60) ? 0 : *mode == 'c' ? between(g, -1, 2) : between(g, 0, 1);
    Node *node = BEGIN(g, "Pad", 1, x, whole(g, 2 * x->type.rank, pads),
                       *mode == 'c' && chance(g, 50) ? scalar(g, uniform(g, -1, 1)) : NULL);
    set_string(g->graph, node, "mode", mode);
    return finish(g, node);
}

static bool squeeze(Generator *g)
{
    Value *x = pick(g, 'f', 1, 3);
    if (!x)
        return false;
    for (int64_t i = 0; i < x->type.rank; i++)
        if (x->type.dims[i] == 1)
            return finish(g, BEGIN(g, "Squeeze", 1, x, whole(g, 1, &i)));
    int64_t axis = between(g, -x->type.rank - 1, x->type.rank);
    return finish(g, BEGIN(g, "Unsqueeze", 1, x, whole(g, 1, &axis)));
}

static bool flatten(Generator *g)
{
    Value *x = pick(g, 'f', 1, MAX_FUZZ_RANK);
    if (!x)
        return false;
    Node *node = BEGIN(g, "Flatten", 1, x);
    set_int(g->graph, node, "axis", between(g, 0, x->type.rank));
    return finish(g, node);
}

static bool blocks(Generator *g)
{
    Value *x = pick(g, 'f', 4, 4);
    if (!x)
        return false;
    const bool to_space = x->type.dims[1] % 4 == 0;
    Node *node = BEGIN(g, to_space ? "DepthToSpace" : "SpaceToDepth", 1, x);
    set_int(g->graph, node, "blocksize", 2);
    if (to_space)
        set_string(g->graph, node, "mode", chance(g, 50) ? "DCR" : "CRD");
    return finish(g, node);
}

static bool triangle(Generator *g)
{
    Value *x = pick(g, 'f', 2, MAX_FUZZ_RANK);
    if (!x)
        return false;
    Node *node = BEGIN(g, "Trilu", 1, x, chance(g, 60) ? scalar_int(g, between(g, -2, 2)) : NULL);
    set_int(g->graph, node, "upper", chance(g, 50));
    return finish(g, node);
}

Family *const view_families[] = {reshape, reshape,        transpose, transpose, slice,   slice,  split,    concat,
                                 concat,  expand_or_tile, pad,       squeeze,   flatten, blocks, triangle, NULL};
