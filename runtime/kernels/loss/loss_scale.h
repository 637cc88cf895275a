/* loss_scale.h: the factor that the step multiplies its loss by before differentiation. */
#ifndef PCC_KERNELS_LOSS_SCALE_H
#define PCC_KERNELS_LOSS_SCALE_H

#include "../common/step.h"
#include "../common/typed.h"

PCC_KERNEL void pcc_loss_scale_f32(float *scale, const PccStep *s)
{
    *scale = (float)s->loss_scale;
}

#endif
