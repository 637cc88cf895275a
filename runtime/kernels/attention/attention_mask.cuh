/* attention_mask.cuh: what scores become before the softmax, in the kernels of attention.cuh. */
#ifndef PCC_ATTENTION_MASK_CUH
#define PCC_ATTENTION_MASK_CUH

#include "attention_cuda.h"
#include "../common/storage.cuh"

/* A program may say how wide width and value_width are at most in it: what is for wider ones is not compiled then. */
#ifndef PCC_ATTENTION_WIDEST
#    define PCC_ATTENTION_WIDEST PCC_CUDA_ATTENTION_MAX_WIDTH
#endif

#ifdef __CUDA_ARCH__
#    define PCC_ATTENTION_GENERATION (__CUDA_ARCH__ / 100) /* the number before the point */
#else
#    define PCC_ATTENTION_GENERATION 9
#endif

/* Are all operands of one type that tensor cores multiply? */
template <class X, class... Others> PCC_KERNEL constexpr bool pcc_attention_is_narrow()
{
    return sizeof(X) == 2 && (std::is_same<X, Others>::value && ...);
}

/* Up to this width tensor cores serve from sm_80 on: the tiles have room in shared memory. */
enum { PCC_ATTENTION_TENSOR_WIDTH = 256 };

/* And up to this one where a GPU has 99 KiB of it. */
enum { PCC_ATTENTION_ROOMY_WIDTH = 240 };

/* Does a kernel without tensor cores have work, where it is compiled? */
template <class T, class X, class... Others> PCC_KERNEL constexpr bool pcc_attention_needs_simt()
{
    const bool narrow = std::is_same<T, float>::value && pcc_attention_is_narrow<X, Others...>();
    return !narrow || PCC_ATTENTION_WIDEST > PCC_ATTENTION_ROOMY_WIDTH || PCC_ATTENTION_GENERATION < 8;
}

/* Columns of a result that a block has, by 64. Two are fewer scores; operands of tensor cores have one, for that is
 * where they seldom come. */
template <class T, class X, class... Others> PCC_KERNEL constexpr int pcc_attention_simt_columns()
{
    const bool narrow = std::is_same<T, float>::value && pcc_attention_is_narrow<X, Others...>();
    return narrow || PCC_ATTENTION_WIDEST <= 64 ? 1 : 2;
}

/* One head's mask: numbers to be added, or of uint8_t whether a key is seen; nullptr: none. */
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

/* Of a query and a key that exist: the scaled product as the mask leaves it. */
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

/* One past the last key that the query sees, mask apart. */
PCC_DEVICE int64_t pcc_attention_end(const PccAttention &shape, int64_t query)
{
    return pcc_attention_keys_seen(&shape, query, 0, shape.keys);
}

/* The first query that sees the key, mask apart; at least 0. */
PCC_DEVICE int64_t pcc_attention_begin(const PccAttention &shape, int64_t key)
{
    return shape.causal ? pcc_max_i64(0, key - (shape.keys - shape.queries)) : 0;
}

/* The element of row `row` of a head, of an operand of strides between batches, heads and rows. */
template <class X>
PCC_DEVICE X *pcc_attention_row(X *at, const int64_t *stride, int64_t batch, int64_t head, int64_t row)
{
    return at + batch * stride[0] + head * stride[1] + row * stride[2];
}

#endif
