/* test_trainer.c: training runs through pcc_main: learning, validation, schedules, accumulation, partial batches,
 * saving, threads, --bench. */
#include "runtime_support.h"

#include <pcc/train/learning_rate.h>

#include "program_linear.h"

static PccProgram f32, f64;

/* Separable data: class c has mean 2 in features 2c and 2c + 1. count samples in DIR/NAME. */
static int write_data(const char *name, int count)
{
    float *x = malloc((size_t)count * 6 * sizeof *x);
    int64_t *y = malloc((size_t)count * sizeof *y);
    for (int i = 0; i < count; i++) {
        y[i] = i % 3;
        for (int d = 0; d < 6; d++)
            x[6 * i + d] = (float)(2.0 * (d / 2 == i % 3) + 0.5 * sin(37.0 * i + 11.0 * d));
    }
    PccStTensor tensors[] = {{.name = "input/image", .dtype = PCC_F32, .rank = 2, .dims = {count, 6}, .data = x},
                             {.name = "target", .dtype = PCC_I64, .rank = 1, .dims = {count}, .data = y}};
    PccError error;
    int status = pcc_st_write(support_path(name), tensors, 2, NULL, 0, &error);
    free(x);
    free(y);
    return status;
}

static int setup(void **state)
{
    static char paths[2][600];
    PccError error;
    if (support_setup(state))
        return -1;
    f32 = linear_f32_program;
    f64 = linear_f64_program;
    PccProgram *programs[] = {&f32, &f64};
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/weights%d", support_directory, i);
        programs[i]->weights_file = paths[i];
        if (linear_write_weights(programs[i], paths[i], NULL, 0, &error))
            return -1;
    }
    return write_data("data", 103) | write_data("small", 6);
}

/* The number at a key of the last line printed. */
static double last_number(const char *key)
{
    size_t length = strlen(support_out);
    assert_true(length > 1 && support_out[length - 1] == '\n');
    support_out[length - 1] = '\0';
    const char *newline = strrchr(support_out, '\n');
    double value = support_number(newline ? newline + 1 : support_out, key);
    support_out[length - 1] = '\n';
    return value;
}

#define DATA "--data safetensors:%s/data --quiet "

static void training_learns(void **state)
{
    (void)state;
    PccProgram *programs[] = {&f32, &f64};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(support_run(programs[i], DATA "--eval"), 0);
        double before = last_number("val_loss");
        assert_int_equal(support_run(programs[i], DATA "--epochs 12 --lr 0.05"), 0);
        double after = last_number("val_loss");
        assert_true(before > 0.8 && after < 0.1);
        assert_int_equal(support_run(programs[i], DATA "--epochs 12 --lr 0.05"), 0);
        assert_true(last_number("val_accuracy") == 1);
    }
}

/* The loss over 6 samples in batches of 4 weighs the 2 of the last batch as 2. */
static void partial_batches_are_weighed(void **state)
{
    (void)state;
    assert_int_equal(support_run(&f64, "--val safetensors:%s/small --eval"), 0);
    double loss = last_number("val_loss"), expected = 0;
    PccError error;
    PccSession *session = pcc_open(&f64, NULL, 1, &error);
    PccSafetensors file;
    assert_non_null(session);
    assert_int_equal(pcc_st_open(&file, support_path("small"), &error), 0);
    const float *x = pcc_st_find(&file, "input/image")->data;
    const int64_t *y = pcc_st_find(&file, "target")->data;
    for (int i = 0; i < 6; i++) {
        double inputs[LINEAR_BATCH][6] = {{0}};
        int64_t target[LINEAR_BATCH] = {y[i]};
        for (int d = 0; d < 6; d++)
            inputs[0][d] = (double)x[6 * i + d];
        PccFeed feed = {(const void *[]){inputs}, target, 1};
        PccEvaluation one = pcc_evaluate(session, &feed);
        assert_true(one.counted == 1 && one.judged == 1);
        expected += one.loss / 6;
    }
    assert_true(fabs(loss - expected) < 1e-14);
    pcc_st_close(&file);
    pcc_close(session);
}

static void assert_same_tensors(const char *left, const char *right, bool same)
{
    size_t a_size = 0, b_size = 0;
    char *a = support_read(support_path(left), &a_size), *b = support_read(support_path(right), &b_size);
    assert_int_equal(a_size, b_size);
    assert_int_equal(memcmp(a, b, a_size) == 0, same);
    free(a);
    free(b);
}

static void seeds_and_threads(void **state)
{
    (void)state;
    assert_int_equal(support_run(&f32, DATA "--steps 20 --threads 1 --save %s/a"), 0);
    assert_int_equal(support_run(&f32, DATA "--steps 20 --threads 2 --save %s/b"), 0);
    assert_int_equal(support_run(&f32, DATA "--steps 20 --seed 1 --save %s/c"), 0);
    assert_same_tensors("a", "b", true);
    assert_same_tensors("a", "c", false);
}

/* 93 samples are 24 micro-batches of 4 and 12 updates of 2; of 5, 5 updates, the last of them shorter. */
/* The samples of DIR/data with their axes [2,3] swapped, in DIR/swapped. */
static void write_swapped(void)
{
    PccSafetensors file;
    PccError error;
    assert_int_equal(pcc_st_open(&file, support_path("data"), &error), 0);
    const PccStTensor *image = pcc_st_find(&file, "input/image");
    const int64_t count = image->dims[0];
    const float *from = image->data;
    float *x = malloc(image->bytes);
    for (int64_t i = 0; i < count; i++)
        for (int d = 0; d < 6; d++)
            x[6 * i + d % 3 * 2 + d / 3] = from[6 * i + d];
    const PccStTensor tensors[] = {
        {.name = "input/image", .dtype = PCC_F32, .rank = 3, .dims = {count, 3, 2}, .data = x},
        *pcc_st_find(&file, "target")};
    assert_int_equal(pcc_st_write(support_path("swapped"), tensors, 2, NULL, 0, &error), 0);
    pcc_st_close(&file);
    free(x);
}

/* Samples of another order of axes train the same weights, --val's as well. */
static void other_layouts_train_the_same(void **state)
{
    (void)state;
    write_swapped();
    assert_int_equal(support_run(&f32, DATA "--val safetensors:%s/data --epochs 3 --save %s/straight"), 0);
    double loss = last_number("val_loss");
    const char *const layouts[] = {"", "--layout image=NWH"};
    for (int i = 0; i < 2; i++) {
        char command[512];
        snprintf(command, sizeof command,
                 "--data safetensors:%%s/swapped --val safetensors:%%s/swapped --quiet --epochs 3 --save %%s/turned %s",
                 layouts[i]);
        assert_int_equal(support_run(&f32, command), 0);
        assert_int_equal(strstr(support_err, "is permuted to input image") != NULL, i == 0);
        assert_same_tensors("straight", "turned", true);
        assert_true(last_number("val_loss") == loss);
    }
    assert_int_equal(support_run(&f32, DATA "--layout picture=NWH"), PCC_ERR_USAGE);
    assert_non_null(strstr(support_err, "no input of that name; its first is image"));
    assert_int_equal(support_run(&f32, DATA "--layout image=NHW"), PCC_ERR_USAGE); /* flattened samples */
    assert_non_null(strstr(support_err, "every axis of the data"));
}

static void updates_accumulate_micro_batches(void **state)
{
    (void)state;
    const int accumulate[] = {2, 5}, updates[] = {12, 5};
    for (int i = 0; i < 2; i++) {
        linear_f64_program.accumulate = f64.accumulate = accumulate[i];
        assert_int_equal(support_run(&f64, DATA "--epochs 1 --log %s/log"), 0);
        char *log = support_read(support_path("log"), NULL);
        int lines = 0;
        for (const char *at = log; (at = strstr(at, "{\"step\":")); at++)
            lines++;
        assert_int_equal(lines, updates[i]);
        free(log);
    }
    linear_f64_program.accumulate = f64.accumulate = 1;
}

static void schedules_follow_their_formulas(void **state)
{
    (void)state;
    PccSchedule s = {PCC_CONSTANT, 2, 0, 100};
    assert_true(pcc_learning_rate(&s, 0) == 2 && pcc_learning_rate(&s, 99) == 2);
    s.kind = PCC_COSINE;
    assert_true(fabs(pcc_learning_rate(&s, 50) - 1) < 1e-15 && pcc_learning_rate(&s, 0) == 2);
    assert_true(fabs(pcc_learning_rate(&s, 100)) < 1e-15);
    s.kind = PCC_LINEAR;
    assert_true(pcc_learning_rate(&s, 25) == 1.5 && pcc_learning_rate(&s, 100) == 0);
    s = (PccSchedule){PCC_STEP, 2, 0, 90};
    assert_true(pcc_learning_rate(&s, 29) == 2 && fabs(pcc_learning_rate(&s, 30) - 0.2) < 1e-15);
    assert_true(fabs(pcc_learning_rate(&s, 60) - 0.02) < 1e-15 && fabs(pcc_learning_rate(&s, 89) - 0.02) < 1e-15);
    s = (PccSchedule){PCC_LINEAR, 2, 10, 30};
    assert_true(pcc_learning_rate(&s, 0) == 0.2 && pcc_learning_rate(&s, 9) == 2 && pcc_learning_rate(&s, 20) == 1);
}

static void bench_prints_one_line(void **state)
{
    (void)state;
    assert_int_equal(support_run(&f32, "--bench 5"), 0);
    static const char *const keys[] = {"ms_per_step_min", "ms_per_step_median", "arena_mib",
                                       "weights_mib",     "peak_rss_mib",       "loss"};
    const char *at = support_out;
    for (int64_t i = 0; i < PCC_COUNT(keys); i++) {
        double value = support_number(support_out, keys[i]);
        assert_true(value > 0);
        assert_true(strstr(support_out, keys[i]) > at); /* in this order */
        at = strstr(support_out, keys[i]);
    }
    assert_int_equal(strchr(support_out, '\n')[1], '\0');
}

static void saved_models_load_again(void **state)
{
    (void)state;
    assert_int_equal(support_run(&f32, DATA "--epochs 5 --lr 0.05 --save %s/trained"), 0);
    double trained = last_number("val_loss");
    PccProgram again = f32;
    char path[600];
    snprintf(path, sizeof path, "%s/trained", support_directory);
    again.weights_file = path;
    assert_int_equal(support_run(&again, DATA "--eval"), 0);
    assert_true(last_number("val_loss") == trained);
    size_t size = 0;
    again.embedded_weights = (const unsigned char *)support_read(path, &size);
    again.embedded_bytes = size;
    again.weights_file = NULL;
    assert_int_equal(support_run(&again, DATA "--eval"), 0);
    assert_true(last_number("val_loss") == trained);
    free((void *)again.embedded_weights);
}

static void bad_weights_are_refused(void **state)
{
    (void)state;
    PccProgram bad = f32;
    bad.weights_file = "no-such-file";
    assert_int_equal(support_run(&bad, DATA), PCC_ERR_IO);
    assert_non_null(strstr(support_err, "no-such-file"));
    bad.weights_file = f64.weights_file;
    assert_int_equal(support_run(&bad, DATA), PCC_ERR_INPUT);
    assert_non_null(strstr(support_err, "tensor fc.weight is F64 [3,6]; the program needs F32 [3,6]"));
    bad = f32;
    bad.abi++;
    assert_int_equal(support_run(&bad, DATA), PCC_ERR_INTERNAL);
}

/* Said once, with the parameter. */
static void divergence_is_reported(void **state)
{
    (void)state;
    assert_int_equal(support_run(&f32, DATA "--lr 1e300 --steps 30"), 0);
    const char *warning = strstr(support_err, "is not finite");
    assert_non_null(warning);
    assert_non_null(strstr(support_err, "fc."));
    assert_null(strstr(warning + 1, "is not finite"));
}

static void full_outputs_are_io_errors(void **state)
{
    (void)state;
    if (!support_exists("/dev/full"))
        skip();
    assert_int_equal(support_run(&f32, DATA "--steps 1 --save /dev/full"), PCC_ERR_IO);
    assert_non_null(strstr(support_err, "/dev/full: No space left on device"));
    assert_int_equal(support_run(&f32, DATA "--steps 1 --log /dev/full"), PCC_ERR_IO);
    assert_int_equal(support_run(&f32, DATA "--steps 1 --save %s/no/folder"), PCC_ERR_IO);
    assert_int_equal(support_run(&f32, DATA "--steps 1 --save %s"), PCC_ERR_IO);
    struct stat status;
    assert_int_equal(stat("/dev/full", &status), 0);
    assert_true(S_ISCHR(status.st_mode)); /* and not replaced by a file */
}

/* 103 samples in batches of 4, stopped behind micro-batch 20: the 5 that small trains on make two. */
static void checkpoints_of_more_data_are_refused(void **state)
{
    (void)state;
#define KEPT "--quiet --checkpoint %s/more --log %s/more.jsonl "
    assert_int_equal(support_run(&f32, "--data safetensors:%s/data " KEPT "--steps 20"), 0);
    char *log = support_read(support_path("more.jsonl"), NULL);
    assert_int_equal(support_run(&f32, "--data safetensors:%s/small " KEPT "--steps 30 --resume"), PCC_ERR_INPUT);
    assert_non_null(strstr(support_err,
                           "/more is of other data: it stands behind micro-batch 20 of an epoch, which has "
                           "2 over the 5 samples given"));
    char *after = support_read(support_path("more.jsonl"), NULL);
    assert_string_equal(after, log);
    free(log);
    free(after);
    assert_int_equal(support_run(&f32, "--data safetensors:%s/data " KEPT "--steps 30 --resume"), 0);
    assert_non_null(strstr(support_out, "\"epoch\":2")); /* 26 make an epoch */
#undef KEPT
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_learns),
        cmocka_unit_test(partial_batches_are_weighed),
        cmocka_unit_test(seeds_and_threads),
        cmocka_unit_test(other_layouts_train_the_same),
        cmocka_unit_test(updates_accumulate_micro_batches),
        cmocka_unit_test(schedules_follow_their_formulas),
        cmocka_unit_test(bench_prints_one_line),
        cmocka_unit_test(saved_models_load_again),
        cmocka_unit_test(bad_weights_are_refused),
        cmocka_unit_test(divergence_is_reported),
        cmocka_unit_test(full_outputs_are_io_errors),
        cmocka_unit_test(checkpoints_of_more_data_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, support_teardown);
}
