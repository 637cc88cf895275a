/* attention_simt_grad.cuh: the backward pass of attention_grad.cuh (attention_backward.cuh) where tensor cores cannot
 * be used. A block computes 64 rows and at most 64 M columns of dq, dk or dv. */
#ifndef PCC_ATTENTION_SIMT_GRAD_CUH
#define PCC_ATTENTION_SIMT_GRAD_CUH

#include "attention_backward.cuh"
#include "attention_simt.cuh"

/* Converts scores and dy v^T of rows from `row` on and columns from `column` on to P or dS, 0 outside the matrix. */
template <PccAttentionSide SIDE, class T, class B>
PCC_DEVICE void pcc_attention_grad_weights(const B &f, int64_t batch, int64_t head, int64_t row, int64_t column,
                                           const T (&score)[4][PccAttentionSimt<T>::each],
                                           const T (&weight_grad)[4][PccAttentionSimt<T>::each], T *weight)
{
    using Tile = PccAttentionSimt<T>;
    const PccAttention &shape = f.shape;
    const auto mask = pcc_attention_mask_of(shape, f.mask, batch, head);
    const int64_t statistics = (batch * shape.heads + head) * shape.queries;
    const int x = threadIdx.x % 16, y = threadIdx.x / 16;
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < Tile::each; j++) {
            const int64_t r = row + 4 * y + i, c = column + x + 16 * j;
            const int64_t query = SIDE == PCC_ATTENTION_DQ ? r : c, key = SIDE == PCC_ATTENTION_DQ ? c : r;
            T w = T(0);
            if (query < shape.queries && key < pcc_attention_end(shape, query)) {
                const T s = pcc_attention_masked(mask, query, key, score[i][j] * (T)shape.scale);
                w = exp(s - f.max[statistics + query]) * f.inverse_sum[statistics + query];
                if (SIDE != PCC_ATTENTION_DV)
                    w = w * (weight_grad[i][j] - f.delta[statistics + query]) * (T)shape.scale;
            }
            weight[(4 * y + i) * Tile::score_pitch + x + 16 * j] = w;
        }
    }
}

/* Adds one tile of queries and keys of a head to a block's sums; q, k, v and dy point to the tile's first rows. */
template <PccAttentionSide SIDE, int M, class T, class Q, class K, class V, class A, class D>
PCC_DEVICE void pcc_attention_grad_tile(typename PccAttentionSimt<T>::Shared &shared,
                                        const PccAttentionBackward<T, Q, K, V, A, D> &f, int64_t batch, int64_t head,
                                        int64_t query, int64_t key, int64_t result_column, T (&sum)[M][4][4])
{
    const PccAttention &shape = f.shape;
    const int64_t kv = head / shape.kv_group, queries = shape.queries - query, keys = shape.keys - key;
    const Q *q = pcc_attention_row(f.q, shape.q_stride, batch, head, query);
    const K *k = pcc_attention_row(f.k, shape.k_stride, batch, kv, key);
    const V *v = pcc_attention_row(f.v, shape.v_stride, batch, kv, key);
    const D *dy = pcc_attention_row(f.dy, shape.dy_stride, batch, head, query);
    const int64_t q_row = shape.q_stride[2], k_row = shape.k_stride[2], v_row = shape.v_stride[2],
                  dy_row = shape.dy_stride[2];
    T score[4][PccAttentionSimt<T>::each], weight_grad[4][PccAttentionSimt<T>::each];
    if constexpr (SIDE == PCC_ATTENTION_DQ) {
        pcc_attention_product<T>(shared, shape.width, q, q_row, queries, k, k_row, keys, score);
        pcc_attention_product<T>(shared, shape.value_width, dy, dy_row, queries, v, v_row, keys, weight_grad);
        pcc_attention_grad_weights<SIDE, T>(f, batch, head, query, key, score, weight_grad, shared.score);
        pcc_attention_weigh<T>(shared, k + result_column, k_row, keys, shape.width - result_column, sum);
    } else {
        pcc_attention_product<T>(shared, shape.width, k, k_row, keys, q, q_row, queries, score);
        if constexpr (SIDE == PCC_ATTENTION_DK)
            pcc_attention_product<T>(shared, shape.value_width, v, v_row, keys, dy, dy_row, queries, weight_grad);
        pcc_attention_grad_weights<SIDE, T>(f, batch, head, key, query, score, weight_grad, shared.score);
        if constexpr (SIDE == PCC_ATTENTION_DK)
            pcc_attention_weigh<T>(shared, q + result_column, q_row, queries, shape.width - result_column, sum);
        else
            pcc_attention_weigh<T>(shared, dy + result_column, dy_row, queries, shape.value_width - result_column, sum);
    }
}

template <PccAttentionSide SIDE, int M, class T, class Q, class K, class V, class A, class D, class G>
PCC_DEVICE void pcc_attention_grad_task(const PccAttentionBackward<T, Q, K, V, A, D> &f, G *grad, int64_t task)
{
    using Tile = PccAttentionSimt<T>;
    __shared__ typename Tile::Shared shared;
    const PccAttention &shape = f.shape;
    const PccAttentionTask at = pcc_attention_task_of<SIDE>(shape, task, PCC_ATTENTION_TILE, M * PCC_ATTENTION_TILE);
    const int64_t batch = at.batch, head = at.head, row = at.row, column = at.column;
    const int64_t *stride = pcc_attention_side_stride<SIDE>(shape);
    const int64_t rows = pcc_min_i64(PCC_ATTENTION_TILE, at.all_rows - row);
    T sum[M][4][4] = {};
    if constexpr (SIDE == PCC_ATTENTION_DQ) {
        const int64_t end = pcc_attention_end(shape, row + rows - 1);
        for (int64_t key = 0; key < end; key += Tile::columns)
            pcc_attention_grad_tile<SIDE>(shared, f, batch, head, row, key, column, sum);
    } else {
        const int64_t first = pcc_attention_begin(shape, row) / Tile::columns * Tile::columns;
        for (int64_t h = head * shape.kv_group; h < (head + 1) * shape.kv_group; h++)
            for (int64_t query = first; query < shape.queries; query += Tile::columns)
                pcc_attention_grad_tile<SIDE>(shared, f, batch, h, query, row, column, sum);
    }
    const T one[4] = {T(1), T(1), T(1), T(1)};
    pcc_attention_put<T>(sum, one, pcc_attention_row(grad, stride, batch, head, row) + column, stride[2], rows,
                         at.width - column);
}

template <PccAttentionSide SIDE, int M, class T, class Q, class K, class V, class A, class D, class G>
__global__ __launch_bounds__(PCC_ATTENTION_THREADS,
                             1) void pcc_attention_grad_simt_kernel(PccAttentionBackward<T, Q, K, V, A, D> f, G *grad,
                                                                    int64_t tasks)
{
    if constexpr (pcc_attention_needs_simt<T, Q, K, V, D>())
        for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x)
            pcc_attention_grad_task<SIDE, M>(f, grad, task);
}

template <PccAttentionSide SIDE, int M, class T, class Q, class K, class V, class A, class D, class G>
static void pcc_attention_grad_simt_launch(const PccAttentionBackward<T, Q, K, V, A, D> &f, G *grad, PccStep *s)
{
    const int64_t tasks = pcc_attention_tasks<SIDE>(f.shape, PCC_ATTENTION_TILE, M * PCC_ATTENTION_TILE);
    PCC_LAUNCH((pcc_attention_grad_simt_kernel<SIDE, M, T, Q, K, V, A, D, G>), pcc_blocks(tasks, 1),
               PCC_ATTENTION_THREADS, 0, s, f, grad, tasks);
}

template <PccAttentionSide SIDE, class T, class Q, class K, class V, class A, class D, class G>
static void pcc_attention_grad_simt_side(const PccAttentionBackward<T, Q, K, V, A, D> &f, G *grad, PccStep *s)
{
    const int64_t width = SIDE == PCC_ATTENTION_DV ? f.shape.value_width : f.shape.width;
    constexpr int most = pcc_attention_simt_columns<T, Q, K, V, D>();
    if (most == 1 || width <= PCC_ATTENTION_TILE)
        pcc_attention_grad_simt_launch<SIDE, 1>(f, grad, s);
    else
        pcc_attention_grad_simt_launch<SIDE, most>(f, grad, s);
}

#endif
