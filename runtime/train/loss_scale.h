/* loss_scale.h: the loss scale of a run. */
#ifndef PCC_LOSS_SCALE_H
#define PCC_LOSS_SCALE_H

#include "../kernels/optimizer/optimizer_scale.h"

PccLossScale pcc_loss_scale_start(const PccScaling *scaling);

#endif
