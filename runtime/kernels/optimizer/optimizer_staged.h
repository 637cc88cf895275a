/* optimizer_staged.h: the update of parameters that are not f32 throughout.
 *
 * A block of PCC_STAGE elements is updated in f32 rows: f32 storage is updated in place, everything else is widened or
 * decoded before the rule and rounded or encoded after it. So each rule exists once and works with every combination of
 * value, gradient and moment storage, rounding and copies. */
#ifndef PCC_OPTIMIZER_STAGED_H
#define PCC_OPTIMIZER_STAGED_H

#include "optimizer_moments8.h"
#include "optimizer_remainder.h"
#include "optimizer_round.h"
#include "optimizer_chunks.h"

#ifdef PCC_NARROW

_Static_assert(PCC_STAGE == PCC_MOMENT_BLOCK, "a block has one scale");

/* A block of a parameter that is being updated. */
typedef struct PccStage {
    const PccStep *s;
    const PccParam *param;
    int64_t first, count;
    const PccDraws *draws; /* NULL: everything is rounded to nearest */
} PccStage;

PCC_KERNEL PccOut pcc_stage_at(const PccStage *at, size_t offset, PccDtype dtype)
{
    return pcc_out_at((PccOut){at->s->weights + offset, dtype}, at->first);
}

/* The block as an f32 row: in place, or widened into the buffer. */
PCC_SHARED float *pcc_stage_stored(const PccStage *at, PccOut stored, float *buffer)
{
    pcc_read((PccIn){stored.data, stored.dtype}, 0, at->count, buffer);
    return pcc_write_to(stored, 0, buffer);
}

PCC_KERNEL float *pcc_stage_row(const PccStage *at, size_t offset, PccDtype dtype, float *buffer)
{
    return pcc_stage_stored(at, pcc_stage_at(at, offset, dtype), buffer);
}

PCC_KERNEL const float *pcc_stage_gradient(const PccStage *at, float *buffer)
{
    const PccOut whole = {pcc_gradient(at->s, at->param), at->param->gradient_dtype};
    return pcc_stage_stored(at, pcc_out_at(whole, at->first), buffer);
}

/* ---- moments -------------------------------------------------------------------------------------------------- */

typedef struct PccStageMoment {
    size_t offset, absmax;
    PccDraw draw;
    const PccMap8 *map;
} PccStageMoment;

PCC_KERNEL float *pcc_stage_scale(const PccStage *at, const PccStageMoment *moment)
{
    return (float *)(void *)(at->s->weights + moment->absmax) + at->first / PCC_MOMENT_BLOCK;
}

PCC_SHARED float *pcc_load_moment(const PccStage *at, const PccStageMoment *moment, float *buffer)
{
    if (moment->offset == PCC_NONE)
        return NULL;
    if (at->param->moment_dtype != PCC_U8)
        return pcc_stage_row(at, moment->offset, at->param->moment_dtype, buffer);
    const uint8_t *codes = (const uint8_t *)at->s->weights + moment->offset + at->first;
    pcc_map8_decode(moment->map, codes, *pcc_stage_scale(at, moment), at->count, buffer);
    return buffer;
}

PCC_SHARED void pcc_store_moment(const PccStage *at, const PccStageMoment *moment, const float *row)
{
    const PccDtype dtype = at->param->moment_dtype;
    if (!row || dtype == PCC_F32)
        return;
    if (dtype == PCC_U8) {
        uint8_t *codes = (uint8_t *)at->s->weights + moment->offset + at->first;
        *pcc_stage_scale(at, moment) = pcc_map8_encode(moment->map, row, at->count, codes);
        return;
    }
    pcc_round_row(row, at->count, at->draws, moment->draw, pcc_stage_at(at, moment->offset, dtype));
}

/* ---- values --------------------------------------------------------------------------------------------------- */

PCC_KERNEL bool pcc_has_master(const PccParam *param)
{
    return param->rounding == PCC_MASTER || param->rounding == PCC_REMAINDER;
}

PCC_SHARED void pcc_join_row(const PccBf16 *value, const uint16_t *remainder, int64_t count, float *row)
{
    for (int64_t i = 0; i < count; i++)
        row[i] = pcc_join_f32(value[i], remainder[i]);
}

PCC_SHARED void pcc_split_row(const float *row, int64_t count, PccBf16 *value, uint16_t *remainder)
{
    for (int64_t i = 0; i < count; i++) {
        const PccSplitF32 split = pcc_split_f32(row[i]);
        value[i] = split.value;
        remainder[i] = split.remainder;
    }
}

/* The weight in f32: the value, the master, or the value and its compensation. */
PCC_SHARED float *pcc_load_weight(const PccStage *at, float *buffer)
{
    const PccParam *param = at->param;
    if (param->rounding == PCC_MASTER)
        return pcc_stage_row(at, param->extra, PCC_F32, buffer);
    if (param->rounding == PCC_REMAINDER) {
        pcc_join_row(pcc_stage_at(at, param->value.offset, PCC_BF16).data,
                     pcc_stage_at(at, param->extra, PCC_BF16).data, at->count, buffer);
        return buffer;
    }
    float *row = pcc_stage_row(at, param->value.offset, param->value.dtype, buffer);
    if (param->rounding == PCC_KAHAN) {
        float compensation[PCC_STAGE];
        pcc_stage_row(at, param->extra, param->value.dtype, compensation);
        for (int64_t i = 0; i < at->count; i++)
            row[i] += compensation[i];
    }
    return row;
}

/* Counts the elements whose update was not zero and, of these, those whose bits are unchanged: the value's and the
 * compensation's, if any. */
PCC_SHARED void pcc_count_lost(const PccStage *at, const float *row, const uint16_t *value, const uint16_t *extra,
                               PccUpdate *done)
{
    float buffer[PCC_STAGE];
    const float *before = pcc_load_weight(at, buffer);
    const PccParam *param = at->param;
    const uint16_t *old_value = pcc_stage_at(at, param->value.offset, param->value.dtype).data, *old_extra = extra;
    if (param->rounding == PCC_KAHAN)
        old_extra = pcc_stage_at(at, param->extra, param->value.dtype).data;
    int32_t rounded = 0, lost = 0;
    for (int64_t i = 0; i < at->count; i++) {
        const int32_t moved = row[i] != before[i];
        rounded += moved;
        lost += moved & (value[i] == old_value[i]) & (extra[i] == old_extra[i]);
    }
    done->rounded += rounded;
    done->lost += lost;
}

/* The remainder of the row after rounding to the 16-bit value, in 16 bits. */
PCC_SHARED void pcc_compensate(const float *row, int64_t count, PccIn value, PccOut compensation)
{
    float left[PCC_STAGE];
    pcc_read(value, 0, count, left);
    for (int64_t i = 0; i < count; i++)
        left[i] = row[i] - left[i];
    pcc_commit(compensation, 0, count, left);
}

PCC_SHARED void pcc_store_weight(const PccStage *at, const float *row, PccUpdate *done)
{
    const PccParam *param = at->param;
    const PccDtype dtype = param->value.dtype;
    if (dtype == PCC_F32)
        return;
    const PccOut value = pcc_stage_at(at, param->value.offset, dtype);
    if (param->rounding == PCC_MASTER) {
        pcc_commit(value, 0, at->count, row);
        return;
    }
    if (param->rounding == PCC_REMAINDER) {
        pcc_split_row(row, at->count, value.data, pcc_stage_at(at, param->extra, PCC_BF16).data);
        return;
    }
    uint16_t rounded[PCC_STAGE], extra[PCC_STAGE] = {0};
    const bool kahan = param->rounding == PCC_KAHAN;
    const PccDraws *draws = param->rounding == PCC_STOCHASTIC ? at->draws : NULL;
    pcc_round_row(row, at->count, draws, PCC_DRAW_VALUE, (PccOut){rounded, dtype});
    if (kahan)
        pcc_compensate(row, at->count, (PccIn){rounded, dtype}, (PccOut){extra, dtype});
    pcc_count_lost(at, row, rounded, extra, done);
    __builtin_memcpy(value.data, rounded, (size_t)at->count * sizeof(*rounded));
    if (kahan)
        __builtin_memcpy(pcc_stage_at(at, param->extra, dtype).data, extra, (size_t)at->count * sizeof(*extra));
}

/* Writes the copies, from the f32 weight where there is one, else from the rounded value. */
PCC_SHARED void pcc_store_copies(const PccStage *at, const float *row, float *buffer)
{
    const PccParam *param = at->param;
    if (param->copy_count > 0 && !pcc_has_master(param))
        row = pcc_stage_row(at, param->value.offset, param->value.dtype, buffer);
    for (int i = 0; i < param->copy_count; i++)
        pcc_commit(pcc_stage_at(at, param->copies[i].offset, param->copies[i].dtype), 0, at->count, row);
}

/* ---- blocks and chunks ---------------------------------------------------------------------------------------- */

PCC_KERNEL void pcc_update_stage(const PccUpdateTerms *terms, PccUpdateChunk rule, const PccStage *at, PccUpdate *done)
{
    enum { ALIGN = 64 };
    _Alignas(ALIGN) float weight_row[PCC_STAGE], gradient_row[PCC_STAGE], moment1_row[PCC_STAGE],
        moment2_row[PCC_STAGE];
    const PccParam *param = at->param;
    const PccMaps8 *maps = terms->maps;
    const PccStageMoment first = {param->moment1, param->absmax1, PCC_DRAW_MOMENT1, maps ? &maps->with_sign : NULL};
    const PccStageMoment second = {param->moment2, param->absmax2, PCC_DRAW_MOMENT2, maps ? &maps->without : NULL};
    float *weight = pcc_load_weight(at, weight_row);
    const float *gradient = pcc_stage_gradient(at, gradient_row);
    float *moment1 = pcc_load_moment(at, &first, moment1_row), *moment2 = pcc_load_moment(at, &second, moment2_row);
    rule(terms, at->count, weight, gradient, moment1, moment2);
    pcc_store_moment(at, &first, moment1);
    pcc_store_moment(at, &second, moment2);
    pcc_store_weight(at, weight, done);
    pcc_store_copies(at, weight, weight_row);
}

/* Is anything of the parameter rounded stochastically? */
PCC_KERNEL bool pcc_is_drawn(const PccParam *param)
{
    const bool narrow_moments = param->moment_dtype == PCC_BF16 || param->moment_dtype == PCC_F16;
    return param->rounding == PCC_STOCHASTIC || (param->rounding != PCC_NEAREST && narrow_moments);
}

PCC_SHARED void pcc_update_staged(const PccUpdateTerms *terms, PccUpdateChunk rule, const PccParam *param,
                                  PccChunk chunk, const PccStep *s, PccUpdate *done)
{
    PccDraws draws;
    const bool is_drawn = pcc_is_drawn(param);
    const PccRoundingKey key = is_drawn ? pcc_rounding_key(s->seed, terms->first + chunk.param) : (PccRoundingKey){0};
    draws.update = (uint32_t)s->update;
    PccStage at = {.s = s, .param = param, .first = chunk.first, .draws = is_drawn ? &draws : NULL};
    const int64_t end = chunk.first + chunk.count;
    for (; at.first < end; at.first += PCC_STAGE) {
        at.count = pcc_min_i64(PCC_STAGE, end - at.first);
        if (is_drawn)
            pcc_rounding_offsets(key, at.first, draws.offset);
        pcc_update_stage(terms, rule, &at, done);
    }
}

#endif /* PCC_NARROW */

#endif
