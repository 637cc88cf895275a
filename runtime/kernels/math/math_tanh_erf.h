/* math_tanh_erf.h: tanh and erf in f32: an odd polynomial near zero, 1 minus a term with an exponential beyond. */
#ifndef PCC_MATH_TANH_ERF_H
#define PCC_MATH_TANH_ERF_H

#include "math_explog.h"

/* |x| < 0.55: x + x^3 P(x^2), error 2^-30; else 1 - 2 / (e^(2|x|) + 1), which is 1 from |x| = 10 on. */
PCC_INLINE float pcc_tanh_f32(float x)
{
    float square = x * x;
    float p = pcc_fma_f32(-0x1.9a6130p-8f, square, 0x1.591476p-6f);
    p = pcc_fma_f32(p, square, -0x1.b922e4p-5f);
    p = pcc_fma_f32(p, square, 0x1.110cfep-3f);
    p = pcc_fma_f32(p, square, -0x1.55554ap-2f);
    float small = pcc_fma_f32(x * square, p, x);
    float a = pcc_clamp_f32(pcc_abs_f32(x), 0.0f, 10.0f);
    float large = 1.0f - 2.0f / (pcc_exp_normal_f32(2.0f * a) + 1.0f);
    return pcc_copysign_f32(pcc_select_f32(pcc_mask_f32(a < 0.55f), small, large), x);
}

/* |x| < 0.9: x + x P(x^2); else 1 - e^-Q(|x|), Q = -log(erfc), which is 1 from |x| = 4 on. */
PCC_INLINE float pcc_erf_f32(float x)
{
    float square = x * x;
    float p = pcc_fma_f32(0x1.5fff4cp-14f, square, -0x1.aafd0ap-11f);
    p = pcc_fma_f32(p, square, 0x1.54d5a2p-8f);
    p = pcc_fma_f32(p, square, -0x1.b80ee8p-6f);
    p = pcc_fma_f32(p, square, 0x1.ce2dfap-4f);
    p = pcc_fma_f32(p, square, -0x1.812742p-2f);
    p = pcc_fma_f32(p, square, 0x1.06eba8p-3f);
    float small = pcc_fma_f32(x, p, x);
    float a = pcc_clamp_f32(pcc_abs_f32(x), 0.0f, 4.0f);
    float q = pcc_fma_f32(-0x1.9fb3a4p-13f, a, 0x1.91cd4ep-9f);
    q = pcc_fma_f32(q, a, -0x1.6d9cf2p-6f);
    q = pcc_fma_f32(q, a, 0x1.aa7326p-4f);
    q = pcc_fma_f32(q, a, 0x1.4621bap-1f);
    q = pcc_fma_f32(q, a, 0x1.20b752p+0f);
    q = pcc_fma_f32(q, a, 0x1.5d10a4p-13f);
    float large = 1.0f - pcc_exp_normal_f32(-q);
    return pcc_copysign_f32(pcc_select_f32(pcc_mask_f32(a < 0.9f), small, large), x);
}

#endif
