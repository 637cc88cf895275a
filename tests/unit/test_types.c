/* Dtypes, shapes, 16-bit rounding, and tensors to and from bytes. */
#include "ir_fixture.h"

#include <math.h>

static void test_dtypes_by_name_and_onnx_number(void **state)
{
    (void)state;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        Dtype by_name = DTYPE_COUNT, by_onnx = DTYPE_COUNT;
        assert_true(dtype_from_name(dtype_info[i].name, strlen(dtype_info[i].name), &by_name));
        assert_true(dtype_from_onnx(dtype_info[i].onnx, &by_onnx));
        assert_int_equal(by_name, i);
        assert_int_equal(by_onnx, i);
    }
    Dtype dtype;
    assert_false(dtype_from_name("f3", 2, &dtype));
    assert_false(dtype_from_onnx(8, &dtype)); /* STRING */
    assert_false(dtype_from_onnx(0, &dtype));
}

static void test_shapes(void **state)
{
    Fixture *fixture = *state;
    Type type = TYPE(DTYPE_F32, 2, 3, 4), scalar = scalar_type(DTYPE_I64);
    assert_int_equal(element_count(&type), 24);
    assert_int_equal(type_bytes(&type), 96);
    assert_int_equal(dims_product(&type, 1, 3), 12);
    assert_int_equal(dims_product(&type, 2, 2), 1);
    assert_int_equal(element_count(&scalar), 1);
    int64_t strides[MAX_RANK];
    dense_strides(&type, strides);
    assert_memory_equal(strides, DIMS(12, 4, 1), 3 * sizeof *strides);
    assert_string_equal(type_text(fixture->arena, &type), "f32[2,3,4]");
    assert_string_equal(type_text(fixture->arena, &scalar), "i64[]");
}

static void test_validity(void **state)
{
    (void)state;
    Type largest = TYPE(DTYPE_U8, 1LL << 23, 1LL << 23), larger = TYPE(DTYPE_U8, 1LL << 23, (1LL << 23) + 1);
    Type empty = TYPE(DTYPE_F32, 0, 7), negative = TYPE(DTYPE_F32, 3, -1);
    Type hidden = TYPE(DTYPE_F32, 0, INT64_MAX), overflowing = TYPE(DTYPE_F32, INT64_MAX, INT64_MAX, 4);
    assert_true(type_is_valid(&largest));
    assert_false(type_is_valid(&larger));
    assert_true(type_is_valid(&empty));
    assert_false(type_is_valid(&negative));
    assert_false(type_is_valid(&hidden));
    assert_false(type_is_valid(&overflowing));
}

static void test_broadcasting(void **state)
{
    (void)state;
    Type a = TYPE(DTYPE_F32, 2, 1, 4), b = TYPE(DTYPE_F32, 3, 1), c = TYPE(DTYPE_F32, 5), result;
    Type expected = TYPE(DTYPE_F32, 2, 3, 4), scalar = scalar_type(DTYPE_F32);
    assert_true(broadcast_dims(&a, &b, &result));
    assert_true(same_type(&result, &expected));
    assert_true(broadcast_dims(&scalar, &a, &result));
    assert_true(same_dims(&result, &a));
    assert_false(broadcast_dims(&a, &c, &result));
    Type zero = TYPE(DTYPE_F32, 0), one = TYPE(DTYPE_F32, 1);
    assert_true(broadcast_dims(&one, &zero, &result));
    assert_int_equal(result.dims[0], 0);
}

static void test_f16_round_trip(void **state)
{
    (void)state;
    for (int bits = 0; bits < 1 << 16; bits++) {
        double value = f64_from_f16((uint16_t)bits);
        if (isnan(value))
            assert_true(isnan(f64_from_f16(f16_from_f64(value))));
        else
            assert_int_equal(f16_from_f64(value), bits);
    }
}

static void test_bf16_round_trip(void **state)
{
    (void)state;
    for (int bits = 0; bits < 1 << 16; bits++) {
        uint32_t wide = (uint32_t)bits << 16;
        float expected;
        memcpy(&expected, &wide, sizeof expected);
        double value = f64_from_bf16((uint16_t)bits);
        if (isnan(expected)) {
            assert_true(isnan(value) && isnan(f64_from_bf16(bf16_from_f64(value))));
            continue;
        }
        assert_true(value == (double)expected);
        assert_int_equal(bf16_from_f64(value), bits);
    }
}

/* Halfway between neighbours goes to the even one; the least bit more goes up. */
static void test_ties_to_even(void **state)
{
    (void)state;
    for (int bits = 0; bits < 0x7bff; bits++) {
        double low = f64_from_f16((uint16_t)bits), high = f64_from_f16((uint16_t)(bits + 1)), half = (low + high) / 2;
        assert_int_equal(f16_from_f64(half), bits + (bits & 1));
        assert_int_equal(f16_from_f64(nextafter(half, INFINITY)), bits + 1);
        assert_int_equal(f16_from_f64(-nextafter(half, 0)), 0x8000 | bits);
    }
    assert_int_equal(f16_from_f64(65519.99), 0x7bff);
    assert_int_equal(f16_from_f64(65520), 0x7c00); /* halfway to 2^16: infinity */
    assert_int_equal(f16_from_f64(-1e300), 0xfc00);
    assert_int_equal(f16_from_f64(0x1p-25), 0);
    assert_int_equal(f16_from_f64(0x1.0000000000001p-25), 1);
    assert_int_equal(f16_from_f64(0x1p-1074), 0);
    assert_int_equal(f16_from_f64(-0.0), 0x8000);
    assert_int_equal(bf16_from_f64(0x1.fffffffffffffp127), 0x7f80);
    /* 1 + 2^-8 + 2^-40 is above the tie, but its float is on it: rounding twice would give 1. */
    assert_int_equal(bf16_from_f64(1 + 0x1p-8 + 0x1p-40), 0x3f81);
}

static void test_tensor_data_round_trip(void **state)
{
    Fixture *fixture = *state;
    unsigned char bytes[48];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37 % 100 + 1); /* no NaN in any dtype */
    for (int dtype = 0; dtype < DTYPE_BOOL; dtype++) {
        Type type = TYPE((Dtype)dtype, 5);
        Tensor tensor = tensor_from_data(fixture->arena, &type, bytes + 1); /* unaligned */
        assert_memory_equal(tensor_to_data(fixture->arena, &tensor), bytes + 1, (size_t)type_bytes(&type));
        assert_true(is_float((Dtype)dtype) ? tensor.f && !tensor.i : tensor.i && !tensor.f);
    }
}

static void test_integers_wrap_and_bools_are_bits(void **state)
{
    Fixture *fixture = *state;
    Tensor tensor = {.type = TYPE(DTYPE_I8, 2), .i = (int64_t[]){200, -129}};
    assert_memory_equal(tensor_to_data(fixture->arena, &tensor), ((int8_t[]){-56, 127}), 2);
    Tensor flags = {.type = TYPE(DTYPE_BOOL, 3), .i = (int64_t[]){256, 0, -1}};
    assert_memory_equal(tensor_to_data(fixture->arena, &flags), ((uint8_t[]){1, 0, 1}), 3);
    Type type = TYPE(DTYPE_BOOL, 2);
    assert_int_equal(tensor_from_data(fixture->arena, &type, ((uint8_t[]){255, 0})).i[0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes_by_name_and_onnx_number),
        TEST_WITH_FIXTURE(test_shapes),
        cmocka_unit_test(test_validity),
        cmocka_unit_test(test_broadcasting),
        cmocka_unit_test(test_f16_round_trip),
        cmocka_unit_test(test_bf16_round_trip),
        cmocka_unit_test(test_ties_to_even),
        TEST_WITH_FIXTURE(test_tensor_data_round_trip),
        TEST_WITH_FIXTURE(test_integers_wrap_and_bools_are_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
