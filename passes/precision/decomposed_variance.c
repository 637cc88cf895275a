/* decomposed_variance.c: decomposed standard deviations in no norm that the recognisers know: a model's own group or
 * instance norm, a weight standardisation, a local response.
 *
 * In f16 the square of what is below 2.4e-4 is zero and that of what is above 256 infinite, where the root would be
 * neither; the least epsilons are zero, and so is their root's reciprocal infinite. From the squares to the division
 * by the root all is marked, in the forms
 *     root(scale mean(d^2) + epsilon)    root(mean(x^2) - mean(x)^2 + epsilon)
 * with root a Sqrt or a Pow by less than 1, and scale and epsilon anywhere, or not there. */
#include <math.h>

#include "passes/match.h"
#include "passes/precision/decomposed_variance.h"

enum { MAX_STEPS = 24 }; /* from a root up to its squares */

typedef enum Part {
    PART_NONE,
    PART_SCALE, /* the root, or its reciprocal, and what is made of it with constants and parameters */
    PART_TERM,  /* something divided by the root, or multiplied by its reciprocal */
} Part;

typedef struct Variances {
    Graph *graph;
    bool *marks; /* by value id */
    Part *parts;
    Node *steps[MAX_STEPS]; /* the walk from the root at hand */
    int step_count;
} Variances;

/* ---- what the nodes between are ---- */

static bool is_any(const Node *node, const char *const *names)
{
    for (; *names; names++)
        if (is_op(node, *names))
            return true;
    return false;
}

static bool is_moved(const Node *node)
{
    return node->op->kind == OP_VIEW || is_op(node, "Cast") || is_op(node, "Identity") || is_op(node, "Flatten");
}

static bool is_mean(const Node *node)
{
    static const char *const names[] = {"ReduceMean", "ReduceSum", "GlobalAveragePool", "AveragePool", NULL};
    return is_any(node, names);
}

/* A constant, or a learned epsilon or factor. */
static bool is_number(const Value *value)
{
    return (value->kind == VALUE_CONST || value->kind == VALUE_PARAM) && element_count(&value->type) == 1;
}

static bool is_root(Graph *graph, const Node *node)
{
    double exponent;
    return is_op(node, "Sqrt") || (is_op(node, "Pow") && constant_value(graph, node->inputs[1], &exponent) &&
                                   exponent != 0 && fabs(exponent) < 1);
}

/* What `node` is the square of. */
static Value *squared(Graph *graph, const Node *node)
{
    if (is_op(node, "Square") || (is_op(node, "Pow") && is_constant(graph, node->inputs[1], 2)))
        return node->inputs[0];
    return is_op(node, "Mul") && node->inputs[0] == node->inputs[1] ? node->inputs[0] : NULL;
}

/* The operand that a number is added to, that it scales, or that it bounds; NULL for other nodes. */
static Value *beside_number(const Node *node)
{
    static const char *const names[] = {"Add", "Sub", "Mul", "Div", "Max", "Min", NULL};
    if (is_op(node, "Clip"))
        return node->inputs[0];
    if (!is_any(node, names) || node->input_count != 2)
        return NULL;
    if (is_number(node->inputs[1]))
        return node->inputs[0];
    return is_number(node->inputs[0]) && !is_op(node, "Div") ? node->inputs[1] : NULL;
}

/* ---- up from a root ---- */

static Node *step_to(Variances *v, const Value *value)
{
    if (!value->producer || v->step_count == MAX_STEPS)
        return NULL;
    return v->steps[v->step_count++] = value->producer;
}

/* mean(x)^2 */
static bool reaches_squared_mean(Variances *v, const Value *value)
{
    bool is_square = false;
    for (Node *node; (node = step_to(v, value));) {
        if (is_mean(node))
            return is_square;
        Value *root = squared(v->graph, node);
        is_square |= root != NULL;
        if (!root && !is_moved(node))
            return false;
        value = root ? root : node->inputs[0];
    }
    return false;
}

/* mean(d^2), which may be moved, scaled, shifted, bounded, and less a squared mean. */
static bool reaches_mean_of_squares(Variances *v, const Value *value)
{
    bool is_averaged = false;
    for (Node *node; (node = step_to(v, value));) {
        Value *beside = beside_number(node);
        if (is_op(node, "ReduceSumSquare") || (is_averaged && squared(v->graph, node)))
            return true;
        is_averaged |= is_mean(node);
        if (beside)
            value = beside;
        else if (is_mean(node) || is_moved(node))
            value = node->inputs[0];
        else if (is_op(node, "Sub") && reaches_squared_mean(v, node->inputs[1]))
            value = node->inputs[0];
        else
            return false;
    }
    return false;
}

/* ---- down from it ---- */

static Part part_of(const Variances *v, const Value *value)
{
    return value ? v->parts[value->id] : PART_NONE;
}

static bool is_fixed(const Value *value)
{
    return value->kind == VALUE_CONST || value->kind == VALUE_PARAM;
}

/* What `node` makes of a root: still a scale, or something scaled, or the sum of such things. */
static Part part_made(const Variances *v, const Node *node)
{
    const Part first = node->input_count > 0 ? part_of(v, node->inputs[0]) : PART_NONE;
    const Part second = node->input_count > 1 ? part_of(v, node->inputs[1]) : PART_NONE;
    if (first == PART_SCALE && (is_moved(node) || is_op(node, "Reciprocal") || beside_number(node)))
        return PART_SCALE;
    if (is_op(node, "Mul") && (first == PART_SCALE || second == PART_SCALE))
        return is_fixed(node->inputs[first == PART_SCALE]) ? PART_SCALE : PART_TERM;
    if (second == PART_SCALE && is_op(node, "Div"))
        return is_fixed(node->inputs[0]) ? PART_SCALE : PART_TERM;
    if (second == PART_SCALE && beside_number(node))
        return PART_SCALE;
    const bool is_sum = is_op(node, "Add") || is_op(node, "Sub");
    const bool shifts = is_op(node, "Sub") && second == PART_TERM && is_fixed(node->inputs[0]);
    return shifts || (is_sum && first == PART_TERM && second == PART_TERM) ? PART_TERM : PART_NONE;
}

bool *mark_decomposed_variances(Graph *graph)
{
    Variances v = {.graph = graph};
    v.marks = NEW_ARRAY(graph->arena, bool, graph->value_count);
    v.parts = NEW_ARRAY(graph->arena, Part, graph->value_count);
    for (Node *node = graph->first; node; node = node->next) {
        const Value *output = node->outputs[0];
        if (!output)
            continue;
        v.step_count = 0;
        if (is_root(graph, node) && reaches_mean_of_squares(&v, node->inputs[0])) {
            v.parts[output->id] = PART_SCALE;
            for (int i = 0; i < v.step_count; i++)
                v.marks[v.steps[i]->outputs[0]->id] = true;
        } else {
            v.parts[output->id] = part_made(&v, node);
        }
        v.marks[output->id] |= v.parts[output->id] != PART_NONE;
    }
    return v.marks;
}
