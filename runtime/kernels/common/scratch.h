/* scratch.h: the sizes of the matrix kernels' scratch, as formulas of their literal shapes.
 *
 * Shared by the kernels and by the compiler that plans the arena, so nothing here depends on the instruction set or on
 * the number of threads. Sizes are in bytes; a kernel that needs 0 bytes may be passed NULL. */
#ifndef PCC_SCRATCH_H
#define PCC_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

#include "inline.h"

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

#endif
