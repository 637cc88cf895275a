/* call.c: kernel calls: the function that calls one with its literals, and the statement that runs it. */
#include <ctype.h>
#include <string.h>

#include "codegen/c/print.h"
#include "ir/schema.h"

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
    const Node *node;
    const KernelCall *call;
    const char *store; /* what the names of its store function and epilogue begin with; NULL: it has none */
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
            append(text, "%s", text->length > start ? ", " : "");
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
        append(text, "const struct %s_epilogue *epilogue", c->store);
    else
        append(text, argument->kind == ARGUMENT_SCRATCH ? "void *scratch" : "PccStep *s");
}

static void print_parameters(const CallText *c, Text *text)
{
    Text *parameters = text_create(c->e->arena);
    print_places(c, parameters, print_parameter);
    line(text, "static void @@(%s)", parameters->length ? parameters->data : "void");
}

static const char *suffix_text(const KernelCall *call)
{
    switch (call->suffix) {
    case DTYPE_BOOL:
    case DTYPE_I8:
        return "u8";
    case DTYPE_U16:
        return "i16";
    case DTYPE_U32:
        return "i32";
    case DTYPE_U64:
        return "i64";
    default:
        return dtype_info[call->suffix].name;
    }
}

/* Kernels that move integers, or the bits of 16-bit floats, do so by their width; C's aliasing rules let the other sign
 * read the same objects. */
static const char *pointer_cast(const KernelCall *call, Dtype dtype, bool is_const)
{
    switch (dtype) {
    case DTYPE_F16:
    case DTYPE_BF16:
    case DTYPE_U16:
        if (call->suffix != DTYPE_I16)
            return "";
        return is_const ? "(const int16_t *)" : "(int16_t *)";
    case DTYPE_I8:
        return is_const ? "(const uint8_t *)" : "(uint8_t *)";
    case DTYPE_U32:
        return is_const ? "(const int32_t *)" : "(int32_t *)";
    case DTYPE_U64:
        return is_const ? "(const int64_t *)" : "(int64_t *)";
    default:
        return "";
    }
}

/* In a mixed call every float operand is a PccIn or PccOut, absent ones too: what no signature declares otherwise. */
static bool may_be_float(const char *signature, int index)
{
    OperandSpec spec;
    return find_operand(signature, index, &spec) && spec.kind != 'i' && spec.kind != 'b';
}

static const char *argument(Emitter *e, const KernelCall *call, const Value *value, const char *name, bool in)
{
    if (call->mixed && is_float(value->type.dtype))
        return arena_printf(e->arena, in ? "PCC_IN(%s)" : "PCC_OUT(%s)", name);
    return arena_printf(e->arena, "%s%s", pointer_cast(call, value->type.dtype, in), name);
}

static const char *input_argument(Emitter *e, const Node *node, const KernelCall *call, int i)
{
    const Value *value = i < own_input_count(node) ? node->inputs[i] : NULL;
    if (!value)
        return call->mixed && may_be_float(node->op->inputs, i) ? "PCC_NO_IN" : "NULL";
    return argument(e, call, value, input_parameter(e, node, i), true);
}

static const char *output_argument(Emitter *e, const Node *node, const KernelCall *call, int i)
{
    const Value *value = i < node->output_count ? node->outputs[i] : NULL;
    if (!value)
        return call->mixed && may_be_float(node->op->outputs, i) ? "PCC_NO_OUT" : "NULL";
    return argument(e, call, value, output_parameter(e, node, i), false);
}

static void print_argument(const CallText *c, Text *text, const Argument *argument)
{
    switch (argument->kind) {
    case ARGUMENT_INPUT:
        append(text, "%s", input_argument(c->e, c->node, c->call, argument->operand));
        break;
    case ARGUMENT_OUTPUT:
        append(text, "%s", output_argument(c->e, c->node, c->call, argument->operand));
        break;
    case ARGUMENT_SCRATCH:
        append(text, argument->i > 0 ? "scratch" : "NULL");
        break;
    case ARGUMENT_STORE:
        append(text, "%s_store, epilogue", c->store);
        break;
    case ARGUMENT_STEP:
        append(text, "s");
        break;
    default:
        append_literal(text, argument);
        break;
    }
}

static void print_call(const CallText *c, Text *text)
{
    const KernelCall *call = c->call;
    Text *arguments = text_create(c->e->arena);
    for (int i = 0; i < call->argument_count; i++) {
        append(arguments, "%s", i ? ", " : "");
        print_argument(c, arguments, &call->arguments[i]);
    }
    line(text, "pcc_%s_%s(%s);", call->kernel, call->mixed ? "mixed" : suffix_text(call), arguments->data);
}

static const char *call_stem(Emitter *e, const Node *node, const KernelCall *call)
{
    Text *stem = text_create(e->arena);
    append(stem, "%s", call->kernel);
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
    Text *text = text_create(c->e->arena);
    print_parameters(c, text);
    line(text, "{");
    print_call(c, text);
    line(text, "}");
    return intern_function(c->e, call_stem(c->e, c->node, c->call), text->data);
}

/* What the epilogue reads, then what it writes. */
static void print_epilogue(Emitter *e, Text *text, const Node *node)
{
    const int own = own_input_count(node), extra = node->input_count - own;
    for (int i = 0; i < extra + node->output_count; i++)
        append(text, "%s%s", i ? ", " : "",
               operand_address(e, i < extra ? node->inputs[own + i] : node->outputs[i - extra]));
}

static void print_place(const CallText *c, Text *text, const Argument *argument)
{
    switch (argument->kind) {
    case ARGUMENT_INPUT:
        append(text, "%s", operand_address(c->e, c->node->inputs[argument->operand]));
        break;
    case ARGUMENT_OUTPUT:
        append(text, "%s", operand_address(c->e, c->node->outputs[argument->operand]));
        break;
    case ARGUMENT_STORE:
        append(text, "&(struct %s_epilogue){", c->store);
        print_epilogue(c->e, text, c->node);
        append(text, "}");
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
    const KernelCall call = kernel_call(e->options->target, node);
    CallText c = {.e = e, .node = node, .call = &call};
    if (stores_through_epilogue(e->options->target, node))
        c.store = emit_store(e, node, call.suffix);
    Text *text = text_create(e->arena);
    append(text, "%s(", emit_call(&c));
    print_places(&c, text, print_place);
    append(text, ");");
    return text->data;
}
