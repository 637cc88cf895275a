/* math_explog.h: exp, expm1, sigmoid, log, log1p in f32.
 *
 * Polynomials are minimax fits of the relative error (Lawson's iteration, coefficients rounded to f32 one by one). */
#ifndef PCC_MATH_EXPLOG_H
#define PCC_MATH_EXPLOG_H

#include "math_bits.h"

#define PCC_LOG2_E 0x1.715476p+0f
/* ln 2 = high + low; high has 9 trailing zero bits, so that n * high is exact for |n| < 512 (Cody and Waite). */
#define PCC_LN2_HIGH 0x1.62p-1f
#define PCC_LN2_LOW 0x1.c85fep-10f
/* Adding 1.5 * 2^23 rounds |x| < 2^22 to the nearest integer, ties to even, and leaves it in the low bits. */
#define PCC_ROUNDER 0x1.8p+23f

/* x = n ln 2 + r with |r| <= 0.3475, for |x| < 2^15. */
typedef struct PccExpReduced {
    int32_t n;
    float r;
} PccExpReduced;

/* The same for x + low, |low| <= ulp(x). */
PCC_INLINE PccExpReduced pcc_exp_reduce_pair_f32(float x, float low)
{
    float t = pcc_fma_f32(x, PCC_LOG2_E, PCC_ROUNDER);
    float n = t - PCC_ROUNDER;
    float r = pcc_fma_f32(-n, PCC_LN2_HIGH, x);
    return (PccExpReduced){pcc_bits_f32(t) - pcc_bits_f32(PCC_ROUNDER), r + pcc_fma_f32(-n, PCC_LN2_LOW, low)};
}

PCC_INLINE PccExpReduced pcc_exp_reduce_f32(float x)
{
    float t = pcc_fma_f32(x, PCC_LOG2_E, PCC_ROUNDER);
    float n = t - PCC_ROUNDER;
    float r = pcc_fma_f32(-n, PCC_LN2_HIGH, x);
    return (PccExpReduced){pcc_bits_f32(t) - pcc_bits_f32(PCC_ROUNDER), pcc_fma_f32(-n, PCC_LN2_LOW, r)};
}

/* e^r - 1 for |r| <= 0.3475; relative error of the polynomial 2^-28. */
PCC_INLINE float pcc_expm1_reduced_f32(float r)
{
    float q = pcc_fma_f32(0x1.6a5aep-10f, r, 0x1.123b04p-7f);
    q = pcc_fma_f32(q, r, 0x1.5558a6p-5f);
    q = pcc_fma_f32(q, r, 0x1.555490p-3f);
    q = pcc_fma_f32(q, r, 0x1.fffffcp-2f);
    return pcc_fma_f32(r * r, q, r);
}

/* e^x for x in [-87, 88], where nothing overflows or is subnormal. */
PCC_INLINE float pcc_exp_normal_f32(float x)
{
    PccExpReduced e = pcc_exp_reduce_f32(x);
    return (pcc_expm1_reduced_f32(e.r) + 1.0f) * pcc_pow2_f32(e.n);
}

/* e^r 2^n for n in [-252, 254]; the scale is applied in two halves, so that only the last product rounds. */
PCC_INLINE float pcc_exp_scale_f32(float r, int32_t n)
{
    int32_t half = n >> 1;
    return (pcc_expm1_reduced_f32(r) + 1.0f) * pcc_pow2_f32(half) * pcc_pow2_f32(n - half);
}

/* Below -104, as where a mask is -inf, the result is set to 0 instead of computed: an underflow costs a hundred
 * cycles. */
PCC_INLINE float pcc_exp_f32(float x)
{
    int32_t zero = pcc_mask_f32(x < -104.0f);
    x = pcc_select_f32(pcc_mask_f32(x > 89.0f), 89.0f, pcc_from_bits_f32(pcc_bits_f32(x) & ~zero));
    PccExpReduced e = pcc_exp_reduce_f32(x);
    return pcc_from_bits_f32(pcc_bits_f32(pcc_exp_scale_f32(e.r, e.n)) & ~zero);
}

PCC_INLINE float pcc_expm1_f32(float x)
{
    PccExpReduced e = pcc_exp_reduce_f32(pcc_clamp_f32(x, -20.0f, 89.0f));
    float scale = pcc_pow2_f32(e.n - 1); /* half of 2^n, as 2^128 is not representable */
    float y = 2.0f * pcc_fma_f32(pcc_expm1_reduced_f32(e.r), scale, scale - 0.5f);
    return pcc_copysign_f32(y, x);
}

/* 1 / (1 + e^-x), with the exponential of -|x| so that both tails keep their relative accuracy. The rounding error of
 * the denominator is corrected to first order. */
PCC_INLINE float pcc_sigmoid_f32(float x)
{
    float z = pcc_exp_f32(-pcc_abs_f32(x));
    float denominator = 1.0f + z;
    float lost = z - (denominator - 1.0f);
    float y = pcc_select_f32(pcc_mask_f32(x < 0.0f), z, 1.0f) / denominator;
    return pcc_fma_f32(-y, lost, y);
}

/* x = (1 + f) 2^e with 1 + f in [2/3, 4/3), for x > 0 and finite, subnormal or not. */
typedef struct PccLogReduced {
    float e, f;
} PccLogReduced;

PCC_INLINE PccLogReduced pcc_log_reduce_f32(float x)
{
    int32_t subnormal = pcc_mask_f32(x < 0x1p-126f);
    int32_t bits = pcc_bits_f32(pcc_select_f32(subnormal, x * 0x1p+23f, x));
    int32_t e = (int32_t)((uint32_t)bits - 0x3f2aaaab) >> 23;
    float mantissa = pcc_from_bits_f32((int32_t)((uint32_t)bits - ((uint32_t)e << 23)));
    return (PccLogReduced){(float)(e - (23 & subnormal)), mantissa - 1.0f};
}

/* (log(1 + f) - f) for |f| <= 1/3; error of the polynomial 2^-27.7 relative to log(1 + f). */
PCC_INLINE float pcc_log1p_reduced_f32(float f)
{
    float p = pcc_fma_f32(-0x1.07e6e0p-3f, f, 0x1.1e72a0p-3f);
    p = pcc_fma_f32(p, f, -0x1.f32020p-4f);
    p = pcc_fma_f32(p, f, 0x1.1ed452p-3f);
    p = pcc_fma_f32(p, f, -0x1.559d38p-3f);
    p = pcc_fma_f32(p, f, 0x1.99d05cp-3f);
    p = pcc_fma_f32(p, f, -0x1.fffef4p-3f);
    p = pcc_fma_f32(p, f, 0x1.555506p-2f);
    float square = f * f;
    return pcc_fma_f32(square * f, p, -0.5f * square);
}

/* The value of a logarithm for arguments that are not finite and positive, else y. */
PCC_INLINE float pcc_log_special_f32(float x, float y)
{
    y = pcc_select_f32(pcc_mask_f32(x == PCC_INF_F32), PCC_INF_F32, y);
    y = pcc_select_f32(pcc_mask_f32(x == 0.0f), -PCC_INF_F32, y);
    return pcc_select_f32(pcc_mask_f32(x >= 0.0f), y, PCC_NAN_F32);
}

PCC_INLINE float pcc_log_f32(float x)
{
    PccLogReduced l = pcc_log_reduce_f32(x);
    float tail = pcc_fma_f32(l.e, PCC_LN2_LOW, pcc_log1p_reduced_f32(l.f));
    return pcc_log_special_f32(x, pcc_fma_f32(l.e, PCC_LN2_HIGH, l.f + tail));
}

/* log(u) with u = 1 + x rounded, plus the rounding error (Knuth's two-sum) divided by u. */
PCC_INLINE float pcc_log1p_f32(float x)
{
    float u = 1.0f + x;
    float x_in_u = u - 1.0f;
    float lost = (1.0f - (u - x_in_u)) + (x - x_in_u);
    PccLogReduced l = pcc_log_reduce_f32(u);
    float correction = lost / u;
    float tail = pcc_fma_f32(l.e, PCC_LN2_LOW, pcc_log1p_reduced_f32(l.f) + correction);
    float y = pcc_log_special_f32(u, pcc_fma_f32(l.e, PCC_LN2_HIGH, l.f + tail));
    return pcc_select_f32(pcc_mask_f32(pcc_abs_f32(x) < 0x1p-25f), x, y);
}

#endif
