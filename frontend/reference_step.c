/* reference_step.c: SGD, Adam and AdamW as their papers and PyTorch's documentation write them. */
#include "frontend/reference_step.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

typedef double ElementStep(const ReferenceHyper *hyper, int64_t update, double value, double gradient, double *moment1,
                           double *moment2);

/* torch.optim.SGD: the decay is an L2 penalty; b = momentum b + g; w -= lr b. */
static double sgd(const ReferenceHyper *hyper, int64_t update, double value, double gradient, double *moment1,
                  double *moment2)
{
    (void)update, (void)moment2;
    *moment1 = hyper->momentum * *moment1 + gradient + hyper->weight_decay * value;
    return value - hyper->lr * *moment1;
}

/* Kingma and Ba (2015), Algorithm 1. */
static double adam_without_decay(const ReferenceHyper *hyper, int64_t update, double value, double gradient,
                                 double *moment1, double *moment2)
{
    *moment1 = hyper->beta1 * *moment1 + (1 - hyper->beta1) * gradient;
    *moment2 = hyper->beta2 * *moment2 + (1 - hyper->beta2) * gradient * gradient;
    double mean = *moment1 / (1 - pow(hyper->beta1, (double)update));
    double second = *moment2 / (1 - pow(hyper->beta2, (double)update));
    return value - hyper->lr * mean / (sqrt(second) + hyper->eps);
}

/* torch.optim.Adam: the decay is an L2 penalty. */
static double adam(const ReferenceHyper *hyper, int64_t update, double value, double gradient, double *moment1,
                   double *moment2)
{
    return adam_without_decay(hyper, update, value, gradient + hyper->weight_decay * value, moment1, moment2);
}

/* Loshchilov and Hutter (2019), Algorithm 2: the decay is apart from the gradient, scaled by the learning rate. */
static double adamw(const ReferenceHyper *hyper, int64_t update, double value, double gradient, double *moment1,
                    double *moment2)
{
    double decayed = value * (1 - hyper->lr * hyper->weight_decay);
    return adam_without_decay(hyper, update, decayed, gradient, moment1, moment2);
}

static ElementStep *find_step(const char *optimizer)
{
    static const struct {
        const char *name;
        ElementStep *step;
    } table[] = {{"sgd", sgd}, {"adam", adam}, {"adamw", adamw}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, optimizer) == 0)
            return table[i].step;
    return NULL;
}

bool has_reference_step(const char *optimizer)
{
    return find_step(optimizer) != NULL;
}

void reference_step(const char *optimizer, const ReferenceHyper *hyper, int64_t update, int64_t count, double *value,
                    const double *gradient, double *moment1, double *moment2)
{
    ElementStep *step = find_step(optimizer);
    for (int64_t i = 0; i < count; i++)
        value[i] = step(hyper, update, value[i], gradient[i], &moment1[i], &moment2[i]);
}

double reference_clip_factor(double clip_norm, double gradient_norm)
{
    return clip_norm > 0 ? fmin(1, clip_norm / (gradient_norm + 1e-6)) : 1;
}
