/* Reductions, arg-reductions and scans against plain loops in double; of stored operands, against the f64 kernels. */
#define PCC_NARROW
#include "runtime/kernels/reduce/reduce.h"

#include "narrow_case.h"

/* Rows, columns, small and large, and shapes that are cut into chunks. */
static const int64_t shapes[][3] = {{1, 1, 1},      {3, 5, 1},    {7, 70, 1},      {1, 300000, 1},
                                    {2, 100003, 1}, {4, 9, 3},    {1, 17, 80},     {2, 33, 700},
                                    {1, 6400, 96},  {70, 130, 5}, {1, 2000, 1025}, {5, 0, 3}};

#define PCC_TEMPLATE "tests/unit/reduce_cases.inc"
#include "runtime/kernels/common/for_floats.inc"
#undef PCC_TEMPLATE

#include "reduce_narrow.inc"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_f32),        cmocka_unit_test(sums_f64),         cmocka_unit_test(extremes_f32),
        cmocka_unit_test(extremes_f64),    cmocka_unit_test(long_sum_f32),     cmocka_unit_test(long_sum_f64),
        cmocka_unit_test(positions_f32),   cmocka_unit_test(positions_f64),    cmocka_unit_test(nan_wins_f32),
        cmocka_unit_test(nan_wins_f64),    cmocka_unit_test(scans_f32),        cmocka_unit_test(scans_f64),
        cmocka_unit_test(long_scan_f32),   cmocka_unit_test(long_scan_f64),    cmocka_unit_test(any_threads_f32),
        cmocka_unit_test(any_threads_f64), cmocka_unit_test(sums_narrow),      cmocka_unit_test(extremes_narrow),
        cmocka_unit_test(products_narrow), cmocka_unit_test(positions_narrow), cmocka_unit_test(scans_narrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
