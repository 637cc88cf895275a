/* math_round.h: comparisons, rounding and square root in f32. */
#ifndef PCC_MATH_ROUND_H
#define PCC_MATH_ROUND_H

#include "math_bits.h"

#if defined(__SSE__) && defined(__clang__)
#    include <xmmintrin.h>
#endif

/* NaN if either is NaN. */
PCC_INLINE float pcc_max_f32(float a, float b)
{
    return pcc_select_f32(pcc_mask_f32((a > b) | (a != a)), a, b);
}

PCC_INLINE float pcc_min_f32(float a, float b)
{
    return pcc_select_f32(pcc_mask_f32((a < b) | (a != a)), a, b);
}

/* -1, 0 or 1; NaN stays NaN. */
PCC_INLINE float pcc_sign_f32(float x)
{
    float sign = (float)((x > 0.0f) - (x < 0.0f));
    return pcc_select_f32(pcc_mask_f32(x != x), x, sign);
}

/* To the nearest integer, ties to even: adding and subtracting 2^23 with the sign of x rounds values below it. */
PCC_INLINE float pcc_round_f32(float x)
{
    float rounder = pcc_copysign_f32(0x1p+23f, x);
    float rounded = pcc_copysign_f32((x + rounder) - rounder, x);
    return pcc_select_f32(pcc_mask_f32(pcc_abs_f32(x) < 0x1p+23f), rounded, x);
}

/* To the nearest number of `bits` bits behind the leading one, ties to even; below 2^least, of that exponent's. For
 * bits + |least| < 126. */
PCC_INLINE float pcc_round_significand_f32(float x, float bits, float least)
{
    int32_t exponent = (pcc_bits_f32(x) >> 23 & 255) - 127;
    int32_t lowest = (int32_t)least, at_least = -(int32_t)(exponent < lowest);
    int32_t unit = ((lowest & at_least) | (exponent & ~at_least)) - (int32_t)bits;
    float quantum = pcc_from_bits_f32((int32_t)((uint32_t)(unit + 127) << 23));
    float rounded = pcc_round_f32(x / quantum) * quantum;
    return pcc_select_f32(pcc_mask_f32(pcc_abs_f32(x) < PCC_INF_F32), rounded, x);
}

PCC_INLINE float pcc_floor_f32(float x)
{
    float nearest = pcc_round_f32(x);
    float below = nearest - pcc_select_f32(pcc_mask_f32(nearest > x), 1.0f, 0.0f);
    return pcc_copysign_f32(below, x);
}

PCC_INLINE float pcc_ceil_f32(float x)
{
    return -pcc_floor_f32(-x);
}

/* 1 / sqrt(x) from an initial guess by halving the exponent (error 3.5 %) and three Newton steps, then one step on the
 * root itself. sqrtf may set errno and so keeps gcc from vectorising; this costs about as much as the instruction. */
PCC_INLINE float pcc_sqrt_newton_f32(float x)
{
    int32_t small = pcc_mask_f32(x < 0x1p-100f);
    float scaled = pcc_select_f32(small, x * 0x1p+32f, x);
    float half = 0.5f * scaled;
    float y = pcc_from_bits_f32(0x5f375a86 - (pcc_bits_f32(pcc_abs_f32(scaled)) >> 1));
    y = y * pcc_fma_f32(-half * y, y, 1.5f);
    y = y * pcc_fma_f32(-half * y, y, 1.5f);
    y = y * pcc_fma_f32(-half * y, y, 1.5f);
    float root = scaled * y;
    root = pcc_fma_f32(pcc_fma_f32(-root, root, scaled), 0.5f * y, root);
    root *= pcc_select_f32(small, 0x1p-16f, 1.0f);
    root = pcc_select_f32(pcc_mask_f32((x == 0.0f) | (x == PCC_INF_F32)), x, root);
    return pcc_select_f32(pcc_mask_f32(x < 0.0f), PCC_NAN_F32, root);
}

PCC_INLINE float pcc_sqrt_f32(float x)
{
#if defined(__clang__) && defined(__SSE__)
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); /* vectorised as the square root instruction */
#else
    return pcc_sqrt_newton_f32(x);
#endif
}

#endif
