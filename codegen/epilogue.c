/* epilogue.c: what a product does with its finished results, as every target prints it: operands, nest, names. */
#include <ctype.h>
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

Epilogue epilogue_of(Arena *arena, const Node *node)
{
    const int own = own_input_count(node), reads = node->input_count - own;
    Epilogue epilogue = {.reads = reads, .count = reads + node->output_count};
    epilogue.operands = NEW_ARRAY(arena, Value *, epilogue.count + 1);
    memcpy(epilogue.operands, node->inputs + own, (size_t)reads * sizeof(*epilogue.operands));
    memcpy(epilogue.operands + reads, node->outputs, (size_t)node->output_count * sizeof(*epilogue.operands));
    epilogue.nest = epilogue_nest(arena, node, epilogue.operands, epilogue.count);
    return epilogue;
}

const char *epilogue_operand(Arena *arena, const Epilogue *epilogue, int i)
{
    const bool is_read = i < epilogue->reads;
    return arena_printf(arena, "%c%d", is_read ? 'x' : 'y', is_read ? i : i - epilogue->reads);
}

void print_epilogue_fields(Text *text, const Epilogue *epilogue)
{
    for (int i = 0; i < epilogue->count; i++)
        line(text, "%s%s *%s;", i < epilogue->reads ? "const " : "", value_c_type(epilogue->operands[i]),
             epilogue_operand(text->arena, epilogue, i));
}

/* Outermost first. */
void print_row_indices(Text *text, const LoopNest *nest, const char *type, const char *row)
{
    int64_t inner = 1;
    for (int axis = nest->rank - 2; axis >= 0; axis--) {
        const char *divide = inner > 1 ? arena_printf(text->arena, "%s / %lld", row, (long long)inner) : row;
        if (axis == 0)
            line(text, "const %s i0 = %s;", type, divide);
        else
            line(text, "const %s i%d = %s %% %lld;", type, axis, divide, (long long)nest->dims[axis]);
        inner *= nest->dims[axis];
    }
}

bool uses_row_index(const LoopNest *nest)
{
    for (int i = 0; i < nest->operand_count; i++)
        for (int axis = 0; axis < nest->rank - 1; axis++)
            if (nest->strides[i][axis] != 0)
                return true;
    return false;
}

bool uses_column_index(const LoopNest *nest)
{
    for (int i = 0; i < nest->operand_count; i++)
        if (nest->strides[i][nest->rank - 1] != 0)
            return true;
    return false;
}

/* " + i0 * 544 + i1" of operand i: the start of its row; "" where all rows are one. */
const char *row_offset(Arena *arena, const LoopNest *nest, int i)
{
    Text *offset = text_create(arena);
    for (int axis = 0; axis < nest->rank - 1; axis++)
        if (nest->strides[i][axis] == 1)
            append(offset, " + i%d", axis);
        else if (nest->strides[i][axis] != 0)
            append(offset, " + i%d * %lld", axis, (long long)nest->strides[i][axis]);
    return offset->length ? offset->data : "";
}

const char *epilogue_stem(Arena *arena, const Node *node)
{
    Text *stem = text_create(arena);
    append(stem, node->body ? "" : "plain");
    for (const Node *member = node->body ? node->body->first : NULL; member && stem->length < 32; member = member->next)
        append(stem, "%s%s", stem->length ? "_" : "", member->op->name);
    for (char *c = stem->data; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return identifier(arena, stem->data, 40);
}
