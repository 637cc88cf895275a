/* optimizer_round.h: rounding f32 rows to 16 bits, stochastically or to nearest. */
#ifndef PCC_OPTIMIZER_ROUND_H
#define PCC_OPTIMIZER_ROUND_H

#include "../common/storage.h"
#include "optimizer_draws.h"

enum { PCC_STAGE = 256 }; /* elements of a block that is updated through f32 rows */

/* The draws of a block in one update. */
typedef struct PccDraws {
    uint32_t update;
    uint32_t offset[PCC_STAGE]; /* of each element's sequences, the same in every update */
} PccDraws;

/* The offsets of elements [first, first + PCC_STAGE). */
PCC_KERNEL void pcc_rounding_offsets(PccRoundingKey key, int64_t first, uint32_t offset[PCC_STAGE])
{
    const uint32_t start = (uint32_t)first;
    for (uint32_t i = 0; i < PCC_STAGE; i++)
        offset[i] = pcc_rounding_offset(key, start + i);
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
