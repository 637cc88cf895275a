/* test_conv.c: convolutions and both gradients against naive loops in double, for both element types and several
 * thread counts. */
#include "conv_check.h"

#define T float
#define SUFFIX f32
#define EPSILON ((double)FLT_EPSILON)
#include "conv_cases.inc"
#undef T
#undef SUFFIX
#undef EPSILON

#define T double
#define SUFFIX f64
#define EPSILON DBL_EPSILON
#include "conv_cases.inc"

static void check(PccConv c)
{
    c = with_output(c);
    check_f32(c);
    check_f64(c);
}

#include "conv_shapes.inc"

#include "conv_filtering.inc"

static void test_split_weight_gradient(void **state)
{
    (void)state;
    const PccConv c = with(conv2d(5, 1, 8, 1, 40, 3), 1, 1, 1);
    assert_true(pcc_gemm_splits(1, 8, 9, 5 * 40 * 42, 4) > 1);
    check(c);
}

static void check_direct(PccConv c)
{
    assert_true(pcc_conv_is_direct(with_output(c)));
    check(c);
}

static void test_few_channels(void **state)
{
    (void)state;
    for (int64_t c = 1; c <= 4; c++)
        for (int64_t stride = 1; stride <= 2; stride++)
            for (int64_t dilation = 1; dilation <= 2; dilation++) {
                check_direct(with(conv2d(3, c, 33, 1, 11, 3), stride, dilation, 1)); /* a register tile and one more */
                check_direct(with(conv2d(2, c, 32, 1, 12, 2), stride, dilation, 0));
                check_direct(with(conv2d(1, c, 70, 1, 10, 5), stride, dilation, 4));
            }
    check_direct(with(conv2d(17, 2, 64, 1, 6, 1), 1, 1, 0)); /* more samples than ranges, one tap */
    check_direct(with(conv2d(2, 4, 9, 1, 40, 3), 32, 1, 1)); /* steps wider than the rows */
    check_direct(with(conv2d(1, 1, 192, 1, 5, 16), 1, 1, 8));
}

/* Padding wider than the image: outputs, whole rows of them too, that see zeros only. */
static void test_borders_wider_than_the_image(void **state)
{
    (void)state;
    for (int64_t c = 1; c <= 4; c++) {
        check_direct(with(conv2d(2, c, 20, 1, 2, 3), 1, 1, 7));
        check_direct(with(conv2d(2, c, 20, 1, 2, 3), 3, 3, 9));
        check_direct((PccConv){2, c, 20, 1, {1, 3, 1}, {0}, {1, 1, 4}, {1, 2, 1}, {1, 1, 5}, {0, 3, 11}});
    }
}

/* Images of several blocks, the last of fewer rows; and shapes on the far side of each of the direct path's limits. */
static void test_blocks_of_rows(void **state)
{
    (void)state;
    PccConv c = with(conv2d(2, 3, 40, 1, 75, 7), 2, 1, 3);
    check_direct(c);
    c.out[0] = 1;
    c.out[1] = c.out[2] = 38;
    assert_true(pcc_conv_direct_rows(c) > 1 && pcc_conv_direct_rows(c) < 38 && 38 % pcc_conv_direct_rows(c) != 0);
    check(with(conv2d(1, 1, 193, 1, 5, 3), 1, 1, 1));
    check(with(conv2d(1, 4, 5, 1, 9, 9), 1, 1, 4));
    check(with(conv2d(2, 1, 5, 1, 70, 3), 33, 1, 1));
    check((PccConv){1, 1, 5, 1, {1, 3, 4000}, {0}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}});
    check((PccConv){0, 3, 5, 1, {1, 9, 9}, {0}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strides_dilations_pads),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_one_and_three_dimensions),
        cmocka_unit_test(test_many_runs),
        cmocka_unit_test(test_minimal_filtering),
        cmocka_unit_test(test_minimal_filtering_of_uneven_padding),
        cmocka_unit_test(test_split_weight_gradient),
        cmocka_unit_test(test_few_channels),
        cmocka_unit_test(test_borders_wider_than_the_image),
        cmocka_unit_test(test_blocks_of_rows),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
