/* reduce_cuda.h: how reduce.cuh cuts a reduction into chunks, and the scratch that their partial results need.
 *
 * Plain C without kernels: the compiler includes it to plan the arena. */
#ifndef PCC_REDUCE_CUDA_H
#define PCC_REDUCE_CUDA_H

#include <stddef.h>
#include <stdint.h>

#define PCC_CUDA_REDUCE_BLOCKS 1024 /* blocks that fill the largest GPU */
#define PCC_CUDA_REDUCE_WORK 8192   /* elements, at least, of a chunk */
#define PCC_CUDA_REDUCE_ROWS 64     /* reduced positions, at least, of a chunk where inner > 1 */

/* Chunks of the reduced axis of x[outer, reduced, inner]: depends on the shape only, so that results are the same on
 * every GPU. */
static inline int64_t pcc_cuda_reduce_chunks(int64_t outer, int64_t reduced, int64_t inner)
{
    const int64_t blocks = outer * ((inner + 127) / 128);
    int64_t most = reduced * inner / PCC_CUDA_REDUCE_WORK;
    if (blocks < 1 || blocks > PCC_CUDA_REDUCE_BLOCKS / 2)
        return 1;
    if (inner > 1 && most > reduced / PCC_CUDA_REDUCE_ROWS)
        most = reduced / PCC_CUDA_REDUCE_ROWS;
    if (most > PCC_CUDA_REDUCE_BLOCKS / blocks)
        most = PCC_CUDA_REDUCE_BLOCKS / blocks;
    return most < 1 ? 1 : most;
}

/* Positions of a chunk; a multiple of 16, so that chunks of aligned lines are aligned. */
static inline int64_t pcc_cuda_reduce_chunk(int64_t outer, int64_t reduced, int64_t inner)
{
    const int64_t chunks = pcc_cuda_reduce_chunks(outer, reduced, inner);
    const int64_t rows = (reduced + chunks - 1) / chunks;
    return chunks == 1 ? reduced : (rows + 15) / 16 * 16;
}

/* Bytes of scratch for partial results [outer, chunks, inner] of `size` bytes each; 0 when there is one chunk. */
static inline size_t pcc_cuda_reduce_scratch_bytes(int64_t outer, int64_t reduced, int64_t inner, size_t size)
{
    const int64_t chunks = pcc_cuda_reduce_chunks(outer, reduced, inner);
    return chunks == 1 ? 0 : (size_t)(outer * chunks * inner) * size;
}

#endif
