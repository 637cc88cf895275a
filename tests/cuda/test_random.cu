/* Dropout and random tensors of the CUDA kernels beside the C target's: the same random bits. */
#include "placed_check.h"

#include "random_in_c.h"

#include "runtime/kernels/random/dropout.cuh"

static const int64_t sizes[] = {0, 1, 5, 63, 64, 257, 1000, 40000};
static const double ratios[] = {0, 0.1, 0.5, 0.9, 1};

static void set_step(CudaStep *step)
{
    step->host.seed = 0x123456789abcdef1;
    step->host.update = 77;
    step->host.micro = 3;
}

static void c_dropout(int64_t n, double ratio, const float *x, float *y, uint8_t *mask, PccStep *s)
{
    c_dropout_f32(n, ratio, 5, x, y, mask, s);
}

static void c_dropout(int64_t n, double ratio, const double *x, double *y, uint8_t *mask, PccStep *s)
{
    c_dropout_f64(n, ratio, 5, x, y, mask, s);
}

/* The masks are equal; y is C's, rounded once. */
template <class T, class X, class Y> static void check_drops(int64_t n, double ratio, bool deterministic, int64_t shift)
{
    std::vector<X> x((size_t)n);
    std::vector<T> wide((size_t)n), want((size_t)n);
    std::vector<uint8_t> want_mask((size_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = stored<X>(i == 3 ? INFINITY : next_value()), wide[i] = (T)value_of(x[i]);
    check_orders([&](CudaStep &step) {
        set_step(&step);
        step.host.deterministic = deterministic;
        PccStep *s = step.get();
        c_dropout(n, ratio, wide.data(), want.data(), want_mask.data(), s);
        s->seed = s->update = s->micro = 0; /* only the device's copy counts */
        s->deterministic = !deterministic;
        Placed<X> in(x, shift);
        Placed<Y> y(n, shift), dx(n, shift);
        Placed<uint8_t> mask(n, shift);
        pcc_dropout<T>(n, ratio, 5, in.at(), y.at(), mask.at(), s);
        pcc_dropout_grad<T>(n, ratio, in.at(), mask.at(), dx.at(), s);
        assert_true(mask.elements() == want_mask);
        const std::vector<Y> got = y.elements();
        for (int64_t i = 0; i < n; i++) {
            const Y narrow = stored<Y>((double)want[i]);
            check_close(value_of(got[i]), value_of(narrow), 0, "y", i);
        }
        assert_true(y.bits() == dx.bits()); /* dropout is linear: its gradient is itself */
        return y.bits();
    });
}

template <class T, class X, class Y> static void drops(void **)
{
    for (int64_t n : sizes)
        for (double ratio : ratios)
            for (int64_t shift = 0; shift < 2; shift++)
                check_drops<T, X, Y>(n, ratio, shift == 1 && ratio == 0.5, shift);
}

static void c_uniform(int64_t n, float *y, PccStep *s)
{
    c_random_uniform_f32(n, -2, 3, 9, y, s);
}

static void c_uniform(int64_t n, double *y, PccStep *s)
{
    c_random_uniform_f64(n, -2, 3, 9, y, s);
}

static void c_uniform(int64_t n, PccBf16 *y, PccStep *s)
{
    c_random_uniform_narrow(n, -2, 3, 9, y, PCC_BF16, s);
}

static void c_uniform(int64_t n, PccF16 *y, PccStep *s)
{
    c_random_uniform_narrow(n, -2, 3, 9, y, PCC_F16, s);
}

/* Equal up to a rounding of low + extent * u. */
template <class T, class Y> static void uniforms(void **)
{
    for (int64_t n : sizes)
        check_orders([&](CudaStep &step) {
            std::vector<Y> want((size_t)n);
            set_step(&step);
            c_uniform(n, want.data(), step.get());
            Placed<Y> y(n, 1);
            pcc_random_uniform<T>(n, -2, 3, 9, y.at(), step.get());
            const std::vector<Y> got = y.elements();
            for (int64_t i = 0; i < n; i++) {
                check_close(value_of(got[i]), value_of(want[i]), 2 * epsilon<Y>(), "y", i);
                assert_true(value_of(got[i]) >= -2 && value_of(got[i]) < 3);
            }
            return y.bits();
        });
}

static void c_normal(int64_t n, float *y, PccStep *s)
{
    c_random_normal_f32(n, 0.5, 2, 9, y, s);
}

static void c_normal(int64_t n, double *y, PccStep *s)
{
    c_random_normal_f64(n, 0.5, 2, 9, y, s);
}

template <class T, class Y> static void normals(void **)
{
    for (int64_t n : sizes)
        check_orders([&](CudaStep &step) {
            std::vector<T> want((size_t)n);
            set_step(&step);
            c_normal(n, want.data(), step.get());
            Placed<Y> y(n);
            pcc_random_normal<T>(n, 0.5, 2, 9, y.at(), step.get());
            const std::vector<Y> got = y.elements();
            for (int64_t i = 0; i < n; i++)
                check_close(value_of(got[i]), (double)want[i], 64 * epsilon<T>() + 8 * epsilon<Y>(), "y", i);
            return y.bits();
        });
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test((drops<float, float, float>)),     cmocka_unit_test((drops<double, double, double>)),
        cmocka_unit_test((drops<float, PccBf16, PccBf16>)), cmocka_unit_test((drops<float, PccF16, float>)),
        cmocka_unit_test((drops<float, float, PccF16>)),    cmocka_unit_test((uniforms<float, float>)),
        cmocka_unit_test((uniforms<double, double>)),       cmocka_unit_test((uniforms<float, PccBf16>)),
        cmocka_unit_test((uniforms<float, PccF16>)),        cmocka_unit_test((normals<float, float>)),
        cmocka_unit_test((normals<double, double>)),        cmocka_unit_test((normals<float, PccBf16>)),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
