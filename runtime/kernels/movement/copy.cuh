/* copy.cuh: the strided copies and fills of copy.h for CUDA.
 *
 *   pcc_copy<T>(rank, dims, x_strides, y_strides, x, y, s)   strides in elements; any sign, x's may be 0 (expand)
 *   pcc_fill<T>(n, value, y, s)
 *
 * T is the element's type as in C. The loop nest is simplified on the host (copy_nest.h). Rows that are contiguous on
 * both sides move in units of up to 16 bytes; where the sides' contiguous loops differ, tiles are transposed in shared
 * memory, so that both sides are accessed in whole cache lines. */
#ifndef PCC_COPY_CUH
#define PCC_COPY_CUH

#include "../common/divide.cuh"
#include "../common/units.cuh"
#include "copy_nest.h"

enum { PCC_COPY_SIDE = 32, PCC_COPY_ROWS = 8 }; /* a tile is a square; threads of a block are SIDE by ROWS */

/* A loop nest for device code; strides in units. */
template <class I> struct PccWalk {
    int rank;
    PccDivisor<I> dims[PCC_MAX_RANK];
    int64_t x[PCC_MAX_RANK], y[PCC_MAX_RANK];
};

template <class I> static inline PccWalk<I> pcc_walk(const PccNest *nest)
{
    PccWalk<I> w = {};
    w.rank = (int)nest->rank;
    for (int i = 0; i < w.rank; i++) {
        w.dims[i] = pcc_divisor<I>(nest->dims[i]);
        w.x[i] = nest->x[i];
        w.y[i] = nest->y[i];
    }
    return w;
}

/* Offsets of iteration `at` of the outer `loops` loops. */
template <class I> PCC_DEVICE void pcc_walk_to(const PccWalk<I> &w, int loops, I at, int64_t *x, int64_t *y)
{
    *x = *y = 0;
    for (int i = loops - 1; i >= 0; i--) {
        const I position = i > 0 ? pcc_coordinate(&at, w.dims[i]) : at;
        *x += (int64_t)position * w.x[i];
        *y += (int64_t)position * w.y[i];
    }
}

template <class U, class I> __global__ void pcc_copy_kernel(PccWalk<I> w, int64_t count, const U *x, U *y)
{
    PCC_FOR_ITEMS_OF (I, i, count) {
        int64_t from, to;
        pcc_walk_to(w, w.rank, i, &from, &to);
        y[to] = x[from];
    }
}

/* The last two loops are those with unit stride in x and in y. */
template <class U, class I>
__global__ void pcc_copy_transposed_kernel(PccWalk<I> w, PccDivisor<I> row_tiles, PccDivisor<I> tiles, int64_t tasks,
                                           const U *x, U *y)
{
    __shared__ U tile[PCC_COPY_SIDE][PCC_COPY_SIDE + 1];
    const int r = w.rank - 2, c = w.rank - 1, lane = (int)threadIdx.x % PCC_COPY_SIDE,
              first = (int)threadIdx.x / PCC_COPY_SIDE;
    for (I task = (I)blockIdx.x; task < (I)tasks; task += (I)gridDim.x) {
        I rest = task;
        const int64_t column = (int64_t)pcc_coordinate(&rest, tiles) * PCC_COPY_SIDE;
        const int64_t row = (int64_t)pcc_coordinate(&rest, row_tiles) * PCC_COPY_SIDE;
        const int64_t rows = (int64_t)w.dims[r].by - row, columns = (int64_t)w.dims[c].by - column;
        int64_t from, to;
        pcc_walk_to(w, r, rest, &from, &to);
        from += column * w.x[c] + row;
        to += row * w.y[r] + column;
        for (int i = first; i < PCC_COPY_SIDE; i += PCC_COPY_ROWS)
            if (i < columns && lane < rows)
                tile[i][lane] = x[from + i * w.x[c] + lane];
        __syncthreads();
        for (int i = first; i < PCC_COPY_SIDE; i += PCC_COPY_ROWS)
            if (i < rows && lane < columns)
                y[to + i * w.y[r] + lane] = tile[lane][i];
        __syncthreads();
    }
}

template <class U> static void pcc_copy_lines(const PccNest *nest, const void *x, void *y, PccStep *s)
{
    const int64_t count = pcc_product(nest->rank, nest->dims);
    const unsigned blocks = pcc_blocks(count, PCC_BLOCK);
    if (pcc_is_short(count))
        PCC_LAUNCH((pcc_copy_kernel<U, uint32_t>), blocks, PCC_BLOCK, 0, s, pcc_walk<uint32_t>(nest), count,
                   (const U *)x, (U *)y);
    else
        PCC_LAUNCH((pcc_copy_kernel<U, uint64_t>), blocks, PCC_BLOCK, 0, s, pcc_walk<uint64_t>(nest), count,
                   (const U *)x, (U *)y);
}

template <class U, class I> static void pcc_copy_tiles(const PccNest *nest, const void *x, void *y, PccStep *s)
{
    const int64_t row_tiles = pcc_ceil_div(nest->dims[nest->rank - 2], PCC_COPY_SIDE);
    const int64_t tiles = pcc_ceil_div(nest->dims[nest->rank - 1], PCC_COPY_SIDE);
    const int64_t tasks = pcc_product(nest->rank - 2, nest->dims) * row_tiles * tiles;
    PCC_LAUNCH((pcc_copy_transposed_kernel<U, I>), pcc_blocks(tasks, 1), PCC_COPY_SIDE * PCC_COPY_ROWS, 0, s,
               pcc_walk<I>(nest), pcc_divisor<I>(row_tiles), pcc_divisor<I>(tiles), tasks, (const U *)x, (U *)y);
}

template <class U> static void pcc_copy_transposed(const PccNest *nest, const void *x, void *y, PccStep *s)
{
    if (pcc_is_short(pcc_product(nest->rank, nest->dims)))
        pcc_copy_tiles<U, uint32_t>(nest, x, y, s);
    else
        pcc_copy_tiles<U, uint64_t>(nest, x, y, s);
}

/* Converts the nest's elements of `size` bytes to larger units, whose size it returns, where the last loop is
 * contiguous on both sides and all extents, strides and addresses are multiples of them. */
static inline int pcc_nest_widen(PccNest *nest, int size, const void *x, const void *y)
{
    const int64_t last = nest->rank - 1;
    if (nest->x[last] != 1 || nest->y[last] != 1)
        return size;
    uint64_t all = (uint64_t)(uintptr_t)x | (uint64_t)(uintptr_t)y | (uint64_t)(nest->dims[last] * size);
    for (int64_t i = 0; i < last; i++)
        all |= (uint64_t)(nest->x[i] * size) | (uint64_t)(nest->y[i] * size);
    const int bytes = pcc_unit_bytes(all);
    if (bytes <= size)
        return size;
    for (int64_t i = 0; i < last; i++) {
        nest->x[i] /= bytes / size;
        nest->y[i] /= bytes / size;
    }
    nest->dims[last] /= bytes / size;
    return bytes;
}

/* Brings the loops that are contiguous in x and in y to the last two places, if these are two and long enough for
 * tiles. */
static inline bool pcc_nest_transposes(PccNest *nest)
{
    const int64_t last = nest->rank - 1;
    int64_t unit = -1;
    for (int64_t i = 0; i < last; i++)
        if (nest->x[i] == 1 && nest->dims[i] >= 4)
            unit = i;
    if (unit < 0 || nest->y[last] != 1 || nest->x[last] == 1 || nest->dims[last] < 4)
        return false;
    pcc_nest_rotate(nest, unit);
    pcc_nest_rotate(nest, last - 1);
    return true;
}

template <class T>
static void pcc_copy(int64_t rank, PccDims dims, PccDims x_strides, PccDims y_strides, const T *x, T *y, PccStep *s)
{
    PccNest nest = pcc_nest(rank, dims.at, x_strides.at, y_strides.at);
    if (pcc_product(nest.rank, nest.dims) == 0)
        return;
    if (pcc_nest_transposes(&nest)) {
        pcc_copy_transposed<PccUnit<sizeof(T)>>(&nest, x, y, s);
        return;
    }
    const int bytes = pcc_nest_widen(&nest, (int)sizeof(T), x, y);
    if (bytes == (int)sizeof(T))
        pcc_copy_lines<PccUnit<sizeof(T)>>(&nest, x, y, s);
    else if (bytes == 16)
        pcc_copy_lines<PccUnit<16>>(&nest, x, y, s);
    else if (bytes == 8)
        pcc_copy_lines<PccUnit<8>>(&nest, x, y, s);
    else if (bytes == 4)
        pcc_copy_lines<PccUnit<4>>(&nest, x, y, s);
    else
        pcc_copy_lines<PccUnit<2>>(&nest, x, y, s);
}

template <class T> __global__ void pcc_fill_kernel(int64_t n, T value, T *y)
{
    PCC_FOR_ITEMS (i, n)
        y[i] = value;
}

template <class T> static void pcc_fill(int64_t n, T value, T *y, PccStep *s)
{
    if (n > 0)
        PCC_LAUNCH((pcc_fill_kernel<T>), pcc_blocks(n, PCC_BLOCK), PCC_BLOCK, 0, s, n, value, y);
}

#endif
