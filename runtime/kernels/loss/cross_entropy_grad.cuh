/* cross_entropy_grad.cuh: the gradient of softmax cross-entropy on a GPU: loss.h's contract.
 *
 * dlogits = scale (e^(logits - peak - lse) - onehot), which may be written over the logits: a row is read once for its
 * peak, and once more, from cache, for its gradient. Rows that do not count are not read, but zeroed. e^-lse is
 * included in the factor. */
#ifndef PCC_CROSS_ENTROPY_GRAD_CUH
#define PCC_CROSS_ENTROPY_GRAD_CUH

#include "cross_entropy.cuh"

/* Inputs besides the scores, and the output. */
template <class G, class L, class N, class D> struct PccEntropyGrad {
    const G *dloss; /* [outer, inner] or one */
    const L *lse;
    const N *total;
    D *dlogits;
};

/* The inputs of one position's gradient, besides its logits. */
template <class T> struct PccEntropySlope {
    PccScored scored;
    T scale, factor; /* factor: scale e^-lse */
};

template <class T, class S, class P>
PCC_DEVICE PccEntropySlope<T> pcc_entropy_slope(const S &p, const P &g, int64_t at, const PccStep *step)
{
    const PccScored scored = pcc_scored(p, at, step);
    if (scored.label < 0)
        return {scored, 0, 0};
    T scale = pcc_get<T>(g.dloss, p.reduction == PCC_REDUCTION_NONE ? at : 0);
    if (p.reduction == PCC_REDUCTION_MEAN) {
        const T sum = pcc_get<T>(g.total, 0);
        scale *= sum != 0 ? 1 / sum : T(0);
    }
    if (p.weight)
        scale *= pcc_get<T>(p.weight, scored.label);
    return {scored, scale, scale * exp(-pcc_get<T>(g.lse, at))};
}

/* dlogits of classes c … c + N - 1 of a position that counts, from their logits. */
template <class D, class T, int N>
PCC_DEVICE void pcc_entropy_dx(const PccEntropySlope<T> &slope, T peak, int64_t c, T (&x)[N])
{
    const int64_t label = slope.scored.label - c;
    for (int j = 0; j < N; j++)
        x[j] = slope.factor * pcc_power_for<D>(x[j] - peak);
    if (label >= 0 && label < N)
        for (int j = 0; j < N; j++)
            x[j] -= j == (int)label ? slope.scale : T(0);
}

template <int V, class T, class X, class W, class G, class L, class N, class D>
__global__ void __launch_bounds__(PCC_ENTROPY_THREADS, 1)
    pcc_entropy_grad_rows_kernel(PccScores<X, W> p, PccEntropyGrad<G, L, N, D> g, bool aligned, const PccStep *step)
{
    const int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y, start = row * p.classes;
    const bool there = row < p.outer;
    const PccEntropySlope<T> slope = there ? pcc_entropy_slope<T>(p, g, row, step) : PccEntropySlope<T>{{0, -1}, 0, 0};
    const X *x = p.logits + start;
    T peak = -T(INFINITY);
    pcc_walk_row<V>(start, slope.scored.label >= 0 ? p.classes : 0, aligned, [&](auto lanes, int64_t i) {
        T values[lanes.count];
        pcc_get_columns(x + i, lanes.count, true, values);
        for (int j = 0; j < lanes.count; j++)
            peak = PccPeak::of(peak, values[j]);
    });
    peak = pcc_row_reduce<PccPeak>(peak);
    pcc_walk_row<V>(start, there ? p.classes : 0, aligned, [&](auto lanes, int64_t i) {
        T values[lanes.count] = {};
        if (slope.scored.label >= 0) {
            pcc_get_columns(x + i, lanes.count, true, values);
            pcc_entropy_dx<D>(slope, peak, i, values);
        }
        pcc_put_columns(g.dlogits + start + i, lanes.count, true, values);
    });
}

template <class T, class X, class W, class G, class L, class N, class D>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_entropy_grad_lines_kernel(PccScores<X, W> p, PccEntropyGrad<G, L, N, D> g, const PccStep *step)
{
    const int64_t at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const bool there = at < p.outer * p.inner;
    const PccEntropySlope<T> slope = there ? pcc_entropy_slope<T>(p, g, at, step) : PccEntropySlope<T>{{0, -1}, 0, 0};
    T peak = -T(INFINITY);
    for (int64_t c = threadIdx.y; c < p.classes && slope.scored.label >= 0; c += blockDim.y)
        peak = PccPeak::of(peak, pcc_get<T>(p.logits, slope.scored.start + c * p.inner));
    peak = pcc_line_reduce<PccPeak>(peak);
    for (int64_t c = threadIdx.y; c < p.classes && there; c += blockDim.y) {
        const int64_t i = slope.scored.start + c * p.inner;
        T value[1] = {};
        if (slope.scored.label >= 0) {
            value[0] = pcc_get<T>(p.logits, i);
            pcc_entropy_dx<D>(slope, peak, c, value);
        }
        pcc_put(g.dlogits, i, value[0]);
    }
}

template <class T, class G, class X, class W, class L, class N, class D>
static void pcc_cross_entropy_grad(int64_t batch, int64_t outer, int64_t classes, int64_t inner, int64_t ignore_index,
                                   int64_t shift, int64_t reduction, const G *dloss, const X *logits,
                                   const int64_t *target, const W *weight, const L *lse, const N *total, D *dlogits,
                                   PccStep *s)
{
    constexpr int V = pcc_lanes_of<T, X, D>();
    const PccScores<X, W> p = {batch, outer, classes, inner, ignore_index, shift, reduction, logits, target, weight};
    const PccEntropyGrad<G, L, N, D> g = {dloss, lse, total, dlogits};
    if (outer * inner == 0)
        return;
    if (inner > 1) {
        const dim3 block = pcc_line_block(classes);
        PCC_LAUNCH((pcc_entropy_grad_lines_kernel<T, X, W, G, L, N, D>), pcc_blocks(outer * inner, block.x), block, 0,
                   s, p, g, pcc_on_device(s));
    } else {
        const dim3 block = pcc_row_block(pcc_ceil_div(classes, V), 4, PCC_ENTROPY_THREADS);
        PCC_LAUNCH((pcc_entropy_grad_rows_kernel<V, T, X, W, G, L, N, D>), pcc_blocks(outer, block.y), block, 0, s, p,
                   g, pcc_is_aligned<V>(logits, 0) && pcc_is_aligned<V>(dlogits, 0), pcc_on_device(s));
    }
}

#endif
