/* onnx_states.c: statistics, by what reads them. The running statistics of BatchNormalization are
 * initializers like any other in the file; in training mode they are states, which the step writes. Pass bind_states
 * adds the updates. */
#include <string.h>

#include "frontend/import/onnx_model.h"
#include "ir/schema.h"

/* The initializer as a state; a second reader of the same initializer gets a copy, since both would write it. */
static Value *state_of(Import *import, const Node *node, Value *statistics)
{
    if (statistics->kind == VALUE_PARAM) {
        statistics->kind = VALUE_STATE;
        return statistics;
    }
    const char *suffix = node->origin.node ? node->origin.node : "copy";
    const char *name = free_name(import, arena_printf(import->arena, "%s:%s", statistics->name, suffix));
    Value *copy = value_create(import->graph, VALUE_STATE, statistics->type, name);
    copy->data = statistics->data;
    return copy;
}

void mark_states(Import *import, Node *node)
{
    if (strcmp(node->op->name, "BatchNormalization") != 0 || !attr_int(node, "training_mode")) {
        return;
    }
    for (int i = 3; i <= 4; i++) { /* mean and variance */
        Value *statistics = input(node, i);
        if (statistics && (statistics->kind == VALUE_PARAM || statistics->kind == VALUE_STATE)) {
            node->inputs[i] = state_of(import, node, statistics);
        }
    }
}

/* By value id: is it read as anything but a statistic? */
static bool *mark_other_readers(const Graph *graph)
{
    bool *others = NEW_ARRAY(graph->arena, bool, graph->value_count + 1);
    for (const Node *node = graph->first; node; node = node->next) {
        for (int i = 0; i < node->input_count; i++) {
            if (node->inputs[i] && operand_role(node->op, i) != ROLE_STATISTIC) {
                others[node->inputs[i]->id] = true;
            }
        }
    }
    return others;
}

void separate_statistics(Import *import)
{
    Graph *graph = import->graph;
    const bool *others = mark_other_readers(graph);
    const int stored = graph->value_count;
    for (Node *node = graph->first; node; node = node->next) {
        for (int i = 0; i < node->input_count; i++) {
            Value *operand = node->inputs[i];
            if (!operand || operand->id >= stored || !others[operand->id] ||
                operand_role(node->op, i) != ROLE_STATISTIC) {
                continue;
            }
            if (operand->kind == VALUE_PARAM && !attr_int(node, "training_mode")) {
                node->inputs[i] = const_create(graph, operand->type, operand->data, NULL);
            } else if (operand->kind == VALUE_PARAM || operand->kind == VALUE_STATE) {
                operand->kind = VALUE_STATE;
                node->inputs[i] = state_of(import, node, operand);
                operand->kind = VALUE_PARAM;
            }
        }
    }
}
