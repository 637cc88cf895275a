/* onnx_functions.c: model-local functions, inlined where they are called. */
#include <inttypes.h>
#include <string.h>

#include "frontend/import/onnx_model.h"

const char *normal_domain(const char *domain)
{
    return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

/* \1 separates: a function is known by all three (IR version 10 added the overload). */
static const char *function_key(Arena *arena, const char *domain, const char *name, const char *overload)
{
    return arena_printf(arena, "%s\1%s\1%s", normal_domain(domain), text_or_empty(name), text_or_empty(overload));
}

void index_functions(Import *import)
{
    const ModelProto *proto = import->model->proto;
    if (proto->n_functions > MAX_FUNCTIONS) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "the model has %zu functions; pcc reads up to %d",
              proto->n_functions, MAX_FUNCTIONS);
    }
    for (size_t i = 0; i < proto->n_functions; i++) {
        FunctionProto *function = proto->functions[i];
        const char *key = function_key(import->arena, function->domain, function->name, function->overload);
        if (name_table_find(&import->functions, key)) {
            fatal(import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "function '%s' is defined twice",
                  text_or_empty(function->name));
        }
        name_table_set(&import->functions, import->arena, key, function);
    }
}

const FunctionProto *find_function(Import *import, const NodeProto *node)
{
    if (import->functions.count == 0) {
        return NULL;
    }
    return name_table_find(&import->functions,
                           function_key(import->arena, node->domain, node->op_type, node->overload));
}

int default_opset(Import *import, size_t count, Onnx__OperatorSetIdProto *const *opsets)
{
    int64_t version = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_default = !*normal_domain(opsets[i]->domain);
        version = is_default && opsets[i]->version > version ? opsets[i]->version : version;
    }
    if (version > ONNX_MAX_OPSET || (version > 0 && version < ONNX_MIN_OPSET)) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "the model uses opset %" PRId64 "; pcc reads opsets %d to %d%s", version, ONNX_MIN_OPSET, ONNX_MAX_OPSET,
              version < ONNX_MIN_OPSET ? "; export it again or convert it with onnx.version_converter" : "");
    }
    return (int)version;
}

static void check_call(Import *import, const Body *body, Origin origin, const NodeProto *node,
                       const FunctionProto *function)
{
    const char *name = text_or_empty(function->name);
    for (const Body *caller = body; caller; caller = caller->caller) {
        if (caller->function == function) {
            fatal(import->diagnostics, EXIT_STATUS_INPUT, origin, "function '%s' calls itself", name);
        }
    }
    if (body->depth >= MAX_BODY_DEPTH) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, origin, "function calls are nested more than %d deep",
              MAX_BODY_DEPTH);
    }
    if (node->n_input > function->n_input || node->n_output > function->n_output) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, origin,
              "function '%s' has %zu inputs and %zu outputs, but is called with %zu and %zu", name, function->n_input,
              function->n_output, node->n_input, node->n_output);
    }
}

void inline_function(Import *import, const Body *body, Scope *scope, const NodeProto *node,
                     const FunctionProto *function)
{
    Origin origin = node_origin(import, body, node);
    check_call(import, body, origin, node, function);
    Body inner = {.caller = body, .function = function, .call = node, .depth = body->depth + 1, .repeated = true};
    inner.opset = default_opset(import, function->n_opset_import, function->opset_import);
    inner.opset = inner.opset ? inner.opset : body->opset;
    inner.prefix = arena_printf(import->arena, "%s/", origin.node);
    Scope formals = {0};
    for (size_t i = 0; i < function->n_input; i++) {
        Value *actual = node_input(import, scope, origin, node, i);
        define_value(import, &formals, origin, function->input[i], actual ? actual : &import->absent);
    }
    for (size_t i = 0; i < node->n_output; i++) {
        if (is_needed(&scope->needed, node->output[i])) {
            need(import, &formals.needed, function->output[i]);
        }
    }
    need_nodes(import, &formals.needed, function->n_node, function->node);
    import->import_nodes(import, &inner, &formals, function->n_node, function->node);
    for (size_t i = 0; i < node->n_output; i++) {
        if (!is_needed(&scope->needed, node->output[i])) {
            continue;
        }
        Value *result = find_value(&formals, function->output[i]);
        if (!result || result == &import->absent) {
            fatal(import->diagnostics, EXIT_STATUS_INPUT, origin, "function '%s' does not define its output '%s'",
                  text_or_empty(function->name), function->output[i]);
        }
        define_result(import, body, scope, node, i, result);
    }
}
