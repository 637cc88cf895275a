/* loss_scale.c: dynamic loss scaling. */
#include <math.h>

#include "loss_scale.h"

/* Scale and inverse stay normal numbers of f32, in which the step multiplies. */
#define LOSS_SCALE_LEAST 0x1p-126
#define LOSS_SCALE_MOST 0x1p127

PccLossScale pcc_loss_scale_start(const PccScaling *scaling)
{
    return (PccLossScale){.scale = scaling->initial != 0 ? scaling->initial : 1};
}

void pcc_loss_scale_next(PccLossScale *state, const PccScaling *scaling, bool skipped)
{
    state->skipped += skipped;
    state->clean_steps = skipped ? 0 : state->clean_steps + 1;
    if (!scaling->dynamic)
        return;
    if (skipped) {
        state->scale = fmax(state->scale / 2, LOSS_SCALE_LEAST);
    } else if (state->clean_steps >= scaling->interval) {
        state->scale = fmin(state->scale * 2, scaling->most > 0 ? scaling->most : LOSS_SCALE_MOST);
        state->clean_steps = 0;
    }
}
