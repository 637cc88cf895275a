/* attention_grad.cuh: attention.h for CUDA, backward: pcc_attention_grad and pcc_attention_visible_grad. scratch:
 * pcc_cuda_attention_grad_scratch_bytes(shape, sizeof T). */
#ifndef PCC_ATTENTION_GRAD_CUH
#define PCC_ATTENTION_GRAD_CUH

#include "attention_delta.cuh"
#include "attention_simt_grad.cuh"
#include "attention_tensor_grad.cuh"

/* One of dq, dk and dv, on tensor cores where they can be used. */
template <PccAttentionSide SIDE, class T, class Q, class K, class V, class A, class D, class G>
static void pcc_attention_grad_side(const PccAttentionBackward<T, Q, K, V, A, D> &f, const T *factor, G *grad,
                                    PccStep *s)
{
    if constexpr (std::is_same<T, float>::value && pcc_attention_is_narrow<Q, K, V, D>())
        if (pcc_attention_tensor_side<SIDE>(f, factor, grad, s))
            return;
    pcc_attention_grad_simt_side<SIDE>(f, grad, s);
}

template <class T, class Q, class K, class V, class M, class Y, class D, class DQ, class DK, class DV>
static void pcc_attention_grad(PccAttention shape, const Q *q, const K *k, const V *v, const M *mask, const Y *y,
                               const T *max, const T *inverse_sum, const D *dy, DQ *dq, DK *dk, DV *dv, void *scratch,
                               PccStep *s)
{
    constexpr bool in_f16 = pcc_attention_is_narrow<PccF16, Q, K, V, D>();
    const int64_t queries = shape.batch * shape.heads * shape.queries;
    T *delta = (T *)scratch, *norm = in_f16 ? delta + queries : nullptr, *factor = in_f16 ? norm + queries : nullptr;
    pcc_attention_delta(shape, y, dy, delta, norm, s);
    if constexpr (in_f16)
        pcc_attention_factors(shape, v, norm, factor, s);
    const PccAttentionBackward<T, Q, K, V, M, D> f = {shape, q, k, v, mask, max, inverse_sum, delta, dy};
    pcc_attention_grad_side<PCC_ATTENTION_DQ>(f, (const T *)factor, dq, s);
    pcc_attention_grad_side<PCC_ATTENTION_DK>(f, (const T *)factor, dk, s);
    pcc_attention_grad_side<PCC_ATTENTION_DV>(f, (const T *)factor, dv, s);
}

template <class T, class Q, class K, class V, class Y, class D, class DQ, class DK, class DV>
static void pcc_attention_visible_grad(PccAttention shape, const Q *q, const K *k, const V *v, const uint8_t *visible,
                                       const Y *y, const T *max, const T *inverse_sum, const D *dy, DQ *dq, DK *dk,
                                       DV *dv, void *scratch, PccStep *s)
{
    pcc_attention_grad<T>(shape, q, k, v, visible, y, max, inverse_sum, dy, dq, dk, dv, scratch, s);
}

#endif
