/* attention_tensor_grad.cuh: the backward pass of attention_grad.cuh on tensor cores (attention_tensor.cuh). A warp
 * computes 16 rows and at most 64 M columns of dq, dk or dv. */
#ifndef PCC_ATTENTION_TENSOR_GRAD_CUH
#define PCC_ATTENTION_TENSOR_GRAD_CUH

#include "attention_backward.cuh"
#include "attention_tensor.cuh"

/* max, inverse_sum and delta of a query. */
struct PccAttentionQuery {
    float max, inverse_sum, delta;
};

/* Zeros for queries that do not exist, whose weights are then exp(-inf) 0. */
template <class B>
PCC_DEVICE PccAttentionQuery pcc_attention_query_of(const B &f, int64_t batch, int64_t head, int64_t query)
{
    const int64_t i = (batch * f.shape.heads + head) * f.shape.queries + query;
    if (query >= f.shape.queries)
        return {0, 0, 0};
    return {f.max[i], f.inverse_sum[i], f.delta[i]};
}

/* Replaces scores by P, or, with dy v^T in `grad`, by dS, both times `factor`; the queries' numbers are those of the
 * lane's rows, or, in shared memory, those of the tile's columns. */
template <PccAttentionSide SIDE, int N>
PCC_DEVICE void pcc_attention_tensor_weights(const PccAttentionQuery (&rows)[2], const PccAttentionQuery *columns,
                                             float factor, const float (&grad)[1][2 * N][4],
                                             float (&score)[1][2 * N][4])
{
#pragma unroll
    for (int j = 0; j < 4 * N; j++) {
        const int c = 8 * (j / 2) + pcc_accumulator_column(pcc_lane(), j % 2);
        const PccAttentionQuery of_column = SIDE == PCC_ATTENTION_DQ ? rows[0] : columns[c];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const PccAttentionQuery q = SIDE == PCC_ATTENTION_DQ ? rows[i] : of_column;
            float *at = &score[0][j / 2][2 * i + j % 2];
            const float weight = pcc_attention_exp(*at - q.max) * q.inverse_sum;
            if constexpr (SIDE == PCC_ATTENTION_DV)
                *at = weight * factor;
            else
                *at = weight * (grad[0][j / 2][2 * i + j % 2] - q.delta) * factor;
        }
    }
}

/* Rows of q, k, v or dy. */
template <class X> struct PccAttentionOperand {
    const X *at;
    int64_t stride[3];

    static PccAttentionOperand of(const X *at, const int64_t *stride)
    {
        return {at, {stride[0], stride[1], stride[2]}};
    }
};

/* One launch: scores are a b^T, and dy v^T or its transpose is a2 b2^T. Rows are rows of a and a2, columns are rows of
 * b and b2; one side is the queries, the other the keys. */
template <class X, class A> struct PccAttentionProblem {
    PccAttentionBackward<float, X, X, X, A, X> f;
    PccAttentionOperand<X> a, a2, b, b2;
    const float *factor; /* factor of dS for each batch and key head; nullptr: 1 */
};

template <PccAttentionSide SIDE, class X, class A>
static PccAttentionProblem<X, A> pcc_attention_problem(const PccAttentionBackward<float, X, X, X, A, X> &f,
                                                       const float *factor)
{
    const auto q = PccAttentionOperand<X>::of(f.q, f.shape.q_stride),
               k = PccAttentionOperand<X>::of(f.k, f.shape.k_stride);
    const auto v = PccAttentionOperand<X>::of(f.v, f.shape.v_stride);
    const auto dy = PccAttentionOperand<X>::of(f.dy, f.shape.dy_stride);
    if (SIDE == PCC_ATTENTION_DQ)
        return {f, q, dy, k, v, factor};
    return {f, k, v, q, dy, factor};
}

/* What a block computes, and its tiles in shared memory: a [rows, width], a2 [rows, value_columns] except for dv, then
 * two stages of b [C, width], b2 [C, value_columns] and, where columns are queries, the queries' numbers. */
template <PccAttentionSide SIDE, int M> struct PccAttentionPlan {
    static constexpr bool of_queries = SIDE == PCC_ATTENTION_DQ;
    static constexpr int C = PccAttentionColumns<M>::count, N = PccAttentionColumns<M>::pairs;
    int batch, head, row, rows, all_rows; /* of the block */
    int column, columns;                  /* of the result */
    int pitch, value_pitch;
    int value_column, value_columns; /* columns of b2: dv needs those that it multiplies, the others need all */
    int first, end;                  /* of each head's columns */
    int first_head, heads; /* heads of the columns: one if they are keys; if queries, all that share the key head */

    static __host__ __device__ __forceinline__ int64_t row_bytes(int64_t pitch, int64_t value_pitch)
    {
        return (pitch + (SIDE == PCC_ATTENTION_DV ? 0 : value_pitch)) * 2;
    }
    static __host__ __device__ __forceinline__ int64_t stage_bytes(int64_t pitch, int64_t value_pitch)
    {
        return C * ((pitch + value_pitch) * 2 + (of_queries ? 0 : (int64_t)sizeof(PccAttentionQuery)));
    }
};

template <PccAttentionSide SIDE, int M>
PCC_DEVICE PccAttentionPlan<SIDE, M> pcc_attention_plan_of(const PccAttention &shape, int64_t task)
{
    constexpr int C = PccAttentionColumns<M>::count;
    constexpr bool of_queries = SIDE == PCC_ATTENTION_DQ, of_values = SIDE == PCC_ATTENTION_DV;
    const int rows = (int)blockDim.x / 32 * 16;
    const PccAttentionTask t = pcc_attention_task_of<SIDE>(shape, task, rows, 64 * M);
    PccAttentionPlan<SIDE, M> p;
    p.batch = (int)t.batch;
    p.head = (int)t.head;
    p.row = (int)t.row;
    p.rows = rows;
    p.all_rows = (int)t.all_rows;
    p.column = (int)t.column;
    p.columns = pcc_attention_clamp(t.width - t.column, 64 * M);
    p.value_column = of_values ? p.column : 0;
    p.value_columns = of_values ? p.columns : (int)shape.value_width;
    p.pitch = pcc_attention_pitch(shape.width);
    p.value_pitch = pcc_attention_pitch(p.value_columns);
    const int64_t last = pcc_min_i64(t.row + rows, t.all_rows) - 1;
    p.first = of_queries ? 0 : (int)(pcc_attention_begin(shape, t.row) / C * C);
    p.end = (int)(of_queries ? pcc_attention_end(shape, last) : shape.queries);
    p.first_head = (int)(of_queries ? t.head / shape.kv_group : t.head * shape.kv_group);
    p.heads = of_queries ? 1 : (int)shape.kv_group;
    return p;
}

template <class X>
PCC_DEVICE void pcc_attention_copy_rows(const PccAttentionOperand<X> &from, int64_t batch, int64_t head, int64_t row,
                                        int64_t all_rows, int64_t column, int width, int rows, X *to)
{
    pcc_attention_copy(pcc_attention_row(from.at, from.stride, batch, head, row) + column, from.stride[2],
                       all_rows - row, width, rows, to);
}

/* Adds one tile to the warp's sums. `row` is the warp's first row, `column` the tile's first column. */
template <PccAttentionSide SIDE, class X, int M, class A>
PCC_DEVICE void
pcc_attention_tensor_grad_tile(const PccAttentionBackward<float, X, X, X, A, X> &f, const PccAttentionPlan<SIDE, M> &p,
                               int head, int row, int column, const X *a, const X *a2, const X *b,
                               const PccAttentionQuery (&queries)[2], float factor, float (&sum)[1][8 * M][4])
{
    using Plan = PccAttentionPlan<SIDE, M>;
    constexpr int C = Plan::C, N = Plan::N;
    const PccAttention &shape = f.shape;
    const X *b2 = b + C * p.pitch;
    const int widest = p.of_queries ? min(row + 16, p.all_rows) - 1 : row; /* sees most */
    const PccAttentionRange seen = pcc_attention_range(shape, p.of_queries, widest, column, C);
    if (row >= p.all_rows || seen.first >= seen.end)
        return;
    float score[1][2 * N][4], grad[1][2 * N][4];
    pcc_attention_tensor_product<X, 1, N>(a, b, p.pitch, score);
    pcc_attention_tensor_scores<Plan::of_queries, 1, N>(shape, pcc_attention_mask_of(shape, f.mask, p.batch, head), row,
                                                        column, score);
    if constexpr (SIDE != PCC_ATTENTION_DV)
        pcc_attention_tensor_product<X, 1, N>(a2, b2, p.value_pitch, grad);
    pcc_attention_tensor_weights<SIDE, N>(queries, (const PccAttentionQuery *)(b2 + C * p.value_pitch), factor, grad,
                                          score);
    const PccAttentionWeights<1, N> w = pcc_attention_split<X, 1, N>(score);
    if constexpr (SIDE == PCC_ATTENTION_DV)
        pcc_attention_tensor_weigh<X, 1, N, M>(w, b2, p.value_pitch, p.columns, sum);
    else
        pcc_attention_tensor_weigh<X, 1, N, M>(w, b + p.column, p.pitch, p.columns, sum);
}

/* Copies one tile's b, b2 and, where columns are queries, the queries' numbers. */
template <PccAttentionSide SIDE, class X, int M, class A>
PCC_DEVICE void pcc_attention_tensor_grad_copy(const PccAttentionProblem<X, A> &problem,
                                               const PccAttentionPlan<SIDE, M> &p, int head, int column, X *to)
{
    constexpr int C = PccAttentionPlan<SIDE, M>::C;
    const PccAttention &shape = problem.f.shape;
    const int64_t all = p.of_queries ? shape.keys : shape.queries;
    pcc_attention_copy_rows(problem.b, p.batch, head, column, all, 0, (int)shape.width, C, to);
    to += C * p.pitch;
    pcc_attention_copy_rows(problem.b2, p.batch, head, column, all, p.value_column, p.value_columns, C, to);
    to += C * p.value_pitch;
    if (!p.of_queries && threadIdx.x < C)
        ((PccAttentionQuery *)to)[threadIdx.x] =
            pcc_attention_query_of(problem.f, p.batch, head, column + (int)threadIdx.x);
}

/* Processes all tiles of a block. */
template <PccAttentionSide SIDE, class X, int M, class A>
PCC_DEVICE void pcc_attention_tensor_grad_sums(const PccAttentionProblem<X, A> &problem,
                                               const PccAttentionPlan<SIDE, M> &p, X *shared, float factor,
                                               float (&sum)[1][8 * M][4])
{
    constexpr int C = PccAttentionPlan<SIDE, M>::C;
    const int warp_row = (int)threadIdx.x / 32 * 16, stage = (int)p.stage_bytes(p.pitch, p.value_pitch) / 2;
    const X *a = shared + warp_row * p.pitch, *a2 = shared + p.rows * p.pitch + warp_row * p.value_pitch;
    X *now = shared + p.rows * (int)(p.row_bytes(p.pitch, p.value_pitch) / 2), *next = now + stage;
    PccAttentionQuery queries[2] = {};
    if constexpr (PccAttentionPlan<SIDE, M>::of_queries)
        for (int i = 0; i < 2; i++)
            queries[i] = pcc_attention_query_of(problem.f, p.batch, p.head,
                                                p.row + warp_row + pcc_accumulator_row(pcc_lane(), 2 * i));
    int head = p.first_head, column = p.first;
    const int heads_end = p.first < p.end ? head + p.heads : head;
    if (head < heads_end)
        pcc_attention_tensor_grad_copy(problem, p, head, column, now);
    pcc_commit_copies();
    while (head < heads_end) {
        const bool more = column + C < p.end;
        const int next_column = more ? column + C : p.first, next_head = more ? head : head + 1;
        pcc_wait_copies<0>();
        __syncthreads();
        if (next_head < heads_end)
            pcc_attention_tensor_grad_copy(problem, p, next_head, next_column, next);
        pcc_commit_copies();
        pcc_attention_tensor_grad_tile<SIDE, X, M, A>(problem.f, p, p.of_queries ? p.head : head, p.row + warp_row,
                                                      column, a, a2, now, queries, factor, sum);
        head = next_head;
        column = next_column;
        X *const used = now;
        now = next;
        next = used;
    }
    pcc_wait_copies<0>();
}

template <PccAttentionSide SIDE, class X, int M, class A, class G>
PCC_DEVICE void pcc_attention_tensor_grad_task(const PccAttentionProblem<X, A> &problem, G *grad, int64_t task,
                                               X *shared)
{
    const PccAttention &shape = problem.f.shape;
    const PccAttentionPlan<SIDE, M> p = pcc_attention_plan_of<SIDE, M>(shape, task);
    const int64_t kv = p.of_queries ? p.head / shape.kv_group : p.head;
    const float in_range = problem.factor ? problem.factor[p.batch * (shape.heads / shape.kv_group) + kv] : 1;
    const float factor = SIDE == PCC_ATTENTION_DV ? pcc_attention_weight_factor<X>() : (float)shape.scale * in_range;
    __syncthreads(); /* the previous task's tiles may still be read */
    pcc_attention_copy_rows(problem.a, p.batch, p.head, p.row, p.all_rows, 0, (int)shape.width, p.rows, shared);
    if constexpr (SIDE != PCC_ATTENTION_DV)
        pcc_attention_copy_rows(problem.a2, p.batch, p.head, p.row, p.all_rows, 0, (int)shape.value_width, p.rows,
                                shared + p.rows * p.pitch);
    float sum[1][8 * M][4] = {};
    pcc_attention_tensor_grad_sums<SIDE, X, M, A>(problem, p, shared, factor, sum);
    const int64_t *stride = pcc_attention_side_stride<SIDE>(shape);
    const float back = 1 / (SIDE == PCC_ATTENTION_DV ? pcc_attention_weight_factor<X>() : in_range);
    const int row = p.row + (int)threadIdx.x / 32 * 16;
    pcc_attention_tensor_put<1, M>(sum, {back, back}, pcc_attention_row(grad, stride, p.batch, p.head, row) + p.column,
                                   stride[2], p.all_rows - row, p.columns);
}

template <PccAttentionSide SIDE, class X, int M, class A, class G>
__global__ __launch_bounds__(32 * PCC_ATTENTION_MOST_WARPS,
                             1) void pcc_attention_tensor_grad_kernel(PccAttentionProblem<X, A> problem, G *grad,
                                                                      int64_t tasks)
{
    if constexpr (pcc_attention_multiplies<X>(PCC_ATTENTION_GENERATION)) {
        PCC_DYNAMIC_SHARED(X, shared);
        for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x)
            pcc_attention_tensor_grad_task<SIDE, X, M, A>(problem, grad, task, shared);
    }
}

/* ---- launches ---------------------------------------------------------------------------------------------------- */

/* The number of warps of a block that fit in shared memory; 0: not even one fits, or tensor cores cannot be used. */
template <PccAttentionSide SIDE, class X, int M>
static int pcc_attention_grad_warps(const PccAttention &shape, size_t *bytes)
{
    const int64_t pitch = pcc_attention_pitch(shape.width);
    const int64_t value_pitch =
        pcc_attention_pitch(SIDE == PCC_ATTENTION_DV ? pcc_min_i64(shape.value_width, 64 * M) : shape.value_width);
    const int64_t common = 2 * PccAttentionPlan<SIDE, M>::stage_bytes(pitch, value_pitch) + PCC_ATTENTION_SLACK;
    const int64_t each = 16 * PccAttentionPlan<SIDE, M>::row_bytes(pitch, value_pitch);
    const PccAttentionDevice device = pcc_attention_device();
    const int warps = pcc_attention_multiplies<X>(device.generation) ? pcc_attention_warps(device, common, each) : 0;
    *bytes = (size_t)(common + warps * each);
    return warps;
}

template <PccAttentionSide SIDE, int M, class X, class A, class G>
static bool pcc_attention_tensor_grad_launch(const PccAttentionBackward<float, X, X, X, A, X> &f, const float *factor,
                                             G *grad, PccStep *s)
{
    size_t bytes;
    const int warps = pcc_attention_grad_warps<SIDE, X, M>(f.shape, &bytes);
    if (warps == 0)
        return false;
    const int64_t tasks = pcc_attention_tasks<SIDE>(f.shape, 16 * warps, 64 * M);
    const PccAttentionProblem<X, A> problem = pcc_attention_problem<SIDE>(f, factor);
    PCC_ALLOW_SHARED((pcc_attention_tensor_grad_kernel<SIDE, X, M, A, G>), bytes, s);
    PCC_LAUNCH((pcc_attention_tensor_grad_kernel<SIDE, X, M, A, G>), pcc_blocks(tasks, 1), 32 * warps, bytes, s,
               problem, grad, tasks);
    return true;
}

/* Launches if tensor cores can be used; returns whether they can. */
template <PccAttentionSide SIDE, class X, class A, class G>
static bool pcc_attention_tensor_side(const PccAttentionBackward<float, X, X, X, A, X> &f, const float *factor, G *grad,
                                      PccStep *s)
{
    constexpr int most = PCC_ATTENTION_WIDEST > 64 ? 2 : 1;
    if (most == 2 && (SIDE == PCC_ATTENTION_DV ? f.shape.value_width : f.shape.width) > 64)
        return pcc_attention_tensor_grad_launch<SIDE, most>(f, factor, grad, s);
    return pcc_attention_tensor_grad_launch<SIDE, 1>(f, factor, grad, s);
}

#endif
