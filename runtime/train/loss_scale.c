/* loss_scale.c: the loss scale that a run starts with. */
#include "loss_scale.h"

PccLossScale pcc_loss_scale_start(const PccScaling *scaling)
{
    return (PccLossScale){.scale = scaling->initial != 0 ? scaling->initial : 1};
}
