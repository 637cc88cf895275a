/* recurrent.h: the sequential part of LSTM, GRU and RNN layers, forward and back through time.
 *
 *   pcc_recurrence_T(shape, g, r, bias, h0, c0, p, lengths, gates, y, h, states, c, scratch, s)
 *   pcc_recurrence_grad_T(shape, gates, y, states, r, h0, c0, p, lengths, dy, dh, dc, dg, dh0, dc0, dq, scratch, s)
 *
 * T steps, B sequences, D directions, H units, k gates (LSTM i, o, f, c; GRU z, r, h; RNN one):
 *   g, gates, dg [T, B, D, k, H]: the gates' sums but for the recurrent part, their values, the sums' cotangents
 *   y, dy [T, B, D, H] hidden states; h0, c0, h, c, dh, dc, dh0, dc0 [D, B, H] initial and last states
 *   r [D, k·H, H] recurrent weights; p [D, 3, H] peepholes of i, o, f; bias [D, H] of the candidate's recurrent part,
 *   with reset_after; lengths [B]: behind them y is 0 and states stay
 *   states [T, B, D, H]: cell states of an LSTM; with reset_after the candidate's recurrent part, dq its cotangents
 * gates, y and dg are given; the others may be NULL; gates may alias g. What the gradient needs of r, p and bias beyond
 * dg are products and sums over all steps, which are no part of these kernels.
 * scratch: pcc_recurrent_scratch_bytes(shape, sizeof T).
 *
 * A sequence depends on no other: threads take sequences and directions, and wait for nobody between the steps. The
 * recurrent weights are packed once for all steps. */
#ifndef PCC_RECURRENT_H
#define PCC_RECURRENT_H

#include <string.h>

#include "recurrent_shape.h"
#include "../common/step.h"
#include "../common/storage.h"
#include "../common/typed.h"
#include "../gemm/gemm.h"
#include "../math/math.h"

#define PCC_RECURRENT_SEGMENT 512 /* units that are worked on at a time: the gates' buffers stay in L1 */

#define PCC_TEMPLATE "../recurrent/recurrent_core.inc"
#include "../common/for_floats.inc"
#undef PCC_TEMPLATE

#define PCC_TEMPLATE "../recurrent/recurrent.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
