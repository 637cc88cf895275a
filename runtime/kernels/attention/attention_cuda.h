/* attention_cuda.h: what the compiler knows of the CUDA kernels of attention: which widths they take, and the scratch
 * of their gradient. Plain C11 and C++17: formulas of the literal shape only. */
#ifndef PCC_ATTENTION_CUDA_H
#define PCC_ATTENTION_CUDA_H

#include "attention_shape.h"

#include <stddef.h>

/* The kernels take any width. Every 128 columns of a result compute the scores anew, so beyond this, as beyond
 * PCC_ATTENTION_MAX_WIDTH of the C target, width + value_width is better expanded into products and a softmax. */
#define PCC_CUDA_ATTENTION_MAX_WIDTH 4000

/* rowsum(dy y) of every query, then for each batch and key head the factor that brings dS into the range of f16, of one
 * element each. */
static inline size_t pcc_cuda_attention_grad_scratch_bytes(PccAttention shape, size_t element_size)
{
    const int64_t queries = shape.batch * shape.heads * shape.queries, groups = shape.batch * shape.heads;
    return ((size_t)(2 * queries + groups) * element_size + 255) & ~(size_t)255;
}

#endif
