/* pool.h: pooling, channels last: x[n, in, c], y[n, out, c], in and out of three spatial dims (1-D and 2-D pools have
 * leading 1s).
 *
 *   pcc_max_pool_T(shape, x, mean, gain, offset, y, index)
 *       of x or, where mean[c], gain[c] and offset[c] are given, of (x - mean) * gain + offset. index[n, out, c], or
 *       NULL: the maximum's position in the sample's plane, the first of equals; NaN is the maximum; -1 for a window
 *       entirely in the padding
 *   pcc_max_pool_grad_T(shape, dy, index, dx)
 *   pcc_average_pool_T(shape, x, y), pcc_average_pool_grad_T(shape, dy, dx)
 *
 * Gradients gather: each input position sums the gradients of the windows that cover it, in window order, so that no
 * two threads write the same element and nothing is zeroed first. */
#ifndef PCC_POOL_H
#define PCC_POOL_H

#include "../common/storage.h"
#include "../common/typed.h"
#include "../math/math_bits.h"
#include "pool_shape.h"

#define PCC_POOL_TILE 64 /* channels of one task: its accumulators stay in registers or the first-level cache */

/* A task, one line of positions along the width: sample, channels, the first position, and its index among all
 * positions. */
typedef struct PccPoolTask {
    int64_t sample, channel, width, at[3], first;
} PccPoolTask;

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

/* Window `window` of a sample among all windows. */
PCC_KERNEL int64_t pcc_pool_window_index(const PccPool *p, int64_t sample, const int64_t window[3])
{
    return ((sample * p->out[0] + window[0]) * p->out[1] + window[1]) * p->out[2] + window[2];
}

/* Input position `at` in the sample's plane. */
PCC_KERNEL int32_t pcc_pool_here(const PccPool *p, const int64_t at[3])
{
    return (int32_t)((at[0] * p->in[1] + at[1]) * p->in[2] + at[2]);
}

PCC_KERNEL bool pcc_pool_is_single(const PccPoolRange *range)
{
    return range->end[0] - range->first[0] == 1 && range->end[1] - range->first[1] == 1 &&
           range->end[2] - range->first[2] == 1;
}

#define PCC_TEMPLATE "../pool/pool.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
