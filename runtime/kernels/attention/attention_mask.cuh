/* attention_mask.cuh: masking of scores before the softmax, in the kernels of attention.cuh. */
#ifndef PCC_ATTENTION_MASK_CUH
#define PCC_ATTENTION_MASK_CUH

#include "attention_cuda.h"
#include "../common/storage.cuh"

/* A program may define the greatest width and value_width that it uses: code for wider ones is not compiled then. */
#ifndef PCC_ATTENTION_WIDEST
#    define PCC_ATTENTION_WIDEST PCC_CUDA_ATTENTION_MAX_WIDTH
#endif

#ifdef __CUDA_ARCH__
#    define PCC_ATTENTION_GENERATION (__CUDA_ARCH__ / 100) /* the major version */
#else
#    define PCC_ATTENTION_GENERATION 9
#endif

/* Are all operands of one type that tensor cores multiply? */
template <class X, class... Others> PCC_KERNEL constexpr bool pcc_attention_is_narrow()
{
    return sizeof(X) == 2 && (std::is_same<X, Others>::value && ...);
}

/* Up to this width tensor cores are used from sm_80 on: the tiles fit in shared memory. */
enum { PCC_ATTENTION_TENSOR_WIDTH = 256 };

/* And up to this one where a GPU has 99 KiB of shared memory. */
enum { PCC_ATTENTION_ROOMY_WIDTH = 240 };

/* Can a kernel without tensor cores be needed in this program? */
template <class T, class X, class... Others> PCC_KERNEL constexpr bool pcc_attention_needs_simt()
{
    const bool narrow = std::is_same<T, float>::value && pcc_attention_is_narrow<X, Others...>();
    return !narrow || PCC_ATTENTION_WIDEST > PCC_ATTENTION_ROOMY_WIDTH || PCC_ATTENTION_GENERATION < 8;
}

/* Columns of a result that a block computes, in units of 64. With two, fewer scores are recomputed; operands that
 * tensor cores multiply get one, as they seldom come to these kernels. */
template <class T, class X, class... Others> PCC_KERNEL constexpr int pcc_attention_simt_columns()
{
    const bool narrow = std::is_same<T, float>::value && pcc_attention_is_narrow<X, Others...>();
    return narrow || PCC_ATTENTION_WIDEST <= 64 ? 1 : 2;
}

/* One head's mask: numbers that are added to the scores, or uint8_t that is 0 where a key is masked out; nullptr:
 * none. */
template <class M> struct PccAttentionMask {
    const M *at;
    int64_t query_stride, key_stride;
};

template <class M>
PCC_DEVICE PccAttentionMask<M> pcc_attention_mask_of(const PccAttention &shape, const M *mask, int64_t batch,
                                                     int64_t head)
{
    const int64_t *stride = shape.mask_stride;
    return {mask ? mask + batch * stride[0] + head * stride[1] : nullptr, stride[2], stride[3]};
}

/* The masked score, from the scaled product of an existing query and key. */
template <class T, class M>
PCC_DEVICE T pcc_attention_masked(const PccAttentionMask<M> &mask, int64_t query, int64_t key, T score)
{
    if (!mask.at)
        return score;
    const int64_t i = query * mask.query_stride + key * mask.key_stride;
    if constexpr (std::is_same<M, uint8_t>::value)
        return mask.at[i] ? score : -T(INFINITY);
    else
        return score + pcc_get<T>(mask.at, i);
}

/* One past the last key that the query sees, regardless of the mask. */
PCC_DEVICE int64_t pcc_attention_end(const PccAttention &shape, int64_t query)
{
    return pcc_attention_keys_seen(&shape, query, 0, shape.keys);
}

/* The first query that sees the key, regardless of the mask; at least 0. */
PCC_DEVICE int64_t pcc_attention_begin(const PccAttention &shape, int64_t key)
{
    return shape.causal ? pcc_max_i64(0, key - (shape.keys - shape.queries)) : 0;
}

/* The offset of the first element of row `row` of a head; the strides are those between batches, heads and rows. */
template <class X>
PCC_DEVICE X *pcc_attention_row(X *at, const int64_t *stride, int64_t batch, int64_t head, int64_t row)
{
    return at + batch * stride[0] + head * stride[1] + row * stride[2];
}

#endif
