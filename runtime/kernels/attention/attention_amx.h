/* attention_amx.h: the products of attention_product.inc in AMX tiles (gemm_amx.h), where operands are bf16.
 *
 * B is bf16. A is bf16 too, or f32 whose elements are split into two bf16 numbers, x = high + low within 2^-17 |x|, and
 * the product is computed twice: softmax weights and gradients of scores then keep the precision of float accumulation.
 * Panels are those of gemm_pairs.h and gemm_amx.h, packed here from float tiles. */
#ifndef PCC_ATTENTION_AMX_H
#define PCC_ATTENTION_AMX_H

#include "attention_interleave.h"

/* The most rows of A, the elements of a depth block, and the floats of all panels: high and low parts of A, and 32
 * columns of B. */
#define PCC_ATTENTION_PANEL_ROWS 128
#define PCC_ATTENTION_PANEL_DEPTH 128
#define PCC_ATTENTION_PANELS (PCC_ATTENTION_PANEL_ROWS * PCC_ATTENTION_PANEL_DEPTH + 32 * PCC_ATTENTION_PANEL_DEPTH / 2)

/* The rounding errors of these pairs, as bf16 pairs. */
PCC_KERNEL __m512i pcc_attention_residual(__m512 low, __m512 high, __m512i pairs)
{
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000u);
    return pcc_attention_pairs(_mm512_sub_ps(low, _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16))),
                               _mm512_sub_ps(high, _mm512_castsi512_ps(_mm512_and_si512(pairs, upper))));
}

/* Packs 16 rows of A, elements [d, d + 32) of K as far as they are below `depth`, into one tile of its panel. */
PCC_KERNEL void pcc_attention_tile_rows(const PccAttentionProduct_f32 *p, int64_t row, int64_t d, int64_t depth,
                                        float *high, float *low)
{
    const uint32_t some = depth - d >= 32 ? 0xffffffffu : (1u << (depth - d)) - 1;
    for (int64_t r = 0; r < 16; r++, high += 16, low += 16) {
        const float *from = p->a.at + pcc_min_i64(row + r, p->m - 1) * p->a.row + d;
        const __m512 first = _mm512_maskz_loadu_ps((__mmask16)some, from);
        const __m512 second = _mm512_maskz_loadu_ps((__mmask16)(some >> 16), from + 16);
        const __m512i rounded = (__m512i)_mm512_cvtne2ps_pbh(second, first);
        _mm512_storeu_si512(high, rounded);
        if (p->a_is_bf16)
            continue;
        const __m512i wide = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(rounded));
        const __m512i wide_second = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(rounded, 1));
        const __m512 lost = _mm512_sub_ps(first, _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16)));
        const __m512 lost_second = _mm512_sub_ps(second, _mm512_castsi512_ps(_mm512_slli_epi32(wide_second, 16)));
        _mm512_storeu_si512(low, (__m512i)_mm512_cvtne2ps_pbh(lost_second, lost));
    }
}

/* The same for A stored as [depth, m], with rows padded to whole registers. */
PCC_KERNEL void pcc_attention_tile_columns(const PccAttentionProduct_f32 *p, int64_t row, int64_t d, int64_t depth,
                                           float *high, float *low)
{
    for (int64_t pair = 0; pair < 16; pair++) {
        const float *from = p->a.at + (d + 2 * pair) * p->a.row + row;
        const __m512 even = pcc_attention_load_or_zero(d + 2 * pair < depth, from);
        const __m512 odd = pcc_attention_load_or_zero(d + 2 * pair + 1 < depth, from + p->a.row);
        const __m512i pairs = pcc_attention_pairs(even, odd);
        _mm512_storeu_si512(high + 16 * pair, pairs);
        if (!p->a_is_bf16)
            _mm512_storeu_si512(low + 16 * pair, pcc_attention_residual(even, odd, pairs));
    }
    pcc_amx_transpose(high);
    if (!p->a_is_bf16)
        pcc_amx_transpose(low);
}

/* Packs elements [first, depth) of K, as `pairs` pairs, of all rows of A. */
PCC_KERNEL void pcc_attention_panels_a(const PccAttentionProduct_f32 *p, int64_t first, int64_t depth, int64_t pairs,
                                       float *high, float *low)
{
    for (int64_t row = 0; row < p->m; row += 16)
        for (int64_t pair = 0; pair < pairs; pair += 16, high += 256, low += 256)
            if (p->transposed)
                pcc_attention_tile_columns(p, row, first + 2 * pair, depth, high, low);
            else
                pcc_attention_tile_rows(p, row, first + 2 * pair, depth, high, low);
}

/* The same for `count` (1 or 2) registers of B's columns. */
PCC_KERNEL void pcc_attention_panel_b(const float *b, int64_t b_row, int64_t count, int64_t first, int64_t depth,
                                      int64_t pairs, float *panel)
{
    for (int64_t pair = 0; pair < pairs; pair++)
        for (int64_t v = 0; v < count; v++) {
            const float *from = b + (first + 2 * pair) * b_row + 16 * v;
            const __m512 even = pcc_attention_load_or_zero(first + 2 * pair < depth, from);
            const __m512 odd = pcc_attention_load_or_zero(first + 2 * pair + 1 < depth, from + b_row);
            _mm512_storeu_si512(panel + 32 * pair + 16 * v, pcc_attention_pairs(even, odd));
        }
}

/* c [rows, 16 count] = or += A B over one depth block; at most 32 rows. `low` is NULL where A is bf16. */
PCC_KERNEL void pcc_attention_amx_block(int64_t rows, int64_t count, int64_t pairs, const float *high, const float *low,
                                        const float *b, float *c, int64_t c_row, int accumulate)
{
    float sums[32 * 32] __attribute__((aligned(64)));
    pcc_amx_fit(rows, 16 * count, pairs, high, b, sums, 32, 0);
    if (low)
        pcc_amx_fit(rows, 16 * count, pairs, low, b, sums, 32, 1);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t v = 0; v < count; v++) {
            const PccReg_f32 sum = pcc_reg_load_f32(sums + 32 * r + 16 * v);
            float *to = c + r * c_row + 16 * v;
            pcc_reg_store_f32(to, accumulate ? pcc_reg_load_f32(to) + sum : sum);
        }
}

/* p.m is at most PCC_ATTENTION_PANEL_ROWS. Call between pcc_amx_begin() and pcc_amx_end(). */
PCC_SHARED void pcc_attention_paired_product(PccAttentionProduct_f32 p, float *panels)
{
    float *high = panels, *low = high + PCC_ATTENTION_PANEL_ROWS * PCC_ATTENTION_PANEL_DEPTH / 2;
    float *b = low + PCC_ATTENTION_PANEL_ROWS * PCC_ATTENTION_PANEL_DEPTH / 2;
    for (int64_t first = 0; first < p.depth; first += PCC_ATTENTION_PANEL_DEPTH) {
        const int64_t depth = pcc_min_i64(p.depth, first + PCC_ATTENTION_PANEL_DEPTH);
        const int64_t pairs = pcc_ceil_div(depth - first, 32) * 16;
        pcc_attention_panels_a(&p, first, depth, pairs, high, low);
        for (int64_t v = 0; v < p.n; v += 2) {
            const int64_t count = pcc_min_i64(2, p.n - v);
            pcc_attention_panel_b(p.b.at + 16 * v, p.b.row, count, first, depth, pairs, b);
            for (int64_t row = 0; row < p.m; row += 32)
                pcc_attention_amx_block(pcc_min_i64(32, p.m - row), count, pairs, high + row * pairs,
                                        p.a_is_bf16 ? NULL : low + row * pairs, b, p.c + row * p.c_row + 16 * v,
                                        p.c_row, p.accumulate || first > 0);
        }
    }
}

#endif
