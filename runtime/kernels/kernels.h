/* kernels.h: every kernel that an emitted program may call. */
#ifndef PCC_KERNELS_H
#define PCC_KERNELS_H

#include <math.h>

#include "optimizer/accumulate.h"
#include "attention/attention.h"
#include "conv/conv.h"
#include "movement/copy.h"
#include "random/dropout.h"
#include "gemm/gemm.h"
#include "index/index.h"
#include "common/integer.h"
#include "loss/loss.h"
#include "loss/loss_scale.h"
#include "math/math.h"
#include "norm/norm.h"
#include "optimizer/optimizer.h"
#include "pool/pool.h"
#include "recurrent/recurrent.h"
#include "reduce/reduce.h"
#include "pool/region.h"
#include "pool/resize.h"
#include "norm/softmax.h"
#include "common/storage.h"

#endif
