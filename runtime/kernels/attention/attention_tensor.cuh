/* attention_tensor.cuh: attention's products on tensor cores, for operands that are all bf16 or all f16.
 *
 * As in FlashAttention-2 (Dao 2023) a warp holds 16 R rows, of queries or of keys, and multiplies them by tiles of
 * columns, each of which its block copies to shared memory while the previous one is multiplied. Scores stay in the
 * accumulators' registers, whose layout is that of operand A of the next product.
 *
 * As operand A they would be rounded to 16 bits. The C target does not round them, or splits them into two 16-bit
 * numbers for AMX (attention_amx.h), and so do these kernels: w = high + low, multiplied twice. In f16 they could leave
 * its range, so they are multiplied by a power of two first. PCC_ATTENTION_HALVES 1 rounds as FlashAttention does, for
 * comparison. */
#ifndef PCC_ATTENTION_TENSOR_CUH
#define PCC_ATTENTION_TENSOR_CUH

#include "attention_mask.cuh"
#include "../common/mma.cuh"

#ifndef PCC_ATTENTION_HALVES
#    define PCC_ATTENTION_HALVES 2
#endif

/* A warp computes 16 R rows and at most 64 M columns of a result; these are the columns of a tile. */
template <int M> struct PccAttentionColumns {
    static constexpr int count = M == 1 ? 64 : 32, pairs = count / 16;
};

enum {
    PCC_ATTENTION_MOST_WARPS = 8, /* warps of a block */
    PCC_ATTENTION_SLACK = 64,     /* bytes after the last tile that may be read, and are ignored */
};

/* For compiling kernels and for choosing them: the tensor cores of sm_75 do not multiply bf16. */
template <class X> PCC_KERNEL constexpr bool pcc_attention_multiplies(int generation)
{
    return generation >= 8 || (generation == 7 && std::is_same<X, PccF16>::value);
}

/* Softmax weights are at most 1: multiplied by this they are in f16's range. */
template <class X> PCC_DEVICE constexpr float pcc_attention_weight_factor()
{
    return std::is_same<X, PccF16>::value ? 0x1p15f : 1.0f;
}

/* Pitch of a tile: a multiple of 32 bytes plus 16, so that 8 rows lie in different banks. */
PCC_KERNEL int pcc_attention_pitch(int64_t width)
{
    return (int)(pcc_ceil_div(width, 16) * 16 + 8);
}

/* e^x within 2^-20, for x <= 0. */
PCC_DEVICE float pcc_attention_exp(float x)
{
    return exp2f(x * 1.44269504f);
}

/* ---- copies ------------------------------------------------------------------------------------------------------ */

/* Copies 8 numbers, of which `count` exist. */
template <class X> PCC_DEVICE void pcc_attention_copy_plainly(X *to, const X *from, int count)
{
    PccVector<X, 8> some;
#pragma unroll
    for (int e = 0; e < 8; e++)
        some.at[e] = e < count ? from[e] : X{0};
    pcc_store_vector(to, some);
}

/* to [rows, pitch] = from [exist, width] of row stride `stride`, zeros up to a multiple of 16 columns. Complete after
 * pcc_wait_copies() and a barrier. */
template <class X>
PCC_DEVICE void pcc_attention_copy(const X *from, int64_t stride, int64_t exist, int width, int rows, X *to)
{
    const int pitch = pcc_attention_pitch(width), chunks = pitch / 8 - 1, threads = (int)blockDim.x;
    const bool aligned = pcc_is_aligned<8>(from, stride);
    int row = (int)threadIdx.x / chunks, chunk = (int)threadIdx.x % chunks;
    while (row < rows) {
        const int left = row < exist ? width - 8 * chunk : 0, count = left < 0 ? 0 : left > 8 ? 8 : left;
        const X *p = count ? from + row * stride + 8 * chunk : from;
        if (aligned)
            pcc_copy_async(to + row * pitch + 8 * chunk, p, count * (int)sizeof(X));
        else
            pcc_attention_copy_plainly(to + row * pitch + 8 * chunk, p, count);
        row += threads / chunks;
        chunk += threads % chunks;
        row += chunk >= chunks;
        chunk -= chunk >= chunks ? chunks : 0;
    }
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* score = A [16 R, pitch - 8] B [16 N, pitch - 8]^T, both tiles. */
template <class X, int R, int N>
PCC_DEVICE void pcc_attention_tensor_product(const X *a, const X *b, int pitch, float (&score)[R][2 * N][4])
{
    pcc_converge();
#pragma unroll
    for (int i = 0; i < R * 2 * N * 4; i++)
        score[i / (8 * N)][i / 4 % (2 * N)][i % 4] = 0;
#pragma unroll 2
    for (int k = 0; k < pitch - 8; k += 16) {
        PccA row[R];
#pragma unroll
        for (int r = 0; r < R; r++)
            row[r] =
                pcc_load_a<false>([=](int line, int chunk) { return a + (16 * r + line) * pitch + k + 8 * chunk; });
#pragma unroll
        for (int n = 0; n < N; n++) {
            PccB two[2];
            pcc_load_b<false>(two, [=](int line, int chunk) { return b + (16 * n + line) * pitch + k + 8 * chunk; });
#pragma unroll
            for (int r = 0; r < 2 * R; r++)
                pcc_multiply<X>(score[r / 2][2 * n + r % 2], row[r / 2], two[r % 2]);
        }
    }
}

/* Softmax weights or gradients of scores as operand A, split into 16-bit numbers. */
template <int R, int N> struct PccAttentionWeights {
    PccA half[PCC_ATTENTION_HALVES][R][N];
};

template <class X, int R, int N>
PCC_DEVICE PccAttentionWeights<R, N> pcc_attention_split(const float (&weight)[R][2 * N][4])
{
    PccAttentionWeights<R, N> w;
#pragma unroll
    for (int i = 0; i < 4 * R * N; i++) {
        const int r = i / (4 * N), n = i / 4 % N, pair = i % 4;
        float low = weight[r][2 * n + pair / 2][pair % 2 * 2], high = weight[r][2 * n + pair / 2][pair % 2 * 2 + 1];
#pragma unroll
        for (int half = 0; half < PCC_ATTENTION_HALVES; half++) {
            const uint32_t rounded = pcc_pack_pair<X>(low, high);
            w.half[half][r][n].at[pair] = rounded;
            low -= pcc_low_of_pair<X>(rounded);
            high -= pcc_high_of_pair<X>(rounded);
        }
    }
    return w;
}

/* sum += W [16 R, 16 N] X [16 N, columns] of a tile, 32 columns at a time. */
template <class X, int R, int N, int M>
PCC_DEVICE void pcc_attention_tensor_weigh(const PccAttentionWeights<R, N> &w, const X *value, int pitch, int columns,
                                           float (&sum)[R][8 * M][4])
{
#pragma unroll
    for (int m = 0; m < 8 * M; m += 4) {
        if (8 * m >= columns)
            break;
#pragma unroll
        for (int n = 0; n < 2 * N; n++) {
            PccB two[2];
            const int c = m + n % 2 * 2; /* tiles of 8 columns */
            pcc_load_b<true>(
                two, [=](int line, int chunk) { return value + (16 * (n / 2) + line) * pitch + 8 * (c + chunk); });
#pragma unroll
            for (int i = 0; i < PCC_ATTENTION_HALVES * R * 2; i++)
                pcc_multiply<X>(sum[i / 2 % R][c + i % 2], w.half[i / (2 * R)][i / 2 % R][n / 2], two[i % 2]);
        }
    }
}

/* Stores the warp's rows of the sums, each times its factor; at most `rows` rows and `columns` columns. */
template <int R, int M, class Y>
PCC_DEVICE void pcc_attention_tensor_put(const float (&sum)[R][8 * M][4], const float (&factor)[2 * R], Y *y,
                                         int64_t stride, int64_t rows, int64_t columns)
{
    const int lane = pcc_lane();
    const bool aligned = pcc_is_aligned<2>(y, stride);
#pragma unroll
    for (int i = 0; i < 2 * R; i++) {
        const int row = 16 * (i / 2) + pcc_accumulator_row(lane, i % 2 * 2);
        if (row >= rows)
            continue;
#pragma unroll
        for (int t = 0; t < 8 * M; t++) {
            const float *pair = sum[i / 2][t] + i % 2 * 2;
            const int column = 8 * t + pcc_accumulator_column(lane, 0);
            Y *to = y + row * stride + column;
            const PccVector<Y, 2> narrow = {
                {pcc_narrowed<Y>(pair[0] * factor[i]), pcc_narrowed<Y>(pair[1] * factor[i])}};
            if (aligned && column + 2 <= columns) {
                pcc_store_vector(to, narrow);
                continue;
            }
            if (column < columns)
                to[0] = narrow.at[0];
            if (column + 1 < columns)
                to[1] = narrow.at[1];
        }
    }
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

/* The range of a tile's columns that a row sees, or is seen by. */
struct PccAttentionRange {
    int first, end;
};

PCC_DEVICE int pcc_attention_clamp(int64_t x, int most)
{
    return x < 0 ? 0 : x > most ? most : (int)x;
}

/* Rows are queries (of_queries) or keys, columns the others. */
PCC_DEVICE PccAttentionRange pcc_attention_range(const PccAttention &shape, bool of_queries, int row, int column,
                                                 int most)
{
    if (row >= (of_queries ? shape.queries : shape.keys))
        return {0, 0};
    if (of_queries)
        return {0, pcc_attention_clamp(pcc_attention_end(shape, row) - column, most)};
    return {pcc_attention_clamp(pcc_attention_begin(shape, row) - column, most),
            pcc_attention_clamp(shape.queries - column, most)};
}

/* Scores of rows from `row` on and columns from `column` on: scaled, masked, -inf where there is none. */
template <bool of_queries, int R, int N, class A>
PCC_DEVICE void pcc_attention_tensor_scores(const PccAttention &shape, const PccAttentionMask<A> &mask, int row,
                                            int column, float (&score)[R][2 * N][4])
{
    const int lane = pcc_lane();
    const float scale = (float)shape.scale;
#pragma unroll
    for (int i = 0; i < 2 * R; i++) {
        const int r = row + 16 * (i / 2) + pcc_accumulator_row(lane, i % 2 * 2);
        const PccAttentionRange range = pcc_attention_range(shape, of_queries, r, column, 16 * N);
        const bool whole = __all_sync(0xffffffffu, range.first == 0 && range.end == 16 * N) && !mask.at;
#pragma unroll
        for (int j = 0; j < 4 * N; j++) {
            float *at = &score[i / 2][j / 2][i % 2 * 2 + j % 2];
            const int c = 8 * (j / 2) + pcc_accumulator_column(lane, j % 2);
            *at *= scale;
            if (whole)
                continue;
            if (c < range.first || c >= range.end)
                *at = -INFINITY;
            else if constexpr (of_queries)
                *at = pcc_attention_masked(mask, r, column + c, *at);
            else
                *at = pcc_attention_masked(mask, column + c, r, *at);
        }
    }
}

/* ---- shared memory ----------------------------------------------------------------------------------------------- */

#ifndef PCC_EMULATED
/* A kernel whose attributes tell which architecture the program was compiled for. */
static __global__ void pcc_attention_generation_kernel()
{
}
#endif

/* The current device: shared memory of a block and of a multiprocessor, and the architecture's major version. */
struct PccAttentionDevice {
    int block_bytes, all_bytes, generation;
};

static inline PccAttentionDevice pcc_attention_device()
{
    int device;
    PccAttentionDevice d = {};
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&d.block_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) != cudaSuccess ||
        cudaDeviceGetAttribute(&d.all_bytes, cudaDevAttrMaxSharedMemoryPerMultiprocessor, device) != cudaSuccess ||
        cudaDeviceGetAttribute(&d.generation, cudaDevAttrComputeCapabilityMajor, device) != cudaSuccess)
        return {0, 0, 0};
#ifndef PCC_EMULATED
    cudaFuncAttributes compiled; /* code compiled for sm_75 keeps its limits when a newer GPU's driver recompiles it */
    if (cudaFuncGetAttributes(&compiled, pcc_attention_generation_kernel) == cudaSuccess &&
        compiled.ptxVersion / 10 < d.generation)
        d.generation = compiled.ptxVersion / 10;
#endif
    return d;
}

/* Warps of a block whose tiles need `common` bytes and `each` bytes a warp: 4, or up to 8 where only one block would
 * fit on a multiprocessor, as on sm_86, sm_89 and sm_120; 0: the tiles do not fit. */
static inline int pcc_attention_warps(PccAttentionDevice device, int64_t common, int64_t each)
{
    const int64_t room = (device.block_bytes - common) / each, overhead = 1024; /* reserved by the driver */
    const bool alone = 2 * (common + 4 * each + overhead) > device.all_bytes;
    return (int)pcc_max_i64(0, pcc_min_i64(room, alone ? PCC_ATTENTION_MOST_WARPS : 4));
}

#endif
