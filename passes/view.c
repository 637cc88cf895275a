#include <string.h>

#include "passes/match.h"
#include "passes/view.h"

View window_of(Value *value)
{
    if (value->view.base)
        return value->view;
    View window = {.base = value};
    dense_strides(&value->type, window.strides);
    return window;
}

bool is_view_node(const Node *node)
{
    return node->op->kind == OP_VIEW;
}

bool is_dense(const Type *type, const int64_t strides[MAX_RANK])
{
    int64_t expected = 1;
    for (int axis = type->rank - 1; axis >= 0; axis--) {
        if (type->dims[axis] != 1 && strides[axis] != expected)
            return false;
        expected *= type->dims[axis];
    }
    return true;
}

bool has_dense_rows(const Type *type, const int64_t strides[MAX_RANK])
{
    int last = type->rank - 1;
    return last < 0 || type->dims[last] == 1 || strides[last] == 1;
}

/* Strides that show `from` (with its strides) under the dims of `to` without moving data: runs of axes with equal
 * products are matched, and a run splits or merges only where its own strides nest. */
static bool reshape_strides(const Type *from, const int64_t *from_strides, const Type *to, int64_t *to_strides)
{
    int i = 0, j = 0;
    memset(to_strides, 0, MAX_RANK * sizeof(*to_strides));
    if (element_count(from) == 0)
        return false;
    while (i < from->rank || j < to->rank) {
        int first_i = i, first_j = j;
        int64_t from_product = i < from->rank ? from->dims[i++] : 1, to_product = j < to->rank ? to->dims[j++] : 1;
        while (from_product != to_product) {
            if (from_product < to_product)
                from_product *= from->dims[i++];
            else
                to_product *= to->dims[j++];
        }
        int64_t stride = 0; /* of the innermost axis of the run that is not 1; axes must nest outwards from it */
        int64_t extent = 1;
        for (int axis = i - 1; axis >= first_i; axis--) {
            if (from->dims[axis] == 1)
                continue;
            if (extent == 1)
                stride = from_strides[axis];
            else if (from_strides[axis] != stride * extent)
                return false;
            extent *= from->dims[axis];
        }
        if (extent == 1)
            stride = 1;
        for (int axis = j - 1; axis >= first_j; axis--) {
            to_strides[axis] = stride;
            stride *= to->dims[axis];
        }
    }
    return true;
}

static bool reshape_view(const Type *from, const View *in, const Type *to, View *out)
{
    out->base = in->base;
    out->offset = in->offset;
    return reshape_strides(from, in->strides, to, out->strides);
}

/* Offset and step of a Slice along each axis; negative steps walk backwards. */
static bool slice_window(Graph *graph, const Node *node, int64_t start[MAX_RANK], int64_t step[MAX_RANK])
{
    const Type *type = &node->inputs[0]->type;
    int count, end_count, axis_count = 0, step_count = 0;
    const int64_t *starts, *ends, *axes = NULL, *steps = NULL;
    for (int axis = 0; axis < type->rank; axis++) {
        start[axis] = 0;
        step[axis] = 1;
    }
    if (!const_operand_ints(graph, node, 1, &count, &starts) || !const_operand_ints(graph, node, 2, &end_count, &ends))
        return false;
    const_operand_ints(graph, node, 3, &axis_count, &axes);
    const_operand_ints(graph, node, 4, &step_count, &steps);
    for (int i = 0; i < count; i++) {
        int64_t axis = axes ? (axes[i] < 0 ? axes[i] + type->rank : axes[i]) : i, dim = type->dims[axis];
        int64_t from = starts[i] < 0 ? starts[i] + dim : starts[i];
        step[axis] = steps ? steps[i] : 1;
        int64_t highest = step[axis] < 0 ? dim - 1 : dim;
        start[axis] = from < 0 ? 0 : from > highest ? highest : from;
    }
    return true;
}

static int normal_axis(const Node *node, int rank)
{
    int64_t axis = attr_int(node, "axis");
    return (int)(axis < 0 ? axis + rank : axis);
}

/* Where operand or result `index` begins along the axis of a Concat or Split. */
static int64_t start_on_axis(Value *const *parts, int index, int axis)
{
    int64_t start = 0;
    for (int i = 0; i < index; i++)
        start += parts[i] ? parts[i]->type.dims[axis] : 0;
    return start;
}

static void permute(const Node *node, const View *in, View *out, bool inverse)
{
    int permutation[MAX_RANK];
    permutation_of(node, permutation);
    for (int i = 0; i < node->inputs[0]->type.rank; i++) {
        if (inverse)
            out->strides[permutation[i]] = in->strides[i];
        else
            out->strides[i] = in->strides[permutation[i]];
    }
    out->base = in->base;
    out->offset = in->offset;
}

static bool expand_view(const Type *from, const View *in, const Type *to, View *out)
{
    *out = (View){.base = in->base, .offset = in->offset};
    for (int axis = 0; axis < to->rank; axis++) {
        int source = axis - (to->rank - from->rank);
        out->strides[axis] = source >= 0 && from->dims[source] == to->dims[axis] ? in->strides[source] : 0;
    }
    return true;
}

static bool is_reshape(const Node *node)
{
    return is_op(node, "Reshape") || is_op(node, "Flatten") || is_op(node, "Squeeze") || is_op(node, "Unsqueeze") ||
           is_op(node, "Identity");
}

bool view_forward(Graph *graph, const Node *node, int index, const View *in, View *out)
{
    const Type *from = &node->inputs[0]->type, *to = &node->outputs[index]->type;
    if (is_reshape(node))
        return reshape_view(from, in, to, out);
    if (is_op(node, "Transpose")) {
        permute(node, in, out, false);
        return true;
    }
    if (is_op(node, "Expand"))
        return expand_view(from, in, to, out);
    *out = *in;
    if (is_op(node, "Split")) {
        int axis = normal_axis(node, from->rank);
        for (int i = 0; i < index; i++)
            if (!node->outputs[i])
                return false;
        out->offset += start_on_axis(node->outputs, index, axis) * in->strides[axis];
        return true;
    }
    if (is_op(node, "Slice")) {
        int64_t start[MAX_RANK], step[MAX_RANK];
        if (!slice_window(graph, node, start, step))
            return false;
        for (int axis = 0; axis < from->rank; axis++) {
            out->offset += start[axis] * in->strides[axis];
            out->strides[axis] = step[axis] * in->strides[axis];
        }
        return true;
    }
    return false;
}

bool view_backward(Graph *graph, const Node *node, int index, const View *out, View *in)
{
    (void)graph;
    const Type *from = &node->inputs[index]->type, *to = &node->outputs[0]->type;
    if (is_reshape(node))
        return reshape_view(to, out, from, in);
    if (is_op(node, "Transpose")) {
        permute(node, out, in, true);
        return true;
    }
    if (is_op(node, "Concat")) {
        int axis = normal_axis(node, to->rank);
        *in = *out;
        in->offset += start_on_axis(node->inputs, index, axis) * out->strides[axis];
        return true;
    }
    return false;
}
