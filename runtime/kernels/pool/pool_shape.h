/* pool_shape.h: the geometry of pooling, for both targets: which input positions a window covers, which windows cover
 * an input position, and the divisor of a window.
 *
 * PccExtent is int64_t in C. CUDA kernels compute in 32 bits, so there it is a template parameter of each function. */
#ifndef PCC_POOL_SHAPE_H
#define PCC_POOL_SHAPE_H

#include "../common/typed.h"

#ifdef __cplusplus
#    define PCC_OF_EXTENT template <class PccExtent>
#else
#    define PCC_OF_EXTENT
typedef int64_t PccExtent;
#endif

PCC_OF_EXTENT struct PccPoolShape {
    PccExtent n, c;
    PccExtent in[3], out[3], kernel[3], stride[3], dilation[3];
    PccExtent pad[3]; /* padding before the first element; that after the last follows from out */
    PccExtent count_include_pad;
    PccExtent overhang[3]; /* ceil_mode: positions of the last window beyond the padding, which no divisor counts */
};

/* Half-open range of window offsets (or windows) along each axis. */
PCC_OF_EXTENT struct PccPoolOffsets {
    PccExtent first[3], end[3];
};

#ifdef __cplusplus
#    define PCC_POOL_SHAPE PccPoolShape<PccExtent>
#    define PCC_POOL_OFFSETS PccPoolOffsets<PccExtent>
typedef PccPoolShape<int64_t> PccPool;
#else
#    define PCC_POOL_SHAPE struct PccPoolShape
#    define PCC_POOL_OFFSETS struct PccPoolOffsets
typedef struct PccPoolShape PccPool;
typedef struct PccPoolOffsets PccPoolRange;
#endif

PCC_OF_EXTENT PCC_KERNEL PccExtent pcc_pool_ceil_div(PccExtent a, PccExtent b)
{
    return (a + b - 1) / b;
}

PCC_OF_EXTENT PCC_KERNEL PccExtent pcc_pool_least(PccExtent a, PccExtent b)
{
    return a < b ? a : b;
}

/* Kernel offsets along axis i of the windows at `at` that lie inside the input. */
PCC_OF_EXTENT PCC_KERNEL void pcc_pool_window_axis(const PCC_POOL_SHAPE *p, int i, PccExtent at,
                                                   PCC_POOL_OFFSETS *range)
{
    PccExtent start = at * p->stride[i] - p->pad[i];
    range->first[i] = start < 0 ? pcc_pool_ceil_div(-start, p->dilation[i]) : 0;
    range->end[i] = p->kernel[i];
    if (start + (p->kernel[i] - 1) * p->dilation[i] >= p->in[i]) /* otherwise avoid the division */
        range->end[i] = pcc_pool_ceil_div(p->in[i] - start, p->dilation[i]);
}

/* Kernel offsets of window `at` that lie inside the input. */
PCC_OF_EXTENT PCC_KERNEL PCC_POOL_OFFSETS pcc_pool_window(const PCC_POOL_SHAPE *p, const PccExtent at[3])
{
    PCC_POOL_OFFSETS range;
    for (int i = 0; i < 3; i++)
        pcc_pool_window_axis(p, i, at[i], &range);
    return range;
}

/* Windows along axis i that may cover input coordinate `at`. */
PCC_OF_EXTENT PCC_KERNEL void pcc_pool_cover_axis(const PCC_POOL_SHAPE *p, int i, PccExtent at, PCC_POOL_OFFSETS *range)
{
    PccExtent last = at + p->pad[i], first = last - (p->kernel[i] - 1) * p->dilation[i];
    range->first[i] = first > 0 ? pcc_pool_ceil_div(first, p->stride[i]) : 0;
    range->end[i] = pcc_pool_least(last / p->stride[i] + 1, p->out[i]);
}

/* Windows that may cover input position `at`. */
PCC_OF_EXTENT PCC_KERNEL PCC_POOL_OFFSETS pcc_pool_cover(const PCC_POOL_SHAPE *p, const PccExtent at[3])
{
    PCC_POOL_OFFSETS range;
    for (int i = 0; i < 3; i++)
        pcc_pool_cover_axis(p, i, at[i], &range);
    return range;
}

/* Whether a tap of window `window`, one of pcc_pool_cover(), falls on `at`: with dilation it may skip it. */
PCC_OF_EXTENT PCC_KERNEL int pcc_pool_touches(const PCC_POOL_SHAPE *p, const PccExtent window[3], const PccExtent at[3])
{
    for (int i = 0; i < 3; i++)
        if ((at[i] + p->pad[i] - window[i] * p->stride[i]) % p->dilation[i] != 0)
            return 0;
    return 1;
}

/* Input position in the plane of kernel offset k of window `at`. */
PCC_OF_EXTENT PCC_KERNEL PccExtent pcc_pool_position(const PCC_POOL_SHAPE *p, const PccExtent at[3],
                                                     const PccExtent k[3])
{
    PccExtent position = 0;
    for (int i = 0; i < 3; i++)
        position = position * p->in[i] + at[i] * p->stride[i] - p->pad[i] + k[i] * p->dilation[i];
    return position;
}

/* The divisor of window `at`: the number of its taps inside the input, or inside the padded input; at least 1. */
PCC_OF_EXTENT PCC_KERNEL PccExtent pcc_pool_divisor(const PCC_POOL_SHAPE *p, const PccExtent at[3])
{
    PccExtent divisor = 1;
    PCC_POOL_OFFSETS inside = pcc_pool_window(p, at);
    for (int i = 0; i < 3; i++) {
        PccExtent taps = inside.end[i] - inside.first[i];
        if (p->count_include_pad) {
            PccExtent reach = (p->out[i] - 1 - at[i]) * p->stride[i] + (p->kernel[i] - 1) * p->dilation[i] + 1;
            taps = pcc_pool_least(p->kernel[i], pcc_pool_ceil_div(reach - p->overhang[i], p->dilation[i]));
        }
        divisor *= taps > 0 ? taps : 0;
    }
    return divisor > 0 ? divisor : 1;
}

#endif
