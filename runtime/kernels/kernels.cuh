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
#include "conv/conv.cuh"
#include "gemm/gemm.cuh"
#include "index/gather.cuh"
#include "index/gather_grad.cuh"
#include "index/scatter.cuh"
#include "loss/loss.cuh"
#include "math/math.h"
#include "movement/copy.cuh"
#include "movement/pad.cuh"
#include "norm/norm.cuh"
#include "norm/softmax.cuh"
#include "norm/softmax_grad.cuh"
#include "optimizer/accumulate.cuh"
#include "optimizer/optimizer.cuh"
#include "pool/average_pool.cuh"
#include "pool/max_pool.cuh"
#include "pool/region.cuh"
#include "pool/resize.cuh"
#include "random/dropout.cuh"
#include "recurrent/recurrent.cuh"
#include "recurrent/recurrent_grad.cuh"
#include "reduce/arg.cuh"
#include "reduce/reduce.cuh"
#include "reduce/scan.cuh"
#include "reduce/topk.cuh"

#endif
