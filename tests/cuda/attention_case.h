/* attention_case.h: attention's kernels on the device against the formula, for any storage, and the cases of
 * test_attention.cu and test_attention_tensor.cu. */
#ifndef ATTENTION_CASE_H
#define ATTENTION_CASE_H

#include "attention_reference.h"

#include <pcc/kernels/attention/attention.cuh>
#include <pcc/kernels/attention/attention_grad.cuh>

/* T is computed in; operands, mask, and each result are stored as the others say. */
template <class T_, class Q_, class K_ = Q_, class V_ = Q_, class M_ = Q_, class Y_ = Q_, class D_ = Q_, class DQ_ = Q_,
          class DK_ = Q_, class DV_ = Q_>
struct Storage {
    using T = T_;
    using Q = Q_;
    using K = K_;
    using V = V_;
    using M = M_;
    using Y = Y_;
    using D = D_;
    using DQ = DQ_;
    using DK = DK_;
    using DV = DV_;
};

/* Beside the one rounding to storage there is what accumulation in T makes of numbers near 1. */
template <class X, class T>
static inline void expect(const char *what, const Values &want, const Values &got, double about)
{
    for (size_t i = 0; i < want.size(); i++) {
        const double error = unit<X>() * fabs(want[i]) + 128 * unit<T>() * (about + fabs(want[i]));
        if (!(fabs(got[i] - want[i]) <= error) && got[i] != want[i] && !(isnan(got[i]) && isnan(want[i])))
            fail_msg("%s[%zu] is %.17g, not %.17g (tolerance %.3g)", what, i, got[i], want[i], error);
    }
}

/* What is lost by storing is lost in `o`, too. */
template <class S> static inline void store(Operands &o)
{
    o.q = rounded<typename S::Q>(o.q);
    o.k = rounded<typename S::K>(o.k);
    o.v = rounded<typename S::V>(o.v);
    o.mask = rounded<typename S::M>(o.mask);
    o.dy = rounded<typename S::D>(o.dy);
}

/* Runs both passes and brings the results into `o`; returns their bits. */
template <class S> static inline std::vector<unsigned char> run(const PccAttention &a, Operands &o, CudaStep &step)
{
    using T = typename S::T;
    const Device<typename S::Q> q(o.q);
    const Device<typename S::K> k(o.k);
    const Device<typename S::V> v(o.v);
    const Device<typename S::M> mask(o.mask);
    const Device<typename S::D> dy(o.dy);
    const Device<uint8_t> visible(o.visible);
    const Device<typename S::Y> y((int64_t)o.y.size());
    const Device<T> max((int64_t)o.max.size()), inverse_sum((int64_t)o.max.size());
    const Device<typename S::DQ> dq((int64_t)o.dq.size());
    const Device<typename S::DK> dk((int64_t)o.dk.size());
    const Device<typename S::DV> dv((int64_t)o.dv.size());
    const Device<unsigned char> scratch((int64_t)pcc_cuda_attention_grad_scratch_bytes(a, sizeof(T)));
    PccStep *s = step.get();
    if (!o.visible.empty()) {
        pcc_attention_visible<T>(a, q.at(), k.at(), v.at(), visible.at(), y.at(), max.at(), inverse_sum.at(), s);
        pcc_attention_visible_grad<T>(a, q.at(), k.at(), v.at(), visible.at(), y.at(), max.at(), inverse_sum.at(),
                                      dy.at(), dq.at(), dk.at(), dv.at(), scratch.at(), s);
    } else {
        const typename S::M *added = o.mask.empty() ? nullptr : mask.at();
        pcc_attention<T>(a, q.at(), k.at(), v.at(), added, y.at(), max.at(), inverse_sum.at(), s);
        pcc_attention_grad<T>(a, q.at(), k.at(), v.at(), added, y.at(), max.at(), inverse_sum.at(), dy.at(), dq.at(),
                              dk.at(), dv.at(), scratch.at(), s);
    }
    o.y = y.read();
    o.max = max.read();
    o.inverse_sum = inverse_sum.read();
    o.dq = dq.read();
    o.dk = dk.read();
    o.dv = dv.read();
    std::vector<unsigned char> bits = y.bits();
    append(bits, max.bits());
    append(bits, inverse_sum.bits());
    append(bits, dq.bits());
    append(bits, dk.bits());
    append(bits, dv.bits());
    return bits;
}

/* All of each buffer: what a kernel must not touch is still poison, a NaN. about: how large gradients are, if less than
 * 1. */
template <class S>
static inline void check_in(const PccAttention &a, Operands o, bool absorbed = false, double about = 1)
{
    using T = typename S::T;
    store<S>(o);
    Operands want = o, got = o;
    CudaStep step;
    run<S>(a, got, step);
    step.finish();
    reference(a, want, absorbed, got.y);
    expect<typename S::Y, T>("y", want.y, got.y, 1);
    expect<T, T>("max", want.max, got.max, 1);
    expect<T, T>("inverse_sum", want.inverse_sum, got.inverse_sum, 1);
    expect<typename S::DQ, T>("dq", want.dq, got.dq, about);
    expect<typename S::DK, T>("dk", want.dk, got.dk, about);
    expect<typename S::DV, T>("dv", want.dv, got.dv, about);
}

template <class S> static inline void check_bits(const PccAttention &a)
{
    Operands o = random_operands(a);
    store<S>(o);
    check_orders([&](CudaStep &step) { return run<S>(a, o, step); });
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

typedef void Check(const PccAttention &a, const Operands &o);

static inline void each_dense_shape(Check *check)
{
    const int64_t shapes[][6] = {{1, 1, 1, 1, 1, 1},       {2, 2, 50, 50, 64, 64},   {2, 1, 7, 19, 5, 3},
                                 {1, 2, 197, 150, 32, 48}, {1, 1, 33, 130, 20, 36},  {1, 1, 130, 3, 16, 16},
                                 {1, 1, 70, 65, 80, 128},  {1, 1, 20, 40, 130, 257}, {1, 1, 20, 40, 256, 200}};
    for (const int64_t *s : shapes) {
        const PccAttention a = shape_of(s[0], s[1], s[2], s[3], s[4], s[5]);
        check(a, random_operands(a));
    }
}

static inline void each_causal_shape(Check *check)
{
    const int64_t sizes[][2] = {{50, 50}, {129, 129}, {20, 90}, {90, 20}, {130, 131}, {1, 17}};
    for (const int64_t *size : sizes) {
        PccAttention a = shape_of(1, 2, size[0], size[1], 24, 24);
        a.causal = 1;
        check(a, random_operands(a));
    }
}

static inline void each_layout(Check *check)
{
    PccAttention shapes[] = {interleaved_shape(2, 50, 3, 64), shape_of(2, 6, 40, 61, 16, 8, 3),
                             shape_of(1, 4, 70, 70, 32, 32, 2)};
    shapes[2].causal = 1;
    for (const PccAttention &a : shapes)
        check(a, random_operands(a));
}

/* Every fifth key is blocked, and in layouts with a stride for queries one query sees nothing. */
static inline void each_mask(Check *check)
{
    const int64_t strides[][4] = {{3 * 33 * 47, 33 * 47, 47, 1}, {0, 0, 47, 1}, {47, 0, 0, 1}, {33, 0, 1, 0}};
    PccAttention a = shape_of(2, 3, 33, 47, 16, 16);
    for (const int64_t *stride : strides) {
        std::copy(stride, stride + 4, a.mask_stride);
        a.causal = stride == strides[1];
        Operands added = random_operands(a), blocked = added;
        added.mask = random_values(mask_extent(a), 5);
        blocked.visible.assign(added.mask.size(), 1);
        for (size_t j = 0; j < added.mask.size(); j++)
            if (j % 5 == 0 || j / 47 == 1) {
                added.mask[j] = -HUGE_VAL;
                blocked.visible[j] = 0;
            }
        check(a, added);
        check(a, blocked);
    }
}

/* Blocked by a number, as exporters write it, a row of nothing but blocked keys weighs them all: in float all alike,
 * for nothing of the scores is left in the sum. q and k are such that scores are exact. */
static inline void each_finite_mask(Check *check)
{
    PccAttention a = shape_of(2, 2, 20, 37, 16, 16);
    a.mask_stride[2] = a.keys;
    a.mask_stride[3] = 1;
    for (const double huge : {-1e9, -1e30, -3.3e38}) {
        Operands o = random_operands(a);
        for (Values *x : {&o.q, &o.k})
            for (double &value : *x)
                value = round(value * 8) / 8;
        for (int64_t j = 0; j < mask_extent(a); j++)
            o.mask.push_back(j / a.keys % 2 || j % 3 == 0 ? (double)(float)huge : 0.0);
        check(a, o);
    }
}

#endif
