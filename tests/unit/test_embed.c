/* test_embed.c: the example of library use builds, learns, and writes what it says. */
#include "runtime_support.h"

#define main example_main
#include <pcc/example_embed.c>
#undef main

#include "program_linear.h"

static char weights_path[600];
const PccProgram pcc_program = {
    .abi = PCC_PROGRAM_ABI,
    .name = "linear",
    .precision = "32-true",
    .optimizer = "adamw",
    .batch = LINEAR_BATCH,
    .accumulate = 1,
    .weights_bytes = LINEAR_SLOT(10),
    .arena_bytes = LINEAR_SLOT(2),
    .params = linear_f32_params,
    .param_count = 2,
    .states = linear_f32_states,
    .state_count = 1,
    .constants = linear_f32_constants,
    .constant_count = 1,
    .inputs = linear_f32_inputs,
    .input_count = 1,
    .outputs = linear_f32_outputs,
    .output_count = 1,
    .loss = PCC_LOSS_CROSS_ENTROPY,
    .label_input = -1,
    .target = {"target", PCC_I64, 1, {LINEAR_BATCH}, 0},
    .hyper = {1e-3, 0.01, 0.9, 0.999, 1e-8, 0},
    .step = linear_f32_step,
    .evaluate = linear_f32_evaluate,
    .update = linear_f32_update,
    .weights_file = weights_path,
};

static void the_example_learns(void **state)
{
    (void)state;
    PccError error;
    snprintf(weights_path, sizeof weights_path, "%s/weights", support_directory);
    assert_int_equal(linear_write_weights(&linear_f32_program, weights_path, NULL, 0, &error), 0);
    assert_int_equal(chdir(support_directory), 0);
    fflush(stdout);
    int kept = support_redirect(1, support_path("stdout"));
    int status = example_main();
    fflush(stdout);
    support_restore(1, kept, support_path("stdout"), support_out, sizeof support_out);
    assert_int_equal(status, 0);
    const char *result = strstr(support_out, "\nloss ");
    assert_non_null(result);
    assert_true(strtod(result + 6, NULL) < 0.4 * log(3)); /* of a model that knows nothing */
    PccSession *session = pcc_open(&pcc_program, "embedded.safetensors", 1, &error);
    assert_non_null(session);
    pcc_close(session);
}

static void failures_leave_no_session(void **state)
{
    (void)state;
    PccError error;
    assert_null(pcc_open(&pcc_program, support_path("no-such-file"), 0, &error));
    assert_int_equal(error.status, PCC_ERR_IO);
    support_write(support_path("junk"), "junk", 4);
    assert_null(pcc_open(&pcc_program, support_path("junk"), 0, &error));
    assert_int_equal(error.status, PCC_ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_learns),
        cmocka_unit_test(failures_leave_no_session),
    };
    return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
