/* test_gemm.c: matrix products against a naive reference in double, for both element types, all transpositions, edge
 * sizes and thread counts. */
#include "gemm_check.h"

#define T float
#define SUFFIX f32
#define STORE PccStoreF32
#define EPSILON ((double)FLT_EPSILON)
#include "gemm_cases.inc"
#undef T
#undef SUFFIX
#undef STORE
#undef EPSILON

#define T double
#define SUFFIX f64
#define STORE PccStoreF64
#define EPSILON DBL_EPSILON
#include "gemm_cases.inc"

static void check(Case c)
{
    check_f32(c);
    check_f64(c);
}

static void test_transpositions(void **state)
{
    (void)state;
    static const char kinds[] = "nts";
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) {
            check((Case){1, 67, 71, 53, kinds[a], kinds[b]});
            check((Case){1, 96, 128, 64, kinds[a], kinds[b]});
        }
}

static void test_edges(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 31, 32, 33};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        check((Case){1, sizes[i], 37, 19, 'n', 'n'});
        check((Case){1, 37, sizes[i], 19, 't', 't'});
        check((Case){1, 13, 33, sizes[i], 'n', 't'});
        check((Case){1, 13, 33, sizes[i], 't', 'n'});
    }
}

static void test_depth_blocks(void **state)
{
    (void)state;
    static const int64_t depths[] = {255, 256, 257, 383, 384, 385, 767, 769, 1153};
    for (size_t i = 0; i < sizeof(depths) / sizeof(*depths); i++) {
        check((Case){1, 29, 41, depths[i], 'n', 'n'});
        check((Case){1, 29, 41, depths[i], 't', 't'});
    }
}

static void test_empty(void **state)
{
    (void)state;
    check((Case){1, 5, 7, 0, 'n', 'n'});
    check((Case){1, 0, 7, 5, 'n', 'n'});
    check((Case){1, 5, 0, 5, 'n', 'n'});
    check((Case){0, 5, 7, 5, 'n', 'n'});
}

static void test_split_depth(void **state)
{
    (void)state;
    assert_true(pcc_gemm_splits(1, 10, 9, 9000, 4) > 1);
    check((Case){1, 10, 9, 9000, 't', 'n'});
    check((Case){1, 70, 130, 4000, 't', 'n'});
    check((Case){3, 10, 40, 5000, 'n', 't'});
}

static void test_batched(void **state)
{
    (void)state;
    check((Case){6, 65, 65, 64, 'n', 't'});
    check((Case){6, 65, 64, 65, 'n', 'n'});
    check((Case){9, 17, 5, 33, 't', 't'});
}

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
