/* loss.h: losses over the valid samples of a batch, and their gradients.
 *
 *   pcc_cross_entropy_T(batch, outer, classes, inner, ignore_index, shift, reduction, logits, target, weight, loss,
 * lse, total, s) pcc_cross_entropy_grad_T(same literals, dloss, logits, target, weight, lse, total, dlogits, s)
 *       logits[outer, classes, inner], target[outer, inner]; outer / batch rows belong to each sample
 *       loss = sum of w (lse + peak - logits[target]) / total, total = sum of w, w = weight[target] or 1
 *       peak = the row's largest logit, lse[outer, inner] = log sum exp(logits - peak), for the gradient: their sum
 *       would lose the difference to rounding where logits are large and nearly equal
 *       reduction 0: loss[outer, inner] is each row's own, 0 where it does not count; 1 sum; 2 mean, 0 over nothing
 *       shift T > 0 (causal language model, inner == 1): row (b, t) of outer = b * T + t is scored against
 *       target[b, t + 1]; the last position of each sequence does not count
 *   pcc_mse_T, pcc_bce_with_logits_T(batch, per_sample, y, target, loss, s): means over the elements that count
 *   pcc_mse_grad_T, pcc_bce_with_logits_grad_T(batch, per_sample, dloss, y, target, dy, s)
 *
 * Rows of samples beyond s->valid, with target == ignore_index, and with targets that are no class do not count; their
 * gradients are 0. The losses set s->counted. A gradient may be written over the logits or predictions. */
#ifndef PCC_LOSS_H
#define PCC_LOSS_H

#include <math.h>

#include "../math/math.h"
#include "../reduce/reduce.h"
#include "../common/segments.h"
#include "../common/step.h"
#include "../common/storage.h"
#include "../common/typed.h"
#include "loss_rows.h"

#define PCC_LOSS_CHUNKS 256 /* at most, of partial sums: they are combined in order */
#define PCC_LOSS_TILE 64    /* positions of one row that are processed together when inner > 1 */
#define PCC_LOSS_CLASSES (PCC_SEGMENT_SIZE / PCC_LOSS_TILE) /* elements of a tile that fit in a buffer */

PCC_KERNEL PccLossPart pcc_sum_loss_parts(int64_t chunks, const PccLossPart *parts)
{
    PccLossPart sum = {0, 0, 0};
    for (int64_t i = 0; i < chunks; i++) {
        sum.loss += parts[i].loss;
        sum.weight += parts[i].weight;
        sum.counted += parts[i].counted;
    }
    return sum;
}

#define PCC_TEMPLATE "../loss/loss.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
