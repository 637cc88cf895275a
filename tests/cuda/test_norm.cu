/* test_norm.cu: LayerNormalization and RMSNormalization on a GPU, and their gradients, against plain loops in double.
 */
#include "emulated_check.h"

#include <pcc/kernels/norm/layer_norm.cuh>
#include <pcc/kernels/norm/layer_norm_grad.cuh>

typedef std::vector<double> Values;

/* What the tests vary; `offset` is the mean of x, whose deviation is about 0.6. */
struct Rows {
    int64_t rows, width;
    double offset;
    bool scaled, biased, saved, centered;
};

static double at(const Values &v, int64_t i)
{
    return v.empty() ? 1 : v[(size_t)i];
}

template <class X> static X *given(const Device<X> &device, bool there)
{
    return there ? device.at() : nullptr;
}

/* (x - mean) and the variance of one row. */
static Values deviations(const Rows &c, const Values &x, int64_t row, double *mean, double *variance)
{
    Values d(x.begin() + row * c.width, x.begin() + (row + 1) * c.width);
    long double sum = 0, squares = 0;
    for (double value : d)
        sum += c.centered ? (long double)value : 0;
    for (double &value : d) {
        value = (double)((long double)value - sum / (long double)c.width);
        squares += (long double)value * (long double)value;
    }
    *mean = (double)(sum / (long double)c.width);
    *variance = (double)(squares / (long double)c.width);
    return d;
}

template <class T, class X, class S, class Y> static void check_forward(const Rows &c, int64_t skew = 0)
{
    const Values x = rounded<X>(random_values(c.rows * c.width, 1, c.offset - 1, c.offset + 1));
    const Values scale = rounded<S>(random_values(c.width, 2, 0.5, 1.5)), bias = rounded<S>(random_values(c.width, 3));
    Values y, mean((size_t)c.rows), rstd((size_t)c.rows), shifted(x);
    for (int64_t row = 0; row < c.rows; row++) {
        double variance;
        const Values d = deviations(c, x, row, &mean[(size_t)row], &variance);
        rstd[(size_t)row] = 1 / sqrt(variance + 0x1p-20);
        for (int64_t i = 0; i < c.width; i++)
            y.push_back(d[(size_t)i] * rstd[(size_t)row] * (c.scaled ? scale[(size_t)i] : 1) +
                        (c.biased && c.centered ? bias[(size_t)i] : 0));
    }
    shifted.insert(shifted.begin(), (size_t)skew, 0); /* so that nothing is aligned */
    check_orders([&](CudaStep &step) {
        Device<X> device_x(shifted);
        Device<S> device_scale(scale), device_bias(bias);
        Device<Y> device_y(c.rows * c.width);
        Device<T> device_mean(c.rows), device_rstd(c.rows);
        if (c.centered)
            pcc_layer_norm<T>(c.rows, c.width, 0x1p-20, device_x.at() + skew, given(device_scale, c.scaled),
                              given(device_bias, c.biased), device_y.at(), given(device_mean, c.saved),
                              given(device_rstd, c.saved), step.get());
        else
            pcc_rms_norm<T>(c.rows, c.width, 0x1p-20, device_x.at() + skew, given(device_scale, c.scaled),
                            device_y.at(), given(device_rstd, c.saved), step.get());
        expect_close(y, device_y.read(), tolerance<Y, T>(), "y", 1);
        if (c.saved && c.centered)
            expect_close(mean, device_mean.read(), 4 * unit<T>(), "mean", 1);
        if (c.saved)
            expect_close(rstd, device_rstd.read(), 16 * unit<T>(), "rstd");
        return device_y.bits();
    });
}

/* Operands of a gradient, and what is wanted. */
struct Gradient {
    Values dy, x, scale, mean, rstd, dx, dscale, dbias;
};

template <class G, class X, class S, class M> static Gradient gradient_of(const Rows &c)
{
    Gradient g;
    g.x = rounded<X>(random_values(c.rows * c.width, 1, c.offset - 1, c.offset + 1));
    g.dy = rounded<G>(random_values(c.rows * c.width, 4));
    g.scale = c.scaled ? rounded<S>(random_values(c.width, 2, 0.5, 1.5)) : Values();
    g.dscale = g.dbias = Values((size_t)c.width);
    for (int64_t row = 0; row < c.rows; row++) {
        double mean, variance, mean_g = 0, mean_gx = 0;
        Values d = deviations(c, g.x, row, &mean, &variance);
        const double rstd = rounded<M>({1 / sqrt(variance + 0x1p-20)})[0];
        g.mean.push_back(mean);
        g.rstd.push_back(rstd);
        for (int64_t i = 0; i < c.width; i++) {
            const double dy = g.dy[(size_t)(row * c.width + i)], share = dy * at(g.scale, i) / (double)c.width;
            d[(size_t)i] *= rstd;
            mean_g += c.centered ? share : 0;
            mean_gx += share * d[(size_t)i];
            g.dscale[(size_t)i] += dy * d[(size_t)i];
            g.dbias[(size_t)i] += dy;
        }
        for (int64_t i = 0; i < c.width; i++)
            g.dx.push_back(rstd *
                           (g.dy[(size_t)(row * c.width + i)] * at(g.scale, i) - mean_g - d[(size_t)i] * mean_gx));
    }
    return g;
}

/* `wanted`: which of dx, dscale and dbias somebody wants (1, 2, 4), and whether dx takes the place of dy (8). */
template <class T, class G, class X, class S, class M, class D>
static void check_gradient(const Rows &c, int wanted = 7, int64_t skew = 0)
{
    const Gradient g = gradient_of<G, X, S, M>(c);
    Values shifted(g.x);
    shifted.insert(shifted.begin(), (size_t)skew, 0);
    check_orders([&](CudaStep &step) {
        Device<X> x(shifted);
        Device<G> dy(g.dy);
        Device<S> scale(g.scale);
        Device<M> mean(g.mean), rstd(g.rstd);
        Device<D> apart(c.rows * c.width);
        const Device<D> *dx = &apart;
        if constexpr (std::is_same<G, D>::value)
            dx = wanted & 8 ? &dy : dx;
        Device<T> dscale(c.width), dbias(c.width);
        Device<char> scratch((int64_t)pcc_cuda_layer_norm_grad_scratch_bytes(c.rows, c.width, sizeof(T)));
        if (c.centered)
            pcc_layer_norm_grad<T>(c.rows, c.width, dy.at(), x.at() + skew, given(scale, c.scaled), mean.at(),
                                   rstd.at(), given(*dx, wanted & 1), given(dscale, wanted & 2),
                                   given(dbias, wanted & 4), scratch.at(), step.get());
        else
            pcc_rms_norm_grad<T>(c.rows, c.width, dy.at(), x.at() + skew, given(scale, c.scaled), rstd.at(),
                                 given(*dx, wanted & 1), given(dscale, wanted & 2), scratch.at(), step.get());
        std::vector<unsigned char> bits;
        if (wanted & 1) {
            expect_close(g.dx, dx->read(), tolerance<D, T>(), "dx", 2);
            append(bits, dx->bits());
        }
        if (wanted & 2) {
            expect_close(g.dscale, dscale.read(), 64 * unit<T>(), "dscale", 1 + sqrt((double)c.rows));
            append(bits, dscale.bits());
        }
        if (wanted & 4 && c.centered) {
            expect_close(g.dbias, dbias.read(), 64 * unit<T>(), "dbias", 1 + sqrt((double)c.rows));
            append(bits, dbias.bits());
        }
        return bits;
    });
}

/* Rows that share a warp, that have one, that have a block, that are not held; and those that are not aligned. */
static const int64_t extents[][2] = {{1, 1},   {3, 7},    {300, 8},  {70, 31},  {5, 33},    {9, 192},
                                     {3, 257}, {2, 1024}, {2, 4096}, {1, 4104}, {1, 8192}, {1, 8196}, {1, 16384}, {1, 16392}};

static void test_forward(void **)
{
    for (const auto &e : extents)
        for (int centered = 0; centered < 2; centered++) {
            check_forward<float, float, float, float>({e[0], e[1], 0.3, true, true, true, centered != 0});
            check_forward<float, PccBf16, float, PccBf16>({e[0], e[1], 0.3, true, true, true, centered != 0});
        }
    check_forward<float, PccBf16, float, PccBf16>({1, 32776, 0.3, true, true, true, true});
}

static void test_forward_mixtures(void **)
{
    check_forward<double, double, double, double>({5, 100, 3, true, true, true, true});
    check_forward<double, double, double, double>({2, 9001, 3, true, true, true, false});
    check_forward<float, PccF16, PccF16, PccF16>({5, 520, 0, true, true, true, true});
    check_forward<float, float, PccBf16, PccF16>({5, 520, 0, true, true, true, true});
    check_forward<float, PccBf16, PccF16, float>({5, 40, 0, true, true, true, true});
}

static void test_forward_absent(void **)
{
    for (int there = 0; there < 16; there++)
        check_forward<float, PccBf16, float, float>(
            {3, 24, 0, (there & 1) != 0, (there & 2) != 0, (there & 4) != 0, (there & 8) != 0});
}

static void test_forward_unaligned(void **)
{
    check_forward<float, float, float, float>({7, 64, 0, true, true, true, true}, 1);
    check_forward<float, PccBf16, PccBf16, PccBf16>({7, 64, 0, true, true, true, true}, 3);
}

static void test_mean_beyond_deviation(void **)
{
    check_forward<float, float, float, float>({5, 1023, 1000, true, true, true, true});
    check_forward<float, float, float, float>({5, 1024, 1000, true, true, true, true});
    check_gradient<float, float, float, float, float, float>({5, 1023, 1000, true, true, true, true});
    check_gradient<float, float, float, float, float, float>({5, 1024, 1000, true, true, true, true});
}

static void test_gradient(void **)
{
    for (const auto &e : extents)
        for (int centered = 0; centered < 2; centered++) {
            const Rows rows = {e[0], e[1], 0.3, true, true, true, centered != 0};
            check_gradient<float, float, float, float, float, float>(rows);
            check_gradient<float, PccBf16, PccBf16, float, float, PccBf16>(rows);
        }
    check_gradient<float, float, float, float, float, float>({2200, 16, 0.3, true, true, true, true});
    check_gradient<float, PccBf16, PccBf16, float, float, PccBf16>({2100, 9, 0.3, true, true, true, true});
}

static void test_gradient_mixtures(void **)
{
    check_gradient<double, double, double, double, double, double>({50, 100, 3, true, true, true, true});
    check_gradient<double, double, double, double, double, double>({3, 3001, 3, true, true, true, false});
    check_gradient<float, PccF16, PccF16, PccF16, PccF16, PccF16>({50, 520, 0, true, true, true, true});
    check_gradient<float, float, PccBf16, PccF16, float, PccBf16>({50, 520, 0, true, true, true, true});
    check_gradient<float, PccBf16, float, float, PccBf16, float>({50, 33, 0, true, true, true, true});
}

static void test_gradient_absent(void **)
{
    for (int wanted = 1; wanted < 8; wanted++)
        for (int scaled = 0; scaled < 2; scaled++)
            for (int64_t width : {24, 23}) {
                const Rows rows = {20, width, 0, scaled != 0, true, true, wanted % 3 != 1};
                check_gradient<float, PccBf16, PccBf16, float, float, float>(rows, wanted);
            }
}

static void test_gradient_in_place(void **)
{
    for (const auto &e : extents)
        for (int wanted : {9, 11, 15}) {
            const Rows rows = {e[0], e[1], 0.3, true, true, true, wanted != 11};
            check_gradient<float, float, float, float, float, float>(rows, wanted);
            check_gradient<float, PccBf16, PccBf16, float, float, PccBf16>(rows, wanted);
        }
    check_gradient<float, float, float, float, float, float>({20, 64, 0, true, true, true, true}, 15, 1);
}

static void test_gradient_unaligned(void **)
{
    check_gradient<float, float, float, float, float, float>({20, 64, 0, true, true, true, true}, 7, 1);
    check_gradient<float, PccBf16, PccBf16, PccBf16, float, PccBf16>({20, 64, 0, true, true, true, true}, 7, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_forward_mixtures),
        cmocka_unit_test(test_forward_absent),
        cmocka_unit_test(test_forward_unaligned),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_gradient_mixtures),
        cmocka_unit_test(test_gradient_absent),
        cmocka_unit_test(test_gradient_in_place),
        cmocka_unit_test(test_gradient_unaligned),
        cmocka_unit_test(test_mean_beyond_deviation),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
