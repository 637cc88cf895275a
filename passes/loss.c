/* loss.c: attaches the loss that --loss names to the output that it reads. */
#include <inttypes.h>
#include <string.h>

#include "passes/passes.h"

const char *const loss_names[LOSS_COUNT] = {"cross-entropy", "token-cross-entropy", "causal-lm",
                                            "mse",           "bce-with-logits",     "output"};

static int output_index(const Graph *graph, const Options *options)
{
    if (graph->output_count == 0)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "the graph has no outputs: there is nothing to train");
    for (int i = 0; i < graph->output_count; i++)
        if (options->output ? strcmp(graph->output_names[i], options->output) == 0
                            : is_float(graph->outputs[i]->type.dtype))
            return i;
    if (!options->output)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "no output is floating-point: there is nothing to train");
    const char *near = did_you_mean(options->output, graph->output_names, graph->output_count);
    fatal(graph->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "--output '%s' is not an output of the graph%s%s%s",
          options->output, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int64_t rows_of(const Value *value)
{
    return value->type.rank > 0 ? value->type.dims[0] : 0;
}

/* Samples of a step whose inputs are all integers: token ids [B, T], beside positions [1, T] or [T] perhaps. The
 * target's rows are theirs, [B, ...], or flattened, [B · T]. */
static int64_t batch_of_targets(const Graph *graph, int64_t targets)
{
    int64_t batch = 0;
    for (int i = 0; i < graph->input_count; i++) {
        int64_t rows = rows_of(graph->inputs[i]);
        if (rows == targets)
            return targets;
        if (rows > 0 && targets % rows == 0 && batch <= 1 && rows > batch)
            batch = rows;
    }
    return batch ? batch : targets;
}

int64_t graph_batch(const Graph *graph)
{
    for (int i = 0; i < graph->input_count; i++)
        if (is_float(graph->inputs[i]->type.dtype) && graph->inputs[i]->type.rank > 0)
            return graph->inputs[i]->type.dims[0];
    if (graph->target && graph->target->type.rank > 0)
        return batch_of_targets(graph, rows_of(graph->target));
    for (int i = 0; i < graph->input_count; i++)
        if (graph->inputs[i]->type.rank > 0)
            return graph->inputs[i]->type.dims[0];
    return 1;
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

static Value *cross_entropy(Graph *graph, Value *logits, Value *target, int axis, int64_t shift)
{
    Value *operands[] = {logits, target};
    Node *node = build_begin(graph, "CrossEntropy", 2, operands, 3);
    set_int(graph, node, "axis", axis);
    set_int(graph, node, "shift", shift);
    set_int(graph, node, "ignore_index", -100);
    set_int(graph, node, "reduction", 2);
    set_int(graph, node, "batch", logits->type.dims[0]);
    return build_finish(graph, node);
}

static void need_rank(Graph *graph, const Value *output, const Options *options, int least, const char *form)
{
    if (output->type.rank < least)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "--loss %s reads output '%s' of type %s, but it needs %s; name another output with --output or another "
              "--loss",
              loss_names[options->loss], output->name ? output->name : "?", type_text(graph->arena, &output->type),
              form);
}

static Value *scalar_output(Graph *graph, Value *output)
{
    if (element_count(&output->type) != 1 || !is_float(output->type.dtype))
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "--loss output needs a scalar output, but '%s' is %s; choose a --loss, or the loss with --output",
              output->name ? output->name : "?", type_text(graph->arena, &output->type));
    return build_reshape(graph, output, 0, NULL);
}

static Value *regression(Graph *graph, const char *op, Value *output)
{
    return build_binary(graph, op, output, make_target(graph, output->type));
}

void attach_loss(Graph *graph, const Options *options)
{
    int index = output_index(graph, options);
    Value *output = graph->outputs[index];
    Type labels = output->type;
    labels.dtype = DTYPE_I64;
    graph->origin = (Origin){"loss", loss_names[options->loss]};
    switch (options->loss) {
    case LOSS_CROSS_ENTROPY:
        need_rank(graph, output, options, 2, "logits [N, C, ...]");
        for (int i = 1; i + 1 < labels.rank; i++)
            labels.dims[i] = labels.dims[i + 1];
        labels.rank--;
        graph->loss = cross_entropy(graph, output, make_target(graph, labels), 1, 0);
        break;
    case LOSS_TOKEN_CROSS_ENTROPY:
        need_rank(graph, output, options, 3, "logits [B, T, C]");
        labels.rank--;
        graph->loss = cross_entropy(graph, output, make_target(graph, labels), output->type.rank - 1, 0);
        break;
    case LOSS_CAUSAL_LM:
        need_rank(graph, output, options, 3, "logits [B, T, V]");
        graph->loss = cross_entropy(graph, output, label_input(graph, options), output->type.rank - 1,
                                    output->type.dims[output->type.rank - 2]);
        break;
    case LOSS_MSE:
        graph->loss = regression(graph, "MeanSquaredError", output);
        break;
    case LOSS_BCE_WITH_LOGITS:
        graph->loss = regression(graph, "BceWithLogits", output);
        break;
    case LOSS_OUTPUT:
    case LOSS_COUNT:
        graph->loss = scalar_output(graph, output);
        break;
    }
    graph->origin = NO_ORIGIN;
}

LossKind default_loss(const Graph *graph)
{
    for (int i = 0; i < graph->output_count; i++)
        if (is_float(graph->outputs[i]->type.dtype))
            return element_count(&graph->outputs[i]->type) == 1 ? LOSS_OUTPUT : LOSS_CROSS_ENTROPY;
    return LOSS_CROSS_ENTROPY;
}
