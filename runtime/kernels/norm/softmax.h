/* softmax.h: Softmax and LogSoftmax over the middle axis of x[outer, width, inner], and their gradients.
 *
 *   pcc_softmax_T(outer, width, inner, x, y), pcc_log_softmax_T(...)             y may alias x
 *   pcc_softmax_grad_T(outer, width, inner, y, dy, dx), pcc_log_softmax_grad_T(...)   dx may alias dy
 *
 * The maximum of a line is subtracted first, so nothing overflows; a line that is all -inf is NaN, as in PyTorch. */
#ifndef PCC_SOFTMAX_H
#define PCC_SOFTMAX_H

#include "../math/math.h"
#include "../common/segments.h"
#include "../common/simd.h"
#include "../common/storage.h"
#include "../common/typed.h"

#include <stddef.h>

/* Neighbouring lines that one task processes where inner > 1. */
#define PCC_SOFTMAX_TILE 64
/* Elements of a line that are summed before their sum is added to the others. */
#define PCC_SOFTMAX_BLOCK 1024

#define PCC_TEMPLATE "../norm/softmax.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
