/* gemm_pairs.h: packers of bf16 operands into panels of pairs along K, for vdpbf16ps and for AMX.
 *
 * A pair is the 4 bytes of two neighbouring elements of K, the first in the low half, with zeros past the end of K.
 * For copying, a panel of pairs is a panel of floats, and is kept in float arrays; the packers' p0 and depth count
 * pairs. */
#ifndef PCC_GEMM_PAIRS_H
#define PCC_GEMM_PAIRS_H

#include "gemm_simd.h"

/* The number of elements of K in `depth` pairs from p0 on. */
PCC_KERNEL int64_t pcc_gemm_pair_elements(int64_t k, int64_t p0, int64_t depth)
{
    return pcc_max_i64(0, pcc_min_i64(2 * depth, k - 2 * p0));
}

/* For contiguous outer elements: packs one pair position of `count` of them into the same position of panels `pitch`
 * apart; the first `halves` of the pair's two rows exist. */
PCC_KERNEL void pcc_gemm_spread_pairs(int width, const PccBf16 *low, const PccBf16 *high, int64_t halves, int64_t count,
                                      int64_t pitch, float *to)
{
    const __mmask16 has_low = halves > 0 ? 0xffff : 0, has_high = halves > 1 ? 0xffff : 0;
    for (int64_t i = 0; i < count; i += width, to += pitch)
        for (int v = 0; v < width; v += 16) {
            const int64_t left = pcc_max_i64(0, pcc_min_i64(16, count - i - v)), room = pcc_min_i64(16, width - v);
            const __mmask16 some = (__mmask16)((1u << left) - 1), fits = (__mmask16)((1u << room) - 1);
            const __m512i first = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some & has_low, low + i + v));
            const __m512i second = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some & has_high, high + i + v));
            _mm512_mask_storeu_epi32(to + v, fits, _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
        }
}

/* For contiguous K: packs one panel from rows of `elements`. The rows may begin at any element; their pointers are
 * padded to whole registers, with any readable memory where the panel has no row. */
PCC_KERNEL void pcc_gemm_transpose_pairs(int width, const float *const *rows, int64_t elements, int64_t depth,
                                         float *panel)
{
    const int64_t whole = elements / 2;
    pcc_gemm_pack_transposed_f32(width, rows, whole, panel);
    memset(panel + whole * width, 0, (size_t)((depth - whole) * width) * sizeof(float));
    for (int r = 0; r < width && elements % 2 != 0; r++)
        memcpy(panel + whole * width + r, rows[r] + whole, sizeof(PccBf16));
}

/* Neither index contiguous. */
PCC_KERNEL void pcc_gemm_gather_pairs(int width, const PccStrided_narrow *o, const PccBf16 *from, int64_t count,
                                      int64_t elements, int64_t depth, float *panel)
{
    memset(panel, 0, (size_t)(depth * width) * sizeof(float));
    for (int64_t p = 0; p < elements; p++)
        for (int r = 0; r < pcc_min_i64(width, count); r++)
            memcpy((PccBf16 *)(void *)(panel + p / 2 * width + r) + p % 2, from + r * o->outer + p * o->inner,
                   sizeof(PccBf16));
}

PCC_KERNEL void pcc_gemm_pack_pairs(int width, const PccStrided_narrow *o, int64_t batch, int64_t first, int64_t count,
                                    int64_t p0, int64_t depth, float *panels)
{
    const PccBf16 *from = (const PccBf16 *)o->data.data + batch * o->batch + first * o->outer + 2 * p0 * o->inner;
    const int64_t elements = pcc_gemm_pair_elements(o->depth, p0, depth);
    if (o->outer == 1) {
        for (int64_t p = 0; p < depth; p++) {
            const int64_t halves = elements - 2 * p;
            const PccBf16 *low = halves > 0 ? from + 2 * p * o->inner : from, *high = halves > 1 ? low + o->inner : low;
            pcc_gemm_spread_pairs(width, low, high, halves, count, depth * width, panels + p * width);
        }
        return;
    }
    for (; count > 0; count -= width, from += width * o->outer, panels += depth * width) {
        const float *rows[2 * PCC_LANES_F32];
        if (o->inner != 1) {
            pcc_gemm_gather_pairs(width, o, from, count, elements, depth, panels);
            continue;
        }
        for (int r = 0; r < pcc_round_up(width, PCC_LANES_F32); r++)
            rows[r] = r < width && r < count ? (const float *)(const void *)(from + r * o->outer) : pcc_gemm_zeros_f32;
        pcc_gemm_transpose_pairs(width, rows, elements, depth, panels);
    }
}

PCC_SHARED void pcc_gemm_pack_columns_pairs(const void *operand, int64_t batch, int64_t first, int64_t count,
                                            int64_t p0, int64_t depth, float *panels)
{
    pcc_gemm_pack_pairs(2 * PCC_LANES_F32, operand, batch, first, count, p0, depth, panels);
}

PCC_SHARED PccAhead pcc_gemm_ahead_pairs(const void *operand, int64_t batch, int64_t first, int64_t count, int64_t p0,
                                         int64_t depth)
{
    const PccStrided_narrow *o = operand;
    return pcc_gemm_ahead_narrow(operand, batch, first, count, 2 * p0, pcc_gemm_pair_elements(o->depth, p0, depth));
}

#if !PCC_TILES
PCC_SHARED void pcc_gemm_pack_rows_pairs(const void *operand, int64_t batch, int64_t first, int64_t count, int64_t p0,
                                         int64_t depth, float *panels)
{
    pcc_gemm_pack_pairs(PCC_GEMM_MR, operand, batch, first, count, p0, depth, panels);
}
#endif

#endif
