/* Softmax and LogSoftmax against double references, in every layout, and with any number of threads. */
#include "runtime/kernels/norm/softmax.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t random_state = 1;

/* Uniform in [-1, 1). */
static double uniform(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) * 0x1p-52 - 1.0;
}

/* One line, elements `stride` apart, in double. */
static void reference_line(int64_t width, int64_t stride, int logarithm, const double *x, double *y)
{
    double max = -HUGE_VAL;
    long double sum = 0.0L;
    for (int64_t i = 0; i < width; i++)
        max = fmax(max, x[i * stride]);
    for (int64_t i = 0; i < width; i++)
        sum += expl(x[i * stride] - max);
    for (int64_t i = 0; i < width; i++) {
        double z = x[i * stride] - max;
        y[i * stride] = logarithm ? z - (double)logl(sum) : (double)(expl(z) / sum);
    }
}

static void reference_grad_line(int64_t width, int64_t stride, int logarithm, const double *y, const double *dy,
                                double *dx)
{
    long double sum = 0.0L;
    for (int64_t i = 0; i < width; i++)
        sum += logarithm ? dy[i * stride] : y[i * stride] * dy[i * stride];
    for (int64_t i = 0; i < width; i++) {
        int64_t at = i * stride;
        dx[at] = logarithm ? (double)(dy[at] - expl(y[at]) * sum) : (double)(y[at] * (dy[at] - sum));
    }
}

typedef struct Tensors {
    double *x, *y, *dy, *dx;
    float *x32, *y32, *dy32;
    double *y64, *dy64;
} Tensors;

static Tensors allocate(int64_t n)
{
    size_t bytes = (size_t)n * sizeof(double);
    return (Tensors){malloc(bytes), malloc(bytes), malloc(bytes), malloc(bytes), malloc(bytes),
                     malloc(bytes), malloc(bytes), malloc(bytes), malloc(bytes)};
}

static void release(Tensors t)
{
    void *all[] = {t.x, t.y, t.dy, t.dx, t.x32, t.y32, t.dy32, t.y64, t.dy64};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void fill(int64_t n, double scale, Tensors *t)
{
    for (int64_t i = 0; i < n; i++) {
        t->x32[i] = (float)(scale * uniform());
        t->dy32[i] = (float)uniform();
        t->x[i] = (double)t->x32[i];
        t->dy64[i] = t->dy[i] = (double)t->dy32[i];
    }
}

static void assert_near(int64_t n, const double *got64, const float *got32, const double *want, double scale)
{
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs(got64[i] - want[i]) <= 16 * DBL_EPSILON * (scale + fabs(want[i]))))
            fail_msg("f64 element %ld: %.17g, want %.17g", (long)i, got64[i], want[i]);
        if (!(fabs((double)got32[i] - want[i]) <= 8 * (double)FLT_EPSILON * (scale + fabs(want[i]))))
            fail_msg("f32 element %ld: %.9g, want %.9g", (long)i, (double)got32[i], want[i]);
    }
}

static void check(int64_t outer, int64_t width, int64_t inner, double scale)
{
    int64_t n = outer * width * inner;
    Tensors t = allocate(n);
    for (int logarithm = 0; logarithm < 2; logarithm++) {
        fill(n, scale, &t);
        for (int64_t o = 0; o < outer; o++)
            for (int64_t c = 0; c < inner; c++)
                reference_line(width, inner, logarithm, t.x + o * width * inner + c, t.y + o * width * inner + c);
        memcpy(t.y64, t.x, (size_t)n * sizeof *t.x); /* in place */
        (logarithm ? pcc_log_softmax_f64 : pcc_softmax_f64)(outer, width, inner, t.y64, t.y64);
        (logarithm ? pcc_log_softmax_f32 : pcc_softmax_f32)(outer, width, inner, t.x32, t.y32);
        assert_near(n, t.y64, t.y32, t.y, logarithm ? scale + 1.0 : 1.0 / (double)width);
        for (int64_t i = 0; i < n; i++)
            t.y32[i] = (float)t.y[i];
        for (int64_t o = 0; o < outer; o++)
            for (int64_t c = 0; c < inner; c++) {
                int64_t at = o * width * inner + c;
                reference_grad_line(width, inner, logarithm, t.y + at, t.dy + at, t.dx + at);
            }
        (logarithm ? pcc_log_softmax_grad_f64 : pcc_softmax_grad_f64)(outer, width, inner, t.y, t.dy64, t.dy64);
        (logarithm ? pcc_log_softmax_grad_f32 : pcc_softmax_grad_f32)(outer, width, inner, t.y32, t.dy32, t.dy32);
        assert_near(n, t.dy64, t.dy32, t.dx, 2.0 + (logarithm ? scale : 0.0));
    }
    release(t);
}

static void every_layout_agrees_with_double(void **state)
{
    (void)state;
    check(7, 10, 1, 3.0);
    check(50, 197, 1, 10.0);
    check(3, 1, 1, 5.0);
    check(2, 1000, 1, 80.0);
    check(1, 50257, 1, 5.0);
    check(4, 10, 3, 3.0);
    check(2, 33, 200, 20.0);
    check(1, 1, 65, 2.0);
}

static void large_and_infinite_inputs_do_not_overflow(void **state)
{
    (void)state;
    float x[20], y[20];
    for (int i = 0; i < 20; i++)
        x[i] = i == 3 ? 3e38f : -INFINITY;
    pcc_softmax_f32(1, 20, 1, x, y);
    for (int i = 0; i < 20; i++)
        assert_true(y[i] == (i == 3 ? 1.0f : 0.0f));
    x[17] = NAN;
    pcc_softmax_f32(1, 20, 1, x, y);
    assert_true(isnan(y[0]) && isnan(y[17]));
    for (int i = 0; i < 20; i++)
        x[i] = -INFINITY;
    pcc_softmax_f32(1, 20, 1, x, y);
    assert_true(isnan(y[0]));
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    enum { N = 64 * 1024 };
    Tensors t = allocate(N);
    fill(N, 4.0, &t);
    float *one = malloc(N * sizeof *one);
    omp_set_num_threads(1);
    pcc_softmax_f32(64, 1024, 1, t.x32, one);
    for (int threads = 2; threads <= 5; threads++) {
        omp_set_num_threads(threads);
        pcc_softmax_f32(64, 1024, 1, t.x32, t.y32);
        assert_memory_equal(one, t.y32, N * sizeof *one);
    }
    free(one);
    release(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_agrees_with_double),
        cmocka_unit_test(large_and_infinite_inputs_do_not_overflow),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
