/* optimizer_map8.h: the codes of 8-bit moments (Dettmers, Lewis, Shleifer, Zettlemoyer, "8-bit Optimizers via
 * Block-wise Quantization", ICLR 2022).
 *
 * A block of PCC_MOMENT_BLOCK elements is a scale, its largest magnitude, and a code for each element, which represents
 * the scale times an entry of the dynamic map. The map is dense near 1 and covers seven decades: decade i = 0 ... 6,
 * which ends at 10^(i - 6), is cut into 2^i equal steps (2^(i + 1) where there is no sign), whose midpoints are
 * entries; 0 and 1 are entries too, and with a sign the negated midpoints: 256 in all. */
#ifndef PCC_OPTIMIZER_MAP8_H
#define PCC_OPTIMIZER_MAP8_H

#include <math.h>

#include "../../program.h"
#include "../common/inline.h"

enum { PCC_CODES8 = 256, PCC_DECADES8 = 7 };

/* A range of magnitudes whose nearest entries are the equal steps of a decade; the last one has only the entry 1. */
typedef struct PccDecade8 {
    float least;         /* half way between the decade's first entry and the one below */
    float low, inverse;  /* its lower end; steps by magnitude */
    int32_t first, last; /* rank of its first entry among the entries >= 0; its last step */
} PccDecade8;

typedef struct PccMap8 {
    float value[PCC_CODES8]; /* by code, ascending */
    PccDecade8 decade[PCC_DECADES8 + 1];
    int32_t zero; /* the code of 0 */
} PccMap8;

typedef struct PccMaps8 {
    PccMap8 with_sign, without; /* of the first and of the second moment */
} PccMaps8;

/* 10^(decade - 6). */
PCC_KERNEL double pcc_decade8_end(int decade)
{
    double end = 1;
    for (int i = decade; i < PCC_DECADES8 - 1; i++)
        end /= 10;
    return end;
}

/* Entries >= 0 in ascending order and their decades; returns their count. */
PCC_SHARED int32_t pcc_map8_magnitudes(bool with_sign, float magnitude[PCC_CODES8], PccDecade8 *decades)
{
    int32_t count = 0;
    magnitude[count++] = 0;
    for (int d = 0; d < PCC_DECADES8; d++) {
        const int32_t steps = 1 << (with_sign ? d : d + 1);
        const double end = pcc_decade8_end(d);
        const PccDecade8 decade = {0, (float)(end * 0.1), (float)(steps / (end * 0.9)), count, steps - 1};
        decades[d] = decade;
        for (int32_t i = 0; i < steps; i++)
            magnitude[count++] = (float)(end * (0.1 + 0.9 * (i + 0.5) / steps));
    }
    const PccDecade8 one = {0, 0, 0, count, 0};
    decades[PCC_DECADES8] = one;
    magnitude[count++] = 1;
    for (int d = 0; d <= PCC_DECADES8; d++)
        decades[d].least = (magnitude[decades[d].first - 1] + magnitude[decades[d].first]) / 2;
    return count;
}

PCC_SHARED void pcc_map8_make(bool with_sign, PccMap8 *map)
{
    float magnitude[PCC_CODES8];
    const int32_t count = pcc_map8_magnitudes(with_sign, magnitude, map->decade);
    map->zero = PCC_CODES8 - count;
    for (int32_t i = 0; i < count; i++)
        map->value[map->zero + i] = magnitude[i];
    for (int32_t i = 0; i < map->zero; i++) /* 1 has no negative */
        map->value[i] = -magnitude[map->zero - i];
}

/* The factor that scales magnitudes to [0, 1]. */
PCC_KERNEL float pcc_map8_inverse(float scale)
{
    return scale >= 0x1p-126f ? 1 / scale : 0; /* for a subnormal scale it could be infinite */
}

PCC_KERNEL float pcc_map8_magnitude(float x, float inverse)
{
    const float magnitude = fabsf(x * inverse);
    return magnitude < 1 ? magnitude : 1; /* also for NaN */
}

/* Rank of the entry nearest to a magnitude above decade.least, among the entries of the decade. */
PCC_KERNEL int32_t pcc_map8_rank(PccDecade8 decade, float magnitude)
{
    const int32_t step = (int32_t)((magnitude - decade.low) * decade.inverse);
    return decade.first + (step < decade.last ? step : decade.last);
}

PCC_KERNEL uint8_t pcc_map8_code(int32_t zero, float x, int32_t rank)
{
    const int32_t below = rank < zero ? rank : zero; /* 1 has no negative */
    return (uint8_t)(zero + (x < 0 ? -below : rank));
}

#endif
