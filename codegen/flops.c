/* flops.c: floating-point operations of the products in a graph; everything else is small beside them. */
#include <string.h>

#include "codegen/emit.h"

static double product_flops(const Node *node)
{
    const Type *a = &node->inputs[0]->type;
    int64_t depth = a->rank < 2 ? a->dims[0] : a->dims[attr_int(node, "trans_a") ? a->rank - 2 : a->rank - 1];
    const Type *result = node->body ? &node->body->inputs[0]->type : &node->outputs[0]->type;
    return 2.0 * (double)element_count(result) * (double)depth;
}

/* A convolution and both of its gradients multiply each output position with each weight of its group once. */
static double convolution_flops(const Type *output, const Type *weight)
{
    int64_t positions = dims_product(output, 0, output->rank - 1); /* channels-last */
    return 2.0 * (double)positions * (double)element_count(weight);
}

static double attention_flops(const Node *node, int products)
{
    const Type *q = &node->inputs[0]->type, *k = &node->inputs[1]->type;
    return 2.0 * products * (double)element_count(q) * (double)k->dims[k->rank - 2];
}

double node_flops(const Node *node)
{
    const char *op = node->op->name;
    if (strcmp(op, "MatMul") == 0)
        return product_flops(node);
    if (strcmp(op, "Convolution") == 0)
        return convolution_flops(node->body ? &node->body->inputs[0]->type : &node->outputs[0]->type,
                                 &node->inputs[1]->type);
    if (strcmp(op, "ConvolutionGradInput") == 0)
        return convolution_flops(&node->inputs[0]->type, &node->inputs[1]->type);
    if (strcmp(op, "ConvolutionGradWeight") == 0)
        return convolution_flops(&node->inputs[1]->type, &node->outputs[0]->type);
    if (strcmp(op, "ScaledDotProductAttention") == 0)
        return attention_flops(node, 2);
    if (strcmp(op, "ScaledDotProductAttentionGrad") == 0)
        return attention_flops(node, 5);
    return 0;
}

double graph_flops(const Graph *graph)
{
    double sum = 0;
    for (const Node *node = graph->first; node; node = node->next)
        sum += node_flops(node);
    return sum;
}
