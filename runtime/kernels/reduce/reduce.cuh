/* reduce.cuh: the reductions of reduce.h for CUDA.
 *
 *   pcc_reduce_{sum,mean,max,min,prod}<T>(outer, reduced, inner, x, y[outer, inner], scratch, s)
 *       scratch has pcc_cuda_reduce_scratch_bytes(outer, reduced, inner, sizeof(T)) bytes
 *
 * A block is a grid of threads: lanes, which process neighbouring columns of V elements each (or neighbouring vectors
 * of one line), by rows, which divide the reduced positions of a column among them. Each thread adds up trees of 4
 * positions in runs of 256, so that no sum has more than a few hundred terms; the rows are combined in shared memory,
 * the chunks in a second pass. The order of all sums depends on the shape alone. */
#ifndef PCC_REDUCE_CUH
#define PCC_REDUCE_CUH

#include "../common/block.cuh"
#include "reduce_cuda.h"

struct PccTimes {
    template <class T> static __device__ __forceinline__ T of(T a, T b)
    {
        return a * b;
    }
    template <class T> static __device__ __forceinline__ T none()
    {
        return T(1);
    }
};

/* NaN propagates. */
struct PccMin {
    template <class T> static __device__ __forceinline__ T of(T a, T b)
    {
        return a < b || a != a ? a : b;
    }
    template <class T> static __device__ __forceinline__ T none()
    {
        return T(INFINITY);
    }
};

/* x[outer, reduced, inner] in chunks of the reduced axis; y[outer, chunks, inner]. */
struct PccReduction {
    int64_t outer, reduced, inner;
    int64_t chunks, chunk; /* number of chunks, and positions of each */
    int64_t tiles;         /* blocks along the columns, or the lines */
    int lanes, rows;       /* of a block's threads; powers of two */
};

enum { PCC_REDUCE_RUN = 256 };

/* total[] = op(total[], p[k * step + 0 ... V - 1] for k < count) */
template <class Op, class T, int V, class X>
PCC_DEVICE void pcc_reduce_positions(const X *p, int64_t count, int64_t step, T (&total)[V])
{
    for (int64_t k = 0; k < count;) {
        const int64_t end = k + PCC_REDUCE_RUN < count ? k + PCC_REDUCE_RUN : count;
        T run[V];
        for (int v = 0; v < V; v++)
            run[v] = Op::template none<T>();
        for (; k + 4 <= end; k += 4) {
            PccVector<X, V> x[4];
            for (int i = 0; i < 4; i++)
                x[i] = pcc_load_vector<V>(p + (k + i) * step);
            for (int v = 0; v < V; v++) {
                const T a = Op::of((T)pcc_wide(x[0].at[v]), (T)pcc_wide(x[1].at[v]));
                const T b = Op::of((T)pcc_wide(x[2].at[v]), (T)pcc_wide(x[3].at[v]));
                run[v] = Op::of(run[v], Op::of(a, b));
            }
        }
        for (; k < end; k++) {
            const PccVector<X, V> x = pcc_load_vector<V>(p + k * step);
            for (int v = 0; v < V; v++)
                run[v] = Op::of(run[v], (T)pcc_wide(x.at[v]));
        }
        for (int v = 0; v < V; v++)
            total[v] = Op::of(total[v], run[v]);
    }
}

/* Combines the V elements of each thread over the block's rows: slots [rows][lanes * V], row 0 has the result. */
template <class Op, class T, int V>
PCC_DEVICE void pcc_reduce_rows(int rows, int row, int pitch, T *slot, T (&total)[V])
{
    for (int half = rows / 2; half > 0; half /= 2) {
        if (row >= half && row < 2 * half)
            for (int v = 0; v < V; v++)
                slot[v] = total[v];
        __syncthreads();
        if (row < half)
            for (int v = 0; v < V; v++)
                total[v] = Op::of(total[v], slot[half * pitch + v]);
        __syncthreads();
    }
}

/* inner > 1: a block reduces lanes * V columns of a chunk. */
template <class Op, class T, int V, class X, class Y>
__global__ void pcc_reduce_columns_kernel(PccReduction r, T divisor, const X *x, Y *y)
{
    PCC_DYNAMIC_SHARED(T, slots);
    const int lane = (int)threadIdx.x % r.lanes, row = (int)threadIdx.x / r.lanes, pitch = r.lanes * V;
    for (int64_t task = blockIdx.x; task < r.outer * r.chunks * r.tiles; task += gridDim.x) {
        const int64_t part = task / r.tiles, first = part % r.chunks * r.chunk;
        const int64_t column = (task % r.tiles * r.lanes + lane) * V;
        const int64_t left = r.reduced - first < r.chunk ? r.reduced - first : r.chunk;
        const int64_t count = left > row && column < r.inner ? (left - row + r.rows - 1) / r.rows : 0;
        T total[V];
        for (int v = 0; v < V; v++)
            total[v] = Op::template none<T>();
        pcc_reduce_positions<Op, T, V>(x + (part / r.chunks * r.reduced + first + row) * r.inner + column, count,
                                       r.rows * r.inner, total);
        pcc_reduce_rows<Op, T, V>(r.rows, row, pitch, slots + row * pitch + lane * V, total);
        if (row > 0 || column >= r.inner)
            continue;
        PccVector<Y, V> result;
        for (int v = 0; v < V; v++)
            result.at[v] = pcc_narrowed<Y>(divisor == 1 ? total[v] : total[v] / divisor);
        pcc_store_vector(y + part * r.inner + column, result);
    }
}

/* inner == 1: `rows` neighbouring threads share a chunk of a line; a block processes `lanes` of these. */
template <class Op, class T, int V, class X, class Y>
__global__ void pcc_reduce_lines_kernel(PccReduction r, T divisor, const X *x, Y *y)
{
    PCC_DYNAMIC_SHARED(T, slots);
    const int row = (int)threadIdx.x % r.rows, line = (int)threadIdx.x / r.rows;
    for (int64_t task = blockIdx.x; task < r.tiles; task += gridDim.x) {
        const int64_t part = task * r.lanes + line, first = part % r.chunks * r.chunk;
        const int64_t left = r.reduced - first < r.chunk ? r.reduced - first : r.chunk;
        const int64_t length = part < r.outer * r.chunks && left > 0 ? left : 0, vectors = length / V;
        const X *p = x + part / r.chunks * r.reduced + first;
        T total[V], sum[1];
        for (int v = 0; v < V; v++)
            total[v] = Op::template none<T>();
        pcc_reduce_positions<Op, T, V>(p + row * V, vectors > row ? (vectors - row + r.rows - 1) / r.rows : 0,
                                       (int64_t)r.rows * V, total);
        for (int64_t k = vectors * V + row; k < length; k += r.rows)
            total[0] = Op::of(total[0], pcc_get<T>(p, k));
        for (int half = V / 2; half > 0; half /= 2)
            for (int v = 0; v < half; v++)
                total[v] = Op::of(total[v], total[v + half]);
        sum[0] = total[0];
        pcc_reduce_rows<Op, T, 1>(r.rows, row, r.lanes, slots + row * r.lanes + line, sum);
        if (row == 0 && part < r.outer * r.chunks)
            pcc_put(y, part, divisor == 1 ? sum[0] : sum[0] / divisor);
    }
}

/* The least power of two that is at least n, and at most `most`. */
static inline int pcc_power_of_two(int64_t n, int most)
{
    int power = 1;
    while (power < most && power < n)
        power *= 2;
    return power;
}

template <class Op, class T, int V, class X, class Y>
static void pcc_reduce_pass(PccReduction r, T divisor, const X *x, Y *y, PccStep *s)
{
    if (r.inner == 1) {
        r.rows = pcc_power_of_two((r.chunk + 4 * V - 1) / (4 * V), PCC_BLOCK);
        r.lanes = PCC_BLOCK / r.rows;
        r.tiles = (r.outer * r.chunks + r.lanes - 1) / r.lanes;
        PCC_LAUNCH((pcc_reduce_lines_kernel<Op, T, V, X, Y>), pcc_blocks(r.tiles, 1), PCC_BLOCK, PCC_BLOCK * sizeof(T),
                   s, r, divisor, x, y);
    } else {
        r.lanes = pcc_power_of_two((r.inner + V - 1) / V, PCC_WARP);
        r.rows = PCC_BLOCK / r.lanes;
        r.tiles = (r.inner + r.lanes * V - 1) / (r.lanes * V);
        PCC_LAUNCH((pcc_reduce_columns_kernel<Op, T, V, X, Y>), pcc_blocks(r.outer * r.chunks * r.tiles, 1), PCC_BLOCK,
                   PCC_BLOCK * V * sizeof(T), s, r, divisor, x, y);
    }
}

/* In vectors of 16 bytes of x where these are aligned. */
template <class Op, class T, class X, class Y>
static void pcc_reduce_chunks_of(PccReduction r, T divisor, const X *x, Y *y, PccStep *s)
{
    enum { V = 16 / sizeof(X) };
    const bool stores = r.inner == 1 || (uintptr_t)y % alignof(PccVector<Y, V>) == 0;
    const int64_t stride = r.inner > 1 ? r.inner : r.outer > 1 ? r.reduced : 0;
    if (r.outer * r.inner == 0)
        return;
    if (pcc_is_aligned<V>(x, stride) && stores)
        pcc_reduce_pass<Op, T, V>(r, divisor, x, y, s);
    else
        pcc_reduce_pass<Op, T, 1>(r, divisor, x, y, s);
}

template <class Op, class T, class X, class Y>
static void pcc_reduce(int64_t outer, int64_t reduced, int64_t inner, T divisor, const X *x, Y *y, void *scratch,
                       PccStep *s)
{
    const int64_t chunks = pcc_cuda_reduce_chunks(outer, reduced, inner);
    const PccReduction whole = {outer, reduced, inner, 1, reduced, 0, 0, 0};
    if (chunks == 1) {
        pcc_reduce_chunks_of<Op, T>(whole, divisor, x, y, s);
        return;
    }
    const int64_t chunk = pcc_cuda_reduce_chunk(outer, reduced, inner);
    const PccReduction parts = {outer, reduced, inner, chunks, chunk, 0, 0, 0};
    const PccReduction joined = {outer, chunks, inner, 1, chunks, 0, 0, 0};
    pcc_reduce_chunks_of<Op, T>(parts, (T)1, x, (T *)scratch, s);
    pcc_reduce_pass<Op, T, 1>(joined, divisor, (const T *)scratch, y, s); /* narrow blocks, as there are few columns */
}

template <class T, class X, class Y>
static void pcc_reduce_sum(int64_t outer, int64_t reduced, int64_t inner, const X *x, Y *y, void *scratch, PccStep *s)
{
    pcc_reduce<PccSum, T>(outer, reduced, inner, (T)1, x, y, scratch, s);
}

template <class T, class X, class Y>
static void pcc_reduce_mean(int64_t outer, int64_t reduced, int64_t inner, const X *x, Y *y, void *scratch, PccStep *s)
{
    pcc_reduce<PccSum, T>(outer, reduced, inner, (T)reduced, x, y, scratch, s);
}

template <class T, class X, class Y>
static void pcc_reduce_max(int64_t outer, int64_t reduced, int64_t inner, const X *x, Y *y, void *scratch, PccStep *s)
{
    pcc_reduce<PccMax, T>(outer, reduced, inner, (T)1, x, y, scratch, s);
}

template <class T, class X, class Y>
static void pcc_reduce_min(int64_t outer, int64_t reduced, int64_t inner, const X *x, Y *y, void *scratch, PccStep *s)
{
    pcc_reduce<PccMin, T>(outer, reduced, inner, (T)1, x, y, scratch, s);
}

template <class T, class X, class Y>
static void pcc_reduce_prod(int64_t outer, int64_t reduced, int64_t inner, const X *x, Y *y, void *scratch, PccStep *s)
{
    pcc_reduce<PccTimes, T>(outer, reduced, inner, (T)1, x, y, scratch, s);
}

#endif
