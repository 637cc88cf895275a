/* cross_entropy.cuh: softmax cross-entropy on a GPU: loss.h's contract.
 *
 * The logits are read once, whatever the number of classes: peak and sum of exponentials are computed in one pass
 * (peak_sum.cuh). inner == 1: a row is processed by a part of a warp, a warp or a block, whether it is aligned or not.
 * inner > 1: neighbouring threads process neighbouring positions. Blocks loop over rows and write partial sums, which a
 * last block adds up. */
#ifndef PCC_CROSS_ENTROPY_CUH
#define PCC_CROSS_ENTROPY_CUH

#include "../norm/peak_sum.cuh"
#include "loss_parts.cuh"

enum { PCC_ENTROPY_THREADS = 512 };

/* Logits[outer, classes, inner], target[outer, inner]; weight may be null. */
template <class X, class W> struct PccScores {
    int64_t batch, outer, classes, inner, ignore_index, shift, reduction;
    const X *logits;
    const int64_t *target;
    const W *weight;
};

/* Position `at` of outer x inner: the offset of its logits, and its class, -1 where it does not count. */
struct PccScored {
    int64_t start, label;
};

template <class S> PCC_DEVICE PccScored pcc_scored(const S &p, int64_t at, const PccStep *step)
{
    const int64_t row = p.inner == 1 ? at : at / p.inner, column = p.inner == 1 ? 0 : at % p.inner;
    const int64_t valid = step->valid * (p.outer / p.batch);
    return {row * p.classes * p.inner + column,
            pcc_target_class(p.classes, p.inner, p.ignore_index, p.shift, valid, p.target, row, column)};
}

/* Outputs: loss[outer, inner] or one, lse[outer, inner]; every block's sums. */
template <class Y, class L> struct PccEntropies {
    Y *loss;
    L *lse;
    PccLossPart *parts;
};

/* One thread for each position. */
template <class T, class S, class O>
PCC_DEVICE void pcc_put_entropy(const S &p, const O &out, int64_t at, PccScored scored, PccPeakSum<T> all,
                                PccLossPart *part)
{
    const T lse = log(pcc_whole_sum(all));
    T own = 0, weight = 0;
    if (scored.label >= 0) {
        weight = p.weight ? pcc_get<T>(p.weight, scored.label) : T(1);
        own = weight * (lse + (all.peak - pcc_get<T>(p.logits, scored.start + scored.label * p.inner)));
    }
    pcc_put(out.lse, at, lse);
    if (p.reduction == PCC_REDUCTION_NONE)
        pcc_put(out.loss, at, own);
    part->loss += (double)own;
    part->weight += (double)weight;
    part->counted += scored.label >= 0 ? 1.0 : 0.0;
}

template <int V, class T, class X, class W, class Y, class L>
__global__ void __launch_bounds__(PCC_ENTROPY_THREADS, 1)
    pcc_entropy_rows_kernel(PccScores<X, W> p, PccEntropies<Y, L> out, bool aligned, const PccStep *step)
{
    PccLossPart part = {0, 0, 0};
    for (int64_t first = (int64_t)blockIdx.x * blockDim.y; first < p.outer; first += (int64_t)gridDim.x * blockDim.y) {
        const int64_t row = first + threadIdx.y, start = row * p.classes;
        const bool there = row < p.outer;
        const PccScored scored = there ? pcc_scored(p, row, step) : PccScored{0, -1};
        const PccPeakSum<T> all = pcc_peak_sum_of_row<V, T>(start, there ? p.classes : 0, aligned, p.logits + start);
        if (threadIdx.x == 0 && there)
            pcc_put_entropy(p, out, row, scored, all, &part);
    }
    part = pcc_loss_part_of_block(part);
    if (pcc_thread_of_block() == 0)
        out.parts[blockIdx.x] = part;
}

template <class T, class X, class W, class Y, class L>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_entropy_lines_kernel(PccScores<X, W> p, PccEntropies<Y, L> out, const PccStep *step)
{
    const int64_t count = p.outer * p.inner;
    PccLossPart part = {0, 0, 0};
    for (int64_t first = (int64_t)blockIdx.x * blockDim.x; first < count; first += (int64_t)gridDim.x * blockDim.x) {
        const int64_t at = first + threadIdx.x;
        const bool there = at < count;
        const PccScored scored = there ? pcc_scored(p, at, step) : PccScored{0, -1};
        const PccPeakSum<T> all = pcc_peak_sum_of_line<T>(there ? p.classes : 0, p.inner, p.logits + scored.start);
        if (threadIdx.y == 0 && there)
            pcc_put_entropy(p, out, at, scored, all, &part);
    }
    part = pcc_loss_part_of_block(part);
    if (pcc_thread_of_block() == 0)
        out.parts[blockIdx.x] = part;
}

/* Run by one block. */
template <class T, class Y, class N>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_entropy_total_kernel(int64_t count, int64_t reduction, const PccLossPart *parts, Y *loss, N *total,
                             PccStep *step)
{
    const PccLossPart sum = pcc_all_loss_parts(count, parts);
    if (threadIdx.x > 0)
        return;
    pcc_put(total, 0, (T)sum.weight);
    step->counted = sum.counted;
    if (reduction == PCC_REDUCTION_SUM)
        pcc_put(loss, 0, (T)sum.loss);
    else if (reduction == PCC_REDUCTION_MEAN)
        pcc_put(loss, 0, (T)(sum.weight != 0 ? sum.loss / sum.weight : 0.0));
}

template <class T, class X, class W, class Y, class L, class N>
static void pcc_cross_entropy(int64_t batch, int64_t outer, int64_t classes, int64_t inner, int64_t ignore_index,
                              int64_t shift, int64_t reduction, const X *logits, const int64_t *target, const W *weight,
                              Y *loss, L *lse, N *total, void *scratch, PccStep *s)
{
    constexpr int V = pcc_lanes_of<T, X>();
    const PccScores<X, W> p = {batch, outer, classes, inner, ignore_index, shift, reduction, logits, target, weight};
    const PccEntropies<Y, L> out = {loss, lse, (PccLossPart *)scratch};
    const dim3 block =
        inner > 1 ? pcc_line_block(classes) : pcc_row_block(pcc_ceil_div(classes, V), 4, PCC_ENTROPY_THREADS);
    const int64_t needed = pcc_ceil_div(outer * inner, inner > 1 ? block.x : block.y);
    const int64_t blocks = pcc_max_i64(1, pcc_min_i64(needed, pcc_cuda_loss_parts(outer * inner)));
    if (inner > 1)
        PCC_LAUNCH((pcc_entropy_lines_kernel<T, X, W, Y, L>), (unsigned)blocks, block, 0, s, p, out, pcc_on_device(s));
    else
        PCC_LAUNCH((pcc_entropy_rows_kernel<V, T, X, W, Y, L>), (unsigned)blocks, block, 0, s, p, out,
                   pcc_is_aligned<V>(logits, 0), pcc_on_device(s));
    PCC_LAUNCH((pcc_entropy_total_kernel<T, Y, N>), 1, PCC_BLOCK, 0, s, blocks, reduction, out.parts, loss, total,
               pcc_on_device(s));
}

#endif
