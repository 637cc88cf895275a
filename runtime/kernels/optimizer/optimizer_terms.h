/* optimizer_terms.h: what the optimizers' rules are given. */
#ifndef PCC_OPTIMIZER_TERMS_H
#define PCC_OPTIMIZER_TERMS_H

#include "optimizer_chunks.h"

/* What a rule needs of the step besides the chunk: computed once in double, rounded to T by the rule. */
typedef struct PccUpdateTerms {
    PccHyper hyper;
    double gradient_scale;       /* 1 / loss_scale times the clip factor */
    double step_size;            /* adam: lr / (1 - beta1^t) */
    double inverse_second;       /* adam: 1 / sqrt(1 - beta2^t) */
    double coupled_decay;        /* L2: added to the gradient, times the weight */
    double decoupled_decay;      /* the weight is multiplied by 1 - this */
    const struct PccMaps8 *maps; /* of 8-bit moments; NULL: there are none */
} PccUpdateTerms;

/* Updates `count` elements; pointers are those of the chunk's first element, moments NULL where there are none. */
typedef void (*PccUpdateChunk)(const PccUpdateTerms *terms, int64_t count, void *value, const void *gradient,
                               void *moment1, void *moment2);

/* A rule for each arithmetic. */
typedef struct PccUpdateRule {
    PccUpdateChunk f32, f64;
} PccUpdateRule;

PCC_KERNEL PccUpdateTerms pcc_sgd_terms(const PccStep *s)
{
    return (PccUpdateTerms){.hyper = s->hyper, .coupled_decay = s->hyper.weight_decay};
}

/* Kingma and Ba, Algorithm 1, with weight decay as an L2 penalty: torch.optim.Adam. */
PCC_KERNEL PccUpdateTerms pcc_adam_terms(const PccStep *s)
{
    double t = (double)(s->update + 1);
    return (PccUpdateTerms){
        .hyper = s->hyper,
        .step_size = s->hyper.lr / (1 - __builtin_pow(s->hyper.beta1, t)),
        .inverse_second = 1 / __builtin_sqrt(1 - __builtin_pow(s->hyper.beta2, t)),
        .coupled_decay = s->hyper.weight_decay,
    };
}

/* Loshchilov and Hutter, Algorithm 2, the decay scaled by the learning rate: torch.optim.AdamW. */
PCC_KERNEL PccUpdateTerms pcc_adamw_terms(const PccStep *s)
{
    PccUpdateTerms terms = pcc_adam_terms(s);
    terms.coupled_decay = 0;
    terms.decoupled_decay = s->hyper.lr * s->hyper.weight_decay;
    return terms;
}

/* Chen et al., "Symbolic Discovery of Optimization Algorithms", Algorithm 2: decay scaled by the learning rate too. */
PCC_KERNEL PccUpdateTerms pcc_lion_terms(const PccStep *s)
{
    return (PccUpdateTerms){.hyper = s->hyper, .decoupled_decay = s->hyper.lr * s->hyper.weight_decay};
}

#endif
