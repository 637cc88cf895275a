/* update_rows.cuh: blocks of 256 elements in a warp's registers, as f32, whatever they are stored in.
 *
 * A lane has eight of them, four in each half of the block, so that the warp's accesses are whole sectors of memory for
 * 8, 16 and 32 bits alike. */
#ifndef PCC_UPDATE_ROWS_CUH
#define PCC_UPDATE_ROWS_CUH

#include "../common/block.cuh"
#include "optimizer_draws.h"

enum { PCC_ROW = PCC_MOMENT_BLOCK, PCC_ROW_HALVES = 2, PCC_LANE_VECTOR = 4, PCC_LANE_ELEMENTS = 8 };
static_assert(PCC_ROW == PCC_WARP * PCC_LANE_ELEMENTS, "a row is a warp's, and has one scale in 8 bits");

/* The `count` elements of a parameter from `first` on, whole rows but for its last. */
struct PccRowAt {
    int64_t first;
    int count;
};

/* Element of the row that is element k of the calling lane. */
PCC_DEVICE int pcc_row_element(int k)
{
    const int lane = (int)threadIdx.x % PCC_WARP;
    return k / PCC_LANE_VECTOR * (PCC_ROW / PCC_ROW_HALVES) + lane * PCC_LANE_VECTOR + k % PCC_LANE_VECTOR;
}

/* What is behind the row's last element is 0. */
template <class X> PCC_DEVICE void pcc_read_row(const X *p, PccRowAt at, X x[PCC_LANE_ELEMENTS])
{
    p += at.first;
    const bool aligned = pcc_is_aligned<PCC_LANE_VECTOR>(p, 0);
    for (int half = 0; half < PCC_ROW_HALVES; half++) {
        const int from = half * PCC_LANE_VECTOR, element = pcc_row_element(from);
        if (aligned && element + PCC_LANE_VECTOR <= at.count) {
            const PccVector<X, PCC_LANE_VECTOR> v = pcc_load_vector<PCC_LANE_VECTOR>(p + element);
            for (int k = 0; k < PCC_LANE_VECTOR; k++)
                x[from + k] = v.at[k];
        } else {
            for (int k = 0; k < PCC_LANE_VECTOR; k++)
                x[from + k] = element + k < at.count ? p[element + k] : X{};
        }
    }
}

template <class X> PCC_DEVICE void pcc_write_row(X *p, PccRowAt at, const X x[PCC_LANE_ELEMENTS])
{
    p += at.first;
    const bool aligned = pcc_is_aligned<PCC_LANE_VECTOR>(p, 0);
    for (int half = 0; half < PCC_ROW_HALVES; half++) {
        const int from = half * PCC_LANE_VECTOR, element = pcc_row_element(from);
        if (aligned && element + PCC_LANE_VECTOR <= at.count) {
            PccVector<X, PCC_LANE_VECTOR> v;
            for (int k = 0; k < PCC_LANE_VECTOR; k++)
                v.at[k] = x[from + k];
            pcc_store_vector(p + element, v);
        } else {
            for (int k = 0; k < PCC_LANE_VECTOR; k++)
                if (element + k < at.count)
                    p[element + k] = x[from + k];
        }
    }
}

/* ---- 16 bits ---------------------------------------------------------------------------------------------------- */

PCC_DEVICE float pcc_widen_bits(PccDtype dtype, uint16_t bits)
{
    const PccBf16 bf16 = {bits};
    const PccF16 f16 = {bits};
    return dtype == PCC_BF16 ? pcc_wide(bf16) : pcc_wide(f16);
}

PCC_DEVICE uint16_t pcc_nearest_bits(PccDtype dtype, float x)
{
    return dtype == PCC_BF16 ? pcc_bf16_from_f32(x).bits : pcc_f16_from_f32(x).bits;
}

PCC_DEVICE uint16_t pcc_random_bits_of(PccDtype dtype, float x, uint32_t random)
{
    return dtype == PCC_BF16 ? pcc_bf16_from_f32_random(x, random).bits : pcc_f16_from_f32_random(x, random).bits;
}

/* Elements of f32, bf16 or f16, widened. */
PCC_DEVICE void pcc_read_wide_row(const char *stored, PccDtype dtype, PccRowAt at, float x[PCC_LANE_ELEMENTS])
{
    const void *p = stored;
    if (dtype == PCC_F32) {
        pcc_read_row((const float *)p, at, x);
        return;
    }
    uint16_t bits[PCC_LANE_ELEMENTS];
    pcc_read_row((const uint16_t *)p, at, bits);
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
        x[k] = pcc_widen_bits(dtype, bits[k]);
}

/* The draws of a parameter in one update. */
struct PccUpdateDraws {
    bool any; /* else everything is rounded to nearest */
    PccRoundingKey key;
    uint32_t update;
};

PCC_DEVICE void pcc_round_to_bits(const float x[PCC_LANE_ELEMENTS], PccRowAt at, PccDtype dtype, PccUpdateDraws draws,
                                  PccDraw draw, uint16_t bits[PCC_LANE_ELEMENTS])
{
    const uint32_t phase = pcc_rounding_phase(draw, draws.update);
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++) {
        const uint32_t offset = pcc_rounding_offset(draws.key, (uint32_t)at.first + (uint32_t)pcc_row_element(k));
        const uint32_t random = pcc_rounding_bits(offset, draw, phase);
        bits[k] = draws.any ? pcc_random_bits_of(dtype, x[k], random) : pcc_nearest_bits(dtype, x[k]);
    }
}

PCC_DEVICE void pcc_write_bits(char *stored, PccRowAt at, const uint16_t bits[PCC_LANE_ELEMENTS])
{
    pcc_write_row((uint16_t *)(void *)stored, at, bits);
}

#endif
