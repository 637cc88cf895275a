/* attention_shape.h: the shape of a fused attention, and which keys a causal query sees: for the kernels of both
 * targets and for the compiler. */
#ifndef PCC_ATTENTION_SHAPE_H
#define PCC_ATTENTION_SHAPE_H

#include "../common/inline.h"
#include "../common/scratch.h"

/* y = softmax(scale q k^T + mask) v for every batch and head. Strides are in elements, between batches, heads and rows;
 * the last dimension is contiguous. kv_group query heads share one key and value head: query head h reads h / kv_group.
 * mask_stride: batch, head, query, key; 0 broadcasts. With causal, query i sees the keys j <= i + keys - queries. */
typedef struct PccAttention {
    int64_t batch, heads, queries, keys;
    int64_t width, value_width; /* of q and k; of v and y */
    double scale;
    int64_t causal, kv_group;
    int64_t q_stride[3], k_stride[3], v_stride[3], y_stride[3];
    int64_t mask_stride[4];
    int64_t dy_stride[3], dq_stride[3], dk_stride[3], dv_stride[3]; /* of the gradient only */
} PccAttention;

/* How many of the keys [first_key, first_key + n) query i sees. */
PCC_KERNEL int64_t pcc_attention_keys_seen(const PccAttention *shape, int64_t i, int64_t first_key, int64_t n)
{
    if (!shape->causal)
        return n;
    return pcc_max_i64(0, pcc_min_i64(n, i + shape->keys - shape->queries + 1 - first_key));
}

#endif
