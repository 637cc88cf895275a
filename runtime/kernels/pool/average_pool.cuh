/* average_pool.cuh: average pooling of pool.h and its gradient for CUDA.
 *
 *   pcc_average_pool<T>(shape, x, y, s), pcc_average_pool_grad<T>(shape, dy, dx, s)
 *
 * The gradient gathers: each input position sums the gradients of the windows that cover it, in window order. */
#ifndef PCC_AVERAGE_POOL_CUH
#define PCC_AVERAGE_POOL_CUH

#include "pool_place.cuh"

/* The divisor of every window, or 0 where windows differ; found for each axis separately. */
static inline int32_t pcc_pool_common_divisor(const PccPool &shape)
{
    const int64_t origin[3] = {0, 0, 0}, divisor = pcc_pool_divisor(&shape, origin);
    for (int axis = 0; axis < 3; axis++)
        for (int64_t i = 1; i < shape.out[axis]; i++) {
            const int64_t at[3] = {axis == 0 ? i : 0, axis == 1 ? i : 0, axis == 2 ? i : 0};
            if (pcc_pool_divisor(&shape, at) != divisor)
                return 0;
        }
    return divisor < PCC_POOL_MOST ? (int32_t)divisor : 0;
}

PCC_DEVICE int32_t pcc_pool_divisor_at(const PccPoolShape32 &shape, int32_t common, const int32_t at[3])
{
    return common > 0 ? common : pcc_pool_divisor(&shape, at);
}

template <class T, int V, class X, class Y>
static __global__ void __launch_bounds__(PCC_BLOCK, 4)
    pcc_average_pool_kernel(const PccPoolShape32 shape, const PccPoolWalk walk, int32_t common, const X *x, Y *y)
{
    PCC_FOR_ITEMS_OF (uint32_t, i, walk.count) {
        const PccPoolPlace place = pcc_pool_place<V>(shape, shape.out, walk, i);
        const PccPoolRange32 window = pcc_pool_window(&shape, place.at);
        const X *plane = x + place.sample * pcc_pool_plane(shape.in) * shape.c + place.channel;
        T sum[V] = {};
        for (int32_t k0 = window.first[0]; k0 < window.end[0]; k0++)
            for (int32_t k1 = window.first[1]; k1 < window.end[1]; k1++) {
                const int32_t from[3] = {k0, k1, window.first[2]};
                int32_t position = pcc_pool_position(&shape, place.at, from);
#pragma unroll 2 /* more would spill */
                for (int32_t k2 = from[2]; k2 < window.end[2]; k2++, position += shape.dilation[2]) {
                    T value[V];
                    pcc_pool_read<V>(plane + (int64_t)position * shape.c, value);
                    for (int k = 0; k < V; k++)
                        sum[k] += value[k];
                }
            }
        const T divisor = (T)pcc_pool_divisor_at(shape, common, place.at);
        for (int k = 0; k < V; k++)
            sum[k] /= divisor;
        pcc_pool_write<V>(y + place.first, sum);
    }
}

template <class T, class X, class Y> static void pcc_average_pool(PccPool shape, const X *x, Y *y, PccStep *s)
{
    constexpr int V = pcc_pool_vector<X, Y>();
    const int32_t common = pcc_pool_common_divisor(shape);
    auto launch = [&](auto width, const PccPoolShape32 &p, const PccPoolWalk &walk) {
        PCC_LAUNCH((pcc_average_pool_kernel<T, decltype(width)::value, X, Y>), pcc_blocks(walk.count, PCC_BLOCK),
                   PCC_BLOCK, 0, s, p, walk, common, x, y);
    };
    pcc_pool_launch<V>(shape, true, pcc_is_aligned<V>(x, 0) && pcc_is_aligned<V>(y, 0), s, launch);
}

/* ---- gradient --------------------------------------------------------------------------------------------------- */

/* The gradient of window w with respect to each of its inputs, for channels from `channel` on. */
template <int V, class T, class X>
PCC_DEVICE void pcc_pool_hand_down(const PccPoolShape32 &shape, const PccPoolPlace &place, int32_t common,
                                   const int32_t w[3], const X *dy, T sum[V])
{
    if (!pcc_pool_touches(&shape, w, place.at))
        return;
    const int64_t window = (((int64_t)place.sample * shape.out[0] + w[0]) * shape.out[1] + w[1]) * shape.out[2] + w[2];
    const T divisor = (T)pcc_pool_divisor_at(shape, common, w);
    T down[V];
    pcc_pool_read<V>(dy + window * shape.c + place.channel, down);
    for (int k = 0; k < V; k++)
        sum[k] += down[k] / divisor;
}

template <class T, int V, class X, class Y>
static __global__ void __launch_bounds__(PCC_BLOCK, 4)
    pcc_average_pool_grad_kernel(const PccPoolShape32 shape, const PccPoolWalk walk, int32_t common, const X *dy, Y *dx)
{
    PCC_FOR_ITEMS_OF (uint32_t, i, walk.count) {
        const PccPoolPlace place = pcc_pool_place<V>(shape, shape.in, walk, i);
        const PccPoolRange32 cover = pcc_pool_cover(&shape, place.at);
        T sum[V] = {};
        for (int32_t w0 = cover.first[0]; w0 < cover.end[0]; w0++)
            for (int32_t w1 = cover.first[1]; w1 < cover.end[1]; w1++)
                for (int32_t w2 = cover.first[2]; w2 < cover.end[2]; w2++) {
                    const int32_t w[3] = {w0, w1, w2};
                    pcc_pool_hand_down<V>(shape, place, common, w, dy, sum);
                }
        pcc_pool_write<V>(dx + place.first, sum);
    }
}

template <class T, class X, class Y> static void pcc_average_pool_grad(PccPool shape, const X *dy, Y *dx, PccStep *s)
{
    constexpr int V = pcc_pool_vector<X, Y>();
    const int32_t common = pcc_pool_common_divisor(shape);
    auto launch = [&](auto width, const PccPoolShape32 &p, const PccPoolWalk &walk) {
        PCC_LAUNCH((pcc_average_pool_grad_kernel<T, decltype(width)::value, X, Y>), pcc_blocks(walk.count, PCC_BLOCK),
                   PCC_BLOCK, 0, s, p, walk, common, dy, dx);
    };
    pcc_pool_launch<V>(shape, false, pcc_is_aligned<V>(dy, 0) && pcc_is_aligned<V>(dx, 0), s, launch);
}

#endif
