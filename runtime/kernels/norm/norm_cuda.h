/* norm_cuda.h: how the CUDA kernels of norm/ divide their rows into chunks, and the scratch for that.
 *
 * Shared with the compiler, which plans the arena: formulas of the literal shapes only, so that results depend neither
 * on the GPU nor on how operands are stored. Sizes are in bytes, element_size is that of the type of the
 * computation. */
#ifndef PCC_NORM_CUDA_H
#define PCC_NORM_CUDA_H

#include "../common/scratch.h"

/* Row ranges of a LayerNormalization or RMSNorm gradient, one for each block, with their own partial sums of dscale and
 * dbias: few, as these cause memory traffic, but two for each of an H200's SMs. */
PCC_KERNEL int64_t pcc_cuda_row_chunks(int64_t rows)
{
    return pcc_max_i64(1, pcc_min_i64(256, rows / 8));
}

/* dscale and dbias, [chunks, width] each, and the rounding error of each row's mean, [rows]. */
PCC_KERNEL size_t pcc_cuda_layer_norm_grad_scratch_bytes(int64_t rows, int64_t width, size_t element_size)
{
    return pcc_align64((size_t)(2 * pcc_cuda_row_chunks(rows) * width + rows) * element_size);
}

PCC_KERNEL size_t pcc_cuda_rms_norm_grad_scratch_bytes(int64_t rows, int64_t width, size_t element_size)
{
    return pcc_cuda_layer_norm_grad_scratch_bytes(rows, width, element_size);
}

/* x[outer, channels, inner] is cut into contiguous pieces of one channel (of all channels where inner == 1), `per_row`
 * of them in a row of outer, and these into chunks of `pieces` consecutive ones. A block processes a chunk of a
 * channel, or of some channels where inner == 1. */
typedef struct PccChannelChunks {
    int64_t per_row, pieces, chunks;
} PccChannelChunks;

#define PCC_CHANNEL_PIECE 4096 /* elements */

PCC_KERNEL PccChannelChunks pcc_cuda_channel_chunks(int64_t outer, int64_t channels, int64_t inner)
{
    PccChannelChunks c;
    c.per_row = pcc_max_i64(1, pcc_ceil_div(inner, PCC_CHANNEL_PIECE));
    const int64_t blocks = inner == 1 ? pcc_ceil_div(channels, 128) : channels; /* of one chunk */
    const int64_t most = pcc_max_i64(1, (inner == 1 ? 1024 : 2048) / pcc_max_i64(1, blocks));
    const int64_t wanted = inner == 1 ? outer / 64 : outer * inner / PCC_CHANNEL_PIECE;
    const int64_t pieces = pcc_max_i64(1, outer * c.per_row);
    c.pieces = pcc_ceil_div(pieces, pcc_max_i64(1, pcc_min_i64(pcc_min_i64(wanted, most), pieces)));
    c.chunks = pcc_ceil_div(pieces, c.pieces);
    return c;
}

/* Elements of a channel in its first `pieces` pieces. */
PCC_KERNEL int64_t pcc_cuda_channel_elements(int64_t per_row, int64_t inner, int64_t pieces)
{
    if (per_row == 1)
        return pieces * inner;
    return pieces / per_row * inner + pcc_min_i64(pieces % per_row * PCC_CHANNEL_PIECE, inner);
}

/* Three statistics of each chunk and channel. */
PCC_KERNEL size_t pcc_cuda_batch_norm_statistics_scratch_bytes(int64_t outer, int64_t channels, int64_t inner,
                                                               size_t element_size)
{
    return pcc_align64((size_t)(3 * pcc_cuda_channel_chunks(outer, channels, inner).chunks * channels) * element_size);
}

/* Three sums for each chunk and channel, and the three coefficients of dx for each channel. */
PCC_KERNEL size_t pcc_cuda_batch_norm_grad_scratch_bytes(int64_t outer, int64_t channels, int64_t inner,
                                                         size_t element_size)
{
    const PccChannelChunks c = pcc_cuda_channel_chunks(outer, channels, inner);
    return pcc_align64((size_t)(3 * (c.chunks + 1) * channels) * element_size);
}

#endif
