/* elementwise.c: arithmetic, minima and maxima, selection and conversion. */
#include "ir/narrow.h"
#include "ir/ops/shared/expression.h"
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/support.h"

/* ---- sums, products, quotients ------------------------------------------------------------------------------- */

EXPRESSIONS(Add, x + y, int_sum(x, y))
EXPRESSIONS(Sub, x - y, int_difference(x, y))
EXPRESSIONS(Mul, x *y, int_product(x, y))
EXPRESSIONS(Div, x / y, int_quotient(x, y))
EXPRESSIONS(Neg, -x, int_difference(0, x))
EXPRESSION_INT(Abs, absolute(x))
EXPRESSION_INT(Sign, sign(x))
EXPRESSION(DivisorGrad, 0, -z *x / y)

static void add_gradient(Differentiator *d, Node *node)
{
    contribute(d, node, 0, dy_of(d, node, 0));
    contribute(d, node, 1, dy_of(d, node, 0));
}

static void sub_gradient(Differentiator *d, Node *node)
{
    contribute(d, node, 0, dy_of(d, node, 0));
    if (wants(d, node, 1))
        contribute(d, node, 1, build_neg(d->graph, dy_of(d, node, 0)));
}

static void mul_gradient(Differentiator *d, Node *node)
{
    for (int i = 0; i < 2; i++)
        if (wants(d, node, i))
            contribute(d, node, i, build_mul(d->graph, dy_of(d, node, 0), node->inputs[1 - i]));
}

/* d(a/b) = da/b - (a/b) db/b */
static void div_gradient(Differentiator *d, Node *node)
{
    Value *y = node->outputs[0], *b = node->inputs[1], *dy = dy_of(d, node, 0);
    if (wants(d, node, 0))
        contribute(d, node, 0, build_div(d->graph, dy, b));
    if (wants(d, node, 1))
        contribute(d, node, 1, build(d->graph, "DivisorGrad", 3, (Value *[]){y, b, dy}));
}

static void neg_gradient(Differentiator *d, Node *node)
{
    contribute(d, node, 0, build_neg(d->graph, dy_of(d, node, 0)));
}

static void abs_gradient(Differentiator *d, Node *node)
{
    contribute(d, node, 0, build_mul(d->graph, dy_of(d, node, 0), build_unary(d->graph, "Sign", node->inputs[0])));
}

/* ---- powers ---------------------------------------------------------------------------------------------------- */

EXPRESSION_INT(Power, power(x, y))
EXPRESSION(PowerBaseGrad, 0, y == 0.0 ? 0.0 : z * y * power(x, y - 1.0))
EXPRESSION(PowerExponentGrad, 0, x == 0.0 ? 0.0 : z * y * log(x))

static void power_gradient(Differentiator *d, Node *node)
{
    Value *x = node->inputs[0], *exponent = node->inputs[1], *dy = dy_of(d, node, 0);
    if (wants(d, node, 0))
        contribute(d, node, 0, build(d->graph, "PowerBaseGrad", 3, (Value *[]){x, exponent, dy}));
    if (wants(d, node, 1))
        contribute(d, node, 1, build(d->graph, "PowerExponentGrad", 3, (Value *[]){x, node->outputs[0], dy}));
}

/* The result has the base's dtype, whatever the exponent's. */
static bool pow_infer(Graph *graph, Node *node)
{
    Type type;
    if (!broadcast_dims(&node->inputs[0]->type, &node->inputs[1]->type, &type))
        return REJECT(graph, node, "base %s and exponent %s do not broadcast",
                      type_text(graph->arena, &node->inputs[0]->type), type_text(graph->arena, &node->inputs[1]->type));
    type.dtype = node->inputs[0]->type.dtype;
    return set_output_type(graph, node, 0, type);
}

/* The exponent, when it is one constant number. */
static bool constant_exponent(Graph *graph, const Node *node, double *exponent)
{
    int count;
    const int64_t *values;
    if (const_operand_float(graph, node, 1, exponent))
        return true;
    if (!const_operand_ints(graph, node, 1, &count, &values) || count != 1)
        return false;
    *exponent = (double)values[0];
    return true;
}

/* x to an exponent that products and roots give exactly; NULL for the others. Of a negative one the reciprocal comes
 * first, so that the gradient where x is 0 is infinite and not NaN. */
static Value *exact_power(Graph *graph, Value *x, double exponent)
{
    if (exponent < 0) {
        Value *power = exact_power(graph, build_unary(graph, "Reciprocal", x), -exponent);
        return exponent == -0.5 ? build_unary(graph, "Reciprocal", build_unary(graph, "Sqrt", x)) : power;
    }
    if (exponent == 0.5)
        return build_unary(graph, "Sqrt", x);
    if (exponent == 1)
        return x;
    if (exponent == 1.5)
        return build_unary(graph, "PowerThreeHalves", x);
    if (exponent != 2 && exponent != 3 && exponent != 4)
        return NULL;
    Value *square = build_unary(graph, "Square", x);
    if (exponent == 2)
        return square;
    return exponent == 3 ? build_mul(graph, square, x) : build_unary(graph, "Square", square);
}

static void pow_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0], *exponent = node->inputs[1];
    Dtype base = x->type.dtype;
    double constant;
    if (is_float(base) && same_dims(&x->type, &node->outputs[0]->type) && constant_exponent(graph, node, &constant)) {
        replacements[0] = exact_power(graph, x, constant);
        if (replacements[0])
            return;
    }
    Dtype compute = !is_float(base) && is_float(exponent->type.dtype) ? exponent->type.dtype : base;
    Value *power = build_binary(graph, "Power", build_cast(graph, x, compute), build_cast(graph, exponent, compute));
    replacements[0] = build_cast(graph, power, base);
}

/* ---- remainders ------------------------------------------------------------------------------------------------ */

/* Remainder has the divisor's sign (Python's %), Fmod the dividend's (C's fmod). */
EXPRESSION_INT(Remainder, modulo(x, y))
EXPRESSION_INT(Fmod, truncated_modulo(x, y))

static bool infer_broadcast(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    for (int i = 1; i < node->input_count; i++) {
        Type with = type;
        if (!node->inputs[i])
            continue;
        if (node->inputs[i]->type.dtype != type.dtype || !broadcast_dims(&with, &node->inputs[i]->type, &type))
            return REJECT(graph, node, "operands %s and %s do not broadcast", type_text(graph->arena, &with),
                          type_text(graph->arena, &node->inputs[i]->type));
        type.dtype = with.dtype;
    }
    return set_output_type(graph, node, 0, type);
}

static void mod_expand(Graph *graph, Node *node, Value **replacements)
{
    const char *op = attr_int(node, "fmod") ? "Fmod" : "Remainder";
    replacements[0] = build_binary(graph, op, node->inputs[0], node->inputs[1]);
}

/* The quotient's integer part q is locally constant: d(x mod y) = dx - q dy. Truncated, q = (x - fmod(x, y)) / y;
 * floored it is one less where the two remainders differ. An infinite y has the quotients 0 and -1. */
EXPRESSION(FmodDivisorGrad, 0, z *(truncated_modulo(x, y) - x) / y)
EXPRESSION(RemainderDivisorGrad, 0,
           z *((truncated_modulo(x, y) - x) / y + (truncated_modulo(x, y) == modulo(x, y) ? 0.0 : 1.0)))

static void mod_gradient(Differentiator *d, Node *node)
{
    const char *divisor_grad = arena_printf(d->graph->arena, "%sDivisorGrad", node->op->name);
    Value *dz = dy_of(d, node, 0);
    contribute(d, node, 0, dz);
    if (wants(d, node, 1))
        contribute(d, node, 1, build(d->graph, divisor_grad, 3, (Value *[]){node->inputs[0], node->inputs[1], dz}));
}

/* ---- minima and maxima ----------------------------------------------------------------------------------------- */

EXPRESSION_INT(Maximum, maximum(x, y))
EXPRESSION_INT(Minimum, minimum(x, y))
/* The share of dY that x has in max(x, y): all, none, or half of a tie. */
EXPRESSION(MaximumGrad, 0, x > y ? z : (x == y ? 0.5 * z : 0.0))

static void extremum_gradient(Differentiator *d, Node *node, bool minimum_of)
{
    for (int i = 0; i < 2; i++) {
        Value *mine = node->inputs[i], *other = node->inputs[1 - i];
        Value *greater = minimum_of ? other : mine, *lesser = minimum_of ? mine : other;
        if (wants(d, node, i))
            contribute(d, node, i, build(d->graph, "MaximumGrad", 3, (Value *[]){greater, lesser, dy_of(d, node, 0)}));
    }
}

static void maximum_gradient(Differentiator *d, Node *node)
{
    extremum_gradient(d, node, false);
}

static void minimum_gradient(Differentiator *d, Node *node)
{
    extremum_gradient(d, node, true);
}

/* The variadic operators are left folds of their binary one. */
static Value *fold(Graph *graph, Node *node, const char *op)
{
    Value *result = node->inputs[0];
    for (int i = 1; i < node->input_count; i++)
        result = build_binary(graph, op, result, node->inputs[i]);
    return result;
}

static void max_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = fold(graph, node, "Maximum");
}

static void min_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = fold(graph, node, "Minimum");
}

static void sum_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = fold(graph, node, "Add");
}

static void mean_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *sum = fold(graph, node, "Add");
    replacements[0] = build_div(graph, sum, const_float(graph, sum->type.dtype, node->input_count));
}

/* ---- Clip ------------------------------------------------------------------------------------------------------ */

/* Between the bounds the gradient flows to X; at a bound, as beyond it, to the bound. */
EXPRESSION_INT(ClipBelow, maximum(x, y))
EXPRESSION_INT(ClipAbove, minimum(x, y))
EXPRESSION(ClipBelowGrad, 0, x > y ? z : 0.0)
EXPRESSION(ClipAboveGrad, 0, x < y ? z : 0.0)

static void clip_bound_gradient(Differentiator *d, Node *node, const char *gradient_op)
{
    Value *x = node->inputs[0], *bound = node->inputs[1], *dy = dy_of(d, node, 0);
    Value *dx = build(d->graph, gradient_op, 3, (Value *[]){x, bound, dy});
    contribute(d, node, 0, dx);
    if (wants(d, node, 1))
        contribute(d, node, 1, build_sub(d->graph, dy, dx));
}

static void clip_below_gradient(Differentiator *d, Node *node)
{
    clip_bound_gradient(d, node, "ClipBelowGrad");
}

static void clip_above_gradient(Differentiator *d, Node *node)
{
    clip_bound_gradient(d, node, "ClipAboveGrad");
}

static bool clip_upgrade(Graph *graph, Node *node, int opset)
{
    if (opset < 11) {
        float_to_operand(graph, node, "min", 1, node->inputs[0]->type.dtype);
        float_to_operand(graph, node, "max", 2, node->inputs[0]->type.dtype);
    }
    return true;
}

static bool clip_infer(Graph *graph, Node *node)
{
    for (int i = 1; i <= 2; i++)
        if (input(node, i) && element_count(&input(node, i)->type) != 1)
            return REJECT(graph, node, "the bound '%s' must be a scalar", i == 1 ? "min" : "max");
        else if (input(node, i) && input(node, i)->type.dtype != node->inputs[0]->type.dtype)
            return REJECT(graph, node, "the bound '%s' is %s, but X is %s", i == 1 ? "min" : "max",
                          dtype_info[input(node, i)->type.dtype].name, dtype_info[node->inputs[0]->type.dtype].name);
    return infer_like_first(graph, node);
}

static void clip_expand(Graph *graph, Node *node, Value **replacements)
{
    static const char *const bounded[] = {NULL, "ClipBelow", "ClipAbove"};
    Value *y = node->inputs[0];
    for (int i = 1; i <= 2; i++)
        if (input(node, i))
            y = build_binary(graph, bounded[i], y, build_reshape(graph, input(node, i), 0, (int64_t[]){1}));
    replacements[0] = y;
}

/* ---- selection and conversion ---------------------------------------------------------------------------------- */

EXPRESSION_INT(Where, x != 0 ? y : z)

static bool where_infer(Graph *graph, Node *node)
{
    const Type *condition = &node->inputs[0]->type, *x = &node->inputs[1]->type, *y = &node->inputs[2]->type;
    Type branches, type;
    if (condition->dtype != DTYPE_BOOL)
        return REJECT(graph, node, "the condition is %s; it must be bool", dtype_info[condition->dtype].name);
    const bool x_beside = is_literal(node->inputs[1]) && is_narrow(y->dtype);
    const bool y_beside = is_literal(node->inputs[2]) && is_narrow(x->dtype);
    if (x->dtype != y->dtype && !x_beside && !y_beside)
        return REJECT(graph, node, "the branches are %s and %s; they must have one dtype", dtype_info[x->dtype].name,
                      dtype_info[y->dtype].name);
    if (!broadcast_dims(x, y, &branches) || !broadcast_dims(condition, &branches, &type))
        return REJECT(graph, node, "operands %s, %s and %s do not broadcast", type_text(graph->arena, condition),
                      type_text(graph->arena, x), type_text(graph->arena, y));
    type.dtype = x_beside ? y->dtype : x->dtype;
    return set_output_type(graph, node, 0, type);
}

static void where_gradient(Differentiator *d, Node *node)
{
    Value *condition = node->inputs[0], *dy = dy_of(d, node, 0);
    Value *zero = const_float(d->graph, dy->type.dtype, 0);
    if (wants(d, node, 1))
        contribute(d, node, 1, build_where(d->graph, condition, dy, zero));
    if (wants(d, node, 2))
        contribute(d, node, 2, build_where(d->graph, condition, zero, dy));
}

/* The conversion itself is the load or the store: floats round towards zero to integers, bool is != 0. */
EXPRESSION_INT(Cast, x)

/* To a format narrower than any dtype: a row of its own (quantize.c). */
static bool cast_upgrade(Graph *graph, Node *node, int opset)
{
    (void)opset;
    if (has_attr(node, "to") && narrow_format(attr_int(node, "to")))
        node->op = find_op("CastNarrow", strlen("CastNarrow"));
    (void)graph;
    return true;
}

static bool cast_like_upgrade(Graph *graph, Node *node, int opset)
{
    const int narrow = node->inputs[1]->narrow;
    (void)opset;
    if (narrow) {
        node->op = find_op("CastNarrow", strlen("CastNarrow"));
        node->input_count = 1;
        set_int(graph, node, "to", narrow);
    }
    return true;
}

static bool cast_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    if (!dtype_from_onnx(attr_int(node, "to"), &type.dtype))
        return REJECT_UNSUPPORTED(graph, node, "attribute 'to' is ONNX data type %lld, which pcc does not have",
                                  (long long)attr_int(node, "to"));
    return set_output_type(graph, node, 0, type);
}

static void cast_gradient(Differentiator *d, Node *node)
{
    contribute(d, node, 0, dy_of(d, node, 0));
}

static bool cast_like_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    type.dtype = node->inputs[1]->type.dtype;
    return set_output_type(graph, node, 0, type);
}

/* Nothing is read of Like but its dtype: one of other dims has no say. */
static int cast_like_follow_axis(const Node *node, int i, int axis)
{
    int to = follow_broadcast(node, i, axis);
    return to >= 0 && node->inputs[i]->type.dims[axis] == node->outputs[0]->type.dims[to] ? to : -1;
}

static void cast_like_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = build_cast(graph, node->inputs[0], node->inputs[1]->type.dtype);
}

static void identity_expand(Graph *graph, Node *node, Value **replacements)
{
    (void)graph;
    replacements[0] = node->inputs[0];
}

#define BINARY_ROW(NAME, SINCE, CLASS) ELEMENTWISE_INT(NAME), .inputs = "A, B", .since = SINCE, .precision = CLASS
#define ARITHMETIC_ROW(NAME) ELEMENTWISE_BOTH(NAME), .inputs = "A, B", .since = 14, .precision = CLASS_PROMOTE

#define VARIADIC_ROW(NAME, SINCE)                                                                                   \
    .name = #NAME, .inputs = "X...", .outputs = "Y", .since = SINCE, .precision = CLASS_PROMOTE, .kind = OP_EXPAND, \
    .follow_axis = follow_broadcast, .infer = infer_broadcast

#define GRADIENT_ROW(NAME, INPUTS)                                                                    \
    {                                                                                                 \
        ELEMENTWISE(NAME), .inputs = INPUTS, .since = 1, .internal = true, .precision = CLASS_PROMOTE \
    }

const Op elementwise_ops[] = {
    {ARITHMETIC_ROW(Add), .roles = {ROLE_TERM, ROLE_TERM}, .gradient = add_gradient},
    {ARITHMETIC_ROW(Sub), .roles = {ROLE_TERM, ROLE_TERM}, .gradient = sub_gradient},
    {ARITHMETIC_ROW(Mul), .roles = {ROLE_FACTOR, ROLE_FACTOR}, .gradient = mul_gradient},
    {ARITHMETIC_ROW(Div), .roles = {ROLE_FACTOR, ROLE_FACTOR}, .gradient = div_gradient},
    GRADIENT_ROW(DivisorGrad, "Y, B, dY"),
    {ELEMENTWISE_BOTH(Neg), .inputs = "X", .since = 13, .precision = CLASS_FOLLOW, .gradient = neg_gradient},
    {ELEMENTWISE_INT(Abs), .inputs = "X", .since = 13, .keeps_range = 1 << 0, .precision = CLASS_FOLLOW,
     .gradient = abs_gradient},
    {ELEMENTWISE_INT(Sign), .inputs = "X", .since = 13, .precision = CLASS_FOLLOW},
    {.name = "Pow",
     .inputs = "X, Y",
     .roles = {ROLE_DATA, ROLE_EXPONENT},
     .outputs = "Z",
     .since = 15,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .follow_axis = follow_broadcast,
     .infer = pow_infer,
     .expand = pow_expand},
    {BINARY_ROW(Power, 1, CLASS_KEEP), .internal = true, .gradient = power_gradient},
    GRADIENT_ROW(PowerBaseGrad, "X, Exponent, dY"),
    GRADIENT_ROW(PowerExponentGrad, "X, Y, dY"),
    {.name = "Mod",
     .inputs = "A, B",
     .outputs = "C",
     .attributes = "fmod:int=0",
     .since = 13,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = follow_broadcast,
     .infer = infer_broadcast,
     .expand = mod_expand},
    {BINARY_ROW(Remainder, 1, CLASS_FOLLOW), .internal = true, .keeps_range = 1 << 0, .gradient = mod_gradient},
    {BINARY_ROW(Fmod, 1, CLASS_FOLLOW), .internal = true, .keeps_range = 1 << 0, .gradient = mod_gradient},
    GRADIENT_ROW(RemainderDivisorGrad, "A, B, dY"),
    GRADIENT_ROW(FmodDivisorGrad, "A, B, dY"),
    {VARIADIC_ROW(Max, 13), .roles = {ROLE_BOUND}, .expand = max_expand},
    {VARIADIC_ROW(Min, 13), .roles = {ROLE_BOUND}, .expand = min_expand},
    {VARIADIC_ROW(Sum, 13), .roles = {ROLE_TERM}, .expand = sum_expand},
    {VARIADIC_ROW(Mean, 13), .roles = {ROLE_TERM}, .expand = mean_expand},
    {BINARY_ROW(Maximum, 1, CLASS_PROMOTE), .internal = true, .keeps_range = 1 << 0 | 1 << 1,
     .gradient = maximum_gradient},
    {BINARY_ROW(Minimum, 1, CLASS_PROMOTE), .internal = true, .keeps_range = 1 << 0 | 1 << 1,
     .gradient = minimum_gradient},
    GRADIENT_ROW(MaximumGrad, "X, Other, dY"),
    {.name = "Clip",
     .inputs = "X, Min?, Max?",
     .roles = {ROLE_DATA, ROLE_BOUND, ROLE_BOUND},
     .outputs = "Y",
     .since = 13,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .upgrade = clip_upgrade,
     .follow_axis = follow_broadcast,
     .infer = clip_infer,
     .expand = clip_expand},
    {BINARY_ROW(ClipBelow, 1, CLASS_FOLLOW), .internal = true, .keeps_range = 1 << 0, .gradient = clip_below_gradient},
    {BINARY_ROW(ClipAbove, 1, CLASS_FOLLOW), .internal = true, .keeps_range = 1 << 0, .gradient = clip_above_gradient},
    GRADIENT_ROW(ClipBelowGrad, "X, Min, dY"),
    GRADIENT_ROW(ClipAboveGrad, "X, Max, dY"),
    {ELEMENTWISE_FIELDS(Where), .scalar = Where_scalar, .scalar_int = Where_scalar_int, .inputs = "Condition, X, Y",
     .roles = {ROLE_DATA, ROLE_CHOICE, ROLE_CHOICE}, .since = 16, .keeps_range = 1 << 1 | 1 << 2,
     .precision = CLASS_PROMOTE, .infer = where_infer, .gradient = where_gradient},
    {ELEMENTWISE_INT(Cast), .inputs = "X", .attributes = "to:int!, saturate:int=1, round_mode:string=up", .since = 13,
     .keeps_range = 1 << 0, .precision = CLASS_NONE, .upgrade = cast_upgrade, .infer = cast_infer,
     .gradient = cast_gradient},
    {.name = "CastLike",
     .inputs = "X, Like",
     .outputs = "Y",
     .attributes = "saturate:int=1, round_mode:string=up",
     .since = 15,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .upgrade = cast_like_upgrade,
     .follow_axis = cast_like_follow_axis,
     .infer = cast_like_infer,
     .expand = cast_like_expand},
    {.name = "Identity",
     .inputs = "X",
     .outputs = "Y",
     .since = 13,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .rearranges = true,
     .keeps_order = true,
     .keeps_range = 1 << 0,
     .infer = infer_like_first,
     .expand = identity_expand},
    {0},
};
