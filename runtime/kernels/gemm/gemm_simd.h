/* gemm_simd.h: the registers of the matrix kernels: width, fused multiply-add, broadcast, in-lane transposition.
 *
 * One register type per element type, 64 bytes with AVX-512, 32 with AVX2 and FMA, else 16 (SSE2, NEON, or what GCC's
 * vector extensions are lowered to). PCC_GEMM_MR is the number of rows of a register tile, whose columns are two
 * registers: MR * 2 accumulators, two columns of B and one broadcast of A must fit in the register file. The last few
 * rows, at most PCC_GEMM_MR_TAIL of them, have a shorter tile. */
#ifndef PCC_GEMM_SIMD_H
#define PCC_GEMM_SIMD_H

#include "../common/intrinsics.h"
#include "../common/typed.h"

#include <stdint.h>

#if defined(__AVX512F__)
#    define PCC_REG_BYTES 64
#    define PCC_GEMM_MR 12
#    define PCC_GEMM_MR_TAIL 4
#elif defined(__AVX2__) && defined(__FMA__)
#    define PCC_REG_BYTES 32
#    define PCC_GEMM_MR 6
#    define PCC_GEMM_MR_TAIL 2
#elif defined(__aarch64__)
#    define PCC_REG_BYTES 16
#    define PCC_GEMM_MR 8
#    define PCC_GEMM_MR_TAIL 4
#else
#    define PCC_REG_BYTES 16
#    define PCC_GEMM_MR 4
#    define PCC_GEMM_MR_TAIL 2
#endif

#if defined(__clang__)
#    define PCC_UNROLL _Pragma("clang loop unroll(full)")
#else
#    define PCC_UNROLL _Pragma("GCC unroll 16")
#endif

/* A panel of B is prefetched while it is read only where it is too long for the first cache: else that takes the ports
 * that loads want. */
#define PCC_GEMM_FETCH_B (PCC_REG_BYTES == 64)

/* Products of bf16 pairs (gemm_pairs.h), in programs with 16-bit storage: by AMX tiles (gemm_amx.h), or by vdpbf16ps.
 */
#if defined(PCC_NARROW) && defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#    define PCC_PAIRS 1
#else
#    define PCC_PAIRS 0
#endif
#if PCC_PAIRS && defined(__linux__) && (defined(__AMX_BF16__) || defined(__AMXBF16__))
#    define PCC_TILES 1
#    define PCC_PAIR_ROWS 32   /* rows of a strip */
#    define PCC_PAIR_UNIT 16   /* K is padded to a multiple of so many pairs */
#    define PCC_PAIR_DEPTH 192 /* pairs of a depth block, at most */
#else
#    define PCC_TILES 0
#    define PCC_PAIR_ROWS PCC_GEMM_MR
#    define PCC_PAIR_UNIT 1
#    define PCC_PAIR_DEPTH 384
#endif
#define PCC_PAIRED_PANELS_f32 PCC_PAIRS
#define PCC_PAIRED_PANELS_f64 0

typedef float PccReg_f32 __attribute__((vector_size(PCC_REG_BYTES)));
typedef double PccReg_f64 __attribute__((vector_size(PCC_REG_BYTES)));
typedef float PccRegAny_f32 __attribute__((vector_size(PCC_REG_BYTES), aligned(4), may_alias));
typedef double PccRegAny_f64 __attribute__((vector_size(PCC_REG_BYTES), aligned(8), may_alias));
#define PCC_LANES_F32 (PCC_REG_BYTES / 4)
#define PCC_LANES_F64 (PCC_REG_BYTES / 8)

/* The registers of a template's PCC_T, and the columns of its register tile. */
#define PCC_REG PCC_ARITH(PccReg)
#define PCC_REG_LANES ((int)(PCC_REG_BYTES / sizeof(PCC_T)))
#define PCC_REG_QUAD ((int)(16 / sizeof(PCC_T)))
#define PCC_GEMM_NR (2 * PCC_REG_LANES)

PCC_KERNEL PccReg_f32 pcc_reg_load_f32(const float *p)
{
    return *(const PccRegAny_f32 *)p;
}

PCC_KERNEL PccReg_f64 pcc_reg_load_f64(const double *p)
{
    return *(const PccRegAny_f64 *)p;
}

PCC_KERNEL void pcc_reg_store_f32(float *p, PccReg_f32 x)
{
    *(PccRegAny_f32 *)p = x;
}

PCC_KERNEL void pcc_reg_store_f64(double *p, PccReg_f64 x)
{
    *(PccRegAny_f64 *)p = x;
}

PCC_KERNEL PccReg_f32 pcc_reg_set1_f32(float x)
{
#if PCC_REG_BYTES == 64
    return (PccReg_f32)_mm512_set1_ps(x);
#elif PCC_REG_BYTES == 32
    return (PccReg_f32)_mm256_set1_ps(x);
#else
    return (PccReg_f32){x, x, x, x};
#endif
}

PCC_KERNEL PccReg_f64 pcc_reg_set1_f64(double x)
{
#if PCC_REG_BYTES == 64
    return (PccReg_f64)_mm512_set1_pd(x);
#elif PCC_REG_BYTES == 32
    return (PccReg_f64)_mm256_set1_pd(x);
#else
    return (PccReg_f64){x, x};
#endif
}

/* a * b + c, with one rounding where the machine has fused multiply-add. */
PCC_KERNEL PccReg_f32 pcc_reg_fma_f32(PccReg_f32 a, PccReg_f32 b, PccReg_f32 c)
{
#if PCC_REG_BYTES == 64
    return (PccReg_f32)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif PCC_REG_BYTES == 32
    return (PccReg_f32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (PccReg_f32)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

PCC_KERNEL PccReg_f64 pcc_reg_fma_f64(PccReg_f64 a, PccReg_f64 b, PccReg_f64 c)
{
#if PCC_REG_BYTES == 64
    return (PccReg_f64)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif PCC_REG_BYTES == 32
    return (PccReg_f64)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__aarch64__)
    return (PccReg_f64)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    return a * b + c;
#endif
}

#if PCC_PAIRS && !PCC_TILES
/* Registers of pairs of bf16, low * low + high * high + c in every lane; subnormal operands and results count as 0. */
PCC_KERNEL PccReg_f32 pcc_reg_dot_f32(PccReg_f32 a, PccReg_f32 b, PccReg_f32 c)
{
    return (PccReg_f32)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
}
#endif

/* A quad is the 16 bytes at one row: 4 floats or 2 doubles. Transposition works within 16-byte lanes, each of which has
 * its own rows, so a full register transposes PCC_REG_LANES rows at once with lane-local shuffles only. */
#define PCC_QUAD_F32 4
#define PCC_QUAD_F64 2

/* Lane j of the result is the quad at rows[stride * j]. */
PCC_KERNEL PccReg_f32 pcc_reg_quads_f32(const float *const *rows, int64_t at, int stride)
{
#if PCC_REG_BYTES == 64
    __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(rows[0] + at));
    x = _mm512_insertf32x4(x, _mm_loadu_ps(rows[stride] + at), 1);
    x = _mm512_insertf32x4(x, _mm_loadu_ps(rows[2 * stride] + at), 2);
    return (PccReg_f32)_mm512_insertf32x4(x, _mm_loadu_ps(rows[3 * stride] + at), 3);
#elif PCC_REG_BYTES == 32
    const __m256 x = _mm256_castps128_ps256(_mm_loadu_ps(rows[0] + at));
    return (PccReg_f32)_mm256_insertf128_ps(x, _mm_loadu_ps(rows[stride] + at), 1);
#else
    (void)stride;
    return pcc_reg_load_f32(rows[0] + at);
#endif
}

PCC_KERNEL PccReg_f64 pcc_reg_quads_f64(const double *const *rows, int64_t at, int stride)
{
#if PCC_REG_BYTES == 64
    __m512d x = _mm512_castpd128_pd512(_mm_loadu_pd(rows[0] + at));
    x = _mm512_insertf64x2(x, _mm_loadu_pd(rows[stride] + at), 1);
    x = _mm512_insertf64x2(x, _mm_loadu_pd(rows[2 * stride] + at), 2);
    return (PccReg_f64)_mm512_insertf64x2(x, _mm_loadu_pd(rows[3 * stride] + at), 3);
#elif PCC_REG_BYTES == 32
    const __m256d x = _mm256_castpd128_pd256(_mm_loadu_pd(rows[0] + at));
    return (PccReg_f64)_mm256_insertf128_pd(x, _mm_loadu_pd(rows[stride] + at), 1);
#else
    (void)stride;
    return pcc_reg_load_f64(rows[0] + at);
#endif
}

/* Interleaves the low or the high halves of every 16-byte lane: (a0 b0 a1 b1) or (a2 b2 a3 b3). */
PCC_KERNEL PccReg_f32 pcc_reg_low_f32(PccReg_f32 a, PccReg_f32 b)
{
#if PCC_REG_BYTES == 64
    return (PccReg_f32)_mm512_unpacklo_ps((__m512)a, (__m512)b);
#elif PCC_REG_BYTES == 32
    return (PccReg_f32)_mm256_unpacklo_ps((__m256)a, (__m256)b);
#else
    return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}

PCC_KERNEL PccReg_f32 pcc_reg_high_f32(PccReg_f32 a, PccReg_f32 b)
{
#if PCC_REG_BYTES == 64
    return (PccReg_f32)_mm512_unpackhi_ps((__m512)a, (__m512)b);
#elif PCC_REG_BYTES == 32
    return (PccReg_f32)_mm256_unpackhi_ps((__m256)a, (__m256)b);
#else
    return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

PCC_KERNEL PccReg_f64 pcc_reg_low_f64(PccReg_f64 a, PccReg_f64 b)
{
#if PCC_REG_BYTES == 64
    return (PccReg_f64)_mm512_unpacklo_pd((__m512d)a, (__m512d)b);
#elif PCC_REG_BYTES == 32
    return (PccReg_f64)_mm256_unpacklo_pd((__m256d)a, (__m256d)b);
#else
    return __builtin_shufflevector(a, b, 0, 2);
#endif
}

PCC_KERNEL PccReg_f64 pcc_reg_high_f64(PccReg_f64 a, PccReg_f64 b)
{
#if PCC_REG_BYTES == 64
    return (PccReg_f64)_mm512_unpackhi_pd((__m512d)a, (__m512d)b);
#elif PCC_REG_BYTES == 32
    return (PccReg_f64)_mm256_unpackhi_pd((__m256d)a, (__m256d)b);
#else
    return __builtin_shufflevector(a, b, 1, 3);
#endif
}

/* Transposes 4 x 4 floats in every lane: column[j] lane l holds element j of rows 4l … 4l + 3. */
PCC_KERNEL void pcc_reg_transpose_f32(const float *const *rows, int64_t at, PccReg_f32 column[PCC_QUAD_F32])
{
    const PccReg_f32 r0 = pcc_reg_quads_f32(rows, at, 4), r1 = pcc_reg_quads_f32(rows + 1, at, 4);
    const PccReg_f32 r2 = pcc_reg_quads_f32(rows + 2, at, 4), r3 = pcc_reg_quads_f32(rows + 3, at, 4);
    const PccReg_f32 even01 = pcc_reg_low_f32(r0, r2), even23 = pcc_reg_low_f32(r1, r3);
    const PccReg_f32 odd01 = pcc_reg_high_f32(r0, r2), odd23 = pcc_reg_high_f32(r1, r3);
    column[0] = pcc_reg_low_f32(even01, even23);
    column[1] = pcc_reg_high_f32(even01, even23);
    column[2] = pcc_reg_low_f32(odd01, odd23);
    column[3] = pcc_reg_high_f32(odd01, odd23);
}

/* Transposes 2 x 2 doubles in every lane: column[j] lane l holds element j of rows 2l and 2l + 1. */
PCC_KERNEL void pcc_reg_transpose_f64(const double *const *rows, int64_t at, PccReg_f64 column[PCC_QUAD_F64])
{
    const PccReg_f64 r0 = pcc_reg_quads_f64(rows, at, 2), r1 = pcc_reg_quads_f64(rows + 1, at, 2);
    column[0] = pcc_reg_low_f64(r0, r1);
    column[1] = pcc_reg_high_f64(r0, r1);
}

#endif
