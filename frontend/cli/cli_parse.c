/* cli_parse.c: from argv to a CommandLine by the table of options. */
#include "frontend/cli/cli_options.h"
#include "passes/precision/policy.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Parser {
    Arena *arena;
    Diagnostics *diagnostics;
    Command command;
    CommandLine *line;
} Parser;

#define usage(parser, ...) fatal((parser)->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, __VA_ARGS__)

/* "; did you mean 'X'?", or nothing. */
static const char *suggestion(Parser *parser, const char *word, const char *const *candidates, int count)
{
    const char *near = did_you_mean(word, candidates, count);
    return near ? arena_printf(parser->arena, "; did you mean '%s'?", near) : "";
}

static const char *command_name(unsigned command)
{
    return command == COMMAND_RUN ? "pcc run" : command == COMMAND_VERIFY ? "pcc verify" : "pcc";
}

/* ---- finding the option ------------------------------------------------------------------------------------------ */

/* "--loss=mse" is --loss with a value; "-otrain.c" is -o with one. */
static const CliOption *find_option(const char *word, const char **value)
{
    for (int i = 0; i < cli_option_count; i++) {
        const CliOption *option = &cli_options[i];
        size_t length = strlen(option->name);
        if (strcmp(word, option->name) == 0) {
            *value = NULL;
            return option;
        }
        if (strncmp(word, option->name, length) != 0)
            continue;
        bool is_short = option->name[1] != '-' && length == 2 && option->argument;
        if (is_short || word[length] == '=') {
            *value = word + length + (is_short ? 0 : 1);
            return option;
        }
    }
    return NULL;
}

static _Noreturn void unknown_option(Parser *parser, const char *word)
{
    const char *equals = strchr(word, '=');
    const char *name = arena_strndup(parser->arena, word, equals ? (size_t)(equals - word) : strlen(word));
    const char **names = NEW_ARRAY(parser->arena, const char *, cli_option_count);
    int count = 0;
    for (int i = 0; i < cli_option_count; i++)
        if (cli_options[i].commands & parser->command)
            names[count++] = cli_options[i].name;
    const char *hint = suggestion(parser, name, names, count);
    usage(parser, "unknown option '%s'%s", name, *hint ? hint : "; see pcc --help");
}

static void check_command(Parser *parser, const CliOption *option)
{
    if (option->commands & parser->command)
        return;
    unsigned first = option->commands & -option->commands;
    usage(parser, "%s is an option of '%s', not of '%s'", option->name, command_name(first),
          command_name(parser->command));
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static _Noreturn void refuse(Parser *parser, const CliOption *option, const char *value)
{
    fatal(parser->diagnostics, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN, "%s %s is not supported by this version of pcc",
          option->name, value);
}

static bool is_number(const char *value)
{
    char *end;
    return *value && isfinite(strtod(value, &end)) && !*end && strtod(value, NULL) > 0;
}

/* The step multiplies and divides by it in f32: it and its inverse are normal numbers. */
static bool is_loss_scale(const char *value)
{
    return is_number(value) && strtod(value, NULL) >= 0x1p-126 && strtod(value, NULL) <= 0x1p126;
}

static const char *choice_list(Parser *parser, const Choice *choices)
{
    const char *list = "";
    for (const Choice *choice = choices; choice->name; choice++)
        list = arena_printf(parser->arena, "%s%s%s", list, *list ? " " : "", choice->name);
    return list;
}

/* Is it a file where a name may stand too, as in --policy NAME|FILE? */
static bool may_be_file(const CliOption *option)
{
    return option->kind == OPTION_PATH || (option->argument && strstr(option->argument, "FILE"));
}

/* The canonical name. A file of rules may stand for a policy, a number for a loss scale. */
static const char *choose(Parser *parser, const CliOption *option, const char *value)
{
    const char *names[32];
    int count = 0;
    for (const Choice *choice = option->choices; choice->name; choice++) {
        bool number = strcmp(choice->name, "NUMBER") == 0;
        if (number ? is_loss_scale(value) : strcmp(choice->name, value) == 0) {
            if (!choice->supported)
                refuse(parser, option, value);
            return number ? value : choice->canonical ? choice->canonical : choice->name;
        }
        names[count++] = choice->name;
    }
    if (may_be_file(option) && access(value, R_OK) == 0)
        return value;
    if (may_be_file(option) && strpbrk(value, "./"))
        fatal(parser->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "%s: cannot read '%s': %s", option->name, value,
              strerror(errno));
    const char *hint = suggestion(parser, value, names, count);
    usage(parser, "%s: unknown value '%s'%s%s one of %s", option->name, value, hint, *hint ? " It is" : "; it is",
          choice_list(parser, option->choices));
}

static int64_t parse_integer(Parser *parser, const CliOption *option, const char *value, int64_t least)
{
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (end == value || *end || errno || number < least || strchr(" \t\n+", *value))
        usage(parser, "%s needs an integer of at least %lld, not '%s'", option->name, (long long)least, value);
    return number;
}

static double parse_positive(Parser *parser, const CliOption *option, const char *value)
{
    if (!is_number(value))
        usage(parser, "%s needs a number above 0, not '%s'", option->name, value);
    return strtod(value, NULL);
}

/* The same option twice: the last one wins, except in lists. */
static void store(Parser *parser, const CliOption *option, const char *value)
{
    void *field = (char *)parser->line + option->field;
    if (value && option->check && !option->check(value))
        usage(parser, "%s: '%s' is not of the form %s; %s", option->name, value, option->argument, option->help);
    if (value && option->choices)
        value = choose(parser, option, value);
    switch (option->kind) {
    case OPTION_MAYBE:
        *(const char **)(void *)((char *)parser->line + option->value_field) = value;
        *(bool *)field = true;
        break;
    case OPTION_FLAG:
        *(bool *)field = true;
        break;
    case OPTION_TEXT:
    case OPTION_PATH:
        *(const char **)field = value;
        break;
    case OPTION_COUNT:
    case OPTION_NATURAL:
        *(int64_t *)field = parse_integer(parser, option, value, option->kind == OPTION_COUNT);
        break;
    case OPTION_POSITIVE:
        *(double *)field = parse_positive(parser, option, value);
        break;
    case OPTION_LIST: {
        TextList *list = field;
        if (option->prefix)
            value = arena_printf(parser->arena, "%s%s", option->prefix, value);
        APPEND(parser->arena, list->items, list->count, value);
        break;
    }
    }
}

/* ---- the header comment's command ------------------------------------------------------------------------------- */

/* What the shell would need quotes for is quoted; paths keep their last component, so that the same command in another
 * folder gives the same bytes. */
static void summarise(Parser *parser, const char *name, const char *value, bool is_path)
{
    const char *slash = is_path ? strrchr(value, '/') : NULL;
    const char *shown = slash ? slash + 1 : value;
    const char *special = " \t\n\"'\\$`*?[]{}()<>|&;#~!";
    const char *quote = *shown == '\0' || strpbrk(shown, special) ? "'" : "";
    const char *summary = parser->line->summary;
    parser->line->summary = arena_printf(parser->arena, "%s%s%s%s%s%s%s", summary, *summary ? " " : "", name,
                                         *name && *value ? " " : "", *value ? quote : "", shown, *value ? quote : "");
}

/* Of what shapes the output only: where a depfile goes or how messages look is not the program's business. */
static bool shapes_output(const CliOption *option)
{
    return option->section != SECTION_MESSAGES && strncmp(option->name, "-M", 2) != 0 &&
           strcmp(option->name, "--save-temps") != 0;
}

/* ---- argv ------------------------------------------------------------------------------------------------------- */

static int parse_option(Parser *parser, int argc, char **argv, int i)
{
    const char *value;
    const CliOption *option = find_option(argv[i], &value);
    if (!option)
        unknown_option(parser, argv[i]);
    check_command(parser, option);
    if (value && !option->argument)
        usage(parser, "%s takes no value", option->name);
    if (!value && option->argument && option->kind != OPTION_MAYBE) {
        if (i + 1 == argc)
            usage(parser, "%s needs a value: %s %s", option->name, option->name, option->argument);
        value = argv[++i];
    }
    store(parser, option, value);
    if (shapes_output(option))
        summarise(parser, option->name, value ? value : "", may_be_file(option));
    return i;
}

static void parse_model(Parser *parser, const char *word)
{
    static const char *const commands[] = {"verify", "run", "zoo"};
    if (parser->line->model)
        usage(parser, "two models, '%s' and '%s': give one%s", parser->line->model, word,
              suggestion(parser, parser->line->model, commands, 3));
    parser->line->model = word;
    summarise(parser, "", word, true);
}

/* Before everything else, so that errors in other options have the format already. */
static void choose_format(Diagnostics *diagnostics, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const CliOption *option;
        const char *value = NULL;
        if (argv[i][0] != '-' || !(option = find_option(argv[i], &value)) ||
            option->field != offsetof(CommandLine, diagnostics_format))
            continue;
        value = value ? value : argv[i + 1];
        diagnostics->json = value && strcmp(value, "json") == 0;
    }
}

void parse_command_line(Arena *arena, Diagnostics *diagnostics, Command command, int argc, char **argv,
                        CommandLine *line)
{
    Parser parser = {arena, diagnostics, command, line};
    *line = (CommandLine){.precision = "32-true", .optimizer = "adamw", .accumulate = 1, .summary = ""};
    bool options_end = false;
    choose_format(diagnostics, argc, argv);
    for (int i = 1; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0)
            options_end = true;
        else if (!options_end && argv[i][0] == '-' && argv[i][1])
            i = parse_option(&parser, argc, argv, i);
        else
            parse_model(&parser, argv[i]);
        if (line->help || line->version)
            return;
    }
    diagnostics->werror = line->werror;
}

void need_model(Diagnostics *diagnostics, const CommandLine *line)
{
    if (!line->model)
        fatal(diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "no model; usage: pcc MODEL.onnx [options] -o train.c");
}

/* ---- for the importer and the passes ---------------------------------------------------------------------------- */

ImportOptions import_options(Arena *arena, Diagnostics *diagnostics, const CommandLine *line)
{
    DimBinding *dims = NEW_ARRAY(arena, DimBinding, line->dims.count + 1);
    ShapeBinding *shapes = NEW_ARRAY(arena, ShapeBinding, line->shapes.count + 1);
    InputBinding *bindings = NEW_ARRAY(arena, InputBinding, line->bindings.count + 1);
    for (int i = 0; i < line->bindings.count; i++)
        if (!parse_input_binding(arena, line->bindings.items[i], &bindings[i]))
            fatal(diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "--bind: '%s' is not of the form INPUT=VALUE",
                  line->bindings.items[i]);
    for (int i = 0; i < line->dims.count; i++)
        if (!parse_dim_binding(arena, line->dims.items[i], &dims[i]))
            fatal(diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "--dim: '%s' is not of the form NAME=N",
                  line->dims.items[i]);
    for (int i = 0; i < line->shapes.count; i++)
        if (!parse_shape_binding(arena, line->shapes.items[i], &shapes[i]))
            fatal(diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
                  "--shape: '%s' is not of the form INPUT=DIMS, as in x=1x3x224x224", line->shapes.items[i]);
    return (ImportOptions){.batch = line->batch,
                           .dims = dims,
                           .dim_count = line->dims.count,
                           .shapes = shapes,
                           .shape_count = line->shapes.count,
                           .bindings = bindings,
                           .binding_count = line->bindings.count,
                           .output = line->output,
                           .labels = line->labels,
                           .trainable = line->trainable.items,
                           .trainable_count = line->trainable.count,
                           .freeze = line->freeze.items,
                           .freeze_count = line->freeze.count,
                           .widen = strcmp(line->precision, "64-true") == 0};
}

static double loss_scale(const char *text)
{
    return !text                          ? 0
           : strcmp(text, "dynamic") == 0 ? LOSS_SCALE_DYNAMIC
           : strcmp(text, "none") == 0    ? 1
                                          : strtod(text, NULL);
}

Options pass_options(const CommandLine *line)
{
    Options options = {.precision = line->precision,
                       .policy = line->policy,
                       .precision_rules = line->precision_rules.items,
                       .precision_rule_count = line->precision_rules.count,
                       .honour_casts = line->honour_casts,
                       .check_numerics = line->check_numerics,
                       .loss_scale = loss_scale(line->loss_scale),
                       .update = line->update,
                       .moments = line->moments,
                       .output = line->output,
                       .labels = line->labels,
                       .head = line->head,
                       .trainable = line->trainable.items,
                       .trainable_count = line->trainable.count,
                       .freeze = line->freeze.items,
                       .freeze_count = line->freeze.count,
                       .init_random = line->init && strcmp(line->init, "random") == 0,
                       .seed = (uint64_t)line->seed,
                       .optimizer = line->optimizer,
                       .clip_norm = line->clip_norm,
                       .accumulate = line->accumulate,
                       .dump_after = line->dump_after,
                       .dump_stream = stdout,
                       .passes = line->passes,
                       .recompute = RECOMPUTE_FUSED};
    for (int i = 0; line->recompute && i < RECOMPUTE_KINDS; i++)
        if (strcmp(line->recompute, recompute_names[i]) == 0)
            options.recompute = (RecomputeKind)i;
    for (int i = 0; line->loss && i < LOSS_COUNT; i++)
        if (strcmp(line->loss, loss_names[i]) == 0) {
            options.loss = (LossKind)i;
            options.loss_given = true;
        }
    return options;
}
