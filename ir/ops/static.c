/* static.c: operators whose result is known when the model is compiled, because it depends on shapes and constants
 * only; and Trilu and Compress, which are selections by such a constant. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/support.h"

#include <math.h>

/* ---- Shape and Size ------------------------------------------------------------------------------------------------
 */

static void shape_range(const Node *node, int64_t *start, int64_t *end)
{
    int64_t rank = node->inputs[0]->type.rank;
    *start = attr_int(node, "start");
    *end = has_attr(node, "end") ? attr_int(node, "end") : rank;
    *start += *start < 0 ? rank : 0;
    *end += *end < 0 ? rank : 0;
    *start = *start < 0 ? 0 : *start > rank ? rank : *start;
    *end = *end > rank ? rank : *end < *start ? *start : *end;
}

static bool shape_infer(Graph *graph, Node *node)
{
    int64_t start, end;
    shape_range(node, &start, &end);
    return set_output_type(graph, node, 0, make_type(DTYPE_I64, 1, (int64_t[]){end - start}));
}

static void shape_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)inputs;
    int64_t start, end;
    shape_range(node, &start, &end);
    for (int64_t i = start; i < end; i++)
        outputs[0].i[i - start] = node->inputs[0]->type.dims[i];
}

static bool size_infer(Graph *graph, Node *node)
{
    return set_output_type(graph, node, 0, scalar_type(DTYPE_I64));
}

static void size_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)inputs;
    outputs[0].i[0] = element_count(&node->inputs[0]->type);
}

/* ---- ConstantOfShape -----------------------------------------------------------------------------------------------
 */

/* ONNX's tensor attribute `value` is operand 1 here; without it the fill is 0.0f. */
static bool constant_of_shape_infer(Graph *graph, Node *node)
{
    int count;
    const int64_t *shape;
    if (!const_operand_ints(graph, node, 0, &count, &shape) || count > MAX_RANK)
        return REJECT(graph, node, "the shape must be a constant of at most %d dims", MAX_RANK);
    if (input(node, 1) && element_count(&node->inputs[1]->type) != 1)
        return REJECT(graph, node, "attribute 'value' must have one element");
    Dtype dtype = input(node, 1) ? node->inputs[1]->type.dtype : DTYPE_F32;
    return set_output_type(graph, node, 0, make_type(dtype, count, shape));
}

static void constant_of_shape_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    int64_t count = element_count(&outputs[0].type);
    for (int64_t i = 0; i < count && input(node, 1); i++)
        copy_element(&outputs[0], i, &inputs[1], 0);
}

/* ---- Range ---------------------------------------------------------------------------------------------------------
 */

static bool range_infer(Graph *graph, Node *node)
{
    Tensor bound[3];
    for (int i = 0; i < 3; i++) {
        const Value *operand = node->inputs[i];
        if (element_count(&operand->type) != 1 || operand->type.dtype != node->inputs[0]->type.dtype)
            return REJECT(graph, node, "start, limit and delta must be scalars of one type");
        bound[i] = tensor_from_data(graph->arena, &operand->type, operand->data);
    }
    double count = 0;
    if (bound[0].f) {
        count = ceil((bound[1].f[0] - bound[0].f[0]) / bound[2].f[0]);
    } else if (bound[2].i[0] != 0) {
        __extension__ __int128 span = (__int128)bound[1].i[0] - bound[0].i[0], delta = bound[2].i[0];
        count = (double)((span + delta - (delta > 0 ? 1 : -1)) / delta);
    }
    if ((bound[2].f ? bound[2].f[0] == 0 : bound[2].i[0] == 0) || !(count < 0x1p40))
        return REJECT(graph, node, "'delta' is 0, or the range is endless");
    int64_t length = count > 0 ? (int64_t)count : 0;
    return set_output_type(graph, node, 0, make_type(node->inputs[0]->type.dtype, 1, &length));
}

static void range_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    for (int64_t i = 0; i < outputs[0].type.dims[0]; i++)
        if (outputs[0].f)
            outputs[0].f[i] = inputs[0].f[0] + (double)i * inputs[2].f[0];
        else
            outputs[0].i[i] = inputs[0].i[0] + i * inputs[2].i[0];
}

/* ---- EyeLike -------------------------------------------------------------------------------------------------------
 */

static bool eye_like_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    if (type.rank != 2)
        return REJECT(graph, node, "the operand has rank %d; it must be a matrix", type.rank);
    if (has_attr(node, "dtype") && !dtype_from_onnx(attr_int(node, "dtype"), &type.dtype))
        return REJECT_UNSUPPORTED(graph, node, "attribute 'dtype' is ONNX data type %lld, which pcc does not have",
                                  (long long)attr_int(node, "dtype"));
    return set_output_type(graph, node, 0, type);
}

static void eye_like_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)inputs;
    int64_t rows = outputs[0].type.dims[0], columns = outputs[0].type.dims[1], k = attr_int(node, "k");
    for (int64_t row = 0; row < rows; row++) {
        if (k < -row || k >= columns - row)
            continue;
        if (outputs[0].f)
            outputs[0].f[row * columns + row + k] = 1;
        else
            outputs[0].i[row * columns + row + k] = 1;
    }
}

/* ---- NonZero -------------------------------------------------------------------------------------------------------
 */

static bool is_nonzero(const Tensor *x, int64_t i)
{
    return x->f ? x->f[i] != 0 : x->i[i] != 0;
}

static int64_t count_nonzero(const Tensor *x)
{
    int64_t count = 0, elements = element_count(&x->type);
    for (int64_t i = 0; i < elements; i++)
        count += is_nonzero(x, i);
    return count;
}

static bool nonzero_infer(Graph *graph, Node *node)
{
    const Value *x = node->inputs[0];
    Tensor tensor = tensor_from_data(graph->arena, &x->type, x->data);
    int64_t dims[] = {x->type.rank, count_nonzero(&tensor)};
    return set_output_type(graph, node, 0, make_type(DTYPE_I64, 2, dims));
}

static void nonzero_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    const Type *x = &inputs[0].type;
    int64_t index[MAX_RANK] = {0}, found = 0, at = 0, count = outputs[0].type.dims[1];
    if (element_count(x) == 0)
        return;
    do {
        if (!is_nonzero(&inputs[0], at++))
            continue;
        for (int axis = 0; axis < x->rank; axis++)
            outputs[0].i[axis * count + found] = index[axis];
        found++;
    } while (next_index(x->rank, x->dims, index));
}

/* ---- Trilu ---------------------------------------------------------------------------------------------------------
 */

static bool trilu_infer(Graph *graph, Node *node)
{
    if (node->inputs[0]->type.rank < 2)
        return REJECT(graph, node, "the operand has rank %d; it must be matrices", node->inputs[0]->type.rank);
    return infer_like_first(graph, node);
}

/* x where the mask of the last two axes says so, 0 elsewhere. */
static void trilu_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0];
    bool upper = attr_int(node, "upper") != 0;
    int64_t k = input(node, 1) ? const_int_at(node->inputs[1], 0) : 0;
    const int64_t *matrix = x->type.dims + x->type.rank - 2;
    Tensor mask = tensor_alloc(graph->arena, make_type(DTYPE_BOOL, 2, matrix));
    for (int64_t row = 0; row < matrix[0]; row++)
        for (int64_t column = 0; column < matrix[1]; column++)
            mask.i[row * matrix[1] + column] = upper ? column - row >= k : column - row <= k;
    Tensor zero = tensor_alloc(graph->arena, scalar_type(x->type.dtype));
    replacements[0] = build_where(graph, const_tensor(graph, &mask), x, const_tensor(graph, &zero));
}

/* ---- Compress ------------------------------------------------------------------------------------------------------
 */

/* A Gather at the positions where the condition holds, of the flattened operand when there is no axis. */
static void compress_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0], *condition = node->inputs[1];
    int64_t axis = has_attr(node, "axis") ? axis_of(node, x->type.rank) : 0, elements = element_count(&x->type);
    if (!has_attr(node, "axis"))
        x = build_reshape(graph, x, 1, &elements);
    Tensor chosen = tensor_from_data(graph->arena, &condition->type, condition->data);
    int64_t *positions = NEW_ARRAY(graph->arena, int64_t, count_nonzero(&chosen));
    int count = 0;
    for (int64_t i = 0; i < condition->type.dims[0]; i++)
        if (is_nonzero(&chosen, i))
            positions[count++] = i;
    Node *gather = build_begin(graph, "Gather", 2, (Value *[]){x, const_ints(graph, count, positions)}, 1);
    set_int(graph, gather, "axis", axis);
    replacements[0] = build_finish(graph, gather);
}

static bool compress_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    const Value *condition = node->inputs[1];
    int axis = 0;
    if (has_attr(node, "axis") && !resolve_axis(graph, node, attr_int(node, "axis"), type.rank, &axis))
        return false;
    if (!has_attr(node, "axis"))
        type = make_type(type.dtype, 1, (int64_t[]){element_count(&type)});
    if (condition->type.rank != 1 || condition->type.dims[0] > type.dims[axis])
        return REJECT(graph, node, "the condition %s is longer than the axis",
                      type_text(graph->arena, &condition->type));
    Tensor chosen = tensor_from_data(graph->arena, &condition->type, condition->data);
    type.dims[axis] = count_nonzero(&chosen);
    return set_output_type(graph, node, 0, type);
}

/* Of the matrices; what an element becomes depends on where in its matrix it is. */
static int trilu_follow_axis(const Node *node, int i, int axis)
{
    return i == 0 && axis < node->inputs[0]->type.rank - 2 ? axis : -1;
}

static int compress_follow_axis(const Node *node, int i, int axis)
{
    return has_attr(node, "axis") ? follow_others(node, i, axis) : -1;
}

/* ---- BitCast -------------------------------------------------------------------------------------------------------
 */

static bool bit_cast_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    const Dtype from = type.dtype;
    if (!dtype_from_onnx(attr_int(node, "to"), &type.dtype) || dtype_info[type.dtype].bytes != dtype_info[from].bytes)
        return REJECT_UNSUPPORTED(graph, node, "attribute 'to' is ONNX data type %lld, but the operand is %s",
                                  (long long)attr_int(node, "to"), dtype_info[from].name);
    return set_output_type(graph, node, 0, type);
}

static void bit_cast_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)node;
    const Tensor same_bits = tensor_from_data(arena, &outputs[0].type, tensor_to_data(arena, &inputs[0]));
    copy_elements(&outputs[0], &same_bits);
}

#define STATIC_ROW(NAME, SINCE) \
    .name = #NAME, .outputs = "Y", .since = SINCE, .precision = CLASS_NONE, .kind = OP_STATIC

const Op static_ops[] = {
    {STATIC_ROW(Shape, 15), .inputs = "X", .attributes = "start:int=0, end:int", .infer = shape_infer,
     .evaluate = shape_evaluate},
    {STATIC_ROW(Size, 13), .inputs = "X", .infer = size_infer, .evaluate = size_evaluate},
    {STATIC_ROW(ConstantOfShape, 9), .inputs = "Shape:int!, Value?!", .infer = constant_of_shape_infer,
     .evaluate = constant_of_shape_evaluate},
    {STATIC_ROW(Range, 11), .inputs = "Start!, Limit!, Delta!", .infer = range_infer, .evaluate = range_evaluate},
    {STATIC_ROW(EyeLike, 9), .inputs = "X", .attributes = "dtype:int, k:int=0", .infer = eye_like_infer,
     .evaluate = eye_like_evaluate},
    {STATIC_ROW(BitCast, 26), .inputs = "X!", .attributes = "to:int!", .infer = bit_cast_infer,
     .evaluate = bit_cast_evaluate},
    {STATIC_ROW(NonZero, 13), .inputs = "X!", .infer = nonzero_infer, .evaluate = nonzero_evaluate},
    {.name = "Trilu",
     .inputs = "X, K:int?!",
     .outputs = "Y",
     .attributes = "upper:int=1",
     .since = 14,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = trilu_follow_axis,
     .infer = trilu_infer,
     .expand = trilu_expand},
    {.name = "Compress",
     .inputs = "X, Condition:bool!",
     .outputs = "Y",
     .attributes = "axis:int",
     .since = 11,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = compress_follow_axis,
     .infer = compress_infer,
     .expand = compress_expand},
    {0},
};
