/* attention_tensor_forward.cuh: the forward pass of attention.cuh on tensor cores (attention_tensor.cuh). A block's
 * rows are queries, of which it computes at most 64 M columns of y. */
#ifndef PCC_ATTENTION_TENSOR_FORWARD_CUH
#define PCC_ATTENTION_TENSOR_FORWARD_CUH

#include "attention_tensor.cuh"

/* A lane's state of its 2 R queries. Until the end `sum` covers only the lane's own keys. */
template <int R, int M> struct PccAttentionOnline {
    float max[2 * R], sum[2 * R], out[R][8 * M][4];
};

/* Before the first key. */
template <int R, int M> PCC_DEVICE PccAttentionOnline<R, M> pcc_attention_online_begin()
{
    PccAttentionOnline<R, M> state = {};
#pragma unroll
    for (int i = 0; i < 2 * R; i++)
        state.max[i] = -INFINITY;
    return state;
}

/* Replaces scores by exponentials relative to the rows' new maximum, and rescales the sums so far. */
template <class X, int R, int N, int M>
PCC_DEVICE void pcc_attention_online(float (&score)[R][2 * N][4], PccAttentionOnline<R, M> &state)
{
#pragma unroll
    for (int i = 0; i < 2 * R; i++) {
        float highest = state.max[i];
#pragma unroll
        for (int j = 0; j < 4 * N; j++)
            highest = fmaxf(score[i / 2][j / 2][i % 2 * 2 + j % 2], highest);
        highest = fmaxf(__shfl_xor_sync(0xffffffffu, highest, 1), highest);
        highest = fmaxf(__shfl_xor_sync(0xffffffffu, highest, 2), highest);
        const float shift = highest == -INFINITY ? 0.0f : highest; /* -inf - -inf would be NaN */
        const float decay = pcc_attention_exp(state.max[i] - shift);
        state.max[i] = highest;
        state.sum[i] *= decay;
#pragma unroll
        for (int j = 0; j < 4 * N; j++) {
            float *at = &score[i / 2][j / 2][i % 2 * 2 + j % 2];
            *at = pcc_attention_exp(*at - shift) * pcc_attention_weight_factor<X>();
            state.sum[i] += *at;
        }
#pragma unroll
        for (int t = 0; t < 16 * M; t++)
            state.out[i / 2][t / 2][i % 2 * 2 + t % 2] *= decay;
    }
}

/* Stores the statistics of the warp's queries unless they are nullptr; inverse: the factor of y. */
template <class X, int R, int M>
PCC_DEVICE void pcc_attention_online_end(const PccAttentionOnline<R, M> &state, int64_t rows, float *max,
                                         float *inverse_sum, float (&inverse)[2 * R])
{
#pragma unroll
    for (int i = 0; i < 2 * R; i++) {
        const int row = 16 * (i / 2) + pcc_accumulator_row(pcc_lane(), i % 2 * 2);
        float sum = state.sum[i];
        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
        inverse[i] = sum == 0 ? 0.0f : 1 / sum;
        if (max && pcc_lane() % 4 == 0 && row < rows) {
            max[row] = state.max[i] == -INFINITY ? 0.0f : state.max[i];
            inverse_sum[row] = inverse[i] * pcc_attention_weight_factor<X>();
        }
    }
}

/* One tile of keys against the warp's queries. */
template <class X, int R, int M, class A>
PCC_DEVICE void pcc_attention_tensor_tile(const PccAttention &shape, const PccAttentionMask<A> &mask, int query,
                                          int key, const X *q, const X *k, const X *v, int columns,
                                          PccAttentionOnline<R, M> &state)
{
    constexpr int N = PccAttentionColumns<M>::pairs;
    const int last = (int)pcc_min_i64(query + 16 * R, shape.queries) - 1;
    if (last < query || key >= pcc_attention_end(shape, last))
        return; /* no query of the warp sees a key of the tile */
    float score[R][2 * N][4];
    pcc_attention_tensor_product<X, R, N>(q, k, pcc_attention_pitch(shape.width), score);
    pcc_attention_tensor_scores<true, R, N>(shape, mask, query, key, score);
    pcc_attention_online<X, R, N, M>(score, state);
    pcc_attention_tensor_weigh<X, R, N, M>(pcc_attention_split<X, R, N>(score), v, pcc_attention_pitch(columns),
                                           columns, state.out);
}

/* `task`: as in attention_simt_forward.cuh. shared: q [rows, width], then twice k [columns, width] and
 * v [columns, 64 M]. */
template <class X, int R, int M, class A, class Y>
PCC_DEVICE void pcc_attention_tensor_task(const PccAttention &shape, const X *q, const X *k, const X *v, const A *mask,
                                          Y *y, float *max, float *inverse_sum, int64_t task, X *shared)
{
    constexpr int C = PccAttentionColumns<M>::count;
    const int rows = (int)blockDim.x / 32 * 16 * R, warp_row = (int)threadIdx.x / 32 * 16 * R;
    const int64_t tiles = pcc_ceil_div(shape.queries, rows), head = task / tiles % shape.heads;
    const int64_t batch = task / tiles / shape.heads % shape.batch, kv = head / shape.kv_group;
    const int64_t column = task / tiles / shape.heads / shape.batch * 64 * M;
    const int query = (int)(tiles - 1 - task % tiles) * rows;
    const int end = (int)pcc_attention_end(shape, pcc_min_i64(query + rows, shape.queries) - 1);
    const int columns = pcc_attention_clamp(shape.value_width - column, 64 * M), width = (int)shape.width;
    const int pitch = pcc_attention_pitch(width), stage = C * (pitch + pcc_attention_pitch(columns));
    const PccAttentionMask<A> added = pcc_attention_mask_of(shape, mask, batch, head);
    X *now = shared + rows * pitch, *next = now + stage;
    const auto copy = [&](int key, X *to) {
        pcc_attention_copy(pcc_attention_row(k, shape.k_stride, batch, kv, key), shape.k_stride[2], shape.keys - key,
                           width, C, to);
        pcc_attention_copy(pcc_attention_row(v, shape.v_stride, batch, kv, key) + column, shape.v_stride[2],
                           shape.keys - key, columns, C, to + C * pitch);
    };
    PccAttentionOnline<R, M> state = pcc_attention_online_begin<R, M>();
    __syncthreads(); /* the previous task's tiles may still be read */
    pcc_attention_copy(pcc_attention_row(q, shape.q_stride, batch, head, query), shape.q_stride[2],
                       shape.queries - query, width, rows, shared);
    if (end > 0)
        copy(0, now);
    pcc_commit_copies();
    for (int key = 0; key < end; key += C) {
        pcc_wait_copies<0>();
        __syncthreads();
        if (key + C < end)
            copy(key + C, next);
        pcc_commit_copies();
        pcc_attention_tensor_tile<X, R, M>(shape, added, query + warp_row, key, shared + warp_row * pitch, now,
                                           now + C * pitch, columns, state);
        X *const used = now;
        now = next;
        next = used;
    }
    pcc_wait_copies<0>();
    const int64_t first = query + warp_row, statistics = (batch * shape.heads + head) * shape.queries + first;
    float inverse[2 * R];
    pcc_attention_online_end<X, R, M>(state, shape.queries - first, max && column == 0 ? max + statistics : nullptr,
                                      inverse_sum + statistics, inverse);
    pcc_attention_tensor_put<R, M>(state.out, inverse,
                                   pcc_attention_row(y, shape.y_stride, batch, head, first) + column, shape.y_stride[2],
                                   shape.queries - first, columns);
}

/* Tiles of 16 rows of a warp: with two of them it reads half as much shared memory, where registers suffice. */
PCC_KERNEL constexpr int pcc_attention_row_tiles(int generation, int M)
{
    return generation >= 8 && M == 1 ? 2 : 1;
}

template <class X, int R, int M, class A, class Y>
__global__ __launch_bounds__(32 * PCC_ATTENTION_MOST_WARPS,
                             1) void pcc_attention_tensor_kernel(PccAttention shape, const X *q, const X *k, const X *v,
                                                                 const A *mask, Y *y, float *max, float *inverse_sum,
                                                                 int64_t tasks)
{
    constexpr int generation = PCC_ATTENTION_GENERATION;
    if constexpr (pcc_attention_multiplies<X>(generation) && pcc_attention_row_tiles(generation, M) == R) {
        PCC_DYNAMIC_SHARED(X, shared);
        for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x)
            pcc_attention_tensor_task<X, R, M>(shape, q, k, v, mask, y, max, inverse_sum, task, shared);
    }
}

/* Launches if the tiles fit in shared memory; returns whether they do. */
template <class X, int R, int M, class A, class Y>
static bool pcc_attention_tensor_launch(PccAttentionDevice device, PccAttention shape, const X *q, const X *k,
                                        const X *v, const A *mask, Y *y, float *max, float *inverse_sum, PccStep *s)
{
    const int64_t pitch = pcc_attention_pitch(shape.width);
    const int64_t value_pitch = pcc_attention_pitch(pcc_min_i64(shape.value_width, 64 * M));
    const int64_t each = 16 * R * pitch * 2;
    const int64_t common = 2 * PccAttentionColumns<M>::count * (pitch + value_pitch) * 2 + PCC_ATTENTION_SLACK;
    const int warps = pcc_attention_warps(device, common, each);
    if (warps == 0)
        return false;
    const int64_t tasks = pcc_ceil_div(shape.value_width, 64 * M) * shape.batch * shape.heads *
                          pcc_ceil_div(shape.queries, 16 * R * warps);
    const size_t bytes = (size_t)(common + warps * each);
    PCC_ALLOW_SHARED((pcc_attention_tensor_kernel<X, R, M, A, Y>), bytes, s);
    PCC_LAUNCH((pcc_attention_tensor_kernel<X, R, M, A, Y>), pcc_blocks(tasks, 1), 32 * warps, bytes, s, shape, q, k, v,
               mask, y, max, inverse_sum, tasks);
    return true;
}

/* Launches if tensor cores can be used; returns whether they can. */
template <class X, class A, class Y>
static bool pcc_attention_tensor(PccAttention shape, const X *q, const X *k, const X *v, const A *mask, Y *y,
                                 float *max, float *inverse_sum, PccStep *s)
{
    const PccAttentionDevice d = pcc_attention_device();
    if (!pcc_attention_multiplies<X>(d.generation))
        return false;
    constexpr int most = PCC_ATTENTION_WIDEST > 64 ? 2 : 1;
    if (most == 2 && shape.value_width > 64)
        return pcc_attention_tensor_launch<X, 1, most>(d, shape, q, k, v, mask, y, max, inverse_sum, s);
    if (pcc_attention_row_tiles(d.generation, 1) == 2)
        return pcc_attention_tensor_launch<X, 2, 1>(d, shape, q, k, v, mask, y, max, inverse_sum, s);
    return pcc_attention_tensor_launch<X, 1, 1>(d, shape, q, k, v, mask, y, max, inverse_sum, s);
}

#endif
