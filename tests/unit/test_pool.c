/* Pools against a walk over every window and channel. */
#define PCC_NARROW
#include "runtime/kernels/pool/pool.h"

#include "narrow_case.h"

#include "pool_shapes.inc"

#define PCC_TEMPLATE "tests/unit/pool_cases.inc"
#include "runtime/kernels/common/for_floats.inc"
#undef PCC_TEMPLATE

#include "pool_narrow.inc"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_f32),        cmocka_unit_test(max_f64),      cmocka_unit_test(average_f32),
        cmocka_unit_test(average_f64),    cmocka_unit_test(nan_wins_f32), cmocka_unit_test(nan_wins_f64),
        cmocka_unit_test(average_narrow), cmocka_unit_test(max_narrow),   cmocka_unit_test(normalises_f32),
        cmocka_unit_test(normalises_f64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
