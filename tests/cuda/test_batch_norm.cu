/* test_batch_norm.cu: BatchNormalization's statistics and gradient on a GPU against plain loops in long double. */
#include "emulated_check.h"

#include <pcc/kernels/norm/batch_norm.cuh>
#include <pcc/kernels/norm/batch_norm_grad.cuh>

typedef std::vector<double> Values;

/* `offset` is the mean of x, whose deviation is about 0.6. */
struct Case {
    int64_t batch, outer, channels, inner, valid;
    double offset;
    bool scaled, biased;
};

static const double epsilon = 0x1p-16, momentum = 0.875;

struct Operands {
    Values x, dy, scale, bias, running_mean, running_var;
};

/* The statistics of a channel, and the sums of dy and dy xhat. */
struct Channel {
    double mean, variance, sum, product;
};

template <class X, class S> static Operands operands_of(const Case &c)
{
    const int64_t n = c.outer * c.channels * c.inner;
    Operands o;
    o.x = rounded<X>(random_values(n, 1, c.offset - 1, c.offset + 1));
    o.dy = rounded<X>(random_values(n, 2));
    o.scale = rounded<S>(random_values(c.channels, 3, 0.5, 1.5));
    o.bias = rounded<S>(random_values(c.channels, 4));
    o.running_mean = rounded<S>(random_values(c.channels, 5));
    o.running_var = rounded<S>(random_values(c.channels, 6, 0.5, 1.5));
    return o;
}

static int64_t valid_rows(const Case &c)
{
    return c.valid * (c.outer / c.batch);
}

/* `rstd` < 0: the channel's own. */
static Channel channel_of(const Case &c, const Operands &o, int64_t channel, double rstd)
{
    const long double n = (long double)(valid_rows(c) * c.inner);
    long double mean = 0, squares = 0, sum = 0, product = 0;
    const auto each = [&](auto f) {
        for (int64_t row = 0; row < valid_rows(c); row++)
            for (int64_t i = 0; i < c.inner; i++)
                f((size_t)((row * c.channels + channel) * c.inner + i));
    };
    each([&](size_t i) { mean += (long double)o.x[i] / n; });
    each([&](size_t i) { squares += ((long double)o.x[i] - mean) * ((long double)o.x[i] - mean); });
    each([&](size_t i) {
        sum += (long double)o.dy[i];
        product += (long double)o.dy[i] * ((long double)o.x[i] - mean) * (long double)rstd;
    });
    return {(double)mean, (double)(squares / n), (double)sum, (double)product};
}

template <class T, class X, class S> static void check_statistics(const Case &c, int64_t skew = 0)
{
    const Operands o = operands_of<X, S>(c);
    Values mean, rstd, gain, bias, new_mean, new_var, x(o.x);
    for (int64_t i = 0; i < c.channels; i++) {
        const Channel h = channel_of(c, o, i, 1);
        mean.push_back(h.mean);
        rstd.push_back(1 / sqrt(h.variance + epsilon));
        gain.push_back(rstd.back() * (c.scaled ? o.scale[(size_t)i] : 1));
        bias.push_back(c.biased ? o.bias[(size_t)i] : 0);
        new_mean.push_back(o.running_mean[(size_t)i] * momentum + h.mean * (1 - momentum));
        new_var.push_back(o.running_var[(size_t)i] * momentum + h.variance * (1 - momentum));
    }
    x.insert(x.begin(), (size_t)skew, 0);
    check_orders([&](CudaStep &step) {
        Device<X> device_x(x);
        Device<S> scale(o.scale), device_bias(o.bias), running_mean(o.running_mean), running_var(o.running_var);
        Device<T> device_gain(c.channels), offset(c.channels), saved_mean(c.channels), saved_rstd(c.channels);
        Device<char> scratch(
            (int64_t)pcc_cuda_batch_norm_statistics_scratch_bytes(c.outer, c.channels, c.inner, sizeof(T)));
        step.host.valid = c.valid;
        pcc_batch_norm_statistics<T>(c.batch, c.outer, c.channels, c.inner, epsilon, momentum, device_x.at() + skew,
                                     c.scaled ? scale.at() : nullptr, c.biased ? device_bias.at() : nullptr,
                                     running_mean.at(), running_var.at(), device_gain.at(), offset.at(),
                                     running_mean.at(), running_var.at(), saved_mean.at(), saved_rstd.at(),
                                     scratch.at(), step.get());
        const Values got_mean = saved_mean.read(), got_gain = device_gain.read();
        Values want_offset;
        for (size_t i = 0; i < got_mean.size(); i++) /* what rounding took from the mean is made up for */
            want_offset.push_back(bias[i] - (mean[i] - got_mean[i]) * gain[i]);
        const double size = std::max(1.0, fabs(c.offset));
        expect_close(mean, got_mean, 4 * unit<T>(), "mean", size);
        expect_close(rstd, saved_rstd.read(), 16 * unit<T>(), "rstd");
        expect_close(gain, got_gain, 16 * unit<T>(), "gain");
        expect_close(want_offset, offset.read(), 16 * unit<T>(), "offset", 1);
        expect_close(new_mean, running_mean.read(), tolerance<S, T>(8), "new mean", size);
        expect_close(new_var, running_var.read(), tolerance<S, T>(16), "new variance");
        std::vector<unsigned char> bits = saved_mean.bits();
        append(bits, saved_rstd.bits());
        return bits;
    });
}

/* `wanted`: which of dx, dscale and dbias somebody wants (1, 2, 4). */
template <class T, class X, class S, class M>
static void check_gradient(const Case &c, int wanted = 7, int64_t skew = 0)
{
    const Operands o = operands_of<X, S>(c);
    const double n = (double)(valid_rows(c) * c.inner);
    Values mean, rstd, dx(o.x.size()), dscale, dbias, x(o.x);
    for (int64_t i = 0; i < c.channels; i++) {
        rstd.push_back(rounded<M>({1 / sqrt(channel_of(c, o, i, 1).variance + epsilon)})[0]);
        const Channel h = channel_of(c, o, i, rstd.back());
        mean.push_back(h.mean);
        dscale.push_back(h.product);
        dbias.push_back(h.sum);
        for (int64_t row = 0; row < valid_rows(c); row++)
            for (int64_t k = 0; k < c.inner; k++) {
                const size_t at = (size_t)((row * c.channels + i) * c.inner + k);
                const double xhat = (o.x[at] - h.mean) * rstd.back();
                dx[at] =
                    (c.scaled ? o.scale[(size_t)i] : 1) * rstd.back() * (o.dy[at] - h.sum / n - xhat * h.product / n);
            }
    }
    x.insert(x.begin(), (size_t)skew, 0);
    check_orders([&](CudaStep &step) {
        Device<X> device_x(x), dy(o.dy), device_dx((int64_t)dx.size());
        Device<S> scale(o.scale);
        Device<M> saved_mean(mean), saved_rstd(rstd);
        Device<T> device_dscale(c.channels), device_dbias(c.channels);
        Device<char> scratch((int64_t)pcc_cuda_batch_norm_grad_scratch_bytes(c.outer, c.channels, c.inner, sizeof(T)));
        step.host.valid = c.valid;
        pcc_batch_norm_grad<T>(c.batch, c.outer, c.channels, c.inner, dy.at(), device_x.at() + skew,
                               c.scaled ? scale.at() : nullptr, saved_mean.at(), saved_rstd.at(),
                               wanted & 1 ? device_dx.at() : nullptr, wanted & 2 ? device_dscale.at() : nullptr,
                               wanted & 4 ? device_dbias.at() : nullptr, scratch.at(), step.get());
        std::vector<unsigned char> bits;
        if (wanted & 1) {
            expect_close(dx, device_dx.read(), tolerance<X, T>(), "dx", 2);
            append(bits, device_dx.bits());
        }
        if (wanted & 2) {
            expect_close(dscale, device_dscale.read(), 64 * unit<T>(), "dscale", 1 + sqrt(n));
            append(bits, device_dscale.bits());
        }
        if (wanted & 4) {
            expect_close(dbias, device_dbias.read(), 64 * unit<T>(), "dbias", 1 + sqrt(n));
            append(bits, device_dbias.bits());
        }
        return bits;
    });
}

/* Channels last: few and many channels, aligned or not, several chunks; channels first: short rows, rows of several
 * pieces, several chunks; one valid sample, some, all. */
static const Case cases[] = {
    {4, 4, 3, 1, 4, 0.3, true, true},     {5, 40, 1, 1, 3, 0.3, true, true},      {2, 600, 24, 1, 2, 0.3, true, true},
    {4, 1200, 8, 1, 3, 0.3, true, true},  {3, 27, 300, 1, 2, 0.3, true, true},    {2, 8, 264, 1, 1, 0.3, true, true},
    {4, 4, 3, 49, 4, 0.3, true, true},    {3, 6, 5, 7, 2, 0.3, true, true},       {2, 2, 2, 4096, 2, 0.3, true, true},
    {2, 2, 1, 10001, 2, 0.3, true, true}, {40, 40, 1, 1024, 33, 0.3, true, true}, {2, 4, 3, 2, 1, 0.3, true, true},
    {1, 3, 2, 64, 1, 0.3, false, false},  {2, 70, 9, 1, 2, 0.3, false, true},
};

static void test_statistics(void **)
{
    for (const Case &c : cases) {
        check_statistics<float, float, float>(c);
        check_statistics<float, PccBf16, float>(c);
    }
    check_statistics<double, double, double>(cases[2]);
    check_statistics<double, double, double>(cases[9]);
    check_statistics<float, PccF16, PccF16>(cases[3]);
    check_statistics<float, PccF16, PccBf16>(cases[6]);
    check_statistics<float, float, float>(cases[2], 1);
    check_statistics<float, PccBf16, float>(cases[8], 3);
}

static void test_gradient(void **)
{
    for (const Case &c : cases) {
        check_gradient<float, float, float, float>(c);
        check_gradient<float, PccBf16, float, float>(c);
    }
    check_gradient<double, double, double, double>(cases[2]);
    check_gradient<double, double, double, double>(cases[9]);
    check_gradient<float, PccF16, PccF16, PccF16>(cases[3]);
    check_gradient<float, PccF16, PccBf16, float>(cases[6]);
    check_gradient<float, float, float, float>(cases[2], 7, 1);
    check_gradient<float, PccBf16, float, float>(cases[8], 7, 3);
}

static void test_gradient_absent(void **)
{
    for (int wanted = 1; wanted < 8; wanted++) {
        check_gradient<float, float, float, float>(cases[0], wanted);
        check_gradient<float, float, float, float>(cases[7], wanted);
    }
}

static void test_mean_beyond_deviation(void **)
{
    const Case last = {4, 1200, 8, 1, 3, 1000, true, true}, first = {4, 4, 3, 490, 4, 1000, true, true};
    for (const Case &c : {last, first}) {
        check_statistics<float, float, float>(c);
        check_gradient<float, float, float, float>(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_gradient_absent),
        cmocka_unit_test(test_mean_beyond_deviation),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
