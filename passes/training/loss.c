/* loss.c: attaches the loss that --loss names to the output that it reads. */
#include <string.h>

#include "passes/training/batch_axis.h"
#include "passes/training/logits.h"

const char *const loss_names[LOSS_COUNT] = {
#define LOSS_ROW(KIND, NAME, HELP) NAME,
    PCC_LOSSES(LOSS_ROW)
#undef LOSS_ROW
};

int scored_output(const Graph *graph, const Options *options)
{
    for (int i = 0; i < graph->output_count; i++)
        if (options->output ? graph->output_names[i] && strcmp(graph->output_names[i], options->output) == 0
                            : is_float(graph->outputs[i]->type.dtype))
            return i;
    return -1;
}

/* scored_output(), or the end of the compile. */
static int output_index(const Graph *graph, const Options *options)
{
    int index = scored_output(graph, options);
    if (graph->output_count == 0)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "the graph has no outputs: there is nothing to train");
    if (index < 0 && !options->output)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "no output is floating-point: there is nothing to train");
    if (index >= 0 && !is_float(graph->outputs[index]->type.dtype))
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "--output '%s' is %s: a loss needs floating-point values", options->output,
              type_text(graph->arena, &graph->outputs[index]->type));
    if (index >= 0)
        return index;
    const char *near = did_you_mean(options->output, graph->output_names, graph->output_count);
    fatal(graph->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "--output '%s' is not an output of the graph%s%s%s",
          options->output, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool is_label_like(const Value *input)
{
    return input->type.dtype == DTYPE_I64 || input->type.dtype == DTYPE_I32;
}

int label_input_index(const Graph *graph, const Options *options)
{
    int only = -1, count = 0;
    if (options->loss != LOSS_CAUSAL_LM && options->loss != LOSS_OUTPUT && !options->labels)
        return -1;
    for (int i = 0; i < graph->input_count; i++) {
        if (options->labels && strcmp(graph->inputs[i]->name, options->labels) == 0)
            return i;
        if (is_label_like(graph->inputs[i])) {
            only = i;
            count++;
        }
    }
    return !options->labels && count == 1 ? only : -1;
}

static Value *label_input(Graph *graph, const Options *options)
{
    int index = label_input_index(graph, options);
    if (index >= 0 && !is_label_like(graph->inputs[index]))
        fatal(graph->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "--labels '%s' is %s, but labels are i64 or i32",
              options->labels, type_text(graph->arena, &graph->inputs[index]->type));
    if (index >= 0)
        return build_cast(graph, graph->inputs[index], DTYPE_I64);
    fatal(graph->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
          options->labels
              ? "--labels '%s' is not an input of the graph"
              : "--loss causal-lm needs --labels INPUT%.0s: the graph has no input, or several, of integers",
          options->labels ? options->labels : "");
}

static Value *make_target(Graph *graph, Type type)
{
    return graph->target = value_create(graph, VALUE_TARGET, type, "target");
}

/* The axis of the classes in an output that the loss reads, -1: every element is predicted by itself. */
static int class_axis_of(const Type *type, LossKind loss)
{
    return loss == LOSS_CROSS_ENTROPY                                   ? 1
           : loss == LOSS_TOKEN_CROSS_ENTROPY || loss == LOSS_CAUSAL_LM ? type->rank - 1
                                                                        : -1;
}

static const struct {
    int rank;
    const char *form;
} least[LOSS_COUNT] = {
    [LOSS_CROSS_ENTROPY] = {2, "logits [N, C, ...]"},
    [LOSS_TOKEN_CROSS_ENTROPY] = {3, "logits [B, T, C]"},
    [LOSS_CAUSAL_LM] = {3, "logits [B, T, V]"},
    [LOSS_MSE] = {1, "samples on its first axis"},
    [LOSS_BCE_WITH_LOGITS] = {1, "samples on its first axis"},
};

static void check_form(Graph *graph, const Value *output, const char *name, LossKind loss)
{
    const Type *type = &output->type;
    if (type->rank < least[loss].rank)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "--loss %s reads output '%s' of type %s, but it needs %s; name another output with --output or another "
              "--loss",
              loss_names[loss], name, type_text(graph->arena, type), least[loss].form);
    int axis = class_axis_of(type, loss);
    if (axis >= 0 && type->dims[axis] == 1)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "--loss %s reads output '%s' of type %s, which has one class (axis %d): the loss would always be 0; use "
              "--loss bce-with-logits for yes or no, --loss mse for a number",
              loss_names[loss], name, type_text(graph->arena, type), axis);
}

/* What the loss reads becomes an output, unless it is one already: the runtime judges predictions by it. It has no
 * name, as it is none of the model's. */
static void score(Graph *graph, Value *scores, int index)
{
    graph->loss_output = index;
    for (int i = 0; graph->outputs[graph->loss_output] != scores && i < graph->output_count; i++)
        graph->loss_output = graph->outputs[i] == scores ? i : graph->loss_output;
    if (graph->outputs[graph->loss_output] == scores)
        return;
    graph_add_output(graph, scores);
    graph->loss_output = graph->output_count - 1;
    graph->output_names[graph->loss_output] = NULL;
}

static Value *scores_of(Graph *graph, int index, LossKind loss)
{
    Value *output = graph->outputs[index];
    const char *name = graph->output_names[index] ? graph->output_names[index] : "output";
    check_form(graph, output, name, loss);
    find_batch(graph, output, name);
    int axis = class_axis_of(&output->type, loss);
    Value *scores = loss == LOSS_MSE ? output : logits_behind(graph, output, name, loss, axis);
    scores = scores_batch_first(graph, scores, name, axis);
    score(graph, scores, index);
    return scores;
}

/* i64 labels: the dims of the scores less the classes. */
static Value *make_labels(Graph *graph, const Value *scores, int axis)
{
    Type labels = scores->type;
    labels.dtype = DTYPE_I64;
    labels.rank--;
    for (int i = axis; i < labels.rank; i++)
        labels.dims[i] = scores->type.dims[i + 1];
    return make_target(graph, labels);
}

static Value *cross_entropy(Graph *graph, const Options *options, Value *logits)
{
    const bool shifted = options->loss == LOSS_CAUSAL_LM;
    const int axis = class_axis_of(&logits->type, options->loss);
    Value *operands[] = {logits, shifted ? label_input(graph, options) : make_labels(graph, logits, axis)};
    Node *node = build_begin(graph, "CrossEntropy", 2, operands, 3);
    set_int(graph, node, "axis", axis);
    set_int(graph, node, "shift", shifted ? logits->type.dims[axis - 1] : 0);
    set_int(graph, node, "ignore_index", -100);
    set_int(graph, node, "reduction", 2);
    set_int(graph, node, "batch", logits->type.dims[0]);
    return build_finish(graph, node);
}

static Value *regression(Graph *graph, const char *op, Value *output)
{
    return build_binary(graph, op, output, make_target(graph, output->type));
}

static Value *scalar_output(Graph *graph, int index)
{
    Value *output = graph->outputs[index];
    if (element_count(&output->type) != 1)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "--loss output needs a scalar output, but '%s' is %s; choose a --loss, or the loss with --output",
              graph->output_names[index] ? graph->output_names[index] : "?", type_text(graph->arena, &output->type));
    find_batch(graph, NULL, NULL);
    graph->loss_output = index;
    return build_reshape(graph, output, 0, NULL);
}

void attach_loss(Graph *graph, const Options *options)
{
    int index = output_index(graph, options);
    graph->origin = (Origin){"loss", loss_names[options->loss]};
    switch (options->loss) {
    case LOSS_CROSS_ENTROPY:
    case LOSS_TOKEN_CROSS_ENTROPY:
    case LOSS_CAUSAL_LM:
        graph->loss = cross_entropy(graph, options, scores_of(graph, index, options->loss));
        break;
    case LOSS_MSE:
        graph->loss = regression(graph, "MeanSquaredError", scores_of(graph, index, options->loss));
        break;
    case LOSS_BCE_WITH_LOGITS:
        graph->loss = regression(graph, "BceWithLogits", scores_of(graph, index, options->loss));
        break;
    case LOSS_OUTPUT:
    case LOSS_COUNT:
        graph->loss = scalar_output(graph, index);
        break;
    }
    graph->origin = NO_ORIGIN;
}

LossKind default_loss(const Graph *graph, const Options *options)
{
    int index = scored_output(graph, options);
    return index >= 0 && element_count(&graph->outputs[index]->type) == 1 ? LOSS_OUTPUT : LOSS_CROSS_ENTROPY;
}
