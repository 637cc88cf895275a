/* update_moments.cuh: rows of moments of any storage: f32, 16 bits, and 8 bits with a scale for each row. */
#ifndef PCC_UPDATE_MOMENTS_CUH
#define PCC_UPDATE_MOMENTS_CUH

#include "optimizer_map8.h"
#include "update_rows.cuh"
#include "update_rules.cuh"

/* One of a parameter's moments. */
struct PccMoment {
    size_t offset, absmax; /* in the weights block; offset PCC_NONE: there is none */
    PccDtype dtype;
    PccDraw draw;
};

PCC_DEVICE PccMoment pcc_first_moment(const PccParam *param)
{
    return {param->moment1, param->absmax1, param->moment_dtype, PCC_DRAW_MOMENT1};
}

PCC_DEVICE PccMoment pcc_second_moment(const PccParam *param)
{
    return {param->moment2, param->absmax2, param->moment_dtype, PCC_DRAW_MOMENT2};
}

PCC_DEVICE const PccMap8 *pcc_map_of(const PccMaps8 &maps, PccDraw draw)
{
    return draw == PCC_DRAW_MOMENT1 ? &maps.with_sign : &maps.without;
}

PCC_DEVICE float *pcc_row_scale(char *weights, PccMoment moment, PccRowAt at)
{
    return (float *)(void *)(weights + moment.absmax) + at.first / PCC_ROW;
}

/* ---- 8 bits ----------------------------------------------------------------------------------------------------- */

PCC_DEVICE void pcc_decode_row(const PccMaps8 &maps, char *weights, PccMoment moment, PccRowAt at,
                               float x[PCC_LANE_ELEMENTS])
{
    const PccMap8 *map = pcc_map_of(maps, moment.draw);
    const float scale = *pcc_row_scale(weights, moment, at);
    uint8_t codes[PCC_LANE_ELEMENTS];
    pcc_read_row((const uint8_t *)weights + moment.offset, at, codes);
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
        x[k] = map->value[codes[k]] * scale;
}

/* The warp's largest magnitude, as in pcc_row_absmax(): compared as integers, whose order is the same. */
PCC_DEVICE float pcc_largest_of_row(const float x[PCC_LANE_ELEMENTS], PccRowAt at)
{
    int32_t most = 0;
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++) {
        const int32_t bits = (int32_t)(pcc_bits_of_f32(x[k]) & 0x7fffffff);
        most = pcc_row_element(k) < at.count && bits > most ? bits : most;
    }
    for (int lane = PCC_WARP / 2; lane > 0; lane /= 2) {
        const int32_t other = __shfl_xor_sync(0xffffffffu, most, lane);
        most = other > most ? other : most;
    }
    return pcc_f32_of_bits((uint32_t)most);
}

/* The last decade whose beginning is below a magnitude. */
PCC_DEVICE int32_t pcc_rank_of(const PccMap8 *map, float magnitude)
{
    int decade = -1;
    for (int d = 0; d <= PCC_DECADES8; d++)
        decade += magnitude > map->decade[d].least;
    return decade < 0 ? 0 : pcc_map8_rank(map->decade[decade], magnitude);
}

PCC_DEVICE void pcc_encode_row(const PccMaps8 &maps, char *weights, PccMoment moment, PccRowAt at,
                               const float x[PCC_LANE_ELEMENTS])
{
    const PccMap8 *map = pcc_map_of(maps, moment.draw);
    const float scale = pcc_largest_of_row(x, at), inverse = pcc_map8_inverse(scale);
    uint8_t codes[PCC_LANE_ELEMENTS];
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
        codes[k] = pcc_map8_code(map->zero, x[k], pcc_rank_of(map, pcc_map8_magnitude(x[k], inverse)));
    pcc_write_row((uint8_t *)weights + moment.offset, at, codes);
    if (threadIdx.x % PCC_WARP == 0)
        *pcc_row_scale(weights, moment, at) = scale;
}

PCC_DEVICE void pcc_decode_row(PccNoMaps, char *, PccMoment, PccRowAt, float *)
{
}

PCC_DEVICE void pcc_encode_row(PccNoMaps, char *, PccMoment, PccRowAt, const float *)
{
}

/* ---- any storage ------------------------------------------------------------------------------------------------ */

template <class Maps>
PCC_DEVICE void pcc_read_moment(const Maps &maps, char *weights, PccMoment moment, PccRowAt at,
                                float x[PCC_LANE_ELEMENTS])
{
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
        x[k] = 0;
    if (moment.offset == PCC_NONE)
        return;
    if (moment.dtype == PCC_U8)
        pcc_decode_row(maps, weights, moment, at, x);
    else
        pcc_read_wide_row(weights + moment.offset, moment.dtype, at, x);
}

template <class Maps>
PCC_DEVICE void pcc_write_moment(const Maps &maps, char *weights, PccMoment moment, PccRowAt at, PccUpdateDraws draws,
                                 const float x[PCC_LANE_ELEMENTS])
{
    if (moment.offset == PCC_NONE)
        return;
    if (moment.dtype == PCC_U8) {
        pcc_encode_row(maps, weights, moment, at, x);
        return;
    }
    if (moment.dtype == PCC_F32) {
        pcc_write_row((float *)(void *)(weights + moment.offset), at, x);
        return;
    }
    uint16_t bits[PCC_LANE_ELEMENTS];
    pcc_round_to_bits(x, at, moment.dtype, draws, moment.draw, bits);
    pcc_write_bits(weights + moment.offset, at, bits);
}

#endif
