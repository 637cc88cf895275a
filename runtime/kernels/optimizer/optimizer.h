/* optimizer.h: update(): unscale, check, clip and update every parameter, with PyTorch's arithmetic.
 *
 *   PccUpdate pcc_sgd(params, count, s), pcc_adam(...), pcc_adamw(...), pcc_lion(...)
 *   PccUpdate pcc_adamw8bit(...), and 16-bit weights, moments and copies: where PCC_NARROW is defined
 *
 * The parameters are cut into chunks of equal size that threads share evenly however many small parameters there are.
 * One pass over the weights at memory bandwidth; a second one before it, over the gradients alone, only where their
 * norm (s->clip_norm > 0) or their finiteness (s->check_gradients) must be known first. When a gradient is not finite,
 * nothing is updated and first_overflow names its parameter.
 *
 * A rule is only arithmetic (optimizer.inc); optimizer_staged.h, which a program without 16-bit storage does not
 * compile, does the storing, rounding and copying of weights and moments. */
#ifndef PCC_OPTIMIZER_H
#define PCC_OPTIMIZER_H

#include "optimizer_chunks.h"
#include "optimizer_roots.h"
#include "optimizer_staged.h"
#include "optimizer_terms.h"

#define PCC_TEMPLATE "../optimizer/optimizer.inc"
#include "../common/for_floats.inc"
#undef PCC_TEMPLATE

/* A whole chunk in place: value, gradient and moments have one dtype, f32 or f64, and there are no copies. */
PCC_KERNEL void pcc_update_plain(PccUpdateRule rule, const PccUpdateTerms *terms, const PccParam *param, PccChunk chunk,
                                 const PccStep *s)
{
    const bool wide = param->value.dtype == PCC_F64;
    const size_t at = (size_t)chunk.first * (wide ? sizeof(double) : sizeof(float));
    char *weights = s->weights;
    (wide ? rule.f64 : rule.f32)(terms, chunk.count, weights + param->value.offset + at, pcc_gradient(s, param) + at,
                                 param->moment1 == PCC_NONE ? NULL : weights + param->moment1 + at,
                                 param->moment2 == PCC_NONE ? NULL : weights + param->moment2 + at);
}

PCC_KERNEL bool pcc_is_plain(const PccParam *param)
{
    const PccDtype dtype = param->value.dtype;
    return (dtype == PCC_F32 || dtype == PCC_F64) && param->gradient_dtype == dtype && param->copy_count == 0 &&
           (param->moment_dtype == dtype || param->moment1 == PCC_NONE);
}

PCC_KERNEL void pcc_update_part(PccUpdateRule rule, const PccUpdateTerms *terms, const PccParam *param, PccChunk chunk,
                                const PccStep *s, PccUpdate *done)
{
#ifdef PCC_NARROW
    if (!pcc_is_plain(param)) {
        pcc_update_staged(terms, rule.f32, param, chunk, s, done);
        return;
    }
#endif
    (void)done;
    pcc_update_plain(rule, terms, param, chunk, s);
}

/* The calling thread's chunks. */
PCC_SHARED PccUpdate pcc_update_own(PccUpdateRule rule, const PccUpdateTerms *terms, const PccParam *params,
                                    int64_t count, int64_t size, int64_t chunks, const PccStep *s)
{
    int64_t end;
    PccUpdate own = {.first_overflow = -1};
    PccChunk at = pcc_thread_chunks(params, count, size, chunks, &end);
    for (; at.id < end; pcc_next_chunk(params, size, end, &at))
        pcc_update_part(rule, terms, params + at.param, at, s, &own);
    return own;
}

/* The pass over the weights. */
PCC_KERNEL void pcc_update_all(PccUpdateRule rule, const PccUpdateTerms *terms, const PccParam *params, int64_t count,
                               const PccStep *s, PccUpdate *done)
{
    int64_t size = pcc_chunk_size(params, count), chunks = pcc_chunk_count(params, count, size);
    int64_t rounded = 0, lost = 0;
#pragma omp parallel if (chunks > 1) reduction(+ : rounded, lost)
    {
        const PccUpdate own = pcc_update_own(rule, terms, params, count, size, chunks, s);
        rounded += own.rounded;
        lost += own.lost;
    }
    done->rounded = rounded;
    done->lost = lost;
}

/* Computes norm and finiteness where they are needed, then updates unless a gradient overflowed. */
PCC_SHARED PccUpdate pcc_apply_rule(PccUpdateRule rule, PccUpdateTerms terms, const PccParam *params, int64_t count,
                                    const PccStep *s)
{
    PccUpdate result = {.gradient_norm = 0, .first_overflow = -1};
    terms.gradient_scale = 1 / s->loss_scale;
    if (s->clip_norm > 0 || s->check_gradients) {
        result = pcc_gradient_norm(params, count, s);
        if (result.first_overflow >= 0)
            return result;
    }
    terms.gradient_scale *= pcc_clip_factor(s->clip_norm, result.gradient_norm);
    pcc_update_all(rule, &terms, params, count, s, &result);
    return result;
}

PCC_KERNEL void pcc_add_update(PccUpdate *sum, PccUpdate part)
{
    sum->rounded += part.rounded;
    sum->lost += part.lost;
}

/* pcc_NAME_from: of `count` parameters from index `first` of the table, in an update that needs no norm. */
#define PCC_DEFINE_OPTIMIZER(name, rule)                                                                     \
    PCC_KERNEL PccUpdate pcc_##name##_from(const PccParam *params, int64_t first, int64_t count, PccStep *s) \
    {                                                                                                        \
        const PccUpdateRule rules = {pcc_##rule##_chunk_f32, pcc_##rule##_chunk_f64};                        \
        PccUpdateTerms terms = pcc_##name##_terms(s);                                                        \
        terms.first = first;                                                                                 \
        return pcc_apply_rule(rules, terms, params + first, count, s);                                       \
    }                                                                                                        \
    PCC_KERNEL PccUpdate pcc_##name(const PccParam *params, int64_t count, PccStep *s)                       \
    {                                                                                                        \
        return pcc_##name##_from(params, 0, count, s);                                                       \
    }
PCC_DEFINE_OPTIMIZER(sgd, sgd)
PCC_DEFINE_OPTIMIZER(adam, adam)
PCC_DEFINE_OPTIMIZER(adamw, adam)
PCC_DEFINE_OPTIMIZER(lion, lion)

#ifdef PCC_NARROW
/* AdamW whose moments are stored in 8 bits where the parameter says so. */
PCC_KERNEL PccUpdate pcc_adamw8bit_from(const PccParam *params, int64_t first, int64_t count, PccStep *s)
{
    const PccUpdateRule rules = {pcc_adam_chunk_f32, pcc_adam_chunk_f64};
    PccUpdateTerms terms = pcc_adamw_terms(s);
    PccMaps8 maps;
    pcc_map8_make(true, &maps.with_sign);
    pcc_map8_make(false, &maps.without);
    terms.first = first;
    terms.maps = &maps;
    return pcc_apply_rule(rules, terms, params + first, count, s);
}

PCC_KERNEL PccUpdate pcc_adamw8bit(const PccParam *params, int64_t count, PccStep *s)
{
    return pcc_adamw8bit_from(params, 0, count, s);
}
#endif

#endif
