/* math_bits.h: bit tricks under the elementary functions.
 *
 * Compilers vectorise a loop over these functions without -ffast-math because they contain only arithmetic,
 * comparisons that become masks, and integer operations: no branch, no call, no conditional expression that computes
 * in its arms. */
#ifndef PCC_MATH_BITS_H
#define PCC_MATH_BITS_H

#include <stdint.h>

#include "../common/inline.h"

#define PCC_INF_F32 __builtin_inff()
#define PCC_NAN_F32 __builtin_nanf("")

typedef union PccBits_f32 {
    float value;
    int32_t bits;
} PccBits_f32;

PCC_INLINE int32_t pcc_bits_f32(float x)
{
    return (PccBits_f32){.value = x}.bits;
}

PCC_INLINE float pcc_from_bits_f32(int32_t bits)
{
    return (PccBits_f32){.bits = bits}.value;
}

/* a where mask is -1, b where it is 0. */
PCC_INLINE float pcc_select_f32(int32_t mask, float a, float b)
{
    return pcc_from_bits_f32((pcc_bits_f32(a) & mask) | (pcc_bits_f32(b) & ~mask));
}

/* A truth value (0 or 1) as a mask. */
PCC_INLINE int32_t pcc_mask_f32(int truth)
{
    return -(int32_t)truth;
}

typedef union PccBits_f64 {
    double value;
    int64_t bits;
} PccBits_f64;

PCC_INLINE double pcc_select_f64(int64_t mask, double a, double b)
{
    const int64_t bits_a = (PccBits_f64){.value = a}.bits, bits_b = (PccBits_f64){.value = b}.bits;
    return (PccBits_f64){.bits = (bits_a & mask) | (bits_b & ~mask)}.value;
}

PCC_INLINE int64_t pcc_mask_f64(int truth)
{
    return -(int64_t)truth;
}

PCC_INLINE float pcc_abs_f32(float x)
{
    return pcc_from_bits_f32(pcc_bits_f32(x) & INT32_MAX);
}

/* |magnitude| with the sign of sign. */
PCC_INLINE float pcc_copysign_f32(float magnitude, float sign)
{
    return pcc_from_bits_f32((pcc_bits_f32(magnitude) & INT32_MAX) | (pcc_bits_f32(sign) & INT32_MIN));
}

/* x clamped to [low, high]; NaN stays NaN. */
PCC_INLINE float pcc_clamp_f32(float x, float low, float high)
{
    x = pcc_select_f32(pcc_mask_f32(x < low), low, x);
    return pcc_select_f32(pcc_mask_f32(x > high), high, x);
}

/* a b + c, fused where the machine has the instruction. */
PCC_INLINE float pcc_fma_f32(float a, float b, float c)
{
#if defined(__FMA__) || defined(__aarch64__) || defined(__CUDA_ARCH__)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/* 2^n for n in [-126, 127]. */
PCC_INLINE float pcc_pow2_f32(int32_t n)
{
    return pcc_from_bits_f32((int32_t)((uint32_t)(n + 127) << 23));
}

/* The rounding error of p = a b: a b - p, exactly. Without FMA by Dekker's product over 12-bit halves. */
PCC_INLINE float pcc_product_error_f32(float a, float b, float p)
{
#if defined(__FMA__) || defined(__aarch64__) || defined(__CUDA_ARCH__)
    return __builtin_fmaf(a, b, -p);
#else
    float a1 = pcc_from_bits_f32(pcc_bits_f32(a) & ~0xfff), a2 = a - a1;
    float b1 = pcc_from_bits_f32(pcc_bits_f32(b) & ~0xfff), b2 = b - b1;
    return ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2;
#endif
}

#endif
