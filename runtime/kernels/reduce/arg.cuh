/* arg.cuh: the arg-reductions of reduce.h for CUDA.
 *
 *   pcc_argmax<T>, pcc_argmin<T>(outer, reduced, inner, select_last, x, int64_t y[outer, inner], s)
 *
 * NaN is both the maximum and the minimum. Ties are decided by position alone, so the order in which threads combine
 * does not matter. */
#ifndef PCC_ARG_CUH
#define PCC_ARG_CUH

#include "reduce.cuh"

template <class T> struct PccFound {
    T value;
    int64_t at; /* -1: none yet */
};

/* Is a preferred to b? */
template <bool MAX, class T> PCC_DEVICE bool pcc_found_before(PccFound<T> a, PccFound<T> b, bool select_last)
{
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a.at < 0 || b.at < 0)
        return a.at >= 0;
    if (a_nan != b_nan)
        return a_nan;
    if (a_nan || a.value == b.value)
        return select_last ? a.at > b.at : a.at < b.at;
    return MAX ? a.value > b.value : a.value < b.value;
}

/* `rows` threads share a line and a block processes `lanes` lines; where inner is 1, a line's threads are
 * neighbours. */
template <bool MAX, class T, class X>
__global__ void pcc_arg_kernel(PccReduction r, bool select_last, const X *x, int64_t *y)
{
    __shared__ T values[PCC_BLOCK];
    __shared__ int64_t places[PCC_BLOCK];
    const int thread = (int)threadIdx.x, lane = r.inner == 1 ? thread / r.rows : thread % r.lanes;
    const int row = r.inner == 1 ? thread % r.rows : thread / r.lanes, slot = row * r.lanes + lane;
    for (int64_t task = blockIdx.x; task < r.tiles; task += gridDim.x) {
        const int64_t line = task * r.lanes + lane;
        const X *p = x + line / r.inner * r.reduced * r.inner + line % r.inner;
        PccFound<T> best = {T(0), -1};
        for (int64_t k = row; k < r.reduced && line < r.outer * r.inner; k += r.rows) {
            const PccFound<T> found = {pcc_get<T>(p, k * r.inner), k};
            if (pcc_found_before<MAX>(found, best, select_last))
                best = found;
        }
        for (int half = r.rows / 2; half > 0; half /= 2) {
            values[slot] = best.value;
            places[slot] = best.at;
            __syncthreads();
            if (row < half) {
                const PccFound<T> other = {values[slot + half * r.lanes], places[slot + half * r.lanes]};
                if (pcc_found_before<MAX>(other, best, select_last))
                    best = other;
            }
            __syncthreads();
        }
        if (row == 0 && line < r.outer * r.inner)
            y[line] = best.at < 0 ? 0 : best.at;
    }
}

template <bool MAX, class T, class X>
static void pcc_arg(int64_t outer, int64_t reduced, int64_t inner, int64_t select_last, const X *x, int64_t *y,
                    PccStep *s)
{
    PccReduction r = {outer, reduced, inner, 1, reduced, 0, 0, 0};
    const int most = inner == 1 ? PCC_BLOCK : PCC_BLOCK / pcc_power_of_two(inner, PCC_WARP);
    r.rows = pcc_power_of_two((reduced + 3) / 4, most);
    r.lanes = PCC_BLOCK / r.rows;
    r.tiles = (outer * inner + r.lanes - 1) / r.lanes;
    if (outer * inner > 0)
        PCC_LAUNCH((pcc_arg_kernel<MAX, T, X>), pcc_blocks(r.tiles, 1), PCC_BLOCK, 0, s, r, select_last != 0, x, y);
}

template <class T, class X>
static void pcc_argmax(int64_t outer, int64_t reduced, int64_t inner, int64_t select_last, const X *x, int64_t *y,
                       PccStep *s)
{
    pcc_arg<true, T>(outer, reduced, inner, select_last, x, y, s);
}

template <class T, class X>
static void pcc_argmin(int64_t outer, int64_t reduced, int64_t inner, int64_t select_last, const X *x, int64_t *y,
                       PccStep *s)
{
    pcc_arg<false, T>(outer, reduced, inner, select_last, x, y, s);
}

#endif
