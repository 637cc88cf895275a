/* gemm_tile.cuh: tiles of C and of the operands: which ones a block computes, and how its threads load them. */
#ifndef PCC_GEMM_TILE_CUH
#define PCC_GEMM_TILE_CUH

#include "../common/mma.cuh"
#include "gemm_source.cuh"

/* `batch` products of C[m, n], without the tiling of C. */
struct PccExtents {
    int64_t batch, m, n, k;
    int64_t row_batch, column_batch; /* the epilogue's rows and columns of product i begin at i times these */
};

/* Its tiling: a block computes one tile of one product over one range of K. */
struct PccProduct : PccExtents {
    int64_t splits, split_steps; /* ranges of K, and steps of PCC_PRODUCT_STEP in each but the last */
    int64_t row_tiles, column_tiles;
};

static inline PccProduct pcc_cut_product(const PccExtents &extents, PccProductPlan plan)
{
    PccProduct p = {};
    (PccExtents &)p = extents;
    p.splits = plan.splits;
    p.split_steps = pcc_ceil_div(pcc_ceil_div(p.k, PCC_PRODUCT_STEP), plan.splits);
    p.row_tiles = pcc_ceil_div(p.m, pcc_tile_rows(plan.tile));
    p.column_tiles = pcc_ceil_div(p.n, pcc_tile_columns(plan.tile));
    return p;
}

/* A block's part: C's tile begins at (row, column), its range of K is [first, last). */
struct PccPart {
    int64_t batch, split, row, column, first, last;
};

/* Blocks of neighbouring indices share rows of A and columns of B, in bands of 8 tiles, while these are in the L2
 * cache.
 */
PCC_DEVICE PccPart pcc_part(const PccProduct &p, int rows, int columns)
{
    constexpr uint32_t BAND = 8;
    const uint32_t tiles = (uint32_t)(p.row_tiles * p.column_tiles), item = blockIdx.x / tiles;
    const uint32_t tile = blockIdx.x % tiles, band = BAND * (uint32_t)p.column_tiles;
    const uint32_t first = tile / band * BAND, left = (uint32_t)p.row_tiles - first, tall = left < BAND ? left : BAND;
    const uint32_t row = first + tile % band % tall, column = tile % band / tall;
    PccPart part;
    part.batch = item / (uint32_t)p.splits;
    part.split = item % (uint32_t)p.splits;
    part.row = (int64_t)row * rows;
    part.column = (int64_t)column * columns;
    part.first = part.split * p.split_steps * PCC_PRODUCT_STEP;
    part.last = part.first + p.split_steps * PCC_PRODUCT_STEP;
    if (part.last > p.k)
        part.last = p.k;
    return part;
}

/* The epilogue that stores the partial sums of a split K: sums[split, batch, m, n]. */
template <class T> struct PccPartial {
    T *sums;
    int64_t columns, split; /* strides of a row and of a split */

    __device__ __forceinline__ void operator()(int64_t row, int64_t column, T sum) const
    {
        sums[row * columns + column] = sum;
    }
};

template <class E> PCC_DEVICE E pcc_of_split(const E &epilogue, int64_t)
{
    return epilogue;
}

template <class T> PCC_DEVICE PccPartial<T> pcc_of_split(const PccPartial<T> &partial, int64_t split)
{
    return {partial.sums + split * partial.split, partial.columns, partial.split};
}

/* One operand's tile of Rows x Depth, loaded V numbers at a time: a thread loads the same EACH vectors of every tile
 * along K. Across: the source's lines are positions of K. */
template <class Source, bool Across, bool Aligned, int Rows, int Depth, int V, int Threads> struct PccOperand {
    typedef typename Source::Element X;
    static constexpr bool ACROSS_K = Across;
    enum {
        LINES = Across ? Depth : Rows,
        LENGTH = Across ? Rows : Depth,
        CHUNKS = LENGTH / V, /* of a line */
        PASS = Threads / CHUNKS,
        EACH = (LINES + PASS - 1) / PASS
    };
    static_assert(Threads % CHUNKS == 0 && LINES % PASS == 0, "every thread has as much to bring");

    Source source;
    typename Source::Line lines[Across ? 1 : EACH]; /* where they do not depend on k */
    typename Source::Place place;
    PccVector<X, V> held[EACH];

    __device__ __forceinline__ PccOperand(const Source &from, int64_t row) : source(from)
    {
        if constexpr (Across)
            place = source.place(row + chunk() * V);
        else
#pragma unroll
            for (int i = 0; i < EACH; i++)
                lines[i] = source.line(row + line(i));
    }

    static __device__ __forceinline__ int chunk()
    {
        return (int)threadIdx.x % CHUNKS;
    }

    static __device__ __forceinline__ int line(int i)
    {
        return (int)threadIdx.x / CHUNKS + i * PASS;
    }

    /* Calls take(i, line, place) for each of this thread's vectors of the tile at k. */
    template <class Take> __device__ __forceinline__ void each(int64_t k, Take take)
    {
        if constexpr (Across) {
#pragma unroll
            for (int i = 0; i < EACH; i++)
                take(i, source.line(k + line(i)), place);
        } else {
            place = source.place(k + chunk() * V);
#pragma unroll
            for (int i = 0; i < EACH; i++)
                take(i, lines[i], place);
        }
    }

    /* Loads the vectors into registers. */
    __device__ __forceinline__ void hold(int64_t k)
    {
        each(k, [&](int i, const typename Source::Line &along, const typename Source::Place &at) {
            held[i] = pcc_fetch<V, Aligned>(source, along, at);
        });
    }
};

#endif
