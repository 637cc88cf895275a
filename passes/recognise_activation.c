/* recognise_activation.c: GELU and SiLU (Swish) from their formulas.
 *
 * GELU (Hendrycks and Gimpel 2016): x/2 (1 + erf(x / sqrt 2)), and its approximation
 * x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Exporters multiply in any order. */
#include <math.h>

#include "passes/match.h"

#define SQRT_HALF 0.70710678118654752
#define SQRT_2_OVER_PI 0.79788456080286536

static bool is_multiple(Graph *graph, Value *value, double factor, const Value *x)
{
    Product product = flatten_product(graph, value);
    return product.count == 1 && product.factors[0] == x && fabs(product.constant - factor) <= 1e-5 * factor;
}

/* 0.044715 x^3, by Pow or by multiplication. */
static bool is_cubic_term(Graph *graph, Value *value, const Value *x)
{
    Product product = flatten_product(graph, value);
    if (fabs(product.constant - 0.044715) > 1e-6)
        return false;
    if (product.count == 3)
        return product.factors[0] == x && product.factors[1] == x && product.factors[2] == x;
    Node *power = product.count == 1 ? producer_if(product.factors[0], "Pow") : NULL;
    return power && power->inputs[0] == x && is_constant(graph, power->inputs[1], 3);
}

static bool is_tanh_argument(Graph *graph, Value *value, const Value *x)
{
    Product product = flatten_product(graph, value);
    Node *sum = product.count == 1 ? producer_if(product.factors[0], "Add") : NULL;
    if (!sum || fabs(product.constant - SQRT_2_OVER_PI) > 1e-5)
        return false;
    return (sum->inputs[0] == x && is_cubic_term(graph, sum->inputs[1], x)) ||
           (sum->inputs[1] == x && is_cubic_term(graph, sum->inputs[0], x));
}

/* Which GELU is 1/2 · x · (1 + f)? */
static const char *gelu_of(Graph *graph, Value *one_plus, const Value *x)
{
    Node *sum = producer_if(one_plus, "Add");
    Value *f = sum ? other_than_constant(graph, sum, 1) : NULL;
    if (producer_if(f, "Erf") && is_multiple(graph, f->producer->inputs[0], SQRT_HALF, x))
        return "none";
    if (producer_if(f, "Tanh") && is_tanh_argument(graph, f->producer->inputs[0], x))
        return "tanh";
    return NULL;
}

bool recognise_gelu(Matcher *m, Node *node)
{
    Graph *graph = m->graph;
    if (!is_op(node, "Mul"))
        return false;
    Product product = flatten_product(graph, node->outputs[0]);
    if (product.count != 2 || fabs(product.constant - 0.5) > 1e-6)
        return false;
    for (int i = 0; i < 2; i++) {
        Value *x = product.factors[i];
        const char *form = gelu_of(graph, product.factors[1 - i], x);
        if (!form || !same_type(&x->type, &node->outputs[0]->type))
            continue;
        Node *gelu = build_begin(graph, "Gelu", 1, &x, 1);
        set_string(graph, gelu, "approximate", form);
        substitute(graph, node->outputs[0], build_finish(graph, gelu));
        return true;
    }
    return false;
}

bool recognise_swish(Matcher *m, Node *node)
{
    if (!is_op(node, "Mul"))
        return false;
    for (int i = 0; i < 2; i++) {
        Node *gate = sole_producer_if(m, node->inputs[i], "Sigmoid");
        if (!gate || gate->inputs[0] != node->inputs[1 - i])
            continue;
        substitute(m->graph, node->outputs[0], build_unary(m->graph, "Swish", gate->inputs[0]));
        return true;
    }
    return false;
}
