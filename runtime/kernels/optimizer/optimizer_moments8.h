/* optimizer_moments8.h: 8-bit moments (Dettmers, Lewis, Shleifer, Zettlemoyer, "8-bit Optimizers via Block-wise
 * Quantization", ICLR 2022).
 *
 * A block of PCC_MOMENT_BLOCK elements is a scale, its largest magnitude, and a code an element, which stands for the
 * scale times an entry of the dynamic map. The map is dense near 1 and keeps seven decades: decade i = 0 ... 6, which
 * ends at 10^(i - 6), is cut into 2^i equal steps (2^(i + 1) where there is no sign), whose midpoints are entries; so
 * are 0 and 1, and with a sign the midpoints' negatives: 256 in all. */
#ifndef PCC_OPTIMIZER_MOMENTS8_H
#define PCC_OPTIMIZER_MOMENTS8_H

#include "../common/storage.h"

enum { PCC_CODES8 = 256, PCC_DECADES8 = 7 };

/* Where the nearest entries of a magnitude are the equal steps of a decade; the last one has the entry 1 alone. */
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
        decades[d] = (PccDecade8){
            .low = (float)(end * 0.1), .inverse = (float)(steps / (end * 0.9)), .first = count, .last = steps - 1};
        for (int32_t i = 0; i < steps; i++)
            magnitude[count++] = (float)(end * (0.1 + 0.9 * (i + 0.5) / steps));
    }
    decades[PCC_DECADES8] = (PccDecade8){.first = count};
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

PCC_KERNEL void pcc_map8_decode(const PccMap8 *map, const uint8_t *codes, float scale, int64_t count, float *row)
{
    for (int64_t i = 0; i < count; i++)
        row[i] = map->value[codes[i]] * scale;
}

/* The largest magnitude of a row: as integers, magnitudes have the same order. */
PCC_KERNEL float pcc_row_absmax(const float *row, int64_t count)
{
    int32_t most = 0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t bits = (int32_t)(pcc_bits_of_f32(row[i]) & 0x7fffffff);
        most = bits > most ? bits : most;
    }
    return pcc_f32_of_bits((uint32_t)most);
}

/* Ranks of the entries nearest to magnitudes from 0 to 1. Each decade overwrites the ranks of what reaches into it, in
 * a loop of its own: nothing is looked up. */
PCC_KERNEL void pcc_map8_ranks(const PccMap8 *map, const float *magnitude, int64_t count, int32_t *rank)
{
    for (int64_t i = 0; i < count; i++)
        rank[i] = 0;
    for (int d = 0; d <= PCC_DECADES8; d++) {
        const PccDecade8 decade = map->decade[d];
#pragma omp simd
        for (int64_t i = 0; i < count; i++) {
            const int32_t step = (int32_t)((magnitude[i] - decade.low) * decade.inverse);
            const int32_t nearest = decade.first + (step < decade.last ? step : decade.last);
            rank[i] = magnitude[i] > decade.least ? nearest : rank[i];
        }
    }
}

/* Codes of a row; returns its scale. */
PCC_KERNEL float pcc_map8_encode(const PccMap8 *map, const float *row, int64_t count, uint8_t *codes)
{
    float magnitude[PCC_MOMENT_BLOCK];
    int32_t rank[PCC_MOMENT_BLOCK];
    const float scale = pcc_row_absmax(row, count);
    const float inverse = scale >= 0x1p-126f ? 1 / scale : 0; /* of a subnormal scale it might be infinite */
    for (int64_t i = 0; i < count; i++) {
        const float x = __builtin_fabsf(row[i] * inverse);
        magnitude[i] = x < 1 ? x : 1; /* also where it is NaN */
    }
    pcc_map8_ranks(map, magnitude, count, rank);
    const int32_t zero = map->zero;
    for (int64_t i = 0; i < count; i++) {
        const int32_t below = rank[i] < zero ? rank[i] : zero;
        codes[i] = (uint8_t)(zero + (row[i] < 0 ? -below : rank[i]));
    }
    return scale;
}

#endif
