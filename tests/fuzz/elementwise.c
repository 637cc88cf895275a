/* elementwise.c: functions of one and more operands, comparisons, casts. */
#include <math.h>

#include "fuzz.h"

typedef struct Unary {
    const char *op;
    double low, high; /* where it may be asked */
    double kinks[2];
    bool steps; /* between whole numbers: no gradient */
} Unary;

#define ANYWHERE -30, 30
#define SMOOTH   \
    {            \
        NAN, NAN \
    }

static const Unary unary_rows[] = {
    {"Abs", ANYWHERE, {0, NAN}, false},
    {"Acos", -0.9, 0.9, SMOOTH, false},
    {"Acosh", 1.1, 30, SMOOTH, false},
    {"Asin", -0.9, 0.9, SMOOTH, false},
    {"Asinh", ANYWHERE, SMOOTH, false},
    {"Atan", ANYWHERE, SMOOTH, false},
    {"Atanh", -0.9, 0.9, SMOOTH, false},
    {"Ceil", ANYWHERE, SMOOTH, true},
    {"Celu", ANYWHERE, {0, NAN}, false},
    {"Cos", -6, 6, SMOOTH, false},
    {"Cosh", -3, 3, SMOOTH, false},
    {"Elu", ANYWHERE, {0, NAN}, false},
    {"Erf", -3, 3, SMOOTH, false},
    {"Exp", -3, 3, SMOOTH, false},
    {"Floor", ANYWHERE, SMOOTH, true},
    {"Gelu", ANYWHERE, SMOOTH, false},
    {"HardSigmoid", ANYWHERE, {-2.5, 2.5}, false},
    {"HardSwish", ANYWHERE, {-3, 3}, false},
    {"Identity", ANYWHERE, SMOOTH, false},
    {"LeakyRelu", ANYWHERE, {0, NAN}, false},
    {"Log", 0.05, 30, SMOOTH, false},
    {"Mish", ANYWHERE, SMOOTH, false},
    {"Neg", ANYWHERE, SMOOTH, false},
    {"Reciprocal", 0.1, 30, SMOOTH, false},
    {"Reciprocal", -30, -0.1, SMOOTH, false},
    {"Relu", ANYWHERE, {0, NAN}, false},
    {"Relu", ANYWHERE, {0, NAN}, false},
    {"Round", ANYWHERE, SMOOTH, true},
    {"Selu", ANYWHERE, {0, NAN}, false},
    {"Shrink", ANYWHERE, {-0.5, 0.5}, false},
    {"Sigmoid", ANYWHERE, SMOOTH, false},
    {"Sign", ANYWHERE, {0, NAN}, true},
    {"Sin", -6, 6, SMOOTH, false},
    {"Sinh", -3, 3, SMOOTH, false},
    {"Softplus", ANYWHERE, SMOOTH, false},
    {"Softsign", ANYWHERE, {0, NAN}, false},
    {"Sqrt", 0.05, 30, SMOOTH, false},
    {"Swish", ANYWHERE, SMOOTH, false},
    {"Tan", -1.2, 1.2, SMOOTH, false},
    {"Tanh", ANYWHERE, SMOOTH, false},
    {"ThresholdedRelu", ANYWHERE, {1, NAN}, true},
};

/* x in [low, high], through a sigmoid. */
static Value *squeezed(Generator *g, Value *x, double low, double high)
{
    low = fmax(low, -3);
    high = fmin(high, 3);
    Node *bounded = BEGIN(g, "Sigmoid", 1, x);
    if (!finish(g, bounded))
        return NULL;
    Node *scaled = BEGIN(g, "Mul", 1, bounded->outputs[0], scalar(g, high - low));
    if (!finish(g, scaled))
        return NULL;
    Node *moved = BEGIN(g, "Add", 1, scaled->outputs[0], scalar(g, low));
    return finish(g, moved) ? moved->outputs[0] : NULL;
}

static bool unary(Generator *g)
{
    const Unary *row = &ANY_OF(g, unary_rows);
    Value *x = pick(g, 'f', 0, MAX_FUZZ_RANK);
    if (x && !lies_in(g, x, row->low, row->high))
        x = squeezed(g, x, row->low, row->high);
    if (!x || (g->smooth && row->steps))
        return false;
    for (int i = 0; i < 2; i++)
        if (!isnan(row->kinks[i]) && !clear_of(g, x, row->kinks[i]))
            return false;
    return finish(g, BEGIN(g, row->op, 1, x));
}

/* Of the pool, or new: the dims of x, some of them 1 or left out, or a scalar. */
static Value *partner(Generator *g, const Value *x, double low, double high)
{
    int64_t dims[MAX_RANK];
    Value *other = chance(g, 50) ? pick(g, 'f', 0, MAX_FUZZ_RANK) : NULL;
    Type joined;
    if (other && broadcast_dims(&x->type, &other->type, &joined) && lies_in(g, other, low, high))
        return other;
    if (chance(g, 15))
        return scalar(g, uniform(g, low, high));
    const int dropped = chance(g, 30) ? (int)below(g, x->type.rank + 1) : 0, rank = x->type.rank - dropped;
    for (int i = 0; i < rank; i++)
        dims[i] = chance(g, 25) ? 1 : x->type.dims[i + dropped];
    return fresh(g, rank, dims, low, high);
}

static bool is_apart(Generator *g, Value *x, Value *y)
{
    Node *difference = BEGIN(g, "Sub", 1, x, y);
    bool apart = infer_node(g->graph, difference) && element_count(&difference->outputs[0]->type) <= MAX_ELEMENTS;
    if (apart) {
        evaluate_next(g->graph, difference, g->tensors);
        apart = clear_of(g, difference->outputs[0], 0) && !lies_in(g, difference->outputs[0], 0, 0);
    }
    node_remove(g->graph, difference);
    return apart;
}

static bool arithmetic(Generator *g)
{
    static const char *const ops[] = {"Add", "Sub", "Mul", "Add", "Mul"};
    Value *x = pick(g, 'f', 0, MAX_FUZZ_RANK);
    if (!x)
        return false;
    Value *y = partner(g, x, -2, 2);
    return finish(g, chance(g, 50) ? BEGIN(g, ANY_OF(g, ops), 1, x, y) : BEGIN(g, ANY_OF(g, ops), 1, y, x));
}

static bool quotient(Generator *g)
{
    Value *x = pick(g, 'f', 0, MAX_FUZZ_RANK);
    if (!x)
        return false;
    if (chance(g, 40) && lies_in(g, x, 0.2, 30))
        return finish(g, BEGIN(g, "Div", 1, partner(g, x, -2, 2), x));
    return finish(g, BEGIN(g, "Div", 1, x, chance(g, 50) ? partner(g, x, 0.3, 3) : partner(g, x, -3, -0.3)));
}

static bool power(Generator *g)
{
    static const double exponents[] = {2, 3, 0.5, -1, 1.5, 1, 0, -2};
    Value *x = pick(g, 'f', 0, MAX_FUZZ_RANK);
    if (!x || !clear_of(g, x, 0))
        return false;
    if (chance(g, 60) && lies_in(g, x, -6, 6)) {
        double exponent = lies_in(g, x, 0.05, 6) ? ANY_OF(g, exponents) : (double)between(g, 2, 3);
        return finish(g, BEGIN(g, "Pow", 1, x, scalar(g, exponent)));
    }
    return lies_in(g, x, 0.05, 10) && finish(g, BEGIN(g, "Pow", 1, x, partner(g, x, -2, 2)));
}

static bool extremum(Generator *g)
{
    static const char *const ops[] = {"Max", "Min"};
    Value *x = pick(g, 'f', 0, MAX_FUZZ_RANK);
    Value *y = x ? partner(g, x, -2, 2) : NULL;
    return y && is_apart(g, x, y) && finish(g, BEGIN(g, ANY_OF(g, ops), 1, x, y));
}

static bool several(Generator *g)
{
    static const char *const ops[] = {"Sum", "Mean"};
    Value *operands[4], *x = pick(g, 'f', 0, MAX_FUZZ_RANK);
    const int count = (int)between(g, 1, 4);
    if (!x)
        return false;
    operands[0] = x;
    for (int i = 1; i < count; i++)
        operands[i] = partner(g, x, -2, 2);
    return finish(g, begin(g, ANY_OF(g, ops), 1, count, operands));
}

static bool modulo(Generator *g)
{
    Value *x = pick(g, 'f', 0, MAX_FUZZ_RANK);
    if (!x || g->smooth || !clear_of(g, x, 0))
        return false;
    Node *node = BEGIN(g, "Mod", 1, x, partner(g, x, 0.5, 3));
    set_int(g->graph, node, "fmod", 1);
    return finish(g, node);
}

static bool compare(Generator *g)
{
    static const char *const ops[] = {"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"};
    Value *x = pick(g, 'f', 0, MAX_FUZZ_RANK);
    Value *y = x && !g->smooth ? partner(g, x, -2, 2) : NULL;
    return y && is_apart(g, x, y) && finish(g, BEGIN(g, ANY_OF(g, ops), 1, x, y));
}

static bool logic(Generator *g)
{
    static const char *const ops[] = {"And", "Or", "Xor"};
    Value *x = pick(g, 'b', 0, MAX_FUZZ_RANK), *y = pick(g, 'b', 0, MAX_FUZZ_RANK);
    if (!x)
        return false;
    return finish(g, chance(g, 25) ? BEGIN(g, "Not", 1, x) : BEGIN(g, ANY_OF(g, ops), 1, x, y));
}

static bool choose(Generator *g)
{
    Value *x = pick(g, 'f', 0, MAX_FUZZ_RANK), *condition = pick(g, 'b', 0, MAX_FUZZ_RANK);
    Type joined;
    if (!x)
        return false;
    if (!condition || !broadcast_dims(&x->type, &condition->type, &joined) || chance(g, 30))
        condition = fresh_bools(g, x->type.rank, x->type.dims);
    Value *y = partner(g, x, -2, 2);
    return finish(g, chance(g, 50) ? BEGIN(g, "Where", 1, condition, x, y) : BEGIN(g, "Where", 1, condition, y, x));
}

static bool clip(Generator *g)
{
    Value *x = pick(g, 'f', 0, MAX_FUZZ_RANK);
    double low = uniform(g, -1.5, 0), high = uniform(g, 0, 1.5);
    if (!x || !clear_of(g, x, low) || !clear_of(g, x, high))
        return false;
    return finish(
        g, BEGIN(g, "Clip", 1, x, chance(g, 80) ? scalar(g, low) : NULL, chance(g, 80) ? scalar(g, high) : NULL));
}

static bool slope(Generator *g)
{
    Value *x = pick(g, 'f', 1, MAX_FUZZ_RANK);
    int64_t dims[MAX_RANK];
    if (!x || !clear_of(g, x, 0))
        return false;
    for (int i = 0; i < x->type.rank; i++)
        dims[i] = chance(g, 40) ? 1 : x->type.dims[i];
    return finish(g, BEGIN(g, "PRelu", 1, x, fresh(g, x->type.rank, dims, -1, 1)));
}

static bool cast(Generator *g)
{
    static const Dtype integers[] = {DTYPE_I64, DTYPE_I32, DTYPE_BOOL, DTYPE_I16, DTYPE_I8};
    char kind = "fib"[below(g, 3)];
    Value *x = pick(g, kind, 0, MAX_FUZZ_RANK);
    if (!x || (kind == 'f' && (g->smooth || !clear_of(g, x, 0))))
        return false;
    Node *node = BEGIN(g, "Cast", 1, x);
    const Dtype to = kind == 'f' ? ANY_OF(g, integers) : DTYPE_F32;
    set_int(g->graph, node, "to", dtype_info[to].onnx);
    return finish(g, node);
}

Family *const elementwise_families[] = {unary,      unary,   unary,    unary, unary, unary,    arithmetic,
                                        arithmetic, several, quotient, power, clip,  extremum, choose,
                                        compare,    logic,   modulo,   slope, cast,  NULL};
