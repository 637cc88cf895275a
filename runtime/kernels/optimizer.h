/* optimizer.h: update(): unscale, check, clip and update every parameter, with PyTorch's arithmetic.
 *
 *   PccUpdate pcc_sgd(params, count, s), pcc_adam(...), pcc_adamw(...)
 *
 * The parameters are cut into chunks of equal size that threads share evenly however many small parameters there are.
 * One pass over the weights at memory bandwidth; a second one before it, over the gradients alone, only where their
 * norm (s->clip_norm > 0) or their finiteness (s->loss_scale != 1) must be known first. When a gradient is not finite,
 * nothing is updated and first_overflow names its parameter.
 *
 * What differs between dtypes is a row of a table: (value, gradient, moment) dtypes and the function that updates one
 * chunk. A new storage format is one more function and one more row. */
#ifndef PCC_OPTIMIZER_H
#define PCC_OPTIMIZER_H

#include "optimizer_chunks.h"
#include "optimizer_roots.h"

/* What a rule needs of the step besides the chunk: computed once in double, rounded to T by the rule. */
typedef struct PccUpdateTerms {
    PccHyper hyper;
    double gradient_scale;  /* 1 / loss_scale times the clip factor */
    double step_size;       /* adam: lr / (1 - beta1^t) */
    double inverse_second;  /* adam: 1 / sqrt(1 - beta2^t) */
    double coupled_decay;   /* L2: added to the gradient, times the weight */
    double decoupled_decay; /* AdamW: the weight is multiplied by 1 - this */
} PccUpdateTerms;

/* Updates `count` elements; pointers are those of the chunk's first element, moments NULL where there are none. */
typedef void (*PccUpdateChunk)(const PccUpdateTerms *terms, int64_t count, void *value, const void *gradient,
                               void *moment1, void *moment2);

typedef struct PccUpdateRule {
    PccDtype value, gradient, moment;
    PccUpdateChunk update;
} PccUpdateRule;

#define PCC_T float
#define PCC_SUFFIX f32
#include "optimizer.inc"
#undef PCC_T
#undef PCC_SUFFIX

#define PCC_T double
#define PCC_SUFFIX f64
#include "optimizer.inc"
#undef PCC_T
#undef PCC_SUFFIX

PCC_KERNEL const PccUpdateRule *pcc_update_rule(const PccUpdateRule *rules, const PccParam *param)
{
    while (rules->value != param->value.dtype || rules->gradient != param->gradient_dtype ||
           rules->moment != param->moment_dtype)
        rules++;
    return rules;
}

PCC_KERNEL void pcc_update_chunk(const PccUpdateRule *rules, const PccUpdateTerms *terms, const PccParam *param,
                                 PccChunk chunk, char *weights)
{
    const PccUpdateRule *rule = pcc_update_rule(rules, param);
    size_t value = (size_t)chunk.first * pcc_update_bytes(rule->value);
    size_t gradient = (size_t)chunk.first * pcc_update_bytes(rule->gradient);
    size_t moment = (size_t)chunk.first * pcc_update_bytes(rule->moment);
    rule->update(terms, chunk.count, weights + param->value.offset + value, weights + param->gradient + gradient,
                 param->moment1 == PCC_NONE ? NULL : weights + param->moment1 + moment,
                 param->moment2 == PCC_NONE ? NULL : weights + param->moment2 + moment);
}

/* The pass over the weights. */
PCC_KERNEL void pcc_update_all(const PccUpdateRule *rules, const PccUpdateTerms *terms, const PccParam *params,
                               int64_t count, const PccStep *s)
{
    int64_t size = pcc_chunk_size(params, count), chunks = pcc_chunk_count(params, count, size);
#pragma omp parallel if (chunks > 1)
    {
        int64_t end;
        PccChunk at = pcc_thread_chunks(params, count, size, chunks, &end);
        for (; at.id < end; pcc_next_chunk(params, size, end, &at))
            pcc_update_chunk(rules, terms, params + at.param, at, s->weights);
    }
}

/* Norm and finiteness where they are needed, then the update unless a gradient overflowed. */
PCC_KERNEL PccUpdate pcc_apply_rule(const PccUpdateRule *rules, PccUpdateTerms *terms, const PccParam *params,
                                int64_t count, const PccStep *s)
{
    PccUpdate result = {.gradient_norm = 0, .first_overflow = -1};
    terms->gradient_scale = 1 / s->loss_scale;
    if (s->clip_norm > 0 || s->loss_scale != 1) {
        result = pcc_gradient_norm(params, count, s);
        if (result.first_overflow >= 0)
            return result;
    }
    /* as torch.nn.utils.clip_grad_norm_ */
    if (s->clip_norm > 0 && s->clip_norm < result.gradient_norm + 1e-6)
        terms->gradient_scale *= s->clip_norm / (result.gradient_norm + 1e-6);
    pcc_update_all(rules, terms, params, count, s);
    return result;
}

/* torch.optim.SGD: g += weight_decay w; b = momentum b + g; w -= lr b. The first b is g because the
 * moments start as zeros. */
PCC_KERNEL PccUpdate pcc_sgd(const PccParam *params, int64_t count, PccStep *s)
{
    static const PccUpdateRule rules[] = {
        {PCC_F32, PCC_F32, PCC_F32, pcc_sgd_chunk_f32},
        {PCC_F64, PCC_F64, PCC_F64, pcc_sgd_chunk_f64},
    };
    PccUpdateTerms terms = {.hyper = s->hyper, .coupled_decay = s->hyper.weight_decay};
    return pcc_apply_rule(rules, &terms, params, count, s);
}

PCC_KERNEL PccUpdateTerms pcc_adam_terms(const PccStep *s)
{
    double t = (double)(s->update + 1);
    return (PccUpdateTerms){
        .hyper = s->hyper,
        .step_size = s->hyper.lr / (1 - __builtin_pow(s->hyper.beta1, t)),
        .inverse_second = 1 / __builtin_sqrt(1 - __builtin_pow(s->hyper.beta2, t)),
    };
}

/* Kingma and Ba, Algorithm 1, with weight decay as an L2 penalty: torch.optim.Adam. */
PCC_KERNEL PccUpdate pcc_adam(const PccParam *params, int64_t count, PccStep *s)
{
    static const PccUpdateRule rules[] = {
        {PCC_F32, PCC_F32, PCC_F32, pcc_adam_chunk_f32},
        {PCC_F64, PCC_F64, PCC_F64, pcc_adam_chunk_f64},
    };
    PccUpdateTerms terms = pcc_adam_terms(s);
    terms.coupled_decay = s->hyper.weight_decay;
    return pcc_apply_rule(rules, &terms, params, count, s);
}

/* Loshchilov and Hutter, Algorithm 2, the decay scaled by the learning rate: torch.optim.AdamW. */
PCC_KERNEL PccUpdate pcc_adamw(const PccParam *params, int64_t count, PccStep *s)
{
    static const PccUpdateRule rules[] = {
        {PCC_F32, PCC_F32, PCC_F32, pcc_adam_chunk_f32},
        {PCC_F64, PCC_F64, PCC_F64, pcc_adam_chunk_f64},
    };
    PccUpdateTerms terms = pcc_adam_terms(s);
    terms.decoupled_decay = s->hyper.lr * s->hyper.weight_decay;
    return pcc_apply_rule(rules, &terms, params, count, s);
}

#endif
