/* gemm_pairs.h: packers of bf16 operands into panels of pairs along K, for vdpbf16ps.
 *
 * A pair is the 4 bytes of two neighbouring elements of K, the first in the low half; where K is odd the last pair's
 * high half is zero. A panel of pairs is a panel of floats as far as copying goes, and is kept in float arrays: the
 * packers' p0 and depth count pairs. */
#ifndef PCC_GEMM_PAIRS_H
#define PCC_GEMM_PAIRS_H

#include "gemm_simd.h"

/* Outer elements contiguous: one pair position of `count` of them, to the same position of panels `pitch` apart. `high`
 * is NULL where K ends with `low`. */
PCC_KERNEL void pcc_gemm_spread_pairs(int width, const PccBf16 *low, const PccBf16 *high, int64_t count, int64_t pitch,
                                      float *to)
{
    for (int64_t i = 0; i < count; i += width, to += pitch)
        for (int v = 0; v < width; v += 16) {
            const int64_t left = pcc_max_i64(0, pcc_min_i64(16, count - i - v));
            const __mmask16 some = (__mmask16)((1u << left) - 1),
                            fits = (__mmask16)((1u << pcc_min_i64(16, width - v)) - 1);
            const __m256i first = _mm256_maskz_loadu_epi16(some, low + i + v);
            const __m256i second = _mm256_maskz_loadu_epi16(high ? some : 0, (high ? high : low) + i + v);
            const __m512i pairs =
                _mm512_or_si512(_mm512_cvtepu16_epi32(first), _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16));
            _mm512_mask_storeu_epi32(to + v, fits, pairs);
        }
}

/* K contiguous: one panel of `whole` pairs, and an odd element's. The rows, cast, may begin at any element; there are
 * whole registers of them. */
PCC_KERNEL void pcc_gemm_transpose_pairs(int width, const float *const *rows, int64_t whole, int odd, float *panel)
{
    pcc_gemm_pack_transposed_f32(width, rows, whole, panel);
    if (!odd)
        return;
    memset(panel + whole * width, 0, (size_t)width * sizeof(float));
    for (int r = 0; r < width; r++)
        memcpy(panel + whole * width + r, rows[r] + whole, sizeof(PccBf16));
}

/* Neither index contiguous. */
PCC_KERNEL void pcc_gemm_gather_pairs(int width, const PccStridedMixed *o, const PccBf16 *from, int64_t count,
                                      int64_t depth, int odd, float *panel)
{
    for (int64_t p = 0; p < depth; p++)
        for (int r = 0; r < width; r++) {
            PccBf16 pair[2] = {{0}, {0}};
            if (r < count)
                pair[0] = from[r * o->outer + 2 * p * o->inner];
            if (r < count && (p < depth - 1 || !odd))
                pair[1] = from[r * o->outer + (2 * p + 1) * o->inner];
            memcpy(panel + p * width + r, pair, sizeof pair);
        }
}

PCC_KERNEL void pcc_gemm_pack_pairs(int width, const PccStridedMixed *o, int64_t batch, int64_t first, int64_t count,
                                    int64_t p0, int64_t depth, float *panels)
{
    const PccBf16 *from = (const PccBf16 *)o->data.data + batch * o->batch + first * o->outer + 2 * p0 * o->inner;
    const int odd = o->depth < 2 * (p0 + depth);
    if (o->outer == 1) {
        for (int64_t p = 0; p < depth; p++, from += 2 * o->inner)
            pcc_gemm_spread_pairs(width, from, odd && p == depth - 1 ? NULL : from + o->inner, count, depth * width,
                                  panels + p * width);
        return;
    }
    for (; count > 0; count -= width, from += width * o->outer, panels += depth * width) {
        const float *rows[2 * PCC_LANES_F32];
        if (o->inner != 1) {
            pcc_gemm_gather_pairs(width, o, from, count, depth, odd, panels);
            continue;
        }
        for (int r = 0; r < pcc_round_up(width, PCC_LANES_F32); r++)
            rows[r] = r < width && r < count ? (const float *)(const void *)(from + r * o->outer) : pcc_gemm_zeros_f32;
        pcc_gemm_transpose_pairs(width, rows, depth - odd, odd, panels);
    }
}

PCC_SHARED void pcc_gemm_pack_rows_pairs(const void *operand, int64_t batch, int64_t first, int64_t count, int64_t p0,
                                         int64_t depth, float *panels)
{
    pcc_gemm_pack_pairs(PCC_GEMM_MR, operand, batch, first, count, p0, depth, panels);
}

PCC_SHARED void pcc_gemm_pack_columns_pairs(const void *operand, int64_t batch, int64_t first, int64_t count,
                                            int64_t p0, int64_t depth, float *panels)
{
    pcc_gemm_pack_pairs(2 * PCC_LANES_F32, operand, batch, first, count, p0, depth, panels);
}

PCC_SHARED PccAhead pcc_gemm_ahead_rows_pairs(const void *operand, int64_t batch, int64_t first, int64_t count,
                                              int64_t p0, int64_t depth)
{
    return pcc_gemm_ahead_rows_mixed(operand, batch, first, count, 2 * p0, 2 * depth);
}

#endif
