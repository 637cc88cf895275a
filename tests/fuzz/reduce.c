/* reduce.c: the smallest graph that still fails. */
#include <string.h>

#include "fuzz.h"

typedef struct Reduction {
    Case best;
    Fails *fails;
    void *context;
} Reduction;

static Case copy_of(const Case *test)
{
    Case copy = *test;
    copy.graph = graph_clone(test->graph);
    return copy;
}

static void drop_unused_inputs(Case *test)
{
    Graph *graph = test->graph;
    const int *uses = count_uses(graph);
    int kept = 0;
    for (int i = 0; i < graph->input_count; i++)
        if (uses[graph->inputs[i]->id] > 0)
            graph->inputs[kept++] = graph->inputs[i];
        else
            graph->values[graph->inputs[i]->id] = NULL;
    graph->input_count = kept;
    for (int i = 0; i < graph->value_count; i++)
        if (graph->values[i] && graph->values[i]->kind != VALUE_TEMP && uses[i] == 0)
            graph->values[i] = NULL;
}

static bool try_case(Reduction *reduction, Case *candidate)
{
    remove_dead_nodes(candidate->graph);
    drop_unused_inputs(candidate);
    candidate->output_count = candidate->graph->output_count;
    if (candidate->output_count == 0 || !reduction->fails(reduction->context, candidate))
        return false;
    reduction->best = *candidate;
    return true;
}

static void remove_output(Graph *graph, int index)
{
    graph->output_count--;
    for (int i = index; i < graph->output_count; i++) {
        graph->outputs[i] = graph->outputs[i + 1];
        graph->output_names[i] = graph->output_names[i + 1];
    }
}

static bool drop_outputs(Reduction *reduction)
{
    bool changed = false;
    for (int i = reduction->best.output_count - 1; i >= 0; i--) {
        Case candidate = copy_of(&reduction->best);
        remove_output(candidate.graph, i);
        changed |= try_case(reduction, &candidate);
    }
    return changed;
}

static Node *node_by_id(Graph *graph, int id)
{
    for (Node *node = graph->first; node; node = node->next)
        if (node->id == id)
            return node;
    return NULL;
}

/* An operand of the output's own type in its place. */
static bool bypass(Reduction *reduction, int id)
{
    const Node *original = node_by_id(reduction->best.graph, id);
    for (int i = 0; original && i < original->input_count; i++) {
        Case candidate = copy_of(&reduction->best);
        Node *node = node_by_id(candidate.graph, id);
        Value *operand = node->inputs[i], *output = node->outputs[0];
        if (!operand || !output || !same_type(&operand->type, &output->type))
            continue;
        replace_value(candidate.graph, output, operand);
        if (try_case(reduction, &candidate))
            return true;
    }
    return false;
}

/* What is computed becomes a parameter, or a constant when it is no float, of the numbers that it has. */
static bool replace_by_data(Reduction *reduction, int id)
{
    Case candidate = copy_of(&reduction->best);
    Graph *graph = candidate.graph;
    Node *node = node_by_id(graph, id);
    Tensor *tensors = NEW_ARRAY(graph->arena, Tensor, graph->value_count);
    for (int i = 0; i < graph->input_count; i++)
        tensors[graph->inputs[i]->id] =
            tensor_from_data(graph->arena, &graph->inputs[i]->type, case_input(&candidate, graph->inputs[i]->name));
    evaluate_graph(graph, tensors);
    for (int i = 0; i < node->output_count; i++) {
        Value *output = node->outputs[i];
        if (!output)
            continue;
        Value *value = value_create(graph, is_float(output->type.dtype) ? VALUE_PARAM : VALUE_CONST, output->type,
                                    arena_printf(graph->arena, "r%d", output->id));
        value->data = tensor_to_data(graph->arena, &tensors[output->id]);
        replace_value(graph, output, value);
    }
    for (int i = graph->output_count - 1; i >= 0; i--)
        if (!graph->outputs[i]->producer)
            remove_output(graph, i);
    return try_case(reduction, &candidate);
}

/* From the last node to the first: what only a dropped node read goes with it. */
static bool drop_nodes(Reduction *reduction)
{
    bool changed = false;
    for (int id = reduction->best.graph->node_count - 1; id >= 0; id--) {
        if (node_by_id(reduction->best.graph, id) && replace_by_data(reduction, id))
            changed = true;
        else if (bypass(reduction, id))
            changed = true;
    }
    return changed;
}

Case reduce_case(const Case *test, Fails *fails, void *context)
{
    Reduction reduction = {copy_of(test), fails, context};
    while (drop_outputs(&reduction) | drop_nodes(&reduction))
        continue;
    return reduction.best;
}
