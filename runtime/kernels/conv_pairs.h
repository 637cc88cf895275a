/* conv_pairs.h: packers of a gathered bf16 matrix into panels of pairs (gemm_pairs.h); p0 and depth count pairs. */
#ifndef PCC_CONV_PAIRS_H
#define PCC_CONV_PAIRS_H

/* Rows outside and columns along K. */
PCC_SHARED void pcc_conv_pack_rows_pairs(const void *operand, int64_t group, int64_t first, int64_t count, int64_t p0,
                                         int64_t depth, float *panels)
{
    const PccGather *g = operand;
    const int64_t k = g->taps[0] * g->taps[1] * g->taps[2] * g->channels, elements = pcc_min_i64(2 * depth, k - 2 * p0);
    const int odd = elements < 2 * depth;
    uint16_t buffer[PCC_GEMM_MR][2 * PCC_GEMM_MAX_DEPTH];
    PccCursor cursor = pcc_conv_cursor(g, first);
    const PccColumn column = pcc_conv_column(g, 2 * p0);
    for (int64_t i = 0; i < count; i += PCC_GEMM_MR, panels += depth * PCC_GEMM_MR) {
        const float *rows[2 * PCC_LANES_F32];
        for (int r = 0; r < pcc_round_up(PCC_GEMM_MR, PCC_LANES_F32); r++) {
            rows[r] = pcc_gemm_zeros_f32;
            if (r < PCC_GEMM_MR && i + r < count) {
                rows[r] = (const float *)(const void *)pcc_conv_row_u16(g, &cursor, group, column, elements, buffer[r]);
                pcc_conv_advance(g, &cursor);
            }
        }
        pcc_gemm_transpose_pairs(PCC_GEMM_MR, rows, depth - odd, odd, panels);
    }
}

/* Columns outside and rows along K. */
PCC_SHARED void pcc_conv_pack_columns_pairs(const void *operand, int64_t group, int64_t first, int64_t count,
                                            int64_t p0, int64_t depth, float *panels)
{
    const PccGather *g = operand;
    uint16_t buffer[2][PCC_GEMM_MAX_COLUMNS];
    PccCursor cursor = pcc_conv_cursor(g, 2 * p0);
    const PccColumn column = pcc_conv_column(g, first);
    for (int64_t p = 0; p < depth; p++, panels += 2 * PCC_LANES_F32) {
        const void *low = pcc_conv_row_u16(g, &cursor, group, column, count, buffer[0]), *high = NULL;
        pcc_conv_advance(g, &cursor);
        if (2 * (p0 + p) + 1 < g->rows) {
            high = pcc_conv_row_u16(g, &cursor, group, column, count, buffer[1]);
            pcc_conv_advance(g, &cursor);
        }
        pcc_gemm_spread_pairs(2 * PCC_LANES_F32, low, high, count, depth * 2 * PCC_LANES_F32, panels);
    }
}

#endif
