/* optimizer_terms.h: the optimizers' rules for one element and their inputs, for both targets. */
#ifndef PCC_OPTIMIZER_TERMS_H
#define PCC_OPTIMIZER_TERMS_H

#include <math.h>

#include "../../program.h"
#include "../common/typed.h"

/* A rule's scalars of the update: computed once in double, rounded to T by the rule. */
typedef struct PccUpdateTerms {
    PccHyper hyper;
    double gradient_scale;       /* 1 / loss_scale times the clip factor */
    double step_size;            /* adam: lr / (1 - beta1^t) */
    double inverse_second;       /* adam: 1 / sqrt(1 - beta2^t) */
    double coupled_decay;        /* L2 penalty: this times the weight is added to the gradient */
    double decoupled_decay;      /* the weight is multiplied by 1 - this */
    int64_t first;               /* index of the first parameter, by which random bits are drawn */
    const struct PccMaps8 *maps; /* of 8-bit moments; NULL: there are none */
} PccUpdateTerms;

PCC_SHARED int64_t pcc_param_elements(const PccParam *param)
{
    return pcc_product(param->value.rank, param->value.dims);
}

PCC_KERNEL PccUpdateTerms pcc_plain_terms(const PccStep *s)
{
    PccUpdateTerms terms = {s->hyper, 0, 0, 0, 0, 0, 0, NULL};
    return terms;
}

PCC_KERNEL PccUpdateTerms pcc_sgd_terms(const PccStep *s)
{
    PccUpdateTerms terms = pcc_plain_terms(s);
    terms.coupled_decay = s->hyper.weight_decay;
    return terms;
}

/* Kingma and Ba, Algorithm 1, with weight decay as an L2 penalty: torch.optim.Adam. */
PCC_KERNEL PccUpdateTerms pcc_adam_terms(const PccStep *s)
{
    PccUpdateTerms terms = pcc_plain_terms(s);
    double t = (double)(s->update + 1);
    terms.step_size = s->hyper.lr / (1 - pow(s->hyper.beta1, t));
    terms.inverse_second = 1 / sqrt(1 - pow(s->hyper.beta2, t));
    terms.coupled_decay = s->hyper.weight_decay;
    return terms;
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
    PccUpdateTerms terms = pcc_plain_terms(s);
    terms.decoupled_decay = s->hyper.lr * s->hyper.weight_decay;
    return terms;
}

/* As in torch.nn.utils.clip_grad_norm_; 1 where nothing is clipped. */
PCC_KERNEL double pcc_clip_factor(double clip_norm, double gradient_norm)
{
    return clip_norm > 0 && clip_norm < gradient_norm + 1e-6 ? clip_norm / (gradient_norm + 1e-6) : 1;
}

#define PCC_TEMPLATE "../optimizer/optimizer_rules.inc"
#include "../common/for_floats.inc"
#undef PCC_TEMPLATE

#endif
