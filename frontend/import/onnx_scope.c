/* onnx_scope.c: names and what they stand for: definitions, uses, and what is said about the wrong ones. */
#include <string.h>

#include "frontend/import/onnx_model.h"

Origin node_origin(Import *import, const Body *body, const NodeProto *node)
{
    const char *name = text_or_empty(node->name);
    for (size_t i = 0; !*name && i < node->n_output; i++) {
        name = node->output[i];
    }
    return (Origin){
        .node = arena_printf(import->arena, "%s%s", body->prefix, name),
        .op = arena_strndup(import->arena, text_or_empty(node->op_type), strlen(text_or_empty(node->op_type)))};
}

Value *find_value(const Scope *scope, const char *name)
{
    for (; scope; scope = scope->outer) {
        Value *value = name_table_find(&scope->values, name);
        if (value) {
            return value;
        }
    }
    return NULL;
}

void define_value(Import *import, Scope *scope, Origin origin, const char *name, Value *value)
{
    if (find_value(scope, name)) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, origin,
              "the name '%s' is defined twice; every value of a model needs a name of its own", name);
    }
    name_table_set(&scope->values, import->arena, name, value);
}

/* ---- undefined names --------------------------------------------------------------------------------------------- */

static void index_producers(Import *import, const Scope *scope, NameTable *producers)
{
    for (size_t i = 0; i < scope->node_count; i++) {
        for (size_t j = 0; j < scope->nodes[i]->n_output; j++) {
            name_table_set(producers, import->arena, scope->nodes[i]->output[j], scope->nodes[i]);
        }
    }
}

/* Does `from` need an output of `target`, through any number of nodes? Depth-first, each node once. */
static bool depends_on(Import *import, const Scope *scope, const NameTable *producers, const NodeProto *from,
                       const NodeProto *target)
{
    NameTable visited = {0};
    const NodeProto **stack = NEW_ARRAY(import->arena, const NodeProto *, scope->node_count + 1);
    size_t depth = 0;
    stack[depth++] = from;
    while (depth > 0) {
        const NodeProto *node = stack[--depth];
        if (node == target) {
            return true;
        }
        for (size_t i = 0; i < node->n_input; i++) {
            NodeProto *producer = name_table_find(producers, node->input[i]);
            if (!producer || producer->n_output == 0 || name_table_find(&visited, producer->output[0])) {
                continue;
            }
            name_table_set(&visited, import->arena, producer->output[0], producer);
            stack[depth++] = producer;
        }
    }
    return false;
}

static _Noreturn void undefined_value(Import *import, const Scope *scope, Origin origin, const NodeProto *node,
                                      const char *name)
{
    NameTable producers = {0};
    index_producers(import, scope, &producers);
    const NodeProto *producer = name_table_find(&producers, name);
    if (!producer) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, origin,
              "input '%s' is not defined: no node, input or initializer has that name", name);
    }
    const char *producer_name = producer->name && *producer->name ? producer->name : producer->output[0];
    if (depends_on(import, scope, &producers, producer, node)) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, origin,
              "input '%s' comes from node '%s', which needs this node's output: the graph has a cycle", name,
              producer_name);
    }
    fatal(import->diagnostics, EXIT_STATUS_INPUT, origin,
          "input '%s' comes from node '%s', which stands later in the file; ONNX wants nodes in topological order",
          name, producer_name);
}

Value *node_input(Import *import, const Scope *scope, Origin origin, const NodeProto *node, size_t i)
{
    if (i >= node->n_input || !*node->input[i]) {
        return NULL;
    }
    Value *value = find_value(scope, node->input[i]);
    if (!value) {
        undefined_value(import, scope, origin, node, node->input[i]);
    }
    return value == &import->absent ? NULL : value;
}

/* ---- results ---------------------------------------------------------------------------------------------------- */

const char *node_output(const NodeProto *node, size_t i)
{
    return i < node->n_output && *node->output[i] ? node->output[i] : NULL;
}

void define_result(Import *import, const Body *body, Scope *scope, const NodeProto *node, size_t i, Value *value)
{
    const char *name = node_output(node, i);
    if (!name || !value) {
        return;
    }
    bool computed =
        !is_poisoned(value) && is_tensor(value) && (value->kind == VALUE_TEMP || value->kind == VALUE_CONST);
    if (computed) {
        value->name = arena_printf(import->arena, "%s%s", body->prefix, name);
    }
    define_value(import, scope, node_origin(import, body, node), name, value);
}

void poison_outputs(Import *import, const Body *body, Scope *scope, const NodeProto *node, int first, size_t count,
                    Value *const *causes)
{
    Value **all = NEW_ARRAY(import->arena, Value *, node->n_input + count + 1);
    for (size_t i = 0; i < node->n_input; i++) {
        all[i] = find_value(scope, node->input[i]);
    }
    for (size_t i = 0; i < count; i++) {
        all[node->n_input + i] = causes[i];
    }
    Value *poisoned = poison(import, first, node->n_input + count, all);
    for (size_t i = 0; i < node->n_output; i++) {
        define_result(import, body, scope, node, i, poisoned);
    }
}
