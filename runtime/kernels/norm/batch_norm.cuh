/* batch_norm.cuh: statistics of BatchNormalization in training mode on a GPU: norm.h's contract.
 *
 * x is read once. Statistics of a chunk of rows are (shift, delta, m2) for each channel, as in batch_norm.inc: its
 * first element, the mean of x - shift, and the sum of (x - shift - delta)^2. A thread computes those of a few elements
 * in registers, in two passes, and merges them with its previous ones (Chan, Golub and LeVeque 1979). A last kernel
 * merges the chunks in double. */
#ifndef PCC_BATCH_NORM_CUH
#define PCC_BATCH_NORM_CUH

#include "channels.cuh"

enum { PCC_MOMENTS_ROWS = 4 /* rows of a column that a thread processes at a time */ };

/* Merges mean and m2 with those of `some` other elements, which are the fraction `share` of all. */
template <class T> PCC_DEVICE void pcc_merge_moments(T some, T share, T some_mean, T some_m2, T *mean, T *m2)
{
    const T apart = some_mean - *mean;
    *mean += apart * share;
    *m2 += some_m2 + apart * apart * (some - some * share);
}

/* A thread's moments of its columns over the rows so far, around shift. */
template <int V, class T> struct PccColumnMoments {
    T seen, shift[V], mean[V], m2[V];
};

/* Adds Rows rows of x, which are `apart` elements apart. */
template <int Rows, int V, class T, class X>
PCC_DEVICE void pcc_add_rows(PccColumnMoments<V, T> *m, const X *x, int64_t apart, int64_t count, bool aligned)
{
    PccVector<X, V> v[Rows];
    for (int r = 0; r < Rows; r++)
        v[r] = pcc_load_columns<V>(x + r * apart, count, aligned);
    m->seen += Rows;
    const T share = Rows / m->seen;
    for (int j = 0; j < V; j++) {
        T d[Rows], sum = 0, squares = 0;
        for (int r = 0; r < Rows; r++) {
            d[r] = (T)pcc_wide(v[r].at[j]) - m->shift[j];
            sum += d[r];
        }
        const T own = sum * (T(1) / Rows);
        for (int r = 0; r < Rows; r++)
            squares += (d[r] - own) * (d[r] - own);
        pcc_merge_moments(T(Rows), share, own, squares, &m->mean[j], &m->m2[j]);
    }
}

/* inner == 1: partial [chunks, 3, channels]. */
template <int V, class T, class X>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_moments_last_kernel(PccChannels n, const X *x, bool aligned, T *partial, const PccStep *step)
{
    __shared__ T mean_of[PCC_WARP * V];
    const PccBlockColumns c = pcc_block_columns<V>(n);
    const PccPieces rows = pcc_pieces(n, blockIdx.y, pcc_valid_rows(n, step));
    if (rows.begin >= rows.end)
        return;
    const T one = 1 / (T)(rows.end - rows.begin);
    PccColumnMoments<V, T> m = {};
    pcc_get_columns(x + rows.begin * n.channels + c.first, c.count, aligned, m.shift);
    const int64_t apart = blockDim.y * n.channels;
    int64_t row = rows.begin + threadIdx.y;
    for (; row + (PCC_MOMENTS_ROWS - 1) * blockDim.y < rows.end; row += PCC_MOMENTS_ROWS * blockDim.y)
        pcc_add_rows<PCC_MOMENTS_ROWS>(&m, x + row * n.channels + c.first, apart, c.count, aligned);
    for (; row < rows.end; row += blockDim.y)
        pcc_add_rows<1>(&m, x + row * n.channels + c.first, apart, c.count, aligned);
    T sum[V];
    for (int j = 0; j < V; j++)
        sum[j] = m.mean[j] * m.seen;
    pcc_sum_columns(sum, [&](int i, T total) { mean_of[i] = total * one; });
    __syncthreads();
    for (int j = 0; j < V; j++) {
        const T d = m.mean[j] - mean_of[threadIdx.x * V + j];
        sum[j] = m.m2[j] + d * d * m.seen;
    }
    partial += 3 * (int64_t)blockIdx.y * n.channels;
    pcc_sum_columns(sum, [&](int i, T total) {
        if (c.base + i < n.channels) {
            partial[n.channels + c.base + i] = mean_of[i];
            partial[2 * n.channels + c.base + i] = total;
        }
    });
    if (threadIdx.y == 0)
        pcc_put_columns(partial + c.first, c.count, false, m.shift);
}

/* inner > 1. */
template <int V, class T, class X>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_moments_first_kernel(PccChannels n, const X *x, bool aligned, T *partial, const PccStep *step)
{
    const int64_t channel = blockIdx.x;
    const PccPieces pieces = pcc_pieces(n, blockIdx.y, pcc_valid_rows(n, step));
    if (pieces.begin >= pieces.end)
        return;
    const T shift = pcc_get<T>(x, pcc_piece(n, channel, pieces.begin).start);
    T seen = 0, mean = 0, m2 = 0;
    pcc_walk_pieces<V>(n, channel, pieces, aligned, [&](auto lanes, PccPiece piece, int64_t i) {
        T d[lanes.count], sum = 0, squares = 0;
        pcc_get_columns(x + piece.start + i, lanes.count, true, d);
        for (int j = 0; j < lanes.count; j++) {
            d[j] -= shift;
            sum += d[j];
        }
        const T own = sum * (T(1) / lanes.count);
        for (int j = 0; j < lanes.count; j++)
            squares += (d[j] - own) * (d[j] - own);
        seen += lanes.count;
        pcc_merge_moments(T(lanes.count), lanes.count / seen, own, squares, &mean, &m2);
    });
    const T all = pcc_block_reduce<PccSum>(seen), delta = pcc_block_reduce<PccSum>(seen * mean) / all;
    m2 = pcc_block_reduce<PccSum>(m2 + seen * (mean - delta) * (mean - delta));
    partial += 3 * (int64_t)blockIdx.y * n.channels + channel;
    if (pcc_thread_of_block() == 0) {
        partial[0] = shift;
        partial[n.channels] = delta;
        partial[2 * n.channels] = m2;
    }
}

/* ---- all chunks ------------------------------------------------------------------------------------------------- */

template <class T> struct PccMerged {
    double mean, m2, count;
};

/* The statistics of the block's channel threadIdx.x, in its threads with threadIdx.y == 0. */
template <class T>
PCC_DEVICE PccMerged<T> pcc_merge_chunks(const PccChannels &n, int64_t c, int64_t rows, const T *partial)
{
    __shared__ double of_channel[2][PCC_WARP];
    const double count = (double)(rows * n.inner);
    double sum[1] = {0}, squares[1] = {0};
    for (int64_t chunk = threadIdx.y; chunk < n.cut.chunks && c < n.channels; chunk += blockDim.y) {
        const int64_t elements = pcc_elements(n, pcc_pieces(n, chunk, rows));
        const T *p = partial + 3 * chunk * n.channels + c;
        if (elements > 0)
            sum[0] += (double)elements * ((double)p[0] + (double)p[n.channels]);
    }
    pcc_sum_columns(sum, [&](int i, double total) { of_channel[0][i] = count > 0 ? total / count : 0.0; });
    __syncthreads();
    const double mean = of_channel[0][threadIdx.x];
    for (int64_t chunk = threadIdx.y; chunk < n.cut.chunks && c < n.channels; chunk += blockDim.y) {
        const int64_t elements = pcc_elements(n, pcc_pieces(n, chunk, rows));
        const T *p = partial + 3 * chunk * n.channels + c;
        if (elements > 0) {
            const double apart = (double)p[0] + (double)p[n.channels] - mean;
            squares[0] += (double)p[2 * n.channels] + apart * apart * (double)elements;
        }
    }
    pcc_sum_columns(squares, [&](int i, double total) { of_channel[1][i] = total; });
    __syncthreads();
    return {mean, of_channel[1][threadIdx.x], count};
}

/* Operands [channels]; scale and bias may be null. */
template <class T, class S, class B, class RM, class RV, class A, class O, class NM, class NV, class M, class R>
struct PccBatchStatistics {
    T epsilon, keep, take;
    const S *scale;
    const B *bias;
    const RM *running_mean;
    const RV *running_var;
    A *gain;
    O *offset;
    NM *new_mean;
    NV *new_var;
    M *saved_mean;
    R *saved_rstd;
};

template <class T, class P>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_batch_statistics_kernel(PccChannels n, P p, const T *partial, const PccStep *step)
{
    const int64_t c = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const PccMerged<T> merged = pcc_merge_chunks(n, c, pcc_valid_rows(n, step), partial);
    if (c >= n.channels || threadIdx.y > 0)
        return;
    const T high = (T)merged.mean, low = (T)(merged.mean - (double)high), variance = (T)(merged.m2 / merged.count);
    const T rstd = 1 / sqrt(variance + p.epsilon), slope = p.scale ? rstd * pcc_get<T>(p.scale, c) : rstd;
    pcc_put(p.saved_mean, c, high);
    pcc_put(p.saved_rstd, c, rstd);
    pcc_put(p.new_mean, c, pcc_get<T>(p.running_mean, c) * p.keep + high * p.take);
    pcc_put(p.new_var, c, pcc_get<T>(p.running_var, c) * p.keep + variance * p.take);
    pcc_put(p.gain, c, slope);
    pcc_put(p.offset, c, (p.bias ? pcc_get<T>(p.bias, c) : T(0)) - low * slope);
}

template <class T, class X, class S, class B, class RM, class RV, class A, class O, class NM, class NV, class M,
          class R>
static void pcc_batch_norm_statistics(int64_t batch, int64_t outer, int64_t channels, int64_t inner, double epsilon,
                                      double momentum, const X *x, const S *scale, const B *bias,
                                      const RM *running_mean, const RV *running_var, A *gain, O *offset, NM *new_mean,
                                      NV *new_var, M *saved_mean, R *saved_rstd, void *scratch, PccStep *s)
{
    typedef PccBatchStatistics<T, S, B, RM, RV, A, O, NM, NV, M, R> P;
    constexpr int V = pcc_lanes_of<T, X>();
    const PccChannels n = pcc_channels(batch, outer, channels, inner);
    const P p = {(T)epsilon, (T)momentum, (T)(1 - momentum), scale,   bias,       running_mean, running_var,
                 gain,       offset,      new_mean,          new_var, saved_mean, saved_rstd};
    const dim3 block = pcc_channel_block(n, V), grid = pcc_channel_grid(n, block, V);
    const dim3 columns = pcc_column_block(channels, 1);
    const bool aligned = pcc_is_aligned<V>(x, inner == 1 ? channels : 0);
    T *partial = (T *)scratch;
    if (channels == 0)
        return;
    if (inner == 1)
        PCC_LAUNCH((pcc_moments_last_kernel<V, T, X>), grid, block, 0, s, n, x, aligned, partial, pcc_on_device(s));
    else
        PCC_LAUNCH((pcc_moments_first_kernel<V, T, X>), grid, block, 0, s, n, x, aligned, partial, pcc_on_device(s));
    PCC_LAUNCH((pcc_batch_statistics_kernel<T, P>), pcc_blocks(channels, columns.x), columns, 0, s, n, p, partial,
               pcc_on_device(s));
}

#endif
