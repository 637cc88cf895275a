/* recurrent_step.cuh: one step of a recurrence, as the cells' kernels see it: a thread has a unit of one sequence and
 * direction, element i of [D, B, H]. */
#ifndef PCC_RECURRENT_STEP_CUH
#define PCC_RECURRENT_STEP_CUH

#include "../gemm/gemm_run.cuh"
#include "recurrent_gate.cuh"

/* Partial sums of a product, [splits][count]; none: 0. */
template <class T> struct PccRecurrentSums {
    const T *at;
    int64_t splits, count;

    __device__ __forceinline__ T sum(int64_t i) const
    {
        T sum = 0;
        for (int64_t split = 0; split < splits; split++)
            sum += at[split * count + i];
        return sum;
    }
};

/* Where a thread's unit lies: `place` numbers the rows of states of all steps, `before` is that of the step before. */
struct PccRecurrentUnit {
    int64_t state, row, j, direction, place, before; /* row: of [D, B] */
    bool is_over, is_last;                           /* the sequence, before this step; the step */
};

template <class T> struct PccRecurrentStep {
    int64_t index, steps, batch, directions, width, gates;
    bool reverse, reset_after, input_forget;
    PccGate<T> f, g, h;
    T clip;

    __host__ __device__ __forceinline__ int64_t count() const
    {
        return directions * batch * width;
    }

    /* The row of a sequence's states at a walk's step. */
    __host__ __device__ __forceinline__ int64_t place(int64_t direction, int64_t sequence, int64_t step) const
    {
        const bool back = directions == 2 ? direction == 1 : reverse;
        const int64_t t = back ? steps - 1 - step : step;
        return (t * batch + sequence) * directions + direction;
    }

    template <class L> __device__ __forceinline__ PccRecurrentUnit unit(int64_t i, const L *lengths) const
    {
        PccRecurrentUnit u;
        u.state = i;
        u.row = pcc_divide(i, width);
        u.j = i - u.row * width;
        u.direction = u.row < batch ? 0 : 1;
        const int64_t sequence = u.row - u.direction * batch;
        const int64_t length = lengths && (int64_t)lengths[sequence] < steps ? (int64_t)lengths[sequence] : steps;
        u.place = place(u.direction, sequence, index);
        u.before = index > 0 ? place(u.direction, sequence, index - 1) : 0;
        u.is_over = index >= length;
        u.is_last = index == (length < 1 ? 0 : length - 1);
        return u;
    }

    /* Of [T, B, D, H]; of gate `gate` in [T, B, D, k, H]; of that gate's sums in [D, B, k', H]. */
    __device__ __forceinline__ int64_t state_at(const PccRecurrentUnit &u) const
    {
        return u.place * width + u.j;
    }

    __device__ __forceinline__ int64_t gate_at(const PccRecurrentUnit &u, int gate) const
    {
        return (u.place * gates + gate) * width + u.j;
    }

    __device__ __forceinline__ int64_t sum_at(const PccRecurrentUnit &u, int gate, int of) const
    {
        return (u.row * of + gate) * width + u.j;
    }
};

/* Operands that may be absent: read as 0, and not written. */
template <class T, class X> PCC_DEVICE T pcc_recurrent_get(const X *x, int64_t i)
{
    return x ? pcc_get<T>(x, i) : T(0);
}

template <class T, class Y> PCC_DEVICE void pcc_recurrent_put(Y *y, int64_t i, T value)
{
    if (y)
        pcc_put(y, i, value);
}

/* A state before the step: what the step before left in `all`, or the initial one. */
template <class T, class X, class I>
PCC_DEVICE T pcc_recurrent_before(const PccRecurrentStep<T> &step, const PccRecurrentUnit &u, const X *all,
                                  const I *initial)
{
    return step.index > 0 ? pcc_get<T>(all, u.before * step.width + u.j) : pcc_recurrent_get<T>(initial, u.state);
}

/* The share of gate `gate` that its peephole lets see of the cell state. */
template <class T, class P>
PCC_DEVICE T pcc_recurrent_peephole(const PccRecurrentStep<T> &step, const PccRecurrentUnit &u, const P *p, int gate)
{
    return pcc_recurrent_get<T>(p, (u.direction * 3 + gate) * step.width + u.j);
}

template <class T> static PccRecurrentStep<T> pcc_recurrent_walk(PccRecurrent shape)
{
    PccRecurrentStep<T> step = {};
    step.steps = shape.steps;
    step.batch = shape.batch;
    step.directions = shape.directions;
    step.width = shape.width;
    step.gates = pcc_recurrent_gates(shape);
    step.reverse = shape.reverse != 0;
    step.reset_after = shape.cell == PCC_CELL_GRU && shape.reset_after;
    step.input_forget = shape.input_forget != 0;
    step.f = {(int)shape.functions[0], (T)shape.f_alpha, (T)shape.f_beta};
    step.g = {(int)shape.functions[1], (T)shape.g_alpha, (T)shape.g_beta};
    step.h = {(int)shape.functions[2], (T)shape.h_alpha, (T)shape.h_beta};
    step.clip = (T)shape.clip;
    return step;
}

#endif
