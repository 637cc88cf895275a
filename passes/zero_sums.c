/* zero_sums.c: what a training BatchNormalization cancels in exact arithmetic.
 *
 * Normalisation cancels whatever is added to a whole channel (Ioffe and Szegedy 2015, section 3.2). So the gradient
 * with respect to its input sums to zero over each channel. That sum is the gradient of a convolution's bias; computed,
 * it is rounding noise, which Adam scales up to full steps, and which then moves the running mean.
 * And so the bias need not be added at all: only the running mean has to know of it. A large bias would cost the
 * convolution's result its last bits where that is stored in 16. */
#include <string.h>

#include "passes/match.h"

/* Is `value` the gradient of a BatchNormalization's input? Its channel axis then, else -1. */
static int channel_axis(const Value *value)
{
    const Node *producer = value->producer;
    if (!producer || strcmp(producer->op->name, "BatchNormalizationGrad") != 0 || producer->outputs[0] != value)
        return -1;
    return attr_int(producer, "channels_last") ? value->type.rank - 1 : 1;
}

static bool sums_all_but(Graph *graph, const Node *sum, int kept)
{
    const int64_t *axes;
    int count, rank = sum->inputs[0]->type.rank;
    bool summed[MAX_RANK] = {false};
    if (!const_operand_ints(graph, sum, 1, &count, &axes))
        return false;
    for (int i = 0; i < count; i++)
        summed[axes[i] < 0 ? axes[i] + rank : axes[i]] = true;
    for (int axis = 0; axis < rank; axis++)
        if (!summed[axis] && axis != kept && sum->inputs[0]->type.dims[axis] != 1)
            return false;
    return true;
}

static void zero_sum(Graph *graph, Node *sum)
{
    int kept = channel_axis(sum->inputs[0]);
    if (kept < 0 || !sums_all_but(graph, sum, kept))
        return;
    const Type *type = &sum->outputs[0]->type;
    graph->cursor = sum;
    graph->origin = sum->origin;
    Value *zero = build_cast(graph, const_float(graph, type->dtype, 0), type->dtype);
    zero = build_expand(graph, zero, type->rank, type->dims);
    replace_value(graph, sum->outputs[0], zero);
    node_remove(graph, sum);
}

/* For X = Add(x, b), b one value a channel: the index of b, else -1. */
static int channel_operand(const Node *add, int axis)
{
    for (int i = 0; add && i < 2; i++) {
        const Type *b = &add->inputs[i]->type, *y = &add->outputs[0]->type;
        bool channel = b->rank == y->rank && b->dims[axis] == y->dims[axis] && element_count(b) == y->dims[axis] &&
                       same_type(&add->inputs[1 - i]->type, y);
        if (channel)
            return i;
    }
    return -1;
}

/* Is X read by the normalisation and its gradient alone? */
static bool only_normalised(Node *const *readers, const Value *x)
{
    for (; readers && *readers; readers++)
        if (strncmp((*readers)->op->name, "BatchNormalization", 18) != 0 ||
            (*readers)->inputs[is_op(*readers, "BatchNormalizationGrad")] != x)
            return false;
    return true;
}

/* b as [C], from before any rounding to 16 bits. */
static Value *channel_vector(Graph *graph, Value *b, int64_t channels)
{
    while (b->producer && (is_op(b->producer, "Reshape") || is_op(b->producer, "Cast")) &&
           is_float(b->producer->inputs[0]->type.dtype))
        b = b->producer->inputs[0];
    return build_reshape(graph, b, 1, &channels);
}

/* The running mean is momentum times the old one and 1 - momentum times the batch's, which now lacks b. */
static void drop_channel_shift(Graph *graph, Node *norm, Node *const *readers)
{
    Value *x = norm->inputs[0], *mean = norm->outputs[1];
    const int axis = attr_int(norm, "channels_last") ? x->type.rank - 1 : 1;
    Node *add = producer_if(x, "Add");
    const int at = channel_operand(add, axis);
    if (at < 0 || is_graph_result(graph, x) || !only_normalised(readers, x))
        return;
    if (mean) {
        graph->cursor = norm->next;
        graph->origin = norm->origin;
        Value *shift = build_cast(graph, channel_vector(graph, add->inputs[at], x->type.dims[axis]), mean->type.dtype);
        Value *moved = build_add(graph, mean, build_scale(graph, shift, 1 - attr_float(norm, "momentum")));
        replace_value(graph, mean, moved);
        moved->producer->inputs[0] = mean;
    }
    replace_value(graph, x, add->inputs[1 - at]);
}

void zero_sums(Graph *graph, const Options *options)
{
    (void)options;
    Node ***users = collect_users(graph);
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (is_op(node, "BatchNormalizationTraining"))
            drop_channel_shift(graph, node, users[node->inputs[0]->id]);
        else if (is_op(node, "ReduceSum"))
            zero_sum(graph, node);
    }
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
}
