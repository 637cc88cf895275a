/* test_attention_tensor.cu: attention of bf16 and f16, on tensor cores, against the plain formula in double on the same
 * rounded operands. The tolerance is that of f32: a 16-bit rounding within would be seen. */
#include "attention_case.h"

typedef Storage<float, PccBf16> Bf16;
typedef Storage<float, PccF16, PccF16, PccF16, float> F16; /* -1e9, a mask, is not an f16 */
typedef Storage<float, PccF16, PccF16, PccF16, float, float, PccF16, PccBf16, float, float> WideResults;

static void check(const PccAttention &a, const Operands &o)
{
    check_in<Bf16>(a, o);
    check_in<F16>(a, o);
}

static void check_absorbed(const PccAttention &a, const Operands &o)
{
    check_in<Bf16>(a, o, true);
    check_in<F16>(a, o, true);
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

/* dS is far from f16's range, down and up. */
static void gradients_of_any_size_keep_their_bits(void **)
{
    const PccAttention a = shape_of(1, 2, 70, 81, 24, 24, 2);
    for (const double size : {0x1p-10, 0x1p10}) {
        Operands o = random_operands(a);
        for (double &x : o.dy)
            x *= size;
        for (double &x : o.v)
            x *= size < 1 ? 1 : 64;
        check_in<WideResults>(a, o, false, size < 1 ? size : size * 64);
    }
}

/* Too wide for the tiles of tensor cores in shared memory. */
static void widths_have_no_limit(void **)
{
    const PccAttention a = shape_of(1, 1, 9, 20, 900, 1100);
    check_in<Bf16>(a, random_operands(a));
}

static void order_does_not_change_a_bit(void **)
{
    check_bits<Bf16>(shape_of(1, 2, 130, 140, 64, 64, 2));
    check_bits<F16>(shape_of(1, 2, 70, 90, 20, 72, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_shapes_agree_with_the_formula),
        cmocka_unit_test(causal_attention_agrees_with_the_formula),
        cmocka_unit_test(heads_are_strided_and_grouped),
        cmocka_unit_test(masks_broadcast),
        cmocka_unit_test(rows_blocked_by_finite_masks_keep_their_gradient),
        cmocka_unit_test(gradients_of_any_size_keep_their_bits),
        cmocka_unit_test(widths_have_no_limit),
        cmocka_unit_test(order_does_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
