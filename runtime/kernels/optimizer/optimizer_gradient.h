/* optimizer_gradient.h: where a parameter's gradient is made, for both targets. */
#ifndef PCC_OPTIMIZER_GRADIENT_H
#define PCC_OPTIMIZER_GRADIENT_H

#include "../../program.h"
#include "../common/inline.h"

PCC_KERNEL char *pcc_gradient(const PccStep *s, const PccParam *param)
{
    return s->at_once ? s->arena + param->made : s->gradients + param->gradient;
}

#endif
