/* optimizer_round.h: rounding f32 rows to 16 bits with the probability of what is rounded away.
 *
 * Stochastic rounding takes a value between two neighbours to the upper one with probability (x - lower) / ulp, so that
 * it is exact in expectation: a thousand updates of a thousandth of an ulp arrive as one ulp, where rounding to nearest
 * loses them all. The bits depend on (seed, parameter, element, update) alone, so neither on threads nor on chunks, and
 * a resumed run draws the same ones.
 *
 * The bits of an element are even over the elements and, what independent ones are not, over time: they are a Kronecker
 * sequence, frac(offset + update * alpha) with alpha badly approximable, from a hashed offset (the random shift of
 * Cranley and Patterson, "Randomization of number theoretic methods for multiple integration", SIAM J. Numer. Anal. 13,
 * 1976). Of T updates of p ulp, pT + O(log T) round up, where independent bits are off by sqrt(T p (1 - p)); where the
 * part to round is itself random, the errors' sum grows as that of rounding to nearest does, by 1/12 ulp^2 an update,
 * and not by 1/6. */
#ifndef PCC_OPTIMIZER_ROUND_H
#define PCC_OPTIMIZER_ROUND_H

#include "../random/random_bits.h"
#include "../common/storage.h"

enum { PCC_STAGE = 256 }; /* elements of a block that is updated through f32 rows */

/* What is rounded; each has bits of its own. */
typedef enum PccDraw { PCC_DRAW_VALUE, PCC_DRAW_MOMENT1, PCC_DRAW_MOMENT2 } PccDraw;

/* The draws of a block in one update. */
typedef struct PccDraws {
    uint32_t update;
    uint32_t offset[PCC_STAGE]; /* of each element's sequences, the same in every update */
} PccDraws;

/* Half of the keys' bits go before the hash and half behind it, so that parameters differ in both. */
typedef struct PccRoundingKey {
    uint32_t before, behind;
} PccRoundingKey;

/* Philox's word for a parameter of this run. Parameters count down from the top: nodes, which draw from the same
 * generator, count up from 0. */
PCC_KERNEL PccRoundingKey pcc_rounding_key(uint64_t seed, int64_t param)
{
    const PccStep start = {.seed = seed};
    const PccPhilox words = pcc_random_group(&start, -1 - param, 0);
    return (PccRoundingKey){words.word[0], words.word[PCC_PHILOX_LANES]};
}

/* The finaliser of MurmurHash3 (Appleby): every bit of x changes every bit of the result with probability 1/2. */
PCC_KERNEL uint32_t pcc_mix_bits(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
}

/* The offsets of elements [first, first + PCC_STAGE). */
PCC_KERNEL void pcc_rounding_offsets(PccRoundingKey key, int64_t first, uint32_t offset[PCC_STAGE])
{
    const uint32_t start = (uint32_t)first;
    for (uint32_t i = 0; i < PCC_STAGE; i++)
        offset[i] = pcc_mix_bits((start + i) ^ key.before) + key.behind;
}

/* Where the sequence of a draw stands, in 2^-16: update * alpha mod 1. */
PCC_KERNEL uint32_t pcc_rounding_phase(PccDraw draw, uint32_t update)
{
    const uint32_t alpha[] = {
        [PCC_DRAW_VALUE] = 0x9e3779b9u,   /* golden ratio */
        [PCC_DRAW_MOMENT1] = 0x6a09e667u, /* sqrt(2) */
        [PCC_DRAW_MOMENT2] = 0xbb67ae85u, /* sqrt(3) */
    };
    return update * alpha[draw] >> 16;
}

/* The 16 bits of an element's draw. Those of different draws overlap in their offsets, where one's leading byte is
 * another's last. */
PCC_KERNEL uint32_t pcc_rounding_bits(uint32_t offset, PccDraw draw, uint32_t phase)
{
    return ((offset >> 8 * draw) + phase) & 0xffff;
}

/* All 16 bits that go are compared with the random ones, by addition. */
PCC_KERNEL PccBf16 pcc_bf16_from_f32_random(float x, uint32_t random)
{
    const uint32_t bits = pcc_bits_of_f32(x);
    const uint32_t rounded = (bits + random) >> 16, quiet = bits >> 16 | 0x40;
    return (PccBf16){(uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded)};
}

/* The upper 13 of the 16 random bits for what goes from a normal; a subnormal is a count of 2^-24, here with 16 bits
 * behind the point. */
PCC_KERNEL PccF16 pcc_f16_from_f32_random(float x, uint32_t random)
{
    const uint32_t bits = pcc_bits_of_f32(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    const bool is_small = magnitude < 0x38800000u; /* below 2^-14 */
    const uint32_t normal = (magnitude - (112u << 23) + (random >> 3)) >> 13;
    const float counted = pcc_f32_of_bits(is_small ? magnitude : 0) * 0x1p40f;
    const uint32_t subnormal = ((uint32_t)(int32_t)counted + random) >> 16;
    const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x3ff) : 0x7c00u;
    const uint32_t finite = is_small ? subnormal : normal;
    return (PccF16){(uint16_t)(sign | (magnitude >= 0x47800000u ? special : finite))};
}

/* Rounds a row to 16 bits at `to`; draws: NULL: to nearest. */
PCC_SHARED void pcc_round_row(const float *row, int64_t count, const PccDraws *draws, PccDraw draw, PccOut to)
{
    PccBf16 *bf16 = to.data;
    PccF16 *f16 = to.data;
    if (!draws) {
        pcc_commit(to, 0, count, row);
        return;
    }
    const uint32_t phase = pcc_rounding_phase(draw, draws->update);
    if (to.dtype == PCC_BF16) {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            bf16[i] = pcc_bf16_from_f32_random(row[i], pcc_rounding_bits(draws->offset[i], draw, phase));
    } else {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            f16[i] = pcc_f16_from_f32_random(row[i], pcc_rounding_bits(draws->offset[i], draw, phase));
    }
}

#endif
