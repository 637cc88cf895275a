/* attention_cuda.h: what the compiler knows of the CUDA kernels of attention: which widths they take, and the scratch
 * of their gradient. Plain C11 and C++17: formulas of the literal shape only. */
#ifndef PCC_ATTENTION_CUDA_H
#define PCC_ATTENTION_CUDA_H

#include "attention_shape.h"

#include <stddef.h>

/* The kernels take any width. The scores are recomputed for every 128 columns of a result, so attention with a greater
 * width + value_width is better expanded into products and a softmax, as beyond PCC_ATTENTION_MAX_WIDTH in the C
 * target. */
#define PCC_CUDA_ATTENTION_MAX_WIDTH 4000

/* rowsum(dy y) of every query, then for each batch and key head one factor that scales dS into the range of f16. */
static inline size_t pcc_cuda_attention_grad_scratch_bytes(PccAttention shape, size_t element_size)
{
    const int64_t queries = shape.batch * shape.heads * shape.queries, groups = shape.batch * shape.heads;
    return ((size_t)(2 * queries + groups) * element_size + 255) & ~(size_t)255;
}

#endif
