/* storage.cuh: 16-bit floats in memory, f32 in registers: storage.h's types and rounding for device code.
 *
 * Kernels are templates of their operands' types, so that the same source serves every mixture of dtypes:
 *     T x = pcc_get<T>(p, i) element i of p, converted to the type of the computation
 *     pcc_put(p, i, x) rounds x, to nearest even, to p's type
 *     PccVector<X, N>               N elements that are loaded and stored at once, where they are aligned to their size
 */
#ifndef PCC_STORAGE_CUH
#define PCC_STORAGE_CUH

#include <string.h>

#include <type_traits>

#include "launch.cuh"
#include "narrow.h"

/* ---- elements -------------------------------------------------------------------------------------------------- */

template <class X> PCC_KERNEL X pcc_wide(X x)
{
    return x;
}

PCC_KERNEL float pcc_wide(PccBf16 x)
{
    return pcc_f32_from_bf16(x);
}

PCC_KERNEL float pcc_wide(PccF16 x)
{
    return pcc_f32_from_f16(x);
}

/* The value of x after a store in a Y. */
template <class Y, class T> PCC_KERNEL Y pcc_narrowed(T x)
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

/* One memory access where N elements have at most 16 bytes. */
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
template <int N, class X> PCC_KERNEL bool pcc_is_aligned(const X *p, int64_t stride)
{
    return (uintptr_t)p % (sizeof(X) * N) == 0 && stride % N == 0;
}

#endif
