/* expansion.c: see expansion.h. */
#include "ir/expansion.h"

static Value *stand_in(Graph *apart, const Node *node, int i, const Tensor *tensors)
{
    const Value *operand = node->inputs[i];
    if (!operand)
        return NULL;
    if (operand->kind == VALUE_CONST && operand->data)
        return const_create(apart, operand->type, operand->data, operand->name);
    if (tensors && operand_is_static(node->op, i))
        return const_tensor(apart, &tensors[i]);
    Value *value = value_create(apart, VALUE_INPUT, operand->type, operand->name);
    graph_add_input(apart, value);
    return value;
}

Expansion expand_apart(const Graph *graph, const Node *node, const Tensor *tensors)
{
    Graph *apart = graph_create(graph->arena, graph->diagnostics, graph->name);
    apart->stage = graph->stage;
    apart->origin = node->origin;
    Expansion expansion = {.graph = apart};
    expansion.inputs = NEW_ARRAY(graph->arena, Value *, node->input_count);
    for (int i = 0; i < node->input_count; i++)
        expansion.inputs[i] = stand_in(apart, node, i, tensors);
    Node *twin = node_create(apart, node->op, node->input_count, expansion.inputs, node->output_count);
    copy_attrs(apart, twin, node);
    for (int i = 0; i < node->output_count; i++) {
        if (node->outputs[i])
            twin->outputs[i]->type = node->outputs[i]->type;
        else
            twin->outputs[i] = NULL;
    }
    apart->cursor = twin;
    expansion.results = NEW_ARRAY(graph->arena, Value *, node->output_count);
    node->op->expand(apart, twin, expansion.results);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] && !expansion.results[i])
            internal_error(graph->diagnostics, node->origin, "the expansion of %s gives no output %d", node->op->name,
                           i);
    node_remove(apart, twin);
    return expansion;
}
