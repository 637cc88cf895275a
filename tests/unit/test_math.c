/* The elementary functions against libm in double: 2 ulp over the whole range, and the special values. */
#include "runtime/kernels/math/math.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BLOCK = 4096 };

typedef void (*Loop)(int64_t n, const float *x, float *y);
typedef double (*Reference)(double x);

#define LOOP(name)                                                                         \
    static void loop_##name(int64_t n, const float *x, float *y)                           \
    {                                                                                      \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) y[i] = pcc_##name##_f32(x[i]); \
    }
#define LIBM_LOOP(name)                                          \
    static void loop_##name(int64_t n, const float *x, float *y) \
    {                                                            \
        for (int64_t i = 0; i < n; i++)                          \
            y[i] = pcc_##name##_f32(x[i]);                       \
    }
LOOP(exp)
LOOP(log)
LOOP(tanh)
LOOP(erf)
LOOP(sigmoid)
LOOP(gauss)
LOOP(half_erfc)
LOOP(log1p)
LOOP(expm1)
LOOP(sin)
LOOP(cos)
LOOP(sqrt)
LOOP(sqrt_newton)
LOOP(floor)
LOOP(ceil)
LOOP(round)
LOOP(abs)
LOOP(sign)
LIBM_LOOP(tan)
LIBM_LOOP(asin)
LIBM_LOOP(acosh)
LIBM_LOOP(atanh)

static double sigmoid(double x)
{
    double z = exp(-fabs(x));
    return (x < 0.0 ? z : 1.0) / (1.0 + z);
}

static double sign(double x)
{
    return isnan(x) ? x : (double)((x > 0.0) - (x < 0.0));
}

/* |got - want| in units of the last place of a float of want's size; 0 where both are the same special value. */
static double ulps(float got, double want)
{
    float rounded = (float)want;
    if (isnan(rounded) || isnan(got))
        return isnan(rounded) && isnan(got) ? 0.0 : HUGE_VAL;
    if (rounded == got)
        return rounded == 0.0f && signbit(rounded) != signbit(got) ? HUGE_VAL : 0.0;
    if (isinf(got) && fabs(want) > 3.4028234e38)
        return 0.0; /* overflowed one rounding early */
    int exponent = -125;
    frexp(want, &exponent);
    double unit = ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
    return fabs((double)got - want) / unit;
}

static double worst_error(Loop loop, Reference reference, float *where)
{
    static float x[BLOCK], y[BLOCK];
    double worst = 0.0;
    uint64_t next = 0;
    while (next <= UINT32_MAX) {
        int64_t n = 0;
        for (; n < BLOCK && next <= UINT32_MAX; next += 1021) { /* every 1021st of all floats */
            uint32_t bits = (uint32_t)next;
            memcpy(&x[n++], &bits, sizeof bits);
        }
        loop(n, x, y);
        for (int64_t i = 0; i < n; i++) {
            double error = ulps(y[i], reference((double)x[i]));
            if (error > worst) {
                worst = error;
                *where = x[i];
            }
        }
    }
    return worst;
}

typedef struct UnaryCase {
    const char *name;
    Loop loop;
    Reference reference;
    double bound;
} UnaryCase;

static const UnaryCase unary[] = {
    {"exp", loop_exp, exp, 2.0},       {"log", loop_log, log, 2.0},       {"tanh", loop_tanh, tanh, 2.0},
    {"erf", loop_erf, erf, 2.0},       {"log1p", loop_log1p, log1p, 2.0}, {"expm1", loop_expm1, expm1, 2.0},
    {"sin", loop_sin, sin, 2.0},       {"cos", loop_cos, cos, 2.0},       {"sigmoid", loop_sigmoid, sigmoid, 2.0},
    {"sqrt", loop_sqrt, sqrt, 1.0},    {"floor", loop_floor, floor, 0.0}, {"sqrt_newton", loop_sqrt_newton, sqrt, 1.0},
    {"ceil", loop_ceil, ceil, 0.0},    {"round", loop_round, rint, 0.0},  {"abs", loop_abs, fabs, 0.0},
    {"sign", loop_sign, sign, 0.0},    {"tan", loop_tan, tan, 2.0},       {"asin", loop_asin, asin, 2.0},
    {"acosh", loop_acosh, acosh, 2.0}, {"atanh", loop_atanh, atanh, 2.0},
};

static void every_function_is_within_its_bound(void **state)
{
    (void)state;
    int failures = 0;
    for (size_t i = 0; i < sizeof unary / sizeof *unary; i++) {
        float where = 0.0f;
        double worst = worst_error(unary[i].loop, unary[i].reference, &where);
        if (!(worst <= unary[i].bound)) {
            print_error("%s: %g ulp at %a, bound %g\n", unary[i].name, worst, (double)where, unary[i].bound);
            failures++;
        }
    }
    assert_int_equal(failures, 0);
}

/* The largest of |got - want| / unit(x) over every 1021st of all floats. */
static double worst_in_units(Loop loop, Reference reference, Reference unit)
{
    static float x[BLOCK], y[BLOCK];
    double worst = 0.0;
    for (uint64_t next = 0; next <= UINT32_MAX;) {
        int64_t n = 0;
        for (; n < BLOCK && next <= UINT32_MAX; next += 1021) {
            uint32_t bits = (uint32_t)next;
            memcpy(&x[n], &bits, sizeof bits);
            n += !isnan(x[n]);
        }
        loop(n, x, y);
        for (int64_t i = 0; i < n; i++) {
            double error = fabs((double)y[i] - reference((double)x[i])) / unit((double)x[i]);
            worst = error <= worst ? worst : error; /* a NaN is the worst */
        }
    }
    return worst;
}

static double gauss(double x)
{
    return exp(-x * x);
}

static double half_erfc(double x)
{
    return 0.5 * erfc(x);
}

/* 1 ulp and the rounding of x^2; results below 2^-126.5 may be 0. */
static double gauss_unit(double x)
{
    return fmax(0x1p-126, (1.0 + fmin(x * x, 100.0)) * 0x1p-23 * gauss(x));
}

static double half_erfc_unit(double x)
{
    (void)x;
    return 1.25 * 0x1p-24;
}

static void the_parts_of_gelu_are_within_their_bounds(void **state)
{
    (void)state;
    assert_true(worst_in_units(loop_gauss, gauss, gauss_unit) <= 1.0);
    assert_true(worst_in_units(loop_half_erfc, half_erfc, half_erfc_unit) <= 1.0);
    const float x[] = {-INFINITY, INFINITY, NAN, -NAN, -0.0f, 14.0f, -1e30f};
    const float want[] = {1.0f, 0.0f, NAN, NAN, 0.5f, 0.0f, 1.0f};
    for (int i = 0; i < 7; i++) {
        const float got = pcc_half_erfc_f32(x[i]), power = pcc_gauss_f32(x[i]);
        assert_true(isnan(want[i]) ? isnan(got) && isnan(power) : got == want[i]);
        assert_true(isnan(want[i]) || power == (want[i] == 0.5f ? 1.0f : 0.0f));
    }
}

static const float special[] = {0.0f,       -0.0f,   1.0f,      -1.0f,     2.0f,       -2.0f,           0.5f,
                                -0.5f,      3.0f,    -3.0f,     2.5f,      1e-40f,     -1e-40f,         1e30f,
                                -1e30f,     1e-30f,  0x1p-149f, 0x1p-126f, 16777217.f, 8388608.5f,      8388607.f,
                                -8388609.f, 4096.5f, INFINITY,  -INFINITY, NAN,        0x1.fffffep127f, -127.0f};
enum { SPECIALS = sizeof special / sizeof *special };

static void special_values_are_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unary / sizeof *unary; i++) {
        float y[SPECIALS];
        unary[i].loop(SPECIALS, special, y);
        for (int j = 0; j < SPECIALS; j++)
            if (!(ulps(y[j], unary[i].reference((double)special[j])) <= unary[i].bound))
                fail_msg("%s(%a) is %a", unary[i].name, (double)special[j], (double)y[j]);
    }
}

static void pow_agrees_with_annex_f(void **state)
{
    (void)state;
    for (int i = 0; i < SPECIALS; i++)
        for (int j = 0; j < SPECIALS; j++) {
            float got = pcc_pow_f32(special[i], special[j]);
            if (!(ulps(got, pow((double)special[i], (double)special[j])) <= 2.0))
                fail_msg("pow(%a, %a) is %a", (double)special[i], (double)special[j], (double)got);
        }
}

/* Bases around 1 and over the whole range; exponents that spread log2 |x^y| over what a float can hold. */
static void pow_is_within_its_bound(void **state)
{
    (void)state;
    static float x[BLOCK], y[BLOCK], z[BLOCK];
    uint64_t random = 1;
    for (int block = 0; block < 200; block++) {
        for (int i = 0; i < BLOCK; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            float spread = (float)(random >> 40) * 0x1p-24f;
            x[i] = block & 1 ? 0.5f + 1.5f * spread : ldexpf(1.0f + spread, (int)(random >> 20 & 255) - 127);
            double target = ((double)(random >> 8 & 0xfff) / 2048.0 - 1.0) * 104.0;
            y[i] = x[i] == 1.0f ? 2.0f : (float)(target / log((double)x[i]));
        }
#pragma omp simd
        for (int i = 0; i < BLOCK; i++)
            z[i] = pcc_pow_f32(x[i], y[i]);
        for (int i = 0; i < BLOCK; i++)
            if (!(ulps(z[i], pow((double)x[i], (double)y[i])) <= 2.0))
                fail_msg("pow(%a, %a) is %a", (double)x[i], (double)y[i], (double)z[i]);
    }
}

static void max_and_min_propagate_nan(void **state)
{
    (void)state;
    assert_true(isnan(pcc_max_f32(NAN, 1.0f)) && isnan(pcc_max_f32(1.0f, NAN)));
    assert_true(isnan(pcc_min_f32(NAN, 1.0f)) && isnan(pcc_min_f32(1.0f, NAN)));
    assert_true(isnan(pcc_max_f64(nan(""), 1.0)) && isnan(pcc_max_f64(1.0, nan(""))));
    assert_true(isnan(pcc_min_f64(nan(""), 1.0)) && isnan(pcc_min_f64(1.0, nan(""))));
    assert_true(pcc_max_f32(-INFINITY, 2.0f) == 2.0f && pcc_min_f32(3.0f, INFINITY) == 3.0f);
    assert_true(pcc_max_f64(-2.0, 2.0) == 2.0 && pcc_min_f64(-2.0, 2.0) == -2.0);
}

/* To three bits behind the leading one, and below 2^-6 to multiples of 2^-9, as FLOAT8E4M3FN has it. */
static void significands_round_to_even(void **state)
{
    (void)state;
    static const double pairs[][2] = {{0, 0},     {1.0625, 1},        {1.1875, 1.25},      {-17, -16},
                                      {-19, -20}, {0x1p-10, 0},       {0x1.8p-9, 0x1p-8},  {463, 448},
                                      {465, 480}, {0x1p100, 0x1p100}, {INFINITY, INFINITY}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_true((double)pcc_round_significand_f32((float)pairs[i][0], 3.0f, -6.0f) == pairs[i][1]);
        assert_true(pcc_round_significand_f64(pairs[i][0], 3.0, -6.0) == pairs[i][1]);
    }
    assert_true(isnan(pcc_round_significand_f32(NAN, 3.0f, -6.0f)) &&
                isnan(pcc_round_significand_f64((double)NAN, 3.0, -6.0)));
    assert_true(pcc_round_significand_f32(3.0f, 0.0f, -120.0f) == 4.0f); /* powers of two, as FLOAT8E8M0 */
}

static void the_f64_family_is_libm(void **state)
{
    (void)state;
    assert_true(pcc_sigmoid_f64(-800.0) == 0.0 && pcc_sigmoid_f64(0.0) == 0.5 && pcc_sigmoid_f64(40.0) == 1.0);
    assert_true(pcc_round_f64(2.5) == 2.0 && pcc_round_f64(-3.5) == -4.0);
    assert_true(isnan(pcc_sign_f64(nan(""))) && pcc_sign_f64(-3.0) == -1.0 && pcc_sign_f64(0.0) == 0.0);
    assert_true(pcc_fmod_f64(-5.5, 2.0) == -1.5 && pcc_fmod_f32(5.5f, -2.0f) == 1.5f);
    assert_true(pcc_mod_f64(-5.5, 2.0) == 0.5 && pcc_mod_f32(5.5f, -2.0f) == -0.5f);
    assert_true(pcc_mod_f32(-5.0f, INFINITY) == INFINITY && pcc_mod_f64(5.0, (double)INFINITY) == 5.0);
    assert_true(pcc_gauss_f64(0.3) == exp(-(0.3 * 0.3)) && pcc_half_erfc_f64(0.3) == 0.5 * erfc(0.3));
    assert_true(pcc_erf_f64(0.3) == erf(0.3) && pcc_pow_f64(1.5, 2.5) == pow(1.5, 2.5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_is_within_its_bound),
        cmocka_unit_test(the_parts_of_gelu_are_within_their_bounds),
        cmocka_unit_test(special_values_are_right),
        cmocka_unit_test(pow_agrees_with_annex_f),
        cmocka_unit_test(pow_is_within_its_bound),
        cmocka_unit_test(max_and_min_propagate_nan),
        cmocka_unit_test(the_f64_family_is_libm),
        cmocka_unit_test(significands_round_to_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
