/* batch.c: how many samples a step has, and which inputs hold them.
 *
 * Inputs come with their samples on the first axis: the batch is the first axis that they have in common. Beside them
 * there are scalars, inputs of one row for all samples (positions [1, T]) and, where samples are the nodes of a graph,
 * inputs with a first axis of their own (edges [2, E]). Inputs without a common first axis of which no axis of the
 * loss's output comes are one sample together: a graph with its nodes and edges, from which a few rows are computed. */
#include "passes/training/axis_names.h"
#include "passes/training/batch_axis.h"

static const Value *first_float_input(const Graph *graph)
{
    for (int i = 0; i < graph->input_count; i++)
        if (is_float(graph->inputs[i]->type.dtype) && graph->inputs[i]->type.rank > 0)
            return graph->inputs[i];
    return NULL;
}

/* The input whose first axis all others share, those of one row beside a float input of several aside; NULL when they
 * do not. */
static const Value *common_input(const Graph *graph)
{
    const Value *common = first_float_input(graph);
    const bool one_row_counts = !common || rows_of(common) <= 1;
    for (int i = 0; i < graph->input_count; i++) {
        const Value *value = graph->inputs[i];
        if (rows_of(value) == 0 || (rows_of(value) == 1 && !one_row_counts))
            continue;
        if (common && (rows_of(value) != rows_of(common) ||
                       names_disagree(first_symbol(graph, value->name), first_symbol(graph, common->name))))
            return NULL;
        common = common ? common : value;
    }
    return common;
}

/* How well the first axis of an input, which the output has by name, does for the batch; 0: the output does not have
 * it. Best is what is called a batch; floats go before integers, of which positions [T] are told from ids [B, T] by the
 * output's first axis. */
static int rank_of_named(const Graph *graph, const Value *input, const DeclaredAxes *output)
{
    const char *symbol = first_symbol(graph, input->name);
    if (input->type.rank == 0 || !names_axis(output, symbol))
        return 0;
    if (is_batch_name(symbol))
        return 4;
    if (is_float(input->type.dtype))
        return 3;
    return output->symbols[0] && !names_disagree(output->symbols[0], symbol) ? 2 : 1;
}

/* Of inputs that do not share a first axis, the first of those that do best. */
static const Value *named_input(const Graph *graph, const DeclaredAxes *output)
{
    const Value *found = NULL;
    int best = 0;
    for (int i = 0; i < graph->input_count; i++) {
        int rank = rank_of_named(graph, graph->inputs[i], output);
        if (rank > best) {
            found = graph->inputs[i];
            best = rank;
        }
    }
    return found;
}

/* Of inputs that are all integers: token ids [B, T], beside positions [1, T] or [T] perhaps, whose rows the output has,
 * or whose tokens, [B · T]. */
static const Value *input_of_rows(const Graph *graph, int64_t rows)
{
    const Value *found = NULL;
    for (int i = 0; i < graph->input_count; i++) {
        const Value *value = graph->inputs[i];
        int64_t own = rows_of(value);
        if (own == 0)
            continue;
        if (own == rows)
            return value;
        if (!found || (rows > 0 && rows % own == 0 && rows_of(found) <= 1 && own > rows_of(found)))
            found = value;
    }
    return found;
}

/* The input whose first axis is the batch, if there is one. */
static const Value *batch_input(const Graph *graph, const Value *scores, const char *output)
{
    const Value *found = common_input(graph);
    if (!found)
        found = named_input(graph, declared_axes(graph, output));
    if (!found)
        found = first_float_input(graph);
    return found ? found : input_of_rows(graph, scores ? rows_of(scores) : 0);
}

/* Does nothing of the value's shape come from the batch? Its axes have other names or, unless the inputs, floats among
 * them, have a first axis in common, other extents. */
static bool lacks_batch(const Graph *graph, const Value *scores, const char *output)
{
    const DeclaredAxes *declared = declared_axes(graph, output);
    const int64_t batch = graph->batch, rows = rows_of(scores);
    if (follow_batch(graph, batch)[scores->id] > 0 || (common_input(graph) && rows == batch))
        return false;
    if (declared && declared->symbols[0] && graph->batch_symbol)
        return !names_axis(declared, graph->batch_symbol);
    for (int axis = 1; axis < scores->type.rank; axis++)
        if (scores->type.dims[axis] == batch)
            return false;
    return rows % batch != 0 && !(common_input(graph) && first_float_input(graph));
}

/* Samples are fed as the first axis: one that only goes by a batch's name further behind is not fed sample by sample.
 */
static void warn_of_batch_behind(const Graph *graph, const Value *input)
{
    const DeclaredAxes *declared = declared_axes(graph, input->name);
    for (int axis = 1; declared && !is_batch_name(declared->symbols[0]) && axis < input->type.rank; axis++)
        if (is_batch_name(declared->symbols[axis]))
            warning(graph->diagnostics, NO_ORIGIN, "batch-not-first",
                    "input '%s', %s, calls its axis %d '%s', but samples are fed on the first axis: '%s' is taken for "
                    "them; export the model with the batch first",
                    input->name, type_text(graph->arena, &input->type), axis, declared->symbols[axis],
                    declared->symbols[0] ? declared->symbols[0] : "axis 0");
}

void find_batch(Graph *graph, const Value *scores, const char *output)
{
    const Value *input = batch_input(graph, scores, output);
    graph->batch = input && rows_of(input) > 0 ? rows_of(input) : 1;
    graph->batch_symbol = input ? first_symbol(graph, input->name) : NULL;
    if (input)
        warn_of_batch_behind(graph, input);
    if (graph->batch > 1 && scores && scores->type.rank > 0 && lacks_batch(graph, scores, output)) {
        note(graph->diagnostics, NO_ORIGIN,
             "no axis of '%s', %s, comes from the first axis of input '%s': the inputs of a step are one sample",
             output ? output : "the output", type_text(graph->arena, &scores->type), input->name);
        graph->batch = 1;
        graph->batch_symbol = NULL;
    }
}

int64_t graph_batch(const Graph *graph)
{
    const Value *input = batch_input(graph, graph->target, NULL);
    return graph->batch ? graph->batch : input && rows_of(input) > 0 ? rows_of(input) : 1;
}
