/* math_pow.h: pow in f32: e^(y log|x|) with the logarithm to about 2^-33 in two floats. */
#ifndef PCC_MATH_POW_H
#define PCC_MATH_POW_H

#include "math_explog.h"

/* A number as the unevaluated sum of two floats, |low| <= ulp(high) / 2 or so. */
typedef struct PccPair_f32 {
    float high, low;
} PccPair_f32;

/* a + b exactly, for |a| >= |b| or a = 0 (Dekker). */
PCC_INLINE PccPair_f32 pcc_fast_sum_f32(float a, float b)
{
    float sum = a + b;
    return (PccPair_f32){sum, b - (sum - a)};
}

/* log(1 + f) = 2 atanh(s), s = f / (2 + f): 2 s + s^3 (2/3 + s^2 P(s^2)), each leading term with its rounding error. */
PCC_INLINE PccPair_f32 pcc_log_mantissa_f32(float f)
{
    PccPair_f32 denominator = pcc_fast_sum_f32(2.0f, f);
    float s = f / denominator.high;
    float product = s * denominator.high;
    float s_low = (((f - product) - pcc_product_error_f32(s, denominator.high, product)) - s * denominator.low) /
                  denominator.high;
    float q = s * s;
    float q_low = pcc_product_error_f32(s, s, q) + 2.0f * s * s_low;
    float p = pcc_fma_f32(0x1.97dcbcp-3f, q, 0x1.c5c0bep-3f);
    p = pcc_fma_f32(p, q, 0x1.2494fep-2f);
    p = pcc_fma_f32(p, q, 0x1.999996p-2f) * q;
    PccPair_f32 c = pcc_fast_sum_f32(0x1.555556p-1f, p - 0x1.555556p-26f); /* 2/3 = 0x1.555556p-1 - 0x1.555556p-26 */
    float t = q * c.high;
    float t_low = pcc_product_error_f32(q, c.high, t) + q * c.low + q_low * c.high;
    float u = s * t;
    float u_low = pcc_product_error_f32(s, t, u) + s * t_low + s_low * t;
    PccPair_f32 y = pcc_fast_sum_f32(2.0f * s, u);
    y.low += 2.0f * s_low + u_low;
    return y;
}

/* log x for finite x > 0. */
PCC_INLINE PccPair_f32 pcc_log_pair_f32(float x)
{
    PccLogReduced l = pcc_log_reduce_f32(x);
    PccPair_f32 m = pcc_log_mantissa_f32(l.f);
    PccPair_f32 sum = pcc_fast_sum_f32(l.e * PCC_LN2_HIGH, m.high);
    float shift = l.e * PCC_LN2_LOW;
    float shift_low = pcc_fma_f32(l.e, -0x1.718432p-35f, pcc_product_error_f32(l.e, PCC_LN2_LOW, shift));
    PccPair_f32 y = pcc_fast_sum_f32(sum.high, shift);
    y.low += sum.low + (m.low + shift_low);
    return y;
}

/* -1 where y is an integer that is odd, as a mask; every float from 2^24 on is even. */
PCC_INLINE int32_t pcc_odd_mask_f32(float y)
{
    int32_t small = pcc_mask_f32(pcc_abs_f32(y) < 0x1p+24f);
    float safe = pcc_select_f32(small, y, 0.0f);
    int32_t whole = (int32_t)safe;
    return pcc_mask_f32((float)whole == safe) & -(whole & 1);
}

/* -1 where y is not an integer, as a mask. */
PCC_INLINE int32_t pcc_fraction_mask_f32(float y)
{
    float safe = pcc_select_f32(pcc_mask_f32(pcc_abs_f32(y) < 0x1p+23f), y, 0.0f);
    return pcc_mask_f32((float)(int32_t)safe != safe);
}

/* Sets the sign of x^y, and the special cases of C11 Annex F.10.4.4. z = |x|^y. */
PCC_INLINE float pcc_pow_special_f32(float x, float y, float z)
{
    int32_t negative = pcc_bits_f32(x) >> 31;
    int32_t ordinary = pcc_mask_f32((x != 0.0f) & (x != -PCC_INF_F32));
    z = pcc_from_bits_f32(pcc_bits_f32(z) ^ (pcc_odd_mask_f32(y) & negative & INT32_MIN));
    z = pcc_select_f32(negative & pcc_fraction_mask_f32(y) & ordinary, PCC_NAN_F32, z);
    z = pcc_select_f32(pcc_mask_f32(x != x), x, z);
    int one = (x == 1.0f) | (y == 0.0f) | ((x == -1.0f) & (pcc_abs_f32(y) == PCC_INF_F32));
    return pcc_select_f32(pcc_mask_f32(one), 1.0f, z);
}

PCC_INLINE float pcc_pow_f32(float x, float y)
{
    float a = pcc_abs_f32(x);
    PccPair_f32 log = pcc_log_pair_f32(a);
    log.high = pcc_log_special_f32(a, log.high);
    float exponent = y * log.high;
    float low = pcc_fma_f32(y, log.low, pcc_product_error_f32(y, log.high, exponent));
    float limited = pcc_clamp_f32(exponent, -110.0f, 95.0f);
    low = pcc_select_f32(pcc_mask_f32(limited == exponent), low, 0.0f);
    PccExpReduced e = pcc_exp_reduce_pair_f32(limited, low);
    return pcc_pow_special_f32(x, y, pcc_exp_scale_f32(e.r, e.n));
}

#endif
