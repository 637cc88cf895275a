/* LayerNormalization, RMSNormalization and BatchNormalization: statistics against long double, gradients against
 * central differences, f32 against f64, and the same bits for any number of threads. */
#include "runtime/kernels/norm/norm.h"

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

enum { MAX = 1 << 19 };

static double x64[MAX], y64[MAX], dy64[MAX], dx64[MAX], scratch[MAX];
static float x32[MAX], y32[MAX], dy32[MAX], dx32[MAX];
static double scale64[4096], bias64[4096], dscale64[4096], dbias64[4096];
static float scale32[4096], bias32[4096], dscale32[4096], dbias32[4096];
static double mean64[MAX], rstd64[MAX], gain64[4096], offset64[4096];
static float mean32[MAX], rstd32[MAX], gain32[4096], offset32[4096];

static uint64_t random_state = 1;

/* Uniform in [-1, 1), rounded to float. */
static double uniform(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(float)((double)(random_state >> 11) * 0x1p-52 - 1.0);
}

/* x = offset + spread * noise, in float and double alike. */
static void fill(int64_t n, int64_t width, double offset, double spread)
{
    for (int64_t i = 0; i < n; i++) {
        x32[i] = (float)(offset + spread * uniform());
        x64[i] = (double)x32[i];
        dy64[i] = uniform();
        dy32[i] = (float)dy64[i];
    }
    for (int64_t i = 0; i < width; i++) {
        scale64[i] = 1.0 + 0.5 * uniform();
        scale32[i] = (float)scale64[i];
        scale64[i] = (double)scale32[i];
        bias64[i] = uniform();
        bias32[i] = (float)bias64[i];
    }
}

/* Within `tolerance` epsilons of the largest value wanted, or of `size` where that is more: what the values are
 * differences or sums of. */
static void assert_near_f32(const char *what, int64_t n, const float *got, const double *want, double tolerance,
                            double size)
{
    for (int64_t i = 0; i < n; i++)
        size = fmax(size, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= tolerance * (double)FLT_EPSILON * size))
            fail_msg("%s[%ld] is %.9g, want %.9g", what, (long)i, (double)got[i], want[i]);
}

/* (x - mean) / sqrt(var + epsilon) scale + bias of a line, in long double. */
static void reference_line(int64_t n, int centered, double epsilon, const double *x, const double *scale,
                           const double *bias, double *y, double *mean, double *rstd)
{
    long double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (long double)x[i];
    sum = centered ? sum / (long double)n : 0;
    for (int64_t i = 0; i < n; i++)
        squares += ((long double)x[i] - sum) * ((long double)x[i] - sum);
    long double r = 1 / sqrtl(squares / (long double)n + (long double)epsilon);
    for (int64_t i = 0; i < n; i++)
        y[i] = (double)(((long double)x[i] - sum) * r) * scale[i] + (bias ? bias[i] : 0.0);
    *mean = (double)sum;
    *rstd = (double)r;
}

static void check_row_norm(int64_t rows, int64_t width, double offset, double spread)
{
    fill(rows * width, width, offset, spread);
    for (int centered = 0; centered < 2; centered++) {
        for (int64_t row = 0; row < rows; row++)
            reference_line(width, centered, 1e-5, x64 + row * width, scale64, centered ? bias64 : NULL,
                           y64 + row * width, mean64 + row, rstd64 + row);
        if (centered)
            pcc_layer_norm_f32(rows, width, 1e-5, x32, scale32, bias32, y32, mean32, rstd32);
        else
            pcc_rms_norm_f32(rows, width, 1e-5, x32, scale32, y32, rstd32);
        assert_near_f32("y", rows * width, y32, y64, 8.0, 0.0);
        assert_near_f32("rstd", rows, rstd32, rstd64, 8.0, 0.0);
        if (centered)
            assert_near_f32("mean", rows, mean32, mean64, 1.0, fabs(offset) + spread);
    }
}

static void row_norms_agree_with_long_double(void **state)
{
    (void)state;
    check_row_norm(5, 192, 0.0, 1.0);
    check_row_norm(3, 7, 0.5, 2.0);
    check_row_norm(64, 768, -3.0, 0.1);
    check_row_norm(2, 1, 1.0, 1.0);
    check_row_norm(20, 1023, 1000.0, 0.5); /* mean >> deviation */
}

/* The loss sum(w y) that the gradient checks differentiate, for one of three kernels in f64. */
typedef struct Problem {
    int kind; /* 0 layer norm, 1 RMS norm, 2 batch norm */
    int64_t batch, outer, channels, inner, valid;
} Problem;

static PccStep step_of(Problem p)
{
    return (PccStep){.valid = p.valid};
}

/* What a program's loop does with the statistics. */
static void normalise_f64(Problem p)
{
    for (int64_t i = 0; i < p.outer * p.channels * p.inner; i++) {
        const int64_t c = i / p.inner % p.channels;
        y64[i] = (x64[i] - mean64[c]) * gain64[c] + offset64[c];
    }
}

static void normalise_f32(Problem p)
{
    for (int64_t i = 0; i < p.outer * p.channels * p.inner; i++) {
        const int64_t c = i / p.inner % p.channels;
        y32[i] = (x32[i] - mean32[c]) * gain32[c] + offset32[c];
    }
}

static double loss(Problem p, const double *w)
{
    PccStep s = step_of(p);
    int64_t n = p.outer * p.channels * p.inner, counted = n;
    double running_mean[64] = {0}, running_var[64] = {0};
    if (p.kind == 0) {
        pcc_layer_norm_f64(p.outer, p.channels, 1e-3, x64, scale64, bias64, y64, mean64, rstd64);
    } else if (p.kind == 1) {
        pcc_rms_norm_f64(p.outer, p.channels, 1e-3, x64, scale64, y64, rstd64);
    } else {
        pcc_batch_norm_statistics_f64(p.batch, p.outer, p.channels, p.inner, 1e-3, 0.9, x64, scale64, bias64,
                                      running_mean, running_var, gain64, offset64, running_mean, running_var, mean64,
                                      rstd64, scratch, &s);
        normalise_f64(p);
        counted = p.valid * (p.outer / p.batch) * p.channels * p.inner;
    }
    double sum = 0.0;
    for (int64_t i = 0; i < counted; i++)
        sum += w[i] * y64[i];
    return sum;
}

static double derivative(Problem p, double *at)
{
    const double step = 1e-5, before = *at;
    *at = before + step;
    double up = loss(p, dy64);
    *at = before - step;
    double down = loss(p, dy64);
    *at = before;
    return (up - down) / (2.0 * step);
}

static void gradient_f64(Problem p)
{
    PccStep s = step_of(p);
    if (p.kind == 0)
        pcc_layer_norm_grad_f64(p.outer, p.channels, dy64, x64, scale64, mean64, rstd64, dx64, dscale64, dbias64,
                                scratch);
    else if (p.kind == 1)
        pcc_rms_norm_grad_f64(p.outer, p.channels, dy64, x64, scale64, rstd64, dx64, dscale64, scratch);
    else
        pcc_batch_norm_grad_f64(p.batch, p.outer, p.channels, p.inner, dy64, x64, scale64, mean64, rstd64, dx64,
                                dscale64, dbias64, scratch, &s);
}

static void assert_derivative(const char *what, int64_t i, double got, double want)
{
    if (!(fabs(got - want) <= 1e-7 * (1.0 + fabs(want))))
        fail_msg("%s[%ld] is %.12g, difference quotient %.12g", what, (long)i, got, want);
}

static void check_gradient(Problem p)
{
    int64_t n = p.outer * p.channels * p.inner, counted = n;
    fill(n, p.channels, 0.3, 2.0);
    loss(p, dy64);
    gradient_f64(p);
    if (p.kind == 2)
        counted = p.valid * (p.outer / p.batch) * p.channels * p.inner;
    for (int64_t i = 0; i < n; i++)
        assert_derivative("dx", i, dx64[i], i < counted ? derivative(p, x64 + i) : 0.0);
    for (int64_t c = 0; c < p.channels; c++) {
        assert_derivative("dscale", c, dscale64[c], derivative(p, scale64 + c));
        if (p.kind != 1)
            assert_derivative("dbias", c, dbias64[c], derivative(p, bias64 + c));
    }
}

static void gradients_agree_with_differences(void **state)
{
    (void)state;
    check_gradient((Problem){0, 1, 20, 13, 1, 1});
    check_gradient((Problem){1, 1, 20, 13, 1, 1});
    check_gradient((Problem){2, 4, 12, 5, 1, 4});
    check_gradient((Problem){2, 4, 12, 5, 1, 3});
    check_gradient((Problem){2, 4, 4, 3, 6, 4});
    check_gradient((Problem){2, 4, 4, 3, 6, 2});
}

static void row_norm_gradient_in_f32(int64_t rows, int64_t width, double offset)
{
    fill(rows * width, width, offset, 1.0);
    pcc_layer_norm_f64(rows, width, 1e-5, x64, scale64, bias64, y64, mean64, rstd64);
    pcc_layer_norm_grad_f64(rows, width, dy64, x64, scale64, mean64, rstd64, dx64, dscale64, dbias64, scratch);
    pcc_layer_norm_f32(rows, width, 1e-5, x32, scale32, bias32, y32, mean32, rstd32);
    pcc_layer_norm_grad_f32(rows, width, dy32, x32, scale32, mean32, rstd32, dy32, dscale32, dbias32, scratch);
    assert_near_f32("dx", rows * width, dy32, dx64, 16.0, 0.0); /* in place */
    assert_near_f32("dscale", width, dscale32, dscale64, 16.0, 0.0);
    assert_near_f32("dbias", width, dbias32, dbias64, 16.0, 0.0);
}

static void row_norm_gradients_in_f32_agree_with_f64(void **state)
{
    (void)state;
    row_norm_gradient_in_f32(300, 192, 0.0);
    row_norm_gradient_in_f32(40, 768, 100.0);
    fill(64 * 256, 256, 0.2, 1.0);
    pcc_rms_norm_f64(64, 256, 1e-6, x64, NULL, y64, rstd64);
    pcc_rms_norm_grad_f64(64, 256, dy64, x64, NULL, rstd64, dx64, NULL, scratch);
    pcc_rms_norm_f32(64, 256, 1e-6, x32, NULL, y32, rstd32);
    pcc_rms_norm_grad_f32(64, 256, dy32, x32, NULL, rstd32, dx32, NULL, scratch);
    assert_near_f32("dx", 64 * 256, dx32, dx64, 16.0, 0.0);
}

/* f32 against f64 over [outer, channels, inner] with x around `offset`; the f64 statistics against long double. */
static void check_batch_norm(Problem p, double offset, double spread)
{
    int64_t n = p.outer * p.channels * p.inner, rows = p.valid * (p.outer / p.batch);
    PccStep s = step_of(p);
    double running64[2][512], new64[2][512];
    float running32[2][512], new32[2][512];
    fill(n, p.channels, offset, spread);
    for (int64_t c = 0; c < p.channels; c++)
        for (int k = 0; k < 2; k++)
            running32[k][c] = (float)(running64[k][c] = uniform());
    pcc_batch_norm_statistics_f64(p.batch, p.outer, p.channels, p.inner, 1e-5, 0.9, x64, scale64, bias64, running64[0],
                                  running64[1], gain64, offset64, new64[0], new64[1], mean64, rstd64, scratch, &s);
    normalise_f64(p);
    for (int64_t c = 0; c < p.channels; c++) {
        long double mean = 0, m2 = 0, count = (long double)(rows * p.inner);
        for (int64_t r = 0; r < rows * p.inner; r++)
            mean += (long double)x64[(r / p.inner * p.channels + c) * p.inner + r % p.inner] / count;
        for (int64_t r = 0; r < rows * p.inner; r++) {
            long double d = (long double)x64[(r / p.inner * p.channels + c) * p.inner + r % p.inner] - mean;
            m2 += d * d / count;
        }
        assert_true(fabs(mean64[c] - (double)mean) <= 1e-14 * (fabs(offset) + spread));
        assert_true(fabs(new64[0][c] - (0.9 * running64[0][c] + 0.1 * (double)mean)) <= 1e-13 * (1.0 + fabs(offset)));
        assert_true(fabs(new64[1][c] - (0.9 * running64[1][c] + 0.1 * (double)m2)) <= 1e-9 * (1.0 + (double)m2));
    }
    pcc_batch_norm_statistics_f32(p.batch, p.outer, p.channels, p.inner, 1e-5, 0.9, x32, scale32, bias32, running32[0],
                                  running32[1], gain32, offset32, new32[0], new32[1], mean32, rstd32, scratch, &s);
    normalise_f32(p);
    assert_near_f32("y", rows * p.channels * p.inner, y32, y64, 8.0, 0.0);
    assert_near_f32("mean", p.channels, mean32, mean64, 2.0, fabs(offset) + spread);
    assert_near_f32("rstd", p.channels, rstd32, rstd64, 8.0, 0.0);
    assert_near_f32("new mean", p.channels, new32[0], new64[0], 4.0, fabs(offset) + spread);
    pcc_batch_norm_grad_f64(p.batch, p.outer, p.channels, p.inner, dy64, x64, scale64, mean64, rstd64, dx64, dscale64,
                            dbias64, scratch, &s);
    pcc_batch_norm_grad_f32(p.batch, p.outer, p.channels, p.inner, dy32, x32, scale32, mean32, rstd32, dy32, dscale32,
                            dbias32, scratch, &s);
    assert_near_f32("dx", n, dy32, dx64, 16.0, 0.0);
    assert_near_f32("dscale", p.channels, dscale32, dscale64, 32.0, 0.0);
    assert_near_f32("dbias", p.channels, dbias32, dbias64, 32.0, 0.0);
}

static void batch_norm_in_f32_agrees_with_f64(void **state)
{
    (void)state;
    check_batch_norm((Problem){2, 16, 8 * 49, 64, 1, 8}, 0.0, 1.0);
    check_batch_norm((Problem){2, 32, 32 * 100, 64, 1, 29}, 0.5, 2.0);
    check_batch_norm((Problem){2, 8, 8, 16, 400, 7}, -1.0, 1.0);
    check_batch_norm((Problem){2, 1000, 1000, 3, 1, 1000}, 0.0, 1.0);
    check_batch_norm((Problem){2, 16, 1600, 32, 1, 16}, 500.0, 0.25); /* mean >> deviation */
    check_batch_norm((Problem){2, 16, 16, 4, 999, 16}, 500.0, 0.25);
}

/* Everything that a batch-norm step and a layer-norm step write, as one buffer. */
static size_t write_all(float *out)
{
    enum { ROWS = 2048, WIDTH = 64 };
    PccStep s = {.valid = 15};
    float *at = out;
    float zero[WIDTH] = {0};
    pcc_layer_norm_f32(ROWS, WIDTH, 1e-5, x32, scale32, bias32, at, mean32, rstd32);
    at += ROWS * WIDTH;
    pcc_layer_norm_grad_f32(ROWS, WIDTH, dy32, x32, scale32, mean32, rstd32, at, at + ROWS * WIDTH,
                            at + ROWS * WIDTH + WIDTH, scratch);
    at += ROWS * WIDTH + 2 * WIDTH;
    pcc_batch_norm_statistics_f32(16, ROWS, WIDTH, 1, 1e-5, 0.9, x32, scale32, bias32, zero, zero, at, at + WIDTH, zero,
                                  zero, mean32, rstd32, scratch, &s);
    at += 2 * WIDTH;
    pcc_batch_norm_grad_f32(16, ROWS, WIDTH, 1, dy32, x32, scale32, mean32, rstd32, at, at + ROWS * WIDTH,
                            at + ROWS * WIDTH + WIDTH, scratch, &s);
    at += ROWS * WIDTH + 2 * WIDTH;
    return (size_t)(at - out) * sizeof *out;
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    static float one[MAX + 4096], many[MAX + 4096];
    fill(2048 * 64, 64, 0.1, 1.0);
    omp_set_num_threads(1);
    size_t bytes = write_all(one);
    for (int threads = 2; threads <= 5; threads++) {
        omp_set_num_threads(threads);
        assert_int_equal(write_all(many), bytes);
        assert_memory_equal(one, many, bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_norms_agree_with_long_double),
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(row_norm_gradients_in_f32_agree_with_f64),
        cmocka_unit_test(batch_norm_in_f32_agrees_with_f64),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
