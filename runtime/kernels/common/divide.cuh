/* divide.cuh: division of indices by extents that are known when a kernel is launched.
 *
 * Kernels that compute an element's coordinates from its index are templates of the index's type: uint32_t, for fewer
 * than 2^31 elements, divides by a multiplication (Granlund and Montgomery, "Division by invariant integers using
 * multiplication", PLDI 1994); uint64_t divides. */
#ifndef PCC_DIVIDE_CUH
#define PCC_DIVIDE_CUH

#include "launch.cuh"

template <class I> struct PccDivisor {
    I by;
};

template <> struct PccDivisor<uint32_t> {
    uint32_t by, magic, shift;
};

template <class I> static inline PccDivisor<I> pcc_divisor(int64_t by)
{
    PccDivisor<I> d = {};
    d.by = (I)(by < 1 ? 1 : by); /* an index is never divided by an empty extent */
    if constexpr (sizeof(I) == 4) {
        while (((uint64_t)1 << d.shift) < d.by)
            d.shift++;
        d.magic = (uint32_t)(((((uint64_t)1 << d.shift) - d.by) << 32) / d.by + 1);
    }
    return d;
}

PCC_KERNEL uint32_t pcc_quotient(uint32_t n, const PccDivisor<uint32_t> &d)
{
    return ((uint32_t)(((uint64_t)n * d.magic) >> 32) + n) >> d.shift;
}

PCC_KERNEL uint64_t pcc_quotient(uint64_t n, const PccDivisor<uint64_t> &d)
{
    return n / d.by;
}

/* Splits the last coordinate, of extent d, off the flat index `rest`. */
template <class I> PCC_KERNEL I pcc_coordinate(I *rest, const PccDivisor<I> &d)
{
    const I quotient = pcc_quotient(*rest, d), at = *rest - quotient * d.by;
    *rest = quotient;
    return at;
}

/* Do 32 bits hold every index below `count`, and one stride of a whole grid beyond it? */
static inline bool pcc_is_short(int64_t count)
{
    return count < (int64_t)1 << 30;
}

/* PCC_FOR_ITEMS with an index of type I. */
#define PCC_FOR_ITEMS_OF(I, i, count) \
    for (I i = (I)blockIdx.x * (I)blockDim.x + (I)threadIdx.x; i < (I)(count); i += (I)gridDim.x * (I)blockDim.x)

#endif
