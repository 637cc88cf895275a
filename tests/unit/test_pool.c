/* Pools against a walk over every window and channel. */
#define PCC_MIXED
#include "runtime/kernels/pool/pool.h"

#include "mixed_case.h"

static const PccPool pools[] = {
    {2, 70, {1, 8, 8}, {1, 4, 4}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, 0, {0}},
    {2, 64, {1, 15, 13}, {1, 8, 7}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, 0, {0}},
    {1, 5, {1, 15, 13}, {1, 8, 7}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, 1, {0}},
    {3, 3, {1, 1, 20}, {1, 1, 7}, {1, 1, 3}, {1, 1, 2}, {1, 1, 3}, {0, 0, 1}, 1, {0}},      /* dilated */
    {1, 9, {5, 6, 7}, {3, 3, 7}, {3, 2, 1}, {1, 2, 1}, {1, 1, 1}, {0, 0, 0}, 0, {0}},       /* 3-D */
    {4, 130, {1, 7, 7}, {1, 1, 1}, {1, 7, 7}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, 0, {0}},     /* global */
    {1, 4, {1, 1, 6}, {1, 1, 4}, {1, 1, 3}, {1, 1, 2}, {1, 1, 1}, {0, 0, 1}, 1, {0, 0, 1}}, /* ceil_mode overhang */
    {8, 64, {1, 32, 32}, {1, 16, 16}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, 0, {0}},  /* several threads */
};

#define PCC_TEMPLATE "tests/unit/pool_cases.inc"
#include "runtime/kernels/common/for_floats.inc"
#undef PCC_TEMPLATE

#include "pool_mixed.inc"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_f32),        cmocka_unit_test(max_f64),      cmocka_unit_test(average_f32),
        cmocka_unit_test(average_f64),    cmocka_unit_test(nan_wins_f32), cmocka_unit_test(nan_wins_f64),
        cmocka_unit_test(average_mixed),  cmocka_unit_test(max_mixed),    cmocka_unit_test(normalises_f32),
        cmocka_unit_test(normalises_f64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
