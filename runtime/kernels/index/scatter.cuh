/* scatter.cuh: the scatters of index.h for CUDA, and the adjoints of GatherElements and GatherND, which are scatters.
 *
 *   pcc_scatter_elements<T>(rank, axis, data_dims, index_dims, reduction, x, index, updates, y, scratch, s)
 *   pcc_gather_elements_grad<T>(rank, axis, data_dims, index_dims, dy, index, dx, scratch, s)
 *       scratch has pcc_cuda_scatter_elements_scratch_bytes(rank, axis, index_dims) bytes
 *   pcc_scatter_nd<T>(rank, data_dims, index_rank, index_dims, reduction, x, index, updates, y, scratch, s)
 *   pcc_gather_nd_grad<T>(rank, data_dims, index_rank, index_dims, batch_dims, dy, index, dx, scratch, s)
 *       scratch has pcc_cuda_scatter_nd_scratch_bytes(index_rank, index_dims, batch_dims) bytes; scatter_nd's
 *       batch_dims is 0
 *
 * y may be x. First y is set to x, or to 0; then the thread of the first update of each destination combines all its
 * updates in index order, in T, and rounds once. It finds them by comparison, where only few updates can have the same
 * destination, or adjacent after a sort by destination. There are fewer than 2^32 updates and destinations. */
#ifndef PCC_SCATTER_CUH
#define PCC_SCATTER_CUH

#include "gather.cuh"
#include "sort.cuh"
#include "../common/storage.cuh"

/* The result of applying `update` to `old`. */
template <class T> PCC_DEVICE T pcc_scattered(int64_t reduction, T old, T update)
{
    switch (reduction) {
    case PCC_SCATTER_ADD:
        return (T)(old + update);
    case PCC_SCATTER_MUL:
        return (T)(old * update);
    case PCC_SCATTER_MAX:
        return update > old || update != update ? update : old;
    case PCC_SCATTER_MIN:
        return update < old || update != update ? update : old;
    default:
        return update;
    }
}

/* ---- y = x, or zeros -------------------------------------------------------------------------------------------- */

template <class T, int V, class X, class Y> __global__ void pcc_scatter_begin_kernel(int64_t n, const X *x, Y *y)
{
    PCC_FOR_ITEMS (i, n / V) {
        PccVector<X, V> from = {};
        PccVector<Y, V> to;
        if (x)
            from = pcc_load_vector<V>(x + i * V);
        for (int v = 0; v < V; v++)
            to.at[v] = pcc_narrowed<Y>((T)pcc_wide(from.at[v]));
        pcc_store_vector(y + i * V, to);
    }
    PCC_FOR_ITEMS (rest, n % V) {
        const int64_t i = n - n % V + rest;
        pcc_put(y, i, x ? pcc_get<T>(x, i) : T(0));
    }
}

template <class T, class X, class Y> static void pcc_scatter_begin(int64_t n, const X *x, Y *y, PccStep *s)
{
    enum { V = 16 / (sizeof(X) > sizeof(Y) ? sizeof(X) : sizeof(Y)) };
    if ((const void *)x == (const void *)y)
        return;
    if (pcc_is_aligned<V>(x, 0) && pcc_is_aligned<V>(y, 0))
        PCC_LAUNCH((pcc_scatter_begin_kernel<T, V, X, Y>), pcc_blocks(n, PCC_BLOCK * V), PCC_BLOCK, 0, s, n, x, y);
    else
        PCC_LAUNCH((pcc_scatter_begin_kernel<T, 1, X, Y>), pcc_blocks(n, PCC_BLOCK), PCC_BLOCK, 0, s, n, x, y);
}

/* ---- updates of the same destination ---------------------------------------------------------------------------- */

/* Entries that can have the same destination as entry e: first + place * step, for place < count. */
struct PccPeers {
    int64_t first, step, place;
};

/* Elements: the entries that differ only along the axis. */
template <class I> struct PccToElement {
    PccElements<I> e;
    PccDivisor<I> after, along;
    const int64_t *index;
    __device__ int64_t operator()(int64_t entry) const
    {
        return pcc_element_offset(e, (I)entry, index);
    }
    __device__ PccPeers peers(int64_t entry) const
    {
        I rest = (I)entry;
        const I behind = pcc_coordinate(&rest, after), place = pcc_coordinate(&rest, along);
        const int64_t step = (int64_t)after.by;
        return {(int64_t)rest * (int64_t)along.by * step + (int64_t)behind, step, (int64_t)place};
    }
};

/* Tuples: the entries of the same batch. */
struct PccToSlice {
    PccTuples t;
    const int64_t *index;
    __device__ int64_t operator()(int64_t entry) const
    {
        const int64_t slice = pcc_tuple_slice(&t, index + entry * t.length);
        return slice < 0 ? -1 : entry / t.rows * t.extent + slice;
    }
    __device__ PccPeers peers(int64_t entry) const
    {
        return {entry / t.rows * t.rows, 1, entry % t.rows};
    }
};

template <class To> struct PccToKey {
    To to;
    int64_t slots;
    __device__ uint32_t operator()(int64_t entry) const
    {
        const int64_t at = to(entry);
        return (uint32_t)(at < 0 ? slots : at);
    }
};

/* x[slots, inner], updates[entries, inner] */
struct PccScatter {
    int64_t slots, entries, inner, reduction;
    int64_t peers; /* the most entries that can have the same destination */
};

template <class T, class To, class X, class U, class Y>
__global__ void pcc_scatter_few_kernel(PccScatter c, PCC_PARAMETER To to, const X *x, const U *updates, Y *y)
{
    PCC_FOR_ITEMS (i, c.entries * c.inner) {
        const int64_t entry = c.inner == 1 ? i : i / c.inner, column = c.inner == 1 ? 0 : i % c.inner;
        const int64_t at = to(entry);
        const PccPeers p = to.peers(entry);
        int64_t k = 0;
        if (at < 0)
            continue;
        while (k < p.place && to(p.first + k * p.step) != at)
            k++;
        if (k < p.place)
            continue; /* the thread of an earlier entry does it */
        T sum = x ? pcc_get<T>(x, at * c.inner + column) : T(0);
        for (; k < c.peers; k++)
            if (to(p.first + k * p.step) == at)
                sum = pcc_scattered(c.reduction, sum, pcc_get<T>(updates, (p.first + k * p.step) * c.inner + column));
        pcc_put(y, at * c.inner + column, sum);
    }
}

template <class T, class X, class U, class Y>
__global__ void pcc_scatter_sorted_kernel(PccScatter c, PccSorted sorted, const X *x, const U *updates, Y *y)
{
    PCC_FOR_ITEMS (i, c.entries * c.inner) {
        const int64_t first = c.inner == 1 ? i : i / c.inner, column = c.inner == 1 ? 0 : i % c.inner;
        const int64_t at = sorted.keys[first];
        if (at >= c.slots || (first > 0 && sorted.keys[first - 1] == at))
            continue;
        T sum = x ? pcc_get<T>(x, at * c.inner + column) : T(0);
        for (int64_t k = first; k < c.entries && sorted.keys[k] == at; k++)
            sum = pcc_scattered(c.reduction, sum, pcc_get<T>(updates, sorted.entries[k] * c.inner + column));
        pcc_put(y, at * c.inner + column, sum);
    }
}

template <class T, class To, class X, class U, class Y>
static void pcc_scatter(PccScatter c, To to, const X *x, const U *updates, Y *y, void *scratch, PccStep *s)
{
    const unsigned blocks = pcc_blocks(c.entries * c.inner, PCC_BLOCK);
    if (c.slots * c.inner == 0)
        return;
    pcc_scatter_begin<T>(c.slots * c.inner, x, y, s);
    if (c.entries == 0)
        return;
    if (c.peers <= PCC_CUDA_FEW_ENTRIES) {
        PCC_LAUNCH((pcc_scatter_few_kernel<T, To, X, U, Y>), blocks, PCC_BLOCK, 0, s, c, to, x, updates, y);
        return;
    }
    const PccSorted sorted = pcc_sort(c.entries, (uint32_t)c.slots, PccToKey<To>{to, c.slots}, scratch, s);
    PCC_LAUNCH((pcc_scatter_sorted_kernel<T, X, U, Y>), blocks, PCC_BLOCK, 0, s, c, sorted, x, updates, y);
}

/* ---- the kernels ------------------------------------------------------------------------------------------------ */

template <class I>
static inline PccToElement<I> pcc_to_element(int64_t rank, int64_t axis, const PccDims &data_dims,
                                             const PccDims &index_dims, const int64_t *index)
{
    const int64_t after = pcc_product(rank - axis - 1, index_dims.at + axis + 1);
    return {pcc_elements<I>(rank, axis, data_dims, index_dims), pcc_divisor<I>(after),
            pcc_divisor<I>(index_dims.at[axis]), index};
}

template <class T, class X, class U, class Y>
static void pcc_scatter_elements(int64_t rank, int64_t axis, PccDims data_dims, PccDims index_dims, int64_t reduction,
                                 const X *x, const int64_t *index, const U *updates, Y *y, void *scratch, PccStep *s)
{
    const PccScatter c = {pcc_product(rank, data_dims.at), pcc_product(rank, index_dims.at), 1, reduction,
                          index_dims.at[axis]};
    if (pcc_is_short(c.entries))
        pcc_scatter<T>(c, pcc_to_element<uint32_t>(rank, axis, data_dims, index_dims, index), x, updates, y, scratch,
                       s);
    else
        pcc_scatter<T>(c, pcc_to_element<uint64_t>(rank, axis, data_dims, index_dims, index), x, updates, y, scratch,
                       s);
}

template <class T, class X, class Y>
static void pcc_gather_elements_grad(int64_t rank, int64_t axis, PccDims data_dims, PccDims index_dims, const X *dy,
                                     const int64_t *index, Y *dx, void *scratch, PccStep *s)
{
    pcc_scatter_elements<T>(rank, axis, data_dims, index_dims, PCC_SCATTER_ADD, (const Y *)nullptr, index, dy, dx,
                            scratch, s);
}

/* scatter_nd with batch dims, which only the adjoint of GatherND has. */
template <class T, class X, class U, class Y>
static void pcc_scatter_tuples(PccTuples t, int64_t reduction, const X *x, const int64_t *index, const U *updates, Y *y,
                               void *scratch, PccStep *s)
{
    const PccScatter c = {t.batches * t.extent, t.batches * t.rows, t.inner, reduction, t.rows};
    pcc_scatter<T>(c, PccToSlice{t, index}, x, updates, y, scratch, s);
}

template <class T, class X, class U, class Y>
static void pcc_scatter_nd(int64_t rank, PccDims data_dims, int64_t index_rank, PccDims index_dims, int64_t reduction,
                           const X *x, const int64_t *index, const U *updates, Y *y, void *scratch, PccStep *s)
{
    pcc_scatter_tuples<T>(pcc_tuples(rank, data_dims.at, index_rank, index_dims.at, 0), reduction, x, index, updates, y,
                          scratch, s);
}

template <class T, class X, class Y>
static void pcc_gather_nd_grad(int64_t rank, PccDims data_dims, int64_t index_rank, PccDims index_dims,
                               int64_t batch_dims, const X *dy, const int64_t *index, Y *dx, void *scratch, PccStep *s)
{
    pcc_scatter_tuples<T>(pcc_tuples(rank, data_dims.at, index_rank, index_dims.at, batch_dims), PCC_SCATTER_ADD,
                          (const Y *)nullptr, index, dy, dx, scratch, s);
}

#endif
