/* match.c: what nodes, products and constants look like, and putting one value in another's place. */
#include <math.h>
#include <string.h>

#include "passes/match.h"

bool is_op(const Node *node, const char *name)
{
    return node && strcmp(node->op->name, name) == 0;
}

bool narrows(const Node *node)
{
    return is_op(node, "Cast") && is_float(node->inputs[0]->type.dtype) && is_narrow(node->outputs[0]->type.dtype);
}

bool widens(const Node *node)
{
    return is_op(node, "Cast") && is_narrow(node->inputs[0]->type.dtype) && node->outputs[0]->type.dtype == DTYPE_F32;
}

Node *producer_if(const Value *value, const char *op)
{
    return value && is_op(value->producer, op) ? value->producer : NULL;
}

Node *sole_producer_if(const Matcher *m, const Value *value, const char *op)
{
    Node *node = producer_if(value, op);
    return node && value->id < m->value_count && m->uses[value->id] == 1 ? node : NULL;
}

bool constant_value(Graph *graph, const Value *value, double *constant)
{
    if (!value || value->kind != VALUE_CONST || !value->data || !is_float(value->type.dtype) ||
        element_count(&value->type) != 1)
        return false;
    *constant = tensor_from_data(graph->arena, &value->type, value->data).f[0];
    return true;
}

bool is_constant(Graph *graph, const Value *value, double expected)
{
    double constant;
    return constant_value(graph, value, &constant) && fabs(constant - expected) <= 1e-6 * fabs(expected);
}

Value *other_than_constant(Graph *graph, const Node *node, double expected)
{
    if (is_constant(graph, node->inputs[1], expected))
        return node->inputs[0];
    return is_constant(graph, node->inputs[0], expected) ? node->inputs[1] : NULL;
}

/* Formulas are short; a chain of thousands of divisions is some other thing. */
enum { MAX_PRODUCT_DEPTH = 16 };

static void multiply_in(Graph *graph, Product *product, Value *value, int depth)
{
    double constant;
    const Node *node = depth < MAX_PRODUCT_DEPTH ? value->producer : NULL;
    if (constant_value(graph, value, &constant)) {
        product->constant *= constant;
    } else if (product->count + 2 <= MAX_FACTORS && is_op(node, "Mul")) {
        multiply_in(graph, product, node->inputs[0], depth + 1);
        multiply_in(graph, product, node->inputs[1], depth + 1);
    } else if (is_op(node, "Div") && constant_value(graph, node->inputs[1], &constant)) {
        product->constant /= constant;
        multiply_in(graph, product, node->inputs[0], depth + 1);
    } else if (is_op(node, "Neg")) {
        product->constant = -product->constant;
        multiply_in(graph, product, node->inputs[0], depth + 1);
    } else if (product->count < MAX_FACTORS) {
        product->factors[product->count++] = value;
    }
}

Product flatten_product(Graph *graph, Value *value)
{
    Product product = {.constant = 1};
    multiply_in(graph, &product, value, 0);
    return product;
}

void substitute(Graph *graph, Value *old, Value *with)
{
    if (!with->name)
        with->name = old->name;
    replace_value(graph, old, with);
}
