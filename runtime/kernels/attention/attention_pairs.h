/* attention_pairs.h: the products of attention_product.inc by vdpbf16ps, where operands are bf16.
 *
 * A and B are rounded to bf16, in which those that come from the operands are already: of softmax weights and gradients
 * of scores 8 bits remain, as in flash attention. They are packed here from float tiles into pairs along the depth
 * (gemm_pairs.h): A whole, as it is stored, for one block of the depth, and B for one panel of columns. */
#ifndef PCC_ATTENTION_PAIRS_H
#define PCC_ATTENTION_PAIRS_H

#include "attention_interleave.h"

/* Pairs in a block of the depth, the most rows of A, and the floats of both panels. */
#define PCC_ATTENTION_PAIR_DEPTH 64
#define PCC_ATTENTION_PAIR_ROWS 128
#define PCC_ATTENTION_PANELS (PCC_ATTENTION_PAIR_DEPTH * (PCC_ATTENTION_PAIR_ROWS + 16 * PCC_ATTENTION_VECTORS))

/* to [rows, PCC_ATTENTION_PAIR_DEPTH] = elements [0, count) of rows of A, whole registers of pairs. */
PCC_KERNEL void pcc_attention_pair_rows(int64_t rows, int64_t count, PccAttentionTile_f32 from, float *to)
{
    for (int64_t i = 0; i < rows; i++, to += PCC_ATTENTION_PAIR_DEPTH)
        for (int64_t d = 0; d < count; d += 32) {
            const uint32_t some = count - d >= 32 ? 0xffffffffu : (1u << (count - d)) - 1;
            const float *row = from.at + i * from.row + d;
            const __m512 first = _mm512_maskz_loadu_ps((__mmask16)some, row);
            const __m512 second = _mm512_maskz_loadu_ps((__mmask16)(some >> 16), row + 16);
            _mm512_storeu_si512(to + d / 2, (__m512i)_mm512_cvtne2ps_pbh(second, first));
        }
}

/* to [pairs, pitch] = rows [0, count) of `from`, two to a row of pairs, of which there are `registers`. */
PCC_KERNEL void pcc_attention_pair_columns(int64_t registers, int64_t count, PccAttentionTile_f32 from, int64_t pitch,
                                           float *to)
{
    for (int64_t d = 0; d < count; d += 2, to += pitch)
        for (int64_t v = 0; v < registers; v++) {
            const float *row = from.at + d * from.row + 16 * v;
            const __m512 odd = pcc_attention_load_or_zero(d + 1 < count, row + from.row);
            _mm512_storeu_si512(to + 16 * v, pcc_attention_pairs(_mm512_loadu_ps(row), odd));
        }
}

/* p.m is at most PCC_ATTENTION_PAIR_ROWS. */
PCC_SHARED void pcc_attention_paired_product(PccAttentionProduct_f32 p, float *panels)
{
    float *a = panels, *b = a + PCC_ATTENTION_PAIR_DEPTH * PCC_ATTENTION_PAIR_ROWS;
    const int64_t a_row = p.transposed ? PCC_ATTENTION_PAIR_ROWS : PCC_ATTENTION_PAIR_DEPTH;
    for (int64_t first = 0; first < p.depth; first += 2 * PCC_ATTENTION_PAIR_DEPTH) {
        const int64_t count = pcc_min_i64(p.depth - first, 2 * PCC_ATTENTION_PAIR_DEPTH);
        const PccAttentionTile_f32 rows = {p.a.at + first * (p.transposed ? p.a.row : 1), p.a.row};
        if (p.transposed)
            pcc_attention_pair_columns(pcc_ceil_div(p.m, 16), count, rows, a_row, a);
        else
            pcc_attention_pair_rows(p.m, count, rows, a);
        for (int64_t v = 0; v < p.n; v += PCC_ATTENTION_VECTORS) {
            PccAttentionProduct_f32 panel = p;
            panel.n = pcc_min_i64(PCC_ATTENTION_VECTORS, p.n - v);
            panel.depth = pcc_ceil_div(count, 2);
            panel.a = (PccAttentionTile_f32){a, a_row};
            panel.b = (PccAttentionTile_f32){b, 16 * panel.n};
            panel.c += 16 * v;
            panel.accumulate |= first > 0;
            const PccAttentionTile_f32 columns = {p.b.at + first * p.b.row + 16 * v, p.b.row};
            pcc_attention_pair_columns(panel.n, count, columns, panel.b.row, b);
            pcc_attention_rows_f32(1, panel);
        }
    }
}

#endif
