/* recurrent_gate.cuh: functions of gates, as recurrent_core.inc has them, of one element. */
#ifndef PCC_RECURRENT_GATE_CUH
#define PCC_RECURRENT_GATE_CUH

#include "../common/storage.cuh"
#include "recurrent_cuda.h"

/* The parts of a form; -1: what is known at run time only. */
template <int Form> struct PccRecurrentForm {
    static constexpr int PRODUCT = Form < 0 ? PCC_ANY_FORM : Form & 0xff;
    static constexpr int CELL = Form < 0 ? -1 : Form >> 20;
    static constexpr int F = Form < 0 ? -1 : Form >> 8 & 15, G = Form < 0 ? -1 : Form >> 12 & 15,
                         H = Form < 0 ? -1 : Form >> 16 & 15;
};

template <class T> struct PccGate {
    int kind;
    T alpha, beta;
};

template <class T> PCC_DEVICE T pcc_gate_sigmoid(T x)
{
    const T e = exp(x < 0 ? x : -x);
    return (x < 0 ? e : T(1)) / (1 + e);
}

/* Kind: the function's number where it is known, else -1. */
template <int Kind, class T> PCC_DEVICE T pcc_gate_apply(const PccGate<T> &f, T x)
{
    const T magnitude = x < 0 ? -x : x, y = f.alpha * x + f.beta;
    switch (Kind < 0 ? f.kind : Kind) {
    case PCC_GATE_SIGMOID:
        return pcc_gate_sigmoid(x);
    case PCC_GATE_TANH:
        return tanh(x);
    case PCC_GATE_RELU:
        return x > 0 ? x : T(0);
    case PCC_GATE_AFFINE:
        return y;
    case PCC_GATE_LEAKY_RELU:
        return x > 0 ? x : f.alpha * x;
    case PCC_GATE_THRESHOLDED_RELU:
        return x > f.alpha ? x : T(0);
    case PCC_GATE_SCALED_TANH:
        return f.alpha * tanh(f.beta * x);
    case PCC_GATE_HARD_SIGMOID:
        return y < 0 ? T(0) : y > 1 ? T(1) : y;
    case PCC_GATE_ELU:
        return x > 0 ? x : f.alpha * expm1(x);
    case PCC_GATE_SOFTSIGN:
        return x / (1 + magnitude);
    default: /* PCC_GATE_SOFTPLUS */
        return (x > 0 ? x : T(0)) + log1p(exp(-magnitude));
    }
}

/* The derivative where the function's value is y. */
template <int Kind, class T> PCC_DEVICE T pcc_gate_slope(const PccGate<T> &f, T y)
{
    const T apart = 1 - (y < 0 ? -y : y);
    switch (Kind < 0 ? f.kind : Kind) {
    case PCC_GATE_SIGMOID:
        return y * (1 - y);
    case PCC_GATE_TANH:
        return 1 - y * y;
    case PCC_GATE_RELU:
        return y > 0 ? T(1) : T(0);
    case PCC_GATE_AFFINE:
        return f.alpha;
    case PCC_GATE_LEAKY_RELU:
        return y > 0 ? T(1) : f.alpha;
    case PCC_GATE_THRESHOLDED_RELU:
        return y != 0 ? T(1) : T(0);
    case PCC_GATE_SCALED_TANH:
        return f.alpha == 0 ? T(0) : f.beta * (f.alpha - y * y / f.alpha);
    case PCC_GATE_HARD_SIGMOID:
        return y > 0 && y < 1 ? f.alpha : T(0);
    case PCC_GATE_ELU:
        return y > 0 ? T(1) : y + f.alpha;
    case PCC_GATE_SOFTSIGN:
        return apart * apart;
    default: /* PCC_GATE_SOFTPLUS */
        return 1 - exp(-y);
    }
}

/* Of a sum that is clipped to [-clip, clip] first, where clip is not 0. */
template <int Kind, class T> PCC_DEVICE T pcc_gate_apply_clipped(const PccGate<T> &f, T clip, T x)
{
    if (clip != 0)
        x = x < -clip ? -clip : x > clip ? clip : x;
    return pcc_gate_apply<Kind>(f, x);
}

/* The functions are monotone: a sum that was clipped has the value of a bound. That is computed again, perhaps in other
 * instructions than when it was stored, so that values as near as that are taken for it. */
template <int Kind, class T> PCC_DEVICE T pcc_gate_slope_clipped(const PccGate<T> &f, T clip, T y)
{
    if (clip != 0) {
        const T a = pcc_gate_apply<Kind>(f, -clip), b = pcc_gate_apply<Kind>(f, clip);
        const T near = (sizeof(T) == 8 ? T(0x1p-50) : T(0x1p-21)) * ((a < 0 ? -a : a) + (b < 0 ? -b : b));
        const T low = (a < b ? a : b) + near, high = (a < b ? b : a) - near;
        if (!(y > low && y < high))
            return 0;
    }
    return pcc_gate_slope<Kind>(f, y);
}

#endif
