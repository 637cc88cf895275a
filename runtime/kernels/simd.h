/* simd.h: registers, as in gemm_simd.h, and what the row kernels do with them besides multiplying.
 *
 * Sums and elementwise work are `omp simd` loops, which both compilers vectorise; a maximum they do not, because of
 * NaN, so it is spelt out here. */
#ifndef PCC_SIMD_H
#define PCC_SIMD_H

#include "gemm_simd.h"

#if defined(__SSE2__)
#    include <emmintrin.h>
#endif

/* Lane by lane; where a is NaN the lane is b (x86) or the number (arm). */
PCC_INLINE PccRegF32 pcc_reg_max_f32(PccRegF32 a, PccRegF32 b)
{
#if PCC_REG_BYTES == 64
    return (PccRegF32)_mm512_max_ps((__m512)a, (__m512)b);
#elif PCC_REG_BYTES == 32
    return (PccRegF32)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
    return (PccRegF32)_mm_max_ps((__m128)a, (__m128)b);
#elif defined(__aarch64__)
    return (PccRegF32)vmaxnmq_f32((float32x4_t)a, (float32x4_t)b);
#else
    typedef int32_t Mask __attribute__((vector_size(PCC_REG_BYTES)));
    const Mask greater = a > b;
    return (PccRegF32)(((Mask)a & greater) | ((Mask)b & ~greater));
#endif
}

PCC_INLINE PccRegF64 pcc_reg_max_f64(PccRegF64 a, PccRegF64 b)
{
#if PCC_REG_BYTES == 64
    return (PccRegF64)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif PCC_REG_BYTES == 32
    return (PccRegF64)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif defined(__SSE2__)
    return (PccRegF64)_mm_max_pd((__m128d)a, (__m128d)b);
#elif defined(__aarch64__)
    return (PccRegF64)vmaxnmq_f64((float64x2_t)a, (float64x2_t)b);
#else
    typedef int64_t Mask __attribute__((vector_size(PCC_REG_BYTES)));
    const Mask greater = a > b;
    return (PccRegF64)(((Mask)a & greater) | ((Mask)b & ~greater));
#endif
}

/* The largest of x[n], -inf for none; NaNs are passed over or not, as it comes. */
PCC_INLINE float pcc_line_max_f32(int64_t n, const float *x)
{
    float best = -__builtin_inff();
    int64_t i = 0;
    if (n >= PCC_LANES_F32) {
        PccRegF32 lanes = pcc_reg_load_f32(x);
        for (i = PCC_LANES_F32; i + PCC_LANES_F32 <= n; i += PCC_LANES_F32)
            lanes = pcc_reg_max_f32(pcc_reg_load_f32(x + i), lanes);
        for (int lane = 0; lane < PCC_LANES_F32; lane++)
            best = lanes[lane] > best ? lanes[lane] : best;
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
        PccRegF64 lanes = pcc_reg_load_f64(x);
        for (i = PCC_LANES_F64; i + PCC_LANES_F64 <= n; i += PCC_LANES_F64)
            lanes = pcc_reg_max_f64(pcc_reg_load_f64(x + i), lanes);
        for (int lane = 0; lane < PCC_LANES_F64; lane++)
            best = lanes[lane] > best ? lanes[lane] : best;
    }
    for (; i < n; i++)
        best = x[i] > best ? x[i] : best;
    return best;
}

#endif
