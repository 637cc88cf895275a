/* test_export_grid.c: quantised weights on their way back: floats to integers on a grid, of every layout and type. */
#include "runtime_support.h"

#include <math.h>

#include <pcc/files/dtype.h>
#include <pcc/train/export_grid.h>

#include "program_linear.h"

enum { U8 = 2, I8 = 3, U16 = 4, I16 = 5, I32 = 6, U4 = 21, I4 = 22, U2 = 25, I2 = 26 }; /* TensorProto.DataType */

static ExportInteger integer_of(int64_t onnx)
{
    ExportInteger integer;
    assert_true(pcc_export_integer(onnx, &integer));
    return integer;
}

/* Elements `first` and on of `weights` as that type on one grid. */
static void quantise(int64_t onnx, double scale, double zero, const float *weights, int64_t count, void *packed)
{
    const double steps[] = {scale, zero};
    const ExportGrid grid = {.extent = 1, .inner = 1, .steps = steps};
    const ExportInteger integer = integer_of(onnx);
    pcc_export_quantise(&grid, &integer, weights, PCC_F32, 0, count, packed);
}

static void ties_go_to_even_and_ends_saturate(void **state)
{
    (void)state;
    const float weights[] = {0.25f, 0.75f, -0.25f, -0.75f, 1000, -1000, NAN, INFINITY, -INFINITY};
    int8_t signed_bytes[9];
    uint8_t bytes[9];
    quantise(I8, 0.5, 3, weights, 9, signed_bytes);
    assert_memory_equal(signed_bytes, ((int8_t[]){3, 5, 3, 1, 127, -128, 3, 127, -128}), 9);
    quantise(U8, 0.5, 1, weights, 9, bytes);
    assert_memory_equal(bytes, ((uint8_t[]){1, 3, 1, 0, 255, 0, 1, 255, 0}), 9);
    quantise(I8, -0.5, 3, weights, 9, signed_bytes);
    assert_memory_equal(signed_bytes, ((int8_t[]){3, 1, 3, 5, -128, 127, 3, -128, 127}), 9);
}

static void every_type_has_its_range(void **state)
{
    (void)state;
    const float weights[] = {-1e12f, 1e12f, 2};
    const struct {
        int64_t onnx;
        PccDtype dtype;
        int64_t low, high;
    } types[] = {{U8, PCC_U8, 0, 255},
                 {I8, PCC_I8, -128, 127},
                 {U16, PCC_U16, 0, 65535},
                 {I16, PCC_I16, -32768, 32767},
                 {I32, PCC_I32, INT32_MIN, INT32_MAX}};
    for (int64_t i = 0; i < PCC_COUNT(types); i++) {
        char packed[3 * sizeof(int32_t)];
        quantise(types[i].onnx, 1, 0, weights, 3, packed);
        assert_int_equal(pcc_dtype_load_integer(packed, types[i].dtype, 0), types[i].low);
        assert_int_equal(pcc_dtype_load_integer(packed, types[i].dtype, 1), types[i].high);
        assert_int_equal(pcc_dtype_load_integer(packed, types[i].dtype, 2), 2);
    }
    ExportInteger integer;
    assert_false(pcc_export_integer(1, &integer)); /* a float */
    assert_false(pcc_export_integer(7, &integer)); /* int64, which is on no grid */
}

/* The first element is in the lowest bits, and the last byte filled up with zeros. */
static void small_types_are_packed(void **state)
{
    (void)state;
    const float weights[] = {-9, 7, -1, 1, 5};
    uint8_t packed[3];
    quantise(I4, 1, 0, weights, 5, packed);
    assert_memory_equal(packed, ((uint8_t[]){0x78, 0x1f, 0x05}), 3);
    quantise(U4, 1, 8, weights, 5, packed);
    assert_memory_equal(packed, ((uint8_t[]){0xf0, 0x97, 0x0d}), 3);
    quantise(I2, 1, 0, weights, 5, packed);
    assert_memory_equal(packed, ((uint8_t[]){0x76, 0x01}), 2);
    quantise(U2, 1, 1, weights, 5, packed);
    assert_memory_equal(packed, ((uint8_t[]){0x8c, 0x03}), 2);
}

/* As f32 the quotient is a tie, as f64 just beside one. */
static void quotients_are_of_the_weights_width(void **state)
{
    (void)state;
    const float narrow = 0.35f, step = 0.1f;
    const double wide = (double)narrow, steps[] = {(double)step, 0};
    const ExportGrid grid = {.extent = 1, .inner = 1, .steps = steps};
    const ExportInteger integer = integer_of(I8);
    int8_t of_narrow, of_wide;
    pcc_export_quantise(&grid, &integer, &narrow, PCC_F32, 0, 1, (unsigned char *)&of_narrow);
    pcc_export_quantise(&grid, &integer, &wide, PCC_F64, 0, 1, (unsigned char *)&of_wide);
    assert_int_equal(of_narrow, (int)rintf(narrow / step));
    assert_int_equal(of_wide, (int)rint(wide / (double)step));
    assert_int_not_equal(of_narrow, of_wide);
}

/* Weights that are all 60 on scales 1, 2, 3, ... tell the entry of each. `first` is where a chunk begins. */
static void check_entries(ExportGrid grid, int64_t count, const int *entries, int64_t first)
{
    double steps[2 * 12];
    float weights[24];
    int8_t packed[24];
    for (int i = 0; i < 12; i++) {
        steps[2 * i] = 60.0 / (i + 1);
        steps[2 * i + 1] = 10 * i;
    }
    for (int i = 0; i < 24; i++)
        weights[i] = 60;
    grid.steps = steps;
    const ExportInteger integer = integer_of(I8);
    pcc_export_quantise(&grid, &integer, weights, PCC_F32, first, count - first, (unsigned char *)packed);
    for (int64_t i = first; i < count; i++)
        assert_int_equal(packed[i - first], 11 * entries[i] + 1);
}

static void layouts_choose_the_entry(void **state)
{
    (void)state;
    /* [2, 3, 2] by its middle axis; from its third entry on */
    check_entries((ExportGrid){.extent = 3, .inner = 2}, 12, (int[]){0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2}, 0);
    check_entries((ExportGrid){.first = 2, .extent = 3, .inner = 2}, 6, (int[]){2, 2, 3, 3, 4, 4}, 0);
    check_entries((ExportGrid){.extent = 3, .inner = 2}, 12, (int[]){0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2}, 5);
    /* [5, 2] in blocks of 2 along the first axis: scales [3, 2] */
    check_entries((ExportGrid){.extent = 5, .inner = 2, .block = 2}, 10, (int[]){0, 1, 0, 1, 2, 3, 2, 3, 4, 5}, 0);
    /* [2, 4, 1] in blocks of 3 along the second: scales [2, 2, 1] */
    check_entries((ExportGrid){.extent = 4, .inner = 1, .block = 3}, 8, (int[]){0, 0, 0, 1, 2, 2, 2, 3}, 0);
}

/* ---- tables of a weights file ---- */

#define TEMPLATE "head|middle|tail"
enum { TEMPLATE_BYTES = sizeof TEMPLATE - 1 };

static char weights_path[600];

static PccProgram program_with(const int64_t *splices, const int64_t *grids, const double *steps, int64_t step_count)
{
    PccError error;
    PccProgram program = linear_f32_program;
    PccStTensor extra[] = {
        {.name = "pcc.export.template", .dtype = PCC_U8, .rank = 1, .dims = {TEMPLATE_BYTES}, .data = TEMPLATE},
        {.name = "pcc.export.splices", .dtype = PCC_I64, .rank = 2, .dims = {2, 4}, .data = splices},
        {.name = "pcc.export.grids", .dtype = PCC_I64, .rank = 2, .dims = {2, 5}, .data = grids},
        {.name = "pcc.export.steps", .dtype = PCC_F64, .rank = 2, .dims = {step_count, 2}, .data = steps}};
    snprintf(weights_path, sizeof weights_path, "%s/weights", support_directory);
    assert_int_equal(linear_write_weights(&program, weights_path, extra, 4, &error), 0);
    program.weights_file = weights_path;
    return program;
}

/* fc.weight [3, 6] is int4 with a scale a row, fc.bias int32. */
static const int64_t splices[] = {5, 2, 0, I4, 12, 2, 1, I32};
static const int64_t grids[] = {0, 0, 3, 6, 0, 1, 3, 1, 1, 0};
static const double steps[] = {0.0125, 0, 0.025, 1, 0.05, -1, 1e-6, 0};

static void quantised_weights_are_spliced_in(void **state)
{
    (void)state;
    PccProgram program = program_with(splices, grids, steps, 4);
    assert_int_equal(
        support_run(&program, "--data synthetic --steps 3 --quiet --export %s/out.onnx --save %s/out.safetensors"), 0);
    size_t size = 0;
    char *out = support_read(support_path("out.onnx"), &size);
    assert_int_equal(size, TEMPLATE_BYTES + 18 / 2 + 3 * 4);
    assert_memory_equal(out, "head|", 5);
    assert_memory_equal(out + 5 + 9, "middle|", 7);
    assert_memory_equal(out + 5 + 9 + 7 + 12, "tail", 4);
    PccSafetensors file;
    PccError error;
    assert_int_equal(pcc_st_open(&file, support_path("out.safetensors"), &error), 0);
    for (int i = 0; i < 18; i++) {
        const double weight = pcc_dtype_load(pcc_st_find(&file, "fc.weight")->data, PCC_F32, i);
        const double step = steps[2 * (i / 6)], zero = steps[2 * (i / 6) + 1];
        const double want = fmin(fmax((double)rintf((float)weight / (float)step) + zero, -8), 7);
        const int nibble = (unsigned char)out[5 + i / 2] >> (i % 2 * 4) & 15;
        assert_int_equal((nibble ^ 8) - 8, (int)want);
    }
    for (int i = 0; i < 3; i++) {
        const double bias = pcc_dtype_load(pcc_st_find(&file, "fc.bias")->data, PCC_F32, i);
        assert_int_equal(pcc_dtype_load_integer(out + 21, PCC_I32, i), (int)rintf((float)bias / 1e-6f));
    }
    pcc_st_close(&file);
    free(out);
}

static void bad_tables_are_refused(void **state)
{
    (void)state;
    static const struct {
        int64_t splice[8], grid[10];
        double step;
        int64_t step_count;
    } tables[] = {
#define GOOD_SPLICES {5, 2, 0, I4, 12, 2, 1, I32}
#define GOOD_GRIDS                   \
    {                                \
        0, 0, 3, 6, 0, 1, 3, 1, 1, 0 \
    }
        {{5, 2, 2, I4, 12, 2, 1, I32}, GOOD_GRIDS, 1, 4}, /* no such row */
        {{5, 2, -1, I4, 12, 2, 1, I32}, GOOD_GRIDS, 1, 4},
        {{5, 2, 0, 1, 12, 2, 1, I32}, GOOD_GRIDS, 1, 4},      /* a float */
        {GOOD_SPLICES, {2, 0, 3, 6, 0, 1, 3, 1, 1, 0}, 1, 4}, /* no such parameter */
        {GOOD_SPLICES, {-1, 0, 3, 6, 0, 1, 3, 1, 1, 0}, 1, 4},
        {GOOD_SPLICES, {0, -1, 3, 6, 0, 1, 3, 1, 1, 0}, 1, 4},
        {GOOD_SPLICES, {0, INT64_MAX, 3, 6, 0, 1, 3, 1, 1, 0}, 1, 4},
        {GOOD_SPLICES, {0, 0, 0, 6, 0, 1, 3, 1, 1, 0}, 1, 4},
        {GOOD_SPLICES, {0, 0, 3, 0, 0, 1, 3, 1, 1, 0}, 1, 4},
        {GOOD_SPLICES, {0, 0, 4, 6, 0, 1, 3, 1, 1, 0}, 1, 4}, /* does not divide it */
        {GOOD_SPLICES, {0, 0, 3, 6, -1, 1, 3, 1, 1, 0}, 1, 4},
        {GOOD_SPLICES, {0, 0, 3, 6, 4, 1, 3, 1, 1, 0}, 1, 4}, /* a block longer than the axis */
        {GOOD_SPLICES, {0, 0, 3, 6, 1, 1, 3, 1, 1, 0}, 1, 4}, /* 18 entries */
        {GOOD_SPLICES, {0, 0, INT64_MAX, INT64_MAX, 1, 1, 3, 1, 1, 0}, 1, 4},
        {GOOD_SPLICES, GOOD_GRIDS, 1, 3}, /* none for the bias */
        {GOOD_SPLICES, GOOD_GRIDS, 0, 4},
        {GOOD_SPLICES, GOOD_GRIDS, NAN, 4},
        {GOOD_SPLICES, GOOD_GRIDS, INFINITY, 4},
    };
    for (int64_t i = 0; i < PCC_COUNT(tables); i++) {
        const double table_steps[] = {1, 0, tables[i].step, 0, 1, 0, 1, 0};
        PccProgram program = program_with(tables[i].splice, tables[i].grid, table_steps, tables[i].step_count);
        assert_int_equal(support_run(&program, "--export %s/bad.onnx"), PCC_ERR_INPUT);
        assert_non_null(strstr(support_err, "pcc.export.splices is damaged"));
        assert_false(support_exists(support_path("bad.onnx")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties_go_to_even_and_ends_saturate),
        cmocka_unit_test(every_type_has_its_range),
        cmocka_unit_test(small_types_are_packed),
        cmocka_unit_test(quotients_are_of_the_weights_width),
        cmocka_unit_test(layouts_choose_the_entry),
        cmocka_unit_test(quantised_weights_are_spliced_in),
        cmocka_unit_test(bad_tables_are_refused),
    };
    return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
