/* pad.cuh: padding and its adjoint for CUDA.
 *
 *   pcc_pad<T>(rank, dims of x, before, after, mode, value, x, y, s)     T is the element's type, as in C
 *   pcc_pad_grad<T>(rank, dims of x, before, after, mode, dy, dx, s)     without scratch
 *
 * An element of dx is the sum over the outputs that read it, found axis by axis from closed forms (pad_source.h), in a
 * fixed order. */
#ifndef PCC_PAD_CUH
#define PCC_PAD_CUH

#include "../common/divide.cuh"
#include "../common/storage.cuh"
#include "../common/typed.h"
#include "pad_source.h"

template <class I> struct PccPadding {
    int rank;
    int64_t mode;
    PccDivisor<I> inside[PCC_MAX_RANK], outside[PCC_MAX_RANK]; /* extents of x and of y */
    int64_t before[PCC_MAX_RANK];
};

/* With a last axis in units of `unit` elements. */
template <class I>
static inline PccPadding<I> pcc_padding(int64_t rank, const PccDims &dims, const PccDims &before, const PccDims &after,
                                        int64_t mode, int64_t unit)
{
    PccPadding<I> p = {};
    p.rank = (int)rank;
    p.mode = mode;
    for (int i = 0; i < p.rank; i++) {
        const int64_t each = i == p.rank - 1 ? unit : 1;
        p.inside[i] = pcc_divisor<I>(dims.at[i] / each);
        p.outside[i] = pcc_divisor<I>((dims.at[i] + before.at[i] + after.at[i]) / each);
        p.before[i] = before.at[i];
    }
    return p;
}

/* The offset in x that output element i reads; -1 in constant padding. */
template <class I> PCC_DEVICE int64_t pcc_pad_offset(const PccPadding<I> &p, I i)
{
    int64_t offset = 0, stride = 1;
    for (int k = p.rank - 1; k >= 0; k--) {
        const int64_t n = (int64_t)p.inside[k].by, at = (int64_t)pcc_coordinate(&i, p.outside[k]);
        const int64_t source = pcc_pad_source(p.mode, n, p.before[k], at);
        if (source < 0)
            return -1;
        offset += source * stride;
        stride *= n;
    }
    return offset;
}

template <class U, class I>
__global__ void pcc_pad_kernel(int64_t total, PCC_PARAMETER PccPadding<I> p, U value, const U *x, U *y)
{
    PCC_FOR_ITEMS_OF (I, i, total) {
        const int64_t from = pcc_pad_offset(p, i);
        y[i] = from < 0 ? value : x[from];
    }
}

static inline int64_t pcc_padded_count(int64_t rank, const PccDims &dims, const PccDims &before, const PccDims &after)
{
    int64_t count = 1;
    for (int64_t i = 0; i < rank; i++)
        count *= dims.at[i] + before.at[i] + after.at[i];
    return count;
}

template <int N, class T>
static void pcc_pad_units(int64_t rank, const PccDims &dims, const PccDims &before, const PccDims &after, int64_t mode,
                          T value, const T *x, T *y, PccStep *s)
{
    typedef PccVector<T, N> U;
    const int64_t total = pcc_padded_count(rank, dims, before, after) / N;
    const unsigned blocks = pcc_blocks(total, PCC_BLOCK);
    const U *from = (const U *)(const void *)x;
    U *to = (U *)(void *)y, filled;
    for (int i = 0; i < N; i++)
        filled.at[i] = value;
    if (total == 0)
        return;
    if (pcc_is_short(total))
        PCC_LAUNCH((pcc_pad_kernel<U, uint32_t>), blocks, PCC_BLOCK, 0, s, total,
                   pcc_padding<uint32_t>(rank, dims, before, after, mode, N), filled, from, to);
    else
        PCC_LAUNCH((pcc_pad_kernel<U, uint64_t>), blocks, PCC_BLOCK, 0, s, total,
                   pcc_padding<uint64_t>(rank, dims, before, after, mode, N), filled, from, to);
}

/* In units of 16 bytes where the last axis, as of channels-last images, is not padded. */
template <class T>
static void pcc_pad(int64_t rank, PccDims dims, PccDims before, PccDims after, int64_t mode, double value, const T *x,
                    T *y, PccStep *s)
{
    enum { N = 16 / sizeof(T) };
    const bool inner = before.at[rank - 1] == 0 && after.at[rank - 1] == 0;
    if (inner && pcc_is_aligned<N>(x, dims.at[rank - 1]) && pcc_is_aligned<N>(y, 0))
        pcc_pad_units<N>(rank, dims, before, after, mode, (T)value, x, y, s);
    else
        pcc_pad_units<1>(rank, dims, before, after, mode, (T)value, x, y, s);
}

/* ---- the adjoint ------------------------------------------------------------------------------------------------ */

PCC_DEVICE int64_t pcc_pad_reader(const PccPadReaders &r, int64_t k)
{
    return k < r.count[0] ? r.first[0] + k * r.step : r.first[1] + (k - r.count[0]) * r.step;
}

/* How many output elements read element i of x. */
template <class I> PCC_DEVICE int64_t pcc_pad_reader_count(const PccPadding<I> &p, I i)
{
    int64_t count = 1;
    for (int k = p.rank - 1; k >= 0; k--) {
        const int64_t at = (int64_t)pcc_coordinate(&i, p.inside[k]);
        const PccPadReaders r =
            pcc_pad_readers(p.mode, (int64_t)p.inside[k].by, p.before[k], (int64_t)p.outside[k].by, at);
        count *= r.count[0] + r.count[1];
    }
    return count;
}

/* The nth of these output elements. */
template <class I> PCC_DEVICE int64_t pcc_pad_reader_offset(const PccPadding<I> &p, I i, int64_t nth)
{
    int64_t offset = 0, stride = 1;
    for (int k = p.rank - 1; k >= 0; k--) {
        const int64_t at = (int64_t)pcc_coordinate(&i, p.inside[k]), extent = (int64_t)p.outside[k].by;
        const PccPadReaders r = pcc_pad_readers(p.mode, (int64_t)p.inside[k].by, p.before[k], extent, at);
        const int64_t count = r.count[0] + r.count[1];
        offset += pcc_pad_reader(r, count == 1 ? 0 : nth % count) * stride;
        nth = count == 1 ? nth : nth / count;
        stride *= extent;
    }
    return offset;
}

template <class T, class I, class X, class Y>
__global__ void pcc_pad_grad_kernel(int64_t total, PCC_PARAMETER PccPadding<I> p, const X *dy, Y *dx)
{
    PCC_FOR_ITEMS_OF (I, i, total) {
        const int64_t count = pcc_pad_reader_count(p, i);
        T sum = 0;
        for (int64_t nth = 0; nth < count; nth++)
            sum += pcc_get<T>(dy, pcc_pad_reader_offset(p, i, nth));
        pcc_put(dx, i, sum);
    }
}

template <class T, class X, class Y>
static void pcc_pad_grad(int64_t rank, PccDims dims, PccDims before, PccDims after, int64_t mode, const X *dy, Y *dx,
                         PccStep *s)
{
    const int64_t total = pcc_product(rank, dims.at);
    const unsigned blocks = pcc_blocks(total, PCC_BLOCK);
    if (total == 0)
        return;
    if (pcc_is_short(total) && pcc_is_short(pcc_padded_count(rank, dims, before, after)))
        PCC_LAUNCH((pcc_pad_grad_kernel<T, uint32_t, X, Y>), blocks, PCC_BLOCK, 0, s, total,
                   pcc_padding<uint32_t>(rank, dims, before, after, mode, 1), dy, dx);
    else
        PCC_LAUNCH((pcc_pad_grad_kernel<T, uint64_t, X, Y>), blocks, PCC_BLOCK, 0, s, total,
                   pcc_padding<uint64_t>(rank, dims, before, after, mode, 1), dy, dx);
}

#endif
