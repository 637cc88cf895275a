/* conv_mixed.h: rows and weights of operands that are stored in f32, bf16 or f16, widened on their way. */
#ifndef PCC_CONV_MIXED_H
#define PCC_CONV_MIXED_H

#define PCC_T uint16_t
#define PCC_STORAGE u16
#define PCC_TEMPLATE "../conv/conv_bits.inc"
#include "../common/operands_native.inc"
#undef PCC_TEMPLATE

/* Elements from … to - 1 of a run of 16-bit pixels, zeros where it is padding. */
PCC_KERNEL void pcc_conv_widen(PccIn pixels, PccRun run, int64_t from, int64_t to, float *row)
{
    const int64_t first = pcc_min_i64(pcc_max_i64(from, run.valid), to);
    const int64_t end = pcc_max_i64(pcc_min_i64(to, run.end), first);
    for (int64_t i = from; i < first; i++)
        row[i - from] = 0;
    pcc_read(pixels, run.at + first, end - first, row + first - from);
    for (int64_t i = end; i < to; i++)
        row[i - from] = 0;
}

/* `count` columns of a row of 16-bit pixels, in the buffer. */
PCC_SHARED void pcc_conv_widen_row(const PccGather *g, const PccCursor *c, int64_t group, PccColumn column,
                                   int64_t count, float *buffer)
{
    const int64_t length = pcc_conv_run(g), dense = length > g->channels, wide = dense ? g->taps[2] : 1;
    const PccIn pixels = pcc_in_at((PccIn){g->data, g->dtype}, group * g->channels);
    while (count > 0) {
        const int64_t from = column.element, to = pcc_min_i64(length, from + count);
        pcc_conv_widen(pixels, pcc_conv_locate(g, c, &column, wide), from, to, buffer);
        buffer += to - from;
        count -= to - from;
        pcc_conv_next_run(g, &column, dense ? 1 : g->taps[2]);
    }
}

PCC_SHARED const float *pcc_conv_row_mixed(const PccGather *g, const PccCursor *c, int64_t group, PccColumn column,
                                           int64_t count, float *buffer)
{
    if (g->dtype == PCC_F32)
        return pcc_conv_row_f32(g, c, group, column, count, buffer);
    pcc_conv_widen_row(g, c, group, column, count, buffer);
    return buffer;
}

PCC_KERNEL PccIn pcc_conv_filters_last_mixed(int64_t o, int64_t c, int64_t taps, PccIn w, void *rearranged)
{
    if (w.dtype == PCC_F32)
        return (PccIn){pcc_conv_filters_last_f32(o, c, taps, w.data, rearranged), w.dtype};
    return (PccIn){pcc_conv_filters_last_u16(o, c, taps, w.data, rearranged), w.dtype};
}

PCC_KERNEL PccIn pcc_conv_phase_weights_mixed(const PccConv *c, const PccPhase *p, PccIn w, void *rearranged)
{
    if (w.dtype == PCC_F32)
        return (PccIn){pcc_conv_phase_weights_f32(c, p, w.data, rearranged), w.dtype};
    return (PccIn){pcc_conv_phase_weights_u16(c, p, w.data, rearranged), w.dtype};
}

/* ---- rows where they lie ---------------------------------------------------------------------------------------- */

/* Positions of the grid that are neighbours along the width: their runs overlap in one line of the source. */
typedef struct PccNeighbours {
    PccCursor cursor; /* of the first */
    int64_t count;
} PccNeighbours;

PCC_KERNEL PccNeighbours pcc_conv_neighbours(const PccGather *g, PccCursor *cursor, int64_t most)
{
    const int64_t place = (cursor->at[2] - g->start[2]) / g->advance[2];
    const PccNeighbours all = {*cursor, pcc_min_i64(most, g->grid[2] - place)};
    cursor->at[2] += (all.count - 1) * g->advance[2];
    pcc_conv_advance(g, cursor);
    return all;
}

/* Elements from … to - 1 of the runs of neighbours, widened once: rows[] is where each lies. Returns the end of what is
 * used of the buffer. */
PCC_SHARED float *pcc_conv_widen_line(const PccGather *g, const PccNeighbours *all, PccIn pixels, PccColumn column,
                                      int64_t from, int64_t to, const float **rows, float *buffer)
{
    const int64_t step = g->advance[2] * g->pixel, length = (all->count - 1) * step + to - from;
    /* the line as one long run, which begins `from` elements into the first's */
    const PccRun line = pcc_conv_locate(g, &all->cursor, &column, pcc_ceil_div(from + length, g->channels));
    if (line.valid == line.end) {
        for (int64_t i = 0; i < all->count; i++)
            rows[i] = pcc_gemm_zeros_f32;
        return buffer;
    }
    pcc_conv_widen(pixels, line, from, from + length, buffer);
    for (int64_t i = 0; i < all->count; i++)
        rows[i] = buffer + i * step;
    return buffer + length;
}

/* A segment for each run: needs runs of taps that neighbours share, and pieces of them no shorter than a step. */
PCC_SHARED void pcc_conv_list_lines(const PccGather *g, int64_t group, int64_t first, int64_t count, PccColumn column,
                                    int64_t depth, int64_t segments, PccSegment_f32 *list, float *buffer)
{
    const PccIn pixels = pcc_in_at((PccIn){g->data, g->dtype}, group * g->channels);
    for (int64_t k = 0; k < segments; k++) {
        const int64_t from = column.element, to = pcc_min_i64(pcc_conv_run(g), from + depth);
        PccCursor cursor = pcc_conv_cursor(g, first);
        for (int64_t i = 0; i < count;) {
            const PccNeighbours all = pcc_conv_neighbours(g, &cursor, count - i);
            const float *rows[PCC_GEMM_GROUP];
            buffer = pcc_conv_widen_line(g, &all, pixels, column, from, to, rows, buffer);
            for (int64_t j = 0; j < all.count; j++, i++)
                list[i / PCC_GEMM_MR * segments + k].rows[i % PCC_GEMM_MR] = rows[j];
        }
        for (int64_t i = count; i < pcc_round_up(count, PCC_GEMM_MR); i++)
            list[i / PCC_GEMM_MR * segments + k].rows[i % PCC_GEMM_MR] = pcc_gemm_zeros_f32;
        for (int64_t panel = 0; panel < pcc_ceil_div(count, PCC_GEMM_MR); panel++)
            list[panel * segments + k].depth = to - from;
        depth -= to - from;
        pcc_conv_next_run(g, &column, 1);
    }
}

/* One segment, of copied rows. */
PCC_SHARED void pcc_conv_list_copies(const PccGather *g, int64_t group, int64_t first, int64_t count, PccColumn column,
                                     int64_t depth, PccSegment_f32 *list, float *buffer)
{
    PccCursor cursor = pcc_conv_cursor(g, first);
    for (int64_t i = 0; i < pcc_round_up(count, PCC_GEMM_MR); i++) {
        list[i / PCC_GEMM_MR].depth = depth;
        list[i / PCC_GEMM_MR].rows[i % PCC_GEMM_MR] = i < count ? buffer : pcc_gemm_zeros_f32;
        if (i >= count)
            continue;
        pcc_conv_widen_row(g, &cursor, group, column, depth, buffer);
        pcc_conv_advance(g, &cursor);
        buffer += depth;
    }
}

/* PccList of 16-bit pixels: they are widened once for each row of taps, and not for each tap. */
PCC_SHARED int64_t pcc_conv_list_rows_mixed(const void *operand, int64_t group, int64_t first, int64_t count,
                                            int64_t p0, int64_t depth, void *room)
{
    const PccGather *g = operand;
    if (g->dtype == PCC_F32)
        return pcc_conv_list_rows_f32(operand, group, first, count, p0, depth, room);
    const PccColumn column = pcc_conv_column(g, p0);
    const int64_t length = pcc_conv_run(g), runs = pcc_ceil_div(column.element + depth, length);
    const int64_t shortest = pcc_min_i64(length - column.element, (column.element + depth - 1) % length + 1);
    const bool in_lines = length > g->channels && pcc_min_i64(shortest, depth) >= g->advance[2] * g->pixel &&
                          runs <= PCC_GEMM_MAX_SEGMENTS;
    const int64_t segments = in_lines ? runs : 1;
    PccSegment_f32 *list = room;
    float *buffer = (float *)(void *)(list + pcc_ceil_div(count, PCC_GEMM_MR) * segments);
    if (in_lines)
        pcc_conv_list_lines(g, group, first, count, column, depth, segments, list, buffer);
    else
        pcc_conv_list_copies(g, group, first, count, column, depth, list, buffer);
    return segments;
}

PCC_KERNEL PccList_f32 pcc_conv_lister_mixed(int packed, int64_t columns)
{
    return packed || columns > PCC_CONV_LIST_COLUMNS ? NULL : pcc_conv_list_rows_mixed;
}

#endif
