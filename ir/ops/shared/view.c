/* view.c: addressing instead of moving: the window that shows a tensor reshaped, transposed, expanded, split, sliced;
 * and the window in which it must be written to appear so. */
#include "ir/ops/shared/view.h"

#include "ir/ops/shared/geometry.h"

/* ---- Reshape ---------------------------------------------------------------------------------------------------- */

/* Axes [first, end) of a type that are shown as one run. */
typedef struct AxisRun {
    int first, end;
    int64_t product;
} AxisRun;

static AxisRun next_run(const Type *type, int at)
{
    return at < type->rank ? (AxisRun){at, at + 1, type->dims[at]} : (AxisRun){at, at, 1};
}

static void extend_run(AxisRun *run, const Type *type)
{
    run->product *= type->dims[run->end++];
}

/* The stride of the innermost axis of a run that is not 1; false where the axes do not nest outwards from it. */
static bool run_stride(const AxisRun *run, const Type *type, const int64_t *strides, int64_t *stride)
{
    int64_t extent = 1;
    *stride = 1;
    for (int axis = run->end - 1; axis >= run->first; axis--) {
        if (type->dims[axis] == 1)
            continue;
        if (extent == 1)
            *stride = strides[axis];
        else if (strides[axis] != *stride * extent)
            return false;
        extent *= type->dims[axis];
    }
    return true;
}

/* Strides that show `from` (with its strides) under the dims of `to` without moving data: runs of axes with equal
 * products are matched, and a run splits or merges only where its own strides nest. */
static bool reshape_strides(const Type *from, const int64_t *from_strides, const Type *to, int64_t *to_strides)
{
    memset(to_strides, 0, MAX_RANK * sizeof(*to_strides));
    if (element_count(from) == 0)
        return false;
    for (int i = 0, j = 0; i < from->rank || j < to->rank;) {
        AxisRun source = next_run(from, i), shown = next_run(to, j);
        while (source.product != shown.product)
            if (source.product < shown.product)
                extend_run(&source, from);
            else
                extend_run(&shown, to);
        int64_t stride;
        if (!run_stride(&source, from, from_strides, &stride))
            return false;
        for (int axis = shown.end - 1; axis >= shown.first; axis--) {
            to_strides[axis] = stride;
            stride *= to->dims[axis];
        }
        i = source.end;
        j = shown.end;
    }
    return true;
}

bool view_reshape(const Node *node, int index, const View *in, View *out)
{
    *out = (View){.base = in->base, .offset = in->offset};
    return reshape_strides(&node->inputs[0]->type, in->strides, &node->outputs[index]->type, out->strides);
}

bool view_before_reshape(const Node *node, int index, const View *out, View *in)
{
    *in = (View){.base = out->base, .offset = out->offset};
    return reshape_strides(&node->outputs[0]->type, out->strides, &node->inputs[index]->type, in->strides);
}

/* ---- Transpose, Expand ------------------------------------------------------------------------------------------- */

bool view_transpose(const Node *node, int index, const View *in, View *out)
{
    (void)index;
    int permutation[MAX_RANK];
    permutation_of(node, permutation);
    *out = (View){.base = in->base, .offset = in->offset};
    for (int i = 0; i < node->inputs[0]->type.rank; i++)
        out->strides[i] = in->strides[permutation[i]];
    return true;
}

bool view_before_transpose(const Node *node, int index, const View *out, View *in)
{
    (void)index;
    int permutation[MAX_RANK];
    permutation_of(node, permutation);
    *in = (View){.base = out->base, .offset = out->offset};
    for (int i = 0; i < node->inputs[0]->type.rank; i++)
        in->strides[permutation[i]] = out->strides[i];
    return true;
}

bool view_expand(const Node *node, int index, const View *in, View *out)
{
    const Type *from = &node->inputs[0]->type, *to = &node->outputs[index]->type;
    *out = (View){.base = in->base, .offset = in->offset};
    for (int axis = 0; axis < to->rank; axis++) {
        int source = axis - (to->rank - from->rank);
        out->strides[axis] = source >= 0 && from->dims[source] == to->dims[axis] ? in->strides[source] : 0;
    }
    return true;
}

/* ---- Split, Concat, Slice ---------------------------------------------------------------------------------------- */

/* Where operand or result `index` begins along the axis of a Concat or Split. */
static int64_t start_on_axis(Value *const *parts, int index, int axis)
{
    int64_t start = 0;
    for (int i = 0; i < index; i++)
        start += parts[i]->type.dims[axis];
    return start;
}

bool view_split(const Node *node, int index, const View *in, View *out)
{
    const int axis = axis_of(node, node->inputs[0]->type.rank);
    *out = *in;
    out->offset += start_on_axis(node->outputs, index, axis) * in->strides[axis];
    return true;
}

bool view_part_of_concat(const Node *node, int index, const View *out, View *in)
{
    const int axis = axis_of(node, node->outputs[0]->type.rank);
    *in = *out;
    in->offset += start_on_axis(node->inputs, index, axis) * out->strides[axis];
    return true;
}

/* Negative steps walk backwards. */
bool view_slice(const Node *node, int index, const View *in, View *out)
{
    (void)index;
    SliceWindow windows[MAX_RANK];
    *out = *in;
    if (!slice_windows(node, windows))
        return false;
    for (int axis = 0; axis < node->inputs[0]->type.rank; axis++) {
        out->offset += windows[axis].start * in->strides[axis];
        out->strides[axis] = windows[axis].step * in->strides[axis];
    }
    return true;
}
