/* batch_norm_grad.cuh: the gradient of BatchNormalization in training mode on a GPU: norm.h's contract,
 * batch_norm_grad.inc's formulas.
 *
 * With d = x - saved_mean, whose mean `low` is the rounding error of saved_mean, xhat = (d - low) rstd, over n
 * elements: dbias = sum dy, dscale = sum(dy xhat), dx = scale rstd (dy - dbias / n - xhat dscale / n). One kernel
 * computes each chunk's sums of dy, dy d and d, one adds the chunks in double, one computes dx. */
#ifndef PCC_BATCH_NORM_GRAD_CUH
#define PCC_BATCH_NORM_GRAD_CUH

#include "channels.cuh"

enum { PCC_BATCH_DX_ROWS = 2 /* rows of a column that a thread processes at a time */ };

template <class T> PCC_DEVICE void pcc_add_products(T dy, T d, T *sum, T *sum_d, T *rest)
{
    *sum += dy;
    *sum_d += dy * d;
    *rest += d;
}

/* inner == 1: partial [chunks, 3, channels]; zeros where no row of a chunk counts. */
template <int V, class T, class G, class X, class M>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_batch_sums_last_kernel(PccChannels n, const G *dy, const X *x, const M *saved_mean, bool aligned, T *partial,
                               const PccStep *step)
{
    const PccBlockColumns c = pcc_block_columns<V>(n);
    const PccPieces rows = pcc_pieces(n, blockIdx.y, pcc_valid_rows(n, step));
    T mean[V], sum[V] = {}, sum_d[V] = {}, rest[V] = {};
    pcc_get_columns(saved_mean + c.first, c.count, false, mean);
#pragma unroll 4
    for (int64_t row = rows.begin + threadIdx.y; row < rows.end; row += blockDim.y) {
        T dys[V], xs[V];
        pcc_get_columns(dy + row * n.channels + c.first, c.count, aligned, dys);
        pcc_get_columns(x + row * n.channels + c.first, c.count, aligned, xs);
        for (int j = 0; j < V; j++)
            pcc_add_products(dys[j], xs[j] - mean[j], &sum[j], &sum_d[j], &rest[j]);
    }
    partial += 3 * (int64_t)blockIdx.y * n.channels + c.base;
    const auto put = [&](const T(&x_of)[V], T *to) {
        pcc_sum_columns(x_of, [&](int i, T total) {
            if (c.base + i < n.channels)
                to[i] = total;
        });
    };
    put(sum, partial);
    put(sum_d, partial + n.channels);
    put(rest, partial + 2 * n.channels);
}

/* inner > 1. */
template <int V, class T, class G, class X, class M>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_batch_sums_first_kernel(PccChannels n, const G *dy, const X *x, const M *saved_mean, bool aligned, T *partial,
                                const PccStep *step)
{
    const int64_t channel = blockIdx.x;
    const PccPieces pieces = pcc_pieces(n, blockIdx.y, pcc_valid_rows(n, step));
    const T mean = pcc_get<T>(saved_mean, channel);
    T sum = 0, sum_d = 0, rest = 0;
    pcc_walk_pieces<V>(n, channel, pieces, aligned, [&](auto lanes, PccPiece piece, int64_t i) {
        T dys[lanes.count], xs[lanes.count], part = 0, part_d = 0, part_rest = 0;
        pcc_get_columns(dy + piece.start + i, lanes.count, true, dys);
        pcc_get_columns(x + piece.start + i, lanes.count, true, xs);
        for (int j = 0; j < lanes.count; j++)
            pcc_add_products(dys[j], xs[j] - mean, &part, &part_d, &part_rest);
        sum += part;
        sum_d += part_d;
        rest += part_rest;
    });
    sum = pcc_block_reduce<PccSum>(sum);
    sum_d = pcc_block_reduce<PccSum>(sum_d);
    rest = pcc_block_reduce<PccSum>(rest);
    partial += 3 * (int64_t)blockIdx.y * n.channels + channel;
    if (pcc_thread_of_block() == 0) {
        partial[0] = sum;
        partial[n.channels] = sum_d;
        partial[2 * n.channels] = rest;
    }
}

/* ---- coefficients ----------------------------------------------------------------------------------------------- */

/* dx = dy gain + ((x - mean) slope + offset): coefficients [3, channels]. */
template <class T, class S, class R, class P, class Q>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_batch_slopes_kernel(PccChannels n, const T *partial, const S *scale, const R *saved_rstd, T *coefficients,
                            P *dscale, Q *dbias, const PccStep *step)
{
    __shared__ double sums[3][PCC_WARP];
    const int64_t c = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    for (int k = 0; k < 3; k++) {
        double sum[1] = {0};
        for (int64_t chunk = threadIdx.y; chunk < n.cut.chunks && c < n.channels; chunk += blockDim.y)
            sum[0] += (double)partial[(3 * chunk + k) * n.channels + c];
        pcc_sum_columns(sum, [&](int i, double total) { sums[k][i] = total; });
    }
    __syncthreads();
    if (c >= n.channels || threadIdx.y > 0)
        return;
    const double sum = sums[0][threadIdx.x], count = (double)(pcc_valid_rows(n, step) * n.inner);
    const double low = sums[2][threadIdx.x] / count, rstd = (double)pcc_get<T>(saved_rstd, c);
    const double gain = rstd * (scale ? (double)pcc_get<T>(scale, c) : 1.0);
    const double product = (sums[1][threadIdx.x] - low * sum) * rstd; /* sum of dy xhat */
    coefficients[c] = (T)gain;
    coefficients[n.channels + c] = (T)(-gain * rstd * product / count);
    coefficients[2 * n.channels + c] = (T)(gain * (rstd * product * low - sum) / count);
    if (dscale)
        pcc_put(dscale, c, (T)product);
    if (dbias)
        pcc_put(dbias, c, (T)sum);
}

/* ---- dx: 0 in the rows that do not count ------------------------------------------------------------------------- */

template <int V, class T, class G, class X, class M, class D>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_batch_dx_last_kernel(PccChannels n, const G *dy, const X *x, const M *saved_mean, const T *coefficients,
                             bool aligned, D *dx, const PccStep *step)
{
    const PccBlockColumns c = pcc_block_columns<V>(n);
    const PccPieces rows = pcc_pieces(n, blockIdx.y, n.outer);
    const int64_t valid = pcc_valid_rows(n, step);
    T mean[V], gain[V], slope[V], offset[V];
    pcc_get_columns(saved_mean + c.first, c.count, false, mean);
    pcc_get_columns(coefficients + c.first, c.count, false, gain);
    pcc_get_columns(coefficients + n.channels + c.first, c.count, false, slope);
    pcc_get_columns(coefficients + 2 * n.channels + c.first, c.count, false, offset);
    for (int64_t row = rows.begin + threadIdx.y; row < rows.end; row += PCC_BATCH_DX_ROWS * blockDim.y) {
        PccVector<G, V> dys[PCC_BATCH_DX_ROWS];
        PccVector<X, V> xs[PCC_BATCH_DX_ROWS];
        for (int r = 0; r < PCC_BATCH_DX_ROWS; r++)
            if (row + r * blockDim.y < rows.end) {
                const int64_t at = (row + r * blockDim.y) * n.channels + c.first;
                dys[r] = pcc_load_columns<V>(dy + at, c.count, aligned);
                xs[r] = pcc_load_columns<V>(x + at, c.count, aligned);
            }
        for (int r = 0; r < PCC_BATCH_DX_ROWS; r++)
            if (row + r * blockDim.y < rows.end) {
                const bool counts = row + r * blockDim.y < valid;
                T to[V];
                for (int j = 0; j < V; j++) {
                    const T d = (T)pcc_wide(xs[r].at[j]) - mean[j];
                    const T value = (T)pcc_wide(dys[r].at[j]) * gain[j] + (d * slope[j] + offset[j]);
                    to[j] = counts ? value : T(0);
                }
                pcc_put_columns(dx + (row + r * blockDim.y) * n.channels + c.first, c.count, aligned, to);
            }
    }
}

template <int V, class T, class G, class X, class M, class D>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_batch_dx_first_kernel(PccChannels n, const G *dy, const X *x, const M *saved_mean, const T *coefficients,
                              bool aligned, D *dx, const PccStep *step)
{
    const int64_t channel = blockIdx.x, valid = pcc_valid_rows(n, step);
    const PccPieces pieces = pcc_pieces(n, blockIdx.y, n.outer);
    const T mean = pcc_get<T>(saved_mean, channel), gain = coefficients[channel];
    const T slope = coefficients[n.channels + channel], offset = coefficients[2 * n.channels + channel];
    pcc_walk_pieces<V>(n, channel, pieces, aligned, [&](auto lanes, PccPiece piece, int64_t i) {
        T dys[lanes.count], xs[lanes.count];
        pcc_get_columns(dy + piece.start + i, lanes.count, true, dys);
        pcc_get_columns(x + piece.start + i, lanes.count, true, xs);
        for (int j = 0; j < lanes.count; j++) {
            const T value = dys[j] * gain + ((xs[j] - mean) * slope + offset);
            dys[j] = piece.row < valid ? value : T(0);
        }
        pcc_put_columns(dx + piece.start + i, lanes.count, true, dys);
    });
}

/* ---- the call --------------------------------------------------------------------------------------------------- */

template <int V, class T, class G, class X, class M>
static void pcc_batch_sums(const PccChannels &n, const G *dy, const X *x, const M *saved_mean, bool aligned, T *partial,
                           PccStep *s)
{
    const dim3 block = pcc_channel_block(n, V), grid = pcc_channel_grid(n, block, V);
    if (n.inner == 1)
        PCC_LAUNCH((pcc_batch_sums_last_kernel<V, T, G, X, M>), grid, block, 0, s, n, dy, x, saved_mean, aligned,
                   partial, pcc_on_device(s));
    else
        PCC_LAUNCH((pcc_batch_sums_first_kernel<V, T, G, X, M>), grid, block, 0, s, n, dy, x, saved_mean, aligned,
                   partial, pcc_on_device(s));
}

template <int V, class T, class G, class X, class M, class D>
static void pcc_batch_dx(const PccChannels &n, const G *dy, const X *x, const M *saved_mean, const T *coefficients,
                         bool aligned, D *dx, PccStep *s)
{
    const dim3 block = pcc_channel_block(n, V), grid = pcc_channel_grid(n, block, V);
    if (n.inner == 1)
        PCC_LAUNCH((pcc_batch_dx_last_kernel<V, T, G, X, M, D>), grid, block, 0, s, n, dy, x, saved_mean, coefficients,
                   aligned, dx, pcc_on_device(s));
    else
        PCC_LAUNCH((pcc_batch_dx_first_kernel<V, T, G, X, M, D>), grid, block, 0, s, n, dy, x, saved_mean, coefficients,
                   aligned, dx, pcc_on_device(s));
}

template <class T, class G, class X, class S, class M, class R, class D, class P, class Q>
static void pcc_batch_norm_grad(int64_t batch, int64_t outer, int64_t channels, int64_t inner, const G *dy, const X *x,
                                const S *scale, const M *saved_mean, const R *saved_rstd, D *dx, P *dscale, Q *dbias,
                                void *scratch, PccStep *s)
{
    constexpr int V = pcc_lanes_of<T, G, X, D>();
    const PccChannels n = pcc_channels(batch, outer, channels, inner);
    const int64_t pitch = inner == 1 ? channels : 0;
    const bool aligned = pcc_is_aligned<V>(dy, pitch) && pcc_is_aligned<V>(x, pitch) && pcc_is_aligned<V>(dx, pitch);
    const dim3 columns = pcc_column_block(channels, 1);
    T *partial = (T *)scratch, *coefficients = partial + 3 * n.cut.chunks * channels;
    if (channels == 0)
        return;
    pcc_batch_sums<V>(n, dy, x, saved_mean, aligned, partial, s);
    PCC_LAUNCH((pcc_batch_slopes_kernel<T, S, R, P, Q>), pcc_blocks(channels, columns.x), columns, 0, s, n, partial,
               scale, saved_rstd, coefficients, dscale, dbias, pcc_on_device(s));
    if (dx)
        pcc_batch_dx<V, T>(n, dy, x, saved_mean, coefficients, aligned, dx, s);
}

#endif
