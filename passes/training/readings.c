/* readings.c: how the operators that read a value use it. Unlike names, this does not depend on the exporter. */
#include "ir/schema.h"
#include "passes/match.h"
#include "passes/training/trainable.h"

/* Where a value goes, through whatever only moves it. */
enum { INTO_ROOT = 1, INTO_SOFTMAX = 2 };

typedef struct Reader {
    const Graph *graph;
    int64_t batch;
    unsigned *readings; /* by value id, as is `into` */
    unsigned char *into;
} Reader;

/* Must not be zero, or not negative: what is added here is an epsilon. */
static bool is_guarded(const Node *node, int i)
{
    return (i == 1 && is_op(node, "Div")) ||
           (i == 0 && (is_op(node, "Sqrt") || is_op(node, "Reciprocal") || is_op(node, "Log")));
}

static bool moves_only(const Node *node, int i)
{
    return i == 0 && (node->op->kind == OP_VIEW || is_op(node, "Cast"));
}

static unsigned char way_of(const Reader *r, const Node *node, int i)
{
    const unsigned char behind = node->outputs[0] ? r->into[node->outputs[0]->id] : 0;
    if (is_guarded(node, i))
        return INTO_ROOT;
    if (i == 0 && (is_op(node, "Softmax") || is_op(node, "LogSoftmax")))
        return INTO_SOFTMAX;
    if (moves_only(node, i))
        return behind;
    const OperandRole role = operand_role(node->op, i);
    return role == ROLE_TERM || role == ROLE_CHOICE ? behind & INTO_SOFTMAX : 0;
}

/* The product of a weight, as the layers of networks are. */
static bool is_product(const Value *value)
{
    const Node *node = value ? value->producer : NULL;
    for (int i = 0; node && i < node->input_count; i++)
        if (operand_role(node->op, i) == ROLE_WEIGHT && input(node, i) && !input(node, i)->producer)
            return true;
    return false;
}

/* Do the rows of the operand meet those of the result, one a sample? */
static bool is_by_sample(const Reader *r, const Node *node, int i)
{
    const Value *operand = node->inputs[i], *result = node->outputs[0];
    const OperandRole role = operand_role(node->op, i);
    const bool aligned = role == ROLE_TERM || role == ROLE_FACTOR || role == ROLE_CHOICE || role == ROLE_BOUND ||
                         is_op(node, "Concat") || (is_op(node, "MatMul") && operand->type.rank > 2);
    return aligned && r->batch > 1 && result && operand->type.rank == result->type.rank && operand->type.rank > 1 &&
           operand->type.dims[0] == r->batch && result->type.dims[0] == r->batch;
}

/* How a unary function of the value is used counts for the value: exp(logit_scale) is a factor, and so is logit_scale.
 */
static unsigned readings_behind(const Reader *r, const Node *node, int i)
{
    const Value *operand = node->inputs[i];
    unsigned behind = node->outputs[0] ? r->readings[node->outputs[0]->id] : 0;
    if (operand->type.rank == 0 || operand->type.dims[0] != r->batch)
        behind &= ~(unsigned)READ_BY_SAMPLE;
    if (moves_only(node, i))
        return behind;
    const bool unary = node->op->kind == OP_ELEMENTWISE && node->input_count == 1;
    return unary ? behind & (READ_AS(FACTOR) | READ_AS(TERM)) : 0;
}

static void read_operand(const Reader *r, const Node *node, int i)
{
    const Value *operand = node->inputs[i];
    const OperandRole role = operand_role(node->op, i);
    const unsigned char behind = node->outputs[0] ? r->into[node->outputs[0]->id] : 0;
    unsigned readings = (1u << role) | readings_behind(r, node, i);
    if (role == ROLE_TERM) {
        readings |= behind & INTO_ROOT ? READ_BEFORE_ROOT : 0;
        readings |= behind & INTO_SOFTMAX ? READ_BEFORE_SOFTMAX : 0;
        readings |= node->input_count == 2 && is_product(node->inputs[1 - i]) ? READ_AS_BIAS : 0;
    }
    readings |= is_by_sample(r, node, i) ? READ_BY_SAMPLE : 0;
    r->readings[operand->id] |= readings;
    r->into[operand->id] |= way_of(r, node, i);
}

/* Backwards, so that what is computed from a value has been visited before the value. */
const unsigned *collect_readings(const Graph *graph)
{
    Reader r = {graph, graph_batch(graph), NEW_ARRAY(graph->arena, unsigned, graph->value_count + 1),
                NEW_ARRAY(graph->arena, unsigned char, graph->value_count + 1)};
    for (const Node *node = graph->last; node; node = node->previous)
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i] && node->output_count > 0)
                read_operand(&r, node, i);
    return r.readings;
}
