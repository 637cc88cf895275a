/* schema.c: the little languages of a row's `inputs`, `outputs` ("X, ids:int, axes:int?!, rest...") and `attributes`
 * ("axis:int=-1, mode:string=linear, k:int!"). Rows are pcc's own text, so that reading needs no error messages. */
#include "ir/schema.h"

#include <string.h>

static const char *const kind_names[] = {
    [ATTR_INT] = "int",   [ATTR_FLOAT] = "float",   [ATTR_STRING] = "string",
    [ATTR_INTS] = "ints", [ATTR_FLOATS] = "floats",
};

const char *attr_kind_name(AttrKind kind)
{
    return kind_names[kind];
}

/* Moves *cursor to the next item; false at the end. */
static bool skip_separators(const char **cursor)
{
    if (!*cursor)
        return false;
    *cursor += strspn(*cursor, ", \n");
    return **cursor != '\0';
}

bool next_operand(const char **cursor, OperandSpec *spec)
{
    if (!skip_separators(cursor))
        return false;
    *spec = (OperandSpec){.name = *cursor, .length = (int)strcspn(*cursor, ", :?!.")};
    const char *mark = *cursor + spec->length;
    if (*mark == ':') {
        spec->kind = mark[1];
        mark += strcspn(mark, ", ?!.");
    }
    for (; *mark && *mark != ',' && *mark != ' '; mark++) {
        spec->optional |= *mark == '?';
        spec->is_static |= *mark == '!';
        spec->is_variadic |= *mark == '.';
    }
    *cursor = mark;
    return true;
}

static AttrKind kind_from_name(const char *name, int length)
{
    for (AttrKind kind = ATTR_INT; kind < ATTR_FLOATS; kind++)
        if (strlen(kind_names[kind]) == (size_t)length && memcmp(kind_names[kind], name, (size_t)length) == 0)
            return kind;
    return ATTR_FLOATS;
}

bool next_attr(const char **cursor, AttrSpec *spec)
{
    if (!skip_separators(cursor))
        return false;
    const char *s = *cursor;
    *spec = (AttrSpec){.name = s, .length = (int)strcspn(s, ":")};
    s += spec->length;
    s += *s == ':';
    int kind_length = (int)strcspn(s, "=!, ");
    spec->kind = kind_from_name(s, kind_length);
    s += kind_length;
    spec->required = *s == '!';
    s += spec->required;
    if (*s == '=') {
        spec->fallback = s + 1;
        spec->fallback_length = (int)strcspn(s + 1, ", ");
        s += 1 + spec->fallback_length;
    }
    *cursor = s;
    return true;
}

bool begins_variadic(const char *signature)
{
    OperandSpec spec;
    return find_operand(signature, 0, &spec) && spec.is_variadic;
}

OperandRole operand_role(const Op *op, int i)
{
    return begins_variadic(op->inputs) ? op->roles[0] : i < MAX_ROW_OPERANDS ? op->roles[i] : ROLE_DATA;
}

bool find_operand(const char *signature, int i, OperandSpec *spec)
{
    for (int k = 0; next_operand(&signature, spec); k++)
        if (k == i || spec->is_variadic)
            return true;
    return false;
}

int operand_spec_count(const char *signature)
{
    OperandSpec spec;
    int count = 0;
    while (next_operand(&signature, &spec))
        count++;
    return count;
}

int listed_operands(const char *signature, int present)
{
    OperandSpec spec;
    int listed = 0;
    while (next_operand(&signature, &spec)) {
        if (spec.is_variadic)
            return present;
        listed++;
    }
    return present > listed ? present : listed;
}

bool find_attr_spec(const Op *op, const char *name, AttrSpec *spec)
{
    const char *cursor = op->attributes;
    size_t length = strlen(name);
    while (next_attr(&cursor, spec))
        if ((size_t)spec->length == length && memcmp(spec->name, name, length) == 0)
            return true;
    return false;
}

bool has_epilogue(const Node *node)
{
    return node->body && node->op->kind == OP_KERNEL;
}

double node_flops(const Node *node)
{
    return node->op->flops ? node->op->flops(node) : 0;
}

const Type *result_type(const Node *node)
{
    return has_epilogue(node) ? &node->body->inputs[0]->type : &node->outputs[0]->type;
}

int own_input_count(const Node *node)
{
    return has_epilogue(node) ? node->input_count - (node->body->input_count - 1) : node->input_count;
}

bool operand_is_static(const Op *op, int input_index)
{
    OperandSpec spec;
    return find_operand(op->inputs, input_index, &spec) && spec.is_static;
}
