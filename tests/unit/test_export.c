/* test_export.c: the template with the trained values put back, in the dtypes of the ONNX file. */
#include "runtime_support.h"

#include <pcc/files/dtype.h>

#include "program_linear.h"

#define TEMPLATE "head|middle|tail"
enum { AT_WEIGHT = 5, AT_BIAS = 12, AT_MEAN = 12, TEMPLATE_BYTES = sizeof TEMPLATE - 1 };

static char weights_path[600];

static PccProgram program_with(const int64_t *splices, int64_t rows)
{
    PccError error;
    PccProgram program = linear_f32_program;
    PccStTensor extra[] = {
        {.name = "pcc.export.template", .dtype = PCC_U8, .rank = 1, .dims = {TEMPLATE_BYTES}, .data = TEMPLATE},
        {.name = "pcc.export.splices", .dtype = PCC_I64, .rank = 2, .dims = {rows, 4}, .data = splices}};
    snprintf(weights_path, sizeof weights_path, "%s/weights", support_directory);
    assert_int_equal(linear_write_weights(&program, weights_path, extra, splices ? 2 : 0, &error), 0);
    program.weights_file = weights_path;
    return program;
}

static void values_are_spliced_in(void **state)
{
    (void)state;
    /* weight as f64, bias as f16, mean as bf16: 1 f32, 10 f16, 11 f64, 16 bf16. */
    const int64_t splices[] = {AT_WEIGHT, 0, 0, 11, AT_BIAS, 0, 1, 10, AT_MEAN, 1, 0, 16};
    PccProgram program = program_with(splices, 3);
    assert_int_equal(
        support_run(&program, "--data synthetic --steps 3 --quiet --export %s/out.onnx --save %s/out.safetensors"), 0);
    size_t size = 0;
    char *out = support_read(support_path("out.onnx"), &size);
    assert_int_equal(size, TEMPLATE_BYTES + 18 * 8 + 3 * 2 + 6 * 2);
    PccSafetensors file;
    PccError error;
    assert_int_equal(pcc_st_open(&file, support_path("out.safetensors"), &error), 0);
    const char *weight = out + AT_WEIGHT, *middle = weight + 18 * 8, *bias = middle + AT_BIAS - AT_WEIGHT;
    const char *mean = bias + 3 * 2;
    assert_memory_equal(out, "head|", 5);
    assert_memory_equal(middle, "middle|", 7);
    assert_memory_equal(mean + 6 * 2, "tail", 4);
    for (int i = 0; i < 18; i++)
        assert_true(pcc_dtype_load(weight, PCC_F64, i) ==
                    pcc_dtype_load(pcc_st_find(&file, "fc.weight")->data, PCC_F32, i));
    for (int i = 0; i < 3; i++) {
        uint16_t half;
        pcc_dtype_store(&half, PCC_F16, 0, pcc_dtype_load(pcc_st_find(&file, "fc.bias")->data, PCC_F32, i));
        assert_memory_equal(bias + 2 * i, &half, 2);
    }
    for (int i = 0; i < 6; i++) {
        double value = pcc_dtype_load(pcc_st_find(&file, "mean")->data, PCC_F32, i);
        assert_true(fabs(pcc_dtype_load(mean, PCC_BF16, i) - value) <= fabs(value) * 0x1p-8);
        assert_true(value != 0);
    }
    pcc_st_close(&file);
    free(out);
}

static void bad_tables_are_refused(void **state)
{
    (void)state;
    static const int64_t tables[][8] = {
        {TEMPLATE_BYTES + 1, 0, 0, 1, 99, 0, 0, 1}, /* past the end */
        {12, 0, 0, 1, 5, 0, 1, 1},                  /* not in order */
        {5, 0, 2, 1, 5, 0, 0, 1},                   /* no such parameter */
        {5, 2, 0, 1, 5, 0, 0, 1},                   /* no such kind */
        {5, 0, 0, 7, 5, 0, 0, 1},                   /* int64 */
        {-1, 0, 0, 1, 5, 0, 0, 1},
    };
    for (int64_t i = 0; i < PCC_COUNT(tables); i++) {
        PccProgram program = program_with(tables[i], 2);
        assert_int_equal(support_run(&program, "--export %s/bad.onnx"), PCC_ERR_INPUT);
        assert_non_null(strstr(support_err, "pcc.export.splices is damaged"));
        assert_false(support_exists(support_path("bad.onnx")));
    }
    PccProgram program = program_with(NULL, 0);
    assert_int_equal(support_run(&program, "--data synthetic --export %s/bad.onnx"), PCC_ERR_INPUT);
    assert_non_null(strstr(support_err, "has no pcc.export.template"));
    assert_string_equal(support_out, ""); /* said before training */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_spliced_in),
        cmocka_unit_test(bad_tables_are_refused),
    };
    return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
