/* conv_pairs.h: packers of a gathered bf16 matrix into panels of pairs (gemm_pairs.h); p0 and depth count pairs. */
#ifndef PCC_CONV_PAIRS_H
#define PCC_CONV_PAIRS_H

/* Rows outside and columns along K. */
PCC_SHARED void pcc_conv_pack_rows_pairs(const void *operand, int64_t group, int64_t first, int64_t count, int64_t p0,
                                         int64_t depth, float *panels)
{
    enum { ROWS = PCC_TILES ? 16 : PCC_GEMM_MR };
    const PccGather *g = operand;
    const int64_t k = g->taps[0] * g->taps[1] * g->taps[2] * g->channels;
    const int64_t elements = pcc_gemm_pair_elements(k, p0, depth);
    uint16_t buffer[ROWS][2 * PCC_GEMM_MAX_DEPTH];
    PccCursor cursor = pcc_conv_cursor(g, first);
    const PccColumn column = pcc_conv_column(g, 2 * p0);
    for (int64_t i = 0; i < count; i += ROWS, panels += depth * ROWS) {
        const float *rows[2 * PCC_LANES_F32];
        for (int r = 0; r < pcc_round_up(ROWS, PCC_LANES_F32); r++) {
            rows[r] = pcc_gemm_zeros_f32;
            if (r < ROWS && i + r < count) {
                rows[r] = (const float *)(const void *)pcc_conv_row_u16(g, &cursor, group, column, elements, buffer[r]);
                pcc_conv_advance(g, &cursor);
            }
        }
#if PCC_TILES
        for (int r = 0; r < ROWS; r++)
            pcc_amx_copy_row(rows[r], i + r < count ? elements : 0, depth, r, panels);
#else
        pcc_gemm_transpose_pairs(ROWS, rows, elements, depth, panels);
#endif
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
        const int64_t halves = pcc_gemm_pair_elements(g->rows, p0 + p, 1);
        const void *rows[2] = {buffer[0], buffer[0]};
        for (int64_t half = 0; half < halves; half++) {
            rows[half] = pcc_conv_row_u16(g, &cursor, group, column, count, buffer[half]);
            pcc_conv_advance(g, &cursor);
        }
        pcc_gemm_spread_pairs(2 * PCC_LANES_F32, rows[0], rows[1], halves, count, depth * 2 * PCC_LANES_F32, panels);
    }
}

#endif
