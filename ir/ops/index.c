/* index.c: reading along one axis by index: Gather, its adjoint, OneHot, ReverseSequence.
 *
 * Negative indices count from the end. An index out of range reads a zero and writes nothing, as in the kernels. */
#include "ir/ops/shared/geometry.h"
#include "ir/ops/shared/support.h"

/* ---- Gather --------------------------------------------------------------------------------------------------------
 */

/* ONNX: an index out of range is an error. The compiler sees those that are constant. */
static bool check_constant_indices(Graph *graph, const Node *node)
{
    const Type *x = &node->inputs[0]->type;
    const int64_t *indices;
    int count, axis;
    if (!const_operand_ints(graph, node, 1, &count, &indices))
        return true;
    if (!resolve_axis(graph, node, attr_int(node, "axis"), x->rank, &axis))
        return false;
    for (int i = 0; i < count; i++)
        if (indices[i] < -x->dims[axis] || indices[i] >= x->dims[axis])
            return REJECT(graph, node, "element %d of the indices is %lld, but axis %d of %s '%s' has %lld elements", i,
                          (long long)indices[i], axis, type_text(graph->arena, x),
                          node->inputs[0]->name ? node->inputs[0]->name : "", (long long)x->dims[axis]);
    return true;
}

static bool gather_upgrade(Graph *graph, Node *node, int opset)
{
    (void)opset;
    convert_operand(graph, node, 1, DTYPE_I64);
    return check_constant_indices(graph, node);
}

/* [outer, axis, inner] gathered by indices of any dims: [outer, indices..., inner]. */
static bool gather_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *indices = &node->inputs[1]->type;
    int axis;
    if (!resolve_axis(graph, node, attr_int(node, "axis"), x->rank, &axis))
        return false;
    if (x->rank - 1 + indices->rank > MAX_RANK)
        return REJECT(graph, node, "the result would have a rank above %d", MAX_RANK);
    Type type = {.dtype = x->dtype};
    for (int i = 0; i < axis; i++)
        type.dims[type.rank++] = x->dims[i];
    for (int i = 0; i < indices->rank; i++)
        type.dims[type.rank++] = indices->dims[i];
    for (int i = axis + 1; i < x->rank; i++)
        type.dims[type.rank++] = x->dims[i];
    return set_output_type(graph, node, 0, type);
}

static int gather_follow_axis(const Node *node, int i, int axis)
{
    int gathered = axis_of(node, node->inputs[0]->type.rank), added = node->inputs[1]->type.rank - 1;
    if (i == 1)
        return gathered + axis;
    return axis == gathered ? -1 : axis < gathered ? axis : axis + added;
}

static void gather_gradient(Differentiator *d, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int axis = axis_of(node, x->rank);
    Node *scatter = build_begin(d->graph, "GatherGrad", 2, (Value *[]){dy_of(d, node, 0), node->inputs[1]}, 1);
    set_int(d->graph, scatter, "axis", axis);
    set_int(d->graph, scatter, "dim", x->dims[axis]);
    contribute(d, node, 0, build_finish(d->graph, scatter));
}

GatherExtents gather_extents(const Node *node, const Type *x)
{
    int axis = axis_of(node, x->rank);
    return (GatherExtents){dims_product(x, 0, axis), x->dims[axis], dims_product(x, axis + 1, x->rank),
                           element_count(&node->inputs[1]->type)};
}

/* Where element i of y[outer, count, inner] comes from; -1: from nowhere. */
static int64_t gather_source(const GatherExtents *e, const int64_t *indices, int64_t i)
{
    int64_t index = indices[i / e->inner % e->count];
    index += index < 0 ? e->axis : 0;
    if (index < 0 || index >= e->axis)
        return -1;
    return (i / (e->inner * e->count) * e->axis + index) * e->inner + i % e->inner;
}

static void gather_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    GatherExtents extents = gather_extents(node, &inputs[0].type);
    int64_t count = element_count(&outputs[0].type);
    for (int64_t i = 0; i < count; i++) {
        int64_t from = gather_source(&extents, inputs[1].i, i);
        if (from >= 0)
            copy_element(&outputs[0], i, &inputs[0], from);
    }
}

/* GatherGrad(dY, Indices): x's dims are dY's with `dim` in the place of the indices' dims. */
static bool gather_grad_infer(Graph *graph, Node *node)
{
    const Type *dy = &node->inputs[0]->type, *indices = &node->inputs[1]->type;
    int64_t axis = attr_int(node, "axis");
    if (axis < 0 || axis > dy->rank - indices->rank || dy->rank - indices->rank >= MAX_RANK)
        return REJECT(graph, node, "attribute 'axis' is %lld, but dY is %s", (long long)axis,
                      type_text(graph->arena, dy));
    for (int i = 0; i < indices->rank; i++)
        if (dy->dims[axis + i] != indices->dims[i])
            return REJECT(graph, node, "dY is %s, but the indices are %s", type_text(graph->arena, dy),
                          type_text(graph->arena, indices));
    for (int i = 0; i < indices->rank; i++)
        if (dy->dims[axis + i] != indices->dims[i])
            return REJECT(graph, node, "dY is %s, but the indices are %s", type_text(graph->arena, dy),
                          type_text(graph->arena, indices));
    Type type = {.dtype = dy->dtype};
    for (int i = 0; i < axis; i++)
        type.dims[type.rank++] = dy->dims[i];
    type.dims[type.rank++] = attr_int(node, "dim");
    for (int i = (int)axis + indices->rank; i < dy->rank; i++)
        type.dims[type.rank++] = dy->dims[i];
    return set_output_type(graph, node, 0, type);
}

/* The sum of what an index names takes dY where it is named. */
static void gather_grad_gradient(Differentiator *d, Node *node)
{
    Node *gather = build_begin(d->graph, "Gather", 2, (Value *[]){dy_of(d, node, 0), node->inputs[1]}, 1);
    set_int(d->graph, gather, "axis", attr_int(node, "axis"));
    contribute(d, node, 0, build_finish(d->graph, gather));
}

static void gather_grad_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    GatherExtents extents = gather_extents(node, &outputs[0].type);
    int64_t count = element_count(&inputs[0].type);
    for (int64_t i = 0; i < count; i++) {
        int64_t to = gather_source(&extents, inputs[1].i, i);
        if (to >= 0)
            outputs[0].f[to] += inputs[0].f[i];
    }
}

/* ---- OneHot --------------------------------------------------------------------------------------------------------
 */

/* ONNX allows floats as indices. */
static bool one_hot_upgrade(Graph *graph, Node *node, int opset)
{
    (void)opset;
    convert_operand(graph, node, 0, DTYPE_I64);
    return true;
}

static int64_t one_hot_depth(const Node *node)
{
    const Value *depth = node->inputs[1];
    return depth->type.dtype == DTYPE_F32   ? (int64_t)((const float *)depth->data)[0]
           : depth->type.dtype == DTYPE_F64 ? (int64_t)((const double *)depth->data)[0]
                                            : const_int_at(depth, 0);
}

static bool one_hot_infer(Graph *graph, Node *node)
{
    const Type *indices = &node->inputs[0]->type, *values = &node->inputs[2]->type;
    int axis;
    if (is_float(indices->dtype))
        return REJECT(graph, node, "indices are %s; they must be integers", type_text(graph->arena, indices));
    if (element_count(&node->inputs[1]->type) != 1 || one_hot_depth(node) <= 0 || element_count(values) != 2)
        return REJECT(graph, node, "depth must be one positive number, and values two: off and on");
    if (indices->rank == MAX_RANK)
        return REJECT(graph, node, "the result would have a rank above %d", MAX_RANK);
    if (!resolve_axis(graph, node, attr_int(node, "axis"), indices->rank + 1, &axis))
        return false;
    Type type = {.dtype = values->dtype, .rank = indices->rank + 1};
    for (int i = 0; i < type.rank; i++)
        type.dims[i] = i == axis ? one_hot_depth(node) : indices->dims[i - (i > axis)];
    return set_output_type(graph, node, 0, type);
}

static int one_hot_follow_axis(const Node *node, int i, int axis)
{
    return i == 0 ? axis + (axis >= axis_of(node, node->outputs[0]->type.rank)) : -1;
}

static int64_t one_hot_index_count(const Node *node, int i)
{
    const Type *y = &node->outputs[0]->type;
    return i == 0 ? y->dims[axis_of(node, y->rank)] : -1;
}

/* values[1] is summed where the index is, values[0] elsewhere. */
static void one_hot_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    Value *dy = dy_of(d, node, 0);
    Tensor unit = tensor_alloc(graph->arena, make_type(dy->type.dtype, 1, (int64_t[]){2}));
    unit.f[1] = 1;
    Node *mask =
        build_begin(graph, "OneHot", 3, (Value *[]){node->inputs[0], node->inputs[1], const_tensor(graph, &unit)}, 1);
    copy_attrs(graph, mask, node);
    Type scalar = scalar_type(dy->type.dtype);
    Value *all = build_unbroadcast(graph, dy, &scalar);
    Value *on = build_unbroadcast(graph, build_mul(graph, dy, build_finish(graph, mask)), &scalar);
    Value *sums[2] = {build_reshape(graph, build_sub(graph, all, on), 1, (int64_t[]){1}),
                      build_reshape(graph, on, 1, (int64_t[]){1})};
    Node *concat = build_begin(graph, "Concat", 2, sums, 1);
    set_int(graph, concat, "axis", 0);
    contribute(d, node, 2, build_finish(graph, concat));
}

static void one_hot_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    const Type *y = &outputs[0].type;
    int axis = axis_of(node, y->rank);
    int64_t depth = y->dims[axis], inner = dims_product(y, axis + 1, y->rank), count = element_count(y);
    for (int64_t i = 0; i < count; i++) {
        int64_t index = inputs[0].i[i / (inner * depth) * inner + i % inner];
        index += index < 0 ? depth : 0;
        copy_element(&outputs[0], i, &inputs[2], index == i / inner % depth);
    }
}

/* ---- ReverseSequence -----------------------------------------------------------------------------------------------
 */

static bool reverse_sequence_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *lengths = &node->inputs[1]->type;
    int64_t batch = attr_int(node, "batch_axis"), time = attr_int(node, "time_axis");
    if (x->rank < 2 || batch + time != 1 || batch * time != 0)
        return REJECT(graph, node, "batch_axis and time_axis must be the axes 0 and 1 of the operand");
    if (lengths->rank != 1 || lengths->dims[0] != x->dims[batch])
        return REJECT(graph, node, "sequence_lens is %s; one length for each of %lld samples is needed",
                      type_text(graph->arena, lengths), (long long)x->dims[batch]);
    return infer_like_first(graph, node);
}

/* A GatherElements along the time axis: step t comes from length - 1 - t where t < length, from t behind it. */
static void reverse_sequence_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0];
    int batch = (int)attr_int(node, "batch_axis"), time = (int)attr_int(node, "time_axis");
    int64_t along_time[MAX_RANK], along_batch[MAX_RANK];
    for (int i = 0; i < x->type.rank; i++)
        along_time[i] = along_batch[i] = 1;
    along_time[time] = x->type.dims[time];
    along_batch[batch] = x->type.dims[batch];
    Tensor steps = tensor_alloc(graph->arena, make_type(DTYPE_I64, x->type.rank, along_time));
    for (int64_t t = 0; t < x->type.dims[time]; t++)
        steps.i[t] = t;
    Value *t = const_tensor(graph, &steps), *one = const_ints(graph, 1, (int64_t[]){1});
    Value *length = build_reshape(graph, build_cast(graph, node->inputs[1], DTYPE_I64), x->type.rank, along_batch);
    Value *mirrored = build_sub(graph, build_sub(graph, length, one), t);
    Value *source = build_where(graph, build_binary(graph, "Less", t, length), mirrored, t);
    source = build_expand(graph, source, x->type.rank, x->type.dims);
    Node *gather = build_begin(graph, "GatherElements", 2, (Value *[]){x, source}, 1);
    set_int(graph, gather, "axis", time);
    replacements[0] = build_finish(graph, gather);
}

static int reverse_sequence_follow_axis(const Node *node, int i, int axis)
{
    if (i == 1)
        return (int)attr_int(node, "batch_axis");
    return axis == attr_int(node, "time_axis") ? -1 : axis;
}

const Op index_ops[] = {
    {.name = "Gather",
     .inputs = "X, Indices:int",
     .roles = {ROLE_TABLE},
     .outputs = "Y",
     .attributes = "axis:int=0",
     .since = 13,
     .keeps_range = 1 << 0,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .upgrade = gather_upgrade,
     .follow_axis = gather_follow_axis,
     .index_count = indexed_along_axis,
     .infer = gather_infer,
     .gradient = gather_gradient,
     .evaluate = gather_evaluate},
    {.name = "GatherGrad",
     .inputs = "dY:float, Indices:int",
     .outputs = "dX",
     .attributes = "axis:int!, dim:int!",
     .since = 1,
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = gather_grad_infer,
     .gradient = gather_grad_gradient,
     .evaluate = gather_grad_evaluate},
    {.name = "OneHot",
     .inputs = "Indices, Depth!, Values",
     .outputs = "Y",
     .attributes = "axis:int=-1",
     .since = 11,
     .precision = CLASS_NONE,
     .kind = OP_KERNEL,
     .upgrade = one_hot_upgrade,
     .follow_axis = one_hot_follow_axis,
     .index_count = one_hot_index_count,
     .infer = one_hot_infer,
     .gradient = one_hot_gradient,
     .evaluate = one_hot_evaluate},
    {.name = "ReverseSequence",
     .inputs = "X, Lengths:int",
     .outputs = "Y",
     .attributes = "batch_axis:int=1, time_axis:int=0",
     .since = 10,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = reverse_sequence_follow_axis,
     .infer = reverse_sequence_infer,
     .expand = reverse_sequence_expand},
    {0},
};
