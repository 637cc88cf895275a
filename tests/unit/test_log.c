/* test_log.c: the log's lines, and the epoch lines on standard output. */
#include "runtime_support.h"

#include "program_linear.h"

static PccProgram program;
static char weights_path[600];

static int setup(void **state)
{
    PccError error;
    if (support_setup(state))
        return -1;
    program = linear_f32_program;
    snprintf(weights_path, sizeof weights_path, "%s/weights", support_directory);
    program.weights_file = weights_path;
    return linear_write_weights(&program, weights_path, NULL, 0, &error);
}

/* The keys of a JSON object in order, joined by blanks. */
static const char *keys_of(const char *line, size_t length)
{
    static char keys[256];
    keys[0] = '\0';
    PccJson json = pcc_json(line, length);
    for (bool more = pcc_json_begin(&json, '{'); more; more = pcc_json_more(&json, '}')) {
        char *key = pcc_json_key(&json);
        assert_non_null(key);
        snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "%s%s", keys[0] ? " " : "", key);
        free(key);
        pcc_json_skip(&json);
    }
    assert_true(pcc_json_finish(&json));
    return keys;
}

static void lines_have_the_promised_keys(void **state)
{
    (void)state;
    assert_int_equal(
        support_run(&program, "--data synthetic --epochs 2 --schedule linear --warmup 3 --quiet --log %s/run.jsonl"),
        0);
    char *log = support_read(support_path("run.jsonl"), NULL);
    int steps = 0, epochs = 0;
    for (char *line = log, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (strncmp(line, "{\"step\"", 7) == 0) {
            assert_string_equal(keys_of(line, strlen(line)), "step epoch loss lr samples_per_s scale skipped");
            assert_true(support_number(line, "step") == ++steps);
            assert_true(support_number(line, "epoch") == epochs + 1);
            assert_true(support_number(line, "loss") > 0);
            assert_true(support_number(line, "scale") == 1);
            double lr = steps <= 3 ? 1e-3 * steps / 3 : 1e-3 * (1 - (steps - 4) / 27.0);
            assert_true(fabs(support_number(line, "lr") - lr) < 1e-15);
        } else {
            assert_string_equal(keys_of(line, strlen(line)), "epoch val_loss val_accuracy");
            assert_true(support_number(line, "epoch") == ++epochs);
            assert_non_null(strstr(support_out, line)); /* printed too */
        }
    }
    assert_int_equal(steps, 30); /* 58 samples train: 15 batches */
    assert_int_equal(epochs, 2);
    assert_string_equal(support_err, "");
    free(log);
}

static void a_new_run_starts_a_new_log(void **state)
{
    (void)state;
    support_write(support_path("old.jsonl"), "old\n", 4);
    assert_int_equal(support_run(&program, "--data synthetic --steps 1 --quiet --log %s/old.jsonl"), 0);
    char *log = support_read(support_path("old.jsonl"), NULL);
    assert_memory_equal(log, "{\"step\":1,", 10);
    free(log);
}

static void losses_without_accuracy_say_null(void **state)
{
    (void)state;
    assert_int_equal(support_run(&program, "--data synthetic --val-fraction 0 --quiet"), 0);
    assert_string_equal(support_out, "{\"epoch\":1,\"val_loss\":null,\"val_accuracy\":null}\n");
    PccProgram plain = program;
    plain.loss = PCC_LOSS_OUTPUT; /* integers 0 and 1 as labels, no accuracy */
    assert_int_equal(support_run(&plain, "--data synthetic --quiet"), 0);
    assert_non_null(strstr(support_out, "\"val_accuracy\":null}"));
    assert_true(support_number(support_out, "val_loss") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_the_promised_keys),
        cmocka_unit_test(a_new_run_starts_a_new_log),
        cmocka_unit_test(losses_without_accuracy_say_null),
    };
    return cmocka_run_group_tests(tests, setup, support_teardown);
}
