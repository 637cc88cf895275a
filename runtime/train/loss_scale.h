/* loss_scale.h: the loss scale from update to update. */
#ifndef PCC_LOSS_SCALE_H
#define PCC_LOSS_SCALE_H

#include "../program.h"

/* The loss scale and what decides its next value. */
typedef struct PccLossScale {
    double scale;        /* 1 without loss scaling */
    int64_t clean_steps; /* updates without overflow since the scale last changed */
    int64_t skipped;     /* updates skipped because a gradient was not finite, in the whole run */
} PccLossScale;

PccLossScale pcc_loss_scale_start(const PccScaling *scaling);

/* After an update, or what was skipped in its place: torch.amp.GradScaler's rule. */
void pcc_loss_scale_next(PccLossScale *state, const PccScaling *scaling, bool skipped);

#endif
