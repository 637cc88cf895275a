/* gemm_amx_pack.h: packers of rows of A into tiles (gemm_amx.h). */
#ifndef PCC_GEMM_AMX_PACK_H
#define PCC_GEMM_AMX_PACK_H

#include "gemm_pairs.h"

/* Row r of a panel: `elements` of K, zeros up to `depth` pairs. */
PCC_KERNEL void pcc_amx_copy_row(const void *row, int64_t elements, int64_t depth, int r, float *panel)
{
    const uint16_t *from = row;
    for (int64_t p = 0; p<depth; p += 16, from += elements> 0 ? 32 : 0, elements -= 32) {
        const __mmask32 some = elements >= 32 ? 0xffffffffu : elements > 0 ? (1u << elements) - 1 : 0;
        _mm512_storeu_si512(panel + p * 16 + r * 16, _mm512_maskz_loadu_epi16(some, from));
    }
}

/* [16 pairs][16 rows] to [16 rows][16 pairs], in place. */
PCC_KERNEL void pcc_amx_transpose(float *tile)
{
    const float *pairs[16];
    PccReg_f32 rows[16];
    for (int p = 0; p < 16; p++)
        pairs[p] = tile + 16 * p;
    PCC_UNROLL
    for (int r = 0; r < 16; r += PCC_QUAD_F32)
        pcc_reg_transpose_f32(pairs, r, rows + r);
    PCC_UNROLL
    for (int r = 0; r < 16; r++)
        pcc_reg_store_f32(tile + 16 * r, rows[r]);
}

PCC_SHARED void pcc_gemm_pack_rows_pairs(const void *operand, int64_t batch, int64_t first, int64_t count, int64_t p0,
                                         int64_t depth, float *panels)
{
    const PccStrided_narrow *o = operand;
    if (o->inner != 1) {
        pcc_gemm_pack_pairs(16, o, batch, first, count, p0, depth, panels);
        for (int64_t tile = 0; tile < pcc_ceil_div(count, 16) * (depth / 16); tile++)
            pcc_amx_transpose(panels + tile * 256);
        return;
    }
    const PccBf16 *from = (const PccBf16 *)o->data.data + batch * o->batch + first * o->outer + 2 * p0;
    const int64_t elements = pcc_gemm_pair_elements(o->depth, p0, depth);
    for (; count > 0; count -= 16, from += 16 * o->outer, panels += 16 * depth)
        for (int r = 0; r < 16; r++)
            pcc_amx_copy_row(r < count ? from + r * o->outer : from, r < count ? elements : 0, depth, r, panels);
}

#endif
