/* reference_step.h: one optimizer step in double, element by element, as `pcc verify` expects it of a program. */
#ifndef PCC_FRONTEND_REFERENCE_STEP_H
#define PCC_FRONTEND_REFERENCE_STEP_H

#include <stdbool.h>
#include <stdint.h>

/* PyTorch's names and meanings. */
typedef struct ReferenceHyper {
    double lr, weight_decay, beta1, beta2, eps, momentum;
} ReferenceHyper;

/* Is there a reference for this optimizer? */
bool has_reference_step(const char *optimizer);

/* Updates `count` elements in place. update is 1 for the first step; both moments start as zeros. */
void reference_step(const char *optimizer, const ReferenceHyper *hyper, int64_t update, int64_t count, double *value,
                    const double *gradient, double *moment1, double *moment2);

/* What torch.nn.utils.clip_grad_norm_ multiplies gradients of this global 2-norm by; 1 for clip_norm 0. */
double reference_clip_factor(double clip_norm, double gradient_norm);

#endif
