/* optimizer_cuda.h: the scratch of CUDA's update(), for the compiler, which plans it, and the kernels, which use it. */
#ifndef PCC_OPTIMIZER_CUDA_H
#define PCC_OPTIMIZER_CUDA_H

#include "optimizer_map8.h"
#include "optimizer_terms.h"

/* Elements that a block of threads updates: enough to amortise a block's start, few enough that a small model fills a
 * GPU. A multiple of the block of 8-bit moments. */
#define PCC_CUDA_UPDATE_CHUNK 8192

/* A chunk belongs to one parameter. */
typedef struct PccCudaChunk {
    int64_t first; /* its first element in the parameter */
    int32_t param, count;
} PccCudaChunk;

/* A chunk's contribution to the norm. */
typedef struct PccCudaSquares {
    double sum;
    int64_t overflows; /* 1: an element is not finite */
} PccCudaSquares;

/* Data that the kernels of an update pass on, besides an entry of each of the two tables a chunk. */
typedef struct PccCudaUpdate {
    PccFactors_f32 f32;
    PccFactors_f64 f64;
    uint64_t seed, update; /* at the beginning of the update */
    int64_t skips;         /* 1: a gradient is not finite */
    PccMaps8 maps;         /* maps of 8-bit moments, if there are any */
} PccCudaUpdate;

#define PCC_CUDA_UPDATE_HEAD 2816 /* bytes of PccCudaUpdate, padded to align the chunks after it */

PCC_KERNEL int64_t pcc_cuda_update_chunks(int64_t elements)
{
    return pcc_ceil_div(elements, PCC_CUDA_UPDATE_CHUNK);
}

PCC_KERNEL int64_t pcc_cuda_update_all_chunks(const PccParam *params, int64_t count)
{
    int64_t chunks = 0;
    for (int64_t p = 0; p < count; p++)
        chunks += pcc_cuda_update_chunks(pcc_param_elements(params + p));
    return chunks;
}

/* Bytes for parameters with `chunks` chunks in all. */
PCC_KERNEL size_t pcc_cuda_chunks_scratch_bytes(int64_t chunks)
{
    return PCC_CUDA_UPDATE_HEAD + (size_t)chunks * (sizeof(PccCudaChunk) + sizeof(PccCudaSquares));
}

PCC_KERNEL size_t pcc_cuda_update_scratch_bytes(const PccParam *params, int64_t count)
{
    return pcc_cuda_chunks_scratch_bytes(pcc_cuda_update_all_chunks(params, count));
}

#endif
