/* test_softmax.cu: Softmax and LogSoftmax on a GPU, and their gradients, against plain loops in double. */
#include "emulated_check.h"

#include <pcc/kernels/norm/softmax_grad.cuh>

typedef std::vector<double> Values;

struct Lines {
    int64_t outer, width, inner;
};

/* f(i) for the elements of each line, which is given as where it begins. */
template <class F> static void each_line(const Lines &c, F f)
{
    for (int64_t o = 0; o < c.outer; o++)
        for (int64_t i = 0; i < c.inner; i++)
            f((size_t)(o * c.width * c.inner + i));
}

static Values softmax_of(const Lines &c, const Values &x, bool logarithm)
{
    Values y(x.size());
    const size_t apart = (size_t)c.inner, width = (size_t)c.width;
    each_line(c, [&](size_t first) {
        double peak = -INFINITY, sum = 0;
        for (size_t k = 0; k < width; k++)
            peak = x[first + k * apart] > peak || isnan(x[first + k * apart]) ? x[first + k * apart] : peak;
        for (size_t k = 0; k < width; k++)
            sum += exp(x[first + k * apart] - peak);
        for (size_t k = 0; k < width; k++) {
            const double d = x[first + k * apart] - peak;
            y[first + k * apart] = logarithm ? d - log(sum) : exp(d) / sum;
        }
    });
    return y;
}

template <class T, class X, class Y>
static void check_values(const Lines &c, const Values &x, bool logarithm, int64_t skew = 0)
{
    const Values want = softmax_of(c, x, logarithm);
    Values shifted(x);
    shifted.insert(shifted.begin(), (size_t)skew, 0);
    check_orders([&](CudaStep &step) {
        Device<X> device_x(shifted);
        Device<Y> y((int64_t)x.size());
        if (logarithm)
            pcc_log_softmax<T>(c.outer, c.width, c.inner, device_x.at() + skew, y.at(), step.get());
        else
            pcc_softmax<T>(c.outer, c.width, c.inner, device_x.at() + skew, y.at(), step.get());
        /* x - peak has the rounding of a difference of about 8; f16's subnormals end at 2^-24 */
        const double small = std::is_same<Y, PccF16>::value ? 1.0 / 8192 : 1e-30;
        expect_close(want, y.read(), tolerance<Y, T>(), logarithm ? "log softmax" : "softmax", logarithm ? 1 : small);
        return y.bits();
    });
}

template <class T, class X, class Y> static void check_forward(const Lines &c, int64_t skew = 0)
{
    const Values x = rounded<X>(random_values(c.outer * c.width * c.inner, 1, -4, 4));
    check_values<T, X, Y>(c, x, false, skew);
    check_values<T, X, Y>(c, x, true, skew);
}

template <class T, class X, class G, class D> static void check_gradient(const Lines &c, int64_t skew = 0)
{
    const Values x = random_values(c.outer * c.width * c.inner, 1, -4, 4);
    const Values dy = rounded<G>(random_values((int64_t)x.size(), 2));
    for (int logarithm = 0; logarithm < 2; logarithm++) {
        const Values y = rounded<X>(softmax_of(c, x, logarithm != 0));
        Values dx(x.size()), shifted(y);
        double largest = 1;
        each_line(c, [&](size_t first) {
            double sum = 0;
            for (int64_t k = 0; k < c.width; k++) {
                const size_t i = first + (size_t)(k * c.inner);
                sum += logarithm ? dy[i] : y[i] * dy[i];
            }
            for (int64_t k = 0; k < c.width; k++) {
                const size_t i = first + (size_t)(k * c.inner);
                dx[i] = logarithm ? dy[i] - exp(y[i]) * sum : y[i] * (dy[i] - sum);
            }
            largest = std::max(largest, fabs(sum));
        });
        shifted.insert(shifted.begin(), (size_t)skew, 0);
        check_orders([&](CudaStep &step) {
            Device<X> device_y(shifted);
            Device<G> device_dy(dy);
            Device<D> device_dx((int64_t)dx.size());
            if (logarithm)
                pcc_log_softmax_grad<T>(c.outer, c.width, c.inner, device_y.at() + skew, device_dy.at(), device_dx.at(),
                                        step.get());
            else
                pcc_softmax_grad<T>(c.outer, c.width, c.inner, device_y.at() + skew, device_dy.at(), device_dx.at(),
                                    step.get());
            expect_close(dx, device_dx.read(), tolerance<D, T>(), "dx", largest);
            return device_dx.bits();
        });
    }
}

/* Rows that share a warp, that have one, that have a block, that are not held or not aligned; lines. */
static const Lines shapes[] = {
    {1, 1, 1},    {70, 8, 1},   {5, 31, 1},    {3, 33, 1}, {9, 64, 1},   {7, 197, 1},  {3, 1024, 1}, {2, 4096, 1},
    {1, 8200, 1}, {1, 8201, 1}, {1, 16392, 1}, {2, 3, 5},  {1, 257, 31}, {3, 16, 300}, {2, 1, 2},    {0, 8, 1},
};

static void test_forward(void **)
{
    for (const Lines &c : shapes) {
        check_forward<float, float, float>(c);
        check_forward<float, PccBf16, PccBf16>(c);
    }
    for (int i : {5, 6, 12}) {
        check_forward<double, double, double>(shapes[i]);
        check_forward<float, PccF16, PccF16>(shapes[i]);
        check_forward<float, PccF16, float>(shapes[i]);
        check_forward<float, float, PccBf16>(shapes[i]);
    }
    check_forward<float, float, float>(shapes[4], 1);
    check_forward<float, PccBf16, PccBf16>(shapes[4], 5);
}

static void test_gradient(void **)
{
    for (const Lines &c : shapes) {
        check_gradient<float, float, float, float>(c);
        check_gradient<float, PccBf16, PccBf16, PccBf16>(c);
    }
    for (int i : {5, 6, 12}) {
        check_gradient<double, double, double, double>(shapes[i]);
        check_gradient<float, PccF16, PccF16, PccF16>(shapes[i]);
        check_gradient<float, PccF16, float, PccBf16>(shapes[i]);
    }
    check_gradient<float, float, float, float>(shapes[4], 1);
    check_gradient<float, PccBf16, PccBf16, PccBf16>(shapes[4], 5);
}

/* -inf as masks have it, a line that is all masked, NaN, +inf, and numbers whose exponentials overflow. */
static void test_special(void **)
{
    for (const Lines &c : {Lines{6, 40, 1}, Lines{6, 39, 1}, Lines{2, 41, 3}}) {
        Values x = random_values(c.outer * c.width * c.inner, 1, -4, 4);
        int64_t line = 0;
        each_line(c, [&](size_t first) {
            const auto at = [&](int64_t k) -> double & { return x[first + (size_t)(k * c.inner)]; };
            for (int64_t k = 0; k < c.width; k++)
                at(k) = line == 1 || (line == 0 && k < 37) ? -INFINITY : line == 4 ? 300 * at(k) : at(k);
            if (line == 2)
                at(17) = NAN;
            if (line == 3)
                at(17) = INFINITY;
            line++;
        });
        check_values<double, double, double>(c, x, false);
        check_values<float, float, float>(c, rounded<float>(x), false);
        check_values<float, PccBf16, float>(c, rounded<PccBf16>(x), true);
    }
}

static void test_in_place(void **)
{
    for (int64_t width : {64, 61}) {
        const Lines c = {3, width, 1};
        const Values x = rounded<PccBf16>(random_values(c.outer * c.width, 1, -4, 4));
        CudaStep step;
        Device<PccBf16> y(x);
        pcc_softmax<float>(c.outer, c.width, c.inner, y.at(), y.at(), step.get());
        expect_close(softmax_of(c, x, false), y.read(), tolerance<PccBf16>(), "softmax in place");
        step.finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_in_place),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
