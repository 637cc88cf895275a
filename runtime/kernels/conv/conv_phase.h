/* conv_phase.h: the input's cotangent, by phases.
 *
 * Input positions with the same remainder modulo the stride are read by the same taps. Each such phase is a convolution
 * of dy of stride 1 with a subset of the taps, flipped; together the phases write every input position once. */
#ifndef PCC_CONV_PHASE_H
#define PCC_CONV_PHASE_H

#include "conv_gather.h"

/* Output rows of a phase are rows of dx: row (n, i) is position (n, first + i * step) of in. */
typedef struct PccPhase {
    int64_t grid[3], in[3], first[3], step[3];
    int64_t last_tap[3], tap_step[3], taps[3]; /* tap t of the phase is tap last_tap - t * tap_step of the kernel */
} PccPhase;

/* The row of dx that corresponds to row `row` of the phase. */
PCC_KERNEL int64_t pcc_conv_phase_row(const PccPhase *p, int64_t row)
{
    int64_t at[3];
    for (int d = 2; d >= 0; d--) {
        at[d] = p->first[d] + p->step[d] * (row % p->grid[d]);
        row /= p->grid[d];
    }
    return ((row * p->in[0] + at[0]) * p->in[1] + at[1]) * p->in[2] + at[2];
}

/* Phases along dimension d: one for each remainder that a position has. */
PCC_KERNEL int64_t pcc_conv_phases(const PccConv *c, int d)
{
    return pcc_min_i64(c->stride[d], c->in[d]);
}

/* Input position i is read by output position (i + pad - tap * dilation) / stride where that is an integer: the taps of
 * remainder `first`, in ascending order of the output position. */
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

/* The phase of the positions that begin at `first`, and its gather of dy; the caller sets dy itself. */
PCC_SHARED PccGather pcc_conv_gather_phase(const PccConv *c, const int64_t first[3], PccPhase *p)
{
    PccGather g;
    memset(&g, 0, sizeof g);
    g.channels = c->o / c->groups;
    g.pixel = c->o;
    for (int d = 0; d < 3; d++) {
        p->in[d] = c->in[d];
        p->step[d] = c->stride[d];
        p->first[d] = first[d];
        p->grid[d] = g.grid[d] = pcc_ceil_div(c->in[d] - first[d], c->stride[d]);
        g.source[d] = c->out[d];
        g.advance[d] = 1;
        pcc_conv_phase_taps(c, d, p, &g);
    }
    g.rows = pcc_conv_positions(c->n, g.grid);
    return g;
}

#endif
