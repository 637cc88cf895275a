/* update_staged.cuh: the update of parameters that are not f32 or f64 throughout: 16-bit values, gradients and moments,
 * masters and compensations, stochastic rounding, copies, 8-bit moments.
 *
 * A warp holds a row of 256 elements in registers as f32: f32 storage is read and written directly, everything else is
 * widened or decoded before the rule and rounded or encoded after it, as in optimizer_staged.h. */
#ifndef PCC_UPDATE_STAGED_CUH
#define PCC_UPDATE_STAGED_CUH

#include "optimizer_remainder.h"
#include "update_moments.cuh"
#include "update_plain.cuh"

/* Counts of PccUpdate. */
struct PccUpdateCounts {
    int rounded = 0, lost = 0;
};

PCC_DEVICE PccUpdateDraws pcc_update_draws(const PccParam *param, int64_t index, const PccCudaUpdate *decided)
{
    const bool narrow_moments = param->moment_dtype == PCC_BF16 || param->moment_dtype == PCC_F16;
    PccUpdateDraws draws;
    draws.any = param->rounding == PCC_STOCHASTIC || (param->rounding != PCC_NEAREST && narrow_moments);
    draws.key = pcc_rounding_key(decided->seed, index);
    draws.update = (uint32_t)decided->update;
    return draws;
}

/* ---- weights ---------------------------------------------------------------------------------------------------- */

PCC_DEVICE bool pcc_has_master(const PccParam *param)
{
    return param->rounding == PCC_MASTER || param->rounding == PCC_REMAINDER;
}

PCC_DEVICE void pcc_read_joined(const char *value, const char *remainder, PccRowAt at, float w[PCC_LANE_ELEMENTS])
{
    PccBf16 upper[PCC_LANE_ELEMENTS];
    uint16_t lower[PCC_LANE_ELEMENTS];
    pcc_read_row((const PccBf16 *)(const void *)value, at, upper);
    pcc_read_row((const uint16_t *)(const void *)remainder, at, lower);
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
        w[k] = pcc_join_f32(upper[k], lower[k]);
}

PCC_DEVICE void pcc_write_split(char *value, char *remainder, PccRowAt at, const float w[PCC_LANE_ELEMENTS])
{
    uint16_t upper[PCC_LANE_ELEMENTS], lower[PCC_LANE_ELEMENTS];
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++) {
        const PccSplitF32 split = pcc_split_f32(w[k]);
        upper[k] = split.value.bits;
        lower[k] = split.remainder;
    }
    pcc_write_bits(value, at, upper);
    pcc_write_bits(remainder, at, lower);
}

/* The weight in f32: the value, the master, or the value and its compensation. */
PCC_DEVICE void pcc_read_weight(const PccParam *param, const char *weights, PccRowAt at, float w[PCC_LANE_ELEMENTS])
{
    const char *value = weights + param->value.offset, *extra = weights + param->extra;
    if (param->rounding == PCC_REMAINDER) {
        pcc_read_joined(value, extra, at, w);
        return;
    }
    if (param->rounding == PCC_MASTER) {
        pcc_read_wide_row(extra, PCC_F32, at, w);
        return;
    }
    pcc_read_wide_row(value, param->value.dtype, at, w);
    if (param->rounding == PCC_KAHAN) {
        float compensation[PCC_LANE_ELEMENTS];
        pcc_read_wide_row(extra, param->value.dtype, at, compensation);
        for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
            w[k] += compensation[k];
    }
}

/* A 16-bit value, or compensation, of a row before and after the update. */
struct PccNarrowRow {
    uint16_t old[PCC_LANE_ELEMENTS], now[PCC_LANE_ELEMENTS];
};

/* Adds what the row was to `before`. */
PCC_DEVICE void pcc_read_old(const char *stored, PccDtype dtype, PccRowAt at, PccNarrowRow &row,
                             float before[PCC_LANE_ELEMENTS])
{
    float wide[PCC_LANE_ELEMENTS];
    pcc_read_row((const uint16_t *)(const void *)stored, at, row.old);
    pcc_widen_bits(dtype, row.old, wide);
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
        before[k] += wide[k];
}

/* Rounds to a 16-bit value without a master; w becomes the rounded value. Counts elements whose update was not zero,
 * and of these those whose bits are unchanged: the value's and its compensation's. */
PCC_DEVICE void pcc_write_rounded(const PccParam *param, char *weights, PccRowAt at, PccUpdateDraws draws,
                                  float w[PCC_LANE_ELEMENTS], PccUpdateCounts &counts)
{
    const bool kahan = param->rounding == PCC_KAHAN;
    const PccDtype dtype = param->value.dtype;
    char *stored = weights + param->value.offset, *extra = weights + param->extra;
    PccNarrowRow value, left = {};
    float before[PCC_LANE_ELEMENTS] = {}, wide[PCC_LANE_ELEMENTS], rest[PCC_LANE_ELEMENTS];
    draws.any = draws.any && param->rounding == PCC_STOCHASTIC;
    pcc_round_to_bits(w, at, dtype, draws, PCC_DRAW_VALUE, value.now);
    pcc_widen_bits(dtype, value.now, wide);
    pcc_read_old(stored, dtype, at, value, before);
    pcc_write_bits(stored, at, value.now);
    if (kahan) {
        for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
            rest[k] = w[k] - wide[k];
        pcc_nearest_bits(dtype, rest, left.now);
        pcc_read_old(extra, dtype, at, left, before);
        pcc_write_bits(extra, at, left.now);
    }
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++) {
        const bool moved = w[k] != before[k] && pcc_row_element(k) < at.count;
        counts.rounded += moved;
        counts.lost += moved && value.now[k] == value.old[k] && left.now[k] == left.old[k];
        w[k] = wide[k];
    }
}

/* w becomes the source of the copies: the f32 weight where there is one, else the rounded value. */
PCC_DEVICE void pcc_write_weight(const PccParam *param, char *weights, PccRowAt at, PccUpdateDraws draws,
                                 float w[PCC_LANE_ELEMENTS], PccUpdateCounts &counts)
{
    char *value = weights + param->value.offset, *extra = weights + param->extra;
    if (param->rounding == PCC_REMAINDER) {
        pcc_write_split(value, extra, at, w);
    } else if (param->rounding == PCC_MASTER || param->value.dtype == PCC_F32) {
        pcc_write_row((float *)(void *)(pcc_has_master(param) ? extra : value), at, w);
        if (param->value.dtype != PCC_F32) {
            uint16_t bits[PCC_LANE_ELEMENTS];
            pcc_nearest_bits(param->value.dtype, w, bits);
            pcc_write_bits(value, at, bits);
        }
    } else {
        pcc_write_rounded(param, weights, at, draws, w, counts);
    }
}

PCC_DEVICE void pcc_write_copies(const PccParam *param, char *weights, PccRowAt at, const float w[PCC_LANE_ELEMENTS])
{
    for (int i = 0; i < param->copy_count; i++) {
        uint16_t bits[PCC_LANE_ELEMENTS];
        pcc_nearest_bits(param->copies[i].dtype, w, bits);
        pcc_write_bits(weights + param->copies[i].offset, at, bits);
    }
}

/* ---- rows and chunks -------------------------------------------------------------------------------------------- */

template <class Optimizer, class Maps>
PCC_DEVICE void pcc_update_row(PccFactors_f32 f, const Maps &maps, const PccParam *param, const PccStep *step,
                               PccRowAt at, PccUpdateDraws draws, PccUpdateCounts &counts)
{
    char *const weights = step->weights;
    const PccMoment first = pcc_first_moment(param), second = pcc_second_moment(param);
    float w[PCC_LANE_ELEMENTS], g[PCC_LANE_ELEMENTS], m[PCC_LANE_ELEMENTS], v[PCC_LANE_ELEMENTS] = {};
    pcc_read_weight(param, weights, at, w);
    pcc_read_wide_row(pcc_gradient(step, param), param->gradient_dtype, at, g);
    pcc_read_moment(maps, weights, first, at, m);
    if (Optimizer::moments > 1)
        pcc_read_moment(maps, weights, second, at, v);
    for (int k = 0; k < PCC_LANE_ELEMENTS; k++)
        Optimizer::apply(f, w[k], g[k], m[k], v[k], first.offset != PCC_NONE);
    pcc_write_moment(maps, weights, first, at, draws, m);
    if (Optimizer::moments > 1)
        pcc_write_moment(maps, weights, second, at, draws, v);
    pcc_write_weight(param, weights, at, draws, w, counts);
    pcc_write_copies(param, weights, at, w);
}

/* The maps in shared memory, where lanes can read different entries at the same time. */
PCC_DEVICE void pcc_share_maps(const PccMaps8 *maps, PccMaps8 &shared)
{
    const uint32_t *from = (const uint32_t *)(const void *)maps;
    uint32_t *to = (uint32_t *)(void *)&shared;
    for (unsigned i = threadIdx.x; i < sizeof shared / sizeof *to; i += blockDim.x)
        to[i] = from[i];
    __syncthreads();
}

PCC_DEVICE void pcc_share_maps(const PccMaps8 *, PccNoMaps &)
{
}

/* Integers: their sum is the same in any order. */
PCC_DEVICE void pcc_add_counts(PccUpdateCounts counts, PccUpdate *done)
{
    const int rounded = pcc_block_reduce<PccSum>(counts.rounded), lost = pcc_block_reduce<PccSum>(counts.lost);
    if (threadIdx.x == 0 && rounded > 0) {
        atomicAdd((unsigned long long *)(void *)&done->rounded, (unsigned long long)rounded);
        atomicAdd((unsigned long long *)(void *)&done->lost, (unsigned long long)lost);
    }
}

/* Every chunk of a parameter that is computed in f32. */
template <class Optimizer, class Maps>
static __global__ void __launch_bounds__(PCC_BLOCK, 2)
    pcc_update_staged_kernel(const PccParam *params, PccUpdatePlan plan, PccUpdate *done, const PccStep *step)
{
    __shared__ Maps of_block;
    if (plan.decided->skips)
        return;
    pcc_share_maps(&plan.decided->maps, of_block);
    const PccFactors_f32 factors = plan.decided->f32;
    for (int64_t c = blockIdx.x; c < plan.chunks; c += gridDim.x) {
        const PccCudaChunk chunk = plan.chunk[c];
        const PccParam *param = params + chunk.param;
        if (param->value.dtype == PCC_F64)
            continue;
        const PccUpdateDraws draws = pcc_update_draws(param, chunk.param, plan.decided);
        PccUpdateCounts counts;
        for (int row = (int)threadIdx.x / PCC_WARP * PCC_ROW; row < chunk.count;
             row += (int)blockDim.x / PCC_WARP * PCC_ROW) {
            const PccRowAt at = {chunk.first + row, min((int)PCC_ROW, chunk.count - row)};
            pcc_update_row<Optimizer>(factors, of_block, param, step, at, draws, counts);
        }
        pcc_add_counts(counts, done);
    }
}

#endif
