/* expression.h: the language of elementwise rows.
 *
 * One C expression over the operands x, y, z and the attributes p0, p1 (in the order of the row's `attributes`) is the
 * whole meaning of an elementwise row. EXPRESSION compiles it over double into NAME_scalar, EXPRESSION_INT also over
 * integers into NAME_scalar_int, and both keep its text in NAME_text, which the code generator prints for f32 and f64
 * with each function of EXPRESSION_FUNCTIONS replaced by the runtime's pcc_NAME_f32 or pcc_NAME_f64. */
#ifndef PCC_OPS_EXPRESSION_H
#define PCC_OPS_EXPRESSION_H

#include <math.h>

#include "ir/ir.h"

/* FUNCTION(name in expressions, NAME in the runtime's pcc_NAME_f32 and pcc_NAME_f64) */
#define EXPRESSION_FUNCTIONS(FUNCTION)             \
    FUNCTION(exp, exp)                             \
    FUNCTION(expm1, expm1)                         \
    FUNCTION(log, log)                             \
    FUNCTION(log1p, log1p)                         \
    FUNCTION(power, pow)                           \
    FUNCTION(modulo, mod)                          \
    FUNCTION(sqrt, sqrt)                           \
    FUNCTION(erf, erf)                             \
    FUNCTION(half_erfc, half_erfc)                 \
    FUNCTION(gauss, gauss)                         \
    FUNCTION(tanh, tanh)                           \
    FUNCTION(sigmoid, sigmoid)                     \
    FUNCTION(sin, sin)                             \
    FUNCTION(cos, cos)                             \
    FUNCTION(tan, tan)                             \
    FUNCTION(asin, asin)                           \
    FUNCTION(acos, acos)                           \
    FUNCTION(atan, atan)                           \
    FUNCTION(sinh, sinh)                           \
    FUNCTION(cosh, cosh)                           \
    FUNCTION(asinh, asinh)                         \
    FUNCTION(acosh, acosh)                         \
    FUNCTION(atanh, atanh)                         \
    FUNCTION(floor, floor)                         \
    FUNCTION(ceil, ceil)                           \
    FUNCTION(rint, round)                          \
    FUNCTION(round_significand, round_significand) \
    FUNCTION(truncated_modulo, fmod)               \
    FUNCTION(absolute, abs)                        \
    FUNCTION(sign, sign)                           \
    FUNCTION(maximum, max)                         \
    FUNCTION(minimum, min)                         \
    FUNCTION(int_sum, add)                         \
    FUNCTION(int_difference, sub)                  \
    FUNCTION(int_product, mul)                     \
    FUNCTION(int_quotient, div)                    \
    FUNCTION(shift_left, shl)                      \
    FUNCTION(shift_right, shr)

static inline double sigmoid(double x)
{
    double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static inline double half_erfc(double x)
{
    return 0.5 * erfc(x);
}

static inline double gauss(double x)
{
    return exp(-x * x);
}

/* NaN wins, as in ONNX and PyTorch. */
static inline double real_maximum(double x, double y)
{
    return x > y || x != x ? x : y;
}

static inline double real_minimum(double x, double y)
{
    return x < y || x != x ? x : y;
}

/* To the nearest number of `bits` bits behind the leading one, ties to even; below 2^least, of that exponent's. */
static inline double round_significand(double x, double bits, double least)
{
    int exponent;
    if (!(fabs(x) <= 0x1p1000) || x == 0)
        return x;
    frexp(x, &exponent);
    const int unit = (int)(fmax(exponent - 1, least) - bits);
    return ldexp(rint(ldexp(x, -unit)), unit);
}

static inline double real_sign(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : x;
}

static inline WideInt int_maximum(WideInt x, WideInt y)
{
    return x > y ? x : y;
}

static inline WideInt int_minimum(WideInt x, WideInt y)
{
    return x < y ? x : y;
}

static inline WideInt int_sign(WideInt x)
{
    return (x > 0) - (x < 0);
}

static inline WideInt int_absolute(WideInt x)
{
    return x < 0 ? -x : x;
}

/* Wraps like a product of 64-bit factors; towards zero for negative exponents, whose only whole powers are those of 1
 * and -1. */
static inline WideInt int_power(WideInt x, WideInt y)
{
    uint64_t result = 1, base = (uint64_t)x;
    if (y < 0)
        return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
    for (; y > 0; y >>= 1, base *= base)
        result *= y & 1 ? base : 1;
    return (WideInt)(int64_t)result;
}

/* The remainder of a quotient rounded towards zero: x's sign; the undefined x mod 0 is 0. */
static inline WideInt int_fmod(WideInt x, WideInt y)
{
    return y == 0 ? 0 : x % y;
}

/* Rounded down: y's sign. */
static inline WideInt int_modulo(WideInt x, WideInt y)
{
    WideInt remainder = int_fmod(x, y);
    return remainder != 0 && (remainder < 0) != (y < 0) ? remainder + y : remainder;
}

/* Integers only: emitted code calls functions that wrap. */
static inline WideInt int_sum(WideInt x, WideInt y)
{
    return x + y;
}

static inline WideInt int_difference(WideInt x, WideInt y)
{
    return x - y;
}

/* Of 64 bits: of two unsigned ones 128 bits have no room for the sign. */
static inline WideInt int_product(WideInt x, WideInt y)
{
    return (WideInt)(uint64_t)x * (int64_t)y;
}

/* Rounds towards zero, as C does; the undefined x / 0 is 0. */
static inline WideInt int_quotient(WideInt x, WideInt y)
{
    return y == 0 ? 0 : x / y;
}

/* Nothing is left of a shift by the width or more, or by less than 0, but the sign of what shifts right. */
static inline WideInt shift_left(WideInt x, WideInt y)
{
    return y >= 0 && y < 64 ? (WideInt)((uint64_t)x << y) : 0;
}

static inline WideInt shift_right(WideInt x, WideInt y)
{
    return x >> (y >= 0 && y < 64 ? y : 64);
}

static inline double real_modulo(double x, double y)
{
    double remainder = fmod(x, y);
    return remainder != 0 && (remainder < 0) != (y < 0) ? remainder + y : remainder;
}

#define power(x, y) _Generic((x), WideInt : int_power, default : pow)((x), (y))
#define modulo(x, y) _Generic((x), WideInt : int_modulo, default : real_modulo)((x), (y))
#define truncated_modulo(x, y) _Generic((x), WideInt : int_fmod, default : fmod)((x), (y))
#define maximum(x, y) _Generic((x), WideInt : int_maximum, default : real_maximum)((x), (y))
#define minimum(x, y) _Generic((x), WideInt : int_minimum, default : real_minimum)((x), (y))
#define sign(x) _Generic((x), WideInt : int_sign, default : real_sign)((x))
#define absolute(x) _Generic((x), WideInt : int_absolute, default : fabs)((x))

/* Unpacks operands and attributes for FORMULA over T; absent ones are 0. */
#define EXPRESSION_SCALAR(FUNCTION, T, ATTRIBUTES, FORMULA)                                                \
    static T FUNCTION(const T *operands, int count, const double *attributes)                              \
    {                                                                                                      \
        const T x = operands[0], y = count > 1 ? operands[1] : 0, z = count > 2 ? operands[2] : 0;         \
        const double p0 = (ATTRIBUTES) > 0 ? attributes[0] : 0, p1 = (ATTRIBUTES) > 1 ? attributes[1] : 0; \
        (void)x, (void)y, (void)z, (void)p0, (void)p1;                                                     \
        return (T)(FORMULA);                                                                               \
    }

/* FORMULA must reach `#` unexpanded, so each of these stringifies its own parameter. */
#define EXPRESSION(NAME, ATTRIBUTES, FORMULA)   \
    static const char NAME##_text[] = #FORMULA; \
    EXPRESSION_SCALAR(NAME##_scalar, double, ATTRIBUTES, FORMULA)

#define EXPRESSION_INT(NAME, FORMULA)                    \
    static const char NAME##_text[] = #FORMULA;          \
    EXPRESSION_SCALAR(NAME##_scalar, double, 0, FORMULA) \
    EXPRESSION_SCALAR(NAME##_scalar_int, WideInt, 0, FORMULA)

/* One formula over floats and one over integers. */
#define EXPRESSIONS(NAME, FORMULA, INTEGERS)             \
    static const char NAME##_text[] = #FORMULA;          \
    static const char NAME##_text_int[] = #INTEGERS;     \
    EXPRESSION_SCALAR(NAME##_scalar, double, 0, FORMULA) \
    EXPRESSION_SCALAR(NAME##_scalar_int, WideInt, 0, INTEGERS)

/* Integers only, as in the bitwise operators. */
#define EXPRESSION_INT_ONLY(NAME, FORMULA)      \
    static const char NAME##_text[] = #FORMULA; \
    EXPRESSION_SCALAR(NAME##_scalar_int, WideInt, 0, FORMULA)

/* The designated initializers that every elementwise row shares. */
#define ELEMENTWISE_FIELDS(NAME) .name = #NAME, .outputs = "Y", .kind = OP_ELEMENTWISE, .expression = NAME##_text

#define ELEMENTWISE(NAME) ELEMENTWISE_FIELDS(NAME), .scalar = NAME##_scalar
#define ELEMENTWISE_INT(NAME) ELEMENTWISE_FIELDS(NAME), .scalar = NAME##_scalar, .scalar_int = NAME##_scalar_int
#define ELEMENTWISE_BOTH(NAME) ELEMENTWISE_INT(NAME), .expression_int = NAME##_text_int

#endif
