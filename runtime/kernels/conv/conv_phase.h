/* conv_phase.h: the input's cotangent, by phases.
 *
 * Input positions with the same remainder modulo the stride see the same taps. Each such phase is a convolution of dy
 * of stride 1 with a subset of the taps, flipped; together the phases write every input position once. */
#ifndef PCC_CONV_PHASE_H
#define PCC_CONV_PHASE_H

#include "conv_gather.h"

/* Output rows of a phase are rows of dx: row (n, i) is position (n, first + i * step) of in. */
typedef struct PccPhase {
    int64_t grid[3], in[3], first[3], step[3];
    int64_t last_tap[3], tap_step[3], taps[3]; /* tap t of the phase is tap last_tap - t * tap_step of the kernel */
} PccPhase;

/* The row of dx that row `row` of the phase is. */
PCC_KERNEL int64_t pcc_conv_phase_row(const PccPhase *p, int64_t row)
{
    int64_t at[3];
    for (int d = 2; d >= 0; d--) {
        at[d] = p->first[d] + p->step[d] * (row % p->grid[d]);
        row /= p->grid[d];
    }
    return ((row * p->in[0] + at[0]) * p->in[1] + at[1]) * p->in[2] + at[2];
}

/* Input position i meets output position (i + pad - tap * dilation) / stride where that is whole: the taps of remainder
 * `first`, in ascending order of the output position. */
PCC_SHARED void pcc_conv_phase_taps(const PccConv *c, int d, PccPhase *p, PccGather *g)
{
    p->taps[d] = p->last_tap[d] = 0;
    p->tap_step[d] = 1;
    for (int64_t tap = 0; tap < c->kernel[d]; tap++) {
        if ((p->first[d] + c->pad[d] - tap * c->dilation[d]) % c->stride[d] != 0)
            continue;
        p->tap_step[d] = p->taps[d] == 0 ? 1 : tap - p->last_tap[d];
        p->last_tap[d] = tap;
        p->taps[d]++;
    }
    g->taps[d] = p->taps[d];
    g->start[d] = (p->first[d] + c->pad[d] - p->last_tap[d] * c->dilation[d]) / c->stride[d];
    g->spacing[d] = p->tap_step[d] * c->dilation[d] / c->stride[d];
}

#endif
