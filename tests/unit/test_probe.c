/* test_probe.c: --probe against the arithmetic of the hand-written program. */
#include "runtime_support.h"

#include <pcc/files/dtype.h>

#include "program_linear.h"

static PccProgram f32, f64;
static char weights_paths[2][600];

static int setup(void **state)
{
    PccError error;
    if (support_setup(state))
        return -1;
    f32 = linear_f32_program;
    f64 = linear_f64_program;
    PccProgram *programs[] = {&f32, &f64};
    for (int i = 0; i < 2; i++) {
        snprintf(weights_paths[i], sizeof weights_paths[i], "%s/weights%d", support_directory, i);
        programs[i]->weights_file = weights_paths[i];
        if (linear_write_weights(programs[i], weights_paths[i], NULL, 0, &error))
            return -1;
    }
    return 0;
}

/* A batch with an I32 target, its last label given; count 1 leaves it out. */
static void write_batch(const char *name, PccDtype dtype, int64_t count, int32_t last)
{
    double wide[24];
    float narrow[24];
    int32_t target[] = {0, 2, 1, last};
    for (int i = 0; i < 24; i++)
        narrow[i] = (float)(wide[i] = (double)(float)sin(5 * i));
    const void *data = dtype == PCC_F64 ? (const void *)wide : narrow;
    PccStTensor tensors[] = {
        {.name = "input/image", .dtype = dtype, .rank = 4, .dims = {4, 1, 2, 3}, .data = data},
        {.name = "target", .dtype = PCC_I32, .rank = 1, .dims = {4}, .data = target},
    };
    PccError error;
    assert_int_equal(pcc_st_write(support_path(name), tensors, count, NULL, 0, &error), 0);
}

static double value_of(const PccSafetensors *file, const char *name, int64_t i)
{
    const PccStTensor *tensor = pcc_st_find(file, name);
    if (!tensor)
        fail_msg("no tensor %s", name);
    return pcc_dtype_load(tensor->data, tensor->dtype, i);
}

/* Everything that is promised is there, and the numbers are what the library's calls give. */
static void dumps_match_the_library(void **state)
{
    (void)state;
    PccError error;
    write_batch("batch", PCC_F64, 2, -100);
    assert_int_equal(support_run(&f64, "--probe %s/batch --dump %s/dump --steps 3 --lr 0.01"), 0);
    PccSafetensors dump, batch;
    assert_int_equal(pcc_st_open(&dump, support_path("dump"), &error), 0);
    assert_int_equal(pcc_st_open(&batch, support_path("batch"), &error), 0);
    assert_int_equal(dump.count, 1 + 1 + 2 + 2 + 1);
    PccSession *session = pcc_open(&f64, NULL, 0, &error);
    assert_non_null(session);
    const int64_t target[] = {0, 2, 1, -100};
    PccFeed feed = {(const void *[]){pcc_st_find(&batch, "input/image")->data}, target, 4};
    for (int step = 0; step < 3; step++) {
        assert_true(pcc_backward(session, &feed) == value_of(&dump, "loss", step));
        const double *logits = pcc_output(session, "logits", NULL);
        const double *gradient = (const double *)(void *)(pcc_step_context(session)->weights + LINEAR_SLOT(1));
        for (int i = 0; i < 12 && step == 0; i++)
            assert_true(value_of(&dump, "output/logits", i) == logits[i]);
        for (int i = 0; i < 18 && step == 0; i++)
            assert_true(value_of(&dump, "grad/fc.weight", i) == gradient[i]);
        pcc_update(session, 0.01);
    }
    const PccTensor *description;
    const double *bias = pcc_tensor(session, "fc.bias", &description), *mean = pcc_tensor(session, "mean", NULL);
    assert_int_equal(description->dims[0], 3);
    for (int i = 0; i < 3; i++)
        assert_true(value_of(&dump, "param/fc.bias", i) == bias[i]);
    for (int i = 0; i < 6; i++)
        assert_true(value_of(&dump, "state/mean", i) == mean[i] && mean[i] != 0);
    assert_null(pcc_tensor(session, "fc", NULL));
    assert_int_equal(pcc_st_find(&dump, "grad/fc.bias")->dtype, PCC_F64);
    pcc_close(session);
    pcc_st_close(&batch);
    pcc_st_close(&dump);
}

/* The f32 program's gradient is the f64 one's to f32 rounding: a few of its 2^-24, relative to the largest. */
static void precisions_agree(void **state)
{
    (void)state;
    PccError error;
    write_batch("batch", PCC_F32, 2, 1);
    assert_int_equal(support_run(&f32, "--probe %s/batch --dump %s/narrow"), 0);
    assert_int_equal(support_run(&f64, "--probe %s/batch --dump %s/wide"), 0);
    PccSafetensors narrow, wide;
    assert_int_equal(pcc_st_open(&narrow, support_path("narrow"), &error), 0);
    assert_int_equal(pcc_st_open(&wide, support_path("wide"), &error), 0);
    assert_int_equal(pcc_st_find(&narrow, "grad/fc.weight")->dtype, PCC_F32);
    assert_int_equal(pcc_st_find(&narrow, "loss")->dims[0], 1);
    for (int i = 0; i < 18; i++)
        assert_true(fabs(value_of(&narrow, "grad/fc.weight", i) - value_of(&wide, "grad/fc.weight", i)) < 16 * 0x1p-24);
    pcc_st_close(&narrow);
    pcc_st_close(&wide);
}

static void bad_probes_name_the_tensor(void **state)
{
    (void)state;
    write_batch("bad", PCC_F32, 1, 0);
    assert_int_equal(support_run(&f32, "--probe %s/bad --dump %s/none"), PCC_ERR_INPUT);
    assert_non_null(strstr(support_err, "no tensor target"));
    write_batch("bad", PCC_F32, 2, 3);
    assert_int_equal(support_run(&f32, "--probe %s/bad --dump %s/none"), PCC_ERR_INPUT);
    assert_non_null(strstr(support_err, "target[3] is 3"));
    PccTensor other = {"picture", PCC_F32, 4, {4, 1, 2, 3}, 0};
    PccProgram program = f32;
    program.inputs = &other;
    assert_int_equal(support_run(&program, "--probe %s/bad --dump %s/none"), PCC_ERR_INPUT);
    assert_non_null(strstr(support_err, "no tensor input/picture"));
    other = (PccTensor){"image", PCC_F32, 2, {4, 6}, 0};
    assert_int_equal(support_run(&program, "--probe %s/bad --dump %s/none"), PCC_ERR_INPUT);
    assert_non_null(strstr(support_err, "input/image is F32 [4,1,2,3]; the program needs F32 [4,6]"));
    assert_int_equal(support_run(&f32, "--probe %s/missing --dump %s/none"), PCC_ERR_IO);
    assert_false(support_exists(support_path("none")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dumps_match_the_library),
        cmocka_unit_test(precisions_agree),
        cmocka_unit_test(bad_probes_name_the_tensor),
    };
    return cmocka_run_group_tests(tests, setup, support_teardown);
}
