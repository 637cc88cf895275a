/* test_loss_scale.c: dynamic and static loss scales: the scales and skipped steps of torch.amp.GradScaler; what a
 * skipped update leaves alone; what a run tells of it. */
#include "runtime_support.h"

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

/* A program in f16, whose parameters the file has in f32. */
static PccProgram scaled_program(PccScaling scaling, const char *overflows)
{
    PccProgram program = narrow_program(PCC_F16, PCC_F32, PCC_STOCHASTIC);
    program.precision = "16-true";
    program.optimizer = "adamw";
    program.weights_file = weights_path;
    program.scaling = scaling;
    narrow_overflows = overflows;
    return program;
}

static PccUpdate one_step(PccSession *session)
{
    static const float image[LINEAR_BATCH * LINEAR_FEATURES] = {1, -1, 0.5f, 0.25f, -0.5f, 2};
    static const int64_t target[LINEAR_BATCH] = {0, 1, 2, 0};
    PccFeed feed = {(const void *[]){image}, target, LINEAR_BATCH};
    pcc_backward(session, &feed);
    return pcc_update(session, 1e-3);
}

/* The exponents of GradScaler.get_scale() before each step and after the last, for a loss w * (inf where the pattern
 * has an x, else 1):
 *
 *     w = torch.nn.Parameter(torch.zeros(1)); o = torch.optim.SGD([w], lr=1.0)
 *     s = torch.amp.GradScaler("cpu", init_scale=2.0**16, growth_interval=5)
 *     for c in pattern:
 *         print(log2(s.get_scale()))
 *         loss = (w * (inf if c == "x" else 1.0)).sum()
 *         o.zero_grad(); s.scale(loss).backward(); s.step(o); s.update()
 *
 * o.step() ran in the 50 steps without an x. */
static const char overflow_pattern[] = "..x.....x.x......xx............x...xxx.....................";
static const int gradscaler_exponents[] = {16, 16, 16, 15, 15, 15, 15, 15, 16, 15, 15, 14, 14, 14, 14,
                                           14, 15, 15, 14, 13, 13, 13, 13, 13, 14, 14, 14, 14, 14, 15,
                                           15, 15, 14, 14, 14, 14, 13, 12, 11, 11, 11, 11, 11, 12, 12,
                                           12, 12, 12, 13, 13, 13, 13, 13, 14, 14, 14, 14, 14, 15, 15};

static void scales_are_gradscalers(void **state)
{
    (void)state;
    PccProgram program =
        scaled_program((PccScaling){.initial = 65536, .dynamic = true, .interval = 5}, overflow_pattern);
    PccSession *session = open_session(&program);
    int64_t steps = (int64_t)strlen(overflow_pattern), applied = 0;
    assert_int_equal(PCC_COUNT(gradscaler_exponents), steps + 1);
    for (int64_t i = 0; i < steps; i++) {
        assert_true(pcc_step_context(session)->loss_scale == ldexp(1, gradscaler_exponents[i]));
        const PccUpdate done = one_step(session);
        const bool skipped = overflow_pattern[i] == 'x';
        applied += !skipped;
        assert_int_equal(done.first_overflow, skipped ? 1 : -1);
        assert_int_equal(pcc_step_context(session)->update, applied);
    }
    assert_true(pcc_step_context(session)->loss_scale == ldexp(1, gradscaler_exponents[steps]));
    assert_int_equal(applied, 50);
    pcc_close(session);
}

/* Parameters, moments, copies and the step counter are what they were. */
static void skipped_updates_change_nothing(void **state)
{
    (void)state;
    const PccScaling scalings[] = {{.initial = 1024, .dynamic = true, .interval = 2000}, {.initial = 1024}};
    for (int k = 0; k < 2; k++) {
        PccProgram program = scaled_program(scalings[k], "..x");
        PccSession *session = open_session(&program);
        PccStep *step = pcc_step_context(session);
        char before[LINEAR_SLOT(NARROW_SLOTS)];
        one_step(session);
        one_step(session);
        memcpy(before, step->weights, sizeof before);
        assert_int_equal(one_step(session).first_overflow, 1);
        for (int slot = 0; slot < NARROW_SLOTS; slot++)
            if (slot != 1 && slot != 5 && slot != 8) /* gradients, and the state, which the step itself wrote */
                assert_memory_equal(before + LINEAR_SLOT(slot), step->weights + LINEAR_SLOT(slot), LINEAR_SLOT(1));
        assert_int_equal(step->update, 2);
        assert_int_equal(step->micro, 0);
        assert_true(step->loss_scale == (k ? 1024 : 512));
        pcc_close(session);
    }
}

static void scales_have_bounds(void **state)
{
    (void)state;
    PccScaling scaling = {.initial = 0x1p23, .dynamic = true, .interval = 1, .most = 0x1p24};
    PccProgram program = scaled_program(scaling, NULL);
    PccSession *session = open_session(&program);
    memset(pcc_step_context(session)->weights, 0, LINEAR_SLOT(1));
    for (int i = 0; i < 3; i++) {
        pcc_update(session, 0);
        assert_true(pcc_step_context(session)->loss_scale == 0x1p24);
    }
    program.scaling.most = 0;
    for (int i = 0; i < 200; i++)
        pcc_update(session, 0);
    assert_true(pcc_step_context(session)->loss_scale == 0x1p127);
    pcc_close(session);
    program = scaled_program((PccScaling){.initial = 0x1p-120, .dynamic = true, .interval = 9}, "xxxxxxxxxxxxxxxxxxxx");
    session = open_session(&program);
    for (int i = 0; i < 20; i++)
        one_step(session);
    assert_true(pcc_step_context(session)->loss_scale == 0x1p-126);
    pcc_close(session);
}

#define TRAIN "--data synthetic --seed 5 --quiet "

/* Number `key` of the log's line of a step. */
static double logged(const char *log, int step, const char *key)
{
    char start[32];
    snprintf(start, sizeof start, "{\"step\":%d,", step);
    const char *line = strstr(log, start);
    assert_non_null(line);
    char *copy = strndup(line, strcspn(line, "\n"));
    const double value = support_number(copy, key);
    free(copy);
    return value;
}

/* Said once with the parameter's name, logged each time; the schedule waits for skipped updates. */
static void runs_tell_of_overflows(void **state)
{
    (void)state;
    PccProgram program = scaled_program((PccScaling){.initial = 1024, .dynamic = true, .interval = 2000}, "..x.x....");
    assert_int_equal(support_run(&program, TRAIN "--steps 8 --schedule linear --lr 0.8 --log %s/log"), 0);
    const char *note = strstr(support_err, "note: step 3: the gradient of fc.bias overflowed at loss scale 1024");
    assert_non_null(note);
    assert_null(strstr(strchr(note, '\n'), "overflowed"));
    assert_null(strstr(support_err, "warning"));
    char *log = support_read(support_path("log"), NULL);
    const double lr[] = {0.8, 0.7, 0.6, 0.6, 0.5, 0.5, 0.4, 0.3}, scale[] = {1024, 1024, 1024, 512, 512, 256, 256, 256};
    for (int step = 1; step <= 8; step++) {
        assert_true(fabs(logged(log, step, "lr") - lr[step - 1]) < 1e-12);
        assert_true(logged(log, step, "scale") == scale[step - 1]);
        assert_true(logged(log, step, "skipped") == (step >= 5) + (step >= 3));
    }
    const char *third = strstr(log, "{\"step\":3,"), *fourth = strstr(log, "{\"step\":4,");
    assert_true(strstr(third, "\"overflow\":\"fc.bias\"") < fourth);
    assert_true(strstr(fourth, "\"overflow\"") > strstr(log, "{\"step\":5,"));
    free(log);
}

/* Where no scale helps, that is a warning: once, when the scale has fallen below 1. */
static void hopeless_runs_are_warned_of(void **state)
{
    (void)state;
    PccProgram program = scaled_program((PccScaling){.initial = 4, .dynamic = true, .interval = 2000}, "xxxxxxxx");
    assert_int_equal(support_run(&program, TRAIN "--steps 8"), 0);
    assert_non_null(strstr(support_err, "note: step 1: the gradient of fc.bias overflowed"));
    const char *warning = strstr(support_err, "warning: step 4:");
    assert_non_null(warning);
    assert_non_null(strstr(warning, "the gradient of fc.bias is not finite"));
    assert_null(strstr(strchr(warning, '\n'), "step"));
}

/* A resumed run has the scale, the count of clean steps and the bits of one that never stopped. */
static void resuming_keeps_the_scale(void **state)
{
    (void)state;
    const PccScaling scaling = {.initial = 65536, .dynamic = true, .interval = 3};
    PccProgram program = scaled_program(scaling, overflow_pattern);
    assert_int_equal(support_run(&program, TRAIN "--steps 20 --save %s/whole --log %s/whole.log"), 0);
    char *whole = support_read(support_path("whole.log"), NULL);
    for (int stop = 3; stop < 12; stop += 2) {
        char command[400];
        program = scaled_program(scaling, overflow_pattern);
        snprintf(command, sizeof command, TRAIN "--steps %d --checkpoint %%s/c%d", stop, stop);
        assert_int_equal(support_run(&program, command), 0);
        snprintf(command, sizeof command,
                 TRAIN "--steps 20 --checkpoint %%s/c%d --resume --save %%s/parts --log %%s/parts.log", stop);
        assert_int_equal(support_run(&program, command), 0);
        size_t a_size, b_size;
        char *a = support_read(support_path("whole"), &a_size), *b = support_read(support_path("parts"), &b_size);
        assert_int_equal(a_size, b_size);
        assert_memory_equal(a, b, a_size);
        char *parts = support_read(support_path("parts.log"), NULL);
        assert_true(logged(parts, 20, "scale") == logged(whole, 20, "scale"));
        assert_true(logged(parts, 20, "skipped") == logged(whole, 20, "skipped"));
        free(a);
        free(b);
        free(parts);
    }
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_are_gradscalers),   cmocka_unit_test(skipped_updates_change_nothing),
        cmocka_unit_test(scales_have_bounds),       cmocka_unit_test(runs_tell_of_overflows),
        cmocka_unit_test(hopeless_runs_are_warned_of),
        cmocka_unit_test(resuming_keeps_the_scale),
    };
    return cmocka_run_group_tests(tests, setup, support_teardown);
}
