/* test_conv.cu: convolutions and their gradients against plain loops in double. */
#include "conv_case.cuh"

static void test_strides_dilations_pads(void **)
{
    for (int64_t kernel = 1; kernel <= 4; kernel++)
        for (int64_t stride = 1; stride <= 3; stride++)
            for (int64_t dilation = 1; dilation <= 2; dilation++)
                for (int64_t pad = 0; pad <= 2; pad++) {
                    check<float, PccBf16>(with(conv2d(2, 3, 5, 1, 9, kernel), stride, dilation, pad));
                    check<float, float>(with(conv2d(1, 5, 3, 1, 7, kernel), stride, dilation, pad));
                }
}

static void test_vectors(void **)
{
    for (int64_t stride = 1; stride <= 2; stride++) {
        const PccConv c = with(conv2d(2, 16, 24, 1, 7, 3), stride, 1, 1);
        check<float, PccBf16>(c);
        check<float, PccF16>(c);
        check<float, float>(c);
        check<double, double>(c);
    }
}

static void test_groups(void **)
{
    for (int64_t stride = 1; stride <= 2; stride++) {
        check_all(with(conv2d(2, 4, 6, 2, 7, 3), stride, 1, 1));
        check_all(with(conv2d(2, 4, 8, 4, 7, 3), stride, 1, 1)); /* a depth multiplier of 2 */
        check_all(with(conv2d(2, 16, 32, 2, 5, 3), stride, 1, 1));
        check_all(with(conv2d(2, 6, 6, 3, 6, 1), stride, 1, 0));
    }
}

static void test_depthwise(void **)
{
    for (int64_t stride = 1; stride <= 3; stride++)
        for (int64_t dilation = 1; dilation <= 2; dilation++) {
            check_all(with(conv2d(3, 20, 20, 20, 11, 3), stride, dilation, 1));
            check<float, PccBf16>(with(conv2d(2, 33, 33, 33, 9, 5), stride, dilation, 2));
        }
}

static void test_models(void **)
{
    check<float, PccBf16>(with(conv2d(1, 1, 32, 1, 28, 3), 1, 1, 1));
    check<float, PccBf16>(with(conv2d(1, 32, 64, 1, 14, 3), 1, 1, 1));
    check<float, PccBf16>(with(conv2d(1, 3, 16, 1, 30, 7), 2, 1, 3));
    check<float, PccF16>(with(conv2d(2, 64, 40, 1, 12, 1), 2, 1, 0));
    check<float, float>(with(conv2d(2, 64, 40, 1, 12, 1), 1, 1, 0));
    check<float, PccBf16>(with(conv2d(4, 1, 48, 1, 28, 4), 4, 1, 0));
}

static void test_one_and_three_dimensions(void **)
{
    check_all(with_output({2, 5, 7, 1, {1, 1, 23}, {0}, {1, 1, 5}, {1, 1, 2}, {1, 1, 1}, {0, 0, 2}}));
    check_all(with_output({2, 3, 4, 1, {5, 6, 7}, {0}, {3, 2, 3}, {2, 1, 2}, {1, 2, 1}, {1, 1, 2}}));
    check_all(with_output({1, 8, 8, 1, {5, 6, 7}, {0}, {3, 2, 3}, {2, 1, 2}, {1, 2, 1}, {1, 1, 2}}));
    check_all(with_output({1, 4, 4, 4, {5, 6, 7}, {0}, {3, 2, 3}, {2, 1, 2}, {1, 2, 1}, {1, 1, 2}}));
}

/* Phases without a tap, positions that nothing reads, an empty batch. */
static void test_corners(void **)
{
    check_all(with(conv2d(2, 3, 4, 1, 8, 1), 3, 1, 0));
    check_all(with(conv2d(1, 8, 8, 1, 3, 2), 2, 1, 0));
    check_all(with(conv2d(1, 4, 4, 4, 6, 1), 2, 1, 0));
    check_all(with(conv2d(0, 3, 4, 1, 8, 3), 1, 1, 1));
}

static void test_orders(void **)
{
    const PccConv c = with(conv2d(9, 8, 8, 1, 13, 3), 1, 1, 1), depthwise = with(conv2d(9, 12, 12, 12, 13, 3), 2, 1, 1);
    assert_true((pcc_conv_grad_weight_form(c, {0, 2}, {0, 2}, 1, 4) & PCC_PRODUCT_SPLIT) != 0);
    for (const PccConv &shape : {c, depthwise})
        check_orders([&](CudaStep &step) { return Computed<float, PccBf16>(shape, step).bits(); });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strides_dilations_pads),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_one_and_three_dimensions),
        cmocka_unit_test(test_corners),
        cmocka_unit_test(test_orders),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
