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

/* Widths around the register tiles' of every instruction set, by depths around what B's room holds of them. */
static void test_room(void **state)
{
    (void)state;
    set_threads(1);
    for (int64_t n = 1; n < 1600; n++)
        for (int64_t k = 1; k < 40000; k = k * 5 / 4 + 1) {
            check_room_f32(100000, n, k);
            check_room_f64(100000, n, k);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transpositions), cmocka_unit_test(test_edges),   cmocka_unit_test(test_depth_blocks),
        cmocka_unit_test(test_empty),          cmocka_unit_test(test_batched), cmocka_unit_test(test_split_depth),
        cmocka_unit_test(test_many_tiles),     cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
