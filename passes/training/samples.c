/* samples.c: how many of its rows each operator that mixes samples may count.
 *
 * The last batch of an epoch may be short: the first `valid` samples of a step count, the rest are padding. Losses and
 * BatchNormalization average over rows, and a model may have reshaped [batch, time, ...] to [batch · time, ...] before
 * it comes to them: each learns here how many samples its rows belong to. Rows of [time · batch, ...] are brought
 * together sample by sample in front of it, and back behind it. */
#include <inttypes.h>
#include <string.h>

#include "passes/training/batch_axis.h"

static bool mixes_samples(const Node *node)
{
    return node->op->attributes && strstr(node->op->attributes, "batch:int") != NULL;
}

static void refuse(Graph *graph, const Node *node, const char *why)
{
    error(graph->diagnostics, EXIT_STATUS_UNSUPPORTED, node->origin,
          "%s reads %s, %s the %" PRId64 " samples of a batch: which rows belong to a sample is unknown",
          node->op->name, type_text(graph->arena, &node->inputs[0]->type), why, graph_batch(graph));
}

/* Does something else than the sample come first? */
static bool lies_apart(const Value *value, const int64_t *places)
{
    return value && places[value->id] > 1;
}

/* Where the samples of some operands are interleaved and those of others, such as the target, are not, the node stays
 * as it is. */
static bool must_gather(const Node *node, const int64_t *places)
{
    for (int i = 1; i < node->input_count; i++)
        if (node->inputs[i] && places[node->inputs[i]->id] != PLACE_NONE && !lies_apart(node->inputs[i], places))
            return false;
    return lies_apart(node->inputs[0], places);
}

/* Result 0, where it is no scalar, with its rows as they lay before. */
static bool spread_result(Graph *graph, Node *node, int64_t outer, int64_t batch)
{
    Value *result = node->outputs[0];
    if (!result || result->type.rank == 0)
        return true;
    Value *gathered = value_create(graph, VALUE_TEMP, result->type, NULL);
    gathered->producer = node;
    node->outputs[0] = gathered;
    Value *back = build_batch_back(graph, gathered, &gathered->type, outer, batch);
    if (!back)
        return false;
    back->name = result->name;
    replace_value(graph, result, back);
    graph->values[result->id] = NULL;
    return true;
}

/* The rows of a node whose first axis is [outer, batch, ...], sample by sample. */
static bool gather_samples(Graph *graph, Node *node, const int64_t *places, int64_t batch)
{
    const int64_t outer = places[node->inputs[0]->id];
    const bool labelled = input(node, 1) && !is_float(node->inputs[1]->type.dtype);
    Digit digit;
    if (!find_digit(&node->inputs[0]->type, outer, batch, &digit) || digit.axis != 0 ||
        (labelled && !lies_apart(node->inputs[1], places)))
        return false;
    graph->origin = node->origin;
    graph->cursor = node;
    for (int i = 0; i < node->input_count; i++) {
        if (!lies_apart(node->inputs[i], places))
            continue;
        Value *first = build_batch_first(graph, node->inputs[i], places[node->inputs[i]->id], batch);
        if (!first)
            return false;
        node->inputs[i] = first;
    }
    graph->cursor = node->next;
    bool spread = spread_result(graph, node, outer, batch);
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
    return spread;
}

void count_samples(Graph *graph, const Options *options)
{
    (void)options;
    const int64_t batch = graph_batch(graph), *places = follow_batch(graph, batch);
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (!mixes_samples(node))
            continue;
        if (batch < 1 || node->inputs[0]->type.dims[0] % batch != 0) {
            refuse(graph, node, "whose first axis is no multiple of");
        } else if (batch > 1 && must_gather(node, places)) {
            if (!gather_samples(graph, node, places, batch))
                refuse(graph, node, "whose first axis does not hold all of");
            places = follow_batch(graph, batch);
        }
        set_int(graph, node, "batch", batch);
    }
}
