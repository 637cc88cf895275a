/* narrow.h: the types of 16-bit floats and their conversions, one number at a time, for both targets.
 *
 * PccBf16 and PccF16 are bits: no arithmetic is defined on them. Conversions to 16 bits round to nearest even, keep
 * subnormals, and turn a NaN into a quiet NaN. */
#ifndef PCC_NARROW_H
#define PCC_NARROW_H

#include <stdint.h>

#ifdef __CUDACC__
#    include <cuda_bf16.h>
#    include <cuda_fp16.h>
#endif

#include "inline.h"

typedef struct PccBf16 {
    uint16_t bits;
} PccBf16;

typedef struct PccF16 {
    uint16_t bits;
} PccF16;

PCC_KERNEL uint32_t pcc_bits_of_f32(float x)
{
#ifdef __CUDA_ARCH__
    return __float_as_uint(x);
#else
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof(bits));
    return bits;
#endif
}

PCC_KERNEL float pcc_f32_of_bits(uint32_t bits)
{
#ifdef __CUDA_ARCH__
    return __uint_as_float(bits);
#else
    float x;
    __builtin_memcpy(&x, &bits, sizeof(x));
    return x;
#endif
}

PCC_KERNEL float pcc_f32_from_bf16(PccBf16 x)
{
    return pcc_f32_of_bits((uint32_t)x.bits << 16);
}

/* A GPU's NaN is the canonical one. */
PCC_KERNEL PccBf16 pcc_bf16_from_f32(float x)
{
    PccBf16 y;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    y.bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
#else
    const uint32_t bits = pcc_bits_of_f32(x);
    const uint32_t half = 0x7fffu + (bits >> 16 & 1), quiet = ~bits & 0x400000u;
    y.bits = (uint16_t)((bits + (x != x ? quiet : half)) >> 16);
#endif
    return y;
}

PCC_KERNEL float pcc_f32_from_f16(PccF16 x)
{
#ifdef __CUDA_ARCH__
    return __half2float(__ushort_as_half(x.bits));
#else
    enum { REBIAS = 112 << 23 };
    const uint32_t sign = (uint32_t)(x.bits & 0x8000) << 16, magnitude = x.bits & 0x7fff;
    const uint32_t normal = (magnitude << 13) + REBIAS;
    const uint32_t special = (normal + REBIAS) | (magnitude > 0x7c00 ? 0x400000u : 0);
    const uint32_t subnormal = pcc_bits_of_f32((float)(int32_t)magnitude * 0x1p-24f);
    const uint32_t finite = magnitude < 0x400 ? subnormal : normal;
    return pcc_f32_of_bits(sign | (magnitude >= 0x7c00 ? special : finite));
#endif
}

PCC_KERNEL PccF16 pcc_f16_from_f32(float x)
{
    PccF16 y;
#ifdef __CUDA_ARCH__
    y.bits = __half_as_ushort(__float2half_rn(x));
#else
    const uint32_t bits = pcc_bits_of_f32(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    const uint32_t rebiased = magnitude - (112u << 23);
    const uint32_t normal = (rebiased + 0xfff + (rebiased >> 13 & 1)) >> 13; /* a carry into infinity is correct */
    /* one ulp of 0.5 is the spacing of f16's subnormals: the addition rounds */
    const uint32_t subnormal = pcc_bits_of_f32(pcc_f32_of_bits(magnitude) + 0.5f) - 0x3f000000u;
    const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x3ff) : 0x7c00u;
    const uint32_t finite = magnitude < 0x38800000u ? subnormal : normal;
    y.bits = (uint16_t)(sign | (magnitude >= 0x47800000u ? special : finite));
#endif
    return y;
}

#endif
