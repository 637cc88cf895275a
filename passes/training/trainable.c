/* trainable.c: which initializers learn, and what is odd about the choice. Which of them no gradient reaches is known
 * only after differentiation. */
#include <fnmatch.h>
#include <string.h>

#include "ir/text/words.h"
#include "passes/training/trainable.h"

static bool is_judged(const Value *value)
{
    return value && value->kind == VALUE_PARAM && value->name;
}

/* A glob that matches nothing is a mistake. */
static void check_globs(Graph *graph, const char *option, const char *const *globs, int count)
{
    const char **names = NEW_ARRAY(graph->arena, const char *, graph->value_count + graph->quantised_count + 1);
    int name_count = 0;
    for (int i = 0; i < graph->quantised_count; i++)
        names[name_count++] = graph->quantised[i];
    for (int i = 0; i < graph->value_count; i++)
        if (graph->values[i] && graph->values[i]->name &&
            (graph->values[i]->kind == VALUE_PARAM || graph->values[i]->kind == VALUE_STATE))
            names[name_count++] = graph->values[i]->name;
    for (int i = 0; i < count; i++) {
        bool found = false;
        for (int j = 0; j < name_count && !found; j++)
            found = fnmatch(globs[i], names[j], 0) == 0;
        if (found)
            continue;
        const char *near = did_you_mean(globs[i], names, name_count);
        error(graph->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "%s '%s' matches no initializer%s%s%s", option,
              globs[i], near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
}

/* The names in one message, which a hundred of them do not fill. */
typedef struct NameList {
    Arena *arena;
    const char *text;
    int count;
} NameList;

static void add_name(NameList *list, const char *name)
{
    enum { MOST = 4 };
    if (list->count < MOST)
        list->text = list->count ? arena_printf(list->arena, "%s, '%s'", list->text, name)
                                 : arena_printf(list->arena, "'%s'", name);
    else if (list->count == MOST)
        list->text = arena_printf(list->arena, "%s, ...", list->text);
    list->count++;
}

/* A statistic that a wildcard names among others is no surprise. */
static bool is_named_literally(const char *name, const Options *options)
{
    for (int i = 0; i < options->trainable_count; i++)
        if (strcmp(options->trainable[i], name) == 0)
            return true;
    return false;
}

static void warn_statistics(const Judge *judge)
{
    const Graph *graph = judge->graph;
    NameList named = {graph->arena, "", 0};
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        bool statistic = value && value->name &&
                         (value->kind == VALUE_STATE || (value->kind == VALUE_PARAM && is_statistic(judge, value)));
        if (statistic && is_named_literally(value->name, judge->options))
            add_name(&named, value->name);
    }
    if (named.count > 0)
        warning(graph->diagnostics, NO_ORIGIN, "trainable-statistic",
                "--trainable names %s: a running statistic of BatchNormalization follows the batches, not a gradient",
                named.text);
}

/* Not as the module has it: an exporter's, which may have folded the batch into it. */
static bool is_exporters_own(const Judge *judge, const Value *value)
{
    const DeclaredKind kind = declaration_of(judge, value).kind;
    return kind == DECLARED_FOLDED_PARAMETER || (kind != DECLARED_PARAMETER && is_generated_name(value->name));
}

/* Rows of the batch are not the same samples from step to step. */
static void warn_rows_of_batch(const Judge *judge)
{
    const Graph *graph = judge->graph;
    NameList named = {graph->arena, "", 0};
    for (int i = 0; i < graph->value_count; i++)
        if (is_judged(graph->values[i]) && (judge->readings[i] & READ_BY_SAMPLE) &&
            is_exporters_own(judge, graph->values[i]) && !is_named_literally(graph->values[i]->name, judge->options))
            add_name(&named, graph->values[i]->name);
    if (named.count > 0)
        warning(graph->diagnostics, NO_ORIGIN, "parameter-per-sample",
                "%s: the first axis is the batch, so each place in the batch learns a row of its own; export the model "
                "with a dynamic batch axis, or --freeze it",
                named.text);
}

void warn_unreached(const Graph *before, const Graph *after, const Options *options)
{
    NameList named = {before->arena, "", 0};
    for (int i = 0; options->trainable_count > 0 && i < before->value_count; i++) {
        const Value *value = before->values[i], *now = i < after->value_count ? after->values[i] : NULL;
        if (is_judged(value) && (!now || now->kind != VALUE_PARAM) &&
            matches_any(value->name, options->trainable, options->trainable_count))
            add_name(&named, value->name);
    }
    if (named.count > 0)
        warning(before->diagnostics, NO_ORIGIN, "trainable-without-gradient",
                "--trainable names %s, which no gradient of the loss reaches: %s what %s", named.text,
                named.count == 1 ? "it stays" : "they stay", named.count == 1 ? "it is" : "they are");
}

static const char *list_quantised(const Graph *graph)
{
    NameList named = {graph->arena, "", 0};
    for (int i = 0; i < graph->quantised_count; i++)
        add_name(&named, graph->quantised[i]);
    return named.text;
}

/* Integers are what a model is deployed as, or the frozen part below an adapter: they train where the user says so. */
static void note_quantised(const Graph *graph, const Options *options)
{
    if (graph->quantised_count > 0 && options->trainable_count == 0)
        note(
            graph->diagnostics, NO_ORIGIN,
            "%d quantised tensor%s (%s) %s as integers; --trainable GLOB trains what it names on its grid, and nothing "
            "else",
            graph->quantised_count, graph->quantised_count == 1 ? "" : "s", list_quantised(graph),
            graph->quantised_count == 1 ? "stays" : "stay");
}

static _Noreturn void nothing_learns(const Graph *graph, int judged)
{
    if (graph->quantised_count > 0)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "no float of the model is trainable, but quantised tensors are, on their grids: name them, as in "
              "--trainable '%s' (%d: %s); `--print trainable` lists them",
              graph->quantised[0], graph->quantised_count, list_quantised(graph));
    if (judged == 0)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "the model holds no float initializer and no weight in a Constant or ConstantOfShape node: there is "
              "nothing to train; was it "
              "exported without its parameters (export_params=False)?");
    fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
          "no initializer of the model is trainable; `--print trainable` says why, --trainable GLOB overrules it");
}

/* Scales of a quantisation, which nodes have as constants: nobody asks of them whether they learn. */
static bool is_unread(const Value *value, const int *uses, const Options *options)
{
    return is_judged(value) && uses[value->id] == 0 && !is_named_literally(value->name, options);
}

void trainable(Graph *graph, const Options *options)
{
    check_globs(graph, "--trainable", options->trainable, options->trainable_count);
    check_globs(graph, "--freeze", options->freeze, options->freeze_count);
    const Judge judge = make_judge(graph, options);
    warn_statistics(&judge);
    const int *uses = count_uses(graph);
    int learning = 0, judged = 0;
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        if (is_unread(value, uses, options))
            value->kind = VALUE_CONST;
        if (!is_judged(value))
            continue;
        judged++;
        if (judge_tensor(&judge, value).learns)
            learning++;
        else
            value->kind = VALUE_CONST;
    }
    if (learning == 0 && graph->diagnostics->error_count == 0)
        nothing_learns(graph, judged);
    note_quantised(graph, options);
    warn_rows_of_batch(&judge);
}
