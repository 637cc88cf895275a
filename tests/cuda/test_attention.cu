/* test_attention.cu: attention in f32, f64 and a mixture of dtypes, forward and backward, against the plain formula in
 * double on the same rounded operands, and with the same bits in any order of blocks, warps and lanes. */
#include "attention_case.h"

typedef Storage<float, float> F32;
typedef Storage<double, double> F64;
typedef Storage<float, PccBf16, PccF16, float, float, PccF16, float, float, PccBf16, PccF16> Mixture;

static void check(const PccAttention &a, const Operands &o)
{
    check_in<F32>(a, o);
    check_in<F64>(a, o);
}

static void check_absorbed(const PccAttention &a, const Operands &o)
{
    check_in<F32>(a, o, true);
    check_in<F64>(a, o);
}

static void dense_shapes_agree_with_the_formula(void **)
{
    each_dense_shape(check);
}

static void causal_attention_agrees_with_the_formula(void **)
{
    each_causal_shape(check);
}

static void heads_are_strided_and_grouped(void **)
{
    each_layout(check);
}

static void masks_broadcast(void **)
{
    each_mask(check);
}

static void rows_blocked_by_finite_masks_keep_their_gradient(void **)
{
    each_finite_mask(check_absorbed);
}

static void dtypes_mix(void **)
{
    const PccAttention a = shape_of(1, 2, 70, 81, 20, 24);
    check_in<Mixture>(a, random_operands(a));
}

static void order_does_not_change_a_bit(void **)
{
    check_bits<F32>(shape_of(1, 2, 70, 90, 20, 24, 2));
    check_bits<F64>(shape_of(1, 2, 70, 90, 20, 24, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_shapes_agree_with_the_formula),
        cmocka_unit_test(causal_attention_agrees_with_the_formula),
        cmocka_unit_test(heads_are_strided_and_grouped),
        cmocka_unit_test(masks_broadcast),
        cmocka_unit_test(rows_blocked_by_finite_masks_keep_their_gradient),
        cmocka_unit_test(dtypes_mix),
        cmocka_unit_test(order_does_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
