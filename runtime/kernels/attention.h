/* attention.h: scaled dot-product attention, forward and backward, in tiles: the [queries, keys] matrix is never whole.
 *
 *   pcc_attention_T(shape, q, k, v, mask, y, lse, s)
 *   pcc_attention_grad_T(shape, q, k, v, mask, y, lse, dy, dq, dk, dv, scratch, s)
 *       mask: added to the scaled products, or NULL; lse: natural logarithm of each row's sum of exponentials,
 *       [batch, heads, queries], which the gradient needs and the forward may drop (NULL). A query that sees no key
 *       has y = 0, lse = -inf and no gradient. scratch: pcc_attention_grad_scratch_bytes(shape, sizeof T).
 *
 * Softmax is computed online over blocks of keys (Milakov and Gimelshein 2018; Dao et al. 2022), the gradient from the
 * recomputed products and lse. Tiles live in the thread's scratch, which limits width + value_width to
 * PCC_ATTENTION_MAX_WIDTH. Products are register tiles of gemm_simd.h, written once for all shapes, so that an instance
 * is a mere call. */
#ifndef PCC_ATTENTION_H
#define PCC_ATTENTION_H

#include "attention_scratch.h"
#include "math.h"
#include "simd.h"
#include "step.h"
#include "typed.h"

#include <stddef.h>

/* Registers in a row of a product's tile, which has 6 rows: 24 of 32 accumulate, or 12 of 16. */
#if PCC_REG_BYTES == 64 || defined(__aarch64__)
#    define PCC_ATTENTION_VECTORS 4
#else
#    define PCC_ATTENTION_VECTORS 2
#endif
#define PCC_ATTENTION_ROWS 6

#define PCC_T float
#define PCC_OF(name) name##_f32
#define PCC_VECTOR PccRegF32
#define PCC_WIDTH PCC_LANES_F32
#define PCC_TRANSPOSED PCC_QUAD_F32
#include "attention_product.inc"
#include "attention.inc"
#include "attention_grad.inc"
#undef PCC_T
#undef PCC_OF
#undef PCC_VECTOR
#undef PCC_WIDTH
#undef PCC_TRANSPOSED

#define PCC_T double
#define PCC_OF(name) name##_f64
#define PCC_VECTOR PccRegF64
#define PCC_WIDTH PCC_LANES_F64
#define PCC_TRANSPOSED PCC_QUAD_F64
#include "attention_product.inc"
#include "attention.inc"
#include "attention_grad.inc"
#undef PCC_T
#undef PCC_OF
#undef PCC_VECTOR
#undef PCC_WIDTH
#undef PCC_TRANSPOSED

#endif
