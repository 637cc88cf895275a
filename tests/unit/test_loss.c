/* Losses and their gradients against the formulas in double, over every way that a target may not count. */
#include "runtime/kernels/loss/loss.h"

#include "kernel_check.h"

typedef struct Shape {
    int64_t batch, outer, classes, inner, shift;
} Shape;

static const Shape shapes[] = {
    {4, 4, 3, 1, 0},      /* fewer classes than lanes */
    {8, 8, 1000, 1, 0},   /* a classifier */
    {3, 21, 77, 1, 7},    /* a causal language model of 3 x 7 tokens */
    {2, 2, 5, 150, 0},    /* segmentation: tiles of positions */
    {500, 500, 10, 1, 0}, /* more rows than chunks */
};

#define PCC_TEMPLATE "tests/unit/loss_cases.inc"
#include "runtime/kernels/common/for_floats.inc"
#undef PCC_TEMPLATE

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_f32),
        cmocka_unit_test(cross_entropy_f64),
        cmocka_unit_test(nothing_counts_f32),
        cmocka_unit_test(nothing_counts_f64),
        cmocka_unit_test(extreme_logits_f32),
        cmocka_unit_test(extreme_logits_f64),
        cmocka_unit_test(large_logits_alike_f32),
        cmocka_unit_test(large_logits_alike_f64),
        cmocka_unit_test(means_f32),
        cmocka_unit_test(means_f64),
        cmocka_unit_test(any_threads_f32),
        cmocka_unit_test(any_threads_f64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
