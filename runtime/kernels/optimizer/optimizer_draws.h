/* optimizer_draws.h: stochastic rounding of f32 to 16 bits.
 *
 * Stochastic rounding takes a value between two neighbours to the upper one with probability (x - lower) / ulp, so that
 * it is unbiased: a thousand updates of a thousandth of an ulp add up to one ulp in expectation, where rounding to
 * nearest loses them all. The random bits depend on (seed, parameter, element, update) alone, so not on threads or
 * chunks, and a resumed run draws the same ones.
 *
 * The random numbers are equidistributed over the elements and, unlike independent ones, over time: they are a
 * Kronecker sequence, frac(offset + update * alpha) with alpha badly approximable, from a hashed offset (the random
 * shift of Cranley and Patterson, "Randomization of number theoretic methods for multiple integration", SIAM J. Numer.
 * Anal. 13, 1976). Of T updates of p ulp, pT + O(log T) round up, where independent bits are off by sqrt(T p (1 - p));
 * where the part to round is itself random, the variance of the accumulated error grows as with rounding to nearest, by
 * 1/12 ulp^2 an update, instead of 1/6.
 *
 * For both targets. */
#ifndef PCC_OPTIMIZER_DRAWS_H
#define PCC_OPTIMIZER_DRAWS_H

#include "../common/narrow.h"
#include "../random/philox.h"

/* The rounded quantities; each has its own random bits. */
typedef enum PccDraw { PCC_DRAW_VALUE, PCC_DRAW_MOMENT1, PCC_DRAW_MOMENT2 } PccDraw;

/* Half of the key's bits enter before the hash and half after it, so that parameters differ in both. */
typedef struct PccRoundingKey {
    uint32_t before, behind;
} PccRoundingKey;

/* Philox's word for a parameter of this run. Parameters are numbered down from the maximum, as nodes, which draw from
 * the same generator, are numbered up from 0. */
PCC_KERNEL PccRoundingKey pcc_rounding_key(uint64_t seed, int64_t param)
{
    const PccPhiloxWords words = pcc_random_lane(seed, -1 - param, 0, 0, 0, 0);
    const PccRoundingKey key = {words.word[0], words.word[1]};
    return key;
}

/* The finaliser of MurmurHash3 (Appleby): every bit of x changes every bit of the result with probability 1/2. */
PCC_KERNEL uint32_t pcc_mix_bits(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
}

/* The offset of an element's sequences, the same in every update. */
PCC_KERNEL uint32_t pcc_rounding_offset(PccRoundingKey key, uint32_t element)
{
    return pcc_mix_bits(element ^ key.before) + key.behind;
}

/* The position of a draw's sequence, in units of 2^-16: update * alpha mod 1. */
PCC_KERNEL uint32_t pcc_rounding_phase(PccDraw draw, uint32_t update)
{
    const uint32_t alpha = draw == PCC_DRAW_VALUE     ? 0x9e3779b9u  /* golden ratio */
                           : draw == PCC_DRAW_MOMENT1 ? 0x6a09e667u  /* sqrt(2) */
                                                      : 0xbb67ae85u; /* sqrt(3) */
    return update * alpha >> 16;
}

/* The 16 bits of an element's draw. The offsets of different draws overlap: the leading byte of one is the last byte of
 * another. */
PCC_KERNEL uint32_t pcc_rounding_bits(uint32_t offset, PccDraw draw, uint32_t phase)
{
    return ((offset >> 8 * draw) + phase) & 0xffff;
}

/* Adds the random bits to the 16 bits that are dropped: a carry rounds up. */
PCC_KERNEL PccBf16 pcc_bf16_from_f32_random(float x, uint32_t random)
{
    const uint32_t bits = pcc_bits_of_f32(x);
    const uint32_t rounded = (bits + random) >> 16, quiet = bits >> 16 | 0x40;
    const PccBf16 result = {(uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded)};
    return result;
}

/* Normal results drop 13 bits, for which the upper 13 of the 16 random bits are used; a subnormal is a multiple of
 * 2^-24, here with 16 fractional bits. */
PCC_KERNEL PccF16 pcc_f16_from_f32_random(float x, uint32_t random)
{
    const uint32_t bits = pcc_bits_of_f32(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    const bool is_small = magnitude < 0x38800000u; /* below 2^-14 */
    const uint32_t normal = (magnitude - (112u << 23) + (random >> 3)) >> 13;
    const float counted = pcc_f32_of_bits(is_small ? magnitude : 0) * 0x1p40f;
    const uint32_t subnormal = ((uint32_t)(int32_t)counted + random) >> 16;
    const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x3ff) : 0x7c00u;
    const uint32_t finite = is_small ? subnormal : normal;
    const PccF16 result = {(uint16_t)(sign | (magnitude >= 0x47800000u ? special : finite))};
    return result;
}

#endif
