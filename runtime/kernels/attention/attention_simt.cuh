/* attention_simt.cuh: products of tiles in shared memory by plain multiplications, for f32, f64 and any mixture of
 * storage.
 *
 * A block of 16 x 16 threads computes a tile of scores, [64, columns], and from it adds to [64, 64 M] elements of a
 * result. Thread (y, x) computes rows 4 y ... 4 y + 3 and columns x, x + 16 ... of the scores, and whole vectors of 16
 * bytes of every 64 columns of the result. All tiles are row-major and read in such vectors; a pitch of a multiple of
 * 128 bytes plus one vector puts 8 rows into different banks. */
#ifndef PCC_ATTENTION_SIMT_CUH
#define PCC_ATTENTION_SIMT_CUH

#include "attention_mask.cuh"

enum { PCC_ATTENTION_THREADS = 256, PCC_ATTENTION_TILE = 64 };

template <class T> struct PccAttentionSimt {
    static constexpr int lanes = 16 / sizeof(T);        /* elements of a vector */
    static constexpr int columns = 32 / sizeof(T) * 8;  /* columns of a tile of scores: 64 in f32, 32 in f64 */
    static constexpr int each = columns / 16;           /* columns for each thread */
    static constexpr int depth = 128 / sizeof(T);       /* elements of width that are multiplied at once */
    static constexpr int depth_pitch = depth + lanes;   /* pitch of the operands of the scores */
    static constexpr int score_pitch = columns + lanes; /* pitch of the scores */
    static constexpr int value_pitch = PCC_ATTENTION_TILE + lanes; /* pitch of the tiles that the scores multiply */
    static constexpr int operands = (PCC_ATTENTION_TILE + columns) * depth_pitch;
    static constexpr int values = columns * value_pitch;

    /* The operands of the scores are no longer needed when the scores' product begins, so both share memory. */
    struct Shared {
        alignas(16) T score[PCC_ATTENTION_TILE * score_pitch];
        alignas(16) T operand[operands > values ? operands : values];
    };
};

/* to [ROWS, pitch] = from [rows, columns] of row stride `stride`, zeros up to [ROWS, COLUMNS]. All threads of a block
 * call this. */
template <class T, int ROWS, int COLUMNS, class X>
PCC_DEVICE void pcc_attention_fill(const X *from, int64_t stride, int64_t rows, int64_t columns, int pitch, T *to)
{
    constexpr int N = 16 / sizeof(T);
    const bool aligned = pcc_is_aligned<N>(from, stride);
    for (int i = threadIdx.x; i < ROWS * COLUMNS / N; i += PCC_ATTENTION_THREADS) {
        const int row = i / (COLUMNS / N), column = i % (COLUMNS / N) * N;
        const X *p = from + row * stride + column;
        PccVector<T, N> v = {};
        if (aligned && row < rows && column + N <= columns) {
            const PccVector<X, N> x = pcc_load_vector<N>(p);
#pragma unroll
            for (int e = 0; e < N; e++)
                v.at[e] = (T)pcc_wide(x.at[e]);
        } else if (row < rows) {
#pragma unroll
            for (int e = 0; e < N; e++)
                v.at[e] = column + e < columns ? pcc_get<T>(p, e) : T(0);
        }
        pcc_store_vector(to + row * pitch + column, v);
    }
}

/* score = A [64, width] B [columns, width]^T of rows in memory, of which a_rows and b_rows exist. */
template <class T, class A, class B>
PCC_DEVICE void pcc_attention_product(typename PccAttentionSimt<T>::Shared &shared, int64_t width, const A *a,
                                      int64_t a_stride, int64_t a_rows, const B *b, int64_t b_stride, int64_t b_rows,
                                      T (&score)[4][PccAttentionSimt<T>::each])
{
    using Tile = PccAttentionSimt<T>;
    const int x = threadIdx.x % 16, y = threadIdx.x / 16;
    T *a_tile = shared.operand, *b_tile = a_tile + PCC_ATTENTION_TILE * Tile::depth_pitch;
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < Tile::each; j++)
            score[i][j] = T(0);
    }
    for (int64_t d = 0; d < width; d += Tile::depth) {
        __syncthreads();
        pcc_attention_fill<T, PCC_ATTENTION_TILE, Tile::depth>(a + d, a_stride, a_rows, width - d, Tile::depth_pitch,
                                                               a_tile);
        pcc_attention_fill<T, Tile::columns, Tile::depth>(b + d, b_stride, b_rows, width - d, Tile::depth_pitch,
                                                          b_tile);
        __syncthreads();
#pragma unroll 2
        for (int k = 0; k < Tile::depth; k += Tile::lanes) {
            PccVector<T, Tile::lanes> row[4];
#pragma unroll
            for (int i = 0; i < 4; i++)
                row[i] = pcc_load_vector<Tile::lanes>(a_tile + (4 * y + i) * Tile::depth_pitch + k);
#pragma unroll
            for (int j = 0; j < Tile::each; j++) {
                const auto column = pcc_load_vector<Tile::lanes>(b_tile + (x + 16 * j) * Tile::depth_pitch + k);
#pragma unroll
                for (int e = 0; e < Tile::lanes; e++) {
#pragma unroll
                    for (int i = 0; i < 4; i++)
                        score[i][j] += row[i].at[e] * column.at[e];
                }
            }
        }
    }
}

/* sum += W [64, columns] X [columns, 64] of two tiles. */
template <class T> PCC_DEVICE void pcc_attention_accumulate(const T *weight, const T *value, T (&sum)[4][4])
{
    using Tile = PccAttentionSimt<T>;
    constexpr int N = Tile::lanes;
    const int x = threadIdx.x % 16, y = threadIdx.x / 16;
#pragma unroll 2
    for (int k = 0; k < Tile::columns; k += N) {
        PccVector<T, N> w[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            w[i] = pcc_load_vector<N>(weight + (4 * y + i) * Tile::score_pitch + k);
#pragma unroll
        for (int e = 0; e < N; e++) {
#pragma unroll
            for (int j = 0; j < 4; j += N) {
                const auto v = pcc_load_vector<N>(value + (k + e) * Tile::value_pitch + x * N + 16 * j);
#pragma unroll
                for (int i = 0; i < 4; i++) {
#pragma unroll
                    for (int l = 0; l < N; l++)
                        sum[i][j + l] += w[i].at[e] * v.at[l];
                }
            }
        }
    }
}

/* sums [64, 64 M] += the tile of scores times X [rows, columns], of row stride `stride` in memory. */
template <class T, int M, class X>
PCC_DEVICE void pcc_attention_weigh(typename PccAttentionSimt<T>::Shared &shared, const X *value, int64_t stride,
                                    int64_t rows, int64_t columns, T (&sum)[M][4][4])
{
    using Tile = PccAttentionSimt<T>;
#pragma unroll
    for (int m = 0; m < M; m++) {
        const int64_t first = PCC_ATTENTION_TILE * m;
        __syncthreads();
        pcc_attention_fill<T, Tile::columns, PCC_ATTENTION_TILE>(value + first, stride, rows, columns - first,
                                                                 Tile::value_pitch, shared.operand);
        __syncthreads();
        pcc_attention_accumulate<T>(shared.score, shared.operand, sum[m]);
    }
}

/* N of a row's elements from `column` on, zeros from `columns` on. */
template <int N, class T, class Y>
PCC_DEVICE void pcc_attention_put_some(PccVector<T, N> from, bool aligned, Y *row, int64_t column, int64_t columns)
{
    PccVector<Y, N> narrow;
#pragma unroll
    for (int e = 0; e < N; e++)
        narrow.at[e] = pcc_narrowed<Y>(from.at[e]);
    if (aligned && column + N <= columns) {
        pcc_store_vector(row + column, narrow);
        return;
    }
#pragma unroll
    for (int e = 0; e < N; e++)
        if (column + e < columns)
            row[column + e] = narrow.at[e];
}

/* Stores the thread's rows of the sums, each times its factor. */
template <class T, int M, class Y>
PCC_DEVICE void pcc_attention_put(const T (&sum)[M][4][4], const T (&factor)[4], Y *y, int64_t stride, int64_t rows,
                                  int64_t columns)
{
    constexpr int N = PccAttentionSimt<T>::lanes;
    const int first_row = threadIdx.x / 16 * 4, first_column = threadIdx.x % 16 * N;
    const bool aligned = pcc_is_aligned<N>(y, stride);
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4 * M; j += N) {
            PccVector<T, N> some;
#pragma unroll
            for (int e = 0; e < N; e++)
                some.at[e] = sum[j / 4][i][j % 4 + e] * factor[i];
            if (first_row + i < rows)
                pcc_attention_put_some<N>(some, aligned, y + (first_row + i) * stride,
                                          j / 4 * PCC_ATTENTION_TILE + j % 4 * 16 + first_column, columns);
        }
    }
}

#endif
