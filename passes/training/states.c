/* states.c: what training-mode operators write back, and what they do instead when the model is evaluated. */
#include <string.h>

#include "passes/passes.h"

/* The new running statistics of each BatchNormalization go back where the old ones came from; exporters leave these
 * outputs dangling. */
void bind_states(Graph *graph, const Options *options)
{
    (void)options;
    for (Node *node = graph->first; node; node = node->next) {
        for (int i = 0; i < node->output_count && i < MAX_ROW_OPERANDS; i++) {
            Value *state = node->op->updates[i] ? input(node, node->op->updates[i] - 1) : NULL;
            if (!state || (state->kind != VALUE_STATE && state->kind != VALUE_PARAM && state->kind != VALUE_CONST) ||
                !state->name || !node->outputs[i])
                continue;
            state->kind = VALUE_STATE;
            graph_add_update(graph, state, node->outputs[i]);
        }
    }
}

/* Inference reads the running statistics; who asked for the new ones gets them as they are. */
static void keep_statistics(Graph *graph, Node *node)
{
    set_int(graph, node, "training_mode", 0);
    for (int i = 1; i < node->output_count; i++) {
        if (node->outputs[i])
            replace_value(graph, node->outputs[i], node->inputs[2 + i]);
        node->outputs[i] = NULL;
    }
}

/* The evaluation graph: BatchNormalization by its running statistics, no Dropout. */
void inference(Graph *graph, const Options *options)
{
    (void)options;
    for (Node *node = graph->first; node; node = node->next) {
        if (strcmp(node->op->name, "BatchNormalization") == 0) {
            keep_statistics(graph, node);
        } else if (strcmp(node->op->name, "Dropout") == 0 && node->input_count > 2) {
            node->input_count = 2; /* training_mode, absent, is false */
        }
    }
}

/* Micro-batches: the gradient that leaves the graph is the sum so far, kept between calls of step(). */
void accumulate_gradients(Graph *graph, const Options *options)
{
    if (options->accumulate <= 1)
        return;
    for (int i = 0; i < graph->gradient_count; i++)
        graph->gradients[i].value = build_unary(graph, "AccumulateGradient", graph->gradients[i].value);
}
