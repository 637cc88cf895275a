/* logic.c: comparisons, boolean and bitwise operators, rounding. They propagate no gradient. */
#include "ir/ops/shared/expression.h"
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/support.h"

EXPRESSION_INT(Equal, x == y)
EXPRESSION_INT(Less, x < y)
EXPRESSION_INT(LessOrEqual, x <= y)
EXPRESSION_INT(Greater, x > y)
EXPRESSION_INT(GreaterOrEqual, x >= y)

EXPRESSION_INT(And, x != 0 && y != 0)
EXPRESSION_INT(Or, x != 0 || y != 0)
EXPRESSION_INT(Xor, (x != 0) != (y != 0))
EXPRESSION_INT(Not, x == 0)

EXPRESSION_INT_ONLY(BitwiseAnd, x &y)
EXPRESSION_INT_ONLY(BitwiseOr, x | y)
EXPRESSION_INT_ONLY(BitwiseXor, x ^ y)
EXPRESSION_INT_ONLY(BitwiseNot, ~x)
EXPRESSION_INT_ONLY(ShiftLeft, shift_left(x, y))
EXPRESSION_INT_ONLY(ShiftRight, shift_right(x, y))

EXPRESSION(Floor, 0, floor(x))
EXPRESSION(Ceil, 0, ceil(x))
EXPRESSION(Round, 0, rint(x))
EXPRESSION(IsNaN, 0, x != x)
/* p0: detect_negative, p1: detect_positive. Only an infinity is equal to itself and not to zero less itself. */
EXPRESSION(IsInf, 2, x == x && x - x != 0.0 && (x < 0.0 ? p0 : p1) != 0.0)

static bool bit_shift_infer(Graph *graph, Node *node)
{
    const char *direction = attr_string(node, "direction");
    Type type;
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return REJECT(graph, node, "attribute 'direction' is '%s'; it must be 'LEFT' or 'RIGHT'", direction);
    if (!broadcast_dims(&node->inputs[0]->type, &node->inputs[1]->type, &type))
        return REJECT(graph, node, "operands %s and %s do not broadcast",
                      type_text(graph->arena, &node->inputs[0]->type), type_text(graph->arena, &node->inputs[1]->type));
    type.dtype = node->inputs[0]->type.dtype;
    return set_output_type(graph, node, 0, type);
}

static void bit_shift_expand(Graph *graph, Node *node, Value **replacements)
{
    const char *op = strcmp(attr_string(node, "direction"), "LEFT") == 0 ? "ShiftLeft" : "ShiftRight";
    replacements[0] = build_binary(graph, op, node->inputs[0], node->inputs[1]);
}

#define COMPARISON(NAME, SINCE)                                                                                \
    {                                                                                                          \
        ELEMENTWISE_INT(NAME), .inputs = "A, B", .since = SINCE, .precision = CLASS_NONE, .returns_bool = true \
    }
#define BITWISE(NAME, INPUTS, SINCE) \
    ELEMENTWISE_FIELDS(NAME), .scalar_int = NAME##_scalar_int, .inputs = INPUTS, .since = SINCE, .precision = CLASS_NONE
#define ROUNDING(NAME, SINCE)                                                                              \
    {                                                                                                      \
        ELEMENTWISE(NAME), .inputs = "X", .since = SINCE, .keeps_range = 1 << 0, .precision = CLASS_FOLLOW \
    }

const Op logic_ops[] = {
    COMPARISON(Equal, 19),
    COMPARISON(Less, 13),
    COMPARISON(LessOrEqual, 16),
    COMPARISON(Greater, 13),
    COMPARISON(GreaterOrEqual, 16),
    COMPARISON(And, 7),
    COMPARISON(Or, 7),
    COMPARISON(Xor, 7),
    {ELEMENTWISE_INT(Not), .inputs = "X", .since = 1, .precision = CLASS_NONE, .returns_bool = true},
    {BITWISE(BitwiseAnd, "A:int, B:int", 18), .keeps_range = 1 << 0 | 1 << 1},
    {BITWISE(BitwiseOr, "A:int, B:int", 18)},
    {BITWISE(BitwiseXor, "A:int, B:int", 18)},
    {BITWISE(BitwiseNot, "X:int", 18)},
    {BITWISE(ShiftLeft, "X:int, Y:int", 1), .internal = true},
    {BITWISE(ShiftRight, "X:int, Y:int", 1), .internal = true},
    {.name = "BitShift",
     .inputs = "X, Y",
     .outputs = "Z",
     .attributes = "direction:string!",
     .since = 11,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .follow_axis = follow_broadcast,
     .infer = bit_shift_infer,
     .expand = bit_shift_expand},
    ROUNDING(Floor, 13),
    ROUNDING(Ceil, 13),
    ROUNDING(Round, 22),
    {ELEMENTWISE(IsNaN), .inputs = "X", .since = 20, .precision = CLASS_NONE, .returns_bool = true},
    {ELEMENTWISE(IsInf), .inputs = "X", .attributes = "detect_negative:int=1, detect_positive:int=1", .since = 20,
     .precision = CLASS_NONE, .returns_bool = true},
    {0},
};
