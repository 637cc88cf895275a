/* zero_sums.c: what a training BatchNormalization cancels in exact arithmetic.
 *
 * Normalisation cancels whatever is added to a whole channel (Ioffe and Szegedy 2015, section 3.2). So the gradient
 * with respect to its input sums to zero over each channel. That sum is the gradient of a convolution's bias; computed,
 * it is rounding noise, which Adam scales up to full steps, and which then moves the running mean.
 * And so the bias need not be added at all: only the running mean has to know of it. A large bias would cost the
 * convolution's result its last bits where that is stored in 16.
 *
 * What is added to a whole channel before a convolution without padding, or before a matrix product, is added to whole
 * channels behind it: the gradient with respect to the input of such a product sums to zero too. That is the gradient
 * of the bias of a BatchNormalization which no activation follows, as in MobileNetV2's bottlenecks. */
#include <string.h>

#include "passes/match.h"

/* The axis of the channels in the layout that the node says. */
static int channels_of(const Node *node, const Value *value)
{
    return attr_int(node, "channels_last") ? value->type.rank - 1 : 1;
}

/* Negative padding crops input that no window reaches, whose gradient is zero anyway. */
static bool is_padded(const Node *convolution)
{
    const int64_t *pads;
    for (int i = 0, count = attr_ints(convolution, "pads", &pads); i < count; i++)
        if (pads[i] > 0)
            return true;
    return false;
}

/* Of each value whose sum over all axes but the channels' is zero: the axis of its channels. -1: of any other value. */
typedef struct ZeroSums {
    signed char *axis; /* by value id */
    int count;
} ZeroSums;

static int zero_sum_axis(const ZeroSums *sums, const Value *value)
{
    return value && value->id < sums->count ? sums->axis[value->id] : -1;
}

/* From those of the node's inputs. */
static int axis_of_result(const ZeroSums *sums, const Node *node)
{
    const Value *result = node->outputs[0];
    const int first = zero_sum_axis(sums, input(node, 0));
    if (is_op(node, "BatchNormalizationGrad"))
        return channels_of(node, result);
    if (is_op(node, "Cast"))
        return first;
    if (is_op(node, "Add"))
        return same_dims(&node->inputs[0]->type, &node->inputs[1]->type) &&
                       first == zero_sum_axis(sums, node->inputs[1])
                   ? first
                   : -1;
    if (is_op(node, "ConvolutionGradInput"))
        return !is_padded(node) && first == channels_of(node, node->inputs[0]) ? channels_of(node, result) : -1;
    if (is_op(node, "MatMul"))
        return first == 1 && node->inputs[0]->type.rank == 2 && result->type.rank == 2 && !attr_int(node, "trans_a")
                   ? 1
                   : -1;
    return -1;
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

/* Zeros instead of `sum`, before `node`. */
static void replace_by_zeros(Graph *graph, const Node *node, Value *sum)
{
    const Type *type = &sum->type;
    graph->origin = node->origin;
    Value *zero = build_cast(graph, const_float(graph, type->dtype, 0), type->dtype);
    replace_value(graph, sum, build_expand(graph, zero, type->rank, type->dims));
}

static void zero_sum(Graph *graph, const ZeroSums *sums, Node *sum)
{
    int kept = zero_sum_axis(sums, sum->inputs[0]);
    if (kept < 0 || !sums_all_but(graph, sum, kept))
        return;
    graph->cursor = sum;
    replace_by_zeros(graph, sum, sum->outputs[0]);
    node_remove(graph, sum);
}

/* The gradient of the bias is the sum of dY. */
static void zero_bias_gradient(Graph *graph, const ZeroSums *sums, Node *norm_grad)
{
    const Value *dy = norm_grad->inputs[0];
    if (!norm_grad->outputs[2] || zero_sum_axis(sums, dy) != channels_of(norm_grad, dy))
        return;
    graph->cursor = norm_grad->next;
    replace_by_zeros(graph, norm_grad, norm_grad->outputs[2]);
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
    for (; readers && *readers; readers++) {
        const bool forward = is_op(*readers, "BatchNormalizationTraining") && (*readers)->inputs[0] == x;
        if (!forward && !(is_op(*readers, "BatchNormalizationGrad") && (*readers)->inputs[1] == x))
            return false;
    }
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
    ZeroSums sums = {NEW_ARRAY(graph->arena, signed char, graph->value_count + 1), graph->value_count};
    memset(sums.axis, -1, (size_t)sums.count);
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (node->outputs[0] && node->outputs[0]->id < sums.count)
            sums.axis[node->outputs[0]->id] = (signed char)axis_of_result(&sums, node);
        if (is_op(node, "BatchNormalizationTraining"))
            drop_channel_shift(graph, node, users[node->inputs[0]->id]);
        else if (is_op(node, "BatchNormalizationGrad"))
            zero_bias_gradient(graph, &sums, node);
        else if (is_op(node, "ReduceSum"))
            zero_sum(graph, &sums, node);
    }
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
}
