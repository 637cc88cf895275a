/* pool_cuda.h: the scratch of CUDA's Resize, for the compiler that plans it and the kernels that use it. */
#ifndef PCC_POOL_CUDA_H
#define PCC_POOL_CUDA_H

#include "resize_axis.h"

/* The most input positions that one output position reads. */
PCC_KERNEL int64_t pcc_cuda_resize_taps(int64_t mode, int64_t antialias, double scale)
{
    if (mode == PCC_RESIZE_NEAREST)
        return 1;
    return (int64_t)floor(2 * pcc_resize_reach(mode, antialias && scale < 1 ? scale : 1)) + 1;
}

/* Scratch of pcc_resize_axis() and of its gradient, from their literals: a table of positions and weights, and one of
 * each input position's readers. element_size: that of the type of the computation. */
PCC_KERNEL size_t pcc_cuda_resize_axis_scratch_bytes(int64_t outer, int64_t in, int64_t inner, int64_t out,
                                                     int64_t mode, int64_t coordinates, int64_t rounding,
                                                     int64_t exclude_outside, int64_t antialias, double scale,
                                                     double cubic, size_t element_size)
{
    const size_t tap = 2 * element_size; /* a position and a weight */
    (void)outer, (void)inner, (void)coordinates, (void)rounding, (void)exclude_outside, (void)cubic;
    return (size_t)(out * pcc_cuda_resize_taps(mode, antialias, scale)) * tap + (size_t)in * 2 * sizeof(int32_t);
}

#endif
