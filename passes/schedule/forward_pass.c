/* forward_pass.c: which nodes make the loss, and what they leave for the backward pass. */
#include "passes/schedule/forward_pass.h"

bool is_activation(const Forward *forward, const Value *value)
{
    return value && value->id < forward->value_count && value->kind == VALUE_TEMP && value->producer &&
           forward->position[value->producer->id] <= forward->end;
}

/* Backwards, so that a view's readers are known when the view is met. */
static void find_last_reads(Forward *f)
{
    for (int i = 0; i < f->value_count; i++)
        f->last_read[i] = -1;
    for (int at = f->end; at >= 0; at--) {
        const Node *node = f->nodes[at];
        int last = at;
        for (int i = 0; node->op->kind == OP_VIEW && i < node->output_count; i++)
            if (node->outputs[i] && f->last_read[node->outputs[i]->id] > last)
                last = f->last_read[node->outputs[i]->id];
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i] && f->last_read[node->inputs[i]->id] < last)
                f->last_read[node->inputs[i]->id] = last;
    }
}

static void find_saved(Forward *f)
{
    for (const Node *node = f->graph->first; node; node = node->next)
        for (int i = 0; f->position[node->id] > f->end && i < node->input_count; i++)
            if (is_activation(f, node->inputs[i]))
                f->is_saved[node->inputs[i]->id] = true;
}

/* What stands in front of the node that makes the loss, that node included. */
Forward forward_pass(Graph *graph)
{
    Arena *arena = graph->arena;
    Forward f = {.graph = graph, .node_count = graph->node_count, .value_count = graph->value_count, .end = -1};
    f.position = NEW_ARRAY(arena, int, f.node_count + 1);
    f.nodes = NEW_ARRAY(arena, Node *, f.node_count + 1);
    f.last_read = NEW_ARRAY(arena, int, f.value_count + 1);
    f.is_saved = NEW_ARRAY(arena, bool, f.value_count + 1);
    f.is_result = NEW_ARRAY(arena, bool, f.value_count + 1);
    int count = 0;
    for (Node *node = graph->first; node; node = node->next) {
        if (node == graph->loss->producer)
            f.end = count;
        f.nodes[count] = node;
        f.position[node->id] = count++;
    }
    mark_graph_results(graph, f.is_result);
    find_last_reads(&f);
    find_saved(&f);
    return f;
}
