/* gemm_scalar.cuh: products in f32 and f64 by scalar multiply-adds, never rounded to fewer bits (TF32).
 *
 * The classical register tile: two buffers in shared memory, [K][row] of A and [K][column] of B; while a step is
 * multiplied, the next one is loaded through registers, which widens operands of 16 bits. A thread computes quads of 4
 * x 4 of C that are half a tile apart, so that a warp reads 4 quads of A and 8 of B without bank conflicts. */
#ifndef PCC_GEMM_SCALAR_CUH
#define PCC_GEMM_SCALAR_CUH

#include "gemm_tile.cuh"

template <class T, int Rows, int Columns, int Depth, int Down, int Across> struct PccScalarTile {
    enum {
        ROWS = Rows,
        COLUMNS = Columns,
        DEPTH = Depth,
        DOWN = Down, /* elements of C for each thread */
        ACROSS = Across,
        LANES_DOWN = Rows / Down, /* threads */
        LANES_ACROSS = Columns / Across,
        THREADS = LANES_DOWN * LANES_ACROSS,
        VECTOR = sizeof(T) == 8 ? 2 : 4,
        PITCH_A = Rows + VECTOR, /* padding of a line of K, against bank conflicts */
        PITCH_B = Columns + VECTOR,
        STAGE = Depth * (PITCH_A + PITCH_B),
        SLICE = LANES_DOWN * Columns, /* sums that are passed to the epilogue */
        SHARED_BYTES = (2 * STAGE > SLICE ? 2 * STAGE : SLICE) * (int)sizeof(T)
    };
    static_assert(THREADS == 256, "warps lie in 4 x 2, lanes in 4 x 8");
};

template <class T, int Tile> struct PccScalarTiles : PccScalarTile<T, 128, 128, 8, 8, 8> {
};
template <class T>
struct PccScalarTiles<T, PCC_TILE_128x64> : PccScalarTile<T, 128, 64, sizeof(T) == 8 ? 8 : 16, 8, 4> {
};
template <class T> struct PccScalarTiles<T, PCC_TILE_64x64> : PccScalarTile<T, 64, 64, 16, 4, 4> {
};

/* Loads a tile into shared memory, as [K][row] of T. */
template <class T, class Source, bool Across, bool Aligned, int Rows, int Depth, int Pitch, int Threads>
struct PccScalarOperand : PccOperand<Source, Across, Aligned, Rows, Depth, sizeof(T) == 8 ? 2 : 4, Threads> {
    enum { V = sizeof(T) == 8 ? 2 : 4 };
    typedef PccOperand<Source, Across, Aligned, Rows, Depth, V, Threads> Base;
    using Base::Base;

    __device__ __forceinline__ void arrive(T *tile)
    {
#pragma unroll
        for (int i = 0; i < Base::EACH; i++) {
            PccVector<T, V> wide;
#pragma unroll
            for (int v = 0; v < V; v++)
                wide.at[v] = (T)pcc_wide(Base::held[i].at[v]);
            if constexpr (Across)
                pcc_store_vector(tile + Base::line(i) * Pitch + Base::chunk() * V, wide);
            else
#pragma unroll
                for (int v = 0; v < V; v++)
                    tile[(Base::chunk() * V + v) * Pitch + Base::line(i)] = wide.at[v];
        }
    }
};

/* A thread's elements of C. */
template <class T, class Tile> struct PccThreadSums {
    enum { DOWN = Tile::DOWN, ACROSS = Tile::ACROSS, V = Tile::VECTOR };
    T at[DOWN][ACROSS];

    /* This thread's position in the block: warps as 4 x 2 (or fewer), lanes as 4 x 8. */
    static __device__ __forceinline__ int down()
    {
        enum { WARPS_ACROSS = Tile::LANES_ACROSS / 8 };
        return (int)threadIdx.x / 32 / WARPS_ACROSS * 4 + pcc_lane() / 8;
    }

    static __device__ __forceinline__ int across()
    {
        enum { WARPS_ACROSS = Tile::LANES_ACROSS / 8 };
        return (int)threadIdx.x / 32 % WARPS_ACROSS * 8 + pcc_lane() % 8;
    }

    /* Loads a thread's numbers of a line of K, in quads. */
    template <int Count> static __device__ __forceinline__ void load(T (&to)[Count], const T *line, int lane, int lanes)
    {
#pragma unroll
        for (int i = 0; i < Count; i += V) {
            const PccVector<T, V> v = pcc_load_vector<V>(line + (i / 4 * lanes + lane) * 4 + i % 4);
#pragma unroll
            for (int e = 0; e < V; e++)
                to[i + e] = v.at[e];
        }
    }

    __device__ __forceinline__ void add(const T *a, const T *b)
    {
#pragma unroll
        for (int k = 0; k < Tile::DEPTH; k++) {
            T left[DOWN], right[ACROSS];
            load(left, a + k * Tile::PITCH_A, down(), Tile::LANES_DOWN);
            load(right, b + k * Tile::PITCH_B, across(), Tile::LANES_ACROSS);
#pragma unroll
            for (int i = 0; i < DOWN; i++)
#pragma unroll
                for (int j = 0; j < ACROSS; j++)
                    at[i][j] += left[i] * right[j];
        }
    }

    /* Passes the sums to the epilogue, one row of every thread at a time, so that lanes have neighbouring columns. */
    template <class E>
    __device__ __forceinline__ void finish(T *slice, const PccProduct &p, const PccPart &part, const E &epilogue) const
    {
#pragma unroll
        for (int i = 0; i < DOWN; i++) {
            __syncthreads();
#pragma unroll
            for (int j = 0; j < ACROSS; j += V) {
                PccVector<T, V> v;
#pragma unroll
                for (int e = 0; e < V; e++)
                    v.at[e] = at[i][j + e];
                pcc_store_vector(slice + down() * Tile::COLUMNS + (j / 4 * Tile::LANES_ACROSS + across()) * 4 + j % 4,
                                 v);
            }
            __syncthreads();
#pragma unroll 4
            for (int c = (int)threadIdx.x; c < Tile::SLICE; c += Tile::THREADS) {
                const int lane = c / Tile::COLUMNS;
                const int64_t row = part.row + (i / 4 * Tile::LANES_DOWN + lane) * 4 + i % 4;
                const int64_t column = part.column + c % Tile::COLUMNS;
                if (row < p.m && column < p.n)
                    epilogue(part.batch * p.row_batch + row, part.batch * p.column_batch + column, slice[c]);
            }
        }
    }
};

template <class T, class Tile, bool AAcross, bool BAcross, bool AAligned, bool BAligned, class A, class B, class E>
__global__ void __launch_bounds__(Tile::THREADS, 1) pcc_scalar_product(PccProduct p, A a, B b, E epilogue)
{
    typedef PccScalarOperand<T, A, AAcross, AAligned, Tile::ROWS, Tile::DEPTH, Tile::PITCH_A, Tile::THREADS> Left;
    typedef PccScalarOperand<T, B, BAcross, BAligned, Tile::COLUMNS, Tile::DEPTH, Tile::PITCH_B, Tile::THREADS> Right;
    enum { RIGHT = Tile::DEPTH * Tile::PITCH_A };
    PCC_DYNAMIC_SHARED(T, shared);
    const PccPart part = pcc_part(p, Tile::ROWS, Tile::COLUMNS);
    Left left(a.of_batch(part.batch), part.row);
    Right right(b.of_batch(part.batch), part.column);
    PccThreadSums<T, Tile> sums = {};
    T *here = shared, *next = shared + Tile::STAGE;
    if (part.first < part.last) {
        left.hold(part.first);
        right.hold(part.first);
        left.arrive(here);
        right.arrive(here + RIGHT);
    }
    for (int64_t k = part.first; k < part.last; k += Tile::DEPTH) {
        __syncthreads(); /* this step's tiles are loaded, and those of the previous step are no longer read */
        const bool more = k + Tile::DEPTH < part.last;
        if (more) {
            left.hold(k + Tile::DEPTH);
            right.hold(k + Tile::DEPTH);
        }
        sums.add(here, here + RIGHT);
        if (more) {
            left.arrive(next);
            right.arrive(next + RIGHT);
        }
        T *const read = here;
        here = next;
        next = read;
    }
    sums.finish(shared, p, part, pcc_of_split(epilogue, part.split));
}

#endif
