/* onnx_outputs.c: which results of the graph training needs, and what becomes of the others. */
#include <string.h>

#include "frontend/import/onnx_model.h"

/* ---- what is needed ---------------------------------------------------------------------------------------------- */

/* The name of output i of the file's graph. */
static const char *output_name(const Import *import, size_t i)
{
    return text_or_empty(import->model->proto->graph->output[i]->name);
}

static bool is_output(const Import *import, const char *name)
{
    for (size_t i = 0; i < import->model->proto->graph->n_output; i++) {
        if (strcmp(output_name(import, i), name) == 0) {
            return true;
        }
    }
    return false;
}

/* --output names a value inside the graph: the only result that is needed. */
static bool wants_inner_value(const Import *import)
{
    const GraphProto *graph = import->model->proto->graph;
    const char *name = import->options->output;
    for (size_t i = 0; name && i < graph->n_node && !is_output(import, name); i++) {
        for (size_t j = 0; j < graph->node[i]->n_output; j++) {
            if (strcmp(graph->node[i]->output[j], name) == 0) {
                return true;
            }
        }
    }
    return false;
}

void need_outputs(Import *import, Scope *scope)
{
    const GraphProto *graph = import->model->proto->graph;
    if (graph->n_output == 0) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "the graph has no outputs");
    }
    for (size_t i = 0; i < graph->n_node; i++) {
        need_operands(import, &import->read, graph->node[i]);
    }
    if (wants_inner_value(import)) {
        APPEND(import->arena, import->results, import->result_count, import->options->output);
    }
    for (size_t i = 0; i < graph->n_output && !wants_inner_value(import); i++) {
        APPEND(import->arena, import->results, import->result_count, output_name(import, i));
    }
    for (int i = 0; i < import->result_count; i++) {
        need(import, &scope->needed, import->results[i]);
    }
    need_nodes(import, &scope->needed, graph->n_node, graph->node);
}

bool is_cut_input(const Import *import, const NameTable *needed, const char *name)
{
    const char *labels = import->options->labels;
    return is_needed(&import->read, name) && !is_needed(needed, name) && !(labels && strcmp(labels, name) == 0);
}

/* ---- what could be imported -------------------------------------------------------------------------------------- */

/* May a result that was refused be one that a loss reads? Yes, unless the file says that it is no float tensor. */
static bool may_be_float(const Import *import, const char *name)
{
    const GraphProto *graph = import->model->proto->graph;
    for (size_t i = 0; i < graph->n_output; i++) {
        const Onnx__TypeProto *type = graph->output[i]->type;
        Dtype dtype;
        if (strcmp(output_name(import, i), name) == 0 && type) {
            return type->tensor_type && (!type->tensor_type->has_elem_type ||
                                         (dtype_from_onnx(type->tensor_type->elem_type, &dtype) && is_float(dtype)));
        }
    }
    return true;
}

/* The result that the loss reads: --output, else the first of floats; -1 when none is. */
static int loss_result(const Import *import, Value *const *values)
{
    const char *name = import->options->output;
    for (int i = 0; name && i < import->result_count; i++) {
        if (strcmp(import->results[i], name) == 0) {
            return i;
        }
    }
    for (int i = 0; i < import->result_count; i++) {
        const Value *value = values[i];
        if (is_poisoned(value) ? may_be_float(import, import->results[i])
                               : is_tensor(value) && is_float(value->type.dtype)) {
            return i;
        }
    }
    return -1;
}

/* Ends the import when what is needed was refused, or everything. */
static void check_results(Import *import, Value *const *values)
{
    int loss = import->options->any_output ? -1 : loss_result(import, values), imported = 0;
    for (int i = 0; i < import->result_count; i++) {
        imported += !is_poisoned(values[i]);
    }
    if (loss >= 0 && is_poisoned(values[loss])) {
        report_refusals(import, 1, &values[loss]);
        leave(import->diagnostics);
    }
    if (imported == 0) {
        report_refusals(import, (size_t)import->result_count, values);
        leave(import->diagnostics);
    }
}

static void tell_left_out(Import *import, Value *const *values)
{
    enum { MOST_NOTES = 8 };
    int count = 0;
    for (int i = 0; i < import->result_count; i++) {
        if (!is_poisoned(values[i])) {
            continue;
        }
        if (count++ < MOST_NOTES) {
            note(import->diagnostics, NO_ORIGIN, "output '%s' is left out: %s", import->results[i],
                 refusal_summary(import, values[i]));
        }
    }
    if (count > MOST_NOTES) {
        note(import->diagnostics, NO_ORIGIN, "%d more outputs are left out", count - MOST_NOTES);
    }
}

/* ---- what is left over ------------------------------------------------------------------------------------------- */

/* An input that only nodes read which were cut is no business of the program's. */
static void remove_cut_inputs(Import *import)
{
    const GraphProto *proto = import->model->proto->graph;
    Graph *graph = import->graph;
    NameTable needed = {0};
    int kept = 0;
    for (int i = 0; i < graph->output_count; i++) {
        need(import, &needed, graph->output_names[i]);
    }
    need_nodes(import, &needed, proto->n_node, proto->node);
    for (int i = 0; i < graph->input_count; i++) {
        if (!is_cut_input(import, &needed, graph->inputs[i]->name)) {
            graph->inputs[kept++] = graph->inputs[i];
        }
    }
    graph->input_count = kept;
}

/* The value of that name, be it inside a function or a loop; lists the names of all that nodes compute. */
static Value *find_computed(Import *import, const Scope *scope, const char *name, const char ***names, int *count)
{
    const Graph *graph = import->graph;
    Value *found = find_value(scope, name);
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        if (!value || !value->producer || !value->name) {
            continue;
        }
        APPEND(import->arena, *names, *count, value->name);
        found = !found && !strcmp(value->name, name) ? value : found;
    }
    return found;
}

static void add_output(Import *import, const char *name, Value *value)
{
    rebatch_output(import, name, value);
    graph_add_output(import->graph, value);
    import->graph->output_names[import->graph->output_count - 1] = arena_strndup(import->arena, name, strlen(name));
}

/* A sequence's items are results one by one, NAME.0, NAME.1, ...; an optional without contents is none. */
static void add_outputs(Import *import, const char *name, Value *value)
{
    Value **items;
    if (is_poisoned(value)) {
        return;
    }
    if (is_tensor(value)) {
        add_output(import, name, value);
        return;
    }
    for (int i = 0, count = sequence_items(value, &items); i < count; i++) {
        add_output(import, arena_printf(import->arena, "%s.%d", name, i), items[i]);
    }
}

/* --output names none of the results: a value inside a function or a loop, which becomes one more. */
static void import_named_output(Import *import, const Scope *scope)
{
    const char *name = import->options->output, **names = NULL;
    int count = 0;
    for (int i = 0; name && i < import->result_count; i++) {
        APPEND(import->arena, names, count, import->results[i]);
        if (!strcmp(names[i], name)) {
            return;
        }
    }
    Value *value = name ? find_computed(import, scope, name, &names, &count) : NULL;
    if (!name || (value && (is_poisoned(value) || !is_tensor(value)))) {
        return;
    }
    if (value && !value->producer) {
        fatal(import->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
              "--output '%s' is an input or a constant: name a value that nodes compute", name);
    }
    if (!value) {
        const char *near = did_you_mean(name, names, count);
        fatal(import->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "--output '%s' is no value of the graph%s%s%s", name,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    add_output(import, name, value);
}

void import_outputs(Import *import, const Scope *scope)
{
    Graph *graph = import->graph;
    Value **values = NEW_ARRAY(import->arena, Value *, import->result_count + 1);
    for (int i = 0; i < import->result_count; i++) {
        values[i] = find_value(scope, import->results[i]);
        if (!values[i]) {
            fatal(import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "output '%s' is not computed by any node",
                  import->results[i]);
        }
    }
    check_results(import, values);
    tell_left_out(import, values);
    for (int i = 0; i < import->result_count; i++) {
        add_outputs(import, import->results[i], values[i]);
    }
    import_named_output(import, scope);
    if (import->refusal_count > 0) {
        remove_dead_nodes(graph);
        remove_cut_inputs(import);
    }
}
