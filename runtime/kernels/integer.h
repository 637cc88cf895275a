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

#endif
