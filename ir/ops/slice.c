/* slice.c: windows of tensors: Slice, and its adjoint Pad. */
#include "ir/ops/shared/geometry.h"
#include "ir/ops/shared/row.h"
#include "ir/ops/shared/view.h"

/* ---- Slice ------------------------------------------------------------------------------------------------------- */

static bool slice_upgrade(Graph *graph, Node *node, int opset)
{
    if (opset < 10) {
        ints_to_operand(graph, node, "starts", 1);
        ints_to_operand(graph, node, "ends", 2);
        ints_to_operand(graph, node, "axes", 3);
    }
    return true;
}

static bool slice_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    SliceWindow windows[MAX_RANK];
    if (!slice_windows(node, windows))
        return REJECT(graph, node,
                      "starts, ends, axes and steps must agree in length, name different axes of %s, and no step "
                      "may be 0",
                      type_text(graph->arena, &type));
    for (int i = 0; i < type.rank; i++)
        type.dims[i] = windows[i].count;
    return set_output_type(graph, node, 0, type);
}

/* dY goes back to where it came from, zeros elsewhere: a scatter along the axes with steps, Pad for the others. */
static void slice_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    const Type *x = &node->inputs[0]->type;
    Value *dx = dy_of(d, node, 0);
    SliceWindow windows[MAX_RANK];
    int64_t pads[2 * MAX_RANK] = {0};
    bool padded = false;
    slice_windows(node, windows);
    for (int axis = 0; axis < x->rank; axis++) {
        SliceWindow w = windows[axis];
        if (w.step == 1) {
            pads[axis] = w.start;
            pads[x->rank + axis] = x->dims[axis] - w.start - w.count;
            padded |= w.count != x->dims[axis];
            continue;
        }
        int64_t *positions = NEW_ARRAY(graph->arena, int64_t, w.count);
        for (int64_t i = 0; i < w.count; i++)
            positions[i] = w.start + i * w.step;
        Value *operands[] = {dx, const_ints(graph, (int)w.count, positions)};
        Node *scatter = build_begin(graph, "GatherGrad", 2, operands, 1);
        set_int(graph, scatter, "axis", axis);
        set_int(graph, scatter, "dim", x->dims[axis]);
        dx = build_finish(graph, scatter);
    }
    if (padded)
        dx = build_binary(graph, "Pad", dx, const_ints(graph, 2 * x->rank, pads));
    contribute(d, node, 0, dx);
}

static void slice_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    SliceWindow windows[MAX_RANK];
    int64_t strides[MAX_RANK], index[MAX_RANK] = {0}, at = 0;
    int rank = inputs[0].type.rank;
    slice_windows(node, windows);
    dense_strides(&inputs[0].type, strides);
    if (element_count(&outputs[0].type) == 0)
        return;
    do {
        int64_t from = 0;
        for (int axis = 0; axis < rank; axis++)
            from += (windows[axis].start + index[axis] * windows[axis].step) * strides[axis];
        copy_element(&outputs[0], at++, &inputs[0], from);
    } while (next_index(rank, outputs[0].type.dims, index));
}

/* ---- Pad --------------------------------------------------------------------------------------------------------- */

bool pad_mode(const Node *node, PadMode *mode)
{
    static const char *const names[PAD_MODE_COUNT] = {"constant", "reflect", "edge", "wrap"};
    for (int i = 0; i < PAD_MODE_COUNT; i++)
        if (strcmp(attr_string(node, "mode"), names[i]) == 0) {
            *mode = (PadMode)i;
            return true;
        }
    return false;
}

/* Elements added before and after each axis; negative ones crop. */
bool pad_widths(const Node *node, int rank, int64_t before[MAX_RANK], int64_t after[MAX_RANK])
{
    const Value *pads = node->inputs[1], *axes = input(node, 3);
    int64_t count = axes ? element_count(&axes->type) : rank;
    memset(before, 0, MAX_RANK * sizeof(*before));
    memset(after, 0, MAX_RANK * sizeof(*after));
    if (count > rank || element_count(&pads->type) != 2 * count)
        return false;
    for (int64_t i = 0; i < count; i++) {
        int64_t axis = axes ? const_int_at(axes, i) : i;
        axis += axis < 0 ? rank : 0;
        if (axis < 0 || axis >= rank)
            return false;
        before[axis] = const_int_at(pads, i);
        after[axis] = const_int_at(pads, count + i);
    }
    return true;
}

/* The element of an axis of n that appears at position p (which may lie outside); -1: none. */
static int64_t pad_source(PadMode mode, int64_t p, int64_t n)
{
    int64_t period = mode == PAD_REFLECT ? (n > 1 ? 2 * (n - 1) : 1) : n;
    if (p >= 0 && p < n)
        return p;
    if (mode == PAD_CONSTANT)
        return -1;
    if (mode == PAD_EDGE)
        return p < 0 ? 0 : n - 1;
    int64_t folded = ((p % period) + period) % period;
    return folded < n ? folded : period - folded;
}

static bool pad_upgrade(Graph *graph, Node *node, int opset)
{
    if (opset < 11) {
        ints_to_operand(graph, node, "pads", 1);
        float_to_operand(graph, node, "value", 2, node->inputs[0]->type.dtype);
    }
    return true;
}

static bool pad_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    int64_t before[MAX_RANK], after[MAX_RANK];
    PadMode mode = PAD_CONSTANT;
    if (!pad_mode(node, &mode))
        return REJECT_UNSUPPORTED(graph, node, "unsupported attribute mode='%s' of Pad", attr_string(node, "mode"));
    if (!pad_widths(node, type.rank, before, after))
        return REJECT(graph, node, "pads and axes do not fit %s", type_text(graph->arena, &type));
    if (input(node, 2) && element_count(&input(node, 2)->type) != 1)
        return REJECT(graph, node, "the padding value must be a scalar");
    for (int i = 0; i < type.rank; i++) {
        int64_t dim = type.dims[i];
        if (__builtin_add_overflow(dim, before[i], &dim) || __builtin_add_overflow(dim, after[i], &dim) || dim < 0)
            return REJECT(graph, node, "axis %d of %s cannot be padded by %lld and %lld", i,
                          type_text(graph->arena, &type), (long long)before[i], (long long)after[i]);
        if (type.dims[i] == 0 && dim > 0 && mode != PAD_CONSTANT)
            return REJECT(graph, node, "axis %d of %s is empty: there is nothing to repeat", i,
                          type_text(graph->arena, &type));
        type.dims[i] = dim;
    }
    return set_output_type(graph, node, 0, type);
}

/* Visits every element of the padded tensor with its source in the plain one, or -1. */
typedef struct PadWalk {
    PadMode mode;
    Type plain;
    int64_t before[MAX_RANK], strides[MAX_RANK];
} PadWalk;

static int64_t pad_walk_source(const PadWalk *walk, const int64_t *index)
{
    int64_t source = 0;
    for (int axis = 0; axis < walk->plain.rank; axis++) {
        int64_t at = pad_source(walk->mode, index[axis] - walk->before[axis], walk->plain.dims[axis]);
        if (at < 0)
            return -1;
        source += at * walk->strides[axis];
    }
    return source;
}

static void pad_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    PadWalk walk = {.plain = inputs[0].type};
    int64_t after[MAX_RANK], index[MAX_RANK] = {0}, at = 0;
    pad_mode(node, &walk.mode);
    pad_widths(node, walk.plain.rank, walk.before, after);
    dense_strides(&walk.plain, walk.strides);
    if (element_count(&outputs[0].type) == 0)
        return;
    do {
        int64_t from = pad_walk_source(&walk, index);
        if (from >= 0)
            copy_element(&outputs[0], at, &inputs[0], from);
        else if (input(node, 2))
            copy_element(&outputs[0], at, &inputs[2], 0);
        at++;
    } while (next_index(walk.plain.rank, outputs[0].type.dims, index));
}

/* Constant padding: crop what was added, add zeros where it cropped. The other modes sum up the copies. */
static void pad_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    const Type *x = &node->inputs[0]->type;
    int rank = x->rank;
    int64_t before[MAX_RANK], after[MAX_RANK], starts[MAX_RANK], ends[MAX_RANK], pads[2 * MAX_RANK];
    PadMode mode = PAD_CONSTANT;
    pad_mode(node, &mode);
    pad_widths(node, rank, before, after);
    Value *dx = dy_of(d, node, 0);
    if (mode != PAD_CONSTANT) {
        Node *fold = build_begin(graph, "PadGrad", 1, &dx, 1);
        set_string(graph, fold, "mode", attr_string(node, "mode"));
        set_ints(graph, fold, "before", rank, before);
        set_ints(graph, fold, "after", rank, after);
        contribute(d, node, 0, build_finish(graph, fold));
        return;
    }
    bool crops = false, grows = false;
    for (int i = 0; i < rank; i++) {
        starts[i] = before[i] > 0 ? before[i] : 0;
        ends[i] = dx->type.dims[i] - (after[i] > 0 ? after[i] : 0);
        pads[i] = before[i] < 0 ? -before[i] : 0;
        pads[rank + i] = after[i] < 0 ? -after[i] : 0;
        crops |= before[i] > 0 || after[i] > 0;
        grows |= before[i] < 0 || after[i] < 0;
    }
    if (crops)
        dx = build(graph, "Slice", 3, (Value *[]){dx, const_ints(graph, rank, starts), const_ints(graph, rank, ends)});
    if (grows)
        dx = build_binary(graph, "Pad", dx, const_ints(graph, 2 * rank, pads));
    contribute(d, node, 0, dx);
}

/* PadGrad(dY): x's dims are dY's less the widths. */
static bool pad_grad_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    const int64_t *before, *after;
    PadMode mode = PAD_CONSTANT;
    if (!pad_mode(node, &mode) || attr_ints(node, "before", &before) != type.rank ||
        attr_ints(node, "after", &after) != type.rank)
        return REJECT(graph, node, "the widths do not fit %s", type_text(graph->arena, &type));
    for (int i = 0; i < type.rank; i++)
        if (__builtin_sub_overflow(type.dims[i], before[i], &type.dims[i]) ||
            __builtin_sub_overflow(type.dims[i], after[i], &type.dims[i]))
            return REJECT(graph, node, "the widths do not fit %s", type_text(graph->arena, &node->inputs[0]->type));
    return set_output_type(graph, node, 0, type);
}

static void pad_grad_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    PadWalk walk = {.plain = outputs[0].type};
    const int64_t *before;
    int64_t index[MAX_RANK] = {0}, at = 0;
    pad_mode(node, &walk.mode);
    int rank = attr_ints(node, "before", &before);
    memcpy(walk.before, before, (size_t)rank * sizeof(*before));
    dense_strides(&walk.plain, walk.strides);
    if (element_count(&inputs[0].type) == 0)
        return;
    do {
        int64_t to = pad_walk_source(&walk, index);
        if (to >= 0)
            outputs[0].f[to] += inputs[0].f[at];
        at++;
    } while (next_index(rank, inputs[0].type.dims, index));
}

/* What is cut changes the extent, or is turned round. */
static int slice_follow_axis(const Node *node, int i, int axis)
{
    SliceWindow windows[MAX_RANK];
    return i == 0 && slice_windows(node, windows) && windows[axis].step > 0 ? axis : -1;
}

static int pad_follow_axis(const Node *node, int i, int axis)
{
    int64_t before[MAX_RANK], after[MAX_RANK];
    bool known = i == 0 && pad_widths(node, node->inputs[0]->type.rank, before, after);
    return known && before[axis] == 0 && after[axis] == 0 ? axis : -1;
}

/* ---- CenterCropPad -------------------------------------------------------------------------------------------------
 */

/* The extents that are wanted; false where the shape does not fit the axes. */
static bool wanted_extents(Graph *graph, Node *node, int64_t wanted[MAX_RANK])
{
    const Type *x = &node->inputs[0]->type;
    const Value *shape = node->inputs[1];
    const int64_t *axes;
    const int count = attr_ints(node, "axes", &axes), given = count ? count : x->rank;
    bool chosen[MAX_RANK];
    if (element_count(&shape->type) != given || !resolve_axes(graph, node, count, axes, x->rank, chosen))
        return REJECT(graph, node, "shape %s for %d axes", type_text(graph->arena, &shape->type), given);
    memcpy(wanted, x->dims, sizeof x->dims);
    for (int i = 0; i < given; i++) {
        const int64_t axis = count ? axes[i] : i;
        wanted[axis < 0 ? axis + x->rank : axis] = const_int_at(shape, i);
    }
    return true;
}

static bool crop_pad_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    return wanted_extents(graph, node, type.dims) && set_output_type(graph, node, 0, type);
}

/* The middle of each axis, or zeros on both sides of it; of an odd number one more behind. */
static void crop_pad_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0];
    int64_t wanted[MAX_RANK], pads[2 * MAX_RANK] = {0};
    const int rank = x->type.rank;
    bool padded = false;
    wanted_extents(graph, node, wanted);
    for (int axis = 0; axis < rank; axis++) {
        const int64_t extent = x->type.dims[axis], extra = wanted[axis] - extent, first = -extra / 2;
        if (extra < 0)
            x = build_slice(graph, x, axis, first, first + wanted[axis]);
        pads[axis] = extra > 0 ? extra / 2 : 0;
        pads[rank + axis] = extra > 0 ? extra - extra / 2 : 0;
        padded |= extra > 0;
    }
    replacements[0] = padded ? build(graph, "Pad", 2, VALUES(x, const_ints(graph, 2 * rank, pads))) : x;
}

const Op slice_ops[] = {
    {.name = "CenterCropPad",
     .inputs = "X, Shape:int!",
     .outputs = "Y",
     .attributes = "axes:ints",
     .since = 18,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .infer = crop_pad_infer,
     .expand = crop_pad_expand},
    {.name = "Slice",
     .inputs = "X, Starts:int!, Ends:int!, Axes:int?!, Steps:int?!",
     .outputs = "Y",
     .since = 13,
     .precision = CLASS_FOLLOW,
     .kind = OP_VIEW,
     .rearranges = true,
     .upgrade = slice_upgrade,
     .follow_axis = slice_follow_axis,
     .infer = slice_infer,
     .gradient = slice_gradient,
     .evaluate = slice_evaluate,
     .view_forward = view_slice},
    {.name = "Pad",
     .inputs = "X, Pads:int!, Value?!, Axes:int?!",
     .outputs = "Y",
     .attributes = "mode:string=constant",
     .since = 19,
     .keeps_range = 1 << 0,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .upgrade = pad_upgrade,
     .follow_axis = pad_follow_axis,
     .infer = pad_infer,
     .gradient = pad_gradient,
     .evaluate = pad_evaluate},
    {.name = "PadGrad",
     .inputs = "dY",
     .outputs = "dX",
     .attributes = "mode:string!, before:ints!, after:ints!",
     .since = 1,
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = pad_grad_infer,
     .evaluate = pad_grad_evaluate},
    {0},
};
