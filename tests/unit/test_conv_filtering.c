/* test_conv_filtering.c: minimal filtering in the smaller of its two tiles; test_conv.c has the larger. */
#define PCC_WINOGRAD 2
#include "conv_check.h"

#define T float
#define SUFFIX f32
#define EPSILON ((double)FLT_EPSILON)
#include "conv_cases.inc"

static void check(PccConv c)
{
    check_f32(with_output(c));
}

#include "conv_filtering.inc"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimal_filtering),
        cmocka_unit_test(test_minimal_filtering_of_uneven_padding),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
