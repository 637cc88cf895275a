/* pool.h: pooling, channels last: x[n, in, c], y[n, out, c], in and out of three spatial dims (1-D and 2-D pools have
 * leading 1s).
 *
 *   pcc_max_pool_T(shape, x, mean, gain, offset, y, index)
 *       of x or, where mean[c], gain[c] and offset[c] are given, of (x - mean) * gain + offset. index[n, out, c], or
 *       NULL: the winner's position in the sample's plane, the first of equals; NaN wins; -1 of a window that lies in
 *       the padding
 *   pcc_max_pool_grad_T(shape, dy, index, dx)
 *   pcc_average_pool_T(shape, x, y), pcc_average_pool_grad_T(shape, dy, dx)
 *
 * Gradients gather: each input position adds what the windows over it hand down, in window order, so that threads never
 * meet and nothing is zeroed first. */
#ifndef PCC_POOL_H
#define PCC_POOL_H

#include "../common/storage.h"
#include "../common/typed.h"

typedef struct PccPool {
    int64_t n, c;
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3];
    int64_t pad[3]; /* before the first element; the padding behind follows from out */
    int64_t count_include_pad;
    int64_t overhang[3]; /* ceil_mode: positions of the last window behind the padding; they count for no divisor */
} PccPool;

#define PCC_POOL_TILE 64 /* channels of one task: its accumulators stay in registers or the first-level cache */

/* A task, one line of positions along the width: sample, channels, the first position, and where that is in all. */
typedef struct PccPoolTask {
    int64_t sample, channel, width, at[3], first;
} PccPoolTask;

/* Half-open range of window offsets (or windows) along each axis. */
typedef struct PccPoolRange {
    int64_t first[3], end[3];
} PccPoolRange;

/* Task number `task` over the positions of `extent`. */
PCC_KERNEL PccPoolTask pcc_pool_task(const PccPool *p, const int64_t extent[3], int64_t task)
{
    int64_t tiles = pcc_ceil_div(p->c, PCC_POOL_TILE), channel = task % tiles * PCC_POOL_TILE, line = task / tiles;
    return (PccPoolTask){
        .sample = line / (extent[0] * extent[1]),
        .channel = channel,
        .width = pcc_min_i64(p->c - channel, PCC_POOL_TILE),
        .at = {line / extent[1] % extent[0], line % extent[1], 0},
        .first = line * extent[2],
    };
}

PCC_KERNEL int64_t pcc_pool_tasks(const PccPool *p, const int64_t extent[3])
{
    return p->n * extent[0] * extent[1] * pcc_ceil_div(p->c, PCC_POOL_TILE);
}

/* Kernel offsets along axis i of the windows at `at` that lie inside the input. */
PCC_KERNEL void pcc_pool_window_axis(const PccPool *p, int i, int64_t at, PccPoolRange *range)
{
    int64_t start = at * p->stride[i] - p->pad[i];
    range->first[i] = start < 0 ? pcc_ceil_div(-start, p->dilation[i]) : 0;
    range->end[i] = p->kernel[i];
    if (start + (p->kernel[i] - 1) * p->dilation[i] >= p->in[i]) /* else spare the division */
        range->end[i] = pcc_ceil_div(p->in[i] - start, p->dilation[i]);
}

/* Kernel offsets of window `at` that lie inside the input. */
PCC_KERNEL PccPoolRange pcc_pool_window(const PccPool *p, const int64_t at[3])
{
    PccPoolRange range;
    for (int i = 0; i < 3; i++)
        pcc_pool_window_axis(p, i, at[i], &range);
    return range;
}

/* Windows along axis i that may cover input coordinate `at`. */
PCC_KERNEL void pcc_pool_cover_axis(const PccPool *p, int i, int64_t at, PccPoolRange *range)
{
    int64_t last = at + p->pad[i], first = last - (p->kernel[i] - 1) * p->dilation[i];
    range->first[i] = first > 0 ? pcc_ceil_div(first, p->stride[i]) : 0;
    range->end[i] = pcc_min_i64(last / p->stride[i] + 1, p->out[i]);
}

/* Windows that may cover input position `at`. */
PCC_KERNEL PccPoolRange pcc_pool_cover(const PccPool *p, const int64_t at[3])
{
    PccPoolRange range;
    for (int i = 0; i < 3; i++)
        pcc_pool_cover_axis(p, i, at[i], &range);
    return range;
}

/* Whether a tap of window `window`, one of pcc_pool_cover(), falls on `at`: with dilation it may step over it. */
PCC_KERNEL int pcc_pool_touches(const PccPool *p, const int64_t window[3], const int64_t at[3])
{
    for (int i = 0; i < 3; i++)
        if ((at[i] + p->pad[i] - window[i] * p->stride[i]) % p->dilation[i] != 0)
            return 0;
    return 1;
}

/* Input position in the plane of kernel offset k of window `at`. */
PCC_KERNEL int64_t pcc_pool_position(const PccPool *p, const int64_t at[3], const int64_t k[3])
{
    int64_t position = 0;
    for (int i = 0; i < 3; i++)
        position = position * p->in[i] + at[i] * p->stride[i] - p->pad[i] + k[i] * p->dilation[i];
    return position;
}

/* What window `at` divides by: its taps inside the input, or inside the padded input; at least 1. */
PCC_KERNEL int64_t pcc_pool_divisor(const PccPool *p, const int64_t at[3])
{
    int64_t divisor = 1;
    PccPoolRange inside = pcc_pool_window(p, at);
    for (int i = 0; i < 3; i++) {
        int64_t taps = inside.end[i] - inside.first[i];
        if (p->count_include_pad) {
            int64_t reach = (p->out[i] - 1 - at[i]) * p->stride[i] + (p->kernel[i] - 1) * p->dilation[i] + 1;
            taps = pcc_min_i64(p->kernel[i], pcc_ceil_div(reach - p->overhang[i], p->dilation[i]));
        }
        divisor *= pcc_max_i64(taps, 0);
    }
    return pcc_max_i64(divisor, 1);
}

#define PCC_TEMPLATE "../pool/pool.inc"
#include "../common/for_floats.inc"
#include "../common/for_mixed.inc"
#undef PCC_TEMPLATE

#endif
