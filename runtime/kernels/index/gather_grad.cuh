/* gather_grad.cuh: the adjoint of a gather along one axis, for CUDA.
 *
 *   pcc_gather_grad<T>(outer, axis, inner, count, dy[outer, count, inner], index[count], dx[outer, axis, inner],
 *                      scratch, s)
 *       scratch has pcc_cuda_gather_grad_scratch_bytes(axis, count) bytes
 *
 * The rows of dy are sorted by the position that they were read from. Positions with few readers are written by threads
 * that add these up in index order, V columns each; a position with many, such as that of a padding token or a token
 * type, gets its own blocks, whose rows divide the readers among them. Every element of dx is written once. */
#ifndef PCC_GATHER_GRAD_CUH
#define PCC_GATHER_GRAD_CUH

#include "../common/divide.cuh"
#include "../reduce/reduce.cuh"
#include "index_rules.h"
#include "sort.cuh"

enum { PCC_FEW_READERS = 64 };

/* The position that an entry of an index array refers to; the axis's extent where it is out of range. */
struct PccPlace {
    const int64_t *index;
    int64_t axis;
    __device__ uint32_t operator()(int64_t entry) const
    {
        const int64_t at = pcc_wrap_index(index[entry], axis);
        return (uint32_t)(at < 0 ? axis : at);
    }
};

/* starts[place] = how many of the sorted keys are less, for place <= axis */
static __global__ void pcc_sorted_starts_kernel(int64_t axis, int64_t count, const uint32_t *keys, uint32_t *starts)
{
    PCC_FOR_ITEMS (place, axis + 1) {
        int64_t low = 0, high = count;
        while (low < high) {
            const int64_t middle = low + (high - low) / 2;
            if ((int64_t)keys[middle] < place)
                low = middle + 1;
            else
                high = middle;
        }
        starts[place] = (uint32_t)low;
    }
}

/* dy's rows in the order of their positions: those of a position are entries[starts[place]] ... entries[starts[place +
 * 1]] */
struct PccSortedReaders {
    int64_t axis, count, inner;
    const uint32_t *places, *entries, *starts;
};

/* A thread for V columns of a position. `vectors` is inner / V. */
template <class T, int V, class I, class X, class Y>
__global__ void pcc_gather_grad_kernel(int64_t total, PccSortedReaders r, PccDivisor<I> axis, PccDivisor<I> vectors,
                                       const X *dy, Y *dx)
{
    PCC_FOR_ITEMS_OF (I, i, total) {
        I outer = i;
        const I vector = pcc_coordinate(&outer, vectors), place = pcc_coordinate(&outer, axis);
        const uint32_t first = r.starts[place], end = r.starts[place + 1];
        const X *column = dy + (int64_t)outer * r.count * r.inner + (int64_t)vector * V;
        T sum[V];
        PccVector<Y, V> result;
        if (end - first > PCC_FEW_READERS)
            continue;
        for (int v = 0; v < V; v++)
            sum[v] = 0;
        for (uint32_t k = first; k < end; k++) {
            const PccVector<X, V> x = pcc_load_vector<V>(column + (int64_t)r.entries[k] * r.inner);
            for (int v = 0; v < V; v++)
                sum[v] = (T)(sum[v] + (T)pcc_wide(x.at[v]));
        }
        for (int v = 0; v < V; v++)
            result.at[v] = pcc_narrowed<Y>(sum[v]);
        pcc_store_vector(dx + (int64_t)i * V, result);
    }
}

/* Blocks [outer, chunks of PCC_FEW_READERS readers, tiles of columns]: the block at the first chunk that begins in a
 * long list sums the whole list. */
template <class T, int V, class X, class Y>
__global__ void pcc_gather_grad_long_kernel(PccSortedReaders r, int64_t chunks, int64_t tiles, const X *dy, Y *dx)
{
    PCC_DYNAMIC_SHARED(T, slots);
    const int lane = (int)threadIdx.x % PCC_WARP, row = (int)threadIdx.x / PCC_WARP, rows = PCC_BLOCK / PCC_WARP;
    const int64_t chunk = (int64_t)blockIdx.x / tiles % chunks, outer = (int64_t)blockIdx.x / tiles / chunks;
    const int64_t at = chunk * PCC_FEW_READERS, place = r.places[at];
    const int64_t column = ((int64_t)blockIdx.x % tiles * PCC_WARP + lane) * V;
    if (place >= r.axis)
        return;
    const int64_t first = r.starts[place], end = r.starts[place + 1];
    if (end - first <= PCC_FEW_READERS || first + PCC_FEW_READERS <= at)
        return;
    T sum[V];
    for (int v = 0; v < V; v++)
        sum[v] = 0;
    for (int64_t k = first + row; k < end && column < r.inner; k += rows) {
        const PccVector<X, V> x = pcc_load_vector<V>(dy + (outer * r.count + (int64_t)r.entries[k]) * r.inner + column);
        for (int v = 0; v < V; v++)
            sum[v] = (T)(sum[v] + (T)pcc_wide(x.at[v]));
    }
    pcc_reduce_rows<PccSum, T, V>(rows, row, PCC_WARP * V, slots + (row * PCC_WARP + lane) * V, sum);
    if (row > 0 || column >= r.inner)
        return;
    PccVector<Y, V> result;
    for (int v = 0; v < V; v++)
        result.at[v] = pcc_narrowed<Y>(sum[v]);
    pcc_store_vector(dx + (outer * r.axis + place) * r.inner + column, result);
}

template <class T, int V, class X, class Y>
static void pcc_gather_grad_vectors(int64_t outer, PccSortedReaders r, const X *dy, Y *dx, PccStep *s)
{
    const int64_t vectors = r.inner / V, total = outer * r.axis * vectors;
    const int64_t tiles = pcc_ceil_div(vectors, PCC_WARP), chunks = pcc_ceil_div(r.count, PCC_FEW_READERS);
    const unsigned blocks = pcc_blocks(total, PCC_BLOCK);
    if (pcc_is_short(total))
        PCC_LAUNCH((pcc_gather_grad_kernel<T, V, uint32_t, X, Y>), blocks, PCC_BLOCK, 0, s, total, r,
                   pcc_divisor<uint32_t>(r.axis), pcc_divisor<uint32_t>(vectors), dy, dx);
    else
        PCC_LAUNCH((pcc_gather_grad_kernel<T, V, uint64_t, X, Y>), blocks, PCC_BLOCK, 0, s, total, r,
                   pcc_divisor<uint64_t>(r.axis), pcc_divisor<uint64_t>(vectors), dy, dx);
    if (r.count > PCC_FEW_READERS)
        PCC_LAUNCH((pcc_gather_grad_long_kernel<T, V, X, Y>), (unsigned)(outer * chunks * tiles), PCC_BLOCK,
                   PCC_BLOCK * V * sizeof(T), s, r, chunks, tiles, dy, dx);
}

template <class T, class X, class Y>
static void pcc_gather_grad(int64_t outer, int64_t axis, int64_t inner, int64_t count, const X *dy,
                            const int64_t *index, Y *dx, void *scratch, PccStep *s)
{
    enum { V = 16 / sizeof(X) };
    if (outer * axis * inner == 0)
        return;
    const PccSorted sorted = pcc_sort(count, (uint32_t)axis, PccPlace{index, axis}, scratch, s);
    uint32_t *starts = (uint32_t *)((char *)scratch + pcc_cuda_sort_bytes(count));
    const PccSortedReaders r = {axis, count, inner, sorted.keys, sorted.entries, starts};
    PCC_LAUNCH(pcc_sorted_starts_kernel, pcc_blocks(axis + 1, PCC_BLOCK), PCC_BLOCK, 0, s, axis, count, sorted.keys,
               starts);
    if (pcc_is_aligned<V>(dy, inner) && (uintptr_t)dx % alignof(PccVector<Y, V>) == 0)
        pcc_gather_grad_vectors<T, V>(outer, r, dy, dx, s);
    else
        pcc_gather_grad_vectors<T, 1>(outer, r, dy, dx, s);
}

#endif
