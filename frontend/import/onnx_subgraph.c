/* onnx_subgraph.c: a body imported for a node that holds it, and what such nodes have in common. */
#include <string.h>

#include "frontend/import/onnx_control.h"

const AttributeProto *control_attribute(const Control *control, const char *name)
{
    int given = 0;
    for (size_t i = 0; i < control->node->n_attribute; i++) {
        given += strcmp(text_or_empty(control->node->attribute[i]->name), name) == 0;
    }
    if (given > 1) {
        fatal(control->import->diagnostics, EXIT_STATUS_INPUT, control->origin, "attribute '%s' is given twice", name);
    }
    return node_attribute(control->body, control->node, name);
}

bool refuse_control(const Control *control, const char *why)
{
    int first = control->import->refusal_count;
    unsupported(control->import, control->origin, "%s %s", control->origin.op, why);
    poison_outputs(control->import, control->body, control->scope, control->node, first, 0, NULL);
    return true;
}

bool pass_poison_on(const Control *control, size_t count, Value *const *values)
{
    poison_outputs(control->import, control->body, control->scope, control->node, control->import->refusal_count, count,
                   values);
    return true;
}

bool import_body(const Control *control, Body body, const GraphProto *graph, Value *const *inputs, const bool *wanted,
                 Value **outputs)
{
    Import *import = control->import;
    if (++body.depth > MAX_BODY_DEPTH) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, control->origin, "subgraphs are nested more than %d deep",
              MAX_BODY_DEPTH);
    }
    Scope inner = {.outer = control->scope};
    for (size_t i = 0; i < graph->n_input; i++) {
        define_value(import, &inner, control->origin, text_or_empty(graph->input[i]->name), inputs[i]);
    }
    for (size_t i = 0; i < graph->n_output; i++) {
        need(import, &inner.needed, wanted[i] ? graph->output[i]->name : NULL);
    }
    need_nodes(import, &inner.needed, graph->n_node, graph->node);
    import_initializers(import, &body, &inner, graph);
    import->import_nodes(import, &body, &inner, graph->n_node, graph->node);
    bool complete = true;
    for (size_t i = 0; i < graph->n_output; i++) {
        outputs[i] = wanted[i] ? find_value(&inner, text_or_empty(graph->output[i]->name)) : NULL;
        if (wanted[i] && !outputs[i]) {
            fatal(import->diagnostics, EXIT_STATUS_INPUT, control->origin,
                  "the subgraph does not compute its output '%s'", text_or_empty(graph->output[i]->name));
        }
        complete &= !outputs[i] || !is_poisoned(outputs[i]);
    }
    return complete;
}

bool import_subgraph(const Control *control, const GraphProto *graph, const char *suffix, Value *const *inputs,
                     const bool *wanted, Value **outputs)
{
    Body body = *control->body;
    body.repeated = true;
    body.prefix = arena_printf(control->import->arena, "%s/%s", control->origin.node, suffix);
    return import_body(control, body, graph, inputs, wanted, outputs);
}

void check_signature(const Control *control, const GraphProto *graph, size_t inputs, size_t outputs)
{
    if (graph->n_input != inputs || graph->n_output != outputs) {
        fatal(control->import->diagnostics, EXIT_STATUS_INPUT, control->origin,
              "the subgraph has %zu inputs and %zu outputs, but the node wants %zu and %zu", graph->n_input,
              graph->n_output, inputs, outputs);
    }
}

bool constant_scalar(const Control *control, Value *value, int64_t *scalar)
{
    if (is_float(value->type.dtype) || element_count(&value->type) != 1) {
        return false;
    }
    const bool is_run = control->import->options->any_input; /* nothing trains, and every input is known */
    const Value *constant = value->kind == VALUE_CONST ? value : is_run ? known_constant(control->import, value) : NULL;
    if (!constant) {
        return false;
    }
    *scalar = tensor_from_data(control->import->arena, &constant->type, constant->data).i[0];
    return true;
}

Value *scalar_constant(Import *import, Dtype dtype, int64_t value)
{
    Tensor tensor = {.type = scalar_type(dtype), .i = &value};
    return const_tensor(import->graph, &tensor);
}

bool spend_iteration(const Control *control)
{
    if (--control->import->node_budget < 0) {
        fatal(control->import->diagnostics, EXIT_STATUS_INPUT, control->origin, "unrolling takes more than %d nodes",
              MAX_IMPORTED_NODES);
    }
    return true;
}
