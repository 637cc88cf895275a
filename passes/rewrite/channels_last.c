/* channels_last.c: convolutional regions compute in [N, spatial..., C].
 *
 * Each convolution, pooling and BatchNormalization is flipped and wrapped in transposes; elementwise operators and
 * reductions over the spatial axes let the transposes pass; `simplify` cancels pairs that meet. Runs before
 * differentiation, so that the backward pass is channels-last by itself. */
#include "ir/ops/shared/geometry.h"
#include "ir/schema.h"
#include "passes/match.h"

static bool is_spatial(const Node *node)
{
    AttrSpec spec;
    return find_attr_spec(node->op, "channels_last", &spec) && node->inputs[0]->type.rank >= 3 &&
           !attr_int(node, "channels_last");
}

/* ONNX's, over the axes in operand 1. */
static bool is_reduction(const Node *node)
{
    AttrSpec spec;
    return find_attr_spec(node->op, "noop_with_empty_axes", &spec);
}

/* [N, C, spatial...] to [N, spatial..., C], or back. */
static void layout_permutation(int rank, bool to_last, int permutation[MAX_RANK])
{
    permutation[0] = 0;
    for (int i = 1; i < rank; i++)
        permutation[i] = to_last ? (i == rank - 1 ? 1 : i + 1) : (i == 1 ? rank - 1 : i - 1);
}

static Value *to_last(Graph *graph, Value *value)
{
    int permutation[MAX_RANK];
    layout_permutation(value->type.rank, true, permutation);
    return build_transpose(graph, value, permutation);
}

/* The channels-last value that `value` is the transpose of, or NULL. */
static Value *channels_last_source(const Value *value)
{
    const Node *producer = producer_if(value, "Transpose");
    int rank = value->type.rank, expected[MAX_RANK], permutation[MAX_RANK];
    if (!producer || rank < 3)
        return NULL;
    permutation_of(producer, permutation);
    layout_permutation(rank, false, expected);
    for (int i = 0; i < rank; i++)
        if (permutation[i] != expected[i])
            return NULL;
    return producer->inputs[0];
}

/* Gives every reader of `output` the transpose of a new value, which the node now computes. */
static void wrap_output(Graph *graph, Node *node, int index)
{
    Value *output = node->outputs[index];
    int permutation[MAX_RANK], rank = output->type.rank;
    Type flipped = output->type;
    layout_permutation(rank, true, permutation);
    for (int i = 0; i < rank; i++)
        flipped.dims[i] = output->type.dims[permutation[i]];
    Value *computed = value_create(graph, VALUE_TEMP, flipped, output->name);
    computed->producer = node;
    node->outputs[index] = computed;
    output->producer = NULL;

    layout_permutation(rank, false, permutation);
    graph->cursor = node->next;
    replace_value(graph, output, build_transpose(graph, computed, permutation));
    graph->values[output->id] = NULL;
}

static void flip_spatial(Graph *graph, Node *node)
{
    graph->cursor = node;
    node->inputs[0] = to_last(graph, node->inputs[0]);
    set_int(graph, node, "channels_last", 1);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] && node->outputs[i]->type.rank == node->inputs[0]->type.rank)
            wrap_output(graph, node, i);
}

/* An operand that broadcasts to rank `rank`, in channels-last order. */
static Value *flip_operand(Graph *graph, Value *operand, int rank)
{
    Value *source = operand->type.rank == rank ? channels_last_source(operand) : NULL;
    if (source || operand->type.rank == 0)
        return source ? source : operand;
    int64_t dims[MAX_RANK];
    for (int i = 0; i < rank; i++) {
        int axis = i - (rank - operand->type.rank);
        dims[i] = axis < 0 ? 1 : operand->type.dims[axis];
    }
    return to_last(graph, build_reshape(graph, operand, rank, dims));
}

/* An operand of lower rank than the result has its channels on another axis of the result, and does not count. */
static bool reads_channels_last(const Node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        const Value *operand = node->inputs[i];
        bool aligned =
            operand && (node->op->kind != OP_ELEMENTWISE || operand->type.rank == node->outputs[0]->type.rank);
        if (aligned && channels_last_source(operand))
            return true;
    }
    return false;
}

static void flip_elementwise(Graph *graph, Node *node)
{
    int rank = node->outputs[0]->type.rank;
    graph->cursor = node;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            node->inputs[i] = flip_operand(graph, node->inputs[i], rank);
    wrap_output(graph, node, 0);
}

/* Sum, mean, max ... over all spatial axes: what remains, N and C, keeps its order. */
static void flip_reduction(Graph *graph, Node *node)
{
    Value *source = channels_last_source(node->inputs[0]);
    int rank = node->inputs[0]->type.rank, count;
    const int64_t *axes;
    int64_t flipped[MAX_RANK], keep = attr_int(node, "keepdims");
    if (!source || !const_operand_ints(graph, node, 1, &count, &axes) || count != rank - 2)
        return;
    for (int i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 2)
            return;
        flipped[i] = axis - 1;
    }
    graph->cursor = node;
    node->inputs[0] = source;
    node->inputs[1] = const_ints(graph, count, flipped);
    if (keep)
        wrap_output(graph, node, 0);
}

static void flip_concat(Graph *graph, Node *node)
{
    int rank = node->outputs[0]->type.rank;
    int64_t axis = attr_int(node, "axis");
    axis = axis < 0 ? axis + rank : axis;
    for (int i = 0; i < node->input_count; i++)
        if (!channels_last_source(node->inputs[i]))
            return;
    graph->cursor = node;
    for (int i = 0; i < node->input_count; i++)
        node->inputs[i] = channels_last_source(node->inputs[i]);
    set_int(graph, node, "axis", axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1);
    wrap_output(graph, node, 0);
}

void channels_last(Graph *graph, const Options *options)
{
    (void)options;
    for (Node *node = graph->first; node; node = node->next) {
        graph->origin = node->origin;
        if (is_spatial(node))
            flip_spatial(graph, node);
        else if (!reads_channels_last(node))
            continue;
        else if (node->op->kind == OP_ELEMENTWISE)
            flip_elementwise(graph, node);
        else if (is_reduction(node))
            flip_reduction(graph, node);
        else if (is_op(node, "Concat"))
            flip_concat(graph, node);
    }
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
}
