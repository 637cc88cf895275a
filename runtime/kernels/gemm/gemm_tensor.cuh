/* gemm_tensor.cuh: products of two operands of 16 bits on tensor cores, with sums in f32.
 *
 * A multi-stage pipeline like CUTLASS's for sm_80: while a block multiplies the tiles of one step along K, those of the
 * next steps are loaded into a ring buffer in shared memory, by asynchronous copies where an operand is aligned, else
 * through registers. Chunks of 16 bytes are permuted within their lines, so that 8 lines of a matrix that a warp reads
 * or writes together lie in different banks. Each warp holds WarpRows x WarpColumns of C in registers. */
#ifndef PCC_GEMM_TENSOR_CUH
#define PCC_GEMM_TENSOR_CUH

#include "gemm_tile.cuh"

template <int Rows, int Columns, int WarpRows, int WarpColumns, int Stages, int Blocks> struct PccTensorTile {
    enum {
        ROWS = Rows,
        COLUMNS = Columns,
        WARP_ROWS = WarpRows,
        WARP_COLUMNS = WarpColumns,
        WARPS_ACROSS = Columns / WarpColumns,
        DEPTH = PCC_PRODUCT_STEP,
        STAGES = Stages,
        BLOCKS = Blocks, /* blocks of a multiprocessor, at least */
        THREADS = Rows / WarpRows * WARPS_ACROSS * 32,
        STAGE = (Rows + Columns) * DEPTH, /* numbers */
        SLICE = 16 * (WarpColumns + 4),   /* sums of a warp that are passed to the epilogue */
        RING_BYTES = Stages * STAGE * 2,
        SLICE_BYTES = THREADS / 32 * SLICE * 4,
        SHARED_BYTES = RING_BYTES > SLICE_BYTES ? RING_BYTES : SLICE_BYTES
    };
    static_assert((int)SHARED_BYTES <= 48 << 10, "what every GPU grants without being asked");
};

/* Tiles by their numbers in gemm_cuda.h. */
template <int Tile> struct PccTensorTiles : PccTensorTile<128, 128, 64, 64, 3, 2> {
};
template <> struct PccTensorTiles<PCC_TILE_128x64> : PccTensorTile<128, 64, 64, 32, 4, 3> {
};
template <> struct PccTensorTiles<PCC_TILE_64x64> : PccTensorTile<64, 64, 32, 32, 4, 4> {
};

/* The position of chunk `chunk` of line `line` in a tile whose lines have Chunks chunks. */
template <int Chunks> PCC_DEVICE int pcc_chunk_offset(int line, int chunk)
{
    static_assert(Chunks == 4 || Chunks % 8 == 0, "the permutation is one of 4 or of 8 chunks");
    return (line * Chunks + (chunk ^ (Chunks == 4 ? line / 2 % 4 : line % 8))) * 8;
}

/* Loads a tile into the ring buffer. */
template <class Source, bool Across, bool Aligned, int Rows, int Threads>
struct PccTensorOperand : PccOperand<Source, Across, Aligned, Rows, PCC_PRODUCT_STEP, 8, Threads> {
    typedef PccOperand<Source, Across, Aligned, Rows, PCC_PRODUCT_STEP, 8, Threads> Base;
    using Base::Base;

    /* Starts to load the tile at k; arrive() completes it and is called when the block has no other work. */
    __device__ __forceinline__ void send(typename Base::X *tile, int64_t k)
    {
        if constexpr (Aligned)
            Base::each(k, [&](int i, const typename Source::Line &along, const typename Source::Place &where) {
                int count;
                const typename Base::X *from = Base::source.find(along, where, &count);
                pcc_copy_async(tile + pcc_chunk_offset<Base::CHUNKS>(Base::line(i), Base::chunk()), from,
                               count < 8 ? count * 2 : 16);
            });
        else
            Base::hold(k);
    }

    __device__ __forceinline__ void arrive(typename Base::X *tile)
    {
        if constexpr (!Aligned)
#pragma unroll
            for (int i = 0; i < Base::EACH; i++)
                pcc_store_vector(tile + pcc_chunk_offset<Base::CHUNKS>(Base::line(i), Base::chunk()), Base::held[i]);
    }

    /* The address function of mma.cuh, by lines and chunks, for 16 rows from `row` on and 16 positions of K from `k`
     * on. */
    static __device__ __forceinline__ const typename Base::X *at(const typename Base::X *tile, int row, int k, int line,
                                                                 int chunk)
    {
        return tile + (Across ? pcc_chunk_offset<Base::CHUNKS>(k + line, row / 8 + chunk)
                              : pcc_chunk_offset<Base::CHUNKS>(row + line, k / 8 + chunk));
    }
};

/* A warp's part of C, as fragments of 16 x 8. */
template <class Tile> struct PccWarpSums {
    enum { DOWN = Tile::WARP_ROWS / 16, ACROSS = Tile::WARP_COLUMNS / 8 };
    float at[DOWN][ACROSS][4];

    /* Adds one step's products: a and b are tiles of Left and Right; the warp's part begins at this row and column. */
    template <class Left, class Right, class X>
    __device__ __forceinline__ void add(const X *a, const X *b, int row, int column)
    {
        pcc_converge();
#pragma unroll
        for (int k = 0; k < Tile::DEPTH; k += 16) {
            PccA left[DOWN];
            PccB right[ACROSS];
#pragma unroll
            for (int i = 0; i < DOWN; i++)
                left[i] = pcc_load_a<Left::ACROSS_K>(
                    [&](int line, int chunk) { return Left::at(a, row + i * 16, k, line, chunk); });
#pragma unroll
            for (int j = 0; j < ACROSS; j += 2) {
                PccB two[2];
                pcc_load_b<Right::ACROSS_K>(
                    two, [&](int line, int chunk) { return Right::at(b, column + j * 8, k, line, chunk); });
                right[j] = two[0];
                right[j + 1] = two[1];
            }
#pragma unroll
            for (int i = 0; i < DOWN; i++)
#pragma unroll
                for (int j = 0; j < ACROSS; j++)
                    pcc_multiply<X>(at[i][j], left[i], right[j]);
        }
    }

    /* Passes the sums to the epilogue, 16 rows at a time through a slice of shared memory, so that lanes have
     * neighbouring columns. */
    template <class E>
    __device__ __forceinline__ void finish(float *slice, const PccProduct &p, int64_t row, int64_t column,
                                           int64_t row_shift, int64_t column_shift, const E &epilogue) const
    {
        enum { PITCH = Tile::WARP_COLUMNS + 4 };
        const int lane = pcc_lane();
#pragma unroll
        for (int i = 0; i < DOWN; i++) {
            __syncwarp();
#pragma unroll
            for (int j = 0; j < ACROSS; j++)
#pragma unroll
                for (int e = 0; e < 4; e += 2) {
                    float *to = slice + pcc_accumulator_row(lane, e) * PITCH + j * 8 + pcc_accumulator_column(lane, e);
                    pcc_store_vector(to, PccVector<float, 2>{at[i][j][e], at[i][j][e + 1]});
                }
            __syncwarp();
#pragma unroll 4
            for (int r = 0; r < 16; r++)
#pragma unroll
                for (int c = 0; c < Tile::WARP_COLUMNS; c += 32)
                    if (row + i * 16 + r < p.m && column + c + lane < p.n)
                        epilogue(row_shift + row + i * 16 + r, column_shift + column + c + lane,
                                 slice[r * PITCH + c + lane]);
        }
    }
};

/* Resident blocks a multiprocessor, for __launch_bounds__: fewer where tiles pass through registers, as they all do on
 * sm_75. */
template <class Tile> constexpr int pcc_tensor_blocks(bool aligned)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    aligned = false;
#endif
    return aligned ? Tile::BLOCKS : Tile::BLOCKS / 2;
}

template <class Tile, bool AAcross, bool BAcross, bool AAligned, bool BAligned, class A, class B, class E>
__global__ void __launch_bounds__(Tile::THREADS, pcc_tensor_blocks<Tile>(AAligned &&BAligned))
    pcc_tensor_product(PccProduct p, A a, B b, E epilogue)
{
    typedef typename A::Element X;
    typedef PccTensorOperand<A, AAcross, AAligned, Tile::ROWS, Tile::THREADS> Left;
    typedef PccTensorOperand<B, BAcross, BAligned, Tile::COLUMNS, Tile::THREADS> Right;
    PCC_DYNAMIC_SHARED(X, ring);
    const PccPart part = pcc_part(p, Tile::ROWS, Tile::COLUMNS);
    const int warp = (int)threadIdx.x / 32;
    const int row = warp / Tile::WARPS_ACROSS * Tile::WARP_ROWS,
              column = warp % Tile::WARPS_ACROSS * Tile::WARP_COLUMNS;
    Left left(a.of_batch(part.batch), part.row);
    Right right(b.of_batch(part.batch), part.column);
    const int steps = (int)((part.last - part.first + Tile::DEPTH - 1) / Tile::DEPTH);
    PccWarpSums<Tile> sums = {};

    const auto tile = [&](int step) { return ring + step % Tile::STAGES * Tile::STAGE; };
    const auto send = [&](int step) {
        if (step < steps) {
            left.send(tile(step), part.first + (int64_t)step * Tile::DEPTH);
            right.send(tile(step) + Tile::ROWS * Tile::DEPTH, part.first + (int64_t)step * Tile::DEPTH);
        }
        pcc_commit_copies();
    };
    const auto arrive = [&](int step) {
        if (step < steps) {
            left.arrive(tile(step));
            right.arrive(tile(step) + Tile::ROWS * Tile::DEPTH);
        }
    };
    for (int step = 0; step < Tile::STAGES - 1; step++) {
        send(step);
        arrive(step);
    }
    for (int step = 0; step < steps; step++) {
        pcc_wait_copies<Tile::STAGES - 2>();
        __syncthreads(); /* this step's tiles are loaded, and those of the previous step are no longer read */
        send(step + Tile::STAGES - 1);
        sums.template add<Left, Right>(tile(step), tile(step) + Tile::ROWS * Tile::DEPTH, row, column);
        arrive(step + Tile::STAGES - 1);
    }
    pcc_wait_copies<0>();
    __syncthreads(); /* the ring buffer's memory is reused for the slices */
    sums.finish((float *)(void *)ring + warp * Tile::SLICE, p, part.row + row, part.column + column,
                part.batch * p.row_batch, part.batch * p.column_batch, pcc_of_split(epilogue, part.split));
}

#endif
