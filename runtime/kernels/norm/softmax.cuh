/* softmax.cuh: Softmax and LogSoftmax over the middle axis of x[outer, width, inner] on a GPU: softmax.h's contract.
 *
 * inner == 1: a row that fits in the registers of its threads is read once; others, including those that are not
 * aligned, twice: for the peak and the sum (peak_sum.cuh), and for the result. inner > 1: neighbouring threads process
 * neighbouring lines, which are read twice. */
#ifndef PCC_SOFTMAX_CUH
#define PCC_SOFTMAX_CUH

#include "peak_sum.cuh"

enum { PCC_SOFTMAX_HELD = 4, PCC_SOFTMAX_THREADS = 512 };

/* y = e^(x - peak) / sum, or x - peak - log(sum): `last` is 1 / sum or log(sum). */
template <bool Logarithm, class T> PCC_DEVICE T pcc_softmax_last(T sum)
{
    if constexpr (Logarithm)
        return log(sum);
    else
        return 1 / sum;
}

template <bool Logarithm, class Y, class T> PCC_DEVICE T pcc_softmax_value(T x, T peak, T last)
{
    if constexpr (Logarithm)
        return x - peak - last;
    else
        return pcc_power_for<Y>(x - peak) * last;
}

template <int V, bool Logarithm, class T, class X, class Y>
__global__ void __launch_bounds__(PCC_SOFTMAX_THREADS, 1)
    pcc_softmax_held_kernel(int64_t rows, int row_width, const X *x, Y *y)
{
    const int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y;
    const int width = row < rows ? row_width : 0, first = (int)threadIdx.x * V, apart = (int)blockDim.x * V;
    T held[PCC_SOFTMAX_HELD][V], peak = -T(INFINITY), sum = 0;
    for (int k = 0; k < PCC_SOFTMAX_HELD; k++)
        if (first + k * apart < width) {
            pcc_get_columns(x + row * row_width + first + k * apart, V, true, held[k]);
            for (int j = 0; j < V; j++)
                peak = PccPeak::of(peak, held[k][j]);
        }
    peak = pcc_row_reduce<PccPeak>(peak);
    for (int k = 0; k < PCC_SOFTMAX_HELD; k++)
        if (first + k * apart < width)
            for (int j = 0; j < V; j++) {
                const T power = pcc_power_for<Y>(held[k][j] - peak);
                sum += power;
                if (!Logarithm)
                    held[k][j] = power;
            }
    const T last = pcc_softmax_last<Logarithm>(pcc_row_reduce<PccSum>(sum));
    for (int k = 0; k < PCC_SOFTMAX_HELD; k++)
        if (first + k * apart < width) {
            for (int j = 0; j < V; j++)
                held[k][j] = Logarithm ? held[k][j] - peak - last : held[k][j] * last;
            pcc_put_columns(y + row * row_width + first + k * apart, V, true, held[k]);
        }
}

template <int V, bool Logarithm, class T, class X, class Y>
__global__ void __launch_bounds__(PCC_SOFTMAX_THREADS, 1)
    pcc_softmax_rows_kernel(int64_t rows, int64_t row_width, bool aligned, const X *x, Y *y)
{
    const int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y, start = row * row_width;
    const int64_t width = row < rows ? row_width : 0;
    const PccPeakSum<T> all = pcc_peak_sum_of_row<V, T>(start, width, aligned, x + start);
    const T last = pcc_softmax_last<Logarithm>(pcc_whole_sum(all));
    pcc_walk_row<V>(start, width, aligned, [&](auto lanes, int64_t i) {
        T values[lanes.count];
        pcc_get_columns(x + start + i, lanes.count, true, values);
        for (int j = 0; j < lanes.count; j++)
            values[j] = pcc_softmax_value<Logarithm, Y>(values[j], all.peak, last);
        pcc_put_columns(y + start + i, lanes.count, true, values);
    });
}

template <bool Logarithm, class T, class X, class Y>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_softmax_lines_kernel(int64_t outer, int64_t line_width, int64_t inner, const X *x, Y *y)
{
    const int64_t line = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const int64_t start = line / inner * line_width * inner + line % inner;
    const int64_t width = line < outer * inner ? line_width : 0;
    const PccPeakSum<T> all = pcc_peak_sum_of_line<T>(width, inner, x + start);
    const T last = pcc_softmax_last<Logarithm>(pcc_whole_sum(all));
    for (int64_t i = threadIdx.y; i < width; i += blockDim.y) {
        const T value = pcc_get<T>(x, start + i * inner);
        pcc_put(y, start + i * inner, pcc_softmax_value<Logarithm, Y>(value, all.peak, last));
    }
}

template <bool Logarithm, class T, class X, class Y>
static void pcc_softmax_any(int64_t outer, int64_t width, int64_t inner, const X *x, Y *y, PccStep *s)
{
    constexpr int V = pcc_lanes_of<T, X, Y>();
    const bool aligned = pcc_is_aligned<V>(x, 0) && pcc_is_aligned<V>(y, 0);
    if (outer * width * inner == 0)
        return;
    if (inner > 1) {
        const dim3 block = pcc_line_block(width);
        PCC_LAUNCH((pcc_softmax_lines_kernel<Logarithm, T, X, Y>), pcc_blocks(outer * inner, block.x), block, 0, s,
                   outer, width, inner, x, y);
    } else if (aligned && width % V == 0 && width <= (int64_t)PCC_SOFTMAX_THREADS * PCC_SOFTMAX_HELD * V) {
        const dim3 block = pcc_row_block(width / V, PCC_SOFTMAX_HELD, PCC_SOFTMAX_THREADS);
        PCC_LAUNCH((pcc_softmax_held_kernel<V, Logarithm, T, X, Y>), pcc_blocks(outer, block.y), block, 0, s, outer,
                   (int)width, x, y);
    } else {
        const dim3 block = pcc_row_block(pcc_ceil_div(width, V), PCC_SOFTMAX_HELD, PCC_SOFTMAX_THREADS);
        PCC_LAUNCH((pcc_softmax_rows_kernel<V, Logarithm, T, X, Y>), pcc_blocks(outer, block.y), block, 0, s, outer,
                   width, aligned, x, y);
    }
}

template <class T, class X, class Y>
static void pcc_softmax(int64_t outer, int64_t width, int64_t inner, const X *x, Y *y, PccStep *s)
{
    pcc_softmax_any<false, T>(outer, width, inner, x, y, s);
}

template <class T, class X, class Y>
static void pcc_log_softmax(int64_t outer, int64_t width, int64_t inner, const X *x, Y *y, PccStep *s)
{
    pcc_softmax_any<true, T>(outer, width, inner, x, y, s);
}

#endif
