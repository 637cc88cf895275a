/* scratch.h: the sizes of the matrix kernels' scratch, as formulas of their literal shapes.
 *
 * Shared by the kernels and by the compiler that plans the arena, so nothing here depends on the instruction set or on
 * the number of threads. Sizes are in bytes; a kernel that needs 0 bytes may be passed NULL. */
#ifndef PCC_SCRATCH_H
#define PCC_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

#include "inline.h"

/* A convolution with channels-last activations x[n, in, c], y[n, out, o] and ONNX weights w[o, c / groups, kernel].
 * Spatial arrays are depth, height, width; 1-D and 2-D convolutions have leading 1s (and pad 0). `pad` is the padding
 * before the first element of each dimension; the padding after the last follows from `out`. */
typedef struct PccConv {
    int64_t n, c, o, groups;
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
} PccConv;

/* Depth of one packed block of K: 12 rows of A of this length must leave room for B in a 32 KiB L1 cache. */
PCC_KERNEL int64_t pcc_gemm_depth(size_t element_size)
{
    return element_size == 4 ? 384 : 256;
}

PCC_KERNEL int64_t pcc_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

PCC_KERNEL int64_t pcc_min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

PCC_KERNEL int64_t pcc_max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

PCC_KERNEL size_t pcc_align64(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* The number of ranges into which K is split so that `batch` products of m x n occupy 16 threads. Products whose C has
 * at least 16 tiles of 64 x 96 are not split; splitting costs the others at most 16 * 64 * 96 partial sums. */
PCC_KERNEL int64_t pcc_gemm_splits(int64_t batch, int64_t m, int64_t n, int64_t k, size_t element_size)
{
    const int64_t tiles = batch * pcc_ceil_div(m, 64) * pcc_ceil_div(n, 96);
    const int64_t chunks = k / (4 * pcc_gemm_depth(element_size));
    return tiles == 0 ? 1 : pcc_max_i64(1, pcc_min_i64(16 / tiles, chunks));
}

PCC_KERNEL size_t pcc_gemm_batched_scratch_bytes(int64_t batch, int64_t m, int64_t n, int64_t k, size_t element_size)
{
    const int64_t splits = pcc_gemm_splits(batch, m, n, k, element_size);
    return splits == 1 ? 0 : pcc_align64((size_t)(splits * batch * m * n) * element_size);
}

PCC_KERNEL size_t pcc_gemm_scratch_bytes(int64_t m, int64_t n, int64_t k, size_t element_size)
{
    return pcc_gemm_batched_scratch_bytes(1, m, n, k, element_size);
}

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

/* Suffices for the convolution and both of its gradients: rearranged weights, and partial sums where K is split. */
PCC_KERNEL size_t pcc_conv_scratch_bytes(PccConv shape, size_t element_size)
{
    const int64_t depth = pcc_conv_taps(shape) * (shape.c / shape.groups), columns = shape.o / shape.groups;
    const int64_t outputs = pcc_conv_positions(shape.n, shape.out);
    if (pcc_conv_is_direct(shape)) /* the input's gradient, a product, is not split */
        return pcc_align64((size_t)(pcc_max_i64(1, pcc_conv_direct_ranges(shape)) * pcc_conv_direct_sums(shape)) *
                           element_size);
    const size_t weights = pcc_align64((size_t)(depth * shape.o) * element_size);
    if (pcc_conv_is_depthwise(shape))
        return weights + pcc_align64((size_t)(pcc_conv_depthwise_ranges(shape) * depth * shape.o) * element_size);
    return weights + pcc_gemm_batched_scratch_bytes(shape.groups, outputs, columns, depth, element_size) +
           pcc_gemm_batched_scratch_bytes(shape.groups, columns, depth, outputs, element_size);
}

#endif
