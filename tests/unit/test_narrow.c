/* test_narrow.c: the runtime of programs with 16-bit parameters: loading, copies, saving, exporting, probing, resuming,
 * and the share of lost updates. */
#include "runtime_support.h"

#include <pcc/files/dtype.h>
#include <pcc/session/session.h>

#include "program_narrow.h"

static char weights_path[600];

static int setup(void **state)
{
    PccError error;
    if (support_setup(state))
        return -1;
    snprintf(weights_path, sizeof weights_path, "%s/weights", support_directory);
    return linear_write_weights(&linear_f32_program, weights_path, NULL, 0, &error);
}

static PccProgram open_program(PccDtype dtype, PccDtype moment, PccRounding rounding)
{
    PccProgram program = narrow_program(dtype, moment, rounding);
    program.weights_file = weights_path;
    return program;
}

static float weight_of(const PccSession *session, size_t offset, PccDtype dtype, int64_t i)
{
    return pcc_read_one((PccIn){session->step.weights + offset, dtype}, i);
}

/* x as a dtype stores it. */
static float stored(PccDtype dtype, float x)
{
    return dtype == PCC_BF16 ? pcc_f32_from_bf16(pcc_bf16_from_f32(x)) : pcc_f32_from_f16(pcc_f16_from_f32(x));
}

/* The file's f32 weights are the masters, their roundings the values and copies. */
static void loading_fills_masters_and_copies(void **state)
{
    (void)state;
    for (PccRounding rounding = PCC_NEAREST; rounding <= PCC_MASTER; rounding++) {
        PccProgram program = open_program(PCC_BF16, PCC_F32, rounding);
        PccSession *session = open_session(&program);
        const PccParam *param = &narrow_params[0];
        for (int i = 0; i < 18; i++) {
            const float wide = (float)(0.1 * sin(3 * i + 1)), narrow = stored(PCC_BF16, wide);
            assert_true(weight_of(session, param->value.offset, PCC_BF16, i) == narrow);
            if (rounding == PCC_MASTER)
                assert_true(weight_of(session, param->extra, PCC_F32, i) == wide);
            if (rounding == PCC_KAHAN)
                assert_true(weight_of(session, param->extra, PCC_BF16, i) == 0);
            const float source = rounding == PCC_MASTER ? wide : narrow;
            assert_true(weight_of(session, param->copies[0].offset, PCC_F16, i) == stored(PCC_F16, source));
        }
        pcc_close(session);
    }
}

/* After writing to a value. */
static void refreshing_follows_the_values(void **state)
{
    (void)state;
    PccProgram program = open_program(PCC_BF16, PCC_F32, PCC_MASTER);
    PccSession *session = open_session(&program);
    PccBf16 *bias = pcc_tensor(session, "fc.bias", NULL);
    bias[1] = pcc_bf16_from_f32(-3.5f);
    pcc_refresh_copies(session);
    assert_true(weight_of(session, narrow_params[1].extra, PCC_F32, 1) == -3.5f);
    assert_true(weight_of(session, narrow_params[1].copies[0].offset, PCC_F16, 1) == -3.5f);
    pcc_close(session);
}

#define TRAIN "--data synthetic --seed 5 --quiet "

static void assert_same_file(const char *left, const char *right)
{
    size_t left_size = 0, right_size = 0;
    char *a = support_read(support_path(left), &left_size), *b = support_read(support_path(right), &right_size);
    assert_int_equal(left_size, right_size);
    assert_memory_equal(a, b, left_size);
    free(a);
    free(b);
}

/* --save writes f32: the masters, or the values exactly; which load again. */
static void saved_models_load_again(void **state)
{
    (void)state;
    for (PccRounding rounding = PCC_NEAREST; rounding <= PCC_MASTER; rounding++) {
        PccError error;
        PccSafetensors file;
        PccProgram program = open_program(PCC_BF16, PCC_BF16, rounding);
        assert_int_equal(support_run(&program, TRAIN "--steps 9 --save %s/saved"), 0);
        assert_int_equal(pcc_st_open(&file, support_path("saved"), &error), 0);
        const PccStTensor *weight = pcc_st_find(&file, "fc.weight");
        assert_int_equal(weight->dtype, PCC_F32);
        PccSession *session = open_session(&program);
        assert_int_equal(pcc_load(session, support_path("saved"), &error), 0);
        bool between = false;
        for (int i = 0; i < 18; i++) {
            const double saved = pcc_dtype_load(weight->data, PCC_F32, i);
            const float value = weight_of(session, narrow_params[0].value.offset, PCC_BF16, i);
            assert_true(value == stored(PCC_BF16, (float)saved));
            between = between || (double)value != saved;
        }
        assert_int_equal(between, rounding == PCC_MASTER);
        assert_int_equal(pcc_save(session, support_path("again"), &error), 0);
        assert_same_file("saved", "again");
        pcc_close(session);
        pcc_st_close(&file);
    }
}

/* Random bits, moments, compensations, masters and 8-bit codes continue. */
static void resuming_gives_the_same_bits(void **state)
{
    (void)state;
    const struct {
        PccDtype dtype, moment;
        PccRounding rounding;
    } cases[] = {{PCC_BF16, PCC_BF16, PCC_STOCHASTIC},
                 {PCC_F16, PCC_F32, PCC_KAHAN},
                 {PCC_F16, PCC_F32, PCC_NEAREST},
                 {PCC_BF16, PCC_F32, PCC_MASTER},
                 {PCC_F16, PCC_U8, PCC_STOCHASTIC}};
    for (int64_t k = 0; k < PCC_COUNT(cases); k++) {
        PccProgram program = open_program(cases[k].dtype, cases[k].moment, cases[k].rounding);
        char command[400];
        assert_int_equal(support_run(&program, TRAIN "--steps 40 --save %s/whole --log %s/whole.log"), 0);
        const int stops[] = {1, 14, 15, 16, 31};
        for (int64_t i = 0; i < PCC_COUNT(stops); i++) {
            snprintf(command, sizeof command, TRAIN "--steps %d --checkpoint %%s/r%d-%d", stops[i], (int)k, stops[i]);
            assert_int_equal(support_run(&program, command), 0);
            snprintf(command, sizeof command,
                     TRAIN "--steps 40 --save %%s/parts --checkpoint %%s/r%d-%d --resume --log %%s/parts.log", (int)k,
                     stops[i]);
            assert_int_equal(support_run(&program, command), 0);
            assert_same_file("whole", "parts");
            char *whole = support_read(support_path("whole.log"), NULL);
            char *parts = support_read(support_path("parts.log"), NULL);
            assert_string_equal(strstr(whole, "{\"epoch\":3"), strstr(parts, "{\"epoch\":3"));
            free(whole);
            free(parts);
        }
    }
}

/* The last line printed has it, for weights that can lose updates: at a small learning rate most are lost to nearest,
 * and none where a compensation or a master keeps them. */
static void epochs_tell_of_lost_updates(void **state)
{
    (void)state;
    PccProgram program = open_program(PCC_BF16, PCC_F32, PCC_NEAREST);
    assert_int_equal(support_run(&program, TRAIN "--lr 1e-5 --epochs 1"), 0);
    assert_true(support_number(support_out, "lost_updates") > 0.9);
    program = open_program(PCC_BF16, PCC_F32, PCC_KAHAN);
    assert_int_equal(support_run(&program, TRAIN "--lr 1e-3 --epochs 1"), 0);
    assert_true(support_number(support_out, "lost_updates") == 0);
    program = open_program(PCC_BF16, PCC_F32, PCC_MASTER);
    assert_int_equal(support_run(&program, TRAIN "--epochs 1"), 0);
    assert_null(strstr(support_out, "lost_updates"));
}

static void write_batch(void)
{
    float x[24];
    int64_t target[] = {0, 2, 1, 1};
    for (int i = 0; i < 24; i++)
        x[i] = (float)sin(5 * i);
    PccStTensor tensors[] = {{.name = "input/image", .dtype = PCC_F32, .rank = 4, .dims = {4, 1, 2, 3}, .data = x},
                             {.name = "target", .dtype = PCC_I64, .rank = 1, .dims = {4}, .data = target}};
    PccError error;
    assert_int_equal(pcc_st_write(support_path("batch"), tensors, 2, NULL, 0, &error), 0);
}

static double dumped(const PccSafetensors *file, const char *name, int64_t i)
{
    const PccStTensor *tensor = pcc_st_find(file, name);
    if (!tensor)
        fail_msg("no tensor %s", name);
    assert_int_equal(tensor->dtype, PCC_F32);
    return pcc_dtype_load(tensor->data, tensor->dtype, i);
}

/* Gradients are unscaled, f32, and near the linear program's: an f16 ulp of error from the rounded weights, one of its
 * own. Parameters are the masters. A scale that overflows is halved before the first step that counts. */
static void probes_are_unscaled(void **state)
{
    (void)state;
    PccError error;
    PccSafetensors narrow, wide;
    PccProgram linear = linear_f32_program, program = open_program(PCC_F16, PCC_F32, PCC_MASTER);
    linear.weights_file = weights_path;
    write_batch();
    program.scaling = (PccScaling){.initial = 65536, .dynamic = true, .interval = 2000};
    narrow_overflows = "xx";
    assert_int_equal(support_run(&program, "--probe %s/batch --dump %s/narrow --steps 2"), 0);
    assert_int_equal(support_run(&linear, "--probe %s/batch --dump %s/wide --steps 2"), 0);
    assert_int_equal(narrow_calls, 4);
    assert_int_equal(pcc_st_open(&narrow, support_path("narrow"), &error), 0);
    assert_int_equal(pcc_st_open(&wide, support_path("wide"), &error), 0);
    for (int i = 0; i < 18; i++) {
        const double g = dumped(&wide, "grad/fc.weight", i), w = dumped(&wide, "param/fc.weight", i);
        assert_true(fabs(dumped(&narrow, "grad/fc.weight", i) - g) < 2 * 0x1p-11);
        assert_true(fabs(dumped(&narrow, "param/fc.weight", i) - w) < 1e-5); /* of Adam's two steps of 1e-3 */
    }
    for (int i = 0; i < 6; i++)
        assert_true(dumped(&narrow, "state/mean", i) == dumped(&wide, "state/mean", i));
    assert_true(fabs(dumped(&narrow, "loss", 1) - dumped(&wide, "loss", 1)) < 4 * 0x1p-11);
    pcc_st_close(&narrow);
    pcc_st_close(&wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_fills_masters_and_copies), cmocka_unit_test(refreshing_follows_the_values),
        cmocka_unit_test(saved_models_load_again),          cmocka_unit_test(resuming_gives_the_same_bits),
        cmocka_unit_test(epochs_tell_of_lost_updates),      cmocka_unit_test(probes_are_unscaled),
    };
    return cmocka_run_group_tests(tests, setup, support_teardown);
}
