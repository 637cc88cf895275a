/* recurrent_cells_grad.cuh: the cells of a step of the backward pass. */
#ifndef PCC_RECURRENT_CELLS_GRAD_CUH
#define PCC_RECURRENT_CELLS_GRAD_CUH

#include "recurrent_step.cuh"

/* What the kernels read and write, of whatever types; c0, p, dc and dc0 are an LSTM's. */
template <class Gates, class Y, class States, class H0, class C0, class P, class L, class DY, class DH, class DC,
          class DG, class DH0, class DC0, class DQ>
struct PccRecurrentBackward {
    typedef DG Cotangent;
    const Gates *gates;
    const Y *y;
    const States *states;
    const H0 *h0;
    const C0 *c0;
    const P *p;
    const L *lengths;
    const DY *dy;
    const DH *dh;
    const DC *dc;
    DG *dg;
    DH0 *dh0;
    DC0 *dc0;
    DQ *dq;
};

/* What goes from step to step, [D, B, H]: the cotangents of the hidden states that do not come by the product, and of
 * the cell states. rows [D, B, 3, H]: with reset_after, what the product multiplies. */
template <class T, class DG> struct PccRecurrentCarry {
    T *h, *c;
    DG *rows;
};

/* dh of the state behind the step, but for dy. sums: the product of the step behind. */
template <class T, class O, class DG>
PCC_DEVICE T pcc_recurrent_behind(const PccRecurrentStep<T> &step, const PccRecurrentUnit &u, const O &o,
                                  const PccRecurrentSums<T> &sums, const PccRecurrentCarry<T, DG> &carry)
{
    const bool is_first = step.index == step.steps - 1;
    return (is_first ? pcc_recurrent_get<T>(o.dh, u.state) : carry.h[u.state]) + sums.sum(u.state);
}

template <class T, class O, class DG>
PCC_DEVICE T pcc_recurrent_cell_behind(const PccRecurrentStep<T> &step, const PccRecurrentUnit &u, const O &o,
                                       const PccRecurrentCarry<T, DG> &carry)
{
    return step.index == step.steps - 1 ? pcc_recurrent_get<T>(o.dc, u.state) : carry.c[u.state];
}

/* A step of a sequence that is over: its states' cotangents, of which dh is one, go on as they are. */
template <class T, class O, class DG>
PCC_DEVICE void pcc_recurrent_pass_back(const PccRecurrentStep<T> &step, const PccRecurrentUnit &u, const O &o, T dh,
                                        const PccRecurrentCarry<T, DG> &carry)
{
    carry.h[u.state] = dh;
    for (int gate = 0; gate < (int)step.gates; gate++)
        pcc_put(o.dg, step.gate_at(u, gate), T(0));
    for (int gate = 0; gate < 3 && step.reset_after; gate++)
        pcc_put(carry.rows, step.sum_at(u, gate, 3), T(0));
    pcc_recurrent_put(o.dq, step.state_at(u), T(0));
}

template <int Form, class T, class O, class DG>
__global__ void pcc_lstm_grad_kernel(PCC_PARAMETER PccRecurrentStep<T> step, PCC_PARAMETER O o,
                                     PccRecurrentSums<T> sums, PccRecurrentCarry<T, DG> carry)
{
    typedef PccRecurrentForm<Form> Cell;
    PCC_FOR_ITEMS (item, step.count()) {
        const PccRecurrentUnit u = step.unit(item, o.lengths);
        T dh = pcc_recurrent_behind(step, u, o, sums, carry), dc = pcc_recurrent_cell_behind(step, u, o, carry);
        if (u.is_over) {
            pcc_recurrent_pass_back(step, u, o, dh, carry);
            carry.c[item] = dc;
            continue;
        }
        dh += pcc_recurrent_get<T>(o.dy, step.state_at(u));
        T gate[4], d[4]; /* i, o, f and the candidate */
#pragma unroll
        for (int k = 0; k < 4; k++)
            gate[k] = pcc_get<T>(o.gates, step.gate_at(u, k));
        const T before = pcc_recurrent_before(step, u, o.states, o.c0);
        const T out = pcc_gate_apply<Cell::H>(step.h, pcc_get<T>(o.states, step.state_at(u)));
        d[1] = dh * out * pcc_gate_slope_clipped<Cell::F>(step.f, step.clip, gate[1]);
        dc += dh * gate[1] * pcc_gate_slope<Cell::H>(step.h, out) + d[1] * pcc_recurrent_peephole(step, u, o.p, 1);
        const T kept = step.input_forget ? before : T(0), forgot = step.input_forget ? T(0) : before;
        d[0] = dc * (gate[3] - kept) * pcc_gate_slope_clipped<Cell::F>(step.f, step.clip, gate[0]);
        d[2] = dc * forgot * pcc_gate_slope_clipped<Cell::F>(step.f, step.clip, gate[2]);
        d[3] = dc * gate[0] * pcc_gate_slope_clipped<Cell::G>(step.g, step.clip, gate[3]);
        carry.h[item] = 0; /* nothing of it passes the step but through the gates */
        carry.c[item] = dc * gate[2] + d[0] * pcc_recurrent_peephole(step, u, o.p, 0) +
                        d[2] * pcc_recurrent_peephole(step, u, o.p, 2);
#pragma unroll
        for (int k = 0; k < 4; k++)
            pcc_put(o.dg, step.gate_at(u, k), d[k]);
    }
}

template <int Form, class T, class O, class DG>
__global__ void pcc_rnn_grad_kernel(PCC_PARAMETER PccRecurrentStep<T> step, PCC_PARAMETER O o, PccRecurrentSums<T> sums,
                                    PccRecurrentCarry<T, DG> carry)
{
    PCC_FOR_ITEMS (item, step.count()) {
        const PccRecurrentUnit u = step.unit(item, o.lengths);
        T dh = pcc_recurrent_behind(step, u, o, sums, carry);
        if (u.is_over) {
            pcc_recurrent_pass_back(step, u, o, dh, carry);
            continue;
        }
        dh += pcc_recurrent_get<T>(o.dy, step.state_at(u));
        const T gate = pcc_get<T>(o.gates, step.gate_at(u, 0));
        carry.h[item] = 0;
        pcc_put(o.dg, step.gate_at(u, 0),
                dh * pcc_gate_slope_clipped<PccRecurrentForm<Form>::F>(step.f, step.clip, gate));
    }
}

/* With reset_after: the reset gate's cotangent and that of the candidate's recurrent part, from the candidate's sum's;
 * the product multiplies the latter in the place of the sum's. */
template <int Form, class T, class O, class DG>
PCC_DEVICE void pcc_gru_after_back(const PccRecurrentStep<T> &step, const PccRecurrentUnit &u, const O &o, T d_update,
                                   T d_candidate, const PccRecurrentCarry<T, DG> &carry)
{
    const T r = pcc_get<T>(o.gates, step.gate_at(u, 1)), inner = d_candidate * r;
    const T d_reset = d_candidate * pcc_get<T>(o.states, step.state_at(u)) *
                      pcc_gate_slope_clipped<PccRecurrentForm<Form>::F>(step.f, step.clip, r);
    pcc_put(o.dg, step.gate_at(u, 1), d_reset);
    pcc_recurrent_put(o.dq, step.state_at(u), inner);
    pcc_put(carry.rows, step.sum_at(u, 0, 3), d_update);
    pcc_put(carry.rows, step.sum_at(u, 1, 3), d_reset);
    pcc_put(carry.rows, step.sum_at(u, 2, 3), inner);
}

/* The candidate's and the update gate's sums; what passes the update gate goes on. */
template <int Form, class T, class O, class DG>
__global__ void pcc_gru_grad_kernel(PCC_PARAMETER PccRecurrentStep<T> step, PCC_PARAMETER O o, PccRecurrentSums<T> sums,
                                    PccRecurrentCarry<T, DG> carry)
{
    typedef PccRecurrentForm<Form> Cell;
    PCC_FOR_ITEMS (item, step.count()) {
        const PccRecurrentUnit u = step.unit(item, o.lengths);
        T dh = pcc_recurrent_behind(step, u, o, sums, carry);
        if (u.is_over) {
            pcc_recurrent_pass_back(step, u, o, dh, carry);
            continue;
        }
        dh += pcc_recurrent_get<T>(o.dy, step.state_at(u));
        const T z = pcc_get<T>(o.gates, step.gate_at(u, 0)), candidate = pcc_get<T>(o.gates, step.gate_at(u, 2));
        const T before = pcc_recurrent_before(step, u, o.y, o.h0);
        const T d_update = dh * (before - candidate) * pcc_gate_slope_clipped<Cell::F>(step.f, step.clip, z);
        const T d_candidate = dh * (1 - z) * pcc_gate_slope_clipped<Cell::G>(step.g, step.clip, candidate);
        carry.h[item] = dh * z;
        pcc_put(o.dg, step.gate_at(u, 0), d_update);
        pcc_put(o.dg, step.gate_at(u, 2), d_candidate);
        if (step.reset_after)
            pcc_gru_after_back<Form>(step, u, o, d_update, d_candidate, carry);
    }
}

/* Without reset_after: the reset gate's sum, from the cotangent of the state that it let through, `inner`. */
template <int Form, class T, class O, class DG>
__global__ void pcc_gru_reset_grad_kernel(PCC_PARAMETER PccRecurrentStep<T> step, PCC_PARAMETER O o,
                                          PccRecurrentSums<T> inner, PccRecurrentCarry<T, DG> carry)
{
    PCC_FOR_ITEMS (item, step.count()) {
        const PccRecurrentUnit u = step.unit(item, o.lengths);
        if (u.is_over)
            continue;
        const T r = pcc_get<T>(o.gates, step.gate_at(u, 1)), through = inner.sum(item);
        const T d_reset = through * pcc_recurrent_before(step, u, o.y, o.h0) *
                          pcc_gate_slope_clipped<PccRecurrentForm<Form>::F>(step.f, step.clip, r);
        pcc_put(o.dg, step.gate_at(u, 1), d_reset);
        carry.h[item] += through * r;
    }
}

/* The initial states' cotangents. */
template <class T, class O, class DG>
__global__ void pcc_recurrent_initial_grad_kernel(int64_t count, PCC_PARAMETER O o, PccRecurrentSums<T> sums,
                                                  PccRecurrentCarry<T, DG> carry, bool has_cells)
{
    PCC_FOR_ITEMS (i, count) {
        pcc_recurrent_put(o.dh0, i, carry.h[i] + sums.sum(i));
        if (has_cells)
            pcc_recurrent_put(o.dc0, i, carry.c[i]);
    }
}

#endif
