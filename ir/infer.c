/* infer.c: what every node must satisfy whatever its row, then the row's own shape inference. */
#include "ir/expansion.h"
#include "ir/schema.h"

#include <string.h>

/* ---- operands -------------------------------------------------------------------------------------------------- */

/* What the operand should be and is not; NULL when it is right. */
static const char *missing_kind(const OperandSpec *spec, Dtype dtype)
{
    if (spec->kind == 'f' && !is_float(dtype))
        return "a float type";
    if (spec->kind == 'i' && (is_float(dtype) || dtype == DTYPE_BOOL))
        return "an integer type";
    return spec->kind == 'b' && dtype != DTYPE_BOOL ? "bool" : NULL;
}

/* A small input may be a switch, such as Dropout's training_mode, that the user can bind. */
static void unknown_operand(Graph *graph, const Node *node, const Value *operand, const OperandSpec *spec)
{
    enum { MOST_VALUES = 8 };
    const Value *source = feeding_input(graph, operand);
    const char *name = operand->name ? operand->name : "it", *what = "is computed";
    const char *advice = "bind the model's dynamic dimensions or export it with constant shapes";
    if (source && element_count(&source->type) <= MOST_VALUES) {
        what = source == operand ? "is an input"
                                 : arena_printf(graph->arena, "is computed from the input '%s'", source->name);
        advice = arena_printf(graph->arena, "give --bind %s=VALUE", source->name);
    }
    error(graph->diagnostics, EXIT_STATUS_UNSUPPORTED, node->origin,
          "input '%.*s' of %s must be known when the model is compiled, but '%s' %s; %s", spec->length, spec->name,
          node->op->name, name, what, advice);
}

static bool check_input(Graph *graph, const Node *node, int i, const OperandSpec *spec)
{
    const Value *operand = input(node, i);
    if (!operand && !spec->optional) {
        error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin, "%s needs its input %d, '%.*s'", node->op->name, i,
              spec->length, spec->name);
        return false;
    }
    if (operand && spec->is_static && (operand->kind != VALUE_CONST || !operand->data)) {
        unknown_operand(graph, node, operand, spec);
        return false;
    }
    const char *missing = operand ? missing_kind(spec, operand->type.dtype) : NULL;
    if (missing)
        error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin, "input '%.*s' of %s is %s, but must be %s",
              spec->length, spec->name, node->op->name, dtype_info[operand->type.dtype].name, missing);
    return !missing;
}

/* Epilogues bring operands of their own behind the signature's. */
static bool check_inputs(Graph *graph, const Node *node)
{
    const char *cursor = node->op->inputs;
    OperandSpec spec = {0};
    int i = 0;
    while (next_operand(&cursor, &spec)) {
        int last = spec.is_variadic && node->input_count > i ? node->input_count - 1 : i;
        for (; i <= last; i++)
            if (!check_input(graph, node, i, &spec))
                return false;
    }
    if (i < node->input_count && !node->body) {
        error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin, "%s takes at most %d inputs (%s), but has %d",
              node->op->name, i, node->op->inputs ? node->op->inputs : "", node->input_count);
        return false;
    }
    return true;
}

/* A body has as many outputs as leave it. */
static bool check_outputs(Graph *graph, const Node *node)
{
    const char *cursor = node->op->outputs;
    OperandSpec spec = {0};
    int most = 0, least = 0;
    while (next_operand(&cursor, &spec)) {
        most++;
        least += !spec.optional;
    }
    if (node->body)
        return true;
    if (node->output_count < least || (node->output_count > most && !spec.is_variadic)) {
        error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin, "%s has the outputs (%s), but the node has %d",
              node->op->name, node->op->outputs ? node->op->outputs : "", node->output_count);
        return false;
    }
    return true;
}

/* ---- attributes ------------------------------------------------------------------------------------------------ */

static void unknown_attribute(Graph *graph, const Node *node, const char *name)
{
    const char *cursor = node->op->attributes, *count_cursor = cursor;
    AttrSpec spec;
    int count = 0;
    while (next_attr(&count_cursor, &spec))
        count++;
    const char **known = NEW_ARRAY(graph->arena, const char *, count);
    for (int i = 0; next_attr(&cursor, &spec); i++)
        known[i] = arena_strndup(graph->arena, spec.name, (size_t)spec.length);
    const char *near = did_you_mean(name, known, count);
    error(graph->diagnostics, EXIT_STATUS_UNSUPPORTED, node->origin, "unsupported attribute '%s' of %s%s%s%s", name,
          node->op->name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool check_attributes(Graph *graph, const Node *node)
{
    AttrSpec spec;
    for (int i = 0; i < node->attr_count; i++) {
        const Attr *attr = &node->attrs[i];
        if (!find_attr_spec(node->op, attr->name, &spec)) {
            unknown_attribute(graph, node, attr->name);
            return false;
        }
        if (attr->kind != spec.kind) {
            error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin, "attribute '%s' is of type %s, but %s takes %s",
                  attr->name, attr_kind_name(attr->kind), node->op->name, attr_kind_name(spec.kind));
            return false;
        }
    }
    const char *cursor = node->op->attributes;
    while (next_attr(&cursor, &spec)) {
        bool found = !spec.required;
        for (int i = 0; i < node->attr_count && !found; i++)
            found = strlen(node->attrs[i].name) == (size_t)spec.length &&
                    memcmp(node->attrs[i].name, spec.name, (size_t)spec.length) == 0;
        if (!found) {
            error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin, "%s needs the attribute '%.*s' of type %s",
                  node->op->name, spec.length, spec.name, attr_kind_name(spec.kind));
            return false;
        }
    }
    return true;
}

/* ---- types ----------------------------------------------------------------------------------------------------- */

bool is_literal(const Value *operand)
{
    return operand->kind == VALUE_CONST && operand->type.rank == 0 && operand->type.dtype == DTYPE_F32;
}

/* The dtype that elementwise operands share: of the first float one that is no literal, else of the first that is no
 * condition. */
static Dtype shared_dtype(const Node *node)
{
    Dtype dtype = DTYPE_BOOL, literal = DTYPE_BOOL;
    for (int i = 0; i < node->input_count; i++) {
        const Value *operand = node->inputs[i];
        if (!operand)
            continue;
        if (is_float(operand->type.dtype) && !is_literal(operand))
            return operand->type.dtype;
        if (is_float(operand->type.dtype))
            literal = operand->type.dtype;
        else if (dtype == DTYPE_BOOL)
            dtype = operand->type.dtype;
    }
    return literal != DTYPE_BOOL ? literal : dtype;
}

static bool infer_elementwise(Graph *graph, Node *node)
{
    Dtype dtype = shared_dtype(node);
    Type result = scalar_type(node->op->returns_bool ? DTYPE_BOOL : dtype);
    for (int i = 0; i < node->input_count; i++) {
        const Value *operand = node->inputs[i];
        if (!operand)
            continue;
        bool beside = is_narrow(dtype) && is_literal(operand);
        if (operand->type.dtype != dtype && operand->type.dtype != DTYPE_BOOL && !beside) {
            error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin, "the operands of %s are of types %s and %s",
                  node->op->name, dtype_info[dtype].name, dtype_info[operand->type.dtype].name);
            return false;
        }
        if (!broadcast_dims(&result, &operand->type, &result)) {
            error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin, "operand %d of %s, %s, does not broadcast to %s",
                  i, node->op->name, type_text(graph->arena, &operand->type), type_text(graph->arena, &result));
            return false;
        }
    }
    node->outputs[0]->type = result;
    return true;
}

/* The body's outputs are the node's. A body reads the node's inputs; an epilogue reads the product, then the inputs
 * behind the signature. */
static bool infer_body(Graph *graph, Node *node)
{
    const Graph *body = node->body;
    int product = has_epilogue(node), own = product ? operand_spec_count(node->op->inputs) : 0;
    bool agree = body->output_count == node->output_count && body->input_count - product == node->input_count - own;
    for (int i = product; agree && i < body->input_count; i++) {
        const Value *operand = node->inputs[own + i - product];
        agree = operand && same_type(&operand->type, &body->inputs[i]->type);
    }
    if (!agree) {
        error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin,
              "the operands and results of %s are not those of its body", node->op->name);
        return false;
    }
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            node->outputs[i]->type = body->outputs[i]->type;
    return true;
}

static bool infer_expansion(Graph *graph, Node *node)
{
    Expansion expansion = expand_apart(graph, node, NULL);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            node->outputs[i]->type = expansion.results[i]->type;
    return true;
}

static bool infer_types(Graph *graph, Node *node)
{
    const Op *op = node->op;
    if (node->body)
        return infer_body(graph, node);
    if (op->infer)
        return op->infer(graph, node);
    if (op->kind == OP_ELEMENTWISE)
        return infer_elementwise(graph, node);
    if (op->expand)
        return infer_expansion(graph, node);
    internal_error(graph->diagnostics, node->origin, "the row of %s has no shape inference", op->name);
}

static bool check_types(Graph *graph, const Node *node)
{
    for (int i = 0; i < node->output_count; i++) {
        const Value *output = node->outputs[i];
        if (!output || type_is_valid(&output->type))
            continue;
        if (output->type.rank < 0)
            internal_error(graph->diagnostics, node->origin, "the row of %s gives output %d no type", node->op->name,
                           i);
        error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin, "output %d of %s would be %s, which is too large", i,
              node->op->name, type_text(graph->arena, &output->type));
        return false;
    }
    return true;
}

static bool check_node(Graph *graph, Node *node)
{
    return check_inputs(graph, node) && check_outputs(graph, node) && check_attributes(graph, node) &&
           infer_types(graph, node) && check_types(graph, node);
}

bool infer_node(Graph *graph, Node *node)
{
    int errors = graph->diagnostics->error_count;
    if (check_node(graph, node))
        return true;
    if (graph->diagnostics->error_count == errors)
        error(graph->diagnostics, EXIT_STATUS_INPUT, node->origin, "the operands do not satisfy %s", node->op->name);
    return false;
}
