/* The parser of pcc's command line: values, defaults, errors, and what the table prints. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frontend/cli/cli_options.h"
#include "passes/precision/policy.h"

typedef struct Parsed {
    CommandLine line;
    Diagnostics diagnostics;
    Arena *arena;
    char *messages;
    size_t length;
} Parsed;

enum { MOST_ARGUMENTS = 24 };

/* A function of its own: no local variable lives across the jump back. */
static void parse_guarded(Parsed *p, Command command, int argc, char **argv)
{
    p->diagnostics.can_recover = true;
    if (setjmp(p->diagnostics.recover) == 0)
        parse_command_line(p->arena, &p->diagnostics, command, argc, argv, &p->line);
}

/* Arguments are split at spaces. The result is freed with release(). */
static Parsed *parse(Command command, const char *text)
{
    Parsed *p = calloc(1, sizeof *p);
    char *argv[MOST_ARGUMENTS] = {(char[]){"pcc"}};
    int argc = 1;
    assert_non_null(p);
    FILE *stream = open_memstream(&p->messages, &p->length);
    diagnostics_init(&p->diagnostics, stream);
    p->arena = arena_create(1 << 20, &p->diagnostics);
    char *words = arena_printf(p->arena, "%s", text), *rest;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        assert_true(argc < MOST_ARGUMENTS);
        argv[argc++] = word;
    }
    parse_guarded(p, command, argc, argv);
    fclose(stream);
    return p;
}

static void release(Parsed *p)
{
    arena_destroy(p->arena);
    free(p->messages);
    free(p);
}

static void expect_error(ExitStatus status, const char *text, const char *message)
{
    Parsed *p = parse(COMMAND_COMPILE, text);
    if (p->diagnostics.status != status || !strstr(p->messages, message))
        fail_msg("'%s' gives status %d and '%s', not %d and '%s'", text, (int)p->diagnostics.status, p->messages,
                 (int)status, message);
    assert_int_equal(p->diagnostics.error_count, 1);
    release(p);
}

static void defaults_are_those_of_the_manual(void **state)
{
    (void)state;
    Parsed *p = parse(COMMAND_COMPILE, "m.onnx");
    assert_int_equal(p->diagnostics.error_count, 0);
    assert_string_equal(p->line.model, "m.onnx");
    assert_string_equal(p->line.precision, "32-true");
    assert_string_equal(p->line.optimizer, "adamw");
    assert_int_equal(p->line.accumulate, 1);
    assert_null(p->line.loss);
    Options options = pass_options(&p->line);
    assert_false(options.loss_given);
    assert_true(options.clip_norm == 0);
    release(p);
}

static void values_follow_by_space_or_equals_sign(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "--loss mse --batch 8 --clip-norm 0.5 -o out.c m.onnx",
        "m.onnx --loss=mse --batch=8 --clip-norm=0.5 -oout.c",
        "--loss bce-with-logits --loss mse --batch 9 --batch 8 --clip-norm .5 -o a -o out.c -- m.onnx",
    };
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        Parsed *p = parse(COMMAND_COMPILE, spellings[i]);
        assert_int_equal(p->diagnostics.error_count, 0);
        assert_string_equal(p->line.model, "m.onnx");
        assert_string_equal(p->line.output_file, "out.c");
        assert_int_equal(p->line.batch, 8);
        Options options = pass_options(&p->line);
        assert_true(options.loss_given);
        assert_int_equal(options.loss, LOSS_MSE);
        assert_true(options.clip_norm == 0.5);
        release(p);
    }
}

static void aliases_become_canonical_names(void **state)
{
    (void)state;
    Parsed *p = parse(COMMAND_COMPILE, "m.onnx --precision 64");
    assert_string_equal(p->line.precision, "64-true");
    release(p);
    p = parse(COMMAND_VERIFY, "m.onnx --precision=32");
    assert_string_equal(p->line.precision, "32-true");
    release(p);
    p = parse(COMMAND_COMPILE, "m.onnx --precision 16");
    assert_string_equal(p->line.precision, "16-mixed");
    release(p);
    p = parse(COMMAND_COMPILE, "m.onnx --precision bf16");
    assert_string_equal(p->line.precision, "bf16-mixed");
    release(p);
}

/* The order of --keep-fp32 and --lower among each other decides, so they are one list. */
static void precision_options_reach_the_passes(void **state)
{
    (void)state;
    Parsed *p = parse(COMMAND_COMPILE, "m.onnx --precision bf16-true --policy torch-cpu --lower op:Softmax "
                                       "--keep-fp32 node:/head/* --lower=tensor:logits --update kahan "
                                       "--loss-scale 0.5 --honour-casts --check-numerics");
    assert_int_equal(p->diagnostics.error_count, 0);
    Options options = pass_options(&p->line);
    assert_string_equal(options.precision, "bf16-true");
    assert_string_equal(options.policy, "torch-cpu");
    assert_int_equal(options.precision_rule_count, 3);
    assert_string_equal(options.precision_rules[0], "lower op:Softmax");
    assert_string_equal(options.precision_rules[1], "keep node:/head/*");
    assert_string_equal(options.precision_rules[2], "lower tensor:logits");
    assert_string_equal(options.update, "kahan");
    assert_true(options.loss_scale == 0.5);
    assert_true(options.honour_casts && options.check_numerics);
    release(p);
}

static void loss_scales_are_numbers_or_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double scale;
    } cases[] = {{"m.onnx", 0},
                 {"m.onnx --loss-scale none", 1},
                 {"m.onnx --loss-scale dynamic", LOSS_SCALE_DYNAMIC},
                 {"m.onnx --loss-scale 65536", 65536}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Parsed *p = parse(COMMAND_COMPILE, cases[i].text);
        assert_true(pass_options(&p->line).loss_scale == cases[i].scale);
        release(p);
    }
    static const char *const wrong[] = {"0", "-3", "nan", "inf", "1e999", "1e39", "1e-39", "12x", "dynamc"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[64];
        snprintf(text, sizeof text, "m.onnx --loss-scale %s", wrong[i]);
        expect_error(EXIT_STATUS_USAGE, text, "dynamic NUMBER none");
    }
}

static void lists_keep_their_order(void **state)
{
    (void)state;
    Parsed *p = parse(COMMAND_COMPILE, "m --freeze a* --freeze b --trainable c --dim N=3 --shape x=1x3 --shape y=");
    assert_int_equal(p->line.freeze.count, 2);
    assert_string_equal(p->line.freeze.items[0], "a*");
    assert_string_equal(p->line.freeze.items[1], "b");
    assert_int_equal(p->line.trainable.count, 1);
    ImportOptions import = import_options(p->arena, &p->diagnostics, &p->line);
    assert_int_equal(import.dim_count, 1);
    assert_string_equal(import.dims[0].name, "N");
    assert_int_equal(import.dims[0].size, 3);
    assert_int_equal(import.shape_count, 2);
    assert_int_equal(import.shapes[0].rank, 2);
    assert_int_equal(import.shapes[0].dims[1], 3);
    assert_int_equal(import.shapes[1].rank, 0);
    release(p);
}

static void the_value_of_explain_precision_is_optional(void **state)
{
    (void)state;
    Parsed *p = parse(COMMAND_COMPILE, "--explain-precision m.onnx");
    assert_true(p->line.explain_precision);
    assert_null(p->line.explain_precision_format);
    assert_string_equal(p->line.model, "m.onnx");
    release(p);
    p = parse(COMMAND_COMPILE, "--explain-precision=json m.onnx");
    assert_string_equal(p->line.explain_precision_format, "json");
    release(p);
    expect_error(EXIT_STATUS_USAGE, "--explain-precision=jsn m.onnx", "did you mean 'json'");
}

/* The header comment must not change with the folder, nor with how the compile is watched. */
static void the_summary_has_no_paths(void **state)
{
    (void)state;
    Parsed *p = parse(COMMAND_COMPILE, "/a/b/m.onnx -v --batch 4 -MD -MF /tmp/x.d --freeze enc/* -o /c/train.c");
    assert_string_equal(p->line.summary, "m.onnx --batch 4 --freeze 'enc/*' -o train.c");
    release(p);
}

static void wrong_use_names_what_was_meant(void **state)
{
    (void)state;
    expect_error(EXIT_STATUS_USAGE, "--precison 32", "unknown option '--precison'; did you mean '--precision'?");
    expect_error(EXIT_STATUS_USAGE, "--precision single", "it is one of 64-true 32-true");
    expect_error(EXIT_STATUS_USAGE, "--optimizer adma", "did you mean 'adam'");
    expect_error(EXIT_STATUS_USAGE, "--batch -1", "at least 1");
    expect_error(EXIT_STATUS_USAGE, "--batch 0x10", "at least 1");
    expect_error(EXIT_STATUS_USAGE, "--seed -1", "at least 0");
    expect_error(EXIT_STATUS_USAGE, "--clip-norm inf", "above 0");
    expect_error(EXIT_STATUS_USAGE, "--loss-scale -3", "it is one of dynamic NUMBER none");
    expect_error(EXIT_STATUS_USAGE, "--policy torch-cdua", "did you mean 'torch-cuda'? It is one of pcc torch-cuda");
    expect_error(EXIT_STATUS_IO, "--policy no/such.rules", "cannot read 'no/such.rules'");
    expect_error(EXIT_STATUS_USAGE, "--update kahn", "did you mean 'kahan'");
    expect_error(EXIT_STATUS_USAGE, "--keep-fp32 nodes:x", "is not of the form RULE");
    expect_error(EXIT_STATUS_USAGE, "--batch", "--batch needs a value");
    expect_error(EXIT_STATUS_USAGE, "--standalone=yes", "takes no value");
    expect_error(EXIT_STATUS_USAGE, "a b", "two models");
    expect_error(EXIT_STATUS_USAGE, "--lower op:", "op:");
    expect_error(EXIT_STATUS_USAGE, "--memory-budget 2GiBs", "SIZE");
    expect_error(EXIT_STATUS_USAGE, "--dump out", "is an option of 'pcc run'");
}

static void what_is_not_there_yet_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < cli_option_count; i++)
        for (const Choice *choice = cli_options[i].choices; choice && choice->name; choice++) {
            const CliOption *option = &cli_options[i];
            const char *value = strcmp(choice->name, "NUMBER") == 0 ? "1024" : choice->name;
            char text[128];
            snprintf(text, sizeof text, "%s=%s", option->name, value);
            if (option->commands & COMMAND_COMPILE && !choice->supported)
                expect_error(EXIT_STATUS_UNSUPPORTED, text, "is not supported by this version of pcc");
        }
}

static void sizes_have_units(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double bytes;
    } cases[] = {{"4096", 4096},   {"1B", 1},        {"2KiB", 2048}, {"1.5MiB", 0x1.8p20},
                 {"2GiB", 0x1p31}, {"1TiB", 0x1p40}, {"1KB", 1e3},   {"1MB", 1e6},
                 {"1.5GB", 1.5e9}, {"1TB", 1e12},    {"", 0},        {"0", 0},
                 {"-1MiB", 0},     {"MiB", 0},       {"2 GiB", 0},   {"2gib", 0},
                 {"2GiBs", 0},     {"nan", 0},       {"inf", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(size_in_bytes(cases[i].text) == cases[i].bytes);
}

static void json_is_chosen_before_the_first_error(void **state)
{
    (void)state;
    Parsed *p = parse(COMMAND_COMPILE, "--nonsense --diagnostics=json");
    assert_memory_equal(p->messages, "{\"file\":null", 12);
    release(p);
}

/* --help has a line of its own for the option; the name may begin that of another. */
static bool has_line_of(const char *help, const char *option)
{
    char start[64];
    snprintf(start, sizeof start, "\n  %s", option);
    for (const char *at = help; (at = strstr(at, start)); at++)
        if (strchr(" [\n", at[strlen(start)]))
            return true;
    return false;
}

/* Each option stands in --help and the manual, and completion knows it; lines of --help fit 80 columns. */
static void the_table_is_printed_whole(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    void (*const printers[])(FILE * stream) = {print_manual, print_completion};
    for (int printer = 0; printer < 2; printer++) {
        FILE *stream = open_memstream(&text, &length);
        printers[printer](stream);
        fclose(stream);
        for (int i = 0; i < cli_option_count; i++) {
            const char *word = strrchr(cli_options[i].name, '-') + 1; /* dashes are escaped in roff */
            if (!strstr(text, word))
                fail_msg("printer %d leaves out %s", printer, cli_options[i].name);
        }
        free(text);
    }
    const Command commands[] = {COMMAND_COMPILE, COMMAND_VERIFY, COMMAND_RUN};
    for (int c = 0; c < 3; c++) {
        FILE *stream = open_memstream(&text, &length);
        print_help(stream, commands[c]);
        fclose(stream);
        for (int i = 0; i < cli_option_count; i++) {
            bool belongs = (cli_options[i].commands & commands[c]) != 0;
            if (belongs != has_line_of(text, cli_options[i].name))
                fail_msg("help %d and option %s", c, cli_options[i].name);
        }
        for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1)
            assert_true(end - at <= 80);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(values_follow_by_space_or_equals_sign),
        cmocka_unit_test(aliases_become_canonical_names),
        cmocka_unit_test(precision_options_reach_the_passes),
        cmocka_unit_test(loss_scales_are_numbers_or_words),
        cmocka_unit_test(lists_keep_their_order),
        cmocka_unit_test(the_value_of_explain_precision_is_optional),
        cmocka_unit_test(the_summary_has_no_paths),
        cmocka_unit_test(wrong_use_names_what_was_meant),
        cmocka_unit_test(what_is_not_there_yet_is_refused),
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(json_is_chosen_before_the_first_error),
        cmocka_unit_test(the_table_is_printed_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
