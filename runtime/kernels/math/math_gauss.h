/* math_gauss.h: what the GELU of erf is made of, in f32: e^(-x^2), and erfc(x)/2, the normal distribution function of
 * -sqrt(2) x. */
#ifndef PCC_MATH_GAUSS_H
#define PCC_MATH_GAUSS_H

#include "math_bits.h"
#include "math_explog.h"

/* The lesser of two numbers that are not negative: as integers, whose minimum is one instruction everywhere and never
 * becomes a branch. */
PCC_INLINE float pcc_lesser_magnitude_f32(float a, float b)
{
    int32_t a_bits = pcc_bits_f32(a), b_bits = pcc_bits_f32(b);
    return pcc_from_bits_f32(a_bits < b_bits ? a_bits : b_bits);
}

/* y, or a NaN where x is one. */
PCC_INLINE float pcc_nan_of_f32(float x, float y)
{
    return pcc_from_bits_f32(pcc_bits_f32(y) | pcc_mask_f32(x != x));
}

/* 2^(f + n) for |f| <= 1/2 and n in [-126, 127], and 0 for n = -127; relative error of the polynomial 2^-28. */
PCC_INLINE float pcc_exp2_reduced_f32(float f, int32_t n)
{
    float p = pcc_fma_f32(0x1.417a70p-13f, f, 0x1.5f0948p-10f);
    p = pcc_fma_f32(p, f, 0x1.3b2dd2p-7f);
    p = pcc_fma_f32(p, f, 0x1.c6af7ap-5f);
    p = pcc_fma_f32(p, f, 0x1.ebfbdcp-3f);
    p = pcc_fma_f32(p, f, 0x1.62e430p-1f);
    p = pcc_fma_f32(p, f, 1.0f);
    return p * pcc_pow2_f32(n);
}

/* 0 where it would be below 2^-126.5. The relative error is that of rounding x^2, x^2 2^-24, and 1 ulp. */
PCC_INLINE float pcc_gauss_f32(float x)
{
    float square = pcc_lesser_magnitude_f32(x * x, 88.0f);
    float t = pcc_fma_f32(square, PCC_LOG2_E, PCC_ROUNDER);
    float f = pcc_fma_f32(-square, PCC_LOG2_E, t - PCC_ROUNDER);
    return pcc_nan_of_f32(x, pcc_exp2_reduced_f32(f, pcc_bits_f32(PCC_ROUNDER) - pcc_bits_f32(t)));
}

/* 2^-Q(|x|) / 2 with Q = -log2(erfc) for x >= 0, and 1 less that for x < 0: the absolute error is 1.25 2^-24. Q is
 * fitted as far as |x| = 4.2, its error weighted by erfc; beyond, it grows faster than -log2(erfc), to where the result
 * is 0. */
PCC_INLINE float pcc_half_erfc_f32(float x)
{
    float a = pcc_abs_f32(x);
    float q = pcc_fma_f32(0x1.7c7820p-15f, a, -0x1.d32206p-12f);
    q = pcc_fma_f32(q, a, 0x1.8672e2p-10f);
    q = pcc_fma_f32(q, a, 0x1.9611fcp-11f);
    q = pcc_fma_f32(q, a, -0x1.cee7a2p-6f);
    q = pcc_fma_f32(q, a, 0x1.30170cp-3f);
    q = pcc_fma_f32(q, a, 0x1.d63aaep-1f);
    q = pcc_fma_f32(q, a, 0x1.a0be9ep+0f);
    q = pcc_lesser_magnitude_f32(q * a, 126.0f);
    float t = q + PCC_ROUNDER;
    float tail = pcc_exp2_reduced_f32((t - PCC_ROUNDER) - q, pcc_bits_f32(PCC_ROUNDER) - pcc_bits_f32(t) - 1);
    return pcc_nan_of_f32(x, pcc_select_f32(pcc_mask_f32(x < 0.0f), 1.0f - tail, tail));
}

#endif
