/* layer_norm_grad.cuh: gradients of LayerNormalization and RMSNormalization (not Centered) on a GPU: norm.h's contract,
 * layer_norm.inc's formulas.
 *
 * Rows that fit in registers together with the sums of dscale and dbias of their columns are read once: a block
 * processes a chunk of rows and adds to its threads' sums. For other rows one kernel computes dx and another one, over
 * blocks of columns, the sums, which reads dy and x again. Where dx takes the place of dy it is written after the sums,
 * and a launch before them leaves what they need of a row. Either way a last kernel adds the chunks' sums in their
 * order. */
#ifndef PCC_LAYER_NORM_GRAD_CUH
#define PCC_LAYER_NORM_GRAD_CUH

#include "../common/rows.cuh"
#include "norm_cuda.h"

enum { PCC_NORM_GRAD_HELD = 2, PCC_NORM_GRAD_THREADS = 512 };

/* Operands of one call: scale, dx, dscale and dbias may be null; mean is where not Centered. */
template <class T, class G, class X, class S, class M, class R, class D> struct PccRowNormGrad {
    int64_t rows, width, chunks, each, more; /* a chunk has `each` rows, the first `more` chunks one more */
    T share;                                 /* 1 / width */
    const G *dy;
    const X *x;
    const S *scale;
    const M *mean;
    const R *rstd;
    D *dx;
    T *dscale, *dbias; /* partial sums, [chunks, width] */
    T *low;            /* [rows], of PccRowSlopes; for rows that do not fit in registers */
};

/* The first row of a chunk. */
template <class P> PCC_DEVICE int64_t pcc_chunk_row(const P &p, int64_t chunk)
{
    return chunk * p.each + pcc_min_i64(chunk, p.more);
}

/* dx = dy scale rstd - offset - xhat slope, xhat = (x - mean) rstd - low: offset = rstd mean(g), slope = rstd mean(g
 * xhat), and low is the rounding error of the mean, times rstd. */
template <class T> struct PccRowSlopes {
    T mean, rstd, low, offset, slope;
};

/* Computed from the sums of g = dy scale, of g (x - mean) and of x - mean. */
template <bool Centered, class T> PCC_DEVICE PccRowSlopes<T> pcc_row_slopes(T share, T mean, T rstd, const T (&sums)[3])
{
    const T low = Centered ? sums[2] * share : T(0), offset = Centered ? rstd * (sums[0] * share) : T(0);
    return {mean, rstd, low * rstd, offset, rstd * (rstd * (sums[1] - low * sums[0]) * share)};
}

template <int N, class T, class P>
PCC_DEVICE void pcc_add_row_sums(const P &p, int64_t i, bool even, T mean, const T (&dy)[N], const T (&x)[N],
                                 T (&sums)[3])
{
    T scale[N];
    if (p.scale)
        pcc_get_columns(p.scale + i, N, even, scale);
    for (int j = 0; j < N; j++) {
        const T g = p.scale ? dy[j] * scale[j] : dy[j], d = x[j] - mean;
        sums[0] += g;
        sums[1] += g * d;
        sums[2] += d;
    }
}

template <int N, class T, class P>
PCC_DEVICE void pcc_put_row_dx(const P &p, int64_t start, int64_t i, bool even, PccRowSlopes<T> m, const T (&dy)[N],
                               const T (&x)[N])
{
    T scale[N], dx[N];
    if (p.scale)
        pcc_get_columns(p.scale + i, N, even, scale);
    for (int j = 0; j < N; j++) {
        const T xhat = (x[j] - m.mean) * m.rstd - m.low, g = p.scale ? dy[j] * scale[j] : dy[j];
        dx[j] = (g * m.rstd - m.offset) - xhat * m.slope;
    }
    pcc_put_columns(p.dx + start + i, N, true, dx);
}

/* ---- rows that fit in registers --------------------------------------------------------------------------------- */

/* The sums of a block's rows for the columns of its threads. */
template <int V, class T> struct PccColumnSums {
    T dscale[PCC_NORM_GRAD_HELD][V], dbias[PCC_NORM_GRAD_HELD][V];
};

/* A thread's part of a row; width is 0 without a row. */
template <int V, class T, class G, class X> struct PccHeldRow {
    int64_t row;
    int width;
    T mean, rstd;
    PccVector<G, V> dy[PCC_NORM_GRAD_HELD];
    PccVector<X, V> x[PCC_NORM_GRAD_HELD];
};

template <int V, bool Centered, class T, class P, class H>
PCC_DEVICE void pcc_hold_row(const P &p, int64_t row, int64_t end, H *held)
{
    const int first = (int)threadIdx.x * V, apart = (int)blockDim.x * V;
    held->row = row;
    held->width = row < end ? (int)p.width : 0;
    held->mean = Centered && row < end ? pcc_get<T>(p.mean, row) : T(0);
    held->rstd = row < end ? pcc_get<T>(p.rstd, row) : T(0);
    for (int k = 0; k < PCC_NORM_GRAD_HELD; k++)
        if (first + k * apart < held->width) {
            held->dy[k] = pcc_load_vector<V>(p.dy + row * p.width + first + k * apart);
            held->x[k] = pcc_load_vector<V>(p.x + row * p.width + first + k * apart);
        }
}

template <int V, bool Centered, class T, class P, class H>
PCC_DEVICE void pcc_row_norm_grad_held(const P &p, const H &held, PccColumnSums<V, T> &sum)
{
    const int first = (int)threadIdx.x * V, apart = (int)blockDim.x * V;
    T sums[3] = {0, 0, 0}, dy[V], x[V];
    for (int k = 0; k < PCC_NORM_GRAD_HELD; k++)
        if (first + k * apart < held.width) {
            pcc_widen(held.dy[k], dy);
            pcc_widen(held.x[k], x);
            pcc_add_row_sums(p, first + k * apart, true, held.mean, dy, x, sums);
        }
    pcc_row_reduce<PccSum>(sums);
    const PccRowSlopes<T> m = pcc_row_slopes<Centered>(p.share, held.mean, held.rstd, sums);
    for (int k = 0; k < PCC_NORM_GRAD_HELD; k++)
        if (first + k * apart < held.width) {
            pcc_widen(held.dy[k], dy);
            pcc_widen(held.x[k], x);
            for (int j = 0; j < V; j++) {
                sum.dscale[k][j] += dy[j] * ((x[j] - m.mean) * m.rstd - m.low);
                sum.dbias[k][j] += dy[j];
            }
            if (p.dx)
                pcc_put_row_dx(p, held.row * p.width, first + k * apart, true, m, dy, x);
        }
}

/* Adds a thread's sums to the chunk's: partial[width], null if not required. */
template <int V, class T>
PCC_DEVICE void pcc_put_chunk_sums(int64_t width, const T (&sum)[PCC_NORM_GRAD_HELD][V], T *partial)
{
    for (int k = 0; k < PCC_NORM_GRAD_HELD && partial; k++) {
        const int first = k * (int)blockDim.x * V;
        if (blockDim.y > 1)
            pcc_sum_columns(sum[k], [&](int c, T total) {
                if (first + c < width)
                    partial[first + c] = total;
            });
        else if (first + (int)threadIdx.x * V < width)
            for (int j = 0; j < V; j++)
                partial[first + (int)threadIdx.x * V + j] = sum[k][j];
    }
}

/* One block for each chunk. The next row is loaded while one is processed. */
template <int V, bool Centered, class T, class G, class X, class S, class M, class R, class D>
__global__ void __launch_bounds__(PCC_NORM_GRAD_THREADS, 1)
    pcc_row_norm_grad_held_kernel(PccRowNormGrad<T, G, X, S, M, R, D> p)
{
    const int64_t chunk = blockIdx.x, begin = pcc_chunk_row(p, chunk), end = pcc_chunk_row(p, chunk + 1);
    PccColumnSums<V, T> sum = {};
    PccHeldRow<V, T, G, X> held, next;
    pcc_hold_row<V, Centered, T>(p, begin + threadIdx.y, end, &next);
    for (int64_t first = begin; first < end; first += blockDim.y) {
        held = next;
        pcc_hold_row<V, Centered, T>(p, held.row + blockDim.y, end, &next);
        pcc_row_norm_grad_held<V, Centered>(p, held, sum);
    }
    pcc_put_chunk_sums(p.width, sum.dscale, p.dscale ? p.dscale + chunk * p.width : nullptr);
    pcc_put_chunk_sums(p.width, sum.dbias, p.dbias ? p.dbias + chunk * p.width : nullptr);
}

/* ---- rows of any width ------------------------------------------------------------------------------------------ */

/* dx and low. */
template <int V, bool Centered, class T, class G, class X, class S, class M, class R, class D>
__global__ void __launch_bounds__(PCC_NORM_GRAD_THREADS, 1)
    pcc_row_norm_dx_kernel(PccRowNormGrad<T, G, X, S, M, R, D> p, bool aligned)
{
    const int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y, start = row * p.width;
    const int64_t width = row < p.rows ? p.width : 0;
    const T mean = Centered && width > 0 ? pcc_get<T>(p.mean, row) : T(0);
    const T rstd = width > 0 ? pcc_get<T>(p.rstd, row) : T(0);
    T sums[3] = {0, 0, 0};
    pcc_walk_row<V>(start, width, aligned, [&](auto lanes, int64_t i) {
        T dy[lanes.count], x[lanes.count];
        pcc_widen(pcc_load_vector<lanes.count>(p.dy + start + i), dy);
        pcc_widen(pcc_load_vector<lanes.count>(p.x + start + i), x);
        pcc_add_row_sums(p, i, start % V == 0, mean, dy, x, sums);
    });
    pcc_row_reduce<PccSum>(sums);
    const PccRowSlopes<T> m = pcc_row_slopes<Centered>(p.share, mean, rstd, sums);
    if (Centered && width > 0 && threadIdx.x == 0)
        p.low[row] = m.low; /* times rstd */
    if (p.dx)
        pcc_walk_row<V>(start, width, aligned, [&](auto lanes, int64_t i) {
            T dy[lanes.count], x[lanes.count];
            pcc_widen(pcc_load_vector<lanes.count>(p.dy + start + i), dy);
            pcc_widen(pcc_load_vector<lanes.count>(p.x + start + i), x);
            pcc_put_row_dx(p, start, i, start % V == 0, m, dy, x);
        });
}

/* The chunks' sums of dscale and dbias; blockIdx.y is the chunk. */
template <int V, bool Centered, class T, class G, class X, class S, class M, class R, class D>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_row_norm_columns_kernel(PccRowNormGrad<T, G, X, S, M, R, D> p, bool aligned)
{
    const int64_t chunk = blockIdx.y, end = pcc_chunk_row(p, chunk + 1);
    const int64_t base = (int64_t)blockIdx.x * blockDim.x * V, first = base + (int64_t)threadIdx.x * V;
    T dscale[V] = {}, dbias[V] = {};
    for (int64_t row = pcc_chunk_row(p, chunk) + threadIdx.y; row < end; row += blockDim.y) {
        const T mean = Centered ? pcc_get<T>(p.mean, row) : T(0), low = Centered ? p.low[row] : T(0);
        const T rstd = pcc_get<T>(p.rstd, row);
        T dy[V], x[V];
        pcc_get_columns(p.dy + row * p.width + first, p.width - first, aligned, dy);
        pcc_get_columns(p.x + row * p.width + first, p.width - first, aligned, x);
        for (int j = 0; j < V; j++) {
            dscale[j] += dy[j] * ((x[j] - mean) * rstd - low);
            dbias[j] += dy[j];
        }
    }
    const auto put = [&](const T(&sum)[V], T *partial) {
        pcc_sum_columns(sum, [&](int c, T total) {
            if (base + c < p.width)
                partial[chunk * p.width + base + c] = total;
        });
    };
    if (p.dscale)
        put(dscale, p.dscale);
    if (p.dbias)
        put(dbias, p.dbias);
}

/* ---- the chunks' sums ------------------------------------------------------------------------------------------- */

/* sum[width] = partial[chunks, width] over the chunks. */
template <class T, class Y>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_sum_chunks_kernel(int64_t chunks, int64_t width, const T *partial, Y *sum)
{
    const int64_t base = (int64_t)blockIdx.x * blockDim.x, column = base + threadIdx.x;
    T part[1] = {0};
    for (int64_t chunk = threadIdx.y; chunk < chunks && column < width; chunk += blockDim.y)
        part[0] += partial[chunk * width + column];
    pcc_sum_columns(part, [&](int c, T total) {
        if (base + c < width)
            pcc_put(sum, base + c, total);
    });
}

template <class T, class Y>
static void pcc_sum_chunks(int64_t chunks, int64_t width, const T *partial, Y *sum, PccStep *s)
{
    const dim3 block = pcc_column_block(width, 1);
    PCC_LAUNCH((pcc_sum_chunks_kernel<T, Y>), pcc_blocks(width, block.x), block, 0, s, chunks, width, partial, sum);
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

template <bool Centered, class T, class G, class X, class S, class M, class R, class D>
static void pcc_row_norm_grad_any(const PccRowNormGrad<T, G, X, S, M, R, D> &p, PccStep *s)
{
    constexpr int V = pcc_lanes_of<T, G, X>(); /* of what is held: more would not fit into registers */
    const bool aligned = pcc_is_aligned<V>(p.dy, 0) && pcc_is_aligned<V>(p.x, 0) && pcc_is_aligned<V>(p.scale, 0) &&
                         pcc_is_aligned<V>(p.dx, 0);
    if (aligned && p.width % V == 0 && p.width <= (int64_t)PCC_NORM_GRAD_THREADS * PCC_NORM_GRAD_HELD * V) {
        const dim3 block = pcc_row_block(p.width / V, PCC_NORM_GRAD_HELD, PCC_NORM_GRAD_THREADS);
        PCC_LAUNCH((pcc_row_norm_grad_held_kernel<V, Centered, T, G, X, S, M, R, D>), (unsigned)p.chunks, block, 0, s,
                   p);
        return;
    }
    const dim3 block = pcc_row_block(pcc_ceil_div(p.width, V), PCC_NORM_GRAD_HELD, PCC_NORM_GRAD_THREADS);
    const bool summed = p.dscale || p.dbias, late = summed && (const void *)p.dx == (const void *)p.dy;
    const auto launch_dx = [&](D *dx) {
        PccRowNormGrad<T, G, X, S, M, R, D> own = p;
        own.dx = dx;
        PCC_LAUNCH((pcc_row_norm_dx_kernel<V, Centered, T, G, X, S, M, R, D>), pcc_blocks(p.rows, block.y), block, 0, s,
                   own, aligned);
    };
    if (p.rows > 0 && (Centered || !late))
        launch_dx(late ? nullptr : p.dx);
    const dim3 columns = pcc_column_block(p.width, V);
    const dim3 grid(pcc_blocks(p.width, (int64_t)columns.x * V), (unsigned)p.chunks);
    if (summed)
        PCC_LAUNCH((pcc_row_norm_columns_kernel<V, Centered, T, G, X, S, M, R, D>), grid, columns, 0, s, p,
                   aligned && p.width % V == 0);
    if (p.rows > 0 && late)
        launch_dx(p.dx);
}

template <bool Centered, class T, class G, class X, class S, class M, class R, class D, class P, class Q>
static void pcc_row_norm_grad(int64_t rows, int64_t width, const G *dy, const X *x, const S *scale, const M *mean,
                              const R *rstd, D *dx, P *dscale, Q *dbias, void *scratch, PccStep *s)
{
    const int64_t chunks = pcc_cuda_row_chunks(rows);
    T *sums = (T *)scratch;
    if (width == 0)
        return;
    T *own_dscale = dscale ? sums : nullptr, *own_dbias = dbias ? sums + chunks * width : nullptr;
    const PccRowNormGrad<T, G, X, S, M, R, D> p = {
        rows,         width, chunks,     rows / chunks, rows % chunks,
        1 / (T)width, dy,    x,          scale,         mean,
        rstd,         dx,    own_dscale, own_dbias,     sums + 2 * chunks * width};
    pcc_row_norm_grad_any<Centered>(p, s);
    if (dscale)
        pcc_sum_chunks<T>(chunks, width, own_dscale, dscale, s);
    if (dbias)
        pcc_sum_chunks<T>(chunks, width, own_dbias, dbias, s);
}

template <class T, class G, class X, class S, class M, class R, class D, class P, class Q>
static void pcc_layer_norm_grad(int64_t rows, int64_t width, const G *dy, const X *x, const S *scale, const M *mean,
                                const R *rstd, D *dx, P *dscale, Q *dbias, void *scratch, PccStep *s)
{
    pcc_row_norm_grad<true, T>(rows, width, dy, x, scale, mean, rstd, dx, dscale, dbias, scratch, s);
}

template <class T, class G, class X, class S, class R, class D, class P>
static void pcc_rms_norm_grad(int64_t rows, int64_t width, const G *dy, const X *x, const S *scale, const R *rstd,
                              D *dx, P *dscale, void *scratch, PccStep *s)
{
    pcc_row_norm_grad<false, T>(rows, width, dy, x, scale, (const T *)nullptr, rstd, dx, dscale, (T *)nullptr, scratch,
                                s);
}

#endif
