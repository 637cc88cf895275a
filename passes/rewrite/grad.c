/* grad.c: reverse-mode differentiation of graph->loss by every VALUE_PARAM.
 *
 * The rows know the gradients of their operators; accumulation and un-broadcasting live here alone. Nodes are visited
 * in reverse, so that when a node is reached every contribution to the cotangents of its outputs has been made. */
#include "passes/precision/policy.h"

typedef struct GradState {
    Value **cotangents; /* by value id, for the values that existed before differentiation */
    bool *wanted;       /* by value id: a parameter, or computed from one through float values */
    int value_count;
} GradState;

static Value *cotangent_of(Differentiator *d, const Value *value)
{
    const GradState *state = d->state;
    return value->id < state->value_count ? state->cotangents[value->id] : NULL;
}

static bool is_wanted(Differentiator *d, const Value *value)
{
    const GradState *state = d->state;
    return value->id < state->value_count && state->wanted[value->id];
}

static void accumulate(Differentiator *d, Value *value, Value *gradient)
{
    GradState *state = d->state;
    if (!gradient || !is_wanted(d, value))
        return;
    Graph *graph = d->graph;
    gradient = build_cast(graph, build_unbroadcast(graph, gradient, &value->type), value->type.dtype);
    if (!same_type(&gradient->type, &value->type))
        internal_error(graph->diagnostics, graph->origin, "a gradient of type %s for a value of type %s",
                       type_text(graph->arena, &gradient->type), type_text(graph->arena, &value->type));
    Value **sum = &state->cotangents[value->id];
    *sum = *sum ? build_add(graph, *sum, gradient) : gradient;
}

/* Forward reachability: which values depend on a parameter through differentiable operators? */
static void mark_wanted(const Graph *graph, bool *wanted)
{
    for (int i = 0; i < graph->value_count; i++)
        wanted[i] = graph->values[i] && graph->values[i]->kind == VALUE_PARAM;
    for (const Node *node = graph->first; node; node = node->next) {
        bool reached = false;
        for (int i = 0; i < node->input_count; i++)
            reached |= node->inputs[i] && wanted[node->inputs[i]->id];
        for (int i = 0; reached && i < node->output_count; i++)
            if (node->outputs[i] && is_float(node->outputs[i]->type.dtype))
                wanted[node->outputs[i]->id] = node->op->gradient != NULL;
    }
}

/* d loss / d loss: each of N micro-batches contributes 1/N of the gradient, times the loss scale of the step. */
static Value *seed(Graph *graph, const Options *options)
{
    Value *share = const_float(graph, graph->loss->type.dtype, 1.0 / (double)options->accumulate);
    if (policy_loss_scale(options) == 1)
        return share;
    return build_mul(graph, build_cast(graph, build(graph, "LossScale", 0, NULL), graph->loss->type.dtype), share);
}

/* The sum of all contributions, named after the value that it is the cotangent of. */
static void name_cotangent(Differentiator *d, const Value *value)
{
    Value *cotangent = d->cotangent(d, value);
    if (value->name && cotangent && !cotangent->name && cotangent->kind == VALUE_TEMP)
        cotangent->name = arena_printf(d->graph->arena, "d_%s", value->name);
}

static void differentiate_node(Differentiator *d, Node *node)
{
    if (!node->op->gradient)
        return;
    bool flows = false, matters = false;
    for (int i = 0; i < node->output_count; i++)
        flows |= dy_of(d, node, i) != NULL;
    for (int i = 0; i < node->input_count; i++)
        matters |= wants(d, node, i);
    if (!flows || !matters)
        return;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            name_cotangent(d, node->outputs[i]);
    d->graph->origin = node->origin;
    node->op->gradient(d, node);
}

void grad(Graph *graph, const Options *options)
{
    if (!graph->loss)
        internal_error(graph->diagnostics, NO_ORIGIN, "differentiation of a graph without a loss");
    GradState state = {.value_count = graph->value_count};
    state.cotangents = NEW_ARRAY(graph->arena, Value *, state.value_count);
    state.wanted = NEW_ARRAY(graph->arena, bool, state.value_count);
    mark_wanted(graph, state.wanted);
    Differentiator d = {graph, cotangent_of, is_wanted, accumulate, &state};

    Node *last_forward = graph->last;
    graph->cursor = NULL;
    if (is_wanted(&d, graph->loss))
        state.cotangents[graph->loss->id] = seed(graph, options);
    for (Node *node = last_forward; node; node = node->previous)
        differentiate_node(&d, node);

    graph->origin = NO_ORIGIN;
    for (int i = 0; i < state.value_count; i++) {
        Value *param = graph->values[i];
        if (!param || param->kind != VALUE_PARAM)
            continue;
        name_cotangent(&d, param);
        if (state.cotangents[i])
            graph_add_gradient(graph, param, state.cotangents[i]);
        else
            param->kind = VALUE_CONST; /* no gradient reaches it */
    }
}
