/* body.c: a scalar program as C statements, one variable a node. */
#include <string.h>

#include "codegen/emit.h"
#include "codegen/expression.h"

static const char *variable_type(const Value *value)
{
    const Dtype dtype = value->type.dtype;
    return dtype_info[is_float(dtype) ? wide_dtype(dtype) : dtype].c_type;
}

static const char *literal_of(Arena *arena, const Value *value)
{
    Tensor tensor = tensor_from_data(arena, &value->type, value->data);
    if (tensor.f)
        return c_float(arena, tensor.f[0], value->type.dtype);
    return c_integer(arena, tensor.i[0], value->type.dtype);
}

/* Elements of 16 bits are widened as they are loaded, and rounded as they are stored. Between, nothing is rounded: a
 * Cast to 16 bits inside a loop is what its store does (but see widens_stored()). */
static const char *load(Arena *arena, const Value *value, const char *element)
{
    return is_narrow(value->type.dtype)
               ? arena_printf(arena, "pcc_f32_from_%s(%s)", dtype_info[value->type.dtype].name, element)
               : element;
}

const char *stored_expression(Arena *arena, const Value *value, const char *computed)
{
    return is_narrow(value->type.dtype)
               ? arena_printf(arena, "pcc_%s_from_f32(%s)", dtype_info[value->type.dtype].name, computed)
               : computed;
}

/* A value that is stored in 16 bits, and its widening too, for other readers: both have to be the same number, because
 * one may be compared with the other (a maximum with what it was taken of). */
static bool widens_stored(const Graph *body, const Node *cast)
{
    const Value *in = cast->inputs[0], *out = cast->outputs[0];
    return in->producer && is_narrow(in->type.dtype) && is_float(out->type.dtype) && is_graph_result(body, in) &&
           is_graph_result(body, out);
}

/* Casts convert by C's rules, but to bool by comparison, and floats to integers by functions that have no undefined
 * results; the other rows say what they compute. */
static const char *node_expression(Emitter *e, const Graph *body, const Node *node, const char *const *operands)
{
    const Value *out = node->outputs[0], *in = node->inputs[0];
    if (strcmp(node->op->name, "Cast") != 0)
        return print_expression(e->graph, node, operands, compute_dtype(node));
    if (widens_stored(body, node))
        return load(e->arena, in, stored_expression(e->arena, in, operands[0]));
    if (out->type.dtype == DTYPE_BOOL)
        return arena_printf(e->arena, "%s != 0", operands[0]);
    if (strcmp(variable_type(in), variable_type(out)) == 0)
        return operands[0];
    if (is_float(in->type.dtype) && !is_float(out->type.dtype))
        return arena_printf(e->arena, "(%s)pcc_%s_from_%s(%s)", variable_type(out),
                            out->type.dtype == DTYPE_U64 ? "u64" : "i64", dtype_info[wide_dtype(in->type.dtype)].name,
                            operands[0]);
    return arena_printf(e->arena, "(%s)%s", variable_type(out), operands[0]);
}

void print_body(Emitter *e, Text *text, const Graph *body, int in_registers, const char *const *operands,
                const char *const *results)
{
    const char **names = NEW_ARRAY(e->arena, const char *, body->value_count + 1);
    for (int i = 0; i < body->input_count; i++) {
        const Value *in = body->inputs[i];
        names[in->id] = operands[i];
        if (i < in_registers || !is_narrow(in->type.dtype))
            continue;
        names[in->id] = arena_printf(e->arena, "v%d", i); /* once, and not inside a ?: that keeps loops from vectors */
        line(text, "const float %s = %s;", names[in->id], load(e->arena, in, operands[i]));
    }
    for (int i = 0; i < body->value_count; i++)
        if (body->values[i] && body->values[i]->kind == VALUE_CONST)
            names[i] = literal_of(e->arena, body->values[i]);
    int temporaries = 0, member = in_registers;
    if (in_registers)
        print_watched_element(e, text, 0, body->inputs[0], operands[0]);
    for (const Node *node = body->first; node; node = node->next) {
        const char *inputs[MAX_ROW_OPERANDS] = {NULL};
        for (int i = 0; i < node->input_count && i < MAX_ROW_OPERANDS; i++)
            inputs[i] = node->inputs[i] ? names[node->inputs[i]->id] : "0";
        Value *out = node->outputs[0];
        names[out->id] = arena_printf(e->arena, "t%d", temporaries++);
        line(text, "const %s %s = %s;", variable_type(out), names[out->id], node_expression(e, body, node, inputs));
        print_watched_element(e, text, member++, out, names[out->id]);
    }
    for (int i = 0; i < body->output_count; i++) {
        const Value *out = body->outputs[i];
        line(text, "%s = %s;", results[i], stored_expression(e->arena, out, names[out->id]));
        print_watched_element(e, text, member++, out, load(e->arena, out, results[i]));
    }
}
