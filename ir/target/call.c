/* call.c: typed arguments of kernel calls. */
#include "ir/schema.h"
#include "ir/target/target.h"

#include <string.h>

static Argument *append_argument(KernelCall *call, Argument argument)
{
    APPEND(call->arena, call->arguments, call->argument_count, argument);
    return &call->arguments[call->argument_count - 1];
}

static Argument *append_literal(KernelCall *call, Argument literal)
{
    call->literal_count++;
    return append_argument(call, literal);
}

static Argument dims_argument(KernelCall *call, int count, const int64_t *values)
{
    int64_t *dims = NEW_ARRAY(call->arena, int64_t, count + 1);
    if (count > 0)
        memcpy(dims, values, (size_t)count * sizeof(*dims));
    return (Argument){.kind = ARGUMENT_DIMS, .count = count, .dims = dims};
}

void call_int(KernelCall *call, int64_t value)
{
    append_literal(call, (Argument){.kind = ARGUMENT_INT, .i = value});
}

void call_float(KernelCall *call, double value)
{
    append_literal(call, (Argument){.kind = ARGUMENT_FLOAT, .f = value});
}

void call_dims(KernelCall *call, int count, const int64_t *values)
{
    append_literal(call, dims_argument(call, count, values));
}

Argument *call_struct(KernelCall *call, const char *type)
{
    return append_literal(call, (Argument){.kind = ARGUMENT_STRUCT, .name = type});
}

static void append_field(KernelCall *call, Argument *structure, const char *name, Argument field)
{
    field.name = name;
    APPEND(call->arena, structure->fields, structure->count, field);
}

void struct_int(KernelCall *call, Argument *structure, const char *field, int64_t value)
{
    append_field(call, structure, field, (Argument){.kind = ARGUMENT_INT, .i = value});
}

void struct_float(KernelCall *call, Argument *structure, const char *field, double value)
{
    append_field(call, structure, field, (Argument){.kind = ARGUMENT_FLOAT, .f = value});
}

void struct_dims(KernelCall *call, Argument *structure, const char *field, int count, const int64_t *values)
{
    append_field(call, structure, field, dims_argument(call, count, values));
}

void call_following(KernelCall *call, int operand, int64_t value)
{
    Argument literal = {.kind = ARGUMENT_INT, .i = value, .operand = operand};
    APPEND(call->arena, call->following, call->following_count, literal);
}

/* ---- the operands, from the operator's signature ----------------------------------------------------------------- */

static void append_inputs(KernelCall *call, const Node *node)
{
    const int listed = listed_operands(node->op->inputs, own_input_count(node));
    for (int i = 0; i < listed; i++) {
        if (operand_is_static(node->op, i) || (i < 32 && call->dropped_inputs >> i & 1))
            continue;
        append_argument(call, (Argument){.kind = ARGUMENT_INPUT, .operand = i});
        for (int j = 0; j < call->following_count; j++)
            if (call->following[j].operand == i)
                append_argument(call, call->following[j]);
    }
}

static void append_outputs(KernelCall *call, const Node *node)
{
    const int listed = listed_operands(node->op->outputs, node->output_count);
    for (int i = 0; i < listed; i++)
        append_argument(call, (Argument){.kind = ARGUMENT_OUTPUT, .operand = i});
}

void call_operands(KernelCall *call, const Node *node, const Kernel *kernel)
{
    append_inputs(call, node);
    if (!kernel->stores)
        append_outputs(call, node);
    if (kernel->scratch)
        append_argument(call, (Argument){.kind = ARGUMENT_SCRATCH, .i = kernel->scratch(node, call)});
    if (kernel->stores)
        append_argument(call, (Argument){.kind = ARGUMENT_STORE});
    if (kernel->stores || call->needs_step)
        append_argument(call, (Argument){.kind = ARGUMENT_STEP});
}

int64_t call_scratch_bytes(const KernelCall *call)
{
    for (int i = 0; i < call->argument_count; i++)
        if (call->arguments[i].kind == ARGUMENT_SCRATCH)
            return call->arguments[i].i;
    return -1;
}
