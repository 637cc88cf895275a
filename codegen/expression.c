/* expression.c: a row's formula with operands, attributes and functions put in, token by token. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/expression.h"
#include "ir/ops/shared/expression.h"

typedef struct FunctionName {
    const char *in_expression, *in_runtime;
} FunctionName;

#define FUNCTION_ROW(NAME, RUNTIME) {#NAME, #RUNTIME},
static const FunctionName functions[] = {EXPRESSION_FUNCTIONS(FUNCTION_ROW)};

Dtype compute_dtype(const Node *node)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && is_float(node->inputs[i]->type.dtype))
            return wide_dtype(node->inputs[i]->type.dtype);
    if (is_float(node->outputs[0]->type.dtype) && !node->op->returns_bool)
        return wide_dtype(node->outputs[0]->type.dtype);
    return node->inputs[0]->type.dtype;
}

static const char *print_literal(Arena *arena, double value, bool floating, Dtype compute)
{
    if (!floating)
        return arena_printf(arena, "%lld", (long long)value);
    return c_float(arena, value, compute);
}

/* The numeric attribute of position `index` in the row's schema. */
static double attribute_at(const Node *node, int index)
{
    const char *schema = node->op->attributes;
    for (int i = 0; schema && *schema; i++) {
        while (*schema == ' ' || *schema == ',')
            schema++;
        size_t length = strcspn(schema, ":"), field = strcspn(schema, ",");
        if (i == index) {
            char name[64];
            snprintf(name, sizeof(name), "%.*s", (int)length, schema);
            return strncmp(schema + length, ":int", 4) == 0 ? (double)attr_int(node, name) : attr_float(node, name);
        }
        schema += field;
    }
    return 0;
}

static const char *print_identifier(Graph *graph, const Node *node, const char *word, size_t length,
                                    const char *const *operands, Dtype compute)
{
    if (length == 1 && word[0] >= 'x' && word[0] <= 'z' && word[0] - 'x' < node->input_count)
        return operands[word[0] - 'x'];
    if (length == 2 && word[0] == 'p' && isdigit((unsigned char)word[1]))
        return print_literal(graph->arena, attribute_at(node, word[1] - '0'), is_float(compute), compute);
    const char *suffix = is_float(compute) || compute == DTYPE_U64 ? dtype_info[compute].name : "i64";
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
        if (strlen(functions[i].in_expression) == length && memcmp(functions[i].in_expression, word, length) == 0)
            return arena_printf(graph->arena, "pcc_%s_%s", functions[i].in_runtime, suffix);
    internal_error(graph->diagnostics, node->origin, "the expression of %s uses '%.*s', which no target has",
                   node->op->name, (int)length, word);
}

const char *print_expression(Graph *graph, const Node *node, const char *const *operands, Dtype compute)
{
    Text *text = text_create(graph->arena);
    const char *at = is_float(compute) || !node->op->expression_int ? node->op->expression : node->op->expression_int;
    while (*at) {
        if (isalpha((unsigned char)*at) || *at == '_') {
            size_t length = 0;
            while (isalnum((unsigned char)at[length]) || at[length] == '_')
                length++;
            append_text(text, print_identifier(graph, node, at, length, operands, compute));
            at += length;
        } else if (isdigit((unsigned char)*at)) {
            char *end;
            double value = strtod(at, &end);
            append_text(text, print_literal(graph->arena, value, is_float(compute), compute));
            at = end;
        } else {
            append_bytes(text, at++, 1);
        }
    }
    return text->data;
}
