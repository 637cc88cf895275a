/* test_recurrent_products.cu: recurrences in every storage, of sizes around the tiles of products and where K is split,
 * against the C target's kernels on the same operands. */
#include "recurrent_case.h"

/* Fewer rows than a tile of a product, and more; widths that are vectors, and not. */
template <class Case> static void agrees_with_c(void **)
{
    check_variants<Case>({3, 2, 1, 5}, false);
    check_variants<Case>({4, 13, 2, 33}, true);
    check_variants<Case>({3, 70, 2, 16}, false);
}

/* Forward into two ranges, backward into up to eight. */
template <class Case> static void splits_k(void **)
{
    check_variants<Case>({3, 2, 1, 264}, true);
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_c<F64>),   cmocka_unit_test(agrees_with_c<F32>),
        cmocka_unit_test(agrees_with_c<Bf16>),  cmocka_unit_test(agrees_with_c<F16>),
        cmocka_unit_test(agrees_with_c<Mixed>), cmocka_unit_test(splits_k<F32>),
        cmocka_unit_test(splits_k<Bf16>),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
