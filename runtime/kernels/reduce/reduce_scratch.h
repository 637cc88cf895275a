/* reduce_scratch.h: how reduce.h cuts a reduction into chunks, and the scratch that their partial results need.
 *
 * Plain C without kernels: the compiler includes it to plan the arena. */
#ifndef PCC_REDUCE_SCRATCH_H
#define PCC_REDUCE_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

#define PCC_REDUCE_TILE 1024   /* columns that one task reduces: its accumulators stay in the first-level cache */
#define PCC_REDUCE_CHUNKS 64   /* the most chunks; with as many tasks the axis is not cut into chunks */
#define PCC_REDUCE_WORK 65536  /* elements, at least, of a chunk */
#define PCC_REDUCE_MIN_ROWS 64 /* reduced positions, at least, of a chunk: its partial result must be worth writing */

/* Chunks of the reduced axis of x[outer, reduced, inner]. Depends on the shape only, so that the result has the same
 * bits for any number of threads. */
static inline int64_t pcc_reduce_chunks(int64_t outer, int64_t reduced, int64_t inner)
{
    int64_t tiles = (inner + PCC_REDUCE_TILE - 1) / PCC_REDUCE_TILE;
    if (outer * tiles >= PCC_REDUCE_CHUNKS)
        return 1;
    int64_t chunks = reduced * inner / PCC_REDUCE_WORK;
    if (chunks > reduced / PCC_REDUCE_MIN_ROWS)
        chunks = reduced / PCC_REDUCE_MIN_ROWS;
    return chunks < 1 ? 1 : chunks > PCC_REDUCE_CHUNKS ? PCC_REDUCE_CHUNKS : chunks;
}

/* Bytes of scratch for partial results [outer, chunks, inner] of `size` bytes each; 0 when there is one chunk. */
static inline size_t pcc_reduce_scratch_bytes(int64_t outer, int64_t reduced, int64_t inner, size_t size)
{
    int64_t chunks = pcc_reduce_chunks(outer, reduced, inner);
    return chunks == 1 ? 0 : (size_t)(outer * chunks * inner) * size;
}

#endif
