/* recurrent.cuh: the recurrences of recurrent.h for CUDA.
 *
 *   pcc_recurrence<T, Form>(shape, g, r, bias, h0, c0, p, lengths, gates, y, h, states, c, scratch, s)
 *
 * Two launches a step, four of a GRU that resets before it multiplies: a product of the states before the step with R
 * (recurrent_product.cuh), and the cells (recurrent_cells.cuh). Products read states where y has them, so that two
 * operands of bf16 or of f16 are multiplied on tensor cores; h0, and what the reset gate lets through, are multiplied
 * in the dtype of y. Form: the sum of pcc_recurrent_product_form() and of PCC_RECURRENT_CELL() for the call; without it
 * all cells and functions are compiled. scratch: pcc_cuda_recurrence_scratch_bytes(shape, sizeof(T)). */
#ifndef PCC_RECURRENT_CUH
#define PCC_RECURRENT_CUH

#include "recurrent_cells.cuh"
#include "recurrent_product.cuh"

/* One walk: what all of its steps share. */
template <int Form, class T, class R, class O> struct PccRecurrentRun {
    typedef PccRecurrentForm<Form> Cell;
    typedef typename O::State State;
    typedef typename O::Initial Initial;
    PccRecurrent shape;
    PccRecurrentStep<T> step;
    const R *r;
    O o;
    unsigned char *scratch;
    PccRecurrentScratch places;
    PccStep *s;

    template <class X> X *at(size_t place) const
    {
        return (X *)(void *)(scratch + place);
    }

    PccMatrix<State> initial() const
    {
        if constexpr (std::is_same<Initial, State>::value)
            return pcc_recurrent_states(step, o.h0, 1);
        else
            return pcc_recurrent_states(step, (const State *)at<State>(places.initial), 1);
    }

    void round_initial() const
    {
        if constexpr (!std::is_same<Initial, State>::value)
            if (o.h0)
                PCC_LOOP((pcc_recurrent_initial_kernel<T, Initial, State>), step.count(), s, step.count(), o.h0,
                         at<State>(places.initial));
    }

    /* The first product; none in front of the first step where all states are 0. */
    PccRecurrentSums<T> multiply() const
    {
        const int64_t units = pcc_recurrent_first_rows(shape) / shape.width;
        if (step.index == 0 && !o.h0)
            return {};
        const State *before = o.y;
        return pcc_recurrent_multiply<Form, false, T>(
            shape, step.index == 0 ? initial() : pcc_recurrent_rows(step, before, step.index - 1, 1, 0, 1), r, 0, units,
            scratch + places.sums, s);
    }

    void gru(PccRecurrentSums<T> sums) const
    {
        T *kept = at<T>(places.sums);
        State *reset = at<State>(places.rows);
        if (!step.reset_after) {
            PCC_LOOP((pcc_gru_gates_kernel<Form, T, O>), step.count(), s, step, o, sums, kept, reset);
            sums = {};
            if (step.index > 0 || o.h0)
                sums = pcc_recurrent_multiply<Form, false, T>(
                    shape, pcc_recurrent_states(step, (const State *)reset, 1), r, 2, 1, scratch + places.inner, s);
        }
        PCC_LOOP((pcc_gru_kernel<Form, T, O>), step.count(), s, step, o, sums, (const T *)kept);
    }

    void run_step() const
    {
        constexpr bool any = Cell::CELL < 0;
        const PccRecurrentSums<T> sums = multiply();
        if constexpr (any || Cell::CELL == PCC_CELL_LSTM)
            if (shape.cell == PCC_CELL_LSTM)
                PCC_LOOP((pcc_lstm_kernel<Form, T, O>), step.count(), s, step, o, sums, at<T>(places.cells));
        if constexpr (any || Cell::CELL == PCC_CELL_GRU)
            if (shape.cell == PCC_CELL_GRU)
                gru(sums);
        if constexpr (any || Cell::CELL == PCC_CELL_RNN)
            if (shape.cell == PCC_CELL_RNN)
                PCC_LOOP((pcc_rnn_kernel<Form, T, O>), step.count(), s, step, o, sums);
    }
};

template <class T, int Form = PCC_ANY_FORM, class G, class R, class Bias, class H0, class C0, class P, class L,
          class Gates, class Y, class H, class States, class C>
static void pcc_recurrence(PccRecurrent shape, const G *g, const R *r, const Bias *bias, const H0 *h0, const C0 *c0,
                           const P *p, const L *lengths, Gates *gates, Y *y, H *h, States *states, C *c, void *scratch,
                           PccStep *s)
{
    typedef PccRecurrentForward<G, Bias, H0, C0, P, L, Gates, Y, H, States, C> O;
    PccRecurrentRun<Form, T, R, O> run = {shape,
                                          pcc_recurrent_walk<T>(shape),
                                          r,
                                          {g, bias, h0, c0, p, lengths, gates, y, h, states, c},
                                          (unsigned char *)scratch,
                                          pcc_recurrent_scratch(shape, 0, sizeof(T)),
                                          s};
    if (run.step.count() == 0)
        return;
    run.round_initial();
    for (; run.step.index < shape.steps; run.step.index++)
        run.run_step();
}

#endif
