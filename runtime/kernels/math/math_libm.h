/* math_libm.h: the functions that call libm: the rarely used ones in f32, and the f64 family. */
#ifndef PCC_MATH_LIBM_H
#define PCC_MATH_LIBM_H

#include "math_bits.h"

#define PCC_LIBM_F32(name)                     \
    PCC_INLINE float pcc_##name##_f32(float x) \
    {                                          \
        return __builtin_##name##f(x);         \
    }
PCC_LIBM_F32(tan)
PCC_LIBM_F32(asin)
PCC_LIBM_F32(acos)
PCC_LIBM_F32(atan)
PCC_LIBM_F32(sinh)
PCC_LIBM_F32(cosh)
PCC_LIBM_F32(asinh)
PCC_LIBM_F32(acosh)
PCC_LIBM_F32(atanh)
#undef PCC_LIBM_F32

/* The remainder with the sign of x, exact. */
PCC_INLINE float pcc_fmod_f32(float x, float y)
{
    return __builtin_fmodf(x, y);
}

/* The remainder of a quotient rounded down: y's sign. */
PCC_INLINE float pcc_mod_f32(float x, float y)
{
    float remainder = pcc_fmod_f32(x, y);
    return remainder != 0.0f && (remainder < 0.0f) != (y < 0.0f) ? remainder + y : remainder;
}

#define PCC_LIBM_F64(name)                       \
    PCC_INLINE double pcc_##name##_f64(double x) \
    {                                            \
        return __builtin_##name(x);              \
    }
PCC_LIBM_F64(exp)
PCC_LIBM_F64(log)
PCC_LIBM_F64(tanh)
PCC_LIBM_F64(erf)
PCC_LIBM_F64(sin)
PCC_LIBM_F64(cos)
PCC_LIBM_F64(log1p)
PCC_LIBM_F64(expm1)
PCC_LIBM_F64(sqrt)
PCC_LIBM_F64(floor)
PCC_LIBM_F64(ceil)
PCC_LIBM_F64(tan)
PCC_LIBM_F64(asin)
PCC_LIBM_F64(acos)
PCC_LIBM_F64(atan)
PCC_LIBM_F64(sinh)
PCC_LIBM_F64(cosh)
PCC_LIBM_F64(asinh)
PCC_LIBM_F64(acosh)
PCC_LIBM_F64(atanh)
#undef PCC_LIBM_F64

PCC_INLINE double pcc_abs_f64(double x)
{
    return __builtin_fabs(x);
}

PCC_INLINE double pcc_pow_f64(double x, double y)
{
    return __builtin_pow(x, y);
}

PCC_INLINE double pcc_fmod_f64(double x, double y)
{
    return __builtin_fmod(x, y);
}

/* The remainder of a quotient rounded down: y's sign. */
PCC_INLINE double pcc_mod_f64(double x, double y)
{
    double remainder = pcc_fmod_f64(x, y);
    return remainder != 0.0 && (remainder < 0.0) != (y < 0.0) ? remainder + y : remainder;
}

/* To the nearest integer, ties to even (the rounding mode is never changed). */
PCC_INLINE double pcc_round_f64(double x)
{
    return __builtin_rint(x);
}

/* As in f32. */
PCC_INLINE double pcc_round_significand_f64(double x, double bits, double least)
{
    int64_t exponent = ((PccBits_f64){.value = x}.bits >> 52 & 2047) - 1023;
    int64_t unit = (exponent < (int64_t)least ? (int64_t)least : exponent) - (int64_t)bits;
    double quantum = (PccBits_f64){.bits = (int64_t)((uint64_t)(unit + 1023) << 52)}.value;
    return __builtin_fabs(x) < __builtin_inf() ? pcc_round_f64(x / quantum) * quantum : x;
}

/* NaN if either is NaN. */
PCC_INLINE double pcc_max_f64(double a, double b)
{
    return ((a > b) | (a != a)) ? a : b;
}

PCC_INLINE double pcc_min_f64(double a, double b)
{
    return ((a < b) | (a != a)) ? a : b;
}

/* -1, 0 or 1; NaN stays NaN. */
PCC_INLINE double pcc_sign_f64(double x)
{
    return x != x ? x : (double)((x > 0.0) - (x < 0.0));
}

/* With the exponential of -|x|, so that both tails keep their relative accuracy. */
PCC_INLINE double pcc_sigmoid_f64(double x)
{
    double z = __builtin_exp(-__builtin_fabs(x));
    return (x < 0.0 ? z : 1.0) / (1.0 + z);
}

PCC_INLINE double pcc_gauss_f64(double x)
{
    return __builtin_exp(-(x * x));
}

PCC_INLINE double pcc_half_erfc_f64(double x)
{
    return 0.5 * __builtin_erfc(x);
}

#endif
