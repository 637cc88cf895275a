/* test_gemm.c: matrix products against a naive reference in double, for both element types, all transpositions, edge
 * sizes and thread counts. */
#include "gemm_check.h"

#define T float
#define SUFFIX f32
#define STORE PccStore_f32
#define EPSILON ((double)FLT_EPSILON)
#include "gemm_cases.inc"
#undef T
#undef SUFFIX
#undef STORE
#undef EPSILON

#define T double
#define SUFFIX f64
#define STORE PccStore_f64
#define EPSILON DBL_EPSILON
#include "gemm_cases.inc"

static void check(Case c)
{
    check_f32(c);
    check_f64(c);
}

#include "gemm_shapes.inc"

static void test_many_tiles(void **state)
{
    (void)state;
    check((Case){1, 1100, 70, 40, 'n', 'n'});
    check((Case){1, 40, 900, 40, 't', 't'});
    check((Case){1, 230, 500, 800, 'n', 't'});
    check((Case){1, 2200, 40, 30, 't', 'n'}); /* tiles that find their B packed */
    check((Case){1, 310, 70, 800, 'n', 'n'}); /* all of B's depth blocks packed at once, groups of rows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transpositions), cmocka_unit_test(test_edges),   cmocka_unit_test(test_depth_blocks),
        cmocka_unit_test(test_empty),          cmocka_unit_test(test_batched), cmocka_unit_test(test_split_depth),
        cmocka_unit_test(test_many_tiles),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
