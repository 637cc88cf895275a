/* index_cuda.h: the scratch of the CUDA kernels of index.h, from their literal shapes.
 *
 * Plain C without kernels: the compiler includes it to plan the arena. Entries of an index array with the same
 * destination are combined in their order: few entries find each other by comparison, many are sorted by destination
 * (sort.cuh). */
#ifndef PCC_INDEX_CUDA_H
#define PCC_INDEX_CUDA_H

#include <stddef.h>
#include <stdint.h>

#define PCC_CUDA_SORT_TILE 2048  /* entries of a block */
#define PCC_CUDA_SORT_DIGITS 256 /* of a pass */
#define PCC_CUDA_FEW_ENTRIES 32  /* at most so many possibly equal entries are compared instead of sorted */

static inline int64_t pcc_cuda_sort_tiles(int64_t count)
{
    return (count + PCC_CUDA_SORT_TILE - 1) / PCC_CUDA_SORT_TILE;
}

/* Two buffers of keys and entries, and counts of digits, in 32 bits each. */
static inline size_t pcc_cuda_sort_bytes(int64_t count)
{
    return (size_t)(4 * count + (pcc_cuda_sort_tiles(count) + 1) * PCC_CUDA_SORT_DIGITS) * sizeof(uint32_t);
}

/* The sort, and for each position of the axis the beginning of its entries. */
static inline size_t pcc_cuda_gather_grad_scratch_bytes(int64_t axis, int64_t count)
{
    return pcc_cuda_sort_bytes(count) + (size_t)(axis + 1) * sizeof(uint32_t);
}

/* Scratch of scatter_elements and of gather_elements_grad. */
static inline size_t pcc_cuda_scatter_elements_scratch_bytes(int64_t rank, int64_t axis, const int64_t *index_dims)
{
    int64_t count = 1;
    for (int64_t i = 0; i < rank; i++)
        count *= index_dims[i];
    return index_dims[axis] <= PCC_CUDA_FEW_ENTRIES ? 0 : pcc_cuda_sort_bytes(count);
}

/* Scratch of scatter_nd, which has no batch_dims, and of gather_nd_grad. */
static inline size_t pcc_cuda_scatter_nd_scratch_bytes(int64_t index_rank, const int64_t *index_dims,
                                                       int64_t batch_dims)
{
    int64_t batches = 1, rows = 1;
    for (int64_t i = 0; i < index_rank - 1; i++)
        *(i < batch_dims ? &batches : &rows) *= index_dims[i];
    return rows <= PCC_CUDA_FEW_ENTRIES ? 0 : pcc_cuda_sort_bytes(batches * rows);
}

#endif
