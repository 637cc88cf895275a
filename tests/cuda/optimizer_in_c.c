/* The C target's optimizers. */
#define PCC_NARROW 1
#include <pcc/kernels/optimizer/optimizer.h>

#include "optimizer_in_c.h"

PccUpdate update_in_c(Optimizer optimizer, const PccParam *params, int64_t count, PccStep *s)
{
    switch (optimizer) {
    case SGD:
        return pcc_sgd(params, count, s);
    case ADAM:
        return pcc_adam(params, count, s);
    case ADAMW:
        return pcc_adamw(params, count, s);
    case ADAMW8BIT:
        return pcc_adamw8bit(params, count, s);
    default:
        return pcc_lion(params, count, s);
    }
}
