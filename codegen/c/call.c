/* call.c: how kernel calls are written in C. */
#include "codegen/c/print.h"

const char *c_callee(const Node *node, const Kernel *kernel, const KernelCall *call)
{
    (void)node;
    (void)kernel;
    return arena_printf(call->arena, "pcc_%s_%s", call->kernel,
                        call->narrow ? "narrow" : dtype_info[moved_dtype(call->suffix)].name);
}

void print_c_literal(Text *text, const Argument *literal)
{
    if (literal->kind == ARGUMENT_DIMS) {
        append(text, "(const int64_t[])");
        append_dims(text, literal);
    } else if (literal->kind == ARGUMENT_STRUCT) {
        append(text, "(%s)", literal->name);
        append_fields(text, literal);
    } else {
        append_number(text, literal);
    }
}

/* In a narrow call every float operand is a PccIn or PccOut, absent ones too. */
void print_c_operand(Text *text, const KernelCall *call, const Value *value, const char *name, bool is_input)
{
    if (call->narrow && is_float(value->type.dtype))
        append(text, is_input ? "PCC_IN(%s)" : "PCC_OUT(%s)", name);
    else
        append(text, "%s%s", moved_pointer(text->arena, call, value->type.dtype, is_input), name);
}

const char *c_absent(const KernelCall *call, bool may_be_float, bool is_input)
{
    return !call->narrow || !may_be_float ? "NULL" : is_input ? "PCC_NO_IN" : "PCC_NO_OUT";
}

void print_c_store(Text *text, StorePlace place, const char *name)
{
    if (place == STORE_PARAMETER)
        append(text, "const struct %s_epilogue *epilogue", name);
    else
        append(text, "%s_store, epilogue", name);
}

void print_c_store_value(Emitter *e, Text *text, const Node *node, const char *name)
{
    const BodyOperands operands = epilogue_operands(e->arena, node);
    const int64_t pitch = store_pitch(&operands.nest);
    append(text, "&(struct %s_epilogue){", name);
    append_addresses(e, text, node);
    if (pitch != 0)
        append(text, ", %lld", (long long)pitch);
    append(text, "}");
}

void print_c_loss(Emitter *e, Text *text, const char *address)
{
    (void)e;
    line(text, "s->loss = (double)*%s;", address);
}

void print_c_apply(Emitter *e, Text *text)
{
    line(text, "if (s->at_once)");
    line(text, "    pcc_add_update(&s->done, pcc_%s_from(params, first, count, s));", e->options->optimizer);
}

void print_c_update(Emitter *e, Text *text)
{
    line(text, "s->done = pcc_%s(params, PCC_COUNT(params), s);", e->options->optimizer);
}
