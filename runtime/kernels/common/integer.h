/* integer.h: functions that integer loops call, in 64 bits: pcc_NAME_i64 for every dtype but u64, pcc_NAME_u64 for
 * that. Sums and products wrap, and no operand has an undefined result. pcc_max_i64 and pcc_min_i64 are in
 * scratch.h. */
#ifndef PCC_INTEGER_H
#define PCC_INTEGER_H

#include "scratch.h"

/* ---- functions with the same bits for both ---- */

#define PCC_WRAPPING(T, SUFFIX)                                               \
    PCC_KERNEL T pcc_add_##SUFFIX(T x, T y)                                   \
    {                                                                         \
        return (T)((uint64_t)x + (uint64_t)y);                                \
    }                                                                         \
    PCC_KERNEL T pcc_sub_##SUFFIX(T x, T y)                                   \
    {                                                                         \
        return (T)((uint64_t)x - (uint64_t)y);                                \
    }                                                                         \
    PCC_KERNEL T pcc_mul_##SUFFIX(T x, T y)                                   \
    {                                                                         \
        return (T)((uint64_t)x * (uint64_t)y);                                \
    }                                                                         \
    /* The result of a shift by 64 or more, or by less than 0, is 0. */       \
    PCC_KERNEL T pcc_shl_##SUFFIX(T x, T y)                                   \
    {                                                                         \
        return (uint64_t)y < 64 ? (T)((uint64_t)x << ((uint64_t)y & 63)) : 0; \
    }                                                                         \
    /* x to a non-negative power */                                           \
    PCC_KERNEL T pcc_natural_pow_##SUFFIX(T x, uint64_t y)                    \
    {                                                                         \
        uint64_t result = 1, base = (uint64_t)x;                              \
        for (; y > 0; y >>= 1, base *= base)                                  \
            result *= y & 1 ? base : 1;                                       \
        return (T)result;                                                     \
    }
PCC_WRAPPING(int64_t, i64)
PCC_WRAPPING(uint64_t, u64)
#undef PCC_WRAPPING

/* ---- signed ---- */

PCC_KERNEL int64_t pcc_abs_i64(int64_t x)
{
    return x < 0 ? pcc_sub_i64(0, x) : x;
}

PCC_KERNEL int64_t pcc_sign_i64(int64_t x)
{
    return (x > 0) - (x < 0);
}

/* Rounded towards zero for negative exponents: only 1 and -1 have integer powers then. */
PCC_KERNEL int64_t pcc_pow_i64(int64_t x, int64_t y)
{
    if (y < 0)
        return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
    return pcc_natural_pow_i64(x, (uint64_t)y);
}

/* Rounded towards zero; 0 for division by zero. */
PCC_KERNEL int64_t pcc_div_i64(int64_t x, int64_t y)
{
    return y == 0 ? 0 : y == -1 ? pcc_sub_i64(0, x) : x / y;
}

/* The remainder of a quotient rounded towards zero, so with x's sign; 0 for division by zero and where the quotient
 * overflows. */
PCC_KERNEL int64_t pcc_fmod_i64(int64_t x, int64_t y)
{
    return y == 0 || y == -1 ? 0 : x % y;
}

/* The remainder of a quotient rounded down, so with y's sign. */
PCC_KERNEL int64_t pcc_mod_i64(int64_t x, int64_t y)
{
    int64_t remainder = pcc_fmod_i64(x, y);
    return remainder != 0 && (remainder < 0) != (y < 0) ? remainder + y : remainder;
}

/* An arithmetic shift; one by 64 or more, or by less than 0, leaves only copies of the sign. */
PCC_KERNEL int64_t pcc_shr_i64(int64_t x, int64_t y)
{
    uint64_t sign = x < 0 ? UINT64_MAX : 0, count = (uint64_t)y < 63 ? (uint64_t)y : 63;
    return (int64_t)(((uint64_t)x ^ sign) >> count ^ sign);
}

/* ---- unsigned ---- */

PCC_KERNEL uint64_t pcc_max_u64(uint64_t x, uint64_t y)
{
    return x > y ? x : y;
}

PCC_KERNEL uint64_t pcc_min_u64(uint64_t x, uint64_t y)
{
    return x < y ? x : y;
}

PCC_KERNEL uint64_t pcc_abs_u64(uint64_t x)
{
    return x;
}

PCC_KERNEL uint64_t pcc_sign_u64(uint64_t x)
{
    return x > 0;
}

PCC_KERNEL uint64_t pcc_pow_u64(uint64_t x, uint64_t y)
{
    return pcc_natural_pow_u64(x, y);
}

PCC_KERNEL uint64_t pcc_div_u64(uint64_t x, uint64_t y)
{
    return y == 0 ? 0 : x / y;
}

PCC_KERNEL uint64_t pcc_fmod_u64(uint64_t x, uint64_t y)
{
    return y == 0 ? 0 : x % y;
}

PCC_KERNEL uint64_t pcc_mod_u64(uint64_t x, uint64_t y)
{
    return pcc_fmod_u64(x, y);
}

PCC_KERNEL uint64_t pcc_shr_u64(uint64_t x, uint64_t y)
{
    return y < 64 ? x >> y : 0;
}

/* ---- from floats: towards zero; the nearest integer beyond the range; 0 for NaN ---- */

#define PCC_INTEGER_FROM(T, SUFFIX)                                       \
    PCC_KERNEL int64_t pcc_i64_from_##SUFFIX(T x)                         \
    {                                                                     \
        if (x != x)                                                       \
            return 0;                                                     \
        if (x >= (T)0x1p63f)                                              \
            return INT64_MAX;                                             \
        return x < -(T)0x1p63f ? INT64_MIN : (int64_t)x;                  \
    }                                                                     \
    /* A negative one wraps, as in a conversion to a narrower integer. */ \
    PCC_KERNEL uint64_t pcc_u64_from_##SUFFIX(T x)                        \
    {                                                                     \
        if (!(x >= (T)0x1p63f))                                           \
            return (uint64_t)pcc_i64_from_##SUFFIX(x);                    \
        return x < (T)0x1p64f ? (uint64_t)x : UINT64_MAX;                 \
    }
PCC_INTEGER_FROM(float, f32)
PCC_INTEGER_FROM(double, f64)
#undef PCC_INTEGER_FROM

#endif
