/* optimizer_moments8.h: rows of 8-bit moments. */
#ifndef PCC_OPTIMIZER_MOMENTS8_H
#define PCC_OPTIMIZER_MOMENTS8_H

#include "../common/storage.h"
#include "optimizer_map8.h"

PCC_KERNEL void pcc_map8_decode(const PccMap8 *map, const uint8_t *codes, float scale, int64_t count, float *row)
{
    for (int64_t i = 0; i < count; i++)
        row[i] = map->value[codes[i]] * scale;
}

/* The largest magnitude of a row, compared as integers, whose order is the same. */
PCC_KERNEL float pcc_row_absmax(const float *row, int64_t count)
{
    int32_t most = 0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t bits = (int32_t)(pcc_bits_of_f32(row[i]) & 0x7fffffff);
        most = bits > most ? bits : most;
    }
    return pcc_f32_of_bits((uint32_t)most);
}

/* Ranks of the entries nearest to magnitudes from 0 to 1. Each decade overwrites the ranks of the magnitudes above its
 * beginning, in its own loop, so that no table lookups are needed. */
PCC_KERNEL void pcc_map8_ranks(const PccMap8 *map, const float *magnitude, int64_t count, int32_t *rank)
{
    for (int64_t i = 0; i < count; i++)
        rank[i] = 0;
    for (int d = 0; d <= PCC_DECADES8; d++) {
        const PccDecade8 decade = map->decade[d];
#pragma omp simd
        for (int64_t i = 0; i < count; i++) {
            const int32_t nearest = pcc_map8_rank(decade, magnitude[i]);
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
    const float inverse = pcc_map8_inverse(scale);
    for (int64_t i = 0; i < count; i++)
        magnitude[i] = pcc_map8_magnitude(row[i], inverse);
    pcc_map8_ranks(map, magnitude, count, rank);
    const int32_t zero = map->zero;
    for (int64_t i = 0; i < count; i++)
        codes[i] = pcc_map8_code(zero, row[i], rank[i]);
    return scale;
}

#endif
