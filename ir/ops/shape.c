/* shape.c: operators that give the same elements other dims: Reshape and its special cases, Transpose, Expand, Tile,
 * Concat, Split, DepthToSpace. The general ones are views; the others expand into them. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/geometry.h"
#include "ir/ops/shared/view.h"

/* ---- Reshape --------------------------------------------------------------------------------------------------- */

/* 0 stands for x's own dim unless allowzero; one -1 for what is left over. */
static bool reshape_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int count, unknown = -1;
    const int64_t *shape;
    if (!const_operand_ints(graph, node, 1, &count, &shape) || count > MAX_RANK)
        return REJECT(graph, node, "the shape must be a constant of at most %d dims", MAX_RANK);
    Type type = {.dtype = x->dtype, .rank = count};
    int64_t known = 1;
    for (int i = 0; i < count; i++) {
        type.dims[i] = shape[i];
        if (shape[i] == 0 && !attr_int(node, "allowzero")) {
            if (i >= x->rank)
                return REJECT(graph, node, "shape[%d] is 0, but the operand has rank %d", i, x->rank);
            type.dims[i] = x->dims[i];
        } else if (shape[i] == -1 && unknown < 0) {
            unknown = i;
            continue;
        }
        if (type.dims[i] < 0 || __builtin_mul_overflow(known, type.dims[i], &known))
            return REJECT(graph, node, "shape[%d] is %lld", i, (long long)shape[i]);
    }
    int64_t elements = element_count(x);
    if (unknown >= 0)
        type.dims[unknown] = known > 0 ? elements / known : 0;
    if (unknown >= 0 ? known == 0 || elements % known : known != elements)
        return REJECT(graph, node, "%lld elements of %s do not fill the shape %s", (long long)elements,
                      type_text(graph->arena, x), type_text(graph->arena, &type));
    return set_output_type(graph, node, 0, type);
}

static void reshape_gradient(Differentiator *d, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    contribute(d, node, 0, build_reshape(d->graph, dy_of(d, node, 0), x->rank, x->dims));
}

static void same_elements_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    copy_elements(&outputs[0], &inputs[0]);
}

static bool flatten_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int64_t axis = attr_int(node, "axis");
    if (axis < -x->rank || axis > x->rank)
        return REJECT(graph, node, "attribute 'axis' is %lld, but the operand has rank %d", (long long)axis, x->rank);
    int split = (int)(axis < 0 ? axis + x->rank : axis);
    return set_output_type(
        graph, node, 0,
        make_type(x->dtype, 2, (int64_t[]){dims_product(x, 0, split), dims_product(x, split, x->rank)}));
}

static bool squeeze_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int count = 0;
    const int64_t *axes = NULL;
    bool dropped[MAX_RANK];
    bool given = const_operand_ints(graph, node, 1, &count, &axes);
    if (!resolve_axes(graph, node, count, axes, x->rank, dropped))
        return false;
    Type type = {.dtype = x->dtype};
    for (int i = 0; i < x->rank; i++) {
        if (dropped[i] && x->dims[i] != 1)
            return REJECT(graph, node, "axis %d of %s is not 1", i, type_text(graph->arena, x));
        if (given ? !dropped[i] : x->dims[i] != 1)
            type.dims[type.rank++] = x->dims[i];
    }
    return set_output_type(graph, node, 0, type);
}

static bool unsqueeze_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int count;
    const int64_t *axes;
    bool added[MAX_RANK];
    if (!const_operand_ints(graph, node, 1, &count, &axes) || x->rank + count > MAX_RANK)
        return REJECT(graph, node, "the result would have a rank above %d", MAX_RANK);
    Type type = {.dtype = x->dtype, .rank = x->rank + count};
    if (!resolve_axes(graph, node, count, axes, type.rank, added))
        return false;
    for (int i = 0, from = 0; i < type.rank; i++)
        type.dims[i] = added[i] ? 1 : x->dims[from++];
    return set_output_type(graph, node, 0, type);
}

/* Flatten, Squeeze, Unsqueeze: the output's dims say it all. */
static void reshape_expand(Graph *graph, Node *node, Value **replacements)
{
    const Type *type = &node->outputs[0]->type;
    replacements[0] = build_reshape(graph, node->inputs[0], type->rank, type->dims);
}

/* ---- Transpose --------------------------------------------------------------------------------------------------- */

/* perm[i] is the axis of x that becomes axis i; reversed when the attribute is absent. */
static bool transpose_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int permutation[MAX_RANK];
    if (!permutation_of(node, permutation))
        return REJECT(graph, node, "attribute 'perm' is not a permutation of the operand's %d axes", x->rank);
    Type type = {.dtype = x->dtype, .rank = x->rank};
    for (int i = 0; i < x->rank; i++)
        type.dims[i] = x->dims[permutation[i]];
    return set_output_type(graph, node, 0, type);
}

static void transpose_gradient(Differentiator *d, Node *node)
{
    int permutation[MAX_RANK], inverse[MAX_RANK];
    permutation_of(node, permutation);
    for (int i = 0; i < node->inputs[0]->type.rank; i++)
        inverse[permutation[i]] = i;
    contribute(d, node, 0, build_transpose(d->graph, dy_of(d, node, 0), inverse));
}

/* y[index] = x[index · strides]: every view's forward meaning. */
static void read_strided(const Tensor *x, const int64_t *strides, Tensor *y)
{
    int64_t index[MAX_RANK] = {0}, at = 0;
    if (element_count(&y->type) == 0)
        return;
    do
        copy_element(y, at++, x, offset_of(y->type.rank, index, strides));
    while (next_index(y->type.rank, y->type.dims, index));
}

static int transpose_follow_axis(const Node *node, int i, int axis)
{
    int permutation[MAX_RANK], to = 0;
    permutation_of(node, permutation);
    while (permutation[to] != axis)
        to++;
    return i == 0 ? to : -1;
}

static void transpose_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    int permutation[MAX_RANK];
    int64_t from[MAX_RANK], strides[MAX_RANK];
    permutation_of(node, permutation);
    dense_strides(&inputs[0].type, from);
    for (int i = 0; i < inputs[0].type.rank; i++)
        strides[i] = from[permutation[i]];
    read_strided(&inputs[0], strides, &outputs[0]);
}

/* ---- Expand and Tile --------------------------------------------------------------------------------------------- */

static bool expand_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int count;
    const int64_t *shape;
    if (!const_operand_ints(graph, node, 1, &count, &shape) || count > MAX_RANK)
        return REJECT(graph, node, "the shape must be a constant of at most %d dims", MAX_RANK);
    Type to = make_type(x->dtype, count, shape), type;
    if (!type_is_valid(&to) || !broadcast_dims(x, &to, &type))
        return REJECT(graph, node, "%s does not broadcast with the shape %s", type_text(graph->arena, x),
                      type_text(graph->arena, &to));
    type.dtype = x->dtype;
    return set_output_type(graph, node, 0, type);
}

static int expand_follow_axis(const Node *node, int i, int axis)
{
    return i == 0 ? axis + node->outputs[0]->type.rank - node->inputs[0]->type.rank : -1;
}

/* The differentiator sums over the axes that broadcasting expanded. */
static void expand_gradient(Differentiator *d, Node *node)
{
    contribute(d, node, 0, dy_of(d, node, 0));
}

static void expand_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    const Type *x = &inputs[0].type, *y = &outputs[0].type;
    int64_t from[MAX_RANK], strides[MAX_RANK];
    dense_strides(x, from);
    for (int i = 0; i < y->rank; i++) {
        int source = i - (y->rank - x->rank);
        strides[i] = source >= 0 && x->dims[source] != 1 ? from[source] : 0;
    }
    read_strided(&inputs[0], strides, &outputs[0]);
}

static bool tile_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    int count;
    const int64_t *repeats;
    if (!const_operand_ints(graph, node, 1, &count, &repeats) || count != type.rank)
        return REJECT(graph, node, "'repeats' must be a constant with one number for each of the %d axes", type.rank);
    for (int i = 0; i < count; i++)
        if (repeats[i] < 0 || __builtin_mul_overflow(type.dims[i], repeats[i], &type.dims[i]))
            return REJECT(graph, node, "repeats[%d] is %lld", i, (long long)repeats[i]);
    return set_output_type(graph, node, 0, type);
}

/* Axis by axis: [outer, n, inner] expands to [outer, repeats, n, inner]. */
static void tile_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *y = node->inputs[0];
    Type type = y->type;
    for (int axis = 0; axis < type.rank; axis++) {
        int64_t repeats = const_int_at(node->inputs[1], axis), n = type.dims[axis];
        if (repeats == 1)
            continue;
        int64_t outer = dims_product(&type, 0, axis), inner = dims_product(&type, axis + 1, type.rank);
        y = build_reshape(graph, y, 4, (int64_t[]){outer, 1, n, inner});
        y = build_expand(graph, y, 4, (int64_t[]){outer, repeats, n, inner});
        type.dims[axis] *= repeats;
        y = build_reshape(graph, y, type.rank, type.dims);
    }
    replacements[0] = y;
}

/* ---- Concat and Split ----------------------------------------------------------------------------------------------
 */

static bool concat_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    int axis;
    if (!resolve_axis(graph, node, attr_int(node, "axis"), type.rank, &axis))
        return false;
    for (int i = 1; i < node->input_count; i++) {
        Type part = node->inputs[i]->type;
        int64_t length = part.rank == type.rank ? part.dims[axis] : 0;
        part.dims[axis] = type.dims[axis];
        if (!same_type(&part, &type))
            return REJECT(graph, node, "operand %d is %s; it must agree with %s but for axis %d", i,
                          type_text(graph->arena, &node->inputs[i]->type), type_text(graph->arena, &type), axis);
        type.dims[axis] += length;
        if (!type_is_valid(&type))
            return REJECT(graph, node, "the result would be too large");
    }
    return set_output_type(graph, node, 0, type);
}

/* Of every operand. */
static int concat_follow_axis(const Node *node, int i, int axis)
{
    (void)i;
    return axis == axis_of(node, node->outputs[0]->type.rank) ? -1 : axis;
}

static void concat_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    int axis = axis_of(node, node->outputs[0]->type.rank), parts = node->input_count;
    int64_t *lengths = NEW_ARRAY(graph->arena, int64_t, parts);
    for (int i = 0; i < parts; i++)
        lengths[i] = node->inputs[i]->type.dims[axis];
    Node *split =
        build_begin(graph, "Split", 2, (Value *[]){dy_of(d, node, 0), const_ints(graph, parts, lengths)}, parts);
    set_int(graph, split, "axis", axis);
    build_finish(graph, split);
    for (int i = 0; i < parts; i++)
        if (wants(d, node, i))
            contribute(d, node, i, split->outputs[i]);
}

/* Copies the slab of `part` to or from its place, which begins at `start` on the axis of `whole`. */
static void copy_slab(const Tensor *from, Tensor *to, const Type *part, const Type *whole, int axis, int64_t start,
                      bool into_whole)
{
    int64_t inner = dims_product(part, axis + 1, part->rank), outer = dims_product(part, 0, axis);
    int64_t length = part->dims[axis] * inner, stride = whole->dims[axis] * inner;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < length; i++) {
            int64_t in_whole = o * stride + start * inner + i, in_part = o * length + i;
            copy_element(to, into_whole ? in_whole : in_part, from, into_whole ? in_part : in_whole);
        }
}

static void concat_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    int axis = axis_of(node, outputs[0].type.rank);
    int64_t start = 0;
    for (int i = 0; i < node->input_count; i++) {
        copy_slab(&inputs[i], &outputs[0], &inputs[i].type, &outputs[0].type, axis, start, true);
        start += inputs[i].type.dims[axis];
    }
}

static bool split_upgrade(Graph *graph, Node *node, int opset)
{
    if (opset < 13)
        ints_to_operand(graph, node, "split", 1);
    return true;
}

/* The length of part i of n. Without lengths the parts are equal, and the last smaller when n does not divide. */
static int64_t split_length(const Node *node, int64_t n, int i)
{
    if (input(node, 1))
        return const_int_at(input(node, 1), i);
    int64_t equal = (n + node->output_count - 1) / node->output_count, left = n - i * equal;
    return left < 0 ? 0 : left < equal ? left : equal;
}

static bool split_is_whole(const Node *node, int64_t n)
{
    const Value *lengths = input(node, 1);
    int64_t sum = 0;
    if (has_attr(node, "num_outputs") && attr_int(node, "num_outputs") != node->output_count)
        return false;
    if (lengths && (lengths->type.rank != 1 || lengths->type.dims[0] != node->output_count))
        return false;
    for (int i = 0; i < node->output_count; i++) {
        int64_t length = split_length(node, n, i);
        if (length < 0 || length > n - sum)
            return false;
        sum += length;
    }
    return sum == n;
}

static bool split_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    int axis;
    if (!resolve_axis(graph, node, attr_int(node, "axis"), type.rank, &axis))
        return false;
    const int64_t n = type.dims[axis];
    if (!split_is_whole(node, n))
        return REJECT(graph, node, "axis %d of %s cannot be split as asked into %d outputs", axis,
                      type_text(graph->arena, &type), node->output_count);
    for (int i = 0; i < node->output_count; i++) {
        type.dims[axis] = split_length(node, n, i);
        if (!set_output_type(graph, node, i, type))
            return false;
    }
    return true;
}

static void split_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    const Type *x = &node->inputs[0]->type;
    int axis = axis_of(node, x->rank);
    Value **parts = NEW_ARRAY(graph->arena, Value *, node->output_count);
    for (int i = 0; i < node->output_count; i++) {
        Type part = *x;
        part.dims[axis] = split_length(node, x->dims[axis], i);
        Value *dy = dy_of(d, node, i);
        parts[i] = dy ? dy : build_zeros(graph, &part);
    }
    Node *concat = build_begin(graph, "Concat", node->output_count, parts, 1);
    set_int(graph, concat, "axis", axis);
    contribute(d, node, 0, build_finish(graph, concat));
}

static void split_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    int axis = axis_of(node, inputs[0].type.rank);
    int64_t start = 0;
    for (int i = 0; i < node->output_count; i++) {
        if (node->outputs[i])
            copy_slab(&inputs[0], &outputs[i], &outputs[i].type, &inputs[0].type, axis, start, false);
        start += split_length(node, inputs[0].type.dims[axis], i);
    }
}

/* ---- DepthToSpace and SpaceToDepth ---------------------------------------------------------------------------------
 */

static bool block_size(Graph *graph, const Node *node, int64_t *block)
{
    *block = attr_int(node, "blocksize");
    if (*block <= 0 || *block > 1 << 20 || node->inputs[0]->type.rank != 4)
        return REJECT(graph, node, "attribute 'blocksize' is %lld and the operand has rank %d; 4 is needed",
                      (long long)*block, node->inputs[0]->type.rank);
    return true;
}

static bool depth_to_space_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    const char *mode = attr_string(node, "mode");
    int64_t b;
    if (!block_size(graph, node, &b))
        return false;
    if (x->dims[1] % (b * b) || (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0))
        return REJECT(graph, node, "%s has no blocks of %lld x %lld in mode '%s'", type_text(graph->arena, x),
                      (long long)b, (long long)b, mode);
    int64_t dims[] = {x->dims[0], x->dims[1] / (b * b), x->dims[2] * b, x->dims[3] * b};
    return set_output_type(graph, node, 0, make_type(x->dtype, 4, dims));
}

static bool space_to_depth_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int64_t b;
    if (!block_size(graph, node, &b))
        return false;
    const char *mode = attr_string(node, "mode");
    if (x->dims[2] % b || x->dims[3] % b || (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0))
        return REJECT(graph, node, "%s does not divide into blocks of %lld in mode '%s'", type_text(graph->arena, x),
                      (long long)b, mode);
    int64_t dims[] = {x->dims[0], x->dims[1] * b * b, x->dims[2] / b, x->dims[3] / b};
    return set_output_type(graph, node, 0, make_type(x->dtype, 4, dims));
}

static Value *rearrange(Graph *graph, const Node *node, const int64_t split[6], const int permutation[6])
{
    Value *x = build_transpose(graph, build_reshape(graph, node->inputs[0], 6, split), permutation);
    return build_reshape(graph, x, 4, node->outputs[0]->type.dims);
}

static void depth_to_space_expand(Graph *graph, Node *node, Value **replacements)
{
    const int64_t *x = node->inputs[0]->type.dims, b = attr_int(node, "blocksize"), c = x[1] / (b * b);
    if (strcmp(attr_string(node, "mode"), "DCR") == 0)
        replacements[0] = rearrange(graph, node, (int64_t[]){x[0], b, b, c, x[2], x[3]}, (int[]){0, 3, 4, 1, 5, 2});
    else
        replacements[0] = rearrange(graph, node, (int64_t[]){x[0], c, b, b, x[2], x[3]}, (int[]){0, 1, 4, 2, 5, 3});
}

static void space_to_depth_expand(Graph *graph, Node *node, Value **replacements)
{
    const int64_t *x = node->inputs[0]->type.dims, b = attr_int(node, "blocksize");
    const int64_t split[] = {x[0], x[1], x[2] / b, b, x[3] / b, b};
    const bool depth_first = strcmp(attr_string(node, "mode"), "DCR") == 0;
    replacements[0] =
        rearrange(graph, node, split, depth_first ? (int[]){0, 3, 5, 1, 2, 4} : (int[]){0, 1, 3, 5, 2, 4});
}

#define VIEW_ROW(NAME, SINCE) \
    .name = #NAME, .since = SINCE, .precision = CLASS_FOLLOW, .kind = OP_VIEW, .rearranges = true
#define EXPAND_ROW(NAME, SINCE) \
    .name = #NAME, .outputs = "Y", .since = SINCE, .precision = CLASS_FOLLOW, .kind = OP_EXPAND, .rearranges = true

const Op shape_ops[] = {
    {VIEW_ROW(Reshape, 14), .inputs = "X, Shape:int!", .outputs = "Y", .attributes = "allowzero:int=0",
     .keeps_order = true, .infer = reshape_infer, .gradient = reshape_gradient, .evaluate = same_elements_evaluate,
     .view_forward = view_reshape, .view_backward = view_before_reshape},
    {VIEW_ROW(Transpose, 13), .inputs = "X", .outputs = "Y", .attributes = "perm:ints", .infer = transpose_infer,
     .follow_axis = transpose_follow_axis, .gradient = transpose_gradient, .evaluate = transpose_evaluate,
     .view_forward = view_transpose, .view_backward = view_before_transpose},
    {VIEW_ROW(Expand, 13), .inputs = "X, Shape:int!", .outputs = "Y", .infer = expand_infer,
     .follow_axis = expand_follow_axis, .gradient = expand_gradient, .evaluate = expand_evaluate,
     .view_forward = view_expand},
    {.name = "Concat",
     .inputs = "X...",
     .outputs = "Y",
     .attributes = "axis:int!",
     .since = 13,
     .precision = CLASS_PROMOTE,
     .kind = OP_VIEW,
     .follow_axis = concat_follow_axis,
     .infer = concat_infer,
     .gradient = concat_gradient,
     .evaluate = concat_evaluate,
     .view_backward = view_part_of_concat},
    {VIEW_ROW(Split, 18), .inputs = "X, Split:int?!", .outputs = "Y...", .attributes = "axis:int=0, num_outputs:int",
     .upgrade = split_upgrade, .follow_axis = follow_others, .infer = split_infer, .gradient = split_gradient,
     .evaluate = split_evaluate, .view_forward = view_split},
    {EXPAND_ROW(Flatten, 13), .inputs = "X", .attributes = "axis:int=1", .keeps_order = true, .infer = flatten_infer,
     .expand = reshape_expand},
    {EXPAND_ROW(Squeeze, 13), .inputs = "X, Axes:int?!", .keeps_order = true, .upgrade = upgrade_axes,
     .infer = squeeze_infer, .expand = reshape_expand},
    {EXPAND_ROW(Unsqueeze, 13), .inputs = "X, Axes:int!", .keeps_order = true, .upgrade = upgrade_axes,
     .infer = unsqueeze_infer, .expand = reshape_expand},
    {EXPAND_ROW(Tile, 13), .inputs = "X, Repeats:int!", .follow_axis = follow_every, .infer = tile_infer,
     .expand = tile_expand},
    {EXPAND_ROW(DepthToSpace, 13), .inputs = "X", .attributes = "blocksize:int!, mode:string=DCR",
     .follow_axis = follow_first, .infer = depth_to_space_infer, .expand = depth_to_space_expand},
    {EXPAND_ROW(SpaceToDepth, 13), .inputs = "X", .attributes = "blocksize:int!, mode:string=DCR",
     .follow_axis = follow_first, .infer = space_to_depth_infer, .expand = space_to_depth_expand},
    {0},
};
