/* axes.c: which axes and elements Transpose and Slice take, for their rows and for views of them. */
#include "ir/ops/shared/geometry.h"

bool permutation_of(const Node *node, int permutation[MAX_RANK])
{
    const int64_t *perm;
    int rank = node->inputs[0]->type.rank, count = attr_ints(node, "perm", &perm);
    bool seen[MAX_RANK] = {false};
    if (has_attr(node, "perm") && count != rank)
        return false;
    for (int i = 0; i < rank; i++) {
        int64_t axis = count ? perm[i] : rank - 1 - i;
        if (axis < 0 || axis >= rank || seen[axis])
            return false;
        seen[axis] = true;
        permutation[i] = (int)axis;
    }
    return true;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* ONNX Slice: negative positions count from the end, then both are clamped to the axis; a backward slice may end before
 * its first element. */
static SliceWindow slice_window(int64_t start, int64_t end, int64_t step, int64_t dim)
{
    start += start < 0 ? dim : 0;
    end += end < 0 ? dim : 0;
    SliceWindow window = {.step = step};
    if (step > 0) {
        window.start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
        window.count = end > window.start ? (end - window.start - 1) / step + 1 : 0;
    } else {
        window.start = clamp(start, 0, dim > 0 ? dim - 1 : 0);
        end = clamp(end, -1, dim - 1);
        window.count = dim > 0 && window.start > end ? (window.start - end - 1) / -step + 1 : 0;
    }
    return window;
}

bool slice_windows(const Node *node, SliceWindow windows[MAX_RANK])
{
    const Type *x = &node->inputs[0]->type;
    const Value *starts = node->inputs[1], *ends = node->inputs[2], *axes = input(node, 3), *steps = input(node, 4);
    int64_t count = element_count(&starts->type);
    bool seen[MAX_RANK] = {false};
    for (int i = 0; i < x->rank; i++)
        windows[i] = (SliceWindow){.step = 1, .count = x->dims[i]};
    if (count > x->rank || element_count(&ends->type) != count || (axes && element_count(&axes->type) != count) ||
        (steps && element_count(&steps->type) != count))
        return false;
    for (int64_t i = 0; i < count; i++) {
        int64_t axis = axes ? const_int_at(axes, i) : i, step = steps ? const_int_at(steps, i) : 1;
        axis += axis < 0 ? x->rank : 0;
        if (axis < 0 || axis >= x->rank || seen[axis] || step == 0 || step == INT64_MIN)
            return false;
        seen[axis] = true;
        windows[axis] = slice_window(const_int_at(starts, i), const_int_at(ends, i), step, x->dims[axis]);
    }
    return true;
}
