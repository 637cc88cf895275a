/* accumulate.cuh: accumulate.h's kernel for CUDA.
 *
 *   pcc_accumulate<T>(n, x, sum, s)   sum[n] = x[n] in the first micro-batch (s->micro == 0), sum + x in the others
 *
 * Only the device knows the number of the micro-batch. */
#ifndef PCC_ACCUMULATE_CUH
#define PCC_ACCUMULATE_CUH

#include "../common/storage.cuh"

/* A thread adds V neighbouring elements; the last ones, fewer than V, one by one. */
template <class T, int V, class X, class Y>
__global__ void pcc_accumulate_kernel(int64_t n, const X *x, Y *sum, const PccStep *s)
{
    const bool first = s->micro == 0;
    PCC_FOR_ITEMS (i, n / V) {
        const PccVector<X, V> part = pcc_load_vector<V>(x + i * V);
        PccVector<Y, V> so_far = {};
        if (!first)
            so_far = pcc_load_vector<V>(sum + i * V);
        for (int v = 0; v < V; v++) {
            const T added = (T)pcc_wide(part.at[v]);
            so_far.at[v] = pcc_narrowed<Y>(first ? added : (T)pcc_wide(so_far.at[v]) + added);
        }
        pcc_store_vector(sum + i * V, so_far);
    }
    PCC_FOR_ITEMS (rest, n % V) {
        const int64_t i = n - n % V + rest;
        pcc_put(sum, i, first ? pcc_get<T>(x, i) : pcc_get<T>(sum, i) + pcc_get<T>(x, i));
    }
}

template <class T, class X, class Y> static void pcc_accumulate(int64_t n, const X *x, Y *sum, PccStep *s)
{
    enum { V = 16 / (sizeof(X) > sizeof(Y) ? sizeof(X) : sizeof(Y)) };
    const unsigned blocks = pcc_blocks(n, PCC_BLOCK * V);
    if (n <= 0)
        return;
    if (pcc_is_aligned<V>(x, 0) && pcc_is_aligned<V>(sum, 0))
        PCC_LAUNCH((pcc_accumulate_kernel<T, V, X, Y>), blocks, PCC_BLOCK, 0, s, n, x, sum, pcc_on_device(s));
    else
        PCC_LAUNCH((pcc_accumulate_kernel<T, 1, X, Y>), pcc_blocks(n, PCC_BLOCK), PCC_BLOCK, 0, s, n, x, sum,
                   pcc_on_device(s));
}

#endif
