/* recurrent_case.h: a recurrence and its gradient on the same operands, by the C target's kernels and by CUDA's. */
#ifndef PCC_RECURRENT_CASE_H
#define PCC_RECURRENT_CASE_H

#include "emulated_check.h"
#include "recurrent_in_c.h"

#include "runtime/kernels/recurrent/recurrent.cuh"
#include "runtime/kernels/recurrent/recurrent_grad.cuh"

/* ---- how operands are stored ------------------------------------------------------------------------------------ */

template <class X> PccDtype dtype_of()
{
    return std::is_same<X, double>::value    ? PCC_F64
           : std::is_same<X, float>::value   ? PCC_F32
           : std::is_same<X, PccBf16>::value ? PCC_BF16
                                             : PCC_F16;
}

/* An operand of either side; empty: absent. */
template <class X> struct Operand {
    std::vector<double> values;
    std::vector<X> host;

    void set(const std::vector<double> &from)
    {
        values = rounded<X>(from);
        host.clear();
        for (double x : values)
            host.push_back(stored<X>(x));
    }
    void make(int64_t count, uint64_t seed, double spread = 1)
    {
        set(random_values(count, seed, -spread, spread));
    }
    void expect(int64_t count) /* of a result */
    {
        host.resize((size_t)count);
    }
    /* Of a result that C has made. */
    void keep()
    {
        values.clear();
        for (X x : host)
            values.push_back((double)pcc_wide(x));
    }
    void *at()
    {
        return host.empty() ? nullptr : host.data();
    }
};

/* On the device: null where absent. */
template <class X> struct Given {
    Device<X> memory;
    bool is_absent;

    explicit Given(const Operand<X> &operand) : memory(operand.values), is_absent(operand.values.empty())
    {
    }
    X *at() const
    {
        return is_absent ? nullptr : memory.at();
    }
};

/* A result, poisoned; absent where C has none. */
template <class X> struct Made {
    Device<X> memory;
    bool is_absent;

    explicit Made(const Operand<X> &operand) : memory((int64_t)operand.host.size()), is_absent(operand.host.empty())
    {
    }
    X *at() const
    {
        return is_absent ? nullptr : memory.at();
    }
};

/* ---- cases ------------------------------------------------------------------------------------------------------ */

enum {
    HAS_H0 = 1,
    HAS_C0 = 2,
    HAS_P = 4,
    HAS_LENGTHS = 8,
    RESET_AFTER = 16,
    INPUT_FORGET = 32,
    CLIPPED = 64,
    REVERSE = 128,
    BARE = 256 /* only what a kernel must be given */
};

struct Variant {
    int64_t cell;
    unsigned has;
    int64_t functions[3];
    double alpha[3], beta[3];
};

struct Sizes {
    int64_t steps, batch, directions, width;
};

static inline PccRecurrent shape_of(const Variant &v, const Sizes &z)
{
    PccRecurrent shape = {};
    shape.cell = v.cell;
    shape.steps = z.steps;
    shape.batch = z.batch;
    shape.directions = z.directions;
    shape.width = z.width;
    shape.reverse = (v.has & REVERSE) != 0;
    shape.reset_after = (v.has & RESET_AFTER) != 0;
    shape.input_forget = (v.has & INPUT_FORGET) != 0;
    for (int i = 0; i < 3; i++)
        shape.functions[i] = v.functions[i];
    shape.clip = v.has & CLIPPED ? 0.5 : 0;
    shape.f_alpha = v.alpha[0];
    shape.f_beta = v.beta[0];
    shape.g_alpha = v.alpha[1];
    shape.g_beta = v.beta[1];
    shape.h_alpha = v.alpha[2];
    shape.h_beta = v.beta[2];
    return shape;
}

/* T is computed in; X is what most operands are stored in, R the weights, I the initial states, W the saved states. */
template <class T, class X, class R = X, class I = X, class W = T> struct Recurrent {
    PccRecurrent shape;
    const char *what;
    double error; /* of a step, relative to the greatest value */
    std::vector<int64_t> lengths;
    Operand<X> g, bias, p, gates, y, h, c;
    Operand<R> r;
    Operand<I> h0, c0;
    Operand<W> states;
    Operand<X> dy, dh, dc, dg, dh0, dc0, dq;

    Recurrent(const Variant &v, const Sizes &z, const char *name) : shape(shape_of(v, z)), what(name)
    {
        const double coarsest = std::max({unit<X>(), unit<R>(), unit<I>()});
        error = (sizeof(X) == 2 ? 2 : 8) * coarsest * (double)(z.steps + 1);
        make_inputs(v, z);
        if (!(v.has & BARE))
            make_cotangents(v);
        else
            dy.make(all(), 12);
        expect_results(v);
        forward_in_c();
        backward_in_c();
    }

    int64_t states_count() const
    {
        return shape.directions * shape.batch * shape.width;
    }
    int64_t all() const
    {
        return shape.steps * states_count();
    }

    void make_inputs(const Variant &v, const Sizes &z)
    {
        const int64_t k = pcc_recurrent_gates(shape), d = z.directions;
        g.make(k * all(), 1);
        r.make(d * k * z.width * z.width, 2, 1 / sqrt((double)z.width));
        if (v.has & RESET_AFTER)
            bias.make(d * z.width, 3);
        if (v.has & HAS_H0)
            h0.make(states_count(), 4);
        if (v.has & HAS_C0)
            c0.make(states_count(), 5);
        if (v.has & HAS_P)
            p.make(d * 3 * z.width, 6);
        for (int64_t i = 0; v.has & HAS_LENGTHS && i < z.batch; i++)
            lengths.push_back(i % (z.steps + 2)); /* from 0 to one beyond the number of steps */
    }

    void make_cotangents(const Variant &v)
    {
        dh.make(states_count(), 11);
        if (shape.batch != 2)
            dy.make(all(), 12);
        if (v.cell == PCC_CELL_LSTM)
            dc.make(states_count(), 13);
    }

    void expect_results(const Variant &v)
    {
        const bool is_lstm = v.cell == PCC_CELL_LSTM, after = (v.has & RESET_AFTER) != 0, bare = (v.has & BARE) != 0;
        gates.expect(pcc_recurrent_gates(shape) * all());
        y.expect(all());
        h.expect(bare ? 0 : states_count());
        states.expect(is_lstm || after ? all() : 0);
        c.expect(is_lstm && !bare ? states_count() : 0);
        dg.expect(pcc_recurrent_gates(shape) * all());
        dh0.expect(bare ? 0 : states_count());
        dc0.expect(is_lstm && !bare ? states_count() : 0);
        dq.expect(after && !bare ? all() : 0);
    }

    /* ---- in C: what is expected ---- */

    template <class Y> static void pass(RecurrentInC *call, int i, Operand<Y> &operand)
    {
        call->in[i] = operand.at();
        call->in_dtype[i] = dtype_of<Y>();
    }
    template <class Y> static void receive(RecurrentInC *call, int i, Operand<Y> &operand)
    {
        call->out[i] = operand.at();
        call->out_dtype[i] = dtype_of<Y>();
    }

    RecurrentInC call_in_c() const
    {
        RecurrentInC call = {};
        call.shape = shape;
        call.is_f64 = sizeof(T) == 8;
        call.lengths = lengths.empty() ? nullptr : lengths.data();
        return call;
    }

    void forward_in_c()
    {
        RecurrentInC call = call_in_c();
        pass(&call, 0, g), pass(&call, 1, r), pass(&call, 2, bias), pass(&call, 3, h0), pass(&call, 4, c0);
        pass(&call, 5, p);
        receive(&call, 0, gates), receive(&call, 1, y), receive(&call, 2, h), receive(&call, 3, states);
        receive(&call, 4, c);
        c_recurrence(&call);
        gates.keep(), y.keep(), h.keep(), states.keep(), c.keep();
    }

    void backward_in_c()
    {
        RecurrentInC call = call_in_c();
        pass(&call, 0, gates), pass(&call, 1, y), pass(&call, 2, states), pass(&call, 3, r), pass(&call, 4, h0);
        pass(&call, 5, c0), pass(&call, 6, p), pass(&call, 7, dy), pass(&call, 8, dh), pass(&call, 9, dc);
        receive(&call, 0, dg), receive(&call, 1, dh0), receive(&call, 2, dc0), receive(&call, 3, dq);
        c_recurrence_grad(&call);
        dg.keep(), dh0.keep(), dc0.keep(), dq.keep();
    }

    /* ---- on the device ---- */

    /* Compares a result; its bits join `bits`. */
    template <class Y>
    void compare(const Operand<Y> &want, const Made<Y> &got, const char *name, std::vector<unsigned char> *bits) const
    {
        double greatest = 0;
        for (double x : want.values)
            greatest = std::max(greatest, fabs(x));
        char text[200];
        snprintf(text, sizeof text, "%s: %s", what, name);
        if (!got.is_absent) {
            expect_close(want.values, got.memory.read(), error, text, std::max(greatest, 1e-3));
            append(*bits, got.memory.bits());
        }
    }

    std::vector<unsigned char> forward(CudaStep &step) const
    {
        Given<X> on_g(g), on_bias(bias), on_p(p);
        Given<R> on_r(r);
        Given<I> on_h0(h0), on_c0(c0);
        Made<X> on_gates(gates), on_y(y), on_h(h), on_c(c);
        Made<W> on_states(states);
        const Device<int64_t> on_lengths(std::vector<double>(lengths.begin(), lengths.end()));
        const Device<unsigned char> scratch((int64_t)pcc_cuda_recurrence_scratch_bytes(shape, sizeof(T)));
        pcc_recurrence<T>(shape, on_g.at(), on_r.at(), on_bias.at(), on_h0.at(), on_c0.at(), on_p.at(),
                          lengths.empty() ? (int64_t *)nullptr : on_lengths.at(), on_gates.at(), on_y.at(), on_h.at(),
                          on_states.at(), on_c.at(), scratch.at(), step.get());
        std::vector<unsigned char> bits;
        compare(y, on_y, "y", &bits);
        compare(gates, on_gates, "gates", &bits);
        compare(h, on_h, "h", &bits);
        compare(states, on_states, "states", &bits);
        compare(c, on_c, "c", &bits);
        return bits;
    }

    std::vector<unsigned char> backward(CudaStep &step) const
    {
        Given<X> on_gates(gates), on_y(y), on_p(p), on_dy(dy), on_dh(dh), on_dc(dc);
        Given<R> on_r(r);
        Given<I> on_h0(h0), on_c0(c0);
        Given<W> on_states(states);
        Made<X> on_dg(dg), on_dh0(dh0), on_dc0(dc0), on_dq(dq);
        const Device<int64_t> on_lengths(std::vector<double>(lengths.begin(), lengths.end()));
        const Device<unsigned char> scratch((int64_t)pcc_cuda_recurrence_grad_scratch_bytes(shape, sizeof(T)));
        pcc_recurrence_grad<T>(shape, on_gates.at(), on_y.at(), on_states.at(), on_r.at(), on_h0.at(), on_c0.at(),
                               on_p.at(), lengths.empty() ? (int64_t *)nullptr : on_lengths.at(), on_dy.at(),
                               on_dh.at(), on_dc.at(), on_dg.at(), on_dh0.at(), on_dc0.at(), on_dq.at(), scratch.at(),
                               step.get());
        std::vector<unsigned char> bits;
        compare(dg, on_dg, "dg", &bits);
        compare(dh0, on_dh0, "dh0", &bits);
        compare(dc0, on_dc0, "dc0", &bits);
        compare(dq, on_dq, "dq", &bits);
        return bits;
    }
};

/* ---- every cell and attribute ----------------------------------------------------------------------------------- */

#define LSTM_DEFAULT                                      \
    {PCC_GATE_SIGMOID, PCC_GATE_TANH, PCC_GATE_TANH}, {}, \
    {                                                     \
    }
#define GRU_DEFAULT                        \
    {PCC_GATE_SIGMOID, PCC_GATE_TANH}, {}, \
    {                                      \
    }

/* What is clipped has values that 16 bits hold exactly: it is known by them. */
static const Variant variants[] = {
    {PCC_CELL_LSTM, 0, LSTM_DEFAULT},
    {PCC_CELL_LSTM, BARE, LSTM_DEFAULT},
    {PCC_CELL_LSTM, HAS_H0 | HAS_C0 | REVERSE, LSTM_DEFAULT},
    {PCC_CELL_LSTM, HAS_H0 | HAS_C0 | HAS_P | INPUT_FORGET, LSTM_DEFAULT},
    {PCC_CELL_LSTM, HAS_C0 | HAS_P | HAS_LENGTHS, LSTM_DEFAULT},
    {PCC_CELL_LSTM,
     HAS_H0 | CLIPPED,
     {PCC_GATE_HARD_SIGMOID, PCC_GATE_AFFINE, PCC_GATE_ELU},
     {0.25, 0.5, 0.8},
     {0.5, 0.25, 0}},
    {PCC_CELL_LSTM, REVERSE, {PCC_GATE_SOFTPLUS, PCC_GATE_SCALED_TANH, PCC_GATE_AFFINE}, {0, 0.9, 0.7}, {0, 1.2, 0.1}},
    {PCC_CELL_GRU, 0, GRU_DEFAULT},
    {PCC_CELL_GRU, BARE, GRU_DEFAULT},
    {PCC_CELL_GRU, HAS_H0 | REVERSE, GRU_DEFAULT},
    {PCC_CELL_GRU, HAS_H0 | HAS_LENGTHS, GRU_DEFAULT},
    {PCC_CELL_GRU, HAS_H0 | RESET_AFTER, GRU_DEFAULT},
    {PCC_CELL_GRU, BARE | RESET_AFTER, GRU_DEFAULT},
    {PCC_CELL_GRU, HAS_LENGTHS | RESET_AFTER, {PCC_GATE_SIGMOID, PCC_GATE_LEAKY_RELU}, {0, 0.1}, {}},
    {PCC_CELL_RNN, HAS_H0, {PCC_GATE_SOFTSIGN}, {}, {}},
    {PCC_CELL_RNN, BARE, {PCC_GATE_TANH}, {}, {}},
    {PCC_CELL_RNN, HAS_LENGTHS, {PCC_GATE_RELU}, {}, {}},
    {PCC_CELL_RNN, REVERSE, {PCC_GATE_THRESHOLDED_RELU}, {0.1}, {}},
};

/* Kernels walk forward where lengths differ. */
static bool is_possible(const Variant &v, const Sizes &z)
{
    return !(v.has & HAS_LENGTHS && z.directions == 2);
}

template <class Case> static void check_case(const Variant &v, const Sizes &z, bool in_orders)
{
    char name[80];
    snprintf(name, sizeof name, "variant %d, width %d", (int)(&v - variants), (int)z.width);
    const Case c(v, z, name);
    if (in_orders) {
        check_orders([&](CudaStep &step) { return c.forward(step); });
        check_orders([&](CudaStep &step) { return c.backward(step); });
    } else {
        CudaStep step;
        c.forward(step);
        c.backward(step);
        step.finish();
    }
}

/* in_orders: are the bits those of other orders of blocks and threads, too? */
template <class Case> static void check_variants(const Sizes &z, bool in_orders)
{
    for (const Variant &v : variants)
        if (is_possible(v, z))
            check_case<Case>(v, z, in_orders);
}

typedef Recurrent<double, double> F64;
typedef Recurrent<float, float> F32;
typedef Recurrent<float, PccBf16> Bf16;
typedef Recurrent<float, PccF16> F16;
typedef Recurrent<float, PccBf16, PccF16, float> Mixed;

#endif
