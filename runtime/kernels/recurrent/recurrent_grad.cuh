/* recurrent_grad.cuh: the gradients of recurrences of recurrent.h for CUDA.
 *
 *   pcc_recurrence_grad<T, Form>(shape, gates, y, states, r, h0, c0, p, lengths, dy, dh, dc, dg, dh0, dc0, dq, scratch,
 *                                s)
 *
 * As recurrent.cuh: the cells (recurrent_cells_grad.cuh), then the product of the gates' cotangents with R, which is
 * added to the cotangents of the states before the step by the next cells. It reads them as dg has stored them, so that
 * they are multiplied on tensor cores where R has their dtype of 16 bits. scratch:
 * pcc_cuda_recurrence_grad_scratch_bytes(shape, sizeof(T)). */
#ifndef PCC_RECURRENT_GRAD_CUH
#define PCC_RECURRENT_GRAD_CUH

#include "recurrent_cells_grad.cuh"
#include "recurrent_product.cuh"

/* One walk: what all of its steps share. */
template <int Form, class T, class R, class O> struct PccRecurrentGradRun {
    typedef PccRecurrentForm<Form> Cell;
    typedef typename O::Cotangent DG;
    typedef PccRecurrentCarry<T, DG> Carry;
    PccRecurrent shape;
    PccRecurrentStep<T> step;
    const R *r;
    O o;
    unsigned char *scratch;
    PccRecurrentScratch places;
    PccStep *s;

    Carry carry() const
    {
        return {(T *)(void *)(scratch + places.carry), (T *)(void *)(scratch + places.cells),
                (DG *)(void *)(scratch + places.rows)};
    }

    /* Does anything depend on the states before this step? */
    bool has_states() const
    {
        return step.index > 0 || o.h0 || o.dh0;
    }

    PccRecurrentSums<T> multiply() const
    {
        const int64_t units = pcc_recurrent_first_rows(shape) / shape.width, gates = step.gates;
        if (!has_states())
            return {};
        const bool after = shape.cell == PCC_CELL_GRU && step.reset_after;
        return pcc_recurrent_multiply<Form, true, T>(
            shape,
            after ? pcc_recurrent_states(step, (const DG *)carry().rows, units)
                  : pcc_recurrent_rows(step, (const DG *)o.dg, step.index, gates, 0, units),
            r, 0, units, scratch + places.sums, s);
    }

    void gru(const PccRecurrentSums<T> &sums) const
    {
        PCC_LOOP((pcc_gru_grad_kernel<Form, T, O, DG>), step.count(), s, step, o, sums, carry());
        if (step.reset_after)
            return;
        PccRecurrentSums<T> inner = {};
        if (has_states())
            inner = pcc_recurrent_multiply<Form, true, T>(
                shape, pcc_recurrent_rows(step, (const DG *)o.dg, step.index, 3, 2, 1), r, 2, 1, scratch + places.inner,
                s);
        PCC_LOOP((pcc_gru_reset_grad_kernel<Form, T, O, DG>), step.count(), s, step, o, inner, carry());
    }

    /* sums: the product of the step behind. */
    PccRecurrentSums<T> run_step(const PccRecurrentSums<T> &sums) const
    {
        constexpr bool any = Cell::CELL < 0;
        if constexpr (any || Cell::CELL == PCC_CELL_LSTM)
            if (shape.cell == PCC_CELL_LSTM)
                PCC_LOOP((pcc_lstm_grad_kernel<Form, T, O, DG>), step.count(), s, step, o, sums, carry());
        if constexpr (any || Cell::CELL == PCC_CELL_GRU)
            if (shape.cell == PCC_CELL_GRU)
                gru(sums);
        if constexpr (any || Cell::CELL == PCC_CELL_RNN)
            if (shape.cell == PCC_CELL_RNN)
                PCC_LOOP((pcc_rnn_grad_kernel<Form, T, O, DG>), step.count(), s, step, o, sums, carry());
        return multiply();
    }
};

template <class T, int Form = PCC_ANY_FORM, class Gates, class Y, class States, class R, class H0, class C0, class P,
          class L, class DY, class DH, class DC, class DG, class DH0, class DC0, class DQ>
static void pcc_recurrence_grad(PccRecurrent shape, const Gates *gates, const Y *y, const States *states, const R *r,
                                const H0 *h0, const C0 *c0, const P *p, const L *lengths, const DY *dy, const DH *dh,
                                const DC *dc, DG *dg, DH0 *dh0, DC0 *dc0, DQ *dq, void *scratch, PccStep *s)
{
    typedef PccRecurrentBackward<Gates, Y, States, H0, C0, P, L, DY, DH, DC, DG, DH0, DC0, DQ> O;
    PccRecurrentGradRun<Form, T, R, O> run = {shape,
                                              pcc_recurrent_walk<T>(shape),
                                              r,
                                              {gates, y, states, h0, c0, p, lengths, dy, dh, dc, dg, dh0, dc0, dq},
                                              (unsigned char *)scratch,
                                              pcc_recurrent_scratch(shape, 1, sizeof(T)),
                                              s};
    const int64_t count = run.step.count();
    if (count == 0)
        return;
    PccRecurrentSums<T> sums = {};
    for (run.step.index = shape.steps - 1; run.step.index >= 0; run.step.index--)
        sums = run.run_step(sums);
    if (dh0 || dc0)
        PCC_LOOP((pcc_recurrent_initial_grad_kernel<T, O, DG>), count, s, count, run.o, sums, run.carry(),
                 shape.cell == PCC_CELL_LSTM);
}

#endif
