/* attention_backward.cuh: what the kernels of attention_grad.cuh share: their operands, and how the work is divided
 * among blocks.
 *
 * With P = exp(scale q k^T + mask - max) inverse_sum and delta = rowsum(dy y):
 * dv = P^T dy, dS = P (dy v^T - delta) scale, dq = dS k, dk = dS^T q.
 * Each of the three is the same loop: a block computes some rows and columns of a result, and sums over tiles of P^T,
 * dS or dS^T, which it recomputes. No two blocks add to the same element, so the order of every sum is fixed. */
#ifndef PCC_ATTENTION_BACKWARD_CUH
#define PCC_ATTENTION_BACKWARD_CUH

#include "attention_mask.cuh"

typedef enum PccAttentionSide { PCC_ATTENTION_DQ, PCC_ATTENTION_DK, PCC_ATTENTION_DV } PccAttentionSide;

/* One launch's operands; `delta` has the layout of max. */
template <class T, class Q, class K, class V, class A, class D> struct PccAttentionBackward {
    PccAttention shape;
    const Q *q;
    const K *k;
    const V *v;
    const A *mask;
    const T *max, *inverse_sum, *delta;
    const D *dy;
};

/* One block's part of a result: rows from `row` on of a head (of queries or of keys), columns from `column` on. */
struct PccAttentionTask {
    int64_t batch, head, row, column;
    int64_t all_rows, width;
};

template <PccAttentionSide SIDE> PCC_KERNEL int64_t pcc_attention_side_heads(const PccAttention &shape)
{
    return SIDE == PCC_ATTENTION_DQ ? shape.heads : shape.heads / shape.kv_group;
}

/* Columns of the result. */
template <PccAttentionSide SIDE> PCC_DEVICE const int64_t *pcc_attention_side_stride(const PccAttention &shape)
{
    return SIDE == PCC_ATTENTION_DQ ? shape.dq_stride : SIDE == PCC_ATTENTION_DK ? shape.dk_stride : shape.dv_stride;
}

/* The number of blocks for so many rows and columns. */
template <PccAttentionSide SIDE> static int64_t pcc_attention_tasks(const PccAttention &shape, int rows, int columns)
{
    const int64_t all_rows = SIDE == PCC_ATTENTION_DQ ? shape.queries : shape.keys;
    const int64_t width = SIDE == PCC_ATTENTION_DV ? shape.value_width : shape.width;
    return pcc_ceil_div(width, columns) * shape.batch * pcc_attention_side_heads<SIDE>(shape) *
           pcc_ceil_div(all_rows, rows);
}

/* Column chunk, batch, head, tile of rows, outermost first; the longest rows of a causal head come first. */
template <PccAttentionSide SIDE>
PCC_DEVICE PccAttentionTask pcc_attention_task_of(const PccAttention &shape, int64_t task, int rows, int columns)
{
    constexpr bool of_queries = SIDE == PCC_ATTENTION_DQ;
    PccAttentionTask t;
    t.all_rows = of_queries ? shape.queries : shape.keys;
    t.width = SIDE == PCC_ATTENTION_DV ? shape.value_width : shape.width;
    const int64_t tiles = pcc_ceil_div(t.all_rows, rows), heads = pcc_attention_side_heads<SIDE>(shape);
    t.row = (of_queries ? tiles - 1 - task % tiles : task % tiles) * rows;
    t.head = task / tiles % heads;
    t.batch = task / tiles / heads % shape.batch;
    t.column = task / tiles / heads / shape.batch * columns;
    return t;
}

#endif
