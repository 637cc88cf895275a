/* zero_sums.c: sums that are zero in exact arithmetic become zeros.
 *
 * Normalisation cancels whatever is added to a whole channel, so the gradient with respect to the input of a training
 * BatchNormalization sums to zero over each channel (Ioffe and Szegedy 2015, section 3.2). That sum is the gradient of
 * a convolution's bias; computed, it is rounding noise, which Adam scales up to full steps, and which then moves the
 * running mean. */
#include <string.h>

#include "passes/passes.h"

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

void zero_sums(Graph *graph, const Options *options)
{
    (void)options;
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (strcmp(node->op->name, "ReduceSum") != 0)
            continue;
        int kept = channel_axis(node->inputs[0]);
        if (kept < 0 || !sums_all_but(graph, node, kept))
            continue;
        const Type *type = &node->outputs[0]->type;
        graph->cursor = node;
        graph->origin = node->origin;
        Value *zero = build_cast(graph, const_float(graph, type->dtype, 0), type->dtype);
        zero = build_expand(graph, zero, type->rank, type->dims);
        replace_value(graph, node->outputs[0], zero);
        node_remove(graph, node);
    }
}
