/* recurrent_cells.cuh: the cells of a step forward. */
#ifndef PCC_RECURRENT_CELLS_CUH
#define PCC_RECURRENT_CELLS_CUH

#include "recurrent_step.cuh"

/* What the kernels read and write, of whatever types; c0, p and c are an LSTM's. */
template <class G, class Bias, class H0, class C0, class P, class L, class Gates, class Y, class H, class States,
          class C>
struct PccRecurrentForward {
    typedef Y State;
    typedef H0 Initial;
    const G *g;
    const Bias *bias;
    const H0 *h0;
    const C0 *c0;
    const P *p;
    const L *lengths;
    Gates *gates;
    Y *y;
    H *h;
    States *states;
    C *c;
};

/* A step of a sequence that is over: 0, and the states stay. One without any step ends in its initial states. */
template <class T, class O>
PCC_DEVICE void pcc_recurrent_pass(const PccRecurrentStep<T> &step, const PccRecurrentUnit &u, const O &o)
{
    for (int gate = 0; gate < (int)step.gates; gate++)
        pcc_recurrent_put(o.gates, step.gate_at(u, gate), T(0));
    pcc_recurrent_put(o.states, step.state_at(u), T(0));
    pcc_put(o.y, step.state_at(u), T(0));
    if (u.is_last) {
        pcc_recurrent_put(o.h, u.state, pcc_recurrent_get<T>(o.h0, u.state));
        pcc_recurrent_put(o.c, u.state, pcc_recurrent_get<T>(o.c0, u.state));
    }
}

/* The new hidden state, and the last one as it is stored. */
template <class T, class O>
PCC_DEVICE void pcc_recurrent_finish(const PccRecurrentStep<T> &step, const PccRecurrentUnit &u, const O &o, T value)
{
    const typename O::State rounded = pcc_narrowed<typename O::State>(value);
    o.y[step.state_at(u)] = rounded;
    if (u.is_last)
        pcc_recurrent_put(o.h, u.state, (T)pcc_wide(rounded));
}

template <int Form, class T, class O>
__global__ void pcc_lstm_kernel(PCC_PARAMETER PccRecurrentStep<T> step, PCC_PARAMETER O o, PccRecurrentSums<T> sums,
                                T *cells)
{
    typedef PccRecurrentForm<Form> Cell;
    PCC_FOR_ITEMS (item, step.count()) {
        const PccRecurrentUnit u = step.unit(item, o.lengths);
        if (u.is_over) {
            pcc_recurrent_pass(step, u, o);
            continue;
        }
        const T before = step.index > 0 ? cells[item] : pcc_recurrent_get<T>(o.c0, item);
        T gate[4]; /* i, o, f and the candidate */
#pragma unroll
        for (int k = 0; k < 4; k++)
            gate[k] = pcc_get<T>(o.g, step.gate_at(u, k)) + sums.sum(step.sum_at(u, k, 4));
        gate[0] += pcc_recurrent_peephole(step, u, o.p, 0) * before;
        gate[2] += pcc_recurrent_peephole(step, u, o.p, 2) * before;
        gate[0] = pcc_gate_apply_clipped<Cell::F>(step.f, step.clip, gate[0]);
        gate[2] = pcc_gate_apply_clipped<Cell::F>(step.f, step.clip, gate[2]);
        gate[3] = pcc_gate_apply_clipped<Cell::G>(step.g, step.clip, gate[3]);
        if (step.input_forget)
            gate[2] = 1 - gate[0];
        const T cell = gate[2] * before + gate[0] * gate[3];
        gate[1] += pcc_recurrent_peephole(step, u, o.p, 1) * cell;
        gate[1] = pcc_gate_apply_clipped<Cell::F>(step.f, step.clip, gate[1]);
        cells[item] = cell;
#pragma unroll
        for (int k = 0; k < 4; k++)
            pcc_recurrent_put(o.gates, step.gate_at(u, k), gate[k]);
        pcc_recurrent_put(o.states, step.state_at(u), cell);
        if (u.is_last)
            pcc_recurrent_put(o.c, u.state, cell);
        pcc_recurrent_finish(step, u, o, gate[1] * pcc_gate_apply<Cell::H>(step.h, cell));
    }
}

template <int Form, class T, class O>
__global__ void pcc_rnn_kernel(PCC_PARAMETER PccRecurrentStep<T> step, PCC_PARAMETER O o, PccRecurrentSums<T> sums)
{
    PCC_FOR_ITEMS (item, step.count()) {
        const PccRecurrentUnit u = step.unit(item, o.lengths);
        if (u.is_over) {
            pcc_recurrent_pass(step, u, o);
            continue;
        }
        const T sum = pcc_get<T>(o.g, step.gate_at(u, 0)) + sums.sum(item);
        const T value = pcc_gate_apply_clipped<PccRecurrentForm<Form>::F>(step.f, step.clip, sum);
        pcc_recurrent_put(o.gates, step.gate_at(u, 0), value);
        pcc_recurrent_finish(step, u, o, value);
    }
}

/* Gate `gate` of a GRU, 0 or 1, whose sums are `of` to a row. */
template <int Form, class T, class O>
PCC_DEVICE T pcc_gru_gate(const PccRecurrentStep<T> &step, const PccRecurrentUnit &u, const O &o,
                          const PccRecurrentSums<T> &sums, int gate, int of)
{
    const T sum = pcc_get<T>(o.g, step.gate_at(u, gate)) + sums.sum(step.sum_at(u, gate, of));
    return pcc_gate_apply_clipped<PccRecurrentForm<Form>::F>(step.f, step.clip, sum);
}

/* Without reset_after: the gates z and r, which take their sums' place [D, B, 2, H] in `kept`, and the state that the
 * candidate's weights multiply. */
template <int Form, class T, class O>
__global__ void pcc_gru_gates_kernel(PCC_PARAMETER PccRecurrentStep<T> step, PCC_PARAMETER O o,
                                     PccRecurrentSums<T> sums, T *kept, typename O::State *reset)
{
    PCC_FOR_ITEMS (item, step.count()) {
        const PccRecurrentUnit u = step.unit(item, o.lengths);
        const T z = u.is_over ? T(0) : pcc_gru_gate<Form>(step, u, o, sums, 0, 2);
        const T r = u.is_over ? T(0) : pcc_gru_gate<Form>(step, u, o, sums, 1, 2);
        kept[step.sum_at(u, 0, 2)] = z;
        kept[step.sum_at(u, 1, 2)] = r;
        pcc_put(reset, item, r * pcc_recurrent_before(step, u, o.y, o.h0));
    }
}

/* The new state. With reset_after `sums` are those of all gates, else of the candidate, and `kept` has z and r. */
template <int Form, class T, class O>
__global__ void pcc_gru_kernel(PCC_PARAMETER PccRecurrentStep<T> step, PCC_PARAMETER O o, PccRecurrentSums<T> sums,
                               const T *kept)
{
    PCC_FOR_ITEMS (item, step.count()) {
        const PccRecurrentUnit u = step.unit(item, o.lengths);
        if (u.is_over) {
            pcc_recurrent_pass(step, u, o);
            continue;
        }
        T z, r, recurrent;
        if (step.reset_after) {
            z = pcc_gru_gate<Form>(step, u, o, sums, 0, 3);
            r = pcc_gru_gate<Form>(step, u, o, sums, 1, 3);
            recurrent = sums.sum(step.sum_at(u, 2, 3)) + pcc_recurrent_get<T>(o.bias, u.direction * step.width + u.j);
            pcc_recurrent_put(o.states, step.state_at(u), recurrent);
            recurrent *= r;
        } else {
            z = kept[step.sum_at(u, 0, 2)];
            r = kept[step.sum_at(u, 1, 2)];
            recurrent = sums.sum(item);
        }
        const T candidate = pcc_gate_apply_clipped<PccRecurrentForm<Form>::G>(
            step.g, step.clip, pcc_get<T>(o.g, step.gate_at(u, 2)) + recurrent);
        const T before = pcc_recurrent_before(step, u, o.y, o.h0);
        pcc_recurrent_put(o.gates, step.gate_at(u, 0), z);
        pcc_recurrent_put(o.gates, step.gate_at(u, 1), r);
        pcc_recurrent_put(o.gates, step.gate_at(u, 2), candidate);
        pcc_recurrent_finish(step, u, o, (1 - z) * candidate + z * before);
    }
}

/* h0 as y would store it, for the first product. */
template <class T, class X, class Y> __global__ void pcc_recurrent_initial_kernel(int64_t count, const X *x, Y *y)
{
    PCC_FOR_ITEMS (i, count)
        pcc_put(y, i, pcc_get<T>(x, i));
}

#endif
