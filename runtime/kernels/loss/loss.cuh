/* loss.cuh: the kernels of loss.h and loss_scale.h on a GPU. */
#ifndef PCC_LOSS_CUH
#define PCC_LOSS_CUH

#include "cross_entropy_grad.cuh"
#include "loss_scale.cuh"
#include "mean_loss.cuh"

#endif
