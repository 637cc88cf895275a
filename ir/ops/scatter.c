/* scatter.c: reading and writing by index tensors: GatherElements, GatherND, ScatterElements, ScatterND.
 *
 * An operator here is a map from the positions of an index tensor to places in the data: a gather reads through it, a
 * scatter writes. Negative indices count from the end; one out of range reads a zero and writes nothing. */
#include "ir/ops/shared/geometry.h"
#include "ir/ops/shared/support.h"

/* ---- the maps ------------------------------------------------------------------------------------------------------
 */

/* Where the elements of the indexed side (a gather's result, a scatter's updates) lie in the data, in order. */
typedef struct Places {
    int64_t count;
    int64_t *at; /* -1: nowhere */
} Places;

/* Elements: an index replaces its own position's coordinate on one axis. */
static Places element_places(Arena *arena, const Type *data, const Tensor *indices, int axis)
{
    Places places = {.count = element_count(&indices->type)};
    int64_t strides[MAX_RANK], index[MAX_RANK] = {0};
    places.at = NEW_ARRAY(arena, int64_t, places.count);
    dense_strides(data, strides);
    for (int64_t i = 0; i < places.count; i++) {
        int64_t chosen = indices->i[i] + (indices->i[i] < 0 ? data->dims[axis] : 0);
        bool inside = chosen >= 0 && chosen < data->dims[axis];
        places.at[i] = inside ? offset_of(data->rank, index, strides) + (chosen - index[axis]) * strides[axis] : -1;
        next_index(data->rank, indices->type.dims, index);
    }
    return places;
}

/* ND: the last axis of indices[batch..., ..., k] holds coordinates of the k axes behind the batch axes; what they name
 * is a slice of the axes left. */
static Places slice_places(Arena *arena, const Type *data, const Tensor *indices, int batch_dims)
{
    const Type *type = &indices->type;
    int64_t depth = type->dims[type->rank - 1], tuples = dims_product(type, 0, type->rank - 1);
    int64_t slice = dims_product(data, batch_dims + (int)depth, data->rank);
    int64_t batches = dims_product(data, 0, batch_dims), per_batch = batches ? tuples / batches : 0;
    int64_t batch_size = dims_product(data, batch_dims, data->rank);
    Places places = {.count = tuples * slice, .at = NEW_ARRAY(arena, int64_t, tuples * slice)};
    for (int64_t t = 0; t < tuples; t++) {
        int64_t place = 0;
        bool inside = true;
        for (int64_t k = 0; k < depth; k++) {
            int64_t dim = data->dims[batch_dims + k], chosen = indices->i[t * depth + k];
            chosen += chosen < 0 ? dim : 0;
            inside &= chosen >= 0 && chosen < dim;
            place = inside ? place * dim + chosen : 0;
        }
        for (int64_t i = 0; i < slice; i++)
            places.at[t * slice + i] = inside ? t / per_batch * batch_size + place * slice + i : -1;
    }
    return places;
}

static void read_places(Places places, const Tensor *data, Tensor *y)
{
    for (int64_t i = 0; i < places.count; i++)
        if (places.at[i] >= 0)
            copy_element(y, i, data, places.at[i]);
}

bool reduction_of(const Node *node, Reduction *reduction)
{
    static const char *const names[REDUCE_COUNT] = {"none", "add", "mul", "max", "min"};
    for (int i = 0; i < REDUCE_COUNT; i++)
        if (strcmp(attr_string(node, "reduction"), names[i]) == 0) {
            *reduction = (Reduction)i;
            return true;
        }
    return false;
}

/* T is unsigned for integers, whose sums and products wrap. */
#define COMBINE(T, reduction, old, update)                                  \
    ((reduction) == REDUCE_NONE  ? (T)(update)                              \
     : (reduction) == REDUCE_ADD ? (T)(old) + (T)(update)                   \
     : (reduction) == REDUCE_MUL ? (T)(old) * (T)(update)                   \
     : (reduction) == REDUCE_MAX ? (T)((update) > (old) ? (update) : (old)) \
                                 : (T)((update) < (old) ? (update) : (old)))

static void write_places(Places places, Reduction reduction, const Tensor *data, const Tensor *updates, Tensor *y)
{
    copy_elements(y, data);
    for (int64_t i = 0; i < places.count; i++) {
        int64_t at = places.at[i];
        if (at >= 0 && y->f)
            y->f[at] = COMBINE(double, reduction, y->f[at], updates->f[i]);
        else if (at >= 0)
            y->i[at] = (int64_t)COMBINE(uint64_t, reduction, y->i[at], updates->i[i]);
    }
}

/* ---- GatherElements and GatherND -----------------------------------------------------------------------------------
 */

static bool indices_upgrade(Graph *graph, Node *node, int opset)
{
    (void)opset;
    convert_operand(graph, node, 1, DTYPE_I64);
    return true;
}

/* The index tensor reaches no further than the data on the other axes. */
static bool elements_fit(Graph *graph, const Node *node, const Type *data, int *axis)
{
    const Type *indices = &node->inputs[1]->type;
    if (!resolve_axis(graph, node, attr_int(node, "axis"), data->rank, axis))
        return false;
    bool fit = indices->rank == data->rank;
    for (int i = 0; fit && i < data->rank; i++)
        fit = i == *axis || indices->dims[i] <= data->dims[i];
    if (!fit)
        return REJECT(graph, node, "indices %s do not fit data %s on axis %d", type_text(graph->arena, indices),
                      type_text(graph->arena, data), *axis);
    return true;
}

static bool gather_elements_infer(Graph *graph, Node *node)
{
    int axis;
    if (!elements_fit(graph, node, &node->inputs[0]->type, &axis))
        return false;
    Type type = node->inputs[1]->type;
    type.dtype = node->inputs[0]->type.dtype;
    return set_output_type(graph, node, 0, type);
}

static void gather_elements_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    int axis = axis_of(node, inputs[0].type.rank);
    read_places(element_places(arena, &inputs[0].type, &inputs[1], axis), &inputs[0], &outputs[0]);
}

/* Batch axes agree, and the index tuples are no longer than the axes left. `slices` gets the dims that the tuples
 * select: of the tuples, then of a slice. */
static bool nd_slices(Graph *graph, const Node *node, const Type *data, int batch_dims, Type *slices)
{
    const Type *indices = &node->inputs[1]->type;
    int64_t depth = indices->rank > 0 ? indices->dims[indices->rank - 1] : 0;
    bool fit = indices->rank > batch_dims && data->rank > batch_dims && depth <= data->rank - batch_dims;
    for (int i = 0; fit && i < batch_dims; i++)
        fit = data->dims[i] == indices->dims[i];
    if (!fit || batch_dims < 0 || indices->rank - 1 + data->rank - batch_dims - (int)depth > MAX_RANK)
        return REJECT(graph, node, "indices %s do not fit data %s with %d batch axes", type_text(graph->arena, indices),
                      type_text(graph->arena, data), batch_dims);
    *slices = (Type){.dtype = data->dtype, .rank = indices->rank - 1};
    memcpy(slices->dims, indices->dims, (size_t)slices->rank * sizeof(*slices->dims));
    for (int i = batch_dims + (int)depth; i < data->rank; i++)
        slices->dims[slices->rank++] = data->dims[i];
    return true;
}

int batch_dims_of(const Node *node)
{
    int64_t batch_dims = attr_int(node, "batch_dims");
    return batch_dims < 0 || batch_dims > MAX_RANK ? -1 : (int)batch_dims;
}

static bool gather_nd_infer(Graph *graph, Node *node)
{
    Type type;
    return nd_slices(graph, node, &node->inputs[0]->type, batch_dims_of(node), &type) &&
           set_output_type(graph, node, 0, type);
}

static void gather_nd_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    read_places(slice_places(arena, &inputs[0].type, &inputs[1], batch_dims_of(node)), &inputs[0], &outputs[0]);
}

/* ---- their adjoints ------------------------------------------------------------------------------------------------
 */

/* GatherElementsGrad and GatherNDGrad (dY, Indices): x's dims are the attribute `dims`. */
static void gather_gradient(Differentiator *d, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    const char *op = arena_printf(d->graph->arena, "%sGrad", node->op->name);
    Node *scatter = build_begin(d->graph, op, 2, (Value *[]){dy_of(d, node, 0), node->inputs[1]}, 1);
    copy_attrs(d->graph, scatter, node);
    set_ints(d->graph, scatter, "dims", x->rank, x->dims);
    contribute(d, node, 0, build_finish(d->graph, scatter));
}

static bool gather_grad_data(Graph *graph, Node *node, Type *data)
{
    const int64_t *dims;
    int rank = attr_ints(node, "dims", &dims);
    if (rank > MAX_RANK)
        return REJECT(graph, node, "attribute 'dims' has %d numbers", rank);
    *data = make_type(node->inputs[0]->type.dtype, rank, dims);
    return type_is_valid(data) || REJECT(graph, node, "attribute 'dims' is %s", type_text(graph->arena, data));
}

static bool check_gathered(Graph *graph, const Node *node, const Type *gathered)
{
    const Type *dy = &node->inputs[0]->type;
    return same_dims(dy, gathered) || REJECT(graph, node, "dY is %s, but the gather gives %s",
                                             type_text(graph->arena, dy), type_text(graph->arena, gathered));
}

static bool gather_elements_grad_infer(Graph *graph, Node *node)
{
    Type data;
    int axis;
    return gather_grad_data(graph, node, &data) && elements_fit(graph, node, &data, &axis) &&
           check_gathered(graph, node, &node->inputs[1]->type) && set_output_type(graph, node, 0, data);
}

static bool gather_nd_grad_infer(Graph *graph, Node *node)
{
    Type data, slices;
    return gather_grad_data(graph, node, &data) && nd_slices(graph, node, &data, batch_dims_of(node), &slices) &&
           check_gathered(graph, node, &slices) && set_output_type(graph, node, 0, data);
}

static void add_to_places(Places places, const Tensor *dy, Tensor *dx)
{
    for (int64_t i = 0; i < places.count; i++)
        if (places.at[i] >= 0)
            dx->f[places.at[i]] += dy->f[i];
}

static void gather_elements_grad_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    int axis = axis_of(node, outputs[0].type.rank);
    add_to_places(element_places(arena, &outputs[0].type, &inputs[1], axis), &inputs[0], &outputs[0]);
}

static void gather_nd_grad_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    add_to_places(slice_places(arena, &outputs[0].type, &inputs[1], batch_dims_of(node)), &inputs[0], &outputs[0]);
}

/* ---- ScatterElements and ScatterND ---------------------------------------------------------------------------------
 */

static bool scatter_upgrade(Graph *graph, Node *node, int opset)
{
    convert_operand(graph, node, 1, DTYPE_I64);
    if (opset < 16)
        warning(graph->diagnostics, node->origin, "scatter-without-reduction",
                "below opset 16 a scatter has no reduction: one that was exported from a scatter_add loses the sum "
                "where indices repeat; export at opset 16 or newer");
    return true;
}

static bool check_reduction(Graph *graph, Node *node)
{
    Reduction reduction = REDUCE_NONE;
    if (!reduction_of(node, &reduction))
        return REJECT_UNSUPPORTED(graph, node, "unsupported attribute reduction='%s'", attr_string(node, "reduction"));
    if (node->inputs[2]->type.dtype != node->inputs[0]->type.dtype)
        return REJECT(graph, node, "updates and data have different types");
    return true;
}

static bool scatter_elements_infer(Graph *graph, Node *node)
{
    int axis;
    if (!check_reduction(graph, node) || !elements_fit(graph, node, &node->inputs[0]->type, &axis))
        return false;
    if (!same_dims(&node->inputs[1]->type, &node->inputs[2]->type))
        return REJECT(graph, node, "indices %s and updates %s have different dims",
                      type_text(graph->arena, &node->inputs[1]->type), type_text(graph->arena, &node->inputs[2]->type));
    return infer_like_first(graph, node);
}

static void scatter_elements_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    Reduction reduction = REDUCE_NONE;
    reduction_of(node, &reduction);
    Places places = element_places(arena, &inputs[0].type, &inputs[1], axis_of(node, inputs[0].type.rank));
    write_places(places, reduction, &inputs[0], &inputs[2], &outputs[0]);
}

static bool scatter_nd_infer(Graph *graph, Node *node)
{
    Type slices;
    if (!check_reduction(graph, node) || !nd_slices(graph, node, &node->inputs[0]->type, 0, &slices))
        return false;
    if (!same_dims(&slices, &node->inputs[2]->type))
        return REJECT(graph, node, "updates are %s; the indices select %s",
                      type_text(graph->arena, &node->inputs[2]->type), type_text(graph->arena, &slices));
    return infer_like_first(graph, node);
}

static void scatter_nd_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    Reduction reduction = REDUCE_NONE;
    reduction_of(node, &reduction);
    Places places = slice_places(arena, &inputs[0].type, &inputs[1], 0);
    write_places(places, reduction, &inputs[0], &inputs[2], &outputs[0]);
}

/* ---- gradients -----------------------------------------------------------------------------------------------------
 */

static bool is_by_elements(const Node *node)
{
    return strstr(node->op->name, "ND") == NULL; /* ScatterElements and its old name Scatter */
}

/* Reads x where the node writes. */
static Value *read_like(Graph *graph, const Node *node, Value *x)
{
    Node *gather =
        build_begin(graph, is_by_elements(node) ? "GatherElements" : "GatherND", 2, (Value *[]){x, node->inputs[1]}, 1);
    if (is_by_elements(node))
        set_int(graph, gather, "axis", attr_int(node, "axis"));
    return build_finish(graph, gather);
}

/* Writes updates where the node writes. */
static Value *write_like(Graph *graph, const Node *node, const char *reduction, Value *data, Value *updates)
{
    Node *scatter = build_begin(graph, is_by_elements(node) ? "ScatterElements" : "ScatterND", 3,
                                (Value *[]){data, node->inputs[1], updates}, 1);
    if (is_by_elements(node))
        set_int(graph, scatter, "axis", attr_int(node, "axis"));
    set_string(graph, scatter, "reduction", reduction);
    return build_finish(graph, scatter);
}

static Value *build_filled(Graph *graph, const Type *type, double value)
{
    Value *element = build_cast(graph, const_float(graph, type->dtype, value), type->dtype);
    return build_expand(graph, element, type->rank, type->dims);
}

/* Replaced data gets nothing, sums pass dY on. */
static void replace_gradient(Differentiator *d, Node *node, bool adds)
{
    Graph *graph = d->graph;
    Value *dy = dy_of(d, node, 0);
    if (wants(d, node, 0)) {
        Value *zeros = build_filled(graph, &node->inputs[2]->type, 0);
        contribute(d, node, 0, adds ? dy : write_like(graph, node, "none", dy, zeros));
    }
    if (wants(d, node, 2))
        contribute(d, node, 2, read_like(graph, node, dy));
}

/* y = data * m, m the product of a place's updates. The product of the others at the place of an update is
 * nonzero / update, where nonzero is the product without zeros; it is 0 where another update is. */
static void multiply_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    Value *data = node->inputs[0], *updates = node->inputs[2], *dy = dy_of(d, node, 0);
    Value *one = const_float(graph, data->type.dtype, 1), *zero = const_float(graph, data->type.dtype, 0);
    if (wants(d, node, 0))
        contribute(d, node, 0,
                   build_mul(graph, dy, write_like(graph, node, "mul", build_filled(graph, &data->type, 1), updates)));
    if (!wants(d, node, 2))
        return;
    Value *is_zero = build_binary(graph, "Equal", updates, zero), *factors = build_where(graph, is_zero, one, updates);
    Value *nonzero = write_like(graph, node, "mul", build_filled(graph, &data->type, 1), factors);
    Value *own_zero = build_cast(graph, is_zero, data->type.dtype);
    Value *zeros = write_like(graph, node, "add", build_filled(graph, &data->type, 0), own_zero);
    Value *has_other_zero = build_binary(graph, "Greater", read_like(graph, node, zeros), own_zero);
    Value *quotient = build_div(graph, read_like(graph, node, nonzero), factors);
    Value *others = build_where(graph, has_other_zero, zero, quotient);
    contribute(d, node, 2, build_mul(graph, read_like(graph, node, build_mul(graph, dy, data)), others));
}

/* Everything that attains the extremum, data or update, gets an equal share. */
static void extremum_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    Value *data = node->inputs[0], *updates = node->inputs[2], *y = node->outputs[0];
    Dtype dtype = data->type.dtype;
    Value *data_wins = build_cast(graph, build_binary(graph, "Equal", data, y), dtype);
    Value *update_wins = build_cast(graph, build_binary(graph, "Equal", updates, read_like(graph, node, y)), dtype);
    Value *winners = write_like(graph, node, "add", data_wins, update_wins);
    Value *share = build_div(graph, dy_of(d, node, 0), winners);
    if (wants(d, node, 0))
        contribute(d, node, 0, build_mul(graph, data_wins, share));
    if (wants(d, node, 2))
        contribute(d, node, 2, build_mul(graph, update_wins, read_like(graph, node, share)));
}

static void scatter_gradient(Differentiator *d, Node *node)
{
    Reduction reduction = REDUCE_NONE;
    reduction_of(node, &reduction);
    if (reduction == REDUCE_MUL)
        multiply_gradient(d, node);
    else if (reduction == REDUCE_MAX || reduction == REDUCE_MIN)
        extremum_gradient(d, node);
    else
        replace_gradient(d, node, reduction == REDUCE_ADD);
}

/* ---- where axes go -------------------------------------------------------------------------------------------------
 * Of gathers: scatters write wherever the indices say, and need not write everywhere alike. */

static int gather_elements_follow_axis(const Node *node, int i, int axis)
{
    return i == 0 && axis == axis_of(node, node->inputs[0]->type.rank) ? -1 : axis;
}

static int gather_nd_follow_axis(const Node *node, int i, int axis)
{
    int64_t known = i == 0 ? attr_int(node, "batch_dims") : node->inputs[1]->type.rank - 1;
    return axis < known ? axis : -1;
}

/* Of tuples of indices into the axes of operand 0 from `first` on: the smallest axis bounds them all. */
static int64_t tuple_index_count(const Node *node, int i, int64_t first)
{
    const Type *data = &node->inputs[0]->type, *indices = &node->inputs[1]->type;
    int64_t count = -1;
    for (int64_t k = 0; i == 1 && indices->rank > 0 && k < indices->dims[indices->rank - 1] && first + k < data->rank;
         k++)
        count = count < 0 || data->dims[first + k] < count ? data->dims[first + k] : count;
    return count;
}

static int64_t gather_nd_index_count(const Node *node, int i)
{
    return tuple_index_count(node, i, attr_int(node, "batch_dims"));
}

static int64_t scatter_nd_index_count(const Node *node, int i)
{
    return tuple_index_count(node, i, 0);
}

/* ---- TensorScatter: a step's rows into a cache
 * -----------------------------------------------------------------------
 */

static bool tensor_scatter_infer(Graph *graph, Node *node)
{
    const Type *past = &node->inputs[0]->type, *starts = input(node, 2) ? &node->inputs[2]->type : NULL;
    Type update = node->inputs[1]->type;
    const char *mode = attr_string(node, "mode");
    int axis;
    if (!resolve_axis(graph, node, attr_int(node, "axis"), past->rank, &axis))
        return false;
    const bool fits = update.rank == past->rank && update.dims[axis] <= past->dims[axis];
    update.dims[axis] = past->dims[axis];
    if (axis == 0 || !fits || !same_type(&update, past) ||
        (starts && (starts->rank != 1 || starts->dims[0] != past->dims[0])))
        return REJECT(graph, node, "the cache is %s and what goes into it %s", type_text(graph->arena, past),
                      type_text(graph->arena, &node->inputs[1]->type));
    if (strcmp(mode, "linear") != 0 && strcmp(mode, "circular") != 0)
        return REJECT(graph, node, "attribute 'mode' is '%s'; it must be 'linear' or 'circular'", mode);
    return infer_like_first(graph, node);
}

/* ScatterElements at start + 0, 1, ..., modulo the cache's length. */
static void tensor_scatter_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *past = node->inputs[0], *update = node->inputs[1];
    const int rank = past->type.rank, axis = axis_of(node, rank);
    int64_t along[MAX_RANK], batch[MAX_RANK];
    for (int i = 0; i < rank; i++) {
        along[i] = i == axis ? update->type.dims[axis] : 1;
        batch[i] = i == 0 ? past->type.dims[0] : 1;
    }
    Tensor steps = tensor_alloc(graph->arena, make_type(DTYPE_I64, rank, along));
    for (int64_t i = 0; i < along[axis]; i++)
        steps.i[i] = i;
    Value *at = const_tensor(graph, &steps);
    if (input(node, 2))
        at = build_add(graph, at, build_reshape(graph, build_cast(graph, node->inputs[2], DTYPE_I64), rank, batch));
    if (strcmp(attr_string(node, "mode"), "circular") == 0)
        at = build_binary(graph, "Mod", at, const_ints(graph, 1, &past->type.dims[axis]));
    at = build_expand(graph, at, rank, update->type.dims);
    Node *scatter = build_begin(graph, "ScatterElements", 3, (Value *[]){past, at, update}, 1);
    set_int(graph, scatter, "axis", axis);
    replacements[0] = build_finish(graph, scatter);
}

#define SCATTER_ELEMENTS_ROW                                                                                      \
    .inputs = "Data, Indices:int, Updates", .roles = {ROLE_SCATTERED, ROLE_DATA, ROLE_SCATTERED}, .outputs = "Y", \
    .attributes = "axis:int=0, reduction:string=none", .since = 18, .precision = CLASS_KEEP, .kind = OP_KERNEL,   \
    .upgrade = scatter_upgrade, .index_count = indexed_along_axis, .infer = scatter_elements_infer,               \
    .gradient = scatter_gradient, .evaluate = scatter_elements_evaluate

#define GATHER_GRAD_ROW(NAME, PREFIX)                                                                \
    .name = #NAME, .inputs = "dY:float, Indices:int", .outputs = "dX", .since = 1, .internal = true, \
    .precision = CLASS_KEEP, .kind = OP_KERNEL, .infer = PREFIX##_grad_infer

const Op scatter_ops[] = {
    {.name = "GatherElements",
     .inputs = "Data, Indices:int",
     .outputs = "Y",
     .attributes = "axis:int=0",
     .since = 13,
     .keeps_range = 1 << 0,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .upgrade = indices_upgrade,
     .follow_axis = gather_elements_follow_axis,
     .index_count = indexed_along_axis,
     .infer = gather_elements_infer,
     .gradient = gather_gradient,
     .evaluate = gather_elements_evaluate},
    {.name = "GatherND",
     .inputs = "Data, Indices:int",
     .outputs = "Y",
     .attributes = "batch_dims:int=0",
     .since = 13,
     .keeps_range = 1 << 0,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .upgrade = indices_upgrade,
     .follow_axis = gather_nd_follow_axis,
     .index_count = gather_nd_index_count,
     .infer = gather_nd_infer,
     .gradient = gather_gradient,
     .evaluate = gather_nd_evaluate},
    {GATHER_GRAD_ROW(GatherElementsGrad, gather_elements), .attributes = "axis:int=0, dims:ints!",
     .evaluate = gather_elements_grad_evaluate},
    {GATHER_GRAD_ROW(GatherNDGrad, gather_nd), .attributes = "batch_dims:int=0, dims:ints!",
     .evaluate = gather_nd_grad_evaluate},
    {.name = "TensorScatter",
     .inputs = "Past, Update, Starts:int?",
     .outputs = "Present",
     .attributes = "axis:int=-2, mode:string=linear",
     .since = 24,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .infer = tensor_scatter_infer,
     .expand = tensor_scatter_expand},
    {.name = "ScatterElements", SCATTER_ELEMENTS_ROW, .keeps_range = 1 << 0 | 1 << 2},
    {.name = "Scatter", SCATTER_ELEMENTS_ROW, .until = 10},
    {.name = "ScatterND",
     .inputs = "Data, Indices:int, Updates",
     .roles = {ROLE_SCATTERED, ROLE_DATA, ROLE_SCATTERED},
     .outputs = "Y",
     .attributes = "reduction:string=none",
     .since = 18,
     .keeps_range = 1 << 0 | 1 << 2,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .upgrade = scatter_upgrade,
     .index_count = scatter_nd_index_count,
     .infer = scatter_nd_infer,
     .gradient = scatter_gradient,
     .evaluate = scatter_nd_evaluate},
    {0},
};
