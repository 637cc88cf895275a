/* norm.h: LayerNormalization, RMSNormalization and BatchNormalization in training mode, and their gradients.
 *
 *   pcc_layer_norm_T(rows, width, epsilon, x, scale, bias, y, mean, rstd)
 *   pcc_layer_norm_grad_T(rows, width, dy, x, scale, mean, rstd, dx, dscale, dbias, scratch)
 *   pcc_rms_norm_T(rows, width, epsilon, x, scale, y, rstd)
 *   pcc_rms_norm_grad_T(rows, width, dy, x, scale, rstd, dx, dscale, scratch)
 *       x, y, dy, dx [rows, width]; scale, bias, dscale, dbias [width]; mean, rstd [rows]. scale, bias, and any output
 *       but y may be NULL. y may alias x, dx may alias dy. scratch: pcc_layer_norm_scratch_bytes(rows, width, sizeof T)
 *   pcc_batch_norm_statistics_T(batch, outer, channels, inner, epsilon, momentum, x, scale, bias, running_mean,
 *                               running_var, gain, offset, new_mean, new_var, saved_mean, saved_rstd, scratch, s)
 *       of the normalisation y = (x - saved_mean) gain + offset
 *   pcc_batch_norm_grad_T(batch, outer, channels, inner, dy, x, scale, saved_mean, saved_rstd, dx, dscale, dbias,
 *                         scratch, s)
 *       x, y, dy, dx [outer, channels, inner], the rest [channels]. outer / batch rows belong to a sample; only the
 * rows of the first s->valid samples enter the statistics and the sums, and dx is 0 in the others. new = momentum
 *       running + (1 - momentum) batch statistic (ONNX), with the population variance; new may alias running, dx dy.
 *       scratch: pcc_batch_norm_scratch_bytes(outer, channels, inner, sizeof T)
 *
 * Statistics are two-pass around a shift. The mean is kept as the sum of two T, of which the first is saved: its
 * rounding error is recomputed in the gradient, so that |mean| >> deviation costs no accuracy. */
#ifndef PCC_NORM_H
#define PCC_NORM_H

#include "../math/math.h"
#include "norm_scratch.h"
#include "../common/segments.h"
#include "../common/simd.h"
#include "../common/step.h"
#include "../common/storage.h"
#include "../common/typed.h"

/* Rows of a batch-norm chunk that are summed in registers at a time, and the number of their channels that fit in a
 * buffer. */
#define PCC_NORM_GROUP 8
#define PCC_NORM_PANEL (PCC_SEGMENT_SIZE / PCC_NORM_GROUP)

#define PCC_TEMPLATE "../norm/norm.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
