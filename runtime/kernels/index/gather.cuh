/* gather.cuh: the gathers and one_hot of index.h for CUDA.
 *
 *   pcc_gather<T>(outer, axis, inner, count, x[outer, axis, inner], index[count], y[outer, count, inner], s)
 *   pcc_gather_elements<T>(rank, axis, data_dims, index_dims, x, index, y, s)
 *   pcc_gather_nd<T>(rank, data_dims, index_rank, index_dims, batch_dims, x, index, y, s)
 *   pcc_one_hot<T>(outer, depth, inner, index[outer, inner], values {off, on}, y[outer, depth, inner], s)
 *
 * T is the element's type as in C: elements are only copied, rows of them in units of up to 16 bytes. */
#ifndef PCC_GATHER_CUH
#define PCC_GATHER_CUH

#include "../common/divide.cuh"
#include "../common/units.cuh"
#include "index_rules.h"

/* ---- rows ------------------------------------------------------------------------------------------------------- */

/* y[outer, count, units] from x[outer, axis, units] */
template <class U, class I>
__global__ void pcc_gather_kernel(int64_t total, int64_t axis, PccDivisor<I> count, PccDivisor<I> units, const U *x,
                                  const int64_t *index, U *y)
{
    PCC_FOR_ITEMS_OF (I, i, total) {
        I rest = i;
        const I unit = pcc_coordinate(&rest, units), row = pcc_coordinate(&rest, count);
        const int64_t at = pcc_wrap_index(index[row], axis);
        U moved = {};
        if (at >= 0)
            moved = x[((int64_t)rest * axis + at) * units.by + unit];
        y[i] = moved;
    }
}

template <class U>
static void pcc_gather_units(int64_t outer, int64_t axis, int64_t units, int64_t count, const void *x,
                             const int64_t *index, void *y, PccStep *s)
{
    const int64_t total = outer * count * units;
    const unsigned blocks = pcc_blocks(total, PCC_BLOCK);
    if (pcc_is_short(total))
        PCC_LAUNCH((pcc_gather_kernel<U, uint32_t>), blocks, PCC_BLOCK, 0, s, total, axis, pcc_divisor<uint32_t>(count),
                   pcc_divisor<uint32_t>(units), (const U *)x, index, (U *)y);
    else
        PCC_LAUNCH((pcc_gather_kernel<U, uint64_t>), blocks, PCC_BLOCK, 0, s, total, axis, pcc_divisor<uint64_t>(count),
                   pcc_divisor<uint64_t>(units), (const U *)x, index, (U *)y);
}

template <class T>
static void pcc_gather(int64_t outer, int64_t axis, int64_t inner, int64_t count, const T *x, const int64_t *index,
                       T *y, PccStep *s)
{
    const int64_t bytes = inner * (int64_t)sizeof(T);
    const int unit = pcc_unit_bytes((uint64_t)bytes | (uint64_t)(uintptr_t)x | (uint64_t)(uintptr_t)y);
    if (outer * count * inner == 0)
        return;
    if (unit == 16)
        pcc_gather_units<PccUnit<16>>(outer, axis, bytes / 16, count, x, index, y, s);
    else if (unit == 8 && sizeof(T) < 8)
        pcc_gather_units<PccUnit<8>>(outer, axis, bytes / 8, count, x, index, y, s);
    else if (unit == 4 && sizeof(T) < 4)
        pcc_gather_units<PccUnit<4>>(outer, axis, bytes / 4, count, x, index, y, s);
    else
        pcc_gather_units<PccUnit<sizeof(T)>>(outer, axis, inner, count, x, index, y, s);
}

/* ---- elements --------------------------------------------------------------------------------------------------- */

/* The elements of an index array with axes of `dims`, and the data's strides. */
template <class I> struct PccElements {
    int rank, axis;
    PccDivisor<I> dims[PCC_MAX_RANK];
    int64_t strides[PCC_MAX_RANK], extent; /* of the indexed axis in the data */
};

template <class I>
static inline PccElements<I> pcc_elements(int64_t rank, int64_t axis, const PccDims &data_dims,
                                          const PccDims &index_dims)
{
    PccElements<I> e = {};
    int64_t stride = 1;
    e.rank = (int)rank;
    e.axis = (int)axis;
    e.extent = data_dims.at[axis];
    for (int i = e.rank - 1; i >= 0; i--) {
        e.dims[i] = pcc_divisor<I>(index_dims.at[i]);
        e.strides[i] = stride;
        stride *= data_dims.at[i];
    }
    return e;
}

/* The offset in the data of the element that entry i of the index array refers to; -1 where that is out of range. */
template <class I> PCC_DEVICE int64_t pcc_element_offset(const PccElements<I> &e, I i, const int64_t *index)
{
    const int64_t at = pcc_wrap_index(index[i], e.extent);
    int64_t offset = at * e.strides[e.axis];
    if (at < 0)
        return -1;
    for (int k = e.rank - 1; k >= 0; k--) {
        const I coordinate = pcc_coordinate(&i, e.dims[k]);
        offset += k == e.axis ? 0 : (int64_t)coordinate * e.strides[k];
    }
    return offset;
}

template <class U, class I>
__global__ void pcc_gather_elements_kernel(int64_t total, PccElements<I> e, const U *x, const int64_t *index, U *y)
{
    PCC_FOR_ITEMS_OF (I, i, total) {
        const int64_t from = pcc_element_offset(e, i, index);
        U moved = {};
        if (from >= 0)
            moved = x[from];
        y[i] = moved;
    }
}

template <class T>
static void pcc_gather_elements(int64_t rank, int64_t axis, PccDims data_dims, PccDims index_dims, const T *x,
                                const int64_t *index, T *y, PccStep *s)
{
    typedef PccUnit<sizeof(T)> U;
    const int64_t total = pcc_product(rank, index_dims.at);
    const unsigned blocks = pcc_blocks(total, PCC_BLOCK);
    if (total == 0)
        return;
    if (pcc_is_short(total))
        PCC_LAUNCH((pcc_gather_elements_kernel<U, uint32_t>), blocks, PCC_BLOCK, 0, s, total,
                   pcc_elements<uint32_t>(rank, axis, data_dims, index_dims), (const U *)x, index, (U *)y);
    else
        PCC_LAUNCH((pcc_gather_elements_kernel<U, uint64_t>), blocks, PCC_BLOCK, 0, s, total,
                   pcc_elements<uint64_t>(rank, axis, data_dims, index_dims), (const U *)x, index, (U *)y);
}

/* ---- slices ----------------------------------------------------------------------------------------------------- */

template <class U, class I>
__global__ void pcc_gather_nd_kernel(int64_t total, PCC_PARAMETER PccTuples t, PccDivisor<I> rows, PccDivisor<I> inner,
                                     const U *x, const int64_t *index, U *y)
{
    PCC_FOR_ITEMS_OF (I, i, total) {
        I batch = i;
        const I column = pcc_coordinate(&batch, inner), row = batch;
        const int64_t slice = pcc_tuple_slice(&t, index + (int64_t)row * t.length);
        batch = pcc_quotient(row, rows);
        U moved = {};
        if (slice >= 0)
            moved = x[((int64_t)batch * t.extent + slice) * t.inner + column];
        y[i] = moved;
    }
}

template <class T>
static void pcc_gather_nd(int64_t rank, PccDims data_dims, int64_t index_rank, PccDims index_dims, int64_t batch_dims,
                          const T *x, const int64_t *index, T *y, PccStep *s)
{
    typedef PccUnit<sizeof(T)> U;
    const PccTuples t = pcc_tuples(rank, data_dims.at, index_rank, index_dims.at, batch_dims);
    const int64_t total = t.batches * t.rows * t.inner;
    const unsigned blocks = pcc_blocks(total, PCC_BLOCK);
    if (total == 0)
        return;
    if (pcc_is_short(total))
        PCC_LAUNCH((pcc_gather_nd_kernel<U, uint32_t>), blocks, PCC_BLOCK, 0, s, total, t,
                   pcc_divisor<uint32_t>(t.rows), pcc_divisor<uint32_t>(t.inner), (const U *)x, index, (U *)y);
    else
        PCC_LAUNCH((pcc_gather_nd_kernel<U, uint64_t>), blocks, PCC_BLOCK, 0, s, total, t,
                   pcc_divisor<uint64_t>(t.rows), pcc_divisor<uint64_t>(t.inner), (const U *)x, index, (U *)y);
}

/* ---- one_hot ---------------------------------------------------------------------------------------------------- */

template <class T, class I>
__global__ void pcc_one_hot_kernel(int64_t total, PccDivisor<I> depth, PccDivisor<I> inner, const int64_t *index,
                                   const T *values, T *y)
{
    PCC_FOR_ITEMS_OF (I, i, total) {
        I outer = i;
        const I column = pcc_coordinate(&outer, inner), place = pcc_coordinate(&outer, depth);
        const int64_t at = pcc_wrap_index(index[(int64_t)outer * inner.by + column], (int64_t)depth.by);
        y[i] = values[at == (int64_t)place];
    }
}

template <class T>
static void pcc_one_hot(int64_t outer, int64_t depth, int64_t inner, const int64_t *index, const T *values, T *y,
                        PccStep *s)
{
    const int64_t total = outer * depth * inner;
    const unsigned blocks = pcc_blocks(total, PCC_BLOCK);
    if (total == 0)
        return;
    if (pcc_is_short(total))
        PCC_LAUNCH((pcc_one_hot_kernel<T, uint32_t>), blocks, PCC_BLOCK, 0, s, total, pcc_divisor<uint32_t>(depth),
                   pcc_divisor<uint32_t>(inner), index, values, y);
    else
        PCC_LAUNCH((pcc_one_hot_kernel<T, uint64_t>), blocks, PCC_BLOCK, 0, s, total, pcc_divisor<uint64_t>(depth),
                   pcc_divisor<uint64_t>(inner), index, values, y);
}

#endif
