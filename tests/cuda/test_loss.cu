/* test_loss.cu: losses on a GPU, and their gradients, against plain loops in double. */
#include "emulated_check.h"

#include <pcc/kernels/loss/loss.cuh>

typedef std::vector<double> Values;

/* ---- cross-entropy ---------------------------------------------------------------------------------------------- */

struct Shape {
    int64_t batch, outer, classes, inner, shift, valid;
};

struct Scores {
    Shape shape;
    int64_t reduction;
    Values logits, target, weight, dloss; /* weight is empty where absent */
    double offset;
};

/* Targets of all kinds: classes, the one that is ignored, and those that no class has. */
template <class X, class W> static Scores scores_of(Shape shape, int64_t reduction, bool weighted, double offset = 0)
{
    const int64_t rows = shape.outer * shape.inner;
    Scores s = {shape, reduction, {}, {}, {}, {}, offset};
    s.logits = rounded<X>(random_values(rows * shape.classes, 1, offset - 5, offset + 5));
    s.target = random_integers(rows, 2, 0, shape.classes);
    for (size_t i = 0; i < s.target.size(); i++)
        s.target[i] = i % 5 == 3 ? -100 : i % 11 == 6 ? (double)shape.classes : i % 13 == 7 ? -1 : s.target[i];
    if (weighted)
        s.weight = rounded<W>(random_values(shape.classes, 3, 0.5, 2.5));
    s.dloss = rounded<float>(random_values(rows, 4, 1, 3));
    return s;
}

/* The class of position i of row r, or -1. */
static int64_t label_of(const Scores &s, int64_t r, int64_t i)
{
    const Shape &h = s.shape;
    if (r >= h.valid * (h.outer / h.batch) || (h.shift && r % h.shift == h.shift - 1))
        return -1;
    const double label = s.target[(size_t)((h.shift ? r + 1 : r) * h.inner + i)];
    return label >= 0 && label < (double)h.classes ? (int64_t)label : -1;
}

struct Wanted {
    Values loss, lse, dlogits;
    double total = 0, counted = 0;
};

/* f(r, i, position, label, weight) of every position. */
template <class F> static void each_position(const Scores &s, F f)
{
    for (int64_t r = 0; r < s.shape.outer; r++)
        for (int64_t i = 0; i < s.shape.inner; i++) {
            const int64_t label = label_of(s, r, i);
            const double w = label < 0 ? 0 : s.weight.empty() ? 1 : s.weight[(size_t)label];
            f((size_t)(r * s.shape.classes * s.shape.inner + i), (size_t)(r * s.shape.inner + i), label, w);
        }
}

static Wanted wanted_of(const Scores &s)
{
    const size_t classes = (size_t)s.shape.classes, apart = (size_t)s.shape.inner;
    Wanted want;
    double sum = 0;
    want.dlogits = Values(s.logits.size());
    each_position(s, [&](size_t start, size_t, int64_t label, double w) {
        double peak = -INFINITY, powers = 0;
        for (size_t c = 0; c < classes; c++)
            peak = std::max(peak, s.logits[start + c * apart]);
        for (size_t c = 0; c < classes; c++)
            powers += exp(s.logits[start + c * apart] - peak);
        want.lse.push_back(log(powers));
        want.loss.push_back(label < 0 ? 0 : w * (log(powers) + peak - s.logits[start + (size_t)label * apart]));
        want.total += w;
        want.counted += label >= 0;
        sum += want.loss.back();
    });
    const double share = s.reduction != PCC_REDUCTION_MEAN ? 1 : want.total != 0 ? 1 / want.total : 0;
    each_position(s, [&](size_t start, size_t at, int64_t label, double w) {
        double peak = -INFINITY;
        const double scale = s.dloss[s.reduction == PCC_REDUCTION_NONE ? at : 0] * share * w;
        for (size_t c = 0; c < classes; c++)
            peak = std::max(peak, s.logits[start + c * apart]);
        for (size_t c = 0; c < classes && label >= 0; c++)
            want.dlogits[start + c * apart] =
                scale * (exp(s.logits[start + c * apart] - peak - want.lse[at]) - (c == (size_t)label));
    });
    if (s.reduction == PCC_REDUCTION_SUM)
        want.loss = {sum};
    else if (s.reduction == PCC_REDUCTION_MEAN)
        want.loss = {want.total != 0 ? sum / want.total : 0};
    return want;
}

template <class T, class X, class W> static void check_loss(const Scores &s, const Wanted &want, int64_t skew)
{
    const Shape &h = s.shape;
    Values logits(s.logits);
    logits.insert(logits.begin(), (size_t)skew, 0);
    check_orders([&](CudaStep &step) {
        Device<X> x(logits);
        Device<int64_t> target(s.target);
        Device<W> weight(s.weight);
        Device<T> loss((int64_t)want.loss.size()), lse(h.outer * h.inner), total(1);
        Device<char> scratch((int64_t)pcc_cuda_cross_entropy_scratch_bytes(h.outer, h.inner));
        step.host.valid = h.valid;
        pcc_cross_entropy<T>(h.batch, h.outer, h.classes, h.inner, -100, h.shift, s.reduction, x.at() + skew,
                             target.at(), s.weight.empty() ? nullptr : weight.at(), loss.at(), lse.at(), total.at(),
                             scratch.at(), step.get());
        expect_close(want.loss, loss.read(), 64 * unit<T>(), "loss", std::max(1.0, fabs(want.loss[0])));
        expect_close(want.lse, lse.read(), 32 * unit<T>(), "lse", 1);
        expect_close({want.total}, total.read(), 8 * unit<T>(), "total");
        assert_true(step.read().counted == want.counted);
        std::vector<unsigned char> bits = loss.bits();
        append(bits, lse.bits());
        return bits;
    });
}

template <class T, class X, class W, class D>
static void check_gradient(const Scores &s, const Wanted &want, int64_t skew)
{
    const Shape &h = s.shape;
    Values logits(s.logits);
    logits.insert(logits.begin(), (size_t)skew, 0);
    check_orders([&](CudaStep &step) {
        Device<X> x(logits);
        Device<int64_t> target(s.target);
        Device<W> weight(s.weight);
        Device<T> dloss(s.dloss), lse(want.lse), total(Values{want.total});
        Device<D> dlogits((int64_t)s.logits.size());
        step.host.valid = h.valid;
        D *to = dlogits.at();
        if constexpr (std::is_same<X, D>::value)
            to = x.at() + skew; /* in place */
        pcc_cross_entropy_grad<T>(h.batch, h.outer, h.classes, h.inner, -100, h.shift, s.reduction, dloss.at(),
                                  x.at() + skew, target.at(), s.weight.empty() ? nullptr : weight.at(), lse.at(),
                                  total.at(), to, step.get());
        Values got = dlogits.read();
        if constexpr (std::is_same<X, D>::value) {
            got = x.read();
            got.erase(got.begin(), got.begin() + skew);
        }
        const double size = s.reduction == PCC_REDUCTION_MEAN ? 1e-3 : 1;
        expect_close(want.dlogits, got, tolerance<D, T>(), "dlogits", std::is_same<D, PccF16>::value ? 1 : size);
        return std::is_same<X, D>::value ? x.bits() : dlogits.bits();
    });
}

template <class T, class X, class W, class D>
static void check_scores(const Shape &shape, int64_t reduction, bool weighted, int64_t skew = 0, double offset = 0)
{
    const Scores s = scores_of<X, W>(shape, reduction, weighted, offset);
    const Wanted want = wanted_of(s);
    check_loss<T, X, W>(s, want, skew);
    check_gradient<T, X, W, D>(s, want, skew);
}

static const Shape shapes[] = {
    {4, 4, 3, 1, 0, 3},                         /* fewer classes than lanes */
    {70, 70, 10, 1, 0, 65},                     /* more rows than a block has */
    {8, 8, 1000, 1, 0, 8},                      /* a classifier */
    {3, 21, 77, 1, 7, 2},                       /* a causal language model of 3 x 7 tokens */
    {2, 4, 50257, 1, 2, 2},                     /* rows that are not aligned */
    {2, 4, 8192, 1, 0, 1},                      /* rows that are */
    {2, 2, 5, 150, 0, 2},                       /* segmentation */
    {3, 3, 67, 70, 0, 2},   {5, 5, 1, 1, 0, 5}, /* one class */
};

static void test_cross_entropy(void **)
{
    for (const Shape &shape : shapes)
        for (int64_t reduction = 0; reduction < 3; reduction++) {
            check_scores<float, float, float, float>(shape, reduction, reduction == 1);
            check_scores<float, PccBf16, float, PccBf16>(shape, reduction, reduction != 1);
        }
}

static void test_cross_entropy_mixtures(void **)
{
    for (int i : {1, 3, 7}) {
        check_scores<double, double, double, double>(shapes[i], PCC_REDUCTION_MEAN, true);
        check_scores<float, PccF16, PccF16, PccF16>(shapes[i], PCC_REDUCTION_SUM, true);
        check_scores<float, float, PccBf16, PccBf16>(shapes[i], PCC_REDUCTION_NONE, true);
        check_scores<float, PccF16, float, float>(shapes[i], PCC_REDUCTION_MEAN, false);
    }
    check_scores<float, float, float, float>(shapes[2], PCC_REDUCTION_MEAN, false, 1);
    check_scores<float, PccBf16, float, PccBf16>(shapes[5], PCC_REDUCTION_MEAN, false, 3);
}

/* Large and alike logits, whose differences must not be rounded away. */
static void test_cross_entropy_offset(void **)
{
    check_scores<float, float, float, float>(shapes[2], PCC_REDUCTION_NONE, false, 0, 1e4);
    check_scores<float, float, float, float>(shapes[7], PCC_REDUCTION_NONE, false, 0, 1e4);
}

static void test_nothing_counts(void **)
{
    Scores s = scores_of<float, float>(shapes[1], PCC_REDUCTION_MEAN, false);
    for (double &label : s.target)
        label = -100;
    const Wanted want = wanted_of(s);
    assert_true(want.loss[0] == 0 && want.total == 0);
    check_loss<float, float, float>(s, want, 0);
    check_gradient<float, float, float, float>(s, want, 0);
}

/* More blocks than the partial sums have room for. */
static void test_many_rows(void **)
{
    check_scores<float, float, float, float>({5000, 5000, 130, 1, 0, 4999}, PCC_REDUCTION_MEAN, true);
}

/* One logit is NaN, a row has only -inf, another one +inf. */
static void test_special(void **)
{
    for (int64_t inner : {1, 2}) {
        CudaStep step;
        const int64_t classes = 40;
        Values logits = random_values(4 * classes, 1), target(4);
        const auto at = [&](int64_t position, int64_t c) -> double & {
            return logits[(size_t)(position / inner * classes * inner + position % inner + c * inner)];
        };
        at(1, 7) = NAN;
        at(3, 9) = INFINITY;
        for (int64_t c = 0; c < classes; c++)
            at(2, c) = -INFINITY;
        Device<float> x(logits), loss(4), lse(4), total(1);
        Device<int64_t> device_target(target);
        Device<char> scratch((int64_t)pcc_cuda_cross_entropy_scratch_bytes(4 / inner, inner));
        step.host.valid = 4 / inner;
        pcc_cross_entropy<float>(4 / inner, 4 / inner, classes, inner, -100, 0, PCC_REDUCTION_NONE, x.at(),
                                 device_target.at(), PCC_ABSENT, loss.at(), lse.at(), total.at(), scratch.at(),
                                 step.get());
        step.finish();
        const Values got = lse.read();
        assert_true(isfinite(got[0]));
        assert_true(isnan(got[1]) && isnan(got[2]) && isnan(got[3]));
    }
}

/* ---- means ------------------------------------------------------------------------------------------------------ */

struct Square {
    static double term(double y, double z)
    {
        return (y - z) * (y - z);
    }
    static double slope(double y, double z)
    {
        return 2 * (y - z);
    }
    template <class T, class... A> static void loss(A... a)
    {
        pcc_mse<T>(a...);
    }
    template <class T, class... A> static void gradient(A... a)
    {
        pcc_mse_grad<T>(a...);
    }
};

struct Binary {
    static double term(double y, double z)
    {
        return std::max(y, 0.0) - y * z + log1p(exp(-fabs(y)));
    }
    static double slope(double y, double z)
    {
        return 1 / (1 + exp(-y)) - z;
    }
    template <class T, class... A> static void loss(A... a)
    {
        pcc_bce_with_logits<T>(a...);
    }
    template <class T, class... A> static void gradient(A... a)
    {
        pcc_bce_with_logits_grad<T>(a...);
    }
};

struct Means {
    int64_t batch, per_sample, valid;
};

template <class L, class T, class X, class Z, class D> static void check_mean(const Means &c, int64_t skew = 0)
{
    const int64_t n = c.batch * c.per_sample, valid = c.valid * c.per_sample;
    const Values y = rounded<X>(random_values(n, 1, -20, 20)), z = rounded<Z>(random_values(n, 2, 0, 1));
    long double sum = 0;
    Values dy((size_t)n), shifted(y);
    for (int64_t i = 0; i < valid; i++) {
        sum += (long double)L::term(y[(size_t)i], z[(size_t)i]);
        dy[(size_t)i] = 3 * L::slope(y[(size_t)i], z[(size_t)i]) / (double)valid;
    }
    const double want = (double)(sum / (long double)valid);
    shifted.insert(shifted.begin(), (size_t)skew, 0);
    check_orders([&](CudaStep &step) {
        Device<X> device_y(shifted);
        Device<Z> target(z);
        Device<T> loss(1), dloss(Values{3});
        Device<D> device_dy(n);
        Device<char> scratch((int64_t)pcc_cuda_mse_scratch_bytes(c.batch, c.per_sample));
        step.host.valid = c.valid;
        L::template loss<T>(c.batch, c.per_sample, device_y.at() + skew, target.at(), loss.at(), (void *)scratch.at(),
                            step.get());
        assert_true(step.read().counted == (double)valid);
        expect_close({want}, loss.read(), 8 * unit<T>(), "loss");
        L::template gradient<T>(c.batch, c.per_sample, dloss.at(), device_y.at() + skew, target.at(), device_dy.at(),
                                step.get());
        const double subnormal = std::is_same<D, PccF16>::value ? 0x1p-13 : 1e-30;
        expect_close(dy, device_dy.read(), tolerance<D, T>(8), "dy", std::max(subnormal, 1 / (double)valid));
        std::vector<unsigned char> bits = loss.bits();
        append(bits, device_dy.bits());
        return bits;
    });
}

template <class L> static void check_means()
{
    for (const Means &c : {Means{1, 1, 1}, {4, 31, 3}, {2, 33, 2}, {7, 257, 5}, {3, 8192, 2}, {2, 20001, 1}}) {
        check_mean<L, float, float, float, float>(c);
        check_mean<L, float, PccBf16, PccBf16, PccBf16>(c);
        check_mean<L, float, PccF16, float, PccF16>(c);
        check_mean<L, float, float, PccBf16, float>(c);
        check_mean<L, double, double, double, double>(c);
    }
    check_mean<L, float, float, float, float>({3, 1024, 2}, 1);
    check_mean<L, float, PccBf16, PccBf16, PccBf16>({3, 1024, 2}, 3);
}

static void test_mse(void **)
{
    check_means<Square>();
}

static void test_bce_with_logits(void **)
{
    check_means<Binary>();
}

static void test_loss_scale(void **)
{
    CudaStep step;
    Device<float> scale(1);
    step.host.loss_scale = 1024;
    pcc_loss_scale<float>(scale.at(), step.get());
    step.finish();
    assert_true(scale.read()[0] == 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_cross_entropy_mixtures),
        cmocka_unit_test(test_cross_entropy_offset),
        cmocka_unit_test(test_nothing_counts),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_mse),
        cmocka_unit_test(test_bce_with_logits),
        cmocka_unit_test(test_loss_scale),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
