/* test_optimizer_rows.c: the steps of the optimizers' rows, which `pcc verify` expects, against PyTorch 2.15 in
 * float64. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ir/optimizer.h"

enum { COUNT = 3, STEPS = 2 };

static void assert_close(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-14 * fabs(expected)))
        fail_msg("%.17g, expected %.17g", value, expected);
}

/* Two steps from the same weights, one gradient zero at first. */
static void check(const char *optimizer, const double expected[COUNT])
{
    const OptimizerHyper hyper = {
        .lr = 0.1, .weight_decay = 0.05, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .momentum = 0.9};
    const double gradients[STEPS][COUNT] = {{0.5, -1e-3, 0}, {0.25, 2e-3, -3}};
    double value[COUNT] = {1, -2, 0.25}, moment1[COUNT] = {0}, moment2[COUNT] = {0};
    const Optimizer *row = find_optimizer(optimizer);
    assert_non_null(row);
    for (int step = 0; step < STEPS; step++)
        for (int i = 0; i < COUNT; i++)
            value[i] = row->step(&hyper, step + 1, value[i], gradients[step][i], &moment1[i], &moment2[i]);
    for (int i = 0; i < COUNT; i++)
        assert_close(value[i], expected[i]);
}

static void test_sgd(void **state)
{
    (void)state;
    check("sgd", (const double[]){0.86577499999999996, -1.9710605000000001, 0.54638125000000004});
}

static void test_adam(void **state)
{
    (void)state;
    check("adam", (const double[]){0.80681148665256308, -1.8004395807687745, 0.22732718863619183});
}

static void test_adamw(void **state)
{
    (void)state;
    check("adamw", (const double[]){0.79845980361468938, -1.9224662154104852, 0.32508532524317757});
}

/* By numpy in float64, from the paper's Algorithm 2. */
static void test_lion(void **state)
{
    (void)state;
    check("lion", (const double[]){0.790525, -1.98055, 0.34750625});
}

static void test_known(void **state)
{
    (void)state;
    assert_non_null(find_optimizer("adamw8bit"));
    assert_null(find_optimizer("adam "));
}

static void test_clip(void **state)
{
    (void)state;
    assert_close(clip_factor(0, 5), 1);
    assert_close(clip_factor(10, 5), 1);
    assert_close(clip_factor(1, 5), 1 / (5 + 1e-6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd),  cmocka_unit_test(test_adam),  cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_lion), cmocka_unit_test(test_known), cmocka_unit_test(test_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
