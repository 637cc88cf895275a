/* functions.c: the elementary functions. The gradients are those of the calculus textbook, from whichever of X and Y
 * makes them cheapest. */
#include "ir/ops/shared/unary.h"

/* NormSqrt and NormRoot end a norm, the root of a sum of powers: the norm of a zero vector has the gradient 0, the
 * subgradient of least length, where the root alone would give infinity times zero. */
/* clang-format off */
#define FUNCTION_ROWS(ROW) \
    ROW(Exp,        "", 0, 13, KEEP,   exp(x),     OUTPUT, y * x) \
    ROW(Log,        "", 0, 13, KEEP,   log(x),     INPUT,  y / x) \
    ROW(Sqrt,       "", 0, 13, KEEP,   sqrt(x),    OUTPUT, 0.5 * y / x) \
    ROW(NormSqrt,   "", 0, OWN, KEEP,  sqrt(x),    OUTPUT, x == 0.0 ? 0.0 : 0.5 * y / x) \
    ROW(NormRoot,   "degree:float!", 1, OWN, KEEP, power(x, 1.0 / p0), INPUT, \
        x == 0.0 ? 0.0 : y * power(x, 1.0 / p0 - 1.0) / p0) \
    ROW(PowerThreeHalves, "", 0, OWN, KEEP, x * sqrt(x), INPUT, 1.5 * y * sqrt(x)) \
    ROW(Reciprocal, "", 0, 13, KEEP,   1.0 / x,    OUTPUT, -y * x * x) \
    ROW(Square,     "", 0, OWN, KEEP,  x * x,      INPUT,  2.0 * x * y) \
    ROW(Erf,        "", 0, 13, FOLLOW, erf(x),     INPUT,  y * 1.1283791670955126 * exp(-x * x)) /* 2/sqrt(pi) */ \
    ROW(Sin,        "", 0, 22, KEEP,   sin(x),     INPUT,  y * cos(x)) \
    ROW(Cos,        "", 0, 22, KEEP,   cos(x),     INPUT,  -y * sin(x)) \
    ROW(Tan,        "", 0, 22, KEEP,   tan(x),     OUTPUT, y * (1.0 + x * x)) \
    ROW(Asin,       "", 0, 22, KEEP,   asin(x),    INPUT,  y / sqrt((1.0 - x) * (1.0 + x))) \
    ROW(Acos,       "", 0, 22, KEEP,   acos(x),    INPUT,  -y / sqrt((1.0 - x) * (1.0 + x))) \
    ROW(Atan,       "", 0, 22, FOLLOW, atan(x),    INPUT,  y / (1.0 + x * x)) \
    ROW(Sinh,       "", 0, 22, KEEP,   sinh(x),    INPUT,  y * cosh(x)) \
    ROW(Cosh,       "", 0, 22, KEEP,   cosh(x),    INPUT,  y * sinh(x)) \
    ROW(Asinh,      "", 0, 22, FOLLOW, asinh(x),   INPUT,  y / sqrt(1.0 + x * x)) \
    ROW(Acosh,      "", 0, 22, FOLLOW, acosh(x),   INPUT,  y / sqrt((x - 1.0) * (x + 1.0))) \
    ROW(Atanh,      "", 0, 22, FOLLOW, atanh(x),   INPUT,  y / ((1.0 - x) * (1.0 + x))) \
    ROW(Tanh,       "", 0, 13, FOLLOW, tanh(x),    OUTPUT, y * (1.0 - x * x)) \
    ROW(Sigmoid,    "", 0, 13, FOLLOW, sigmoid(x), OUTPUT, y * x * (1.0 - x))
/* clang-format on */

FUNCTION_ROWS(UNARY_DEFINE)

const Op functions_ops[] = {FUNCTION_ROWS(UNARY_ROWS){0}};
