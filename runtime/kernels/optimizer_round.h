/* optimizer_round.h: rounding f32 rows to 16 bits with the probability of what is rounded away.
 *
 * Stochastic rounding takes a value between two neighbours to the upper one with probability (x - lower) / ulp, so that
 * it is exact in expectation: a thousand updates of a thousandth of an ulp arrive as one ulp, where rounding to nearest
 * loses them all. The random bits are Philox's at the counter (element, stream, update), so that they depend on neither
 * threads nor chunks and a resumed run draws the same ones. */
#ifndef PCC_OPTIMIZER_ROUND_H
#define PCC_OPTIMIZER_ROUND_H

#include "random_bits.h"
#include "storage.h"

enum { PCC_STAGE = 256 }; /* elements of a block that is updated through f32 rows */

_Static_assert(PCC_STAGE % PCC_RANDOM_GROUP == 0, "a block draws whole groups");

/* Where the 16 bits of a draw begin in an element's word. The three overlap where one draw's leading byte is another's
 * last, so that no two roundings go together. */
typedef enum PccDraw { PCC_DRAW_VALUE = 0, PCC_DRAW_MOMENT1 = 8, PCC_DRAW_MOMENT2 = 16 } PccDraw;

/* The words of two halves of a group: of its counters [lane, lane + PCC_PHILOX_WIDTH), the first two words at `low`,
 * the last two half a group on. In registers from counter to word, as pcc_random_group() is not. */
PCC_KERNEL void pcc_random_lanes(const PccStep *s, int64_t node, int64_t group, int lane, uint32_t *low)
{
    const PccWords zero = {0}, mask = zero + 0xffffffffu;
    uint64_t numbers[PCC_PHILOX_WIDTH];
    for (int i = 0; i < PCC_PHILOX_WIDTH; i++)
        numbers[i] = (uint32_t)(group * PCC_PHILOX_LANES + lane + i);
    PccWords x[4] = {zero, zero + (uint32_t)node, zero + (uint32_t)s->update, zero + (uint32_t)s->micro};
    memcpy(&x[0], numbers, sizeof numbers);
    pcc_philox_vector(x, s->seed);
    const PccWords first = (x[0] & mask) | x[1] << 32, second = (x[2] & mask) | x[3] << 32;
    memcpy(low, &first, sizeof first);
    memcpy(low + PCC_RANDOM_GROUP / 2, &second, sizeof second);
}

/* A word for each of elements [first, first + PCC_STAGE) of a parameter; first is a multiple of PCC_STAGE. Parameters
 * count down from the top: nodes, which draw from the same generator, count up from 0. */
PCC_SHARED void pcc_random_row(const PccStep *s, int64_t param, int64_t first, uint32_t random[PCC_STAGE])
{
    for (int64_t at = 0; at < PCC_STAGE; at += PCC_RANDOM_GROUP)
        for (int lane = 0; lane < PCC_PHILOX_LANES; lane += PCC_PHILOX_WIDTH)
            pcc_random_lanes(s, -1 - param, (first + at) / PCC_RANDOM_GROUP, lane, random + at + 2 * lane);
}

/* All 16 bits that go are compared with the random ones, by addition. */
PCC_KERNEL PccBf16 pcc_bf16_from_f32_random(float x, uint32_t random)
{
    const uint32_t bits = pcc_bits_of_f32(x);
    const uint32_t rounded = (bits + random) >> 16, quiet = bits >> 16 | 0x40;
    return (PccBf16){(uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded)};
}

/* 13 bits go from a normal; a subnormal is a count of 2^-24, here with 16 bits behind the point. */
PCC_KERNEL PccF16 pcc_f16_from_f32_random(float x, uint32_t random)
{
    const uint32_t bits = pcc_bits_of_f32(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    const bool is_small = magnitude < 0x38800000u; /* below 2^-14 */
    const uint32_t normal = (magnitude - (112u << 23) + (random & 0x1fff)) >> 13;
    const float counted = pcc_f32_of_bits(is_small ? magnitude : 0) * 0x1p40f;
    const uint32_t subnormal = ((uint32_t)(int32_t)counted + random) >> 16;
    const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x3ff) : 0x7c00u;
    const uint32_t finite = is_small ? subnormal : normal;
    return (PccF16){(uint16_t)(sign | (magnitude >= 0x47800000u ? special : finite))};
}

/* Rounds a row to 16 bits at `to`; random: a word an element, NULL: to nearest. */
PCC_SHARED void pcc_round_row(const float *row, int64_t count, const uint32_t *random, PccDraw draw, PccOut to)
{
    PccBf16 *bf16 = to.data;
    PccF16 *f16 = to.data;
    if (!random) {
        pcc_commit(to, 0, count, row);
    } else if (to.dtype == PCC_BF16) {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            bf16[i] = pcc_bf16_from_f32_random(row[i], random[i] >> draw & 0xffff);
    } else {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            f16[i] = pcc_f16_from_f32_random(row[i], random[i] >> draw & 0xffff);
    }
}

#endif
