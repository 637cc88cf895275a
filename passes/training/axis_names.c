/* axis_names.c: what the model's file calls the axes of its inputs and outputs, and which of them is the batch. */
#include "passes/training/axis_names.h"

#include <string.h>

const DeclaredAxes *declared_axes(const Graph *graph, const char *name)
{
    for (int i = 0; name && i < graph->declared_count; i++)
        if (strcmp(graph->declared[i].name, name) == 0)
            return &graph->declared[i];
    return NULL;
}

const char *first_symbol(const Graph *graph, const char *name)
{
    const DeclaredAxes *declared = declared_axes(graph, name);
    return declared ? declared->symbols[0] : NULL;
}

bool is_batch_name(const char *symbol)
{
    return symbol && (!strcmp(symbol, "batch") || !strcmp(symbol, "batch_size") || !strcmp(symbol, "N"));
}

bool names_disagree(const char *a, const char *b)
{
    return a && b && strcmp(a, b) != 0 && !(is_batch_name(a) && is_batch_name(b));
}

bool names_axis(const DeclaredAxes *declared, const char *symbol)
{
    for (int axis = 0; declared && symbol && axis < MAX_RANK; axis++)
        if (declared->symbols[axis] && !names_disagree(declared->symbols[axis], symbol))
            return true;
    return false;
}

int input_batch_axis(const Graph *graph, const Value *input, int64_t batch)
{
    int named = output_batch_axis(graph, input, input->name);
    if (named >= 0)
        return named;
    return rows_of(input) == batch && !names_disagree(first_symbol(graph, input->name), graph->batch_symbol) ? 0 : -1;
}

int output_batch_axis(const Graph *graph, const Value *output, const char *name)
{
    const DeclaredAxes *declared = declared_axes(graph, name);
    int found = -1;
    for (int axis = 0; declared && graph->batch_symbol && axis < output->type.rank; axis++) {
        if (!declared->symbols[axis] || names_disagree(declared->symbols[axis], graph->batch_symbol))
            continue;
        if (found >= 0 || output->type.dims[axis] != graph->batch)
            return -1;
        found = axis;
    }
    return found;
}
