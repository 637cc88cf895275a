/* call.c: how kernel calls are written in CUDA C++. */
#include "codegen/cuda/print.h"

/* The type that is computed in, or moved, and the form are given; the types of operands are deduced. */
const char *cuda_callee(const Node *node, const Kernel *kernel, const KernelCall *call)
{
    const char *type = dtype_info[moved_dtype(call->suffix)].c_type;
    if (kernel->form)
        return arena_printf(call->arena, "pcc_%s<%s, %s>", call->kernel, type, kernel->form(node, call));
    return arena_printf(call->arena, "pcc_%s<%s>", call->kernel, type);
}

void print_cuda_literal(Text *text, const Argument *literal)
{
    if (literal->kind == ARGUMENT_DIMS) {
        append(text, "PccDims{");
        append_dims(text, literal);
        append(text, "}");
    } else if (literal->kind == ARGUMENT_STRUCT) {
        append_text(text, literal->name);
        append_fields(text, literal);
    } else {
        append_number(text, literal);
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
        append(text, "%s_epilogue epilogue", name);
}

void print_cuda_store_value(Emitter *e, Text *text, const Node *node, const char *name)
{
    append(text, "%s_epilogue{", name);
    append_addresses(e, text, node);
    append(text, "}");
}

void print_cuda_loss(Emitter *e, Text *text, const char *address)
{
    (void)e;
    line(text, "pcc_keep_loss(%s, s);", address);
}

/* NAME(...) of a whole update. */
static void print_update_call(Emitter *e, Text *text, const char *name)
{
    const char *scaling = scaling_text(e);
    line(text, "const PccScaling scaling = %s;", *scaling ? scaling : "{}");
    line(text, "%s(params, s->params, PCC_COUNT(params), scaling, s->arena + 0x%llx, &s->mirror->done,", name,
         (unsigned long long)e->update_scratch);
    line(text, "        &s->mirror->loss_scaling, s);");
}

void print_cuda_update(Emitter *e, Text *text)
{
    print_update_call(e, text, arena_printf(e->arena, "pcc_%s", e->options->optimizer));
}

void print_cuda_begin_apply(Emitter *e, Text *text)
{
    line(text, "if (!s->at_once)");
    line(text, "    return;");
    print_update_call(e, text, arena_printf(e->arena, "pcc_%s_begin", e->options->optimizer));
}

void print_cuda_apply(Emitter *e, Text *text)
{
    line(text, "if (s->at_once)");
    line(text, "    pcc_%s_from(params, s->params, PCC_COUNT(params), first, count, s->arena + 0x%llx,",
         e->options->optimizer, (unsigned long long)e->update_scratch);
    line(text, "            &s->mirror->done, s);");
}
