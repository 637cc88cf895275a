/* optimizer_remainder.h: an f32 weight as a bf16 value and a 16-bit remainder: an exact master weight in 4 bytes.
 *
 * The remainder is the lower half of the weight's bits; the value is the weight rounded to nearest, halves away from
 * zero, so that the remainder's uppermost bit tells whether it was rounded up. With rounding to even, ties would lose
 * this (NVIDIA Apex, issue 1842). A NaN stays NaN, with other bits.
 *
 * For both targets. */
#ifndef PCC_OPTIMIZER_REMAINDER_H
#define PCC_OPTIMIZER_REMAINDER_H

#include "../common/narrow.h"

typedef struct PccSplitF32 {
    PccBf16 value;
    uint16_t remainder;
} PccSplitF32;

PCC_KERNEL PccSplitF32 pcc_split_f32(float x)
{
    const uint32_t bits = pcc_bits_of_f32(x);
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    PccSplitF32 split;
    split.value.bits = (uint16_t)(nan ? bits >> 16 | 0x40 : (bits + 0x8000u) >> 16);
    split.remainder = (uint16_t)(nan ? 0 : bits);
    return split;
}

PCC_KERNEL float pcc_join_f32(PccBf16 value, uint16_t remainder)
{
    const uint32_t upper = (uint32_t)value.bits - (remainder >> 15);
    return pcc_f32_of_bits(upper << 16 | remainder);
}

#endif
