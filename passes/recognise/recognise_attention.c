/* recognise_attention.c: softmax(scale · Q·Kᵀ + mask)·V (Vaswani et al. 2017), which exporters below opset 23 decompose
 * into two products and a softmax, with the scale on either factor or on the scores, the mask as a sum or a Where, and
 * sometimes a guard against rows with every key masked. */
#include <math.h>

#include "passes/match.h"

/* Strips multiplications by constants off a factor. */
static Value *unscaled(Graph *graph, Value *value, double *scale)
{
    double constant;
    for (;;) {
        Node *product = producer_if(value, "Mul"), *quotient = producer_if(value, "Div");
        if (product && constant_value(graph, product->inputs[1], &constant) &&
            same_dims(&product->inputs[0]->type, &value->type)) {
            value = product->inputs[0];
            *scale *= constant;
        } else if (product && constant_value(graph, product->inputs[0], &constant) &&
                   same_dims(&product->inputs[1]->type, &value->type)) {
            value = product->inputs[1];
            *scale *= constant;
        } else if (quotient && constant_value(graph, quotient->inputs[1], &constant) &&
                   same_dims(&quotient->inputs[0]->type, &value->type)) {
            value = quotient->inputs[0];
            *scale /= constant;
        } else {
            return value;
        }
    }
}

/* A mask that is a parameter, or computed from one, needs a gradient, which the fused operator does not propagate. */
static bool learns(const Value *value, int depth)
{
    enum { MAX_DEPTH = 24 };
    if (value->kind == VALUE_PARAM || depth > MAX_DEPTH)
        return true;
    for (int i = 0; value->producer && i < value->producer->input_count; i++)
        if (value->producer->inputs[i] && is_float(value->producer->inputs[i]->type.dtype) &&
            learns(value->producer->inputs[i], depth + 1))
            return true;
    return false;
}

static bool broadcasts_to(const Type *mask, const Type *scores)
{
    Type joint;
    return broadcast_dims(mask, scores, &joint) && same_dims(&joint, scores);
}

static bool is_very_negative(Graph *graph, const Value *value)
{
    double constant;
    return constant_value(graph, value, &constant) && constant <= -1e4;
}

/* Is a row of keys blocked as a whole, as far as the compiler can see? Where then gives scores that depend on nothing,
 * and no gradient; a sum has both. `open` is what the condition is where the score is kept. */
static bool blocks_a_row(Graph *graph, const Value *condition, bool open)
{
    if (condition->kind != VALUE_CONST || !condition->data)
        return false;
    const Tensor tensor = tensor_from_data(graph->arena, &condition->type, condition->data);
    const int64_t count = element_count(&condition->type);
    const int64_t keys = condition->type.rank > 0 ? condition->type.dims[condition->type.rank - 1] : 1;
    for (int64_t row = 0; row < count; row += keys) {
        bool sees = false;
        for (int64_t key = 0; key < keys; key++)
            sees |= (tensor.i[row + key] != 0) == open;
        if (!sees)
            return true;
    }
    return false;
}

/* What stands in the place of a score, as what is added to it: so large that the score is lost in rounding, because in
 * a row with every key masked all keys weigh the same. */
static Value *absorbing(Graph *graph, Value *blocked)
{
    double constant = 0;
    constant_value(graph, blocked, &constant);
    return constant <= -1e38 ? blocked : const_float(graph, blocked->type.dtype, -1e38);
}

/* Takes the mask off the scores: an added tensor, or a Where with a very negative constant. */
static Value *unmasked(const Matcher *m, Value *scores, Value **mask)
{
    Graph *graph = m->graph;
    Node *sum = sole_producer_if(m, scores, "Add"), *choice = sole_producer_if(m, scores, "Where");
    for (int i = 0; sum && i < 2; i++) {
        Value *added = sum->inputs[i], *rest = sum->inputs[1 - i];
        if (same_dims(&rest->type, &scores->type) && broadcasts_to(&added->type, &scores->type) &&
            (added->type.rank < scores->type.rank || added->producer != rest->producer) && !learns(added, 0)) {
            *mask = added;
            return rest;
        }
    }
    if (!choice || !broadcasts_to(&choice->inputs[0]->type, &scores->type))
        return scores;
    Value *zero = const_float(graph, scores->type.dtype, 0);
    if (is_very_negative(graph, choice->inputs[2]) && !blocks_a_row(graph, choice->inputs[0], true) &&
        same_dims(&choice->inputs[1]->type, &scores->type)) {
        *mask = build_where(graph, choice->inputs[0], zero, absorbing(graph, choice->inputs[2]));
        return choice->inputs[1];
    }
    if (is_very_negative(graph, choice->inputs[1]) && !blocks_a_row(graph, choice->inputs[0], false) &&
        same_dims(&choice->inputs[2]->type, &scores->type)) {
        *mask = build_where(graph, choice->inputs[0], absorbing(graph, choice->inputs[1]), zero);
        return choice->inputs[2];
    }
    return scores;
}

/* Where(IsNaN(p), 0, p): the guard; an inactive Dropout is gone already. Returns p. */
static Value *unguarded(Graph *graph, const Matcher *m, Value *weights)
{
    Node *choice = producer_if(weights, "Where");
    if (!choice || !is_constant(graph, choice->inputs[1], 0))
        return weights;
    Node *test = sole_producer_if(m, choice->inputs[0], "IsNaN");
    return test && test->inputs[0] == choice->inputs[2] ? choice->inputs[2] : weights;
}

static Value *swap_last_two(Graph *graph, Value *value)
{
    int permutation[MAX_RANK], rank = value->type.rank;
    for (int i = 0; i < rank; i++)
        permutation[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return build_transpose(graph, value, permutation);
}

/* [B·H, T, D] as [B·H, 1, T, D]; rank 4 as it is. */
static Value *as_heads(Graph *graph, Value *value)
{
    int64_t dims[] = {value->type.dims[0], 1, value->type.dims[1], value->type.dims[2]};
    return value->type.rank == 4 ? value : build_reshape(graph, value, 4, dims);
}

/* A mask that broadcasts to scores [B, H, Tq, Tk] or [B·H, Tq, Tk], with a size of 1 for each axis that it lacks. */
static Value *mask_as_heads(Graph *graph, Value *mask, int score_rank)
{
    int64_t dims[4] = {1, 1, 1, 1};
    if (!mask || mask->type.rank == 4)
        return mask;
    for (int i = 0; i < mask->type.rank; i++) {
        int axis = i + score_rank - mask->type.rank;
        dims[score_rank == 3 && axis > 0 ? axis + 1 : axis] = mask->type.dims[i];
    }
    return build_reshape(graph, mask, 4, dims);
}

static bool same_batch(const Type *a, const Type *b)
{
    return a->rank == b->rank && (a->rank == 3 || a->rank == 4) && a->dims[0] == b->dims[0] &&
           (a->rank == 3 || a->dims[1] == b->dims[1]);
}

bool recognise_attention(Matcher *m, Node *node)
{
    Graph *graph = m->graph;
    if (!is_op(node, "MatMul") || attr_int(node, "trans_a") || attr_int(node, "trans_b"))
        return false;
    Value *weights = unguarded(graph, m, node->inputs[0]), *v = node->inputs[1], *mask = NULL;
    Node *softmax = producer_if(weights, "Softmax");
    int readers = weights == node->inputs[0] ? 1 : 2; /* the guard reads it twice */
    if (!softmax || m->uses[weights->id] != readers || m->uses[node->inputs[0]->id] != 1)
        return false;
    int rank = weights->type.rank;
    int64_t axis = attr_int(softmax, "axis");
    if ((axis < 0 ? axis + rank : axis) != rank - 1)
        return false;
    double scale = 1;
    Value *scores = unmasked(m, softmax->inputs[0], &mask);
    scores = unscaled(graph, scores, &scale);
    Node *product = sole_producer_if(m, scores, "MatMul");
    if (!product || attr_int(product, "trans_a"))
        return false;
    bool swapped = attr_int(product, "trans_b"); /* `simplify` has moved a Transpose of k into the product */
    Value *q = unscaled(graph, product->inputs[0], &scale), *kt = unscaled(graph, product->inputs[1], &scale);
    if (!same_batch(&q->type, &kt->type) || !same_batch(&q->type, &v->type) ||
        kt->type.dims[swapped ? rank - 2 : rank - 1] != v->type.dims[rank - 2])
        return false;
    Value *k = swapped ? kt : swap_last_two(graph, kt);
    Value *operands[] = {as_heads(graph, q), as_heads(graph, k), as_heads(graph, v), mask_as_heads(graph, mask, rank)};
    Node *attention = build_begin(graph, "ScaledDotProductAttention", mask ? 4 : 3, operands, 1);
    set_float(graph, attention, "scale", scale);
    Value *y = build_finish(graph, attention);
    const Type *result = &node->outputs[0]->type;
    substitute(graph, node->outputs[0], build_reshape(graph, y, result->rank, result->dims));
    return true;
}
