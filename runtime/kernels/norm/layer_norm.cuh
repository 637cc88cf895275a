/* layer_norm.cuh: LayerNormalization and RMSNormalization (not Centered: the mean is 0) on a GPU: norm.h's contract and
 * formulas.
 *
 * A row that fits in the registers of its threads is read once. Other rows, including those that are not aligned, are
 * read in each pass, after the first from cache. */
#ifndef PCC_LAYER_NORM_CUH
#define PCC_LAYER_NORM_CUH

#include "../common/rows.cuh"

enum { PCC_NORM_HELD = 4 /* vectors of a row that a thread holds */, PCC_NORM_THREADS = 512 /* of a row, at most */ };

/* Operands of one call: scale, bias, mean and rstd may be null. */
template <class T, class X, class S, class B, class Y, class M, class R> struct PccRowNorm {
    int64_t rows, width;
    T epsilon, share; /* share: 1 / width */
    const X *x;
    const S *scale;
    const B *bias;
    Y *y;
    M *mean;
    R *rstd;
};

/* The statistics of a row, normalised as (x - mean - low) rstd. */
template <class T> struct PccRowMoments {
    T mean, low, rstd;
};

/* From the sums of x - mean and of its square. */
template <bool Centered, class T>
PCC_DEVICE PccRowMoments<T> pcc_row_moments(T share, T epsilon, T mean, T rest, T squares)
{
    const T low = Centered ? rest * share : T(0);
    const T variance = (squares - (Centered ? rest * low : T(0))) * share;
    return {mean, low, 1 / sqrt((variance < 0 ? T(0) : variance) + epsilon)};
}

template <class T, class P> PCC_DEVICE void pcc_put_moments(const P &p, int64_t row, PccRowMoments<T> m)
{
    if (row >= p.rows || threadIdx.x > 0)
        return;
    if (p.mean)
        pcc_put(p.mean, row, m.mean + m.low);
    if (p.rstd)
        pcc_put(p.rstd, row, m.rstd);
}

/* y of elements i … i + N - 1 of a row that begins at `start`. `even`: vectors of scale and bias are aligned there. */
template <int N, class T, class P, class X>
PCC_DEVICE void pcc_put_normalised(const P &p, int64_t start, int64_t i, bool even, PccRowMoments<T> m,
                                   PccVector<X, N> x)
{
    T y[N];
    for (int j = 0; j < N; j++)
        y[j] = (((T)pcc_wide(x.at[j]) - m.mean) - m.low) * m.rstd;
    if (p.scale) {
        T scale[N];
        pcc_get_columns(p.scale + i, N, even, scale);
        for (int j = 0; j < N; j++)
            y[j] *= scale[j];
    }
    if (p.bias) {
        T bias[N];
        pcc_get_columns(p.bias + i, N, even, bias);
        for (int j = 0; j < N; j++)
            y[j] += bias[j];
    }
    pcc_put_columns(p.y + start + i, N, true, y);
}

template <int V, bool Centered, class T, class X, class S, class B, class Y, class M, class R>
__global__ void __launch_bounds__(PCC_NORM_THREADS, 1) pcc_row_norm_held_kernel(PccRowNorm<T, X, S, B, Y, M, R> p)
{
    const int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y;
    const int width = row < p.rows ? (int)p.width : 0, first = (int)threadIdx.x * V, apart = (int)blockDim.x * V;
    PccVector<X, V> x[PCC_NORM_HELD];
    T sum = 0, squares[2] = {0, 0};
    for (int k = 0; k < PCC_NORM_HELD; k++)
        if (first + k * apart < width)
            x[k] = pcc_load_vector<V>(p.x + row * p.width + first + k * apart);
    if (Centered) {
        for (int k = 0; k < PCC_NORM_HELD; k++)
            if (first + k * apart < width)
                for (int j = 0; j < V; j++)
                    sum += (T)pcc_wide(x[k].at[j]);
        sum = pcc_row_reduce<PccSum>(sum);
    }
    const T mean = sum * p.share;
    for (int k = 0; k < PCC_NORM_HELD; k++)
        if (first + k * apart < width)
            for (int j = 0; j < V; j++) {
                const T d = (T)pcc_wide(x[k].at[j]) - mean;
                squares[0] += d;
                squares[1] += d * d;
            }
    pcc_row_reduce<PccSum>(squares);
    const PccRowMoments<T> m = pcc_row_moments<Centered>(p.share, p.epsilon, mean, squares[0], squares[1]);
    pcc_put_moments(p, row, m);
    for (int k = 0; k < PCC_NORM_HELD; k++)
        if (first + k * apart < width)
            pcc_put_normalised<V>(p, row * p.width, first + k * apart, true, m, x[k]);
}

template <int V, bool Centered, class T, class X, class S, class B, class Y, class M, class R>
__global__ void __launch_bounds__(PCC_NORM_THREADS, 1)
    pcc_row_norm_kernel(PccRowNorm<T, X, S, B, Y, M, R> p, bool aligned)
{
    const int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y, start = row * p.width;
    const int64_t width = row < p.rows ? p.width : 0;
    const X *x = p.x + start;
    T sum = 0, squares[2] = {0, 0};
    if (Centered) {
        pcc_walk_row<V>(start, width, aligned, [&](auto lanes, int64_t i) {
            const auto v = pcc_load_vector<lanes.count>(x + i);
            for (int j = 0; j < lanes.count; j++)
                sum += (T)pcc_wide(v.at[j]);
        });
        sum = pcc_row_reduce<PccSum>(sum);
    }
    const T mean = sum * p.share;
    pcc_walk_row<V>(start, width, aligned, [&](auto lanes, int64_t i) {
        const auto v = pcc_load_vector<lanes.count>(x + i);
        for (int j = 0; j < lanes.count; j++) {
            const T d = (T)pcc_wide(v.at[j]) - mean;
            squares[0] += d;
            squares[1] += d * d;
        }
    });
    pcc_row_reduce<PccSum>(squares);
    const PccRowMoments<T> m = pcc_row_moments<Centered>(p.share, p.epsilon, mean, squares[0], squares[1]);
    pcc_put_moments(p, row, m);
    pcc_walk_row<V>(start, width, aligned, [&](auto lanes, int64_t i) {
        pcc_put_normalised<lanes.count>(p, start, i, start % V == 0, m, pcc_load_vector<lanes.count>(x + i));
    });
}

template <bool Centered, class T, class X, class S, class B, class Y, class M, class R>
static void pcc_row_norm(PccRowNorm<T, X, S, B, Y, M, R> p, PccStep *s)
{
    constexpr int V = pcc_lanes_of<T, X, Y>();
    const bool aligned = pcc_is_aligned<V>(p.x, 0) && pcc_is_aligned<V>(p.y, 0) && pcc_is_aligned<V>(p.scale, 0) &&
                         pcc_is_aligned<V>(p.bias, 0);
    if (p.rows == 0 || p.width == 0)
        return;
    if (aligned && p.width % V == 0 && p.width <= (int64_t)PCC_NORM_THREADS * PCC_NORM_HELD * V) {
        const dim3 block = pcc_row_block(p.width / V, PCC_NORM_HELD, PCC_NORM_THREADS);
        PCC_LAUNCH((pcc_row_norm_held_kernel<V, Centered, T, X, S, B, Y, M, R>), pcc_blocks(p.rows, block.y), block, 0,
                   s, p);
    } else {
        const dim3 block = pcc_row_block(pcc_ceil_div(p.width, V), PCC_NORM_HELD, PCC_NORM_THREADS);
        PCC_LAUNCH((pcc_row_norm_kernel<V, Centered, T, X, S, B, Y, M, R>), pcc_blocks(p.rows, block.y), block, 0, s, p,
                   aligned);
    }
}

template <class T, class X, class S, class B, class Y, class M, class R>
static void pcc_layer_norm(int64_t rows, int64_t width, double epsilon, const X *x, const S *scale, const B *bias, Y *y,
                           M *mean, R *rstd, PccStep *s)
{
    pcc_row_norm<true>(
        PccRowNorm<T, X, S, B, Y, M, R>{rows, width, (T)epsilon, 1 / (T)width, x, scale, bias, y, mean, rstd}, s);
}

template <class T, class X, class S, class Y, class R>
static void pcc_rms_norm(int64_t rows, int64_t width, double epsilon, const X *x, const S *scale, Y *y, R *rstd,
                         PccStep *s)
{
    pcc_row_norm<false>(
        PccRowNorm<T, X, S, T, Y, T, R>{rows, width, (T)epsilon, 1 / (T)width, x, scale, nullptr, y, nullptr, rstd}, s);
}

#endif
