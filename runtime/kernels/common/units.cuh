/* units.cuh: elements that are only copied, as units of the most bytes that one access can move. */
#ifndef PCC_UNITS_CUH
#define PCC_UNITS_CUH

#include "launch.cuh"

/* An unsigned type of BYTES, so that kernels that move bits are compiled once for all dtypes of one width. */
template <int BYTES> struct PccUnitOf;
template <> struct PccUnitOf<1> {
    typedef uint8_t Type;
};
template <> struct PccUnitOf<2> {
    typedef uint16_t Type;
};
template <> struct PccUnitOf<4> {
    typedef uint32_t Type;
};
template <> struct PccUnitOf<8> {
    typedef uint2 Type;
};
template <> struct PccUnitOf<16> {
    typedef uint4 Type;
};

template <int BYTES> using PccUnit = typename PccUnitOf<BYTES>::Type;

/* The largest power of two, at most 16, that divides `bytes`, the bitwise or of addresses, strides and lengths. */
static inline int pcc_unit_bytes(uint64_t bytes)
{
    const uint64_t low = bytes | 16;
    return (int)(low & (~low + 1));
}

#endif
