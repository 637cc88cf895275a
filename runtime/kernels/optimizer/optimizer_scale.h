/* optimizer_scale.h: dynamic loss scaling: the scale from update to update, for host and device. */
#ifndef PCC_OPTIMIZER_SCALE_H
#define PCC_OPTIMIZER_SCALE_H

#include <math.h>

#include "../../program.h"
#include "../common/inline.h"

/* Scale and inverse stay normal f32 numbers, as the step multiplies in f32. */
#define PCC_LOSS_SCALE_LEAST 0x1p-126
#define PCC_LOSS_SCALE_MOST 0x1p127

/* After an update, applied or skipped: torch.amp.GradScaler's rule. */
PCC_KERNEL void pcc_loss_scale_next(PccLossScale *state, const PccScaling *scaling, bool skipped)
{
    state->skipped += skipped;
    state->clean_steps = skipped ? 0 : state->clean_steps + 1;
    if (!scaling->dynamic)
        return;
    if (skipped) {
        state->scale = fmax(state->scale / 2, PCC_LOSS_SCALE_LEAST);
    } else if (state->clean_steps >= scaling->interval) {
        state->scale = fmin(state->scale * 2, scaling->most > 0 ? scaling->most : PCC_LOSS_SCALE_MOST);
        state->clean_steps = 0;
    }
}

#endif
