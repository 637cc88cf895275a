/* update_rows.cuh: blocks of 256 elements in a warp's registers, as f32, for every storage type.
 *
 * A lane holds eight of them, four in each half of the block, so that the warp accesses whole sectors of memory with 8,
 * 16 and 32 bits. */
#ifndef PCC_UPDATE_ROWS_CUH
#define PCC_UPDATE_ROWS_CUH

#include "../common/block.cuh"
#include "optimizer_draws.h"

enum { PCC_ROW = PCC_MOMENT_BLOCK, PCC_ROW_HALVES = 2, PCC_LANE_VECTOR = 4, PCC_LANE_ELEMENTS = 8 };
static_assert(PCC_ROW == PCC_WARP * PCC_LANE_ELEMENTS, "a row is a warp's, and has one scale in 8 bits");

/* The `count` elements of a parameter from `first` on; a full row except for the last. */
struct PccRowAt {
    int64_t first;
    int count;
};

/* The position in the row of element k of the calling lane. */
PCC_DEVICE int pcc_row_element(int k)
{
    const int lane = (int)threadIdx.x % PCC_WARP;
    return k / PCC_LANE_VECTOR * (PCC_ROW / PCC_ROW_HALVES) + lane * PCC_LANE_VECTOR + k % PCC_LANE_VECTOR;
}

/* Elements past the row's end are 0. */
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

/* Rows of H, PccBf16 or PccF16: the dtype is tested once for each row, not for each element. */
template <class H> PCC_DEVICE void pcc_widen_row_of(const uint16_t bits[PCC_LANE_ELEMENTS], float x[PCC_LANE_ELEMENTS])
{
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
        x[k] = pcc_wide(H{bits[k]});
}

template <class H> PCC_DEVICE void pcc_narrow_row_of(const float x[PCC_LANE_ELEMENTS], uint16_t bits[PCC_LANE_ELEMENTS])
{
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
        bits[k] = pcc_narrowed<H>(x[k]).bits;
}

PCC_DEVICE void pcc_widen_bits(PccDtype dtype, const uint16_t bits[PCC_LANE_ELEMENTS], float x[PCC_LANE_ELEMENTS])
{
    if (dtype == PCC_BF16)
        pcc_widen_row_of<PccBf16>(bits, x);
    else
        pcc_widen_row_of<PccF16>(bits, x);
}

PCC_DEVICE void pcc_nearest_bits(PccDtype dtype, const float x[PCC_LANE_ELEMENTS], uint16_t bits[PCC_LANE_ELEMENTS])
{
    if (dtype == PCC_BF16)
        pcc_narrow_row_of<PccBf16>(x, bits);
    else
        pcc_narrow_row_of<PccF16>(x, bits);
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
    pcc_widen_bits(dtype, bits, x);
}

/* The draws of a parameter in one update. */
struct PccUpdateDraws {
    bool any; /* otherwise everything is rounded to nearest */
    PccRoundingKey key;
    uint32_t update;
};

PCC_DEVICE void pcc_round_to_bits(const float x[PCC_LANE_ELEMENTS], PccRowAt at, PccDtype dtype, PccUpdateDraws draws,
                                  PccDraw draw, uint16_t bits[PCC_LANE_ELEMENTS])
{
    if (!draws.any) {
        pcc_nearest_bits(dtype, x, bits);
        return;
    }
    const uint32_t phase = pcc_rounding_phase(draw, draws.update);
    uint32_t random[PCC_LANE_ELEMENTS];
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++) {
        const uint32_t offset = pcc_rounding_offset(draws.key, (uint32_t)at.first + (uint32_t)pcc_row_element(k));
        random[k] = pcc_rounding_bits(offset, draw, phase);
    }
    for (int k = 0; k < PCC_LANE_ELEMENTS && dtype == PCC_BF16; k++)
        bits[k] = pcc_bf16_from_f32_random(x[k], random[k]).bits;
    for (int k = 0; k < PCC_LANE_ELEMENTS && dtype != PCC_BF16; k++)
        bits[k] = pcc_f16_from_f32_random(x[k], random[k]).bits;
}

PCC_DEVICE void pcc_write_bits(char *stored, PccRowAt at, const uint16_t bits[PCC_LANE_ELEMENTS])
{
    pcc_write_row((uint16_t *)(void *)stored, at, bits);
}

#endif
