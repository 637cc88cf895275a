/* conv_gather.h: which elements of the source a convolution reads, for all element types.
 *
 * As a product, a convolution has a matrix that is never materialised: row r is the patch of the source at position r
 * of a grid, columns are (tap depth, height, width, channel). Packers read its elements straight from the source. */
#ifndef PCC_CONV_GATHER_H
#define PCC_CONV_GATHER_H

#include <string.h>

#include "../../program.h"
#include "conv_scratch.h"
#include "../common/typed.h"

PCC_KERNEL int pcc_conv_is_pointwise(PccConv c)
{
    for (int d = 0; d < 3; d++)
        if (c.kernel[d] != 1 || c.stride[d] != 1 || c.pad[d] != 0 || c.in[d] != c.out[d])
            return 0;
    return 1;
}

typedef struct PccGather {
    const void *data;                         /* [n, source, pixel] */
    PccDtype dtype;                           /* of data */
    int64_t rows;                             /* n * grid */
    int64_t grid[3], source[3];               /* extents */
    int64_t start[3], advance[3], spacing[3]; /* source coordinate = start + advance * grid + spacing * tap */
    int64_t taps[3];
    int64_t channels, pixel; /* channels of a group, of all groups */
} PccGather;

/* The gather of x for the positions of y; the caller sets x itself. */
PCC_SHARED PccGather pcc_conv_gather(const PccConv *c)
{
    PccGather g;
    memset(&g, 0, sizeof g);
    g.channels = c->c / c->groups;
    g.pixel = c->c;
    g.rows = pcc_conv_positions(c->n, c->out);
    for (int d = 0; d < 3; d++) {
        g.grid[d] = c->out[d];
        g.source[d] = c->in[d];
        g.start[d] = -c->pad[d];
        g.advance[d] = c->stride[d];
        g.spacing[d] = c->dilation[d];
        g.taps[d] = c->kernel[d];
    }
    return g;
}

/* The sample of row `row` and the source coordinates of its first tap. */
typedef struct PccCursor {
    int64_t sample, at[3];
} PccCursor;

PCC_KERNEL PccCursor pcc_conv_cursor(const PccGather *g, int64_t row)
{
    PccCursor c;
    for (int d = 2; d >= 0; d--) {
        c.at[d] = g->start[d] + g->advance[d] * (row % g->grid[d]);
        row /= g->grid[d];
    }
    c.sample = row;
    return c;
}

PCC_KERNEL void pcc_conv_advance(const PccGather *g, PccCursor *c)
{
    for (int d = 2; d >= 0; d--) {
        c->at[d] += g->advance[d];
        if (c->at[d] < g->start[d] + g->advance[d] * g->grid[d])
            return;
        c->at[d] = g->start[d];
    }
    c->sample++;
}

/* The length of a run, contiguous in the source: all taps along the width where they are dense, else one tap. */
PCC_KERNEL int64_t pcc_conv_run(const PccGather *g)
{
    return g->spacing[2] == 1 && g->channels == g->pixel ? g->taps[2] * g->channels : g->channels;
}

/* A column as its run, given by tap coordinates (width in units of runs), and its element in the run. */
typedef struct PccColumn {
    int64_t tap[3], element;
} PccColumn;

PCC_KERNEL PccColumn pcc_conv_column(const PccGather *g, int64_t column)
{
    const int64_t length = pcc_conv_run(g), runs = g->taps[2] * g->channels / length, run = column / length;
    const PccColumn found = {{run / runs / g->taps[1], run / runs % g->taps[1], run % runs}, column % length};
    return found;
}

/* The run that contains a column: element 0 as an index into the source, and the part that is not padding, valid …
 * end. */
typedef struct PccRun {
    int64_t at, valid, end;
} PccRun;

PCC_KERNEL PccRun pcc_conv_locate(const PccGather *g, const PccCursor *c, const PccColumn *column, int64_t wide)
{
    const int64_t d = c->at[0] + g->spacing[0] * column->tap[0], h = c->at[1] + g->spacing[1] * column->tap[1];
    const int64_t w = c->at[2] + g->spacing[2] * column->tap[2];
    PccRun run = {(((c->sample * g->source[0] + d) * g->source[1] + h) * g->source[2] + w) * g->pixel, 0, 0};
    if (d >= 0 && d < g->source[0] && h >= 0 && h < g->source[1]) {
        run.valid = pcc_min_i64(pcc_max_i64(-w, 0), wide) * g->channels;
        run.end = pcc_max_i64(pcc_min_i64(g->source[2] - w, wide) * g->channels, run.valid);
    }
    return run;
}

/* The first element of the next of `runs` runs along the width, or of the next row of taps. */
PCC_KERNEL void pcc_conv_next_run(const PccGather *g, PccColumn *column, int64_t runs)
{
    column->element = 0;
    if (++column->tap[2] < runs)
        return;
    column->tap[2] = 0;
    if (++column->tap[1] < g->taps[1])
        return;
    column->tap[1] = 0;
    column->tap[0]++;
}

/* Positions of the grid that are neighbours along the width: their runs overlap in one line of the source. */
typedef struct PccNeighbours {
    PccCursor cursor; /* of the first */
    int64_t count;
} PccNeighbours;

/* The next neighbours, at most `most`; moves the cursor past them. */
PCC_KERNEL PccNeighbours pcc_conv_neighbours(const PccGather *g, PccCursor *cursor, int64_t most)
{
    const int64_t place = most > 1 ? (cursor->at[2] - g->start[2]) / g->advance[2] : 0;
    const PccNeighbours all = {*cursor, pcc_min_i64(most, g->grid[2] - place)};
    cursor->at[2] += (all.count - 1) * g->advance[2];
    pcc_conv_advance(g, cursor);
    return all;
}

/* ---- single taps ---------------------------------------------------------------------------------------------- */

/* The coordinate that tap `tap` of position `at` reads along dimension d: of x for y, or (backward) of dy for dx. -1:
 * none. */
PCC_KERNEL int64_t pcc_conv_source(const PccConv *c, int d, int64_t at, int64_t tap, int backward)
{
    const int64_t offset = tap * c->dilation[d] - c->pad[d];
    const int64_t source = backward ? at - offset : at * c->stride[d] + offset;
    if (!backward)
        return source < c->in[d] ? source : -1;
    return source >= 0 && source % c->stride[d] == 0 && source / c->stride[d] < c->out[d] ? source / c->stride[d] : -1;
}

/* Index of the pixel of sample `n` that tap `tap` of position `at` reads, or -1. */
PCC_KERNEL int64_t pcc_conv_pixel(const PccConv *c, int64_t n, const int64_t at[3], int64_t tap, int backward)
{
    const int64_t *extent = backward ? c->out : c->in;
    const int64_t taps[3] = {tap / c->kernel[2] / c->kernel[1], tap / c->kernel[2] % c->kernel[1], tap % c->kernel[2]};
    for (int d = 0; d < 3; d++) {
        const int64_t source = pcc_conv_source(c, d, at[d], taps[d], backward);
        if (source < 0)
            return -1;
        n = n * extent[d] + source;
    }
    return n;
}

PCC_KERNEL void pcc_conv_position(int64_t index, const int64_t extent[3], int64_t at[3], int64_t *sample)
{
    for (int d = 2; d >= 0; d--) {
        at[d] = index % extent[d];
        index /= extent[d];
    }
    *sample = index;
}

#endif
