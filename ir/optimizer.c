/* optimizer.c: the optimizers' rows, and their steps in double. */
#include "ir/optimizer.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* torch.optim.SGD: the decay is an L2 penalty; b = momentum b + g; w -= lr b. */
static double sgd(const OptimizerHyper *hyper, int64_t update, double value, double gradient, double *moment1,
                  double *moment2)
{
    (void)update, (void)moment2;
    *moment1 = hyper->momentum * *moment1 + gradient + hyper->weight_decay * value;
    return value - hyper->lr * *moment1;
}

/* Kingma and Ba (2015), Algorithm 1. */
static double adam_without_decay(const OptimizerHyper *hyper, int64_t update, double value, double gradient,
                                 double *moment1, double *moment2)
{
    *moment1 = hyper->beta1 * *moment1 + (1 - hyper->beta1) * gradient;
    *moment2 = hyper->beta2 * *moment2 + (1 - hyper->beta2) * gradient * gradient;
    double mean = *moment1 / (1 - pow(hyper->beta1, (double)update));
    double second = *moment2 / (1 - pow(hyper->beta2, (double)update));
    return value - hyper->lr * mean / (sqrt(second) + hyper->eps);
}

/* torch.optim.Adam: the decay is an L2 penalty. */
static double adam(const OptimizerHyper *hyper, int64_t update, double value, double gradient, double *moment1,
                   double *moment2)
{
    return adam_without_decay(hyper, update, value, gradient + hyper->weight_decay * value, moment1, moment2);
}

/* Loshchilov and Hutter (2019), Algorithm 2: the decay is apart from the gradient, scaled by the learning rate. */
static double adamw(const OptimizerHyper *hyper, int64_t update, double value, double gradient, double *moment1,
                    double *moment2)
{
    double decayed = value * (1 - hyper->lr * hyper->weight_decay);
    return adam_without_decay(hyper, update, decayed, gradient, moment1, moment2);
}

/* Chen et al., "Symbolic Discovery of Optimization Algorithms" (2023), Algorithm 2: the sign of what interpolates
 * momentum and gradient; the decay as AdamW's. */
static double lion(const OptimizerHyper *hyper, int64_t update, double value, double gradient, double *moment1,
                   double *moment2)
{
    (void)update, (void)moment2;
    const double direction = hyper->beta1 * *moment1 + (1 - hyper->beta1) * gradient;
    const double sign = (direction > 0) - (direction < 0);
    *moment1 = hyper->beta2 * *moment1 + (1 - hyper->beta2) * gradient;
    return value * (1 - hyper->lr * hyper->weight_decay) - hyper->lr * sign;
}

static const Optimizer optimizers[] = {
#define ROW(NAME, MOMENTS, NORMALISED, BLOCKS8, STEP, HELP, ...) \
    {.name = NAME,                                               \
     .moments = MOMENTS,                                         \
     .normalised = NORMALISED,                                   \
     .blocks8 = BLOCKS8,                                         \
     .step = STEP,                                               \
     .defaults = {__VA_ARGS__}},
    PCC_OPTIMIZERS(ROW)
#undef ROW
};

const Optimizer *find_optimizer(const char *name)
{
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
        if (strcmp(optimizers[i].name, name) == 0)
            return &optimizers[i];
    return NULL;
}

double clip_factor(double clip_norm, double gradient_norm)
{
    return clip_norm > 0 ? fmin(1, clip_norm / (gradient_norm + 1e-6)) : 1;
}
