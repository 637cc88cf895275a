/* options.c: the parser, --help and "did you mean", all from one table of options. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../data/data.h"
#include "nearest.h"
#include "options.h"

typedef enum OptionKind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_REAL,   /* double, low <= x <= high */
    OPTION_COUNT,  /* int64_t, low <= n, and n <= high where that is not 0 */
    OPTION_STEPS,  /* the same, the value may be omitted: then OPTION_BENCH_STEPS */
    OPTION_LAYOUT, /* added to PccRunOptions.layouts */
} OptionKind;

enum { OPTION_BENCH_STEPS = 20 };

typedef struct Option {
    const char *name, *argument;
    OptionKind kind;
    size_t field;
    double low, high;
    const char *help;
} Option;

#define OPTION_FIELD(name) offsetof(PccRunOptions, name)

static const Option option_table[] = {
    {"data", "SPEC", OPTION_TEXT, OPTION_FIELD(data), 0, 0, "training data:" PCC_DATA_USAGE},
    {"val", "SPEC", OPTION_TEXT, OPTION_FIELD(val), 0, 0, "validation data (the data set's own, else --val-fraction)"},
    {"val-fraction", "X", OPTION_REAL, OPTION_FIELD(val_fraction), 0, 0.9, "share of the data held out for validation"},
    {"layout", "INPUT=ORDER", OPTION_LAYOUT, OPTION_FIELD(layouts), 0, 0,
     "the order in which the axes lie in the data, as in x=NHWC; INPUT may be target; repeatable"},
    {"normalize", "MEAN,STD", OPTION_TEXT, OPTION_FIELD(normalize), 0, 0,
     "inputs become (x - MEAN) / STD; bytes are divided by 255 first"},
    {"epochs", "N", OPTION_COUNT, OPTION_FIELD(epochs), 1, 0, "passes over the training data (1)"},
    {"steps", "N", OPTION_COUNT, OPTION_FIELD(steps), 1, 0, "updates, instead of --epochs"},
    {"lr", "X", OPTION_REAL, OPTION_FIELD(hyper.lr), 0, HUGE_VAL, "learning rate"},
    {"weight-decay", "X", OPTION_REAL, OPTION_FIELD(hyper.weight_decay), 0, HUGE_VAL, "weight decay"},
    {"beta1", "X", OPTION_REAL, OPTION_FIELD(hyper.beta1), 0, 1, "decay of the first moment"},
    {"beta2", "X", OPTION_REAL, OPTION_FIELD(hyper.beta2), 0, 1, "decay of the second moment"},
    {"eps", "X", OPTION_REAL, OPTION_FIELD(hyper.eps), 0, HUGE_VAL, "added to the root of the second moment"},
    {"momentum", "X", OPTION_REAL, OPTION_FIELD(hyper.momentum), 0, 1, "momentum of sgd"},
    {"schedule", "KIND", OPTION_TEXT, OPTION_FIELD(schedule_name), 0, 0,
     "constant, cosine or linear (to 0), step (x 0.1 at 1/3 and 2/3 of the run)"},
    {"warmup", "N", OPTION_COUNT, OPTION_FIELD(warmup), 0, 0, "updates over which the learning rate rises to --lr"},
    {"seed", "N", OPTION_COUNT, OPTION_FIELD(seed), 0, 0, "of the sample order, Dropout and stochastic rounding"},
    {"checkpoint", "DIR", OPTION_TEXT, OPTION_FIELD(checkpoint), 0, 0,
     "write checkpoints there; the newest two are kept"},
    {"every", "N", OPTION_COUNT, OPTION_FIELD(every), 1, 0, "updates between checkpoints (one an epoch)"},
    {"resume", NULL, OPTION_FLAG, OPTION_FIELD(resume), 0, 0, "continue from the newest checkpoint in --checkpoint"},
    {"log", "FILE.jsonl", OPTION_TEXT, OPTION_FIELD(log), 0, 0, "a JSON line for each update and each epoch"},
    {"tensorboard", "DIR", OPTION_TEXT, OPTION_FIELD(tensorboard), 0, 0, "write TensorBoard event files there"},
    {"quiet", NULL, OPTION_FLAG, OPTION_FIELD(quiet), 0, 0, "no progress line"},
    {"export", "FILE.onnx", OPTION_TEXT, OPTION_FIELD(export_file), 0, 0,
     "write the trained model as the original ONNX graph"},
    {"save", "FILE.safetensors", OPTION_TEXT, OPTION_FIELD(save), 0, 0,
     "write the trained tensors under their ONNX names"},
    {"threads", "N", OPTION_COUNT, OPTION_FIELD(threads), 1, 4096,
     "threads (OpenMP's choice); results do not depend on it"},
    {"device", "N", OPTION_COUNT, OPTION_FIELD(device), 0, 1023, "the GPU of a program for GPUs, counted from 0 (0)"},
    {"eval", NULL, OPTION_FLAG, OPTION_FIELD(eval), 0, 0, "evaluate on the validation data only"},
    {"bench", "[N]", OPTION_STEPS, OPTION_FIELD(bench), 1, 1e9, "time N steps (20) on synthetic data"},
    {"probe", "FILE", OPTION_TEXT, OPTION_FIELD(probe), 0, 0,
     "train --steps (1) updates on the one batch in FILE: input/NAME, target"},
    {"dump", "FILE", OPTION_TEXT, OPTION_FIELD(dump), 0, 0,
     "where --probe writes loss, output/, grad/, param/, state/"},
    {"help", NULL, OPTION_FLAG, OPTION_FIELD(help), 0, 0, "print this and exit"},
    {"version", NULL, OPTION_FLAG, OPTION_FIELD(version), 0, 0, "print the versions and exit"},
};

static const char *const schedule_names[] = {"constant", "cosine", "linear", "step"};

static const char *option_name_at(int64_t i)
{
    return option_table[i].name;
}

static const char *schedule_name_at(int64_t i)
{
    return schedule_names[i];
}

static const Option *option_find(const char *name, size_t length)
{
    for (int64_t i = 0; i < PCC_COUNT(option_table); i++)
        if (strlen(option_table[i].name) == length && memcmp(option_table[i].name, name, length) == 0)
            return &option_table[i];
    return NULL;
}

static int option_unknown(const char *argument, PccError *error)
{
    if (argument[0] != '-')
        return pcc_fail(error, PCC_ERR_USAGE, "unexpected argument %s; options start with --, see --help", argument);
    char name[40];
    const char *start = argument + strspn(argument, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(start, "="), start);
    const char *nearest = pcc_nearest_name(name, option_name_at, PCC_COUNT(option_table));
    if (nearest)
        return pcc_fail(error, PCC_ERR_USAGE, "unknown option %s; did you mean --%s?", argument, nearest);
    return pcc_fail(error, PCC_ERR_USAGE, "unknown option %s; --help lists the options", argument);
}

static int option_set_real(const Option *option, const char *text, double *field, PccError *error)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return pcc_fail(error, PCC_ERR_USAGE, "--%s %s: not a number", option->name, text);
    if (value < option->low || value > option->high)
        return isfinite(option->high)
                   ? pcc_fail(error, PCC_ERR_USAGE, "--%s %s: must be from %g to %g", option->name, text, option->low,
                              option->high)
                   : pcc_fail(error, PCC_ERR_USAGE, "--%s %s: must be at least %g", option->name, text, option->low);
    *field = value;
    return PCC_OK;
}

static int option_set_count(const Option *option, const char *text, int64_t *field, PccError *error)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return pcc_fail(error, PCC_ERR_USAGE, "--%s %s: not an integer", option->name, text);
    if ((double)value < option->low)
        return pcc_fail(error, PCC_ERR_USAGE, "--%s %s: must be at least %g", option->name, text, option->low);
    if (option->high > 0 && (double)value > option->high)
        return pcc_fail(error, PCC_ERR_USAGE, "--%s %s: must be at most %g", option->name, text, option->high);
    *field = value;
    return PCC_OK;
}

static int option_set(const Option *option, const char *text, PccRunOptions *options, PccError *error)
{
    void *field = (char *)options + option->field;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return PCC_OK;
    case OPTION_TEXT:
        *(const char **)field = text;
        return *text ? PCC_OK : pcc_fail(error, PCC_ERR_USAGE, "--%s needs %s", option->name, option->argument);
    case OPTION_LAYOUT:
        if (options->layout_count == PCC_MAX_LAYOUTS)
            return pcc_fail(error, PCC_ERR_USAGE, "--layout %s: more than %d of them", text, PCC_MAX_LAYOUTS);
        options->layouts[options->layout_count++] = text;
        return PCC_OK;
    case OPTION_REAL:
        return option_set_real(option, text, field, error);
    default:
        return option_set_count(option, text, field, error);
    }
}

/* Handles argv[i]; returns how many arguments it took, 0 on failure. */
static int option_parse_one(int argc, char **argv, int i, PccRunOptions *options, PccError *error)
{
    const char *argument = argv[i], *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
    const Option *option = length > 2 && memcmp(argument, "--", 2) == 0 ? option_find(argument + 2, length - 2) : NULL;
    if (!option) {
        option_unknown(argument, error);
        return 0;
    }
    const char *text = equals ? equals + 1 : NULL;
    int taken = 1;
    bool next_is_number = i + 1 < argc && argv[i + 1][0] >= '0' && argv[i + 1][0] <= '9';
    if (option->kind == OPTION_FLAG && text) {
        pcc_fail(error, PCC_ERR_USAGE, "--%s takes no value", option->name);
        return 0;
    }
    if (option->kind == OPTION_STEPS && !text && !next_is_number) {
        *(int64_t *)(void *)((char *)options + option->field) = OPTION_BENCH_STEPS;
        return taken;
    }
    if (option->kind != OPTION_FLAG && !text) {
        if (i + 1 == argc) {
            pcc_fail(error, PCC_ERR_USAGE, "--%s needs %s", option->name, option->argument);
            return 0;
        }
        text = argv[i + 1];
        taken = 2;
    }
    return option_set(option, text, options, error) ? 0 : taken;
}

static int options_check_values(PccRunOptions *options, PccError *error)
{
    if (options->normalize) {
        char *end;
        options->mean = strtod(options->normalize, &end);
        bool good = end != options->normalize && *end == ',';
        const char *second = good ? end + 1 : end;
        options->deviation = strtod(second, &end);
        if (!good || end == second || *end || !isfinite(options->mean) || !isfinite(options->deviation) ||
            options->deviation <= 0)
            return pcc_fail(error, PCC_ERR_USAGE, "--normalize %s: expected MEAN,STD, two numbers, STD above 0",
                            options->normalize);
    }
    for (int64_t i = 0; i < PCC_COUNT(schedule_names); i++) {
        if (strcmp(options->schedule_name, schedule_names[i]) == 0) {
            options->schedule = (PccScheduleKind)i;
            return PCC_OK;
        }
    }
    const char *nearest = pcc_nearest_name(options->schedule_name, schedule_name_at, PCC_COUNT(schedule_names));
    return pcc_fail(error, PCC_ERR_USAGE, "--schedule %s: expected constant, cosine, linear or step%s%s%s",
                    options->schedule_name, nearest ? "; did you mean " : "", nearest ? nearest : "",
                    nearest ? "?" : "");
}

/* Derives settings from the options, and rejects combinations that exclude each other. */
static int options_check_mode(PccRunOptions *options, PccError *error)
{
    if (options->eval + (options->bench > 0) + (options->probe != NULL) > 1)
        return pcc_fail(error, PCC_ERR_USAGE, "give one of --eval, --bench and --probe");
    options->mode = options->eval    ? PCC_MODE_EVAL
                    : options->bench ? PCC_MODE_BENCH
                    : options->probe ? PCC_MODE_PROBE
                                     : PCC_MODE_TRAIN;
    if (!options->probe != !options->dump)
        return pcc_fail(error, PCC_ERR_USAGE, "--probe FILE and --dump FILE go together");
    if (options->epochs && options->steps)
        return pcc_fail(error, PCC_ERR_USAGE, "give --epochs or --steps, not both");
    if ((options->resume || options->every) && !options->checkpoint)
        return pcc_fail(error, PCC_ERR_USAGE, "%s needs --checkpoint DIR", options->resume ? "--resume" : "--every");
    if (options->mode == PCC_MODE_EVAL && !options->data && !options->val)
        return pcc_fail(error, PCC_ERR_USAGE, "--eval needs --data SPEC or --val SPEC");
    if (options->mode == PCC_MODE_TRAIN && !options->data && !options->save && !options->export_file)
        return pcc_fail(error, PCC_ERR_USAGE, "nothing to do: give --data SPEC to train, or see --help");
    return PCC_OK;
}

static PccRunOptions options_defaults(const PccProgram *program)
{
    return (PccRunOptions){.val_fraction = 0.1, .deviation = 1, .hyper = program->hyper, .schedule_name = "constant"};
}

int pcc_parse_options(const PccProgram *program, int argc, char **argv, PccRunOptions *options, PccError *error)
{
    *options = options_defaults(program);
    for (int i = 1; i < argc;) {
        int taken = option_parse_one(argc, argv, i, options, error);
        if (taken == 0)
            return error->status;
        if (options->help || options->version)
            return PCC_OK;
        i += taken;
    }
    int status = options_check_values(options, error);
    return status ? status : options_check_mode(options, error);
}

static void option_print_default(const Option *option, const PccRunOptions *defaults)
{
    const void *field = (const char *)defaults + option->field;
    if (option->kind == OPTION_REAL)
        printf(" (%g)", *(const double *)field);
    else if (option->kind == OPTION_TEXT && *(const char *const *)field)
        printf(" (%s)", *(const char *const *)field);
    else if (option->kind == OPTION_COUNT && option->low == 0)
        printf(" (%lld)", (long long)*(const int64_t *)field);
}

void pcc_print_help(const PccProgram *program, const char *executable)
{
    PccRunOptions defaults = options_defaults(program);
    printf("%s: trains %s (%s, %s, batch %lld)\n\n"
           "  %s --data SPEC [--epochs N | --steps N] [--lr X ...]\n\n",
           executable, program->name, program->precision, program->optimizer, (long long)program->batch, executable);
    for (int64_t i = 0; i < PCC_COUNT(option_table); i++) {
        const Option *option = &option_table[i];
        char usage[64];
        snprintf(usage, sizeof usage, "--%s%s%s", option->name, option->argument ? " " : "",
                 option->argument ? option->argument : "");
        printf("  %-26s %s", usage, option->help);
        option_print_default(option, &defaults);
        putchar('\n');
    }
    puts("\nExit status: 0 ok, 1 bad input, 2 usage, 4 I/O, 70 internal error.");
}
