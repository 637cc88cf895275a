/* operands.c: what loops and epilogues read and write, as every target prints it. */
#include <string.h>

#include "codegen/emit.h"

/* The dims of the result as [rows..., columns]. A matrix times a vector has one column, which no operand has an axis
 * for. */
static LoopNest epilogue_nest(Arena *arena, const Node *node, Value *const *operands, int count)
{
    const Type *result = node->body ? &node->body->inputs[0]->type : &node->outputs[0]->type;
    bool vector = strcmp(node->op->name, "MatMul") == 0 && node->inputs[1]->type.rank == 1;
    if (!vector && result->rank > 0)
        return make_nest(arena, result, operands, count, 1);
    LoopNest nest = make_nest(arena, result, operands, count, 0);
    nest.dims[nest.rank++] = 1; /* its strides are 0 */
    return nest;
}

/* Behind the node's `own` first inputs. */
static BodyOperands collect(Arena *arena, const Node *node, int own)
{
    const int reads = node->input_count - own;
    BodyOperands operands = {.reads = reads, .count = reads + node->output_count};
    operands.values = NEW_ARRAY(arena, Value *, operands.count + 1);
    memcpy(operands.values, node->inputs + own, (size_t)reads * sizeof(*operands.values));
    memcpy(operands.values + reads, node->outputs, (size_t)node->output_count * sizeof(*operands.values));
    return operands;
}

BodyOperands loop_operands(Arena *arena, const Node *node)
{
    BodyOperands operands = collect(arena, node, 0);
    operands.nest = make_nest(arena, &node->outputs[0]->type, operands.values, operands.count, 0);
    return operands;
}

BodyOperands epilogue_operands(Arena *arena, const Node *node)
{
    BodyOperands operands = collect(arena, node, own_input_count(node));
    operands.nest = epilogue_nest(arena, node, operands.values, operands.count);
    return operands;
}

const char *operand_name(Arena *arena, const BodyOperands *operands, int i)
{
    const bool is_read = i < operands->reads;
    return arena_printf(arena, "%c%d", is_read ? 'x' : 'y', is_read ? i : i - operands->reads);
}

const char *operand_declaration(Arena *arena, const BodyOperands *operands, int i)
{
    return arena_printf(arena, "%s%s *%s", i < operands->reads ? "const " : "", value_c_type(operands->values[i]),
                        operand_name(arena, operands, i));
}

const char *operand_declarations(Arena *arena, const BodyOperands *operands)
{
    Text *text = text_create(arena);
    for (int i = 0; i < operands->count; i++)
        append(text, "%s%s", i ? ", " : "", operand_declaration(arena, operands, i));
    return text->data;
}

void append_addresses(Emitter *e, Text *text, const Node *node)
{
    const BodyOperands operands = collect(e->arena, node, node->op->kind == OP_LOOP ? 0 : own_input_count(node));
    for (int i = 0; i < operands.count; i++)
        append(text, "%s%s", i ? ", " : "", operand_address(e, operands.values[i]));
}
