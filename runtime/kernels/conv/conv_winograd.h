/* conv_winograd.h: convolutions of 3 x 3 taps by minimal filtering, F(2 x 2, 3 x 3).
 *
 * A tile of 2 x 2 results depends on 4 x 4 pixels of the source. With the matrices A, B and G of Lavin and Gray, "Fast
 * Algorithms for Convolutional Neural Networks" (2015), section 4.1, and @ for elementwise multiplication
 *   y  = A' [(G w G') @ (B' x B)] A
 *   dw = G' [(B' x B) @ (A dy A')] G
 * Summed over channels, or over tiles for dw, @ is 16 matrix products, one for each component of a 4 x 4 tile: 16
 * multiplications where 4 results of 9 taps have 36. dx is the convolution of dy by the flipped filters.
 *
 * The transforms add pixels that are neighbours, so a result's error is relative to the largest of its tile: a few
 * roundings of f32 more than of a direct sum, and infinities become NaN. Double is always summed directly. */
#ifndef PCC_CONV_WINOGRAD_H
#define PCC_CONV_WINOGRAD_H

#include "conv_scratch.h"
#include "../gemm/gemm.h"

/* 0: never. */
#ifndef PCC_WINOGRAD
#    define PCC_WINOGRAD 1
#endif

/* Do the tiles compute at most an eighth more results than there are? */
PCC_KERNEL int pcc_winograd_fills_tiles(PccConv c)
{
    const int64_t computed = 4 * pcc_ceil_div(c.out[1], 2) * pcc_ceil_div(c.out[2], 2);
    return 8 * computed <= 9 * c.out[1] * c.out[2];
}

/* paired: bf16 would be multiplied in pairs along K. By vdpbf16ps, which does two multiplications at a time, that is
 * faster only where many tiles are not full, and for dw; in AMX's tiles it always is. */
PCC_KERNEL int pcc_conv_by_winograd(PccConv c, int paired, size_t element_size)
{
    return PCC_WINOGRAD && element_size == sizeof(float) && pcc_conv_is_winograd(c) &&
           (!paired || (!PCC_TILES && pcc_winograd_fills_tiles(c)));
}

/* y of x, or of dy the cotangent of x: `source` to `result`. */
typedef struct PccWinograd {
    int64_t channels, filters;    /* of the source, of the result */
    int64_t source[2], result[2]; /* height, width */
    int64_t pad[2];
    int64_t grid[2]; /* tiles of an image */
    int64_t tiles;   /* of all images */
} PccWinograd;

PCC_SHARED PccWinograd pcc_winograd(const PccConv *c, int backward)
{
    PccWinograd w = {.channels = backward ? c->o : c->c, .filters = backward ? c->c : c->o};
    for (int d = 0; d < 2; d++) {
        w.source[d] = backward ? c->out[d + 1] : c->in[d + 1];
        w.result[d] = backward ? c->in[d + 1] : c->out[d + 1];
        w.pad[d] = backward ? 2 - c->pad[d + 1] : c->pad[d + 1];
        w.grid[d] = pcc_ceil_div(w.result[d], 2);
    }
    w.tiles = c->n * c->in[0] * w.grid[0] * w.grid[1];
    return w;
}

/* Tiles of a block: as many as fit, but the blocks by whole multiples of the threads where they are few. Results depend
 * on their own tile alone. */
PCC_KERNEL int64_t pcc_winograd_block_tiles(const PccWinograd *w, int64_t threads, int64_t unit)
{
    const int64_t most = pcc_winograd_most_tiles(w->channels), blocks = pcc_ceil_div(w->tiles, most);
    if (blocks >= 4 * threads)
        return most;
    return pcc_round_up(pcc_ceil_div(w->tiles, pcc_round_up(blocks, threads)), unit);
}

/* The image of a tile, and its first result in it. */
typedef struct PccTilePlace {
    int64_t image, row, column;
} PccTilePlace;

PCC_KERNEL PccTilePlace pcc_winograd_place(const PccWinograd *w, int64_t tile)
{
    const int64_t rest = tile / w->grid[1];
    const PccTilePlace place = {rest / w->grid[0], rest % w->grid[0] * 2, tile % w->grid[1] * 2};
    return place;
}

/* Index of a pixel of an image, or -1 if it is none. */
PCC_KERNEL int64_t pcc_winograd_pixel(const int64_t extent[2], int64_t image, int64_t row, int64_t column)
{
    const int inside = row >= 0 && row < extent[0] && column >= 0 && column < extent[1];
    return inside ? (image * extent[0] + row) * extent[1] + column : -1;
}

#endif
