/* norm_scratch.h: how the normalisation kernels divide their rows into chunks, and the scratch for that.
 *
 * Shared with the compiler, which plans the arena: formulas of the literal shapes only. Sizes are in bytes. */
#ifndef PCC_NORM_SCRATCH_H
#define PCC_NORM_SCRATCH_H

#include "../common/scratch.h"

/* Row ranges of a LayerNormalization or RMSNorm gradient, each with its own partial sums of dscale and dbias. */
static inline int64_t pcc_layer_norm_chunks(int64_t rows)
{
    return pcc_max_i64(1, pcc_min_i64(32, rows / 8));
}

/* Scratch of pcc_layer_norm_grad and pcc_rms_norm_grad: dscale and dbias, [chunks, width] each. */
static inline size_t pcc_layer_norm_scratch_bytes(int64_t rows, int64_t width, size_t element_size)
{
    return pcc_align64((size_t)(2 * pcc_layer_norm_chunks(rows) * width) * element_size);
}

/* Rows of the outer axis in one chunk of BatchNormalization: 128 KiB, which are read twice, the second time from cache;
 * whole rows where inner == 1, one channel at a time where inner > 1. At most 256 chunks. */
static inline int64_t pcc_batch_norm_chunk_rows(int64_t outer, int64_t channels, int64_t inner, size_t element_size)
{
    const int64_t bytes = (inner == 1 ? channels : inner) * (int64_t)element_size;
    return pcc_max_i64(pcc_max_i64(1, (128 << 10) / pcc_max_i64(1, bytes)), pcc_ceil_div(outer, 256));
}

/* Scratch of pcc_batch_norm_statistics and pcc_batch_norm_grad: three sums for each chunk and channel, and the three
 * coefficients of dx for each channel. */
static inline size_t pcc_batch_norm_scratch_bytes(int64_t outer, int64_t channels, int64_t inner, size_t element_size)
{
    const int64_t rows = pcc_batch_norm_chunk_rows(outer, channels, inner, element_size);
    return pcc_align64((size_t)(3 * (pcc_ceil_div(outer, rows) + 1) * channels) * element_size);
}

#endif
