/* winograd.h: convolutions of 3 x 3 taps by minimal filtering, F(2 x 2, 3 x 3) or F(4 x 4, 3 x 3).
 *
 * A tile of M x M results depends on N x N pixels of the source, N = M + 2. With the matrices A, B and G of Lavin and
 * Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), section 4.1, and @ for elementwise multiplication
 *   y  = A' [(G w G') @ (B' x B)] A
 *   dw = G' [(B' x B) @ (A dy A')] G
 * Summed over channels, or over tiles for dw, @ is N x N matrix products, one for each component of a tile. For 4
 * results, of 9 taps each, there are 16 multiplications where M = 2, and 9 where M = 4. dx is the convolution of dy by
 * the flipped filters.
 *
 * The transforms add pixels that are neighbours, so a result's error is relative to the largest of its tile, and
 * infinities, and sums of more than 1e37, become NaN. Beside a direct sum's, the error of results in f32 is 0.7 to 0.9
 * times as large for M = 2 and 2 to 3 times for M = 4, and that of a model's gradient 0.8 and 1.2 times
 * (docs/precision.md). Double is always summed directly. */
#ifndef PCC_WINOGRAD_H
#define PCC_WINOGRAD_H

#include "../conv_scratch.h"
#include "../../gemm/gemm.h"

/* M; 0: never. */
#ifndef PCC_WINOGRAD
#    define PCC_WINOGRAD 4
#endif
#if PCC_WINOGRAD != 0 && PCC_WINOGRAD != 2 && PCC_WINOGRAD != 4
#    error "PCC_WINOGRAD is 0, 2 or 4"
#endif

/* Are the multiplications for results of height result[1] and width result[2], and a quarter more for the transforms,
 * at most half of a direct sum's? And are there tiles enough, each of which reads all transformed filters once, that
 * writing these to memory does not matter? */
PCC_KERNEL int pcc_winograd_halves_work(PccConv c, const int64_t result[3])
{
    const int64_t size = pcc_max_i64(1, PCC_WINOGRAD);
    const int64_t tiles = pcc_ceil_div(result[1], size) * pcc_ceil_div(result[2], size);
    return 2 * 5 * pcc_winograd_components(size) * tiles <= 4 * 9 * result[1] * result[2] &&
           c.n * c.in[0] * tiles >= 128;
}

/* result: c.out, or c.in for the input's cotangent. paired: bf16 would be multiplied in pairs along K; vdpbf16ps does
 * two multiplications at a time, AMX's tiles many. */
PCC_KERNEL int pcc_conv_by_winograd(PccConv c, const int64_t result[3], int paired, size_t element_size)
{
    return PCC_WINOGRAD && element_size == sizeof(float) && pcc_conv_is_winograd(c) &&
           (!paired || (!PCC_TILES && pcc_winograd_halves_work(c, result)));
}

/* y of x, or of dy the cotangent of x: `source` to `result`. */
typedef struct PccWinograd {
    int64_t size;                 /* M, of a tile */
    int64_t channels, filters;    /* of the source, of the result */
    int64_t source[2], result[2]; /* height, width */
    int64_t pad[2];
    int64_t grid[2]; /* tiles of an image */
    int64_t tiles;   /* of all images */
} PccWinograd;

PCC_SHARED PccWinograd pcc_winograd(const PccConv *c, int backward, int64_t size)
{
    PccWinograd w = {.size = size, .channels = backward ? c->o : c->c, .filters = backward ? c->c : c->o};
    for (int d = 0; d < 2; d++) {
        w.source[d] = backward ? c->out[d + 1] : c->in[d + 1];
        w.result[d] = backward ? c->in[d + 1] : c->out[d + 1];
        w.pad[d] = backward ? 2 - c->pad[d + 1] : c->pad[d + 1];
        w.grid[d] = pcc_ceil_div(w.result[d], size);
    }
    w.tiles = c->n * c->in[0] * w.grid[0] * w.grid[1];
    return w;
}

/* Blocks of tiles: of as many as fit, but a whole multiple of the threads where they are few. Results depend on their
 * own tile alone. */
PCC_KERNEL int64_t pcc_winograd_blocks(const PccWinograd *w, int64_t threads)
{
    const int64_t blocks = pcc_ceil_div(w->tiles, pcc_winograd_most_tiles(w->size, w->channels));
    return blocks >= 4 * threads ? blocks : pcc_round_up(blocks, threads);
}

/* Where a block begins: at a multiple of `unit` tiles, or at the end of all. */
PCC_KERNEL int64_t pcc_winograd_block_begin(const PccWinograd *w, int64_t block, int64_t blocks, int64_t unit)
{
    return pcc_min_i64(w->tiles, pcc_ceil_div(w->tiles, unit) * block / blocks * unit);
}

/* The image of a tile, and its first result in it. */
typedef struct PccTilePlace {
    int64_t image, row, column;
} PccTilePlace;

PCC_KERNEL PccTilePlace pcc_winograd_place(const PccWinograd *w, int64_t tile)
{
    const int64_t rest = tile / w->grid[1];
    const PccTilePlace place = {rest / w->grid[0], rest % w->grid[0] * w->size, tile % w->grid[1] * w->size};
    return place;
}

/* Index of a pixel of an image, or -1 if it is none. */
PCC_KERNEL int64_t pcc_winograd_pixel(const int64_t extent[2], int64_t image, int64_t row, int64_t column)
{
    const int inside = row >= 0 && row < extent[0] && column >= 0 && column < extent[1];
    return inside ? (image * extent[0] + row) * extent[1] + column : -1;
}

#endif
