/* peak_sum.cuh: the maximum of some logits and the sum of e^(x - peak), in one pass: at a larger peak, the sum so far
 * is scaled down (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018). */
#ifndef PCC_PEAK_SUM_CUH
#define PCC_PEAK_SUM_CUH

#include "../common/rows.cuh"

/* The maximum, ignoring NaN: the sum becomes NaN anyway, so that no comparison is needed here. */
struct PccPeak {
    template <class T> static __device__ __forceinline__ T of(T a, T b)
    {
        return fmax(a, b);
    }
};

/* e^x for sums of exponentials whose largest is 1: an error of |x| ulp is small beside that. */
PCC_DEVICE float pcc_power(float x)
{
    return __expf(x);
}

PCC_DEVICE double pcc_power(double x)
{
    return exp(x);
}

/* e^x for storage in a Y: the faster one is accurate enough for 16 bits. */
template <class Y, class T> PCC_DEVICE T pcc_power_for(T x)
{
    if constexpr (sizeof(Y) == 2)
        return pcc_power(x);
    else
        return exp(x);
}

template <class T> struct PccPeakSum {
    T peak = -T(INFINITY), sum = 0; /* the empty sum */
};

/* The number that is subtracted before e^x: finite also where all logits are -inf, whose differences would be NaN. */
template <class T> PCC_DEVICE T pcc_finite_peak(T peak)
{
    return peak == -T(INFINITY) ? T(0) : peak;
}

template <class T> PCC_DEVICE T pcc_sum_at(PccPeakSum<T> a, T peak)
{
    return a.sum * pcc_power(a.peak - pcc_finite_peak(peak));
}

template <int N, class T> PCC_DEVICE void pcc_add_logits(PccPeakSum<T> &a, const T (&x)[N])
{
    T peak = a.peak;
    for (int i = 0; i < N; i++)
        peak = PccPeak::of(peak, x[i]);
    T sum = pcc_sum_at(a, peak);
    for (int i = 0; i < N; i++)
        sum += pcc_power(x[i] - pcc_finite_peak(peak));
    a.peak = peak;
    a.sum = sum;
}

/* The sum of logits that are all -inf is NaN, as if their peak had been subtracted. */
template <class T> PCC_DEVICE T pcc_whole_sum(PccPeakSum<T> a)
{
    return a.peak == -T(INFINITY) ? T(NAN) : a.sum;
}

/* Combines the threads of a row; each of them gets the same bits. */
template <class T> PCC_DEVICE PccPeakSum<T> pcc_row_peak_sum(PccPeakSum<T> a)
{
    PccPeakSum<T> all;
    all.peak = pcc_row_reduce<PccPeak>(a.peak);
    all.sum = pcc_row_reduce<PccSum>(pcc_sum_at(a, all.peak));
    return all;
}

/* The row x[width], which begins `start` elements after an aligned vector of V. */
template <int V, class T, class X>
PCC_DEVICE PccPeakSum<T> pcc_peak_sum_of_row(int64_t start, int64_t width, bool aligned, const X *x)
{
    PccPeakSum<T> sum;
    pcc_walk_row<V>(start, width, aligned, [&](auto lanes, int64_t i) {
        T values[lanes.count];
        pcc_get_columns(x + i, lanes.count, true, values);
        pcc_add_logits(sum, values);
    });
    return pcc_row_peak_sum(sum);
}

/* ---- lines whose elements are apart: a block is (lines, threads of a line) --------------------------------------- */

/* Blocks for lines of `width` elements: neighbouring threads have neighbouring lines. */
static inline dim3 pcc_line_block(int64_t width)
{
    int threads = 1;
    while (threads < 8 && threads * 4 < width)
        threads *= 2;
    return dim3((unsigned)(PCC_BLOCK / threads), (unsigned)threads);
}

/* Exchanges one value of each thread of a line: all[k * blockDim.x] is that of thread k. */
template <class T> PCC_DEVICE const T *pcc_line_gather(T x)
{
    __shared__ T of_thread[PCC_BLOCK];
    __syncthreads(); /* the previous call's values may still be read */
    of_thread[pcc_thread_of_block()] = x;
    __syncthreads();
    return of_thread + threadIdx.x;
}

template <class Op, class T> PCC_DEVICE T pcc_line_reduce(T x)
{
    const T *all = pcc_line_gather(x);
    T reduced = all[0];
    for (int k = 1; k < (int)blockDim.y; k++)
        reduced = Op::of(reduced, all[k * blockDim.x]);
    return reduced;
}

/* The line x[i * inner], i < width; empty for threads without a line. */
template <class T, class X> PCC_DEVICE PccPeakSum<T> pcc_peak_sum_of_line(int64_t width, int64_t inner, const X *x)
{
    PccPeakSum<T> sum, all;
    for (int64_t i = threadIdx.y; i < width; i += blockDim.y) {
        const T value[1] = {pcc_get<T>(x, i * inner)};
        pcc_add_logits(sum, value);
    }
    all.peak = pcc_line_reduce<PccPeak>(sum.peak);
    all.sum = pcc_line_reduce<PccSum>(pcc_sum_at(sum, all.peak));
    return all;
}

#endif
