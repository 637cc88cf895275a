/* recognise_training.c: operators that behave differently in training, where exporters decomposed them: inference
 * BatchNormalization, whose statistics must not learn, and Dropout as a comparison with uniform noise. */
#include "passes/match.h"

/* A vector over channels, shaped to broadcast against [N, C, ...]: [C, 1, ...], [1, C, 1, ...] or, for rank 2, [C]. */
static bool is_channel_vector(const Value *value, const Type *x)
{
    int64_t channels = x->rank > 1 ? x->dims[1] : 0;
    int axis = value->type.rank - (x->rank - 1);
    return channels > 1 && value->kind == VALUE_PARAM && element_count(&value->type) == channels && axis >= 0 &&
           value->type.dims[axis] == channels;
}

/* sqrt(variance + epsilon) of an initializer, or its reciprocal as a factor: returns the variance. */
static Value *stored_variance(const Value *root)
{
    Node *sqrt_node = producer_if(root, "Sqrt"), *sum = sqrt_node ? producer_if(sqrt_node->inputs[0], "Add") : NULL;
    for (int i = 0; sum && i < 2; i++)
        if (element_count(&sum->inputs[1 - i]->type) == 1 && sum->inputs[1 - i]->kind != VALUE_TEMP &&
            sum->inputs[i]->kind == VALUE_PARAM)
            return sum->inputs[i];
    return NULL;
}

static Value *divided_variance(const Node *node, Value **numerator)
{
    if (is_op(node, "Div")) {
        *numerator = node->inputs[0];
        return stored_variance(node->inputs[1]);
    }
    for (int i = 0; is_op(node, "Mul") && i < 2; i++) {
        Node *reciprocal = producer_if(node->inputs[i], "Reciprocal");
        Value *variance = reciprocal ? stored_variance(reciprocal->inputs[0]) : NULL;
        *numerator = node->inputs[1 - i];
        if (variance)
            return variance;
    }
    return NULL;
}

/* (x - mean) / sqrt(variance + epsilon) with stored statistics is BatchNormalization in inference mode. That is
 * elementwise anyway, so it stays decomposed; but its statistics are no parameters. */
bool recognise_batch_norm(Matcher *m, Node *node)
{
    (void)m;
    Value *numerator = NULL, *variance = divided_variance(node, &numerator);
    Node *difference = variance ? producer_if(numerator, "Sub") : NULL;
    if (!difference)
        return false;
    Value *x = difference->inputs[0], *mean = difference->inputs[1];
    if (!same_type(&x->type, &node->outputs[0]->type) || !is_channel_vector(mean, &x->type) ||
        !is_channel_vector(variance, &x->type))
        return false;
    mean->kind = variance->kind = VALUE_CONST;
    return true;
}

/* noise < p or noise > p, with uniform noise: the share of elements that survive. */
static bool survival(Graph *graph, const Value *mask, double *share)
{
    Node *cast = producer_if(mask, "Cast");
    const Node *test = cast ? cast->inputs[0]->producer : NULL;
    if (!is_op(test, "Less") && !is_op(test, "LessOrEqual") && !is_op(test, "Greater") &&
        !is_op(test, "GreaterOrEqual"))
        return false;
    bool noise_first =
        producer_if(test->inputs[0], "RandomUniformLike") || producer_if(test->inputs[0], "RandomUniform");
    const Value *noise = test->inputs[noise_first ? 0 : 1];
    double threshold;
    if ((!producer_if(noise, "RandomUniformLike") && !producer_if(noise, "RandomUniform")) ||
        attr_float(noise->producer, "low") != 0 || attr_float(noise->producer, "high") != 1 ||
        !constant_value(graph, test->inputs[noise_first ? 1 : 0], &threshold))
        return false;
    bool less = is_op(test, "Less") || is_op(test, "LessOrEqual");
    *share = less == noise_first ? threshold : 1 - threshold;
    return true;
}

/* x · mask / (1 - ratio), in any order of multiplication. */
bool recognise_dropout(Matcher *m, Node *node)
{
    Graph *graph = m->graph;
    if (!is_op(node, "Mul") && !is_op(node, "Div"))
        return false;
    Product product = flatten_product(graph, node->outputs[0]);
    for (int i = 0; product.count == 2 && i < 2; i++) {
        double share;
        Value *x = product.factors[1 - i];
        if (!survival(graph, product.factors[i], &share) || share <= 0 || share >= 1 ||
            !same_type(&x->type, &node->outputs[0]->type) || product.constant * share < 1 - 1e-5 ||
            product.constant * share > 1 + 1e-5)
            continue;
        Value *on = const_float(graph, DTYPE_BOOL, 1);
        Value *operands[] = {x, const_float(graph, DTYPE_F32, 1 - share), on};
        substitute(graph, node->outputs[0], build(graph, "Dropout", 3, operands));
        return true;
    }
    return false;
}
