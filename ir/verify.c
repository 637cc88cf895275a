/* verify.c: what holds between all passes. A broken rule is pcc's own mistake: the message names the pass that ran
 * last and the node. */
#include "ir/ir.h"

#include <string.h>

typedef struct Verifier {
    Graph *graph;
    bool *defined;     /* by value id: its definition was met */
    bool *node_listed; /* by node id */
} Verifier;

#define BROKEN(v, origin, ...)                                                                  \
    internal_error((v)->graph->diagnostics, (origin), "after pass '%s': %s", (v)->graph->stage, \
                   arena_printf((v)->graph->arena, __VA_ARGS__))

/* ---- values ---------------------------------------------------------------------------------------------------- */

static bool is_listed(const Graph *graph, const Value *value)
{
    return value->id >= 0 && value->id < graph->value_count && graph->values[value->id] == value;
}

static void define(Verifier *v, const Value *value, Origin origin)
{
    if (!is_listed(v->graph, value))
        BROKEN(v, origin, "%%%d is not in the graph's list of values", value->id);
    if (v->defined[value->id])
        BROKEN(v, origin, "%%%d is defined twice", value->id);
    if (!type_is_valid(&value->type))
        BROKEN(v, origin, "%%%d has no valid type", value->id);
    v->defined[value->id] = true;
}

static void check_use(const Verifier *v, const Value *value, Origin origin, const char *what)
{
    if (!is_listed(v->graph, value))
        BROKEN(v, origin, "%s, %%%d, was removed or is of another graph", what, value->id);
    if (!v->defined[value->id])
        BROKEN(v, origin, "%s, %%%d, is used before it is defined", what, value->id);
}

static void check_copy(const Verifier *v, const Value *value)
{
    if ((value->kind == VALUE_COPY) != (value->copy_of != NULL))
        BROKEN(v, NO_ORIGIN, "%%%d is a copy of nothing, or no copy", value->id);
    if (value->copy_of && (value->copy_of->kind != VALUE_PARAM || !same_dims(&value->copy_of->type, &value->type)))
        BROKEN(v, NO_ORIGIN, "%%%d is a copy of %%%d, which is no parameter of its dims", value->id,
               value->copy_of->id);
}

/* Inputs and the target by their lists; parameters, states, constants and copies wherever they are. */
static void define_sources(Verifier *v)
{
    const Graph *graph = v->graph;
    for (int i = 0; i < graph->input_count; i++) {
        if (graph->inputs[i]->kind != VALUE_INPUT)
            BROKEN(v, NO_ORIGIN, "input %d, %%%d, is of another kind", i, graph->inputs[i]->id);
        define(v, graph->inputs[i], NO_ORIGIN);
    }
    if (graph->target && graph->target->kind != VALUE_TARGET)
        BROKEN(v, NO_ORIGIN, "the target, %%%d, is of another kind", graph->target->id);
    if (graph->target)
        define(v, graph->target, NO_ORIGIN);
    for (int id = 0; id < graph->value_count; id++) {
        const Value *value = graph->values[id];
        if (!value)
            continue;
        if (value->id != id)
            BROKEN(v, NO_ORIGIN, "value %d has id %d", id, value->id);
        if (value->kind == VALUE_PARAM || value->kind == VALUE_STATE || value->kind == VALUE_CONST ||
            value->kind == VALUE_COPY)
            define(v, value, NO_ORIGIN);
        check_copy(v, value);
        if (value->kind != VALUE_TEMP && value->producer)
            BROKEN(v, value->producer->origin, "%%%d is stored, but a node produces it", id);
    }
}

/* Bases may be defined behind their windows: a Concat's buffer holds its operands. */
static void check_views(const Verifier *v)
{
    for (int id = 0; id < v->graph->value_count; id++) {
        const Value *value = v->graph->values[id];
        if (!value || !v->defined[id] || !value->view.base)
            continue;
        check_use(v, value->view.base, NO_ORIGIN, "the base of a view");
        if (!view_fits(value))
            BROKEN(v, value->producer ? value->producer->origin : NO_ORIGIN, "the view of %%%d leaves its base, %%%d",
                   id, value->view.base->id);
    }
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

static void check_list(Verifier *v, const Node *node)
{
    if (node->graph != v->graph)
        BROKEN(v, node->origin, "the node does not know its graph");
    if (node->id < 0 || node->id >= v->graph->node_count || v->node_listed[node->id])
        BROKEN(v, node->origin, "the node's id, %d, is out of range or not its own", node->id);
    v->node_listed[node->id] = true;
    if ((node->next ? node->next->previous : v->graph->last) != node)
        BROKEN(v, node->origin, "the node is not linked both ways");
}

/* Runs the inference again and puts the recorded types back. */
static void check_types(Verifier *v, Node *node)
{
    Graph *graph = v->graph;
    Type *recorded = NEW_ARRAY(graph->arena, Type, node->output_count);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            recorded[i] = node->outputs[i]->type;
    int errors = graph->diagnostics->error_count;
    if (!infer_node(graph, node)) {
        graph->diagnostics->error_count = errors; /* what the row says is no fault of the model: status 70 */
        BROKEN(v, node->origin, "%s does not satisfy its row", node->op->name);
    }
    for (int i = 0; i < node->output_count; i++) {
        Value *output = node->outputs[i];
        if (output && !same_type(&output->type, &recorded[i]))
            BROKEN(v, node->origin, "output %d, %%%d, is recorded as %s, but is %s", i, output->id,
                   type_text(graph->arena, &recorded[i]), type_text(graph->arena, &output->type));
    }
}

static void verify_node(Verifier *v, Node *node)
{
    check_list(v, node);
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            check_use(v, node->inputs[i], node->origin, "an input");
    if (node->body)
        graph_verify(node->body);
    check_types(v, node);
    for (int i = 0; i < node->output_count; i++) {
        const Value *output = node->outputs[i];
        if (!output)
            continue;
        if (output->kind != VALUE_TEMP || output->producer != node)
            BROKEN(v, node->origin, "output %d, %%%d, does not name the node as its producer", i, output->id);
        define(v, output, node->origin);
    }
}

/* ---- results --------------------------------------------------------------------------------------------------- */

static void check_bindings(const Verifier *v, const Binding *bindings, int count, ValueKind kind, const char *what)
{
    for (int i = 0; i < count; i++) {
        const Value *target = bindings[i].target, *value = bindings[i].value;
        check_use(v, target, NO_ORIGIN, what);
        check_use(v, value, NO_ORIGIN, what);
        if (target->kind != kind)
            BROKEN(v, NO_ORIGIN, "%s %d is of %%%d, which is of another kind", what, i, target->id);
        if (!same_dims(&target->type, &value->type))
            BROKEN(v, NO_ORIGIN, "%s %d, %%%d, has not the dims of %%%d", what, i, value->id, target->id);
    }
}

static void check_results(const Verifier *v)
{
    const Graph *graph = v->graph;
    for (int i = 0; i < graph->output_count; i++)
        check_use(v, graph->outputs[i], NO_ORIGIN, "an output");
    if (graph->loss) {
        check_use(v, graph->loss, NO_ORIGIN, "the loss");
        if (element_count(&graph->loss->type) != 1)
            BROKEN(v, NO_ORIGIN, "the loss, %%%d, is no scalar", graph->loss->id);
    }
    check_bindings(v, graph->gradients, graph->gradient_count, VALUE_PARAM, "gradient");
    check_bindings(v, graph->updates, graph->update_count, VALUE_STATE, "update");
}

void graph_verify(Graph *graph)
{
    Verifier verifier = {
        .graph = graph,
        .defined = NEW_ARRAY(graph->arena, bool, graph->value_count),
        .node_listed = NEW_ARRAY(graph->arena, bool, graph->node_count),
    };
    define_sources(&verifier);
    for (Node *node = graph->first; node; node = node->next)
        verify_node(&verifier, node);
    check_views(&verifier);
    check_results(&verifier);
}
