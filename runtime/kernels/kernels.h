/* kernels.h: every kernel that an emitted program may call. */
#ifndef PCC_KERNELS_H
#define PCC_KERNELS_H

#include <math.h>

#include "accumulate.h"
#include "attention.h"
#include "conv.h"
#include "copy.h"
#include "dropout.h"
#include "gemm.h"
#include "index.h"
#include "integer.h"
#include "loss.h"
#include "loss_scale.h"
#include "math.h"
#include "norm.h"
#include "optimizer.h"
#include "pool.h"
#include "reduce.h"
#include "resize.h"
#include "softmax.h"
#include "storage.h"

#endif
