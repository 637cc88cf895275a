/* optimizer.h: a row an optimizer: all that the compiler knows of it. Its rule in the emitted program is
 * pcc_NAME of runtime/kernels/optimizer/optimizer.h. */
#ifndef PCC_IR_OPTIMIZER_H
#define PCC_IR_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

/* PyTorch's names and meanings. */
typedef struct OptimizerHyper {
    double lr, weight_decay, beta1, beta2, eps, momentum;
} OptimizerHyper;

/* The new value of one element after update `update`, which counts from 1; moments start as 0. In double, as the paper
 * or PyTorch's documentation writes it. */
typedef double OptimizerStep(const OptimizerHyper *hyper, int64_t update, double value, double gradient,
                             double *moment1, double *moment2);

typedef struct Optimizer {
    const char *name;
    int moments;     /* of each element that it keeps: 1 or 2 */
    bool normalised; /* its typical step is the learning rate: it is invariant to the scale of the gradient */
    bool blocks8;    /* moments of large parameters are stored in 8 bits, by blocks with a scale */
    OptimizerStep *step;
    OptimizerHyper defaults;
} Optimizer;

/* Defaults are PyTorch's; for Lion those of its paper, with AdamW's decay. */
/* clang-format off */
#define PCC_OPTIMIZERS(ROW) \
    /*  name         moments, normalised, 8 bits, step,  help,                           defaults */ \
    ROW("sgd",       1,       false,      false,  sgd,   NULL,                          .lr = 1e-3) \
    ROW("adam",      2,       true,       false,  adam,  NULL,                          .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8) \
    ROW("adamw",     2,       true,       false,  adamw, NULL,                          .lr = 1e-3, .weight_decay = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8) \
    ROW("adamw8bit", 2,       true,       true,   adamw, "Adam with moments of 8 bits", .lr = 1e-3, .weight_decay = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8) \
    ROW("lion",      1,       true,       false,  lion,  NULL,                          .lr = 1e-4, .weight_decay = 1e-2, .beta1 = 0.9, .beta2 = 0.99)
/* clang-format on */

/* NULL when there is none of that name. */
const Optimizer *find_optimizer(const char *name);

/* optimizer_blocks8.c: moments as they come back from storage in 8 bits; a second moment has no sign. */
void round_to_blocks8(int64_t count, bool with_sign, double *moment);

/* What torch.nn.utils.clip_grad_norm_ multiplies gradients of this global 2-norm by; 1 for clip_norm 0. */
double clip_factor(double clip_norm, double gradient_norm);

#endif
