/* simd.h: vector registers, as in gemm_simd.h, with the operations that row kernels need besides multiplication.
 *
 * Elementwise operations are `omp simd` loops, which both compilers vectorise. A maximum they do not, because of NaN;
 * and of a sum GCC adds the lanes one by one, which takes longer than a row of a few hundred elements does. */
#ifndef PCC_SIMD_H
#define PCC_SIMD_H

#include "../gemm/gemm_simd.h"
#include "../math/math_explog.h"
#include "../math/math_round.h"
#include "intrinsics.h"

/* The maximum of each lane; where a is NaN it is b (x86) or the operand that is a number (Arm). */
PCC_INLINE PccReg_f32 pcc_reg_max_f32(PccReg_f32 a, PccReg_f32 b)
{
#if PCC_REG_BYTES == 64
    return (PccReg_f32)_mm512_max_ps((__m512)a, (__m512)b);
#elif PCC_REG_BYTES == 32
    return (PccReg_f32)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
    return (PccReg_f32)_mm_max_ps((__m128)a, (__m128)b);
#elif defined(__aarch64__)
    return (PccReg_f32)vmaxnmq_f32((float32x4_t)a, (float32x4_t)b);
#else
    typedef int32_t Mask __attribute__((vector_size(PCC_REG_BYTES)));
    const Mask greater = a > b;
    return (PccReg_f32)(((Mask)a & greater) | ((Mask)b & ~greater));
#endif
}

PCC_INLINE PccReg_f64 pcc_reg_max_f64(PccReg_f64 a, PccReg_f64 b)
{
#if PCC_REG_BYTES == 64
    return (PccReg_f64)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif PCC_REG_BYTES == 32
    return (PccReg_f64)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif defined(__SSE2__)
    return (PccReg_f64)_mm_max_pd((__m128d)a, (__m128d)b);
#elif defined(__aarch64__)
    return (PccReg_f64)vmaxnmq_f64((float64x2_t)a, (float64x2_t)b);
#else
    typedef int64_t Mask __attribute__((vector_size(PCC_REG_BYTES)));
    const Mask greater = a > b;
    return (PccReg_f64)(((Mask)a & greater) | ((Mask)b & ~greater));
#endif
}

/* The first n lanes of x, `rest` in the others. */
PCC_INLINE PccReg_f32 pcc_reg_first_f32(int64_t n, PccReg_f32 x, float rest)
{
    typedef int32_t Int __attribute__((vector_size(PCC_REG_BYTES)));
    Int lane;
    for (int i = 0; i < PCC_LANES_F32; i++)
        lane[i] = i;
    const Int keep = lane < (int32_t)n;
    return (PccReg_f32)(((Int)x & keep) | ((Int)pcc_reg_set1_f32(rest) & ~keep));
}

PCC_INLINE PccReg_f64 pcc_reg_first_f64(int64_t n, PccReg_f64 x, double rest)
{
    typedef int64_t Int __attribute__((vector_size(PCC_REG_BYTES)));
    Int lane;
    for (int i = 0; i < PCC_LANES_F64; i++)
        lane[i] = i;
    const Int keep = lane < n;
    return (PccReg_f64)(((Int)x & keep) | ((Int)pcc_reg_set1_f64(rest) & ~keep));
}

/* x with the halves of every group of 2 n lanes exchanged, n = 8, 4, 2, 1. */
#if PCC_REG_BYTES == 64
#    define PCC_SWAP_8(x) __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)
#    define PCC_SWAP_4(x) __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
#    define PCC_SWAP_2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#    define PCC_SWAP_1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
#    define PCC_SWAP_4_F64(x) __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3)
#    define PCC_SWAP_2_F64(x) __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5)
#    define PCC_SWAP_1_F64(x) __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6)
#elif PCC_REG_BYTES == 32
#    define PCC_SWAP_4(x) __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3)
#    define PCC_SWAP_2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5)
#    define PCC_SWAP_1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6)
#    define PCC_SWAP_2_F64(x) __builtin_shufflevector(x, x, 2, 3, 0, 1)
#    define PCC_SWAP_1_F64(x) __builtin_shufflevector(x, x, 1, 0, 3, 2)
#else
#    define PCC_SWAP_2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1)
#    define PCC_SWAP_1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2)
#    define PCC_SWAP_1_F64(x) __builtin_shufflevector(x, x, 1, 0)
#endif

/* The largest lane. */
PCC_INLINE float pcc_reg_highest_f32(PccReg_f32 x)
{
#if PCC_REG_BYTES == 64
    x = pcc_reg_max_f32(x, PCC_SWAP_8(x));
#endif
#if PCC_REG_BYTES >= 32
    x = pcc_reg_max_f32(x, PCC_SWAP_4(x));
#endif
    x = pcc_reg_max_f32(x, PCC_SWAP_2(x));
    x = pcc_reg_max_f32(x, PCC_SWAP_1(x));
    return x[0];
}

PCC_INLINE double pcc_reg_highest_f64(PccReg_f64 x)
{
#if PCC_REG_BYTES == 64
    x = pcc_reg_max_f64(x, PCC_SWAP_4_F64(x));
#endif
#if PCC_REG_BYTES >= 32
    x = pcc_reg_max_f64(x, PCC_SWAP_2_F64(x));
#endif
    x = pcc_reg_max_f64(x, PCC_SWAP_1_F64(x));
    return x[0];
}

/* The sum of the lanes, by pairwise halving. */
PCC_INLINE float pcc_reg_total_f32(PccReg_f32 x)
{
#if PCC_REG_BYTES == 64
    x += PCC_SWAP_8(x);
#endif
#if PCC_REG_BYTES >= 32
    x += PCC_SWAP_4(x);
#endif
    x += PCC_SWAP_2(x);
    x += PCC_SWAP_1(x);
    return x[0];
}

PCC_INLINE double pcc_reg_total_f64(PccReg_f64 x)
{
#if PCC_REG_BYTES == 64
    x += PCC_SWAP_4_F64(x);
#endif
#if PCC_REG_BYTES >= 32
    x += PCC_SWAP_2_F64(x);
#endif
    x += PCC_SWAP_1_F64(x);
    return x[0];
}

/* e^x as pcc_exp_f32 computes it, for x <= 88, but 0 below -87: subnormal results cost a hundred cycles. NaN
 * propagates. */
PCC_INLINE PccReg_f32 pcc_reg_exp_f32(PccReg_f32 x)
{
    typedef int32_t Int __attribute__((vector_size(PCC_REG_BYTES)));
    const PccReg_f32 lowest = pcc_reg_set1_f32(-87.0f);
    const Int zero = x < lowest;
    const PccReg_f32 rounder = pcc_reg_set1_f32(PCC_ROUNDER);
    x = pcc_reg_max_f32(lowest, x);
    const PccReg_f32 t = pcc_reg_fma_f32(x, pcc_reg_set1_f32(PCC_LOG2_E), rounder), n = t - rounder;
    PccReg_f32 r = pcc_reg_fma_f32(n, pcc_reg_set1_f32(-PCC_LN2_HIGH), x);
    r = pcc_reg_fma_f32(n, pcc_reg_set1_f32(-PCC_LN2_LOW), r);
    PccReg_f32 p = pcc_reg_fma_f32(pcc_reg_set1_f32(0x1.6a5aep-10f), r, pcc_reg_set1_f32(0x1.123b04p-7f));
    p = pcc_reg_fma_f32(p, r, pcc_reg_set1_f32(0x1.5558a6p-5f));
    p = pcc_reg_fma_f32(p, r, pcc_reg_set1_f32(0x1.555490p-3f));
    p = pcc_reg_fma_f32(p, r, pcc_reg_set1_f32(0x1.fffffcp-2f));
    p = pcc_reg_fma_f32(r * r, p, r) + pcc_reg_set1_f32(1.0f);
    const Int whole = (Int)t - (Int)rounder;
    p *= (PccReg_f32)((whole + 127) << 23);
    return (PccReg_f32)((Int)p & ~zero);
}

PCC_INLINE PccReg_f64 pcc_reg_exp_f64(PccReg_f64 x)
{
    for (int lane = 0; lane < PCC_LANES_F64; lane++)
        x[lane] = __builtin_exp(x[lane]);
    return x;
}

/* The largest of x[n], -inf if n is 0; NaNs may be ignored or propagated. */
PCC_INLINE float pcc_line_max_f32(int64_t n, const float *x)
{
    float best = -__builtin_inff();
    int64_t i = 0;
    if (n >= PCC_LANES_F32) {
        PccReg_f32 lanes = pcc_reg_load_f32(x);
        for (i = PCC_LANES_F32; i + PCC_LANES_F32 <= n; i += PCC_LANES_F32)
            lanes = pcc_reg_max_f32(pcc_reg_load_f32(x + i), lanes);
        best = pcc_reg_highest_f32(lanes);
    }
    for (; i < n; i++)
        best = x[i] > best ? x[i] : best;
    return best;
}

PCC_INLINE double pcc_line_max_f64(int64_t n, const double *x)
{
    double best = -__builtin_inf();
    int64_t i = 0;
    if (n >= PCC_LANES_F64) {
        PccReg_f64 lanes = pcc_reg_load_f64(x);
        for (i = PCC_LANES_F64; i + PCC_LANES_F64 <= n; i += PCC_LANES_F64)
            lanes = pcc_reg_max_f64(pcc_reg_load_f64(x + i), lanes);
        best = pcc_reg_highest_f64(lanes);
    }
    for (; i < n; i++)
        best = x[i] > best ? x[i] : best;
    return best;
}

/* One square root: the instruction, where pcc_sqrt() would be arithmetic that loops vectorise. */
PCC_INLINE float pcc_root_f32(float x)
{
#if defined(__SSE2__)
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
#else
    return pcc_sqrt_f32(x);
#endif
}

PCC_INLINE double pcc_root_f64(double x)
{
#if defined(__SSE2__)
    return _mm_cvtsd_f64(_mm_sqrt_pd(_mm_set1_pd(x)));
#else
    return __builtin_sqrt(x);
#endif
}

#endif
