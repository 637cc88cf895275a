/* storage.cuh: 16-bit floats in memory, f32 in registers: storage.h's types and rounding for device code.
 *
 * Kernels are templates of their operands' types, so that one source serves every mixture of dtypes:
 *     T x = pcc_get<T>(p, i)        element i of p, in the type that is computed in
 *     pcc_put(p, i, x)              rounds x, to nearest even, to what p stores
 *     PccVector<X, N>               N elements that are loaded and stored at once, where they are aligned to their size
 */
#ifndef PCC_STORAGE_CUH
#define PCC_STORAGE_CUH

#include <string.h>

#include <type_traits>

#ifdef __CUDACC__
#    include <cuda_bf16.h>
#    include <cuda_fp16.h>
#endif

#include "launch.cuh"

struct PccBf16 {
    uint16_t bits;
};

struct PccF16 {
    uint16_t bits;
};

PCC_ANYWHERE uint32_t pcc_bits_of_f32(float x)
{
#ifdef __CUDA_ARCH__
    return __float_as_uint(x);
#else
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
#endif
}

PCC_ANYWHERE float pcc_f32_of_bits(uint32_t bits)
{
#ifdef __CUDA_ARCH__
    return __uint_as_float(bits);
#else
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
#endif
}

PCC_ANYWHERE float pcc_f32_from_bf16(PccBf16 x)
{
    return pcc_f32_of_bits((uint32_t)x.bits << 16);
}

/* A GPU's NaN is the canonical one. */
PCC_ANYWHERE PccBf16 pcc_bf16_from_f32(float x)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
#else
    const uint32_t bits = pcc_bits_of_f32(x);
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
    return {(uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded)};
#endif
}

PCC_ANYWHERE float pcc_f32_from_f16(PccF16 x)
{
#ifdef __CUDA_ARCH__
    return __half2float(__ushort_as_half(x.bits));
#else
    const uint32_t sign = (uint32_t)(x.bits & 0x8000) << 16, magnitude = x.bits & 0x7fff;
    const uint32_t normal = (magnitude << 13) + (112u << 23);
    const uint32_t special = (normal + (112u << 23)) | (magnitude > 0x7c00 ? 0x400000u : 0);
    const uint32_t subnormal = pcc_bits_of_f32((float)(int32_t)magnitude * 0x1p-24f);
    const uint32_t finite = magnitude < 0x400 ? subnormal : normal;
    return pcc_f32_of_bits(sign | (magnitude >= 0x7c00 ? special : finite));
#endif
}

PCC_ANYWHERE PccF16 pcc_f16_from_f32(float x)
{
#ifdef __CUDA_ARCH__
    return {__half_as_ushort(__float2half_rn(x))};
#else
    const uint32_t bits = pcc_bits_of_f32(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    const uint32_t rebiased = magnitude - (112u << 23);
    const uint32_t normal = (rebiased + 0xfff + (rebiased >> 13 & 1)) >> 13;
    const uint32_t subnormal = pcc_bits_of_f32(pcc_f32_of_bits(magnitude) + 0.5f) - 0x3f000000u;
    const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x3ff) : 0x7c00u;
    const uint32_t finite = magnitude < 0x38800000u ? subnormal : normal;
    return {(uint16_t)(sign | (magnitude >= 0x47800000u ? special : finite))};
#endif
}

/* ---- elements -------------------------------------------------------------------------------------------------- */

template <class X> PCC_ANYWHERE X pcc_wide(X x)
{
    return x;
}

PCC_ANYWHERE float pcc_wide(PccBf16 x)
{
    return pcc_f32_from_bf16(x);
}

PCC_ANYWHERE float pcc_wide(PccF16 x)
{
    return pcc_f32_from_f16(x);
}

/* What a store of x in a Y keeps. */
template <class Y, class T> PCC_ANYWHERE Y pcc_narrowed(T x)
{
    if constexpr (std::is_same<Y, PccBf16>::value)
        return pcc_bf16_from_f32(x);
    else if constexpr (std::is_same<Y, PccF16>::value)
        return pcc_f16_from_f32(x);
    else
        return (Y)x;
}

template <class T, class X> PCC_DEVICE T pcc_get(const X *p, int64_t i)
{
    return (T)pcc_wide(p[i]);
}

template <class Y, class T> PCC_DEVICE void pcc_put(Y *p, int64_t i, T x)
{
    p[i] = pcc_narrowed<Y>(x);
}

/* ---- vectors --------------------------------------------------------------------------------------------------- */

/* One access of memory where N elements have at most 16 bytes. */
template <class X, int N> struct alignas(sizeof(X) * N <= 16 ? sizeof(X) * N : 16) PccVector {
    X at[N];
};

template <int N, class X> PCC_DEVICE PccVector<X, N> pcc_load_vector(const X *p)
{
    return *(const PccVector<X, N> *)(const void *)p;
}

template <class X, int N> PCC_DEVICE void pcc_store_vector(X *p, PccVector<X, N> v)
{
    *(PccVector<X, N> *)(void *)p = v;
}

/* Are elements at p, and at whole multiples of `stride` elements from it, aligned to vectors of N? */
template <int N, class X> PCC_ANYWHERE bool pcc_is_aligned(const X *p, int64_t stride)
{
    return (uintptr_t)p % (sizeof(X) * N) == 0 && stride % N == 0;
}

#endif
