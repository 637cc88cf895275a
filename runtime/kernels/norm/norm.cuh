/* norm.cuh: the kernels of norm.h on a GPU. */
#ifndef PCC_NORM_CUH
#define PCC_NORM_CUH

#include "batch_norm.cuh"
#include "batch_norm_grad.cuh"
#include "layer_norm.cuh"
#include "layer_norm_grad.cuh"

#endif
