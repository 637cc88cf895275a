/* integer.h: what integer loops call, in 64 bits; pcc_max_i64 and pcc_min_i64 are scratch.h's. */
#ifndef PCC_INTEGER_H
#define PCC_INTEGER_H

#include "scratch.h"

static inline int64_t pcc_abs_i64(int64_t x)
{
    return x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
}

static inline int64_t pcc_sign_i64(int64_t x)
{
    return (x > 0) - (x < 0);
}

/* Wraps; towards zero for negative exponents, whose only whole powers are those of 1 and -1. */
static inline int64_t pcc_pow_i64(int64_t x, int64_t y)
{
    uint64_t result = 1, base = (uint64_t)x;
    if (y < 0)
        return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
    for (; y > 0; y >>= 1, base *= base)
        result *= y & 1 ? base : 1;
    return (int64_t)result;
}

/* Of a quotient rounded towards zero, so with x's sign; 0 where there is none, or where it overflows. */
static inline int64_t pcc_fmod_i64(int64_t x, int64_t y)
{
    return y == 0 || y == -1 ? 0 : x % y;
}

/* Of a quotient rounded down, so with y's sign. */
static inline int64_t pcc_mod_i64(int64_t x, int64_t y)
{
    int64_t remainder = pcc_fmod_i64(x, y);
    return remainder != 0 && (remainder < 0) != (y < 0) ? remainder + y : remainder;
}

#endif
