/* rows.cuh: mapping of a matrix's rows to threads, and sums along and across rows.
 *
 * A block is (threads of a row, rows). The number of a row's threads is a power of two, so that a warp computes several
 * short rows, one row, or a part of a long one. All threads of a block call the reductions here, also those without a
 * row. */
#ifndef PCC_ROWS_CUH
#define PCC_ROWS_CUH

#include "block.cuh"
#include "scratch.h" /* pcc_ceil_div ... */

/* Vector width of kernels that compute in T: 16 bytes of the narrowest of these operands. */
template <class T, class... X> constexpr int pcc_lanes_of()
{
    constexpr size_t bytes[] = {sizeof(X)...};
    size_t least = sizeof(T);
    for (size_t b : bytes)
        least = b < least && sizeof(T) < 8 ? b : least; /* beside doubles, an operand of type float is absent */
    return (int)(16 / least);
}

/* The block's dimensions for rows of `vectors` vectors, of which a thread processes `each` (or one, if a warp has
 * enough lanes); at most `most` threads a row. Blocks are whole warps. */
static inline dim3 pcc_row_block(int64_t vectors, int64_t each, int most)
{
    int threads = 1;
    while (threads < most && threads * (threads < PCC_WARP ? 1 : each) < vectors)
        threads *= 2;
    return dim3((unsigned)threads, (unsigned)(threads < PCC_BLOCK ? PCC_BLOCK / threads : 1));
}

/* Sums every x[i] over the threads of a row; each of them gets the same bits. */
template <class Op, class T, int N> PCC_DEVICE void pcc_row_reduce(T (&x)[N])
{
    const int warps = (int)blockDim.x / PCC_WARP;
    for (int lane = (warps > 0 ? PCC_WARP : (int)blockDim.x) / 2; lane > 0; lane /= 2)
        for (int i = 0; i < N; i++)
            x[i] = Op::of(x[i], __shfl_xor_sync(0xffffffffu, x[i], lane));
    if (warps <= 1)
        return;
    __shared__ T of_warp[N][PCC_MOST_WARPS];
    const int warp = pcc_thread_of_block() / PCC_WARP, lane = (int)threadIdx.x % PCC_WARP;
    __syncthreads(); /* what the call before has left may still be read */
    for (int i = 0; i < N && lane == 0; i++)
        of_warp[i][warp] = x[i];
    __syncthreads();
    for (int i = 0; i < N; i++)
        x[i] = of_warp[i][warp / warps * warps + lane % warps];
    for (int apart = warps / 2; apart > 0; apart /= 2)
        for (int i = 0; i < N; i++)
            x[i] = Op::of(x[i], __shfl_xor_sync(0xffffffffu, x[i], apart));
}

template <class Op, class T> PCC_DEVICE T pcc_row_reduce(T x)
{
    T one[1] = {x};
    pcc_row_reduce<Op>(one);
    return one[0];
}

/* The number of elements that a walk's function processes, as a type. */
template <int N> struct PccLanes {
    static constexpr int count = N;
};

/* The number of leading elements of a row that are processed one by one, up to the first aligned vector of V; the row
 * begins `start` elements into the tensor. All of them where the tensor is not aligned. */
template <int V> PCC_DEVICE int64_t pcc_row_head(int64_t start, int64_t width, bool aligned)
{
    const int64_t head = -start & (V - 1);
    return aligned && head < width ? head : width;
}

/* Calls f(PccLanes<N>(), i) for elements i … i + N - 1 of a row, with N = V where they are aligned and N = 1 elsewhere:
 * every element once, by one of the row's threads. */
template <int V, class F> PCC_DEVICE void pcc_walk_row(int64_t start, int64_t width, bool aligned, F f)
{
    const int64_t head = pcc_row_head<V>(start, width, aligned), end = head + ((width - head) & -V);
    for (int64_t i = threadIdx.x; i < head; i += blockDim.x)
        f(PccLanes<1>(), i);
#pragma unroll 4
    for (int64_t i = head + (int64_t)threadIdx.x * V; i < end; i += (int64_t)blockDim.x * V)
        f(PccLanes<V>(), i);
    for (int64_t i = end + threadIdx.x; i < width; i += blockDim.x)
        f(PccLanes<1>(), i);
}

/* ---- columns: a block is (vectors of columns, rows that are processed together) --------------------------------- */

static inline dim3 pcc_column_block(int64_t columns, int lanes)
{
    int threads = 1;
    while (threads < PCC_WARP && (int64_t)threads * lanes < columns)
        threads *= 2;
    return dim3((unsigned)threads, (unsigned)(PCC_BLOCK / threads));
}

/* Loads the first `count` of V columns; 0 in the others. */
template <int V, class X> PCC_DEVICE PccVector<X, V> pcc_load_columns(const X *p, int64_t count, bool aligned)
{
    if (aligned && count >= V)
        return pcc_load_vector<V>(p);
    PccVector<X, V> v = {};
    for (int i = 0; i < V; i++)
        if (i < count)
            v.at[i] = p[i];
    return v;
}

template <class T, int N, class X> PCC_DEVICE void pcc_widen(const PccVector<X, N> &v, T (&x)[N])
{
    for (int i = 0; i < N; i++)
        x[i] = (T)pcc_wide(v.at[i]);
}

template <class T, int V, class X> PCC_DEVICE void pcc_get_columns(const X *p, int64_t count, bool aligned, T (&x)[V])
{
    pcc_widen(pcc_load_columns<V>(p, count, aligned), x);
}

template <class T, int V, class Y> PCC_DEVICE void pcc_put_columns(Y *p, int64_t count, bool aligned, const T (&y)[V])
{
    if (aligned && count >= V) {
        PccVector<Y, V> v;
        for (int i = 0; i < V; i++)
            v.at[i] = pcc_narrowed<Y>(y[i]);
        pcc_store_vector(p, v);
    } else {
        for (int i = 0; i < V; i++)
            if (i < count)
                pcc_put(p, i, y[i]);
    }
}

/* Sums x over the block's rows, in their order; one thread calls put(c, sum) for each column c of the block. */
template <class T, int V, class F> PCC_DEVICE void pcc_sum_columns(const T (&x)[V], F put)
{
    __shared__ T of_row[PCC_BLOCK * V];
    const int width = (int)blockDim.x * V;
    __syncthreads(); /* what the call before has left may still be read */
    for (int i = 0; i < V; i++)
        of_row[pcc_thread_of_block() * V + i] = x[i];
    __syncthreads();
    for (int c = pcc_thread_of_block(); c < width; c += PCC_BLOCK) {
        T sum = of_row[c];
        for (int row = 1; row < (int)blockDim.y; row++)
            sum += of_row[row * width + c];
        put(c, sum);
    }
}

#endif
