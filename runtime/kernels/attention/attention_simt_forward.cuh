/* attention_simt_forward.cuh: the forward pass of attention.cuh where tensor cores cannot be used: online softmax
 * (Milakov and Gimelshein 2018; Dao et al. 2022) over tiles of keys. A block computes 64 queries and at most 64 M
 * columns of y. */
#ifndef PCC_ATTENTION_SIMT_FORWARD_CUH
#define PCC_ATTENTION_SIMT_FORWARD_CUH

#include "attention_simt.cuh"
#include "../common/block.cuh"

/* Reductions over the 16 threads of a row. */
template <class Op, class T> PCC_DEVICE T pcc_attention_row_reduce(T x)
{
#pragma unroll
    for (int lane = 8; lane > 0; lane /= 2)
        x = Op::of(x, __shfl_xor_sync(0xffffffffu, x, lane));
    return x;
}

/* The maximum, ignoring NaN, as in the C target. */
struct PccAttentionMax {
    template <class T> static __device__ __forceinline__ T of(T a, T b)
    {
        return a > b ? a : b;
    }
};

/* A thread's state of its 4 queries. Until the end `sum` covers only the thread's own keys. */
template <class T, int M> struct PccAttentionState {
    T max[4], sum[4], out[M][4][4];
};

/* Scores of queries from `query` on and keys from `key` on: scaled, masked, -inf where there is none. */
template <class T, class M>
PCC_DEVICE void pcc_attention_mask_scores(const PccAttention &shape, const PccAttentionMask<M> &mask, int64_t query,
                                          int64_t key, T (&score)[4][PccAttentionSimt<T>::each])
{
    const int x = threadIdx.x % 16, y = threadIdx.x / 16;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int64_t q = query + 4 * y + i, end = q < shape.queries ? pcc_attention_end(shape, q) : 0;
#pragma unroll
        for (int j = 0; j < PccAttentionSimt<T>::each; j++) {
            const int64_t k = key + x + 16 * j;
            score[i][j] = k < end ? pcc_attention_masked(mask, q, k, score[i][j] * (T)shape.scale) : -T(INFINITY);
        }
    }
}

/* Replaces scores by exponentials relative to the rows' new maximum, and rescales the sums so far. */
template <class T, int M>
PCC_DEVICE void pcc_attention_powers(const T (&score)[4][PccAttentionSimt<T>::each], PccAttentionState<T, M> &state,
                                     T *weight)
{
    using Tile = PccAttentionSimt<T>;
    const int x = threadIdx.x % 16, y = threadIdx.x / 16;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        T highest = score[i][0];
#pragma unroll
        for (int j = 1; j < Tile::each; j++)
            highest = PccAttentionMax::of(score[i][j], highest);
        highest = PccAttentionMax::of(pcc_attention_row_reduce<PccAttentionMax>(highest), state.max[i]);
        const T shift = highest == -T(INFINITY) ? T(0) : highest; /* -inf - -inf would be NaN */
        const T decay = exp(state.max[i] - shift);
        state.sum[i] *= decay;
#pragma unroll
        for (int j = 0; j < Tile::each; j++) {
            const T power = exp(score[i][j] - shift);
            weight[(4 * y + i) * Tile::score_pitch + x + 16 * j] = power;
            state.sum[i] += power;
        }
#pragma unroll
        for (int j = 0; j < 4 * M; j++)
            state.out[j / 4][i][j % 4] *= decay;
        state.max[i] = highest;
    }
}

/* Reduces the sums and stores the statistics of the 64 queries unless they are nullptr. */
template <class T, int M>
PCC_DEVICE void pcc_attention_statistics(const PccAttentionState<T, M> &state, int64_t rows, T *max, T *inverse_sum,
                                         T (&inverse)[4])
{
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const T sum = pcc_attention_row_reduce<PccSum>(state.sum[i]);
        const int row = threadIdx.x / 16 * 4 + i;
        inverse[i] = sum == 0 ? T(0) : T(1) / sum;
        if (max && threadIdx.x % 16 == 0 && row < rows) {
            max[row] = state.max[i] == -T(INFINITY) ? T(0) : state.max[i];
            inverse_sum[row] = inverse[i];
        }
    }
}

/* `task` counts column chunks of y, batches, heads and tiles of queries, outermost first; the last queries of a causal
 * head have the most keys and come first. */
template <class T, int M, class Q, class K, class V, class A, class Y>
PCC_DEVICE void pcc_attention_simt_task(const PccAttention &shape, const Q *q, const K *k, const V *v, const A *mask,
                                        Y *y, T *max, T *inverse_sum, int64_t task)
{
    using Tile = PccAttentionSimt<T>;
    __shared__ typename Tile::Shared shared;
    const int64_t tiles = pcc_ceil_div(shape.queries, PCC_ATTENTION_TILE);
    const int64_t query = (tiles - 1 - task % tiles) * PCC_ATTENTION_TILE, head = task / tiles % shape.heads;
    const int64_t batch = task / tiles / shape.heads % shape.batch, kv = head / shape.kv_group;
    const int64_t column = task / tiles / shape.heads / shape.batch * M * PCC_ATTENTION_TILE;
    const int64_t rows = pcc_min_i64(PCC_ATTENTION_TILE, shape.queries - query);
    const int64_t end = pcc_attention_end(shape, query + rows - 1);
    const PccAttentionMask<A> added = pcc_attention_mask_of(shape, mask, batch, head);
    PccAttentionState<T, M> state = {};
#pragma unroll
    for (int i = 0; i < 4; i++)
        state.max[i] = -T(INFINITY);
    for (int64_t key = 0; key < end; key += Tile::columns) {
        T score[4][Tile::each];
        pcc_attention_product<T>(shared, shape.width, pcc_attention_row(q, shape.q_stride, batch, head, query),
                                 shape.q_stride[2], rows, pcc_attention_row(k, shape.k_stride, batch, kv, key),
                                 shape.k_stride[2], shape.keys - key, score);
        pcc_attention_mask_scores(shape, added, query, key, score);
        pcc_attention_powers(score, state, shared.score);
        pcc_attention_weigh<T>(shared, pcc_attention_row(v, shape.v_stride, batch, kv, key) + column, shape.v_stride[2],
                               shape.keys - key, shape.value_width - column, state.out);
    }
    const int64_t statistics = (batch * shape.heads + head) * shape.queries + query;
    T inverse[4];
    pcc_attention_statistics(state, rows, max && column == 0 ? max + statistics : nullptr, inverse_sum + statistics,
                             inverse);
    pcc_attention_put<T>(state.out, inverse, pcc_attention_row(y, shape.y_stride, batch, head, query) + column,
                         shape.y_stride[2], rows, shape.value_width - column);
}

template <class T, int M, class Q, class K, class V, class A, class Y>
__global__ __launch_bounds__(PCC_ATTENTION_THREADS, 1) void pcc_attention_simt_kernel(PccAttention shape, const Q *q,
                                                                                      const K *k, const V *v,
                                                                                      const A *mask, Y *y, T *max,
                                                                                      T *inverse_sum, int64_t tasks)
{
    if constexpr (pcc_attention_needs_simt<T, Q, K, V>())
        for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x)
            pcc_attention_simt_task<T, M>(shape, q, k, v, mask, y, max, inverse_sum, task);
}

template <class T, int M, class Q, class K, class V, class A, class Y>
static void pcc_attention_simt_launch(PccAttention shape, const Q *q, const K *k, const V *v, const A *mask, Y *y,
                                      T *max, T *inverse_sum, PccStep *s)
{
    const int64_t tasks = pcc_ceil_div(shape.value_width, M * PCC_ATTENTION_TILE) * shape.batch * shape.heads *
                          pcc_ceil_div(shape.queries, PCC_ATTENTION_TILE);
    PCC_LAUNCH((pcc_attention_simt_kernel<T, M, Q, K, V, A, Y>), pcc_blocks(tasks, 1), PCC_ATTENTION_THREADS, 0, s,
               shape, q, k, v, mask, y, max, inverse_sum, tasks);
}

template <class T, class Q, class K, class V, class A, class Y>
static void pcc_attention_simt(PccAttention shape, const Q *q, const K *k, const V *v, const A *mask, Y *y, T *max,
                               T *inverse_sum, PccStep *s)
{
    constexpr int most = pcc_attention_simt_columns<T, Q, K, V>();
    if (most == 1 || shape.value_width <= PCC_ATTENTION_TILE)
        pcc_attention_simt_launch<T, 1>(shape, q, k, v, mask, y, max, inverse_sum, s);
    else
        pcc_attention_simt_launch<T, most>(shape, q, k, v, mask, y, max, inverse_sum, s);
}

#endif
