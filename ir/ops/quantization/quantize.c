/* quantize.c: quantisation, as straight-through estimators. What is rounded to a grid of integers or to a narrow float
 * keeps its numbers in a float until an integer tensor is wanted, so that a gradient passes as if nothing had been
 * rounded, and is 0 where the number was beyond the grid's range (Bengio et al. 2013). */
#include "ir/narrow.h"
#include "ir/ops/shared/expression.h"
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/row.h"

/* ---- rounding ------------------------------------------------------------------------------------------------------
 */

EXPRESSION(StraightRound, 0, rint(x))
EXPRESSION(StraightSignificand, 2, round_significand(x, p0, p1))
/* At a power of two: the next one upwards (p0 > 0) or downwards. */
EXPRESSION(StraightPower, 1,
           round_significand(x, 0.0, -120.0) * (p0 > 0.0 ? (round_significand(x, 0.0, -120.0) < x ? 2.0 : 1.0)
                                                         : (round_significand(x, 0.0, -120.0) > x ? 0.5 : 1.0)))
EXPRESSION(Saturate, 2, x < p0 ? p0 : (x > p1 ? p1 : x))
EXPRESSION(SaturateGrad, 2, x<p0 || x> p1 ? 0.0 : y)
/* Beyond p0 a float without saturation is infinite, or not a number where the format has no infinity (p1). */
EXPRESSION(Overflow, 2, absolute(x) > p0 ? (p1 > 0.0 ? x * (1.0 / 0.0) : 0.0 / 0.0) : x)
EXPRESSION(OverflowGrad, 2, absolute(x) > p0 ? 0.0 : y)

static void straight_gradient(Differentiator *d, Node *node)
{
    contribute(d, node, 0, dy_of(d, node, 0));
}

static void range_gradient(Differentiator *d, Node *node)
{
    const char *op = arena_printf(d->graph->arena, "%sGrad", node->op->name);
    Node *gradient = build_begin(d->graph, op, 2, VALUES(node->inputs[0], dy_of(d, node, 0)), 1);
    copy_attrs(d->graph, gradient, node);
    contribute(d, node, 0, build_finish(d->graph, gradient));
}

static Value *build_in_range(Graph *graph, const char *op, Value *x, const char *first, double low, const char *second,
                             double high)
{
    Node *node = build_begin(graph, op, 1, &x, 1);
    set_float(graph, node, first, low);
    set_float(graph, node, second, high);
    return build_finish(graph, node);
}

static Value *build_saturated(Graph *graph, Value *x, double low, double high)
{
    return build_in_range(graph, "Saturate", x, "low", low, "high", high);
}

/* Powers of two from 2^-127 on. */
static Value *build_power(Graph *graph, Value *x, const char *round_mode)
{
    Value *y;
    if (strcmp(round_mode, "nearest") == 0) {
        y = build_in_range(graph, "StraightSignificand", x, "bits", 0, "least", -120);
    } else {
        Node *node = build_begin(graph, "StraightPower", 1, &x, 1);
        set_float(graph, node, "upwards", strcmp(round_mode, "up") == 0 ? 1 : 0);
        y = build_finish(graph, node);
    }
    return build_saturated(graph, y, 0x1p-127, 0x1p127);
}

/* x as the format has it, in x's dtype. */
static Value *build_narrow_float(Graph *graph, Value *x, const NarrowFormat *format, bool saturate,
                                 const char *round_mode)
{
    if (format->onnx == ONNX_FLOAT8E8M0)
        return build_power(graph, x, round_mode);
    Value *y =
        build_in_range(graph, "StraightSignificand", x, "bits", format->fraction_bits, "least", 1 - format->bias);
    if (format->bits < 8) {
        Value *zero = const_float(graph, x->type.dtype, 0);
        y = build_where(graph, build_unary(graph, "IsNaN", x), zero, y); /* it has neither NaN nor infinity */
    }
    if (saturate || format->bits < 8)
        return build_saturated(graph, y, -format->most, format->most);
    return build_in_range(graph, "Overflow", y, "most", format->most, "infinite", format->has_infinity);
}

/* ---- Cast to a narrow format: what the importer makes of Cast and CastLike
 * -------------------------------------------
 */

static const NarrowFormat *format_of(const Node *node)
{
    return narrow_format(attr_int(node, "to"));
}

static bool cast_narrow_infer(Graph *graph, Node *node)
{
    const NarrowFormat *format = format_of(node);
    Type type = node->inputs[0]->type;
    if (!format)
        return REJECT(graph, node, "attribute 'to' is ONNX data type %" PRId64 ", which is no narrow format",
                      attr_int(node, "to"));
    type.dtype = format->is_float && type.dtype == DTYPE_F64 ? DTYPE_F64 : held_dtype(format);
    if (!set_output_type(graph, node, 0, type))
        return false;
    node->outputs[0]->narrow = format->onnx;
    return true;
}

/* Of integers only the low bits stay, as ONNX has it of other integer types. */
static Value *build_low_bits(Graph *graph, Value *x, const NarrowFormat *format)
{
    const int64_t least = format->is_signed ? -((int64_t)1 << (format->bits - 1)) : 0;
    const Tensor offset = {.type = scalar_type(x->type.dtype), .i = (int64_t[]){least}};
    const Tensor count = {.type = scalar_type(x->type.dtype), .i = (int64_t[]){(int64_t)1 << format->bits}};
    Value *low = const_tensor(graph, &offset);
    Value *bits = build_binary(graph, "Remainder", build_sub(graph, x, low), const_tensor(graph, &count));
    return build_add(graph, bits, low);
}

static void cast_narrow_expand(Graph *graph, Node *node, Value **replacements)
{
    const NarrowFormat *format = format_of(node);
    Value *x = build_cast(graph, node->inputs[0], node->outputs[0]->type.dtype);
    replacements[0] = format->is_float ? build_narrow_float(graph, x, format, attr_int(node, "saturate") != 0,
                                                            attr_string(node, "round_mode"))
                                       : build_low_bits(graph, x, format);
}

/* ---- the grid of a quantised tensor
 * ----------------------------------------------------------------------------------
 */

/* Of scale and zero point: one number, one a position of an axis, or one a block along it. */
static bool check_grid(Graph *graph, Node *node, int i)
{
    const Type *x = &node->inputs[0]->type, *grid = &node->inputs[i]->type;
    const int64_t block = attr_int(node, "block_size");
    int axis = 0;
    if (element_count(grid) == 1)
        return true;
    if (!resolve_axis(graph, node, attr_int(node, "axis"), x->rank, &axis))
        return false;
    bool agrees = grid->rank == 1 && block == 0 && grid->dims[0] == x->dims[axis];
    if (block > 0 && grid->rank == x->rank) {
        Type blocks = *x;
        blocks.dims[axis] = x->dims[axis] / block + (x->dims[axis] % block != 0);
        agrees = same_dims(&blocks, grid);
    }
    if (!agrees)
        return REJECT(graph, node,
                      "input %d is %s; it must have one number, one for each of axis %d of %s, or one a block", i,
                      type_text(graph->arena, grid), axis, type_text(graph->arena, x));
    return true;
}

/* Each position of an axis `times` times, of which the first `extent` are wanted. */
static Value *build_repeated(Graph *graph, Value *x, int axis, int64_t times, int64_t extent)
{
    const int64_t outer = dims_product(&x->type, 0, axis), count = x->type.dims[axis],
                  inner = dims_product(&x->type, axis + 1, x->type.rank);
    Value *apart = build_reshape(graph, x, 4, (int64_t[]){outer, count, 1, inner});
    Type type = x->type;
    type.dims[axis] = count * times;
    Value *all = build_reshape_as(graph, build_expand(graph, apart, 4, (int64_t[]){outer, count, times, inner}), &type);
    return count * times == extent ? all : build_slice(graph, all, axis, 0, extent);
}

/* Scale or zero point, so that it broadcasts to x. */
static Value *build_grid(Graph *graph, const Node *node, Value *grid)
{
    const Type *x = &node->inputs[0]->type;
    const int64_t block = attr_int(node, "block_size");
    if (element_count(&grid->type) == 1)
        return build_reshape(graph, grid, 0, NULL);
    const int axis = axis_of(node, x->rank);
    if (block == 0) {
        int64_t dims[MAX_RANK];
        for (int i = 0; i < x->rank; i++)
            dims[i] = i == axis ? x->dims[axis] : 1;
        return build_reshape(graph, grid, x->rank, dims);
    }
    return build_repeated(graph, grid, axis, block < x->dims[axis] ? block : x->dims[axis], x->dims[axis]);
}

/* A scale that the file stores is a calibration, and no weight. */
static void keep_scale(Graph *graph, Node *node)
{
    Value *scale = input(node, 1);
    if (scale && scale->kind == VALUE_PARAM) {
        scale->is_settled = true;
        node->inputs[1] = const_create(graph, scale->type, scale->data, scale->name);
    }
}

static bool is_cast(const Node *node)
{
    return node && strcmp(node->op->name, "Cast") == 0;
}

/* PyTorch's exporter casts what QuantizeLinear gives to the type that it has. */
static Value *behind_idle_casts(Value *x)
{
    while (is_cast(x->producer) && x->producer->inputs[0]->type.dtype == x->type.dtype)
        x = x->producer->inputs[0];
    return x;
}

/* The float that an integer tensor was rounded and saturated from, so that the gradient has a way; or x in `dtype`. */
static Value *build_grid_value(Graph *graph, Value *x, Dtype dtype)
{
    const Node *cast = behind_idle_casts(x)->producer;
    bool is_rounded =
        is_cast(cast) && cast->inputs[0]->producer && strcmp(cast->inputs[0]->producer->op->name, "Saturate") == 0;
    return build_cast(graph, is_rounded ? cast->inputs[0] : x, dtype);
}

/* ---- QuantizeLinear ------------------------------------------------------------------------------------------------
 */

static bool quantize_upgrade(Graph *graph, Node *node, int opset)
{
    const Value *zero = input(node, 2);
    (void)opset;
    keep_scale(graph, node);
    if (zero && !(has_attr(node, "output_dtype") && attr_int(node, "output_dtype")))
        set_int(graph, node, "output_dtype", zero->narrow ? zero->narrow : dtype_info[zero->type.dtype].onnx);
    return true;
}

static int64_t stored_type(const Node *node)
{
    const int64_t given = attr_int(node, "output_dtype");
    return given ? given : dtype_info[DTYPE_U8].onnx;
}

static bool quantize_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    const NarrowFormat *format = narrow_format(stored_type(node));
    if (!held_dtype_from_onnx(stored_type(node), &type.dtype) || (!format && is_float(type.dtype)))
        return REJECT_UNSUPPORTED(graph, node,
                                  "attribute 'output_dtype' is ONNX data type %" PRId64 ", to which nothing quantises",
                                  stored_type(node));
    if (!check_grid(graph, node, 1) || (input(node, 2) && !check_grid(graph, node, 2)) ||
        !set_output_type(graph, node, 0, type))
        return false;
    node->outputs[0]->narrow = format ? format->onnx : 0;
    return true;
}

typedef struct IntRange {
    double low, high;
} IntRange;

/* Of 16 bits or fewer; 32 are more than f32 counts, and saturate at what it has. */
static IntRange int_range(int64_t onnx, Dtype held)
{
    const NarrowFormat *format = narrow_format(onnx);
    const int bits = format ? format->bits : 8 * dtype_info[held].bytes;
    const bool has_sign = dtype_info[held].is_signed;
    return (IntRange){has_sign ? -ldexp(1, bits - 1) : 0, ldexp(1, bits - has_sign) - 1};
}

static void quantize_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0], *zero = input(node, 2);
    const int64_t onnx = stored_type(node);
    const NarrowFormat *format = narrow_format(onnx);
    const Dtype held = node->outputs[0]->type.dtype;
    const Dtype compute = is_float(x->type.dtype) ? wide_dtype(x->type.dtype) : DTYPE_F32;
    Value *scale = build_grid(graph, node, build_cast(graph, node->inputs[1], compute));
    Value *steps = build_div(graph, build_cast(graph, x, compute), scale);
    if (format && format->is_float) {
        Value *y = build_narrow_float(graph, steps, format, attr_int(node, "saturate") != 0, "nearest");
        replacements[0] = build_cast(graph, y, held);
        return;
    }
    const IntRange range = int_range(onnx, held);
    Value *y = build_unary(graph, "StraightRound", steps);
    if (zero)
        y = build_add(graph, y, build_grid(graph, node, build_grid_value(graph, zero, compute)));
    replacements[0] = build_cast(graph, build_saturated(graph, y, range.low, range.high), held);
}

/* ---- DequantizeLinear ----------------------------------------------------------------------------------------------
 */

static bool dequantize_upgrade(Graph *graph, Node *node, int opset)
{
    (void)opset;
    keep_scale(graph, node);
    return true;
}

static bool dequantize_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    const int64_t given = attr_int(node, "output_dtype");
    type.dtype = node->inputs[1]->type.dtype;
    if (given && (!dtype_from_onnx(given, &type.dtype) || !is_float(type.dtype)))
        return REJECT(graph, node, "attribute 'output_dtype' is ONNX data type %" PRId64 "; it must be a float", given);
    return check_grid(graph, node, 1) && (!input(node, 2) || check_grid(graph, node, 2)) &&
           set_output_type(graph, node, 0, type);
}

static void dequantize_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *scale = node->inputs[1], *zero = input(node, 2);
    const Dtype compute = wide_dtype(scale->type.dtype);
    Value *y = build_grid_value(graph, node->inputs[0], compute);
    if (zero)
        y = build_sub(graph, y, build_grid(graph, node, build_grid_value(graph, zero, compute)));
    y = build_mul(graph, y, build_grid(graph, node, build_cast(graph, scale, compute)));
    replacements[0] = build_cast(graph, y, node->outputs[0]->type.dtype);
}

/* ---- DynamicQuantizeLinear -----------------------------------------------------------------------------------------
 */

static bool dynamic_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    if (!is_float(x->dtype) || element_count(x) == 0)
        return REJECT(graph, node, "X is %s; it must be floating-point, and not empty", type_text(graph->arena, x));
    return set_output_type(graph, node, 0, make_type(DTYPE_U8, x->rank, x->dims)) &&
           set_output_type(graph, node, 1, scalar_type(x->dtype)) &&
           set_output_type(graph, node, 2, scalar_type(DTYPE_U8));
}

/* The range, which contains 0, in 255 steps. */
static void dynamic_expand(Graph *graph, Node *node, Value **replacements)
{
    const Dtype dtype = node->inputs[0]->type.dtype;
    Value *x = node->inputs[0], *zero = const_float(graph, dtype, 0);
    const Type scalar = scalar_type(dtype);
    Value *least = build_reshape_as(graph, build_reduce_range(graph, "ReduceMin", x, 0, x->type.rank), &scalar);
    Value *most = build_reshape_as(graph, build_reduce_range(graph, "ReduceMax", x, 0, x->type.rank), &scalar);
    least = build_binary(graph, "Minimum", least, zero);
    Value *range = build_sub(graph, build_binary(graph, "Maximum", most, zero), least);
    Value *scale = build_scale(graph, range, 1.0 / 255);
    Value *is_zero = build_binary(graph, "Equal", range, zero);
    Value *divisor = build_where(graph, is_zero, const_float(graph, dtype, 1), scale);
    Value *from = build_saturated(graph, build_neg(graph, build_div(graph, least, divisor)), 0, 255);
    Value *offset = build_saturated(graph, build_unary(graph, "StraightRound", from), 0, 255);
    Value *steps = build_unary(graph, "StraightRound", build_div(graph, x, divisor));
    Value *y = build_saturated(graph, build_add(graph, steps, offset), 0, 255);
    replacements[0] = build_cast(graph, y, DTYPE_U8);
    if (has_output(node, 1))
        replacements[1] = scale;
    if (has_output(node, 2))
        replacements[2] = build_cast(graph, offset, DTYPE_U8);
}

#define GRID_ATTRIBUTES "axis:int=1, block_size:int=0, output_dtype:int=0"

#define STRAIGHT_ROW(NAME, ATTRIBUTES)                                                            \
    {                                                                                             \
        ELEMENTWISE(NAME), .inputs = "X", .attributes = ATTRIBUTES, .since = 1, .internal = true, \
                           .precision = CLASS_KEEP, .gradient = straight_gradient                 \
    }
#define RANGE_ROWS(NAME, ATTRIBUTES)                                                                        \
    {ELEMENTWISE(NAME), .inputs = "X",           .attributes = ATTRIBUTES,  .since = 1,                     \
     .internal = true,  .precision = CLASS_KEEP, .gradient = range_gradient},                               \
    {                                                                                                       \
        ELEMENTWISE(NAME##Grad), .inputs = "X, dY", .attributes = ATTRIBUTES, .since = 1, .internal = true, \
                                 .precision = CLASS_KEEP                                                    \
    }

const Op quantize_ops[] = {
    STRAIGHT_ROW(StraightRound, ""),
    STRAIGHT_ROW(StraightSignificand, "bits:float!, least:float!"),
    STRAIGHT_ROW(StraightPower, "upwards:float!"),
    RANGE_ROWS(Saturate, "low:float!, high:float!"),
    RANGE_ROWS(Overflow, "most:float!, infinite:float!"),
    {.name = "CastNarrow",
     .inputs = "X",
     .outputs = "Y",
     .attributes = "to:int!, saturate:int=1, round_mode:string=up",
     .since = 1,
     .internal = true,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .follow_axis = follow_every,
     .infer = cast_narrow_infer,
     .expand = cast_narrow_expand},
    {.name = "QuantizeLinear",
     .inputs = "X, Scale:float, ZeroPoint?",
     .outputs = "Y",
     .attributes = GRID_ATTRIBUTES ", precision:int=0, saturate:int=1",
     .since = 10,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .upgrade = quantize_upgrade,
     .follow_axis = follow_every,
     .infer = quantize_infer,
     .expand = quantize_expand},
    {.name = "DequantizeLinear",
     .inputs = "X, Scale:float, ZeroPoint?",
     .outputs = "Y",
     .attributes = GRID_ATTRIBUTES,
     .since = 10,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .upgrade = dequantize_upgrade,
     .follow_axis = follow_every,
     .infer = dequantize_infer,
     .expand = dequantize_expand},
    {.name = "DynamicQuantizeLinear",
     .inputs = "X:float",
     .outputs = "Y, Scale?, ZeroPoint?",
     .attributes = "",
     .since = 11,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .infer = dynamic_infer,
     .expand = dynamic_expand},
    {0},
};
