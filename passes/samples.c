/* samples.c: how many of its rows each operator that mixes samples may count.
 *
 * The last batch of an epoch may be short: the first `valid` samples of a step count, the rest are padding. Losses and
 * BatchNormalization average over rows, and a model may have reshaped [batch, time, ...] to [batch · time, ...] before
 * it comes to them: each learns here how many samples its rows belong to. */
#include <inttypes.h>
#include <string.h>

#include "passes/passes.h"

static bool mixes_samples(const Node *node)
{
    return node->op->attributes && strstr(node->op->attributes, "batch:int") != NULL;
}

void count_samples(Graph *graph, const Options *options)
{
    (void)options;
    const int64_t batch = graph_batch(graph);
    for (Node *node = graph->first; node; node = node->next) {
        if (!mixes_samples(node))
            continue;
        const Type *type = &node->inputs[0]->type;
        if (batch < 1 || type->dims[0] % batch != 0)
            error(graph->diagnostics, EXIT_STATUS_UNSUPPORTED, node->origin,
                  "%s reads %s, whose first axis is no multiple of the %" PRId64
                  " samples of a batch: which rows belong to a sample is unknown",
                  node->op->name, type_text(graph->arena, type), batch);
        else
            set_int(graph, node, "batch", batch);
    }
}
