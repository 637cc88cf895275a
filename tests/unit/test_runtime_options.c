/* test_runtime_options.c: the command line: every option, defaults, refusals with their status and message. */
#include "runtime_support.h"

#include <pcc/cli/options.h>

#include "program_linear.h"

static PccRunOptions options;
static PccError error;

/* Parses a command, split at blanks. The words live until the next call. */
static int parse(const char *command)
{
    static char text[1024];
    char *arguments[64] = {"train"};
    int count = 1;
    snprintf(text, sizeof text, "%s", command);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        arguments[count++] = word;
    error = (PccError){0};
    return pcc_parse_options(&linear_f32_program, count, arguments, &options, &error);
}

static void defaults_are_the_programs(void **state)
{
    (void)state;
    assert_int_equal(parse("--data synthetic"), 0);
    assert_true(options.hyper.lr == 1e-3 && options.hyper.weight_decay == 0.01 && options.hyper.beta2 == 0.999);
    assert_true(options.val_fraction == 0.1 && options.mean == 0 && options.deviation == 1);
    assert_int_equal(options.schedule, PCC_CONSTANT);
    assert_int_equal(options.mode, PCC_MODE_TRAIN);
    assert_int_equal(options.epochs + options.steps + options.every + options.threads + options.seed, 0);
}

static void every_option_parses(void **state)
{
    (void)state;
    assert_int_equal(parse("--data idx:d --val npy:a,b --val-fraction 0.2 --normalize 0.5,0.25 --lr 0.1 "
                           "--weight-decay=0.2 --beta1 0.3 --beta2 0.4 --eps 1e-5 --momentum 0.6 --schedule cosine "
                           "--warmup 7 --seed 8 --epochs 9 --checkpoint c --every 10 --resume --log l --tensorboard t "
                           "--quiet --export e.onnx --save s.safetensors --threads 2 --layout x=NHWC "
                           "--layout=target=NHW"),
                     0);
    assert_string_equal(options.data, "idx:d");
    assert_string_equal(options.val, "npy:a,b");
    assert_true(options.val_fraction == 0.2 && options.mean == 0.5 && options.deviation == 0.25);
    assert_true(options.hyper.lr == 0.1 && options.hyper.weight_decay == 0.2 && options.hyper.beta1 == 0.3);
    assert_true(options.hyper.beta2 == 0.4 && options.hyper.eps == 1e-5 && options.hyper.momentum == 0.6);
    assert_true(options.schedule == PCC_COSINE && options.warmup == 7 && options.seed == 8 && options.epochs == 9);
    assert_true(options.every == 10 && options.resume && options.quiet && options.threads == 2);
    assert_int_equal(options.layout_count, 2);
    assert_string_equal(options.layouts[0], "x=NHWC");
    assert_string_equal(options.layouts[1], "target=NHW");
    assert_string_equal(options.checkpoint, "c");
    assert_string_equal(options.log, "l");
    assert_string_equal(options.tensorboard, "t");
    assert_string_equal(options.export_file, "e.onnx");
    assert_string_equal(options.save, "s.safetensors");
}

static void modes(void **state)
{
    (void)state;
    assert_int_equal(parse("--bench"), 0);
    assert_true(options.mode == PCC_MODE_BENCH && options.bench == 20);
    assert_int_equal(parse("--bench --threads 1"), 0);
    assert_true(options.bench == 20 && options.threads == 1);
    assert_int_equal(parse("--bench 7"), 0);
    assert_int_equal(options.bench, 7);
    assert_int_equal(parse("--bench=8"), 0);
    assert_int_equal(options.bench, 8);
    assert_int_equal(parse("--eval --data synthetic"), 0);
    assert_int_equal(options.mode, PCC_MODE_EVAL);
    assert_int_equal(parse("--probe a --dump b --steps 3"), 0);
    assert_true(options.mode == PCC_MODE_PROBE && options.steps == 3);
}

static void mistakes_are_usage_errors(void **state)
{
    (void)state;
    static const struct {
        const char *command, *message;
    } cases[] = {
        {"", "nothing to do"},
        {"--dta synthetic", "did you mean --data?"},
        {"--chekpoint c", "did you mean --checkpoint?"},
        {"--weight_decay 1", "did you mean --weight-decay?"},
        {"--frobnicate", "--help lists the options"},
        {"-lr 1", "did you mean --lr?"},
        {"data", "unexpected argument data"},
        {"--data", "--data needs SPEC"},
        {"--data=", "--data needs SPEC"},
        {"--lr fast", "not a number"},
        {"--lr 1x", "not a number"},
        {"--lr nan", "not a number"},
        {"--lr -1", "at least 0"},
        {"--beta1 1.5", "from 0 to 1"},
        {"--val-fraction 2", "from 0 to 0.9"},
        {"--epochs 0", "at least 1"},
        {"--steps 1.5", "not an integer"},
        {"--steps 99999999999999999999", "not an integer"},
        {"--threads 0", "at least 1"},
        {"--threads 4294967297", "at most 4096"},
        {"--bench 0", "at least 1"},
        {"--bench 2305843009213693952", "at most 1e+09"},
        {"--quiet=1", "takes no value"},
        {"--data x --schedule cosin", "did you mean cosine?"},
        {"--data x --normalize 1", "MEAN,STD"},
        {"--data x --normalize 0,0", "MEAN,STD"},
        {"--data x --normalize 0,1,2", "MEAN,STD"},
        {"--data x --epochs 1 --steps 1", "not both"},
        {"--data x --resume", "--resume needs --checkpoint"},
        {"--data x --every 3", "--every needs --checkpoint"},
        {"--probe a", "go together"},
        {"--dump a", "go together"},
        {"--eval", "--eval needs --data"},
        {"--eval --bench", "one of"},
    };
    for (int64_t i = 0; i < PCC_COUNT(cases); i++)
        if (parse(cases[i].command) != PCC_ERR_USAGE || !strstr(error.message, cases[i].message))
            fail_msg("%s: %d %s", cases[i].command, error.status, error.message);
}

static void help_and_version(void **state)
{
    (void)state;
    assert_int_equal(support_run(&linear_f32_program, "--help"), 0);
    static const char *const promised[] = {
        "--data",  "--val",    "--val-fraction", "--normalize",   "--epochs",   "--steps",  "--lr",   "--weight-decay",
        "--beta1", "--beta2",  "--eps",          "--momentum",    "--schedule", "--warmup", "--seed", "--checkpoint",
        "--every", "--resume", "--log",          "--tensorboard", "--quiet",    "--export", "--save", "--threads",
        "--eval",  "--bench",  "--probe",        "--dump",        "--help",     "--version"};
    for (int64_t i = 0; i < PCC_COUNT(promised); i++) {
        char line[64];
        snprintf(line, sizeof line, "\n  %s ", promised[i]);
        if (!strstr(support_out, line))
            fail_msg("--help has no %s", promised[i]);
    }
    assert_non_null(strstr(support_out, "(0.001)"));
    assert_int_equal(support_run(&linear_f32_program, "--version"), 0);
    assert_non_null(strstr(support_out, PCC_VERSION));
    assert_non_null(strstr(support_out, "32-true"));
    assert_int_equal(support_run(&linear_f32_program, "--nonsense"), PCC_ERR_USAGE);
    assert_string_equal(support_out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_programs), cmocka_unit_test(every_option_parses), cmocka_unit_test(modes),
        cmocka_unit_test(mistakes_are_usage_errors), cmocka_unit_test(help_and_version),
    };
    return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
