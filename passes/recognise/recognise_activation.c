/* recognise_activation.c: GELU and SiLU (Swish) from their formulas.
 *
 * GELU (Hendrycks and Gimpel 2016): x/2 (1 + erf(x / sqrt 2)), and its approximation
 * x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Exporters multiply in any order. */
#include <math.h>
#include <string.h>

#include "passes/match.h"

#define SQRT_HALF 0.70710678118654752
#define SQRT_2_OVER_PI 0.79788456080286536

/* The constants of a GELU as the model has them: exporters round them to f32, and f64 training must not. */
typedef struct GeluForm {
    const char *op;
    double slope, cubic; /* GeluErf has only the slope: 1 / sqrt 2 */
} GeluForm;

static bool is_near(double value, double expected)
{
    return fabs(value - expected) <= 1e-5 * expected;
}

/* factor · x with a factor near the expected one, which becomes exact. */
static bool is_multiple(Graph *graph, Value *value, double expected, const Value *x, double *factor)
{
    Product product = flatten_product(graph, value);
    *factor = product.constant;
    return product.count == 1 && product.factors[0] == x && is_near(product.constant, expected);
}

/* cubic · x^3, by Pow or by multiplication. */
static bool is_cubic_term(Graph *graph, Value *value, const Value *x, double *cubic)
{
    Product product = flatten_product(graph, value);
    *cubic = product.constant;
    if (!is_near(product.constant, 0.044715))
        return false;
    if (product.count == 3)
        return product.factors[0] == x && product.factors[1] == x && product.factors[2] == x;
    Node *power = product.count == 1 ? producer_if(product.factors[0], "Pow") : NULL;
    return power && power->inputs[0] == x && is_constant(graph, power->inputs[1], 3);
}

static bool is_tanh_argument(Graph *graph, Value *value, const Value *x, GeluForm *form)
{
    Product product = flatten_product(graph, value);
    Node *sum = product.count == 1 ? producer_if(product.factors[0], "Add") : NULL;
    form->slope = product.constant;
    if (!sum || !is_near(product.constant, SQRT_2_OVER_PI))
        return false;
    return (sum->inputs[0] == x && is_cubic_term(graph, sum->inputs[1], x, &form->cubic)) ||
           (sum->inputs[1] == x && is_cubic_term(graph, sum->inputs[0], x, &form->cubic));
}

/* Is 1/2 · x · (1 + f) a GELU of x? */
static bool is_gelu_gate(Graph *graph, Value *one_plus, const Value *x, GeluForm *form)
{
    Node *sum = producer_if(one_plus, "Add");
    Value *f = sum ? other_than_constant(graph, sum, 1) : NULL;
    if (producer_if(f, "Erf")) {
        form->op = "GeluErf";
        return is_multiple(graph, f->producer->inputs[0], SQRT_HALF, x, &form->slope);
    }
    form->op = "GeluTanh";
    return producer_if(f, "Tanh") && is_tanh_argument(graph, f->producer->inputs[0], x, form);
}

static Value *build_gelu(Graph *graph, Value *x, const GeluForm *form)
{
    Node *gelu = build_begin(graph, form->op, 1, &x, 1);
    bool by_erf = strcmp(form->op, "GeluErf") == 0;
    set_float(graph, gelu, by_erf ? "root" : "slope", form->slope);
    if (!by_erf)
        set_float(graph, gelu, "cubic", form->cubic);
    return build_finish(graph, gelu);
}

bool recognise_gelu(Matcher *m, Node *node)
{
    Graph *graph = m->graph;
    if (!is_op(node, "Mul"))
        return false;
    Product product = flatten_product(graph, node->outputs[0]);
    if (product.count != 2 || product.constant != 0.5)
        return false;
    for (int i = 0; i < 2; i++) {
        Value *x = product.factors[i];
        GeluForm form;
        if (!is_gelu_gate(graph, product.factors[1 - i], x, &form) || !same_type(&x->type, &node->outputs[0]->type))
            continue;
        substitute(graph, node->outputs[0], build_gelu(graph, x, &form));
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
