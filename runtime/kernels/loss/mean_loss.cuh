/* mean_loss.cuh: losses that are the mean of a function of (prediction, target) over the elements of the valid samples,
 * and their gradients, on a GPU: loss.h's contract. */
#ifndef PCC_MEAN_LOSS_CUH
#define PCC_MEAN_LOSS_CUH

#include "loss_parts.cuh"

/* term: an element's loss; slope: its derivative divided by `factor`. */
struct PccSquare {
    static constexpr int factor = 2;
    template <class T> static __device__ __forceinline__ T term(T y, T z)
    {
        return (y - z) * (y - z);
    }
    template <class T> static __device__ __forceinline__ T slope(T y, T z)
    {
        return y - z;
    }
};

/* -z log σ(y) - (1 - z) log(1 - σ(y)), without overflow for any y. */
struct PccBinaryEntropy {
    static constexpr int factor = 1;
    template <class T> static __device__ __forceinline__ T term(T y, T z)
    {
        const T magnitude = y < 0 ? -y : y, positive = y < 0 ? T(0) : y;
        return positive - y * z + log1p(exp(-magnitude));
    }
    template <class T> static __device__ __forceinline__ T slope(T y, T z)
    {
        const T power = exp(y < 0 ? y : -y); /* of -|y|: both tails keep their relative accuracy */
        return (y < 0 ? power : T(1)) / (1 + power) - z;
    }
};

/* A sum with its rounding error (Kahan), as threads add up long runs of elements in T. */
template <class T> struct PccKahan {
    T sum = 0, lost = 0;
    __device__ __forceinline__ void add(T x)
    {
        const T more = x - lost, next = sum + more;
        lost = (next - sum) - more;
        sum = next;
    }
};

/* Threads process vectors of V elements; the last elements, fewer than V, one by one, and all elements where they are
 * not aligned. */
template <int V, class Loss, class T, class X, class Z>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_mean_loss_kernel(int64_t per_sample, bool aligned, const X *y, const Z *target, PccLossPart *parts,
                         const PccStep *step)
{
    const int64_t valid = step->valid * per_sample, vectors = aligned ? valid / V : 0;
    PccKahan<T> sum;
#pragma unroll 2
    PCC_FOR_ITEMS (i, vectors) {
        const auto ys = pcc_load_vector<V>(y + i * V);
        const auto zs = pcc_load_vector<V>(target + i * V);
        T part = 0;
        for (int j = 0; j < V; j++)
            part += Loss::term((T)pcc_wide(ys.at[j]), (T)pcc_wide(zs.at[j]));
        sum.add(part);
    }
    PCC_FOR_ITEMS (i, valid - vectors * V)
        sum.add(Loss::term(pcc_get<T>(y, vectors * V + i), pcc_get<T>(target, vectors * V + i)));
    const double part = pcc_block_reduce<PccSum>((double)sum.sum - (double)sum.lost);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = {part, 0, 0};
}

template <class T, class Y>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_mean_total_kernel(int64_t per_sample, int64_t count, const PccLossPart *parts, Y *loss, PccStep *step)
{
    const PccLossPart sum = pcc_all_loss_parts(count, parts);
    if (threadIdx.x > 0)
        return;
    const double valid = (double)(step->valid * per_sample);
    pcc_put(loss, 0, (T)(sum.loss / valid));
    step->counted = valid;
}

/* dy = scale slope(y, target); 0 in samples that do not count. */
template <int V, class Loss, class T, class G, class X, class Z, class D>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_mean_grad_kernel(int64_t per_sample, int64_t n, bool aligned, const G *dloss, const X *y, const Z *target,
                         D *dy, const PccStep *step)
{
    const int64_t valid = step->valid * per_sample, vectors = aligned ? n / V : 0;
    const T scale = pcc_get<T>(dloss, 0) * T(Loss::factor) / (T)valid;
    PCC_FOR_ITEMS (i, vectors) {
        T ys[V], zs[V];
        pcc_get_columns(y + i * V, V, true, ys);
        pcc_get_columns(target + i * V, V, true, zs);
        const int counted = (int)pcc_max_i64(0, pcc_min_i64(valid - i * V, V));
        for (int j = 0; j < V; j++)
            ys[j] = j < counted ? scale * Loss::slope(ys[j], zs[j]) : T(0);
        pcc_put_columns(dy + i * V, V, true, ys);
    }
    PCC_FOR_ITEMS (rest, n - vectors * V) {
        const int64_t i = vectors * V + rest;
        const T slope = Loss::slope(pcc_get<T>(y, i), pcc_get<T>(target, i));
        pcc_put(dy, i, i < valid ? scale * slope : T(0));
    }
}

template <class Loss, class T, class X, class Z, class Y>
static void pcc_mean_loss(int64_t batch, int64_t per_sample, const X *y, const Z *target, Y *loss, void *scratch,
                          PccStep *s)
{
    constexpr int V = pcc_lanes_of<T, X, Z>();
    const int64_t blocks = pcc_cuda_mean_parts(batch * per_sample);
    PccLossPart *parts = (PccLossPart *)scratch;
    PCC_LAUNCH((pcc_mean_loss_kernel<V, Loss, T, X, Z>), (unsigned)blocks, PCC_BLOCK, 0, s, per_sample,
               pcc_is_aligned<V>(y, 0) && pcc_is_aligned<V>(target, 0), y, target, parts, pcc_on_device(s));
    PCC_LAUNCH((pcc_mean_total_kernel<T, Y>), 1, PCC_BLOCK, 0, s, per_sample, blocks, parts, loss, pcc_on_device(s));
}

template <class Loss, class T, class G, class X, class Z, class D>
static void pcc_mean_grad(int64_t batch, int64_t per_sample, const G *dloss, const X *y, const Z *target, D *dy,
                          PccStep *s)
{
    constexpr int V = pcc_lanes_of<T, X, Z, D>();
    const int64_t n = batch * per_sample;
    if (n == 0)
        return;
    PCC_LAUNCH((pcc_mean_grad_kernel<V, Loss, T, G, X, Z, D>), pcc_blocks(n, PCC_BLOCK * V), PCC_BLOCK, 0, s,
               per_sample, n, pcc_is_aligned<V>(y, 0) && pcc_is_aligned<V>(target, 0) && pcc_is_aligned<V>(dy, 0),
               dloss, y, target, dy, pcc_on_device(s));
}

template <class T, class X, class Z, class Y>
static void pcc_mse(int64_t batch, int64_t per_sample, const X *y, const Z *target, Y *loss, void *scratch, PccStep *s)
{
    pcc_mean_loss<PccSquare, T>(batch, per_sample, y, target, loss, scratch, s);
}

template <class T, class G, class X, class Z, class D>
static void pcc_mse_grad(int64_t batch, int64_t per_sample, const G *dloss, const X *y, const Z *target, D *dy,
                         PccStep *s)
{
    pcc_mean_grad<PccSquare, T>(batch, per_sample, dloss, y, target, dy, s);
}

template <class T, class X, class Z, class Y>
static void pcc_bce_with_logits(int64_t batch, int64_t per_sample, const X *y, const Z *target, Y *loss, void *scratch,
                                PccStep *s)
{
    pcc_mean_loss<PccBinaryEntropy, T>(batch, per_sample, y, target, loss, scratch, s);
}

template <class T, class G, class X, class Z, class D>
static void pcc_bce_with_logits_grad(int64_t batch, int64_t per_sample, const G *dloss, const X *y, const Z *target,
                                     D *dy, PccStep *s)
{
    pcc_mean_grad<PccBinaryEntropy, T>(batch, per_sample, dloss, y, target, dy, s);
}

#endif
