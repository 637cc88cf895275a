/* optimizer_moments8.h: 8-bit moments (Dettmers, Lewis, Shleifer, Zettlemoyer, "8-bit Optimizers via Block-wise
 * Quantization", ICLR 2022).
 *
 * A block of PCC_MOMENT_BLOCK elements is a scale, its largest magnitude, and a code an element, which stands for the
 * scale times an entry of the dynamic map. The map is dense near 1 and keeps seven decades: decade i = 0 ... 6, which
 * ends at 10^(i - 6), is cut into 2^i equal steps (2^(i + 1) where there is no sign), whose midpoints are entries; so
 * are 0 and 1, and with a sign the midpoints' negatives: 256 in all. */
#ifndef PCC_OPTIMIZER_MOMENTS8_H
#define PCC_OPTIMIZER_MOMENTS8_H

#include "storage.h"

/* A magnitude's cell is its exponent and first seven bits, from 2^-23, below which all are 0, to 1. No cell holds two
 * boundaries: the narrowest steps are 0.9 / 128, below 1, where cells are 1 / 256 wide. */
enum { PCC_CODES8 = 256, PCC_CELL8_SHIFT = 16, PCC_FIRST_CELL8 = (127 - 23) << 7, PCC_LAST_CELL8 = 127 << 7 };

typedef struct PccMap8 {
    float value[PCC_CODES8];    /* by code, ascending */
    float boundary[PCC_CODES8]; /* by a magnitude's rank among the entries >= 0: the middle between it and the next */
    int32_t rank[PCC_LAST_CELL8 - PCC_FIRST_CELL8 + 1]; /* by cell: of its least magnitude */
    int32_t zero;                                       /* the code of 0 */
} PccMap8;

typedef struct PccMaps8 {
    PccMap8 with_sign, without; /* of the first and of the second moment */
} PccMaps8;

/* Entries >= 0 in ascending order; returns their count. */
PCC_SHARED int32_t pcc_map8_magnitudes(bool with_sign, float magnitude[PCC_CODES8])
{
    int32_t count = 0;
    magnitude[count++] = 0;
    for (int decade = 0; decade < 7; decade++) {
        const int steps = 1 << (with_sign ? decade : decade + 1);
        double end = 1;
        for (int i = decade; i < 6; i++)
            end /= 10;
        for (int i = 0; i < steps; i++)
            magnitude[count++] = (float)(end * (0.1 + 0.9 * (i + 0.5) / steps));
    }
    magnitude[count++] = 1;
    return count;
}

PCC_SHARED void pcc_map8_make(bool with_sign, PccMap8 *map)
{
    float magnitude[PCC_CODES8];
    const int32_t count = pcc_map8_magnitudes(with_sign, magnitude);
    map->zero = PCC_CODES8 - count;
    for (int32_t i = 0; i < count; i++)
        map->value[map->zero + i] = magnitude[i];
    for (int32_t i = 0; i < map->zero; i++) /* 1 has no negative */
        map->value[i] = -magnitude[map->zero - i];
    for (int32_t i = 0; i < PCC_CODES8; i++)
        map->boundary[i] = i + 1 < count ? (magnitude[i] + magnitude[i + 1]) / 2 : __builtin_inff();
    int32_t rank = 0;
    for (int32_t cell = PCC_FIRST_CELL8; cell <= PCC_LAST_CELL8; cell++) {
        while (map->boundary[rank] < pcc_f32_of_bits((uint32_t)cell << PCC_CELL8_SHIFT))
            rank++;
        map->rank[cell - PCC_FIRST_CELL8] = rank;
    }
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

/* The code nearest to x, which is in [-1, 1]. */
PCC_KERNEL uint8_t pcc_map8_code(const PccMap8 *map, float x)
{
    const int32_t bits = (int32_t)pcc_bits_of_f32(x), magnitude = bits & 0x7fffffff;
    int32_t cell = (magnitude >> PCC_CELL8_SHIFT) - PCC_FIRST_CELL8;
    cell = cell < 0 ? 0 : cell > PCC_LAST_CELL8 - PCC_FIRST_CELL8 ? PCC_LAST_CELL8 - PCC_FIRST_CELL8 : cell;
    int32_t rank = map->rank[cell];
    rank += pcc_f32_of_bits((uint32_t)magnitude) > map->boundary[rank];
    const int32_t below = rank < map->zero ? rank : map->zero;
    return (uint8_t)(map->zero + (bits < 0 ? -below : rank));
}

/* Codes of a row; returns its scale. */
PCC_KERNEL float pcc_map8_encode(const PccMap8 *map, const float *row, int64_t count, uint8_t *codes)
{
    const float scale = pcc_row_absmax(row, count);
    const float inverse = scale >= 0x1p-126f ? 1 / scale : 0; /* of a subnormal scale it might be infinite */
    for (int64_t i = 0; i < count; i++)
        codes[i] = pcc_map8_code(map, row[i] * inverse);
    return scale;
}

#endif
