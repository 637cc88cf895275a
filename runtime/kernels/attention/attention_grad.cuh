/* attention_grad.cuh: attention.h for CUDA, backward: pcc_attention_grad and pcc_attention_visible_grad. scratch:
 * pcc_cuda_attention_grad_scratch_bytes(shape, sizeof T). */
#ifndef PCC_ATTENTION_GRAD_CUH
#define PCC_ATTENTION_GRAD_CUH

#include "attention_delta.cuh"
#include "attention_simt_grad.cuh"

template <class T, class Q, class K, class V, class M, class Y, class D, class DQ, class DK, class DV>
static void pcc_attention_grad(PccAttention shape, const Q *q, const K *k, const V *v, const M *mask, const Y *y,
                               const T *max, const T *inverse_sum, const D *dy, DQ *dq, DK *dk, DV *dv, void *scratch,
                               PccStep *s)
{
    T *delta = (T *)scratch;
    pcc_attention_delta(shape, y, dy, delta, s);
    const PccAttentionBackward<T, Q, K, V, M, D> f = {shape, q, k, v, mask, max, inverse_sum, delta, dy};
    pcc_attention_grad_simt(f, dq, dk, dv, s);
}

template <class T, class Q, class K, class V, class Y, class D, class DQ, class DK, class DV>
static void pcc_attention_visible_grad(PccAttention shape, const Q *q, const K *k, const V *v, const uint8_t *visible,
                                       const Y *y, const T *max, const T *inverse_sum, const D *dy, DQ *dq, DK *dk,
                                       DV *dv, void *scratch, PccStep *s)
{
    pcc_attention_grad<T>(shape, q, k, v, visible, y, max, inverse_sum, dy, dq, dk, dv, scratch, s);
}

#endif
