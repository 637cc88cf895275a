/* kernel_call.c: kernel calls: the function that calls one with its literals, and the statement that runs it. */
#include <ctype.h>
#include <string.h>

#include "codegen/emit.h"

/* Operand names from the row's signature: "X, scale, B?" gives x, scale, b. */
static const char *parameter_name(Arena *arena, const char *signature, int index)
{
    for (int i = 0; signature && i < index; i++) {
        signature = strchr(signature, ',');
        signature = signature ? signature + 1 : NULL;
    }
    while (signature && *signature == ' ')
        signature++;
    size_t length =
        signature ? strspn(signature, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") : 0;
    if (length == 0)
        return arena_printf(arena, "operand_%d", index);
    char *name = arena_printf(arena, "%.*s", (int)length, signature);
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return name;
}

static const char *input_parameter(Emitter *e, const Node *node, int i)
{
    return arena_printf(e->arena, "%s_%d", parameter_name(e->arena, node->op->inputs, i), i);
}

static const char *output_parameter(Emitter *e, const Node *node, int i)
{
    return arena_printf(e->arena, "%s_out", parameter_name(e->arena, node->op->outputs, i));
}

/* A call on its way to text. */
typedef struct CallText {
    Emitter *e;
    const Printers *printers;
    const Node *node;
    const Kernel *kernel;
    const KernelCall *call;
    const char *store; /* what its epilogue's names begin with; NULL: it has none */
} CallText;

static bool is_present(const Node *node, const Argument *argument)
{
    switch (argument->kind) {
    case ARGUMENT_INPUT:
        return argument->operand < own_input_count(node) && node->inputs[argument->operand];
    case ARGUMENT_OUTPUT:
        return argument->operand < node->output_count && node->outputs[argument->operand];
    case ARGUMENT_SCRATCH:
        return argument->i > 0;
    case ARGUMENT_STORE:
    case ARGUMENT_STEP:
        return true;
    default:
        return false;
    }
}

typedef void ArgumentPrinter(const CallText *c, Text *text, const Argument *argument);

/* What the emitted function is given: places, but no literals. */
static void print_places(const CallText *c, Text *text, ArgumentPrinter *printer)
{
    const size_t start = text->length;
    for (int i = 0; i < c->call->argument_count; i++)
        if (is_present(c->node, &c->call->arguments[i])) {
            append_text(text, text->length > start ? ", " : "");
            printer(c, text, &c->call->arguments[i]);
        }
}

static void print_parameter(const CallText *c, Text *text, const Argument *argument)
{
    const int i = argument->operand;
    if (argument->kind == ARGUMENT_INPUT)
        append(text, "const %s *%s", value_c_type(c->node->inputs[i]), input_parameter(c->e, c->node, i));
    else if (argument->kind == ARGUMENT_OUTPUT)
        append(text, "%s *%s", value_c_type(c->node->outputs[i]), output_parameter(c->e, c->node, i));
    else if (argument->kind == ARGUMENT_STORE)
        c->printers->store(text, STORE_PARAMETER, c->store);
    else
        append(text, argument->kind == ARGUMENT_SCRATCH ? "void *scratch" : "PccStep *s");
}

static void print_parameters(const CallText *c, Text *text)
{
    Text *parameters = text_create(c->e->arena);
    print_places(c, parameters, print_parameter);
    line(text, "PCC_NODE_FUNCTION void @@(%s)", parameters->length ? parameters->data : "void");
}

Dtype moved_dtype(Dtype dtype)
{
    switch (dtype) {
    case DTYPE_BOOL:
    case DTYPE_I8:
        return DTYPE_U8;
    case DTYPE_U16:
        return DTYPE_I16;
    case DTYPE_U32:
        return DTYPE_I32;
    case DTYPE_U64:
        return DTYPE_I64;
    default:
        return dtype;
    }
}

const char *moved_pointer(Arena *arena, const KernelCall *call, Dtype dtype, bool is_const)
{
    Dtype moved = moved_dtype(dtype);
    if (is_narrow(dtype) && call->suffix == DTYPE_I16)
        moved = DTYPE_I16;
    if (dtype == DTYPE_U16 && call->suffix != DTYPE_I16)
        moved = dtype;
    if (moved == dtype || dtype == DTYPE_BOOL)
        return "";
    return arena_printf(arena, "(%s%s *)", is_const ? "const " : "", dtype_info[moved].c_type);
}

/* What no signature declares otherwise. */
static bool may_be_float(const char *signature, int index)
{
    OperandSpec spec;
    return find_operand(signature, index, &spec) && spec.kind != 'i' && spec.kind != 'b';
}

static void print_input(const CallText *c, Text *text, int i)
{
    const Value *value = i < own_input_count(c->node) ? c->node->inputs[i] : NULL;
    if (value)
        c->printers->operand(text, c->call, value, input_parameter(c->e, c->node, i), true);
    else
        append_text(text, c->printers->absent(c->call, may_be_float(c->node->op->inputs, i), true));
}

static void print_output(const CallText *c, Text *text, int i)
{
    const Value *value = i < c->node->output_count ? c->node->outputs[i] : NULL;
    if (value)
        c->printers->operand(text, c->call, value, output_parameter(c->e, c->node, i), false);
    else
        append_text(text, c->printers->absent(c->call, may_be_float(c->node->op->outputs, i), false));
}

static void print_argument(const CallText *c, Text *text, const Argument *argument)
{
    switch (argument->kind) {
    case ARGUMENT_INPUT:
        print_input(c, text, argument->operand);
        break;
    case ARGUMENT_OUTPUT:
        print_output(c, text, argument->operand);
        break;
    case ARGUMENT_SCRATCH:
        append(text, argument->i > 0 ? "scratch" : "NULL");
        break;
    case ARGUMENT_STORE:
        c->printers->store(text, STORE_ARGUMENT, c->store);
        break;
    case ARGUMENT_STEP:
        append(text, "s");
        break;
    default:
        c->printers->literal(text, argument);
        break;
    }
}

static void print_call(const CallText *c, Text *text)
{
    const KernelCall *call = c->call;
    Text *arguments = text_create(c->e->arena);
    for (int i = 0; i < call->argument_count; i++) {
        append_text(arguments, i ? ", " : "");
        print_argument(c, arguments, &call->arguments[i]);
    }
    line(text, "%s(%s);", c->printers->callee(c->node, c->kernel, call), arguments->data);
}

static const char *call_stem(Emitter *e, const Node *node, const KernelCall *call)
{
    Text *stem = text_create(e->arena);
    append_text(stem, call->kernel);
    for (const Node *member = node->body ? node->body->first : NULL; member; member = member->next)
        append(stem, "_%s", member->op->name);
    if (stem->length > 48)
        stem->data[48] = 0;
    stem->length = strlen(stem->data);
    const Value *shown = NULL;
    for (int i = 0; i < node->output_count && !shown; i++)
        shown = node->outputs[i];
    append(stem, shown && shown->type.rank ? "_" : "_scalar"); /* never a bare name, which C may know already */
    for (int i = 0; shown && i < shown->type.rank; i++)
        append(stem, "%s%lld", i ? "x" : "", (long long)shown->type.dims[i]);
    for (char *c = stem->data; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return identifier(e->arena, stem->data, 96);
}

/* The function that calls the kernel of a node; returns its name. */
static const char *emit_call(const CallText *c)
{
    Text *text = function_text(c->e);
    print_parameters(c, text);
    line(text, "{");
    print_call(c, text);
    line(text, "}");
    return intern_function(c->e, call_stem(c->e, c->node, c->call), text->data);
}

static void print_place(const CallText *c, Text *text, const Argument *argument)
{
    switch (argument->kind) {
    case ARGUMENT_INPUT:
        append_text(text, operand_address(c->e, c->node->inputs[argument->operand]));
        break;
    case ARGUMENT_OUTPUT:
        append_text(text, operand_address(c->e, c->node->outputs[argument->operand]));
        break;
    case ARGUMENT_STORE:
        c->printers->store_value(c->e, text, c->node, c->store);
        break;
    case ARGUMENT_SCRATCH:
        append(text, "a + 0x%llx", (unsigned long long)c->e->plan.scratch_offset[c->node->id]);
        break;
    default:
        append(text, "s");
        break;
    }
}

const char *run_kernel(Emitter *e, const Node *node)
{
    const Target *target = e->options->target;
    const KernelCall call = kernel_call(target, node);
    CallText c = {
        .e = e, .printers = target->printers, .node = node, .kernel = find_kernel(target, node), .call = &call};
    if (stores_through_epilogue(target, node))
        c.store = c.printers->emit_store(e, node, call.suffix);
    Text *text = text_create(e->arena);
    append(text, "%s(", emit_call(&c));
    print_places(&c, text, print_place);
    append(text, ");");
    return text->data;
}
