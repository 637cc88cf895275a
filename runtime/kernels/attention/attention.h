/* attention.h: scaled dot-product attention, forward and backward, in tiles: the [queries, keys] matrix is never
 * materialised.
 *
 *   pcc_attention_T(shape, q, k, v, mask, y, max, inverse_sum, s)
 *   pcc_attention_grad_T(shape, q, k, v, mask, y, max, inverse_sum, dy, dq, dk, dv, scratch, s)
 *       mask: added to the scaled products, or NULL. max, inverse_sum, [batch, heads, queries]: each query's weights
 *       are exp(score - max) inverse_sum; the gradient needs them and the forward may drop them (both NULL). They are
 *       kept apart because max + log(sum) loses the sum where a mask makes all scores huge, such as -1e9. A query that
 *       sees no key has y = 0, max = 0, inverse_sum = 0 and no gradient.
 *       scratch: pcc_attention_grad_scratch_bytes(shape, sizeof T).
 *   pcc_attention_visible_T, pcc_attention_visible_grad_T
 *       the same with a boolean mask of uint8_t: keys where it is 0 are masked out.
 *
 * The narrow form computes in float; max and inverse_sum are f32 in storage.
 *
 * Softmax is computed online over blocks of keys (Milakov and Gimelshein 2018; Dao et al. 2022), the gradient from the
 * recomputed products. Tiles live in the thread's scratch, which limits width + value_width to PCC_ATTENTION_MAX_WIDTH.
 * Wider attention is expanded into products and a softmax before it comes here.
 * Products are register tiles of gemm_simd.h, compiled once for all shapes, so that an instance is only a call. */
#ifndef PCC_ATTENTION_H
#define PCC_ATTENTION_H

#include "attention_scratch.h"
#include "../gemm/gemm.h"
#include "../math/math.h"
#include "../common/simd.h"
#include "../common/step.h"
#include "../common/storage.h"
#include "../common/typed.h"

#include <stddef.h>

/* Registers in a row of a product's tile, which has 6 rows: 24 of 32 registers are accumulators, or 12 of 16. */
#if PCC_REG_BYTES == 64 || defined(__aarch64__)
#    define PCC_ATTENTION_VECTORS 4
#else
#    define PCC_ATTENTION_VECTORS 2
#endif
#define PCC_ATTENTION_ROWS 6

#define PCC_TEMPLATE "../attention/attention_tiles.inc"
#include "../common/for_floats.inc"
#undef PCC_TEMPLATE

#if PCC_PAIRS
#    include "attention_in_pairs.h"
#endif

#define PCC_TEMPLATE "../attention/attention_stored.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
