/* pools.c: what stands before a maximum pool.
 *
 * relu-after-pool: the maximum commutes with ReLU, which never decreases, so that ReLU and its gradient run over the
 * pooled values, of which there are a quarter or less. The gradients are the same: where the two orders choose
 * different maxima, the whole window is negative and the gradient of ReLU is zero.
 *
 * normalise-in-pool: a pool that alone reads what BatchNormalization makes, (x - mean) * gain + offset, computes it in
 * its loads. What was normalised is then neither stored nor, in 16 bits, rounded before the maximum is chosen. */
#include <string.h>

#include "passes/match.h"

/* Does every window along axis i overlap the input, so that no window lies in the padding alone? */
static bool windows_meet_input(const Node *pool)
{
    const int64_t *kernel, *dilations, *pads, *strides;
    const Type *x = &pool->inputs[0]->type, *y = &pool->outputs[0]->type;
    const int rank = attr_ints(pool, "kernel_shape", &kernel);
    const int first = attr_int(pool, "channels_last") ? 1 : 2;
    if (attr_ints(pool, "dilations", &dilations) != rank || attr_ints(pool, "pads", &pads) != 2 * rank ||
        attr_ints(pool, "strides", &strides) != rank)
        return false;
    for (int i = 0; i < rank; i++) {
        if (dilations[i] != 1 || pads[i] >= kernel[i] ||
            (y->dims[first + i] - 1) * strides[i] - pads[i] >= x->dims[first + i])
            return false;
    }
    return true;
}

void relu_after_pool(Graph *graph, const Options *options)
{
    (void)options;
    Matcher m = {graph, count_uses(graph), graph->value_count};
    for (Node *node = graph->first; node; node = node->next) {
        Node *relu = is_op(node, "MaxPoolWithIndex") ? sole_producer_if(&m, node->inputs[0], "Relu") : NULL;
        if (!relu || node->output_count != 1 || !windows_meet_input(node))
            continue;
        Value *pooled = node->outputs[0];
        node->inputs[0] = relu->inputs[0];
        graph->cursor = node->next;
        graph->origin = relu->origin;
        Value *active = build_unary(graph, "Relu", pooled);
        active->name = pooled->name;
        pooled->name = NULL;
        replace_value(graph, pooled, active);
        active->producer->inputs[0] = pooled;
        node_remove(graph, relu);
    }
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
}

/* The second operand of the node that makes `value`, an `op` that nothing else reads, if it is one float a channel; the
 * first goes to *rest. */
static Value *per_channel(const Matcher *m, Value *value, const char *op, Value **rest)
{
    const Node *node = sole_producer_if(m, value, op);
    if (!node)
        return NULL;
    const Type *x = &node->inputs[0]->type, *channel = &node->inputs[1]->type;
    *rest = node->inputs[0];
    return same_dims(x, &node->outputs[0]->type) && channel->rank == 1 && channel->dtype == x->dtype &&
                   channel->dims[0] == x->dims[x->rank - 1]
               ? node->inputs[1]
               : NULL;
}

static void normalise_pool(const Matcher *m, Node *pool)
{
    Value *x = pool->inputs[0], *scaled = NULL, *centred = NULL;
    const Dtype stored = x->type.dtype;
    const Node *rounding = sole_producer_if(m, x, "Cast");
    Value *offset = per_channel(m, rounding && narrows(rounding) ? rounding->inputs[0] : x, "Add", &scaled);
    Value *gain = offset ? per_channel(m, scaled, "Mul", &centred) : NULL;
    Value *mean = gain ? per_channel(m, centred, "Sub", &x) : NULL;
    if (!mean)
        return;
    if (widens(x->producer))
        x = x->producer->inputs[0];
    if (x->type.dtype != stored)
        return;
    Node *normalising =
        build_begin(m->graph, pool->op->name, 4, (Value *[]){x, mean, gain, offset}, pool->output_count);
    copy_attrs(m->graph, normalising, pool);
    for (int i = 0; i < pool->output_count; i++) {
        m->graph->values[normalising->outputs[i]->id] = NULL;
        normalising->outputs[i] = pool->outputs[i];
        if (pool->outputs[i])
            pool->outputs[i]->producer = normalising;
        pool->outputs[i] = NULL;
    }
    node_remove(m->graph, pool);
}

void normalise_in_pool(Graph *graph, const Options *options)
{
    (void)options;
    Matcher m = {graph, count_uses(graph), graph->value_count};
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        graph->cursor = node;
        graph->origin = node->origin;
        if (is_op(node, "MaxPoolWithIndex") && attr_int(node, "channels_last"))
            normalise_pool(&m, node);
    }
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
    remove_dead_nodes(graph);
}
