/* recognise_norm.c: LayerNormalization (Ba, Kiros and Hinton 2016) and RMSNormalization (Zhang and Sennrich 2019) from
 * means, squares and roots, into which exporters below opsets 17 and 23 decompose them. */
#include "passes/match.h"

/* A mean over the last axes with keepdims; returns what is averaged and the first of the axes. */
static Value *mean_over_last(Graph *graph, const Value *value, int *axis)
{
    Node *mean = producer_if(value, "ReduceMean");
    int count;
    const int64_t *axes;
    if (!mean || !attr_int(mean, "keepdims") || !const_operand_ints(graph, mean, 1, &count, &axes) || count == 0)
        return NULL;
    int rank = mean->inputs[0]->type.rank;
    unsigned reduced = 0;
    for (int i = 0; i < count; i++)
        reduced |= 1u << (axes[i] < 0 ? axes[i] + rank : axes[i]);
    if (reduced != ((1u << rank) - 1) - ((1u << (rank - count)) - 1))
        return NULL;
    *axis = rank - count;
    return mean->inputs[0];
}

/* What `value` is the square of. */
static Value *squared(Graph *graph, const Value *value)
{
    Node *power = producer_if(value, "Pow"), *product = producer_if(value, "Mul");
    if (power && is_constant(graph, power->inputs[1], 2))
        return power->inputs[0];
    return product && product->inputs[0] == product->inputs[1] ? product->inputs[0] : NULL;
}

/* sqrt(mean(d²) + epsilon) over the last axes: returns d. */
static Value *deviation_root(Graph *graph, const Value *root, double *epsilon, int *axis)
{
    Node *sqrt_node = producer_if(root, "Sqrt"), *power = producer_if(root, "Pow");
    if (power && !is_constant(graph, power->inputs[1], 0.5))
        power = NULL;
    Value *variance = sqrt_node ? sqrt_node->inputs[0] : power ? power->inputs[0] : NULL;
    Node *sum = producer_if(variance, "Add");
    if (!sum)
        return NULL;
    int constant = constant_value(graph, sum->inputs[1], epsilon)   ? 1
                   : constant_value(graph, sum->inputs[0], epsilon) ? 0
                                                                    : -1;
    Value *square = constant < 0 ? NULL : mean_over_last(graph, sum->inputs[1 - constant], axis);
    return square ? squared(graph, square) : NULL;
}

/* d / sqrt(mean(d²) + epsilon), written as a quotient or with a reciprocal. */
static Value *normalised(Graph *graph, const Node *node, double *epsilon, int *axis)
{
    Value *d;
    if (is_op(node, "Div"))
        return (d = deviation_root(graph, node->inputs[1], epsilon, axis)) == node->inputs[0] ? d : NULL;
    for (int i = 0; is_op(node, "Mul") && i < 2; i++) {
        Node *reciprocal = producer_if(node->inputs[i], "Reciprocal"), *quotient = producer_if(node->inputs[i], "Div");
        Value *root = reciprocal                                               ? reciprocal->inputs[0]
                      : quotient && is_constant(graph, quotient->inputs[0], 1) ? quotient->inputs[1]
                                                                               : NULL;
        if (root && (d = deviation_root(graph, root, epsilon, axis)) == node->inputs[1 - i])
            return d;
    }
    return NULL;
}

/* x - mean(x): returns x. */
static Value *centred(Graph *graph, const Value *d, int axis)
{
    Node *difference = producer_if(d, "Sub");
    int mean_axis;
    if (!difference || mean_over_last(graph, difference->inputs[1], &mean_axis) != difference->inputs[0] ||
        mean_axis != axis)
        return NULL;
    return difference->inputs[0];
}

/* A scale or bias that has exactly the normalised dims. */
static bool is_affine(const Value *operand, const Type *type, int axis)
{
    if (operand->type.rank != type->rank - axis)
        return false;
    for (int i = 0; i < operand->type.rank; i++)
        if (operand->type.dims[i] != type->dims[axis + i])
            return false;
    return true;
}

/* The operand of the only reader of `value` when that is an `op` by a vector over the normalised dims. */
static Node *affine_reader(const Matcher *m, const Value *value, const char *op, int axis, Value **operand)
{
    if (value->id >= m->value_count || m->uses[value->id] != 1)
        return NULL;
    for (Node *reader = value->producer->next; reader; reader = reader->next)
        for (int i = 0; is_op(reader, op) && i < 2; i++)
            if (reader->inputs[i] == value && is_affine(reader->inputs[1 - i], &value->type, axis)) {
                *operand = reader->inputs[1 - i];
                return reader;
            }
    return NULL;
}

static Value *ones(Graph *graph, const Type *type, int axis)
{
    Tensor tensor = tensor_alloc(graph->arena, make_type(type->dtype, type->rank - axis, type->dims + axis));
    for (int64_t i = 0; i < element_count(&tensor.type); i++)
        tensor.f[i] = 1;
    return const_tensor(graph, &tensor);
}

/* Builds op(x, scale, bias?) behind the last of the nodes that it stands for. */
static bool replace_norm(Matcher *m, Node *node, const char *op, Value *x, double epsilon, int axis, bool with_bias)
{
    Graph *graph = m->graph;
    Value *scale = NULL, *bias = NULL;
    Node *last = node, *scaled = affine_reader(m, node->outputs[0], "Mul", axis, &scale);
    if (scaled)
        last = scaled;
    Node *shifted = scaled && with_bias ? affine_reader(m, last->outputs[0], "Add", axis, &bias) : NULL;
    if (shifted)
        last = shifted;
    graph->cursor = last;
    Value *operands[] = {x, scale ? scale : ones(graph, &x->type, axis), bias};
    Node *norm = build_begin(graph, op, bias ? 3 : 2, operands, 1);
    set_int(graph, norm, "axis", axis);
    set_float(graph, norm, "epsilon", epsilon);
    substitute(graph, last->outputs[0], build_finish(graph, norm));
    return true;
}

bool recognise_layer_norm(Matcher *m, Node *node)
{
    double epsilon;
    int axis;
    Value *d = normalised(m->graph, node, &epsilon, &axis), *x = d ? centred(m->graph, d, axis) : NULL;
    return x && replace_norm(m, node, "LayerNormalization", x, epsilon, axis, true);
}

bool recognise_rms_norm(Matcher *m, Node *node)
{
    double epsilon;
    int axis;
    Value *x = normalised(m->graph, node, &epsilon, &axis);
    return x && !centred(m->graph, x, axis) && replace_norm(m, node, "RMSNormalization", x, epsilon, axis, false);
}
