/* dropout.h: Dropout and random tensors, from random_bits.h's generator.
 *
 *   pcc_dropout_T(n, ratio, node, x, y, mask, s)    y = x mask / (1 - ratio); identity where s->deterministic
 *   pcc_dropout_grad_T(n, ratio, dy, mask, dx, s)   dx = dy mask / (1 - ratio); likewise
 *   pcc_random_uniform_T(n, low, high, node, y, s)  in [low, high)
 *   pcc_random_normal_T(n, mean, scale, node, y, s)
 *
 * node is the operator's number: nodes draw from streams of their own. y may alias x and dx dy. A probability is kept
 * to 2^-32. An infinite or NaN element stays NaN where it is dropped, as in PyTorch. */
#ifndef PCC_DROPOUT_H
#define PCC_DROPOUT_H

#include "../math/math.h"
#include "random_bits.h"
#include "../common/step.h"
#include "../common/typed.h"

/* An element is dropped when its word is below this. */
PCC_KERNEL uint64_t pcc_dropout_threshold(double ratio)
{
    return ratio <= 0 ? 0 : ratio >= 1 ? (uint64_t)1 << 32 : (uint64_t)(ratio * 4294967296.0);
}

#define PCC_DROPOUT_SEGMENT 2048 /* elements of one task of the gradient */

#define PCC_UNIFORM_DIGITS(y) 24 /* binary digits of a number in [0, 1) */
#define PCC_T float
#define PCC_STORAGE f32
#include "../common/operands_native.inc"
#include "dropout.inc"
#include "../common/operands_undef.inc"
#undef PCC_T
#undef PCC_STORAGE

#define PCC_T double
#define PCC_STORAGE f64
#include "../common/operands_native.inc"
#include "dropout.inc"
#include "../common/operands_undef.inc"
#undef PCC_T
#undef PCC_STORAGE

#undef PCC_UNIFORM_DIGITS

#ifdef PCC_MIXED
#    include "../common/storage.h"
#    define PCC_UNIFORM_DIGITS(y) ((y).dtype == PCC_BF16 ? 8 : (y).dtype == PCC_F16 ? 11 : 24)
#    define PCC_T float
#    define PCC_STORAGE mixed
#    include "../common/operands_mixed.inc"
#    include "dropout.inc"
#    include "../common/operands_undef.inc"
#    undef PCC_T
#    undef PCC_STORAGE
#    undef PCC_UNIFORM_DIGITS
#endif

#endif
