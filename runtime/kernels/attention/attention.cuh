/* attention.cuh: attention.h for CUDA, forward: pcc_attention and pcc_attention_visible. The [queries, keys] matrix is
 * never materialised. Absent operands are null pointers; max and inverse_sum have type T. */
#ifndef PCC_ATTENTION_CUH
#define PCC_ATTENTION_CUH

#include "attention_simt_forward.cuh"
#include "attention_tensor_forward.cuh"

template <class T, class Q, class K, class V, class M, class Y, class S>
static void pcc_attention(PccAttention shape, const Q *q, const K *k, const V *v, const M *mask, Y *y, S *max,
                          S *inverse_sum, PccStep *s)
{
    if constexpr (std::is_same<T, float>::value && pcc_attention_is_narrow<Q, K, V>())
        if (pcc_attention_tensor(shape, q, k, v, mask, y, (float *)max, (float *)inverse_sum, s))
            return;
    pcc_attention_simt<T>(shape, q, k, v, mask, y, (T *)(void *)max, (T *)(void *)inverse_sum, s);
}

template <class T, class Q, class K, class V, class Y, class S>
static void pcc_attention_visible(PccAttention shape, const Q *q, const K *k, const V *v, const uint8_t *visible, Y *y,
                                  S *max, S *inverse_sum, PccStep *s)
{
    pcc_attention<T>(shape, q, k, v, visible, y, max, inverse_sum, s);
}

#endif
