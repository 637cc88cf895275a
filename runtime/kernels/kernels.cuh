/* kernels.cuh: every kernel that an emitted CUDA program may launch. */
#ifndef PCC_KERNELS_CUH
#define PCC_KERNELS_CUH

#include <math.h>

#include "attention/attention.cuh"
#include "attention/attention_grad.cuh"
#include "common/integer.h"
#include "common/launch.cuh"
#include "common/step.cuh"
#include "common/storage.cuh"
#include "math/math.h"
#include "movement/copy.cuh"
#include "optimizer/accumulate.cuh"
#include "optimizer/optimizer.cuh"
#include "reduce/reduce.cuh"

#endif
