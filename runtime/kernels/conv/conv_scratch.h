/* conv_scratch.h: the shape of a convolution, which algorithm it runs by, and the size of its scratch. Like
 * ../common/scratch.h shared by the kernels and the compiler. */
#ifndef PCC_CONV_SCRATCH_H
#define PCC_CONV_SCRATCH_H

#include "../common/scratch.h"

/* A convolution with channels-last activations x[n, in, c], y[n, out, o] and ONNX weights w[o, c / groups, kernel].
 * Spatial arrays are depth, height, width; 1-D and 2-D convolutions have leading 1s (and pad 0). `pad` is the padding
 * before the first element of each dimension; the padding after the last follows from `out`. */
typedef struct PccConv {
    int64_t n, c, o, groups;
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
} PccConv;

PCC_KERNEL int64_t pcc_conv_taps(PccConv shape)
{
    return shape.kernel[0] * shape.kernel[1] * shape.kernel[2];
}

PCC_KERNEL int64_t pcc_conv_positions(int64_t n, const int64_t extent[3])
{
    return n * extent[0] * extent[1] * extent[2];
}

PCC_KERNEL int pcc_conv_is_depthwise(PccConv shape)
{
    return shape.groups == shape.c && shape.groups == shape.o && shape.groups > 1;
}

/* Position ranges of a depthwise weight gradient: partial sums are combined in range order. */
PCC_KERNEL int64_t pcc_conv_depthwise_ranges(PccConv shape)
{
    return pcc_min_i64(16, pcc_max_i64(1, pcc_conv_positions(shape.n, shape.out) / 256));
}

/* Limits of direct convolutions of few channels (conv_direct.inc): elements of a block of padded input rows, taps times
 * channels, filters, and stride along a row. */
#define PCC_CONV_DIRECT_BLOCK 8192
#define PCC_CONV_DIRECT_DEPTH 256
#define PCC_CONV_DIRECT_FILTERS 192
#define PCC_CONV_DIRECT_STRIDE 32

/* Elements of a padded input row: all those that one row of outputs reads. */
PCC_KERNEL int64_t pcc_conv_direct_width(PccConv shape)
{
    return ((shape.out[2] - 1) * shape.stride[2] + (shape.kernel[2] - 1) * shape.dilation[2] + 1) * shape.c;
}

/* Output rows of a block: as many as their input rows fit in the block; 0 if not even one does. */
PCC_KERNEL int64_t pcc_conv_direct_rows(PccConv shape)
{
    const int64_t spare = PCC_CONV_DIRECT_BLOCK / pcc_max_i64(1, pcc_conv_direct_width(shape)) - 1 -
                          (shape.kernel[1] - 1) * shape.dilation[1];
    return spare < 0 ? 0 : pcc_min_i64(shape.out[1], spare / shape.stride[1] + 1);
}

PCC_KERNEL int pcc_conv_is_direct(PccConv shape)
{
    const int planar = shape.kernel[0] == 1 && shape.in[0] == 1 && shape.out[0] == 1 && shape.pad[0] == 0;
    return planar && shape.groups == 1 && shape.c <= 4 && shape.o <= PCC_CONV_DIRECT_FILTERS &&
           pcc_conv_taps(shape) * shape.c <= PCC_CONV_DIRECT_DEPTH && shape.stride[2] <= PCC_CONV_DIRECT_STRIDE &&
           shape.out[2] > 0 && pcc_conv_direct_rows(shape) > 0;
}

/* Leading dimension of [taps * c, o]: a multiple of the register tile of every instruction set. */
PCC_KERNEL int64_t pcc_conv_direct_pitch(PccConv shape)
{
    return pcc_ceil_div(shape.o, 32) * 32;
}

/* Elements of one range's sums [taps * c, o], padded to whole register tiles: 24 is a multiple of their heights. */
PCC_KERNEL int64_t pcc_conv_direct_sums(PccConv shape)
{
    return pcc_ceil_div(pcc_conv_taps(shape) * shape.c, 24) * 24 * pcc_conv_direct_pitch(shape);
}

PCC_KERNEL int64_t pcc_conv_direct_blocks(PccConv shape)
{
    return shape.n * pcc_ceil_div(shape.out[1], pcc_conv_direct_rows(shape));
}

/* Ranges of blocks of a direct weight gradient, combined in their order. */
PCC_KERNEL int64_t pcc_conv_direct_ranges(PccConv shape)
{
    return pcc_min_i64(16, pcc_conv_direct_blocks(shape));
}

PCC_KERNEL size_t pcc_conv_direct_scratch_bytes(PccConv shape, size_t element_size)
{
    const int64_t ranges = pcc_max_i64(1, pcc_conv_direct_ranges(shape));
    return pcc_align64((size_t)(ranges * pcc_conv_direct_sums(shape)) * element_size);
}

/* ---- minimal filtering (winograd/winograd.h) ------------------------------------------------------------------ */

/* Channels of a panel of the transformed source, columns of results in a block, and the most channels for which a
 * thread's scratch has room. */
#define PCC_WINOGRAD_WIDTH 48
#define PCC_WINOGRAD_COLUMNS 64
#define PCC_WINOGRAD_MOST 1024
#define PCC_WINOGRAD_POSITIONS 512 /* at least */
#define PCC_WINOGRAD_FEWEST 96     /* tiles of a block at least, times the results of a tile along an axis */

/* Floats of a block's transformed source, about, and of transformed filters, unless a block of these has no more
 * columns than one of results: what the second and the third cache have room for. */
#define PCC_WINOGRAD_SOURCE 131072
#define PCC_WINOGRAD_FILTERS (36 * 256 * 256)

/* 3 x 3 taps of stride 1, over each image of a depth by itself, channels by whole registers of every instruction set,
 * and positions enough to be worth it. Where there are few, or images so small that taps see only padding, cotangents
 * of weights are often 0, and minimal filtering would make some of them a rounding error, which Adam turns into steps.
 */
PCC_KERNEL int pcc_conv_is_winograd(PccConv shape)
{
    int fits = shape.kernel[0] == 1 && shape.pad[0] == 0 && shape.stride[0] == 1 && shape.in[0] == shape.out[0];
    fits = fits && shape.groups == 1 && shape.c % 16 == 0 && shape.o % 16 == 0 &&
           pcc_max_i64(shape.c, shape.o) <= PCC_WINOGRAD_MOST;
    for (int d = 1; d < 3; d++)
        fits = fits && shape.kernel[d] == 3 && shape.stride[d] == 1 && shape.dilation[d] == 1 && shape.in[d] >= 4 &&
               shape.out[d] >= 4;
    return fits && pcc_conv_positions(shape.n, shape.out) >= PCC_WINOGRAD_POSITIONS;
}

/* Components of a tile of size x size results. */
PCC_KERNEL int64_t pcc_winograd_components(int64_t size)
{
    return (size + 2) * (size + 2);
}

/* Tiles that one thread transforms at a time, at most: multiples of 24, whole register tiles of every instruction set.
 * They fit in its cache, unless the products would read the filters for too few rows then. */
PCC_KERNEL int64_t pcc_winograd_most_tiles(int64_t size, int64_t channels)
{
    const int64_t fit = PCC_WINOGRAD_SOURCE / pcc_winograd_components(size) / channels / 24 * 24;
    return pcc_max_i64(PCC_WINOGRAD_FEWEST / size, pcc_min_i64(2 * PCC_WINOGRAD_FEWEST / size, fit));
}

/* Result channels whose filters, or whose cotangents of filters, are computed at a time. */
PCC_KERNEL int64_t pcc_winograd_filters_at_once(int64_t size, int64_t channels, int64_t filters)
{
    const int64_t fit = PCC_WINOGRAD_FILTERS / pcc_winograd_components(size) / channels;
    const int64_t columns = pcc_max_i64(1, fit / PCC_WINOGRAD_COLUMNS) * PCC_WINOGRAD_COLUMNS;
    return pcc_min_i64(filters, columns);
}

/* Tiles whose cotangents of weights are summed at a time. */
PCC_KERNEL int64_t pcc_winograd_chunk(int64_t size, int64_t channels, int64_t filters)
{
    const int64_t fit = 32768 / pcc_max_i64(channels, filters);
    return pcc_max_i64(128, pcc_min_i64(256, fit)) * 2 / size;
}

/* A chunk's transformed tiles and the sums over all of them; transformed filters, without tiles, have room there too.
 */
PCC_KERNEL int64_t pcc_winograd_elements(int64_t size, int64_t channels, int64_t filters, int64_t line)
{
    const int64_t columns = pcc_ceil_div(pcc_winograd_filters_at_once(size, channels, filters), 32) * 32;
    const int64_t rows = pcc_ceil_div(channels, PCC_WINOGRAD_WIDTH) * PCC_WINOGRAD_WIDTH;
    const int64_t chunk = (rows + columns) * pcc_winograd_chunk(size, channels, filters);
    return pcc_winograd_components(size) * (chunk + rows * columns + 3 * line);
}

PCC_KERNEL size_t pcc_winograd_scratch_bytes(PccConv shape, size_t element_size)
{
    const int64_t line = 64 / (int64_t)element_size;
    int64_t most = 0;
    for (int64_t size = 2; size <= 4; size += 2) {
        most = pcc_max_i64(most, pcc_winograd_elements(size, shape.c, shape.o, line));
        most = pcc_max_i64(most, pcc_winograd_elements(size, shape.o, shape.c, line)); /* of the input's cotangent */
    }
    return pcc_align64((size_t)most * element_size);
}

/* ----------------------------------------------------------------------------------------------------------------- */

PCC_KERNEL size_t pcc_more_bytes(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Suffices for the convolution and both of its gradients: rearranged weights, and partial sums where K is split. */
PCC_KERNEL size_t pcc_conv_scratch_bytes(PccConv shape, size_t element_size)
{
    const int64_t depth = pcc_conv_taps(shape) * (shape.c / shape.groups), columns = shape.o / shape.groups;
    const int64_t outputs = pcc_conv_positions(shape.n, shape.out);
    const size_t weights = pcc_align64((size_t)(depth * shape.o) * element_size);
    if (pcc_conv_is_depthwise(shape))
        return weights + pcc_align64((size_t)(pcc_conv_depthwise_ranges(shape) * depth * shape.o) * element_size);
    const size_t product = weights +
                           pcc_gemm_batched_scratch_bytes(shape.groups, outputs, columns, depth, element_size) +
                           pcc_gemm_batched_scratch_bytes(shape.groups, columns, depth, outputs, element_size);
    if (pcc_conv_is_direct(shape))
        return pcc_more_bytes(product, pcc_conv_direct_scratch_bytes(shape, element_size));
    if (element_size == sizeof(float) && pcc_conv_is_winograd(shape))
        return pcc_more_bytes(product, pcc_winograd_scratch_bytes(shape, element_size));
    return product;
}

#endif
