/* addresses.c: where an operand lies, as a C expression. */
#include <string.h>

#include "codegen/emit.h"
#include "passes/view.h"

const char *value_c_type(const Value *value)
{
    return dtype_info[value->type.dtype].c_type;
}

/* Gradients and new states are written where the parameters and states keep them. */
const int64_t *bound_offsets(const Emitter *e)
{
    const Graph *graph = e->graph;
    int64_t *bound = NEW_ARRAY(e->arena, int64_t, graph->value_count + 1);
    for (int i = 0; i < graph->value_count; i++)
        bound[i] = -1;
    for (int i = 0; i < graph->update_count; i++) {
        const Binding *update = &graph->updates[i];
        bound[window_of(update->value).base->id] = e->weights->states[state_index(e->weights, update->target)].offset;
    }
    for (int i = 0; i < graph->gradient_count; i++) {
        const Binding *gradient = &graph->gradients[i];
        bound[window_of(gradient->value).base->id] =
            e->weights->param_states[param_index(e->weights, gradient->target)].gradient;
    }
    return bound;
}

/* Gradients that step() applies: where they are made depends on whether the step does (pcc_gradient()). */
const int *applied_params(const Emitter *e)
{
    int *applied = NEW_ARRAY(e->arena, int, e->graph->value_count + 1);
    for (const Node *node = e->graph->first; node; node = node->next)
        for (int i = 0; node->op->kind == OP_UPDATE && i < node->input_count / 2; i++)
            applied[window_of(node->inputs[node->input_count / 2 + i]).base->id] =
                1 + param_index(e->weights, node->inputs[i]);
    return applied;
}

/* The names of buffers: of what lies in them, else of what computes them. By value id of the roots. */
const char **name_buffers(const Emitter *e)
{
    const Graph *graph = e->graph;
    const char **names = NEW_ARRAY(e->arena, const char *, graph->value_count + 1);
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        const Value *root = value && value->name ? window_of(value).base : NULL;
        if (root && (root == value || !names[root->id]))
            names[root->id] = value->name;
    }
    return names;
}

/* The operator's name, and of another output than the first also what the operator's row calls it. */
static const char *name_by_producer(Emitter *e, const Value *root)
{
    const Node *producer = root->producer;
    OperandSpec spec;
    for (int i = 1; i < producer->output_count; i++)
        if (producer->outputs[i] == root && find_operand(producer->op->outputs, i, &spec) && !spec.is_variadic)
            return arena_printf(e->arena, "%s_%.*s", producer->op->name, spec.length, spec.name);
    return producer->op->name;
}

static const char *arena_buffer_name(Emitter *e, const Value *root)
{
    const char *name = e->buffer_names[root->id] ? e->buffer_names[root->id] : name_by_producer(e, root);
    return arena_printf(e->arena, "%s_%d", identifier(e->arena, name, 40), root->id);
}

static const char *literal_tensor(Emitter *e, const Value *constant)
{
    const char **name = &e->literal_names[constant->id];
    if (*name)
        return *name;
    *name = arena_printf(e->arena, "constant_%d", e->literal_count++);
    Tensor tensor = tensor_from_data(e->arena, &constant->type, constant->data);
    int64_t count = element_count(&constant->type);
    append(e->literals, "static const %s %s[%lld] = {", value_c_type(constant), *name, (long long)count);
    for (int64_t i = 0; i < count; i++) {
        append_text(e->literals, i ? ", " : "");
        if (tensor.f && dtype_info[constant->type.dtype].bytes == 2)
            append(e->literals, "{0x%04x}", ((const uint16_t *)constant->data)[i]);
        else if (tensor.f)
            append_text(e->literals, c_float(e->arena, tensor.f[i], constant->type.dtype));
        else
            append_text(e->literals, c_integer(e->arena, tensor.i[i], constant->type.dtype));
    }
    append(e->literals, "};\n");
    return *name;
}

static const char *in_weights(Emitter *e, const Value *root, int64_t offset)
{
    return arena_printf(e->arena, "AT(%s, w, 0x%llx)", value_c_type(root), (unsigned long long)offset);
}

static const char *root_address(Emitter *e, Value *root)
{
    switch (root->kind) {
    case VALUE_INPUT:
        for (int i = 0; i < e->graph->input_count; i++)
            if (e->graph->inputs[i] == root)
                return arena_printf(e->arena, "INPUT(%s, %d)", value_c_type(root), i);
        break;
    case VALUE_TARGET:
        return arena_printf(e->arena, "TARGET(%s)", value_c_type(root));
    case VALUE_PARAM:
        return in_weights(e, root, e->weights->params[param_index(e->weights, root)].offset);
    case VALUE_STATE:
        return in_weights(e, root, e->weights->states[state_index(e->weights, root)].offset);
    case VALUE_CONST:
        if (type_bytes(&root->type) <= e->options->target->literal_bytes)
            return literal_tensor(e, root);
        return in_weights(e, root, find_constant(e->weights, root)->offset);
    case VALUE_COPY:
        return in_weights(e, root, find_copy(e->weights, root)->offset);
    case VALUE_TEMP:
        if (e->applied[root->id] > 0)
            return arena_printf(e->arena, "GRADIENT(%s, %d)", value_c_type(root), e->applied[root->id] - 1);
        if (e->bound[root->id] >= 0)
            return in_weights(e, root, e->bound[root->id]);
        if (e->plan.offset[root->id] < 0)
            break;
        e->named[root->id] = true;
        return arena_printf(e->arena, "AT(%s, a, %s)", value_c_type(root), arena_buffer_name(e, root));
    }
    internal_error(e->graph->diagnostics, NO_ORIGIN, "value %%%d (%s) has no place in memory", root->id,
                   root->name ? root->name : "unnamed");
}

const char *operand_address(Emitter *e, Value *value)
{
    View window = window_of(value);
    const char *address = root_address(e, window.base);
    return window.offset ? arena_printf(e->arena, "%s + %lld", address, (long long)window.offset) : address;
}

void print_buffers(Emitter *e)
{
    for (int i = 0; i < e->graph->value_count; i++) {
        Value *value = e->graph->values[i];
        if (!e->named[i])
            continue;
        const char *name = e->buffer_names[i];
        line(e->buffers, "%s = 0x%llx, /* %s%s%s live %d..%d */", arena_buffer_name(e, value),
             (unsigned long long)e->plan.offset[i], type_text(e->arena, &value->type), name ? " " : "",
             name ? comment_text(e->arena, name) : "", e->plan.first_use[i], e->plan.last_use[i]);
    }
}
