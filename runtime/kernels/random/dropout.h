/* dropout.h: Dropout and random tensors, from random_bits.h's generator.
 *
 *   pcc_dropout_T(n, ratio, node, x, y, mask, s)    y = x mask / (1 - ratio); identity where s->deterministic
 *   pcc_dropout_grad_T(n, ratio, dy, mask, dx, s)   dx = dy mask / (1 - ratio); likewise
 *   pcc_random_uniform_T(n, low, high, node, y, s)  in [low, high)
 *   pcc_random_normal_T(n, mean, scale, node, y, s)
 *
 * node is the operator's number: every node has its own random stream. y may alias x and dx dy. A probability has a
 * resolution of 2^-32. An infinite or NaN element stays NaN where it is dropped, as in PyTorch. */
#ifndef PCC_DROPOUT_H
#define PCC_DROPOUT_H

#include "../math/math.h"
#include "dropout_terms.h"
#include "random_bits.h"
#include "../common/step.h"
#include "../common/storage.h"
#include "../common/typed.h"

#define PCC_DROPOUT_SEGMENT 2048 /* elements of one task of the gradient */

#define PCC_TEMPLATE "../random/dropout.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
