/* max_pool.cuh: max pooling of pool.h and its gradient for CUDA.
 *
 *   pcc_max_pool<T>(shape, x, mean, gain, offset, y, index, s)
 *       of x or, where mean[c], gain[c] and offset[c] are given, of (x - mean) * gain + offset. index[n, out, c], or
 *       absent: the maximum's position in the sample's plane, the first of equals; NaN is the maximum; -1 for a window
 *       entirely in the padding
 *   pcc_max_pool_grad<T>(shape, dy, index, dx, s)
 *
 * The gradient gathers: each input position sums the gradients of the windows that cover it, in window order. */
#ifndef PCC_MAX_POOL_CUH
#define PCC_MAX_POOL_CUH

#include "pool_place.cuh"

/* The normalisation constants of a thread's channels. */
template <class T, int V> struct PccPoolNormal {
    T mean[V], gain[V], offset[V];
};

/* NaN is greater than all but an earlier NaN. */
template <int V, class T>
PCC_DEVICE void pcc_pool_best(bool first, int32_t position, const T x[V], T best[V], int32_t winner[V])
{
    for (int k = 0; k < V; k++) {
        const bool wins = first || x[k] > best[k] || (x[k] != x[k] && best[k] == best[k]);
        best[k] = wins ? x[k] : best[k];
        winner[k] = wins ? position : winner[k];
    }
}

template <class T, int V, bool NORMALISES, class X>
PCC_DEVICE void pcc_pool_maximum(const PccPoolShape32 &shape, const PccPoolPlace &place,
                                 const PccPoolNormal<T, V> &normal, const X *x, T best[V], int32_t winner[V])
{
    const PccPoolRange32 window = pcc_pool_window(&shape, place.at);
    const X *plane = x + place.sample * pcc_pool_plane(shape.in) * shape.c + place.channel;
    bool first = true;
    for (int32_t k0 = window.first[0]; k0 < window.end[0]; k0++)
        for (int32_t k1 = window.first[1]; k1 < window.end[1]; k1++) {
            const int32_t from[3] = {k0, k1, window.first[2]};
            int32_t position = pcc_pool_position(&shape, place.at, from);
#pragma unroll 1 /* more would spill, in f64 and in vectors of 16 bits */
            for (int32_t k2 = from[2]; k2 < window.end[2]; k2++, position += shape.dilation[2], first = false) {
                T value[V];
                pcc_pool_read<V>(plane + (int64_t)position * shape.c, value);
                for (int k = 0; k < V && NORMALISES; k++)
                    value[k] = (value[k] - normal.mean[k]) * normal.gain[k] + normal.offset[k];
                pcc_pool_best<V>(first, (int32_t)position, value, best, winner);
            }
        }
}

template <class T, int V, bool NORMALISES, class X, class M, class G, class O, class Y>
static __global__ void __launch_bounds__(PCC_BLOCK, 3)
    pcc_max_pool_kernel(const PccPoolShape32 shape, const PccPoolWalk walk, const X *x, const M *mean, const G *gain,
                        const O *offset, Y *y, int32_t *index)
{
    PCC_FOR_ITEMS_OF (uint32_t, i, walk.count) {
        const PccPoolPlace place = pcc_pool_place<V>(shape, shape.out, walk, i);
        PccPoolNormal<T, V> normal;
        if (NORMALISES) {
            pcc_pool_read<V>(mean + place.channel, normal.mean);
            pcc_pool_read<V>(gain + place.channel, normal.gain);
            pcc_pool_read<V>(offset + place.channel, normal.offset);
        }
        T best[V];
        int32_t winner[V];
        for (int k = 0; k < V; k++) {
            best[k] = -(T)INFINITY;
            winner[k] = -1;
        }
        pcc_pool_maximum<T, V, NORMALISES>(shape, place, normal, x, best, winner);
        pcc_pool_write<V>(y + place.first, best);
        if (index)
            pcc_pool_write<V>(index + place.first, winner);
    }
}

template <class T, class X, class M, class G, class O, class Y, class Index>
static void pcc_max_pool(PccPool shape, const X *x, const M *mean, const G *gain, const O *offset, Y *y, Index *index,
                         PccStep *s)
{
    constexpr int V = pcc_pool_vector<X, Y>();
    int32_t *winners = (int32_t *)(void *)index; /* absent: of another type */
    const bool normalises = gain != nullptr;
    const bool aligned = pcc_is_aligned<V>(x, 0) && pcc_is_aligned<V>(mean, 0) && pcc_is_aligned<V>(gain, 0) &&
                         pcc_is_aligned<V>(offset, 0) && pcc_is_aligned<V>(y, 0) && pcc_is_aligned<V>(winners, 0);
    auto launch = [&](auto width, const PccPoolShape32 &p, const PccPoolWalk &walk) {
        constexpr int N = decltype(width)::value;
        const unsigned blocks = pcc_blocks(walk.count, PCC_BLOCK);
        if (normalises)
            PCC_LAUNCH((pcc_max_pool_kernel<T, N, true, X, M, G, O, Y>), blocks, PCC_BLOCK, 0, s, p, walk, x, mean,
                       gain, offset, y, winners);
        else
            PCC_LAUNCH((pcc_max_pool_kernel<T, N, false, X, M, G, O, Y>), blocks, PCC_BLOCK, 0, s, p, walk, x, mean,
                       gain, offset, y, winners);
    };
    pcc_pool_launch<V>(shape, true, aligned, s, launch);
}

/* ---- gradient --------------------------------------------------------------------------------------------------- */

template <class T, int V, class X, class Y>
static __global__ void __launch_bounds__(PCC_BLOCK, 4)
    pcc_max_pool_grad_kernel(const PccPoolShape32 shape, const PccPoolWalk walk, const X *dy, const int32_t *index,
                             Y *dx)
{
    PCC_FOR_ITEMS_OF (uint32_t, i, walk.count) {
        const PccPoolPlace place = pcc_pool_place<V>(shape, shape.in, walk, i);
        const PccPoolRange32 cover = pcc_pool_cover(&shape, place.at);
        const int32_t here = (int32_t)((place.at[0] * shape.in[1] + place.at[1]) * shape.in[2] + place.at[2]);
        T sum[V] = {};
        for (int32_t w0 = cover.first[0]; w0 < cover.end[0]; w0++)
            for (int32_t w1 = cover.first[1]; w1 < cover.end[1]; w1++) {
                const int64_t line = ((int64_t)place.sample * shape.out[0] + w0) * shape.out[1] + w1;
                int64_t from = (line * shape.out[2] + cover.first[2]) * shape.c + place.channel;
                for (int32_t w2 = cover.first[2]; w2 < cover.end[2]; w2++, from += shape.c) {
                    T down[V];
                    int32_t winner[V];
                    pcc_pool_read<V>(dy + from, down);
                    pcc_pool_read<V>(index + from, winner);
                    for (int k = 0; k < V; k++)
                        sum[k] += winner[k] == here ? down[k] : 0;
                }
            }
        pcc_pool_write<V>(dx + place.first, sum);
    }
}

template <class T, class X, class Y>
static void pcc_max_pool_grad(PccPool shape, const X *dy, const int32_t *index, Y *dx, PccStep *s)
{
    constexpr int V = pcc_pool_vector<X, Y>();
    const bool aligned = pcc_is_aligned<V>(dy, 0) && pcc_is_aligned<V>(index, 0) && pcc_is_aligned<V>(dx, 0);
    auto launch = [&](auto width, const PccPoolShape32 &p, const PccPoolWalk &walk) {
        PCC_LAUNCH((pcc_max_pool_grad_kernel<T, decltype(width)::value, X, Y>), pcc_blocks(walk.count, PCC_BLOCK),
                   PCC_BLOCK, 0, s, p, walk, dy, index, dx);
    };
    pcc_pool_launch<V>(shape, false, aligned, s, launch);
}

#endif
