/* attention_scratch.h: how a fused attention is cut into tiles, and the scratch of its gradient.
 *
 * Shared with the compiler, which plans the arena: formulas of the literal shape only. */
#ifndef PCC_ATTENTION_SCRATCH_H
#define PCC_ATTENTION_SCRATCH_H

#include "../../program.h"
#include "attention_shape.h"

/* What a task takes of its thread's scratch: more would not stay in a core's cache. */
#define PCC_ATTENTION_SCRATCH (PCC_THREAD_SCRATCH / 2)

/* The smallest tiles of the gradient in f64 fit PCC_ATTENTION_SCRATCH as long as width + value_width is not more. */
#define PCC_ATTENTION_MAX_WIDTH 4000

/* The gradient is parallel over (batch, key head), and where those are fewer than 16, over ranges of keys too. */
static inline int64_t pcc_attention_key_splits(PccAttention shape)
{
    const int64_t tasks = pcc_max_i64(1, shape.batch * (shape.heads / shape.kv_group));
    return pcc_max_i64(1, pcc_min_i64(16 / tasks, shape.keys / 128));
}

/* Elements of one task's sums of dq, [kv_group, queries, width], rows padded to whole registers of every instruction
 * set. */
static inline int64_t pcc_attention_query_sums(PccAttention shape)
{
    return shape.kv_group * shape.queries * pcc_ceil_div(shape.width, 16) * 16;
}

/* A task that processes all keys of its heads keeps these sums in its thread's scratch if they leave room for tiles. */
static inline int pcc_attention_sums_are_private(PccAttention shape, size_t element_size)
{
    return pcc_attention_key_splits(shape) == 1 &&
           (size_t)pcc_attention_query_sums(shape) * element_size <= PCC_ATTENTION_SCRATCH / 4;
}

/* Otherwise every range of keys has its own sums of dq, for all heads; they are added in order. */
static inline size_t pcc_attention_grad_scratch_bytes(PccAttention shape, size_t element_size)
{
    const int64_t tasks = pcc_attention_key_splits(shape) * shape.batch * (shape.heads / shape.kv_group);
    if (pcc_attention_sums_are_private(shape, element_size))
        return 0;
    return pcc_align64((size_t)(tasks * pcc_attention_query_sums(shape)) * element_size);
}

#endif
