/* call.c: how kernel calls are spelt in CUDA C++. */
#include <math.h>

#include "codegen/cuda/print.h"
#include "ir/optimizer.h"

/* The type that is computed in, or moved, and the form are given; the types of operands are deduced. */
const char *cuda_callee(const Node *node, const Kernel *kernel, const KernelCall *call)
{
    const char *type = dtype_info[moved_dtype(call->suffix)].c_type;
    if (kernel->form)
        return arena_printf(call->arena, "pcc_%s<%s, %s>", call->kernel, type, kernel->form(node, call));
    return arena_printf(call->arena, "pcc_%s<%s>", call->kernel, type);
}

/* C++ has no literal of the least int64_t: -9223372036854775808 is an operator and a literal too large. */
static void append_int(Text *text, int64_t value)
{
    if (value == INT64_MIN)
        append(text, "INT64_MIN");
    else
        append(text, "%lld", (long long)value);
}

static void append_float(Text *text, double value)
{
    if (isnan(value))
        append(text, "NAN");
    else if (isinf(value))
        append(text, "%sINFINITY", value < 0 ? "-" : "");
    else
        append(text, "%a", value);
}

static void append_list(Text *text, const Argument *dims)
{
    append(text, "{");
    for (int i = 0; i < dims->count; i++)
        append(text, "%s%lld", i ? ", " : "", (long long)dims->dims[i]);
    append(text, "}");
}

static void append_field(Text *text, const Argument *field)
{
    append(text, ".%s = ", field->name);
    if (field->kind == ARGUMENT_DIMS)
        append_list(text, field);
    else if (field->kind == ARGUMENT_FLOAT)
        append_float(text, field->f);
    else
        append_int(text, field->i);
}

void print_cuda_literal(Text *text, const Argument *literal)
{
    switch (literal->kind) {
    case ARGUMENT_FLOAT:
        append_float(text, literal->f);
        break;
    case ARGUMENT_DIMS:
        append(text, "PccDims{");
        append_list(text, literal);
        append(text, "}");
        break;
    case ARGUMENT_STRUCT:
        append(text, "%s{", literal->name);
        for (int i = 0; i < literal->count; i++) {
            append(text, "%s", i ? ", " : "");
            append_field(text, &literal->fields[i]);
        }
        append(text, "}");
        break;
    default:
        append_int(text, literal->i);
        break;
    }
}

void print_cuda_operand(Text *text, const KernelCall *call, const Value *value, const char *name, bool is_input)
{
    append(text, "%s%s", moved_pointer(text->arena, call, value->type.dtype, is_input), name);
}

const char *cuda_absent(const KernelCall *call, bool may_be_float, bool is_input)
{
    (void)call;
    (void)may_be_float;
    (void)is_input;
    return "PCC_ABSENT";
}

void print_cuda_store(Text *text, StorePlace place, const char *name)
{
    if (place == STORE_ARGUMENT)
        append(text, "epilogue");
    else
        append(text, "%s_epilogue%s", name, place == STORE_PARAMETER ? " epilogue" : "");
}

void print_cuda_loss(Emitter *e, Text *text, const char *address)
{
    (void)e;
    line(text, "pcc_keep_loss(%s, s);", address);
}

void print_cuda_update(Emitter *e, Text *text)
{
    const char *scaling = scaling_text(e);
    line(text, "const PccScaling scaling = %s;", *scaling ? scaling : "{}");
    line(text, "pcc_%s(params, s->params, PCC_COUNT(params), scaling, s->arena + 0x%llx, &s->mirror->done,",
         e->options->optimizer, (unsigned long long)e->update_scratch);
    line(text, "        &s->mirror->loss_scaling, s);");
}
