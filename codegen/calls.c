/* calls.c: the function that calls one kernel with its literals. */
#include <ctype.h>
#include <string.h>

#include "codegen/emit.h"
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

/* Operands that a row's signature lists: absent trailing ones are passed as NULL. */
static int listed_operands(const char *signature, int present)
{
    int listed = signature && *signature ? 1 : 0;
    for (const char *c = signature; c && *c; c++)
        listed += *c == ',';
    return strstr(signature ? signature : "", "...") || present > listed ? present : listed;
}

static int own_input_count(const Node *node)
{
    return node->body ? node->input_count - (node->body->input_count - 1) : node->input_count;
}

static const char *input_parameter(Emitter *e, const Node *node, int i)
{
    return arena_printf(e->arena, "%s_%d", parameter_name(e->arena, node->op->inputs, i), i);
}

static const char *output_parameter(Emitter *e, const Node *node, int i)
{
    return arena_printf(e->arena, "%s_out", parameter_name(e->arena, node->op->outputs, i));
}

static bool passes_input(const Node *node, const KernelCall *call, int i)
{
    return node->inputs[i] && !(i < 32 && call->dropped_inputs >> i & 1);
}

static void print_parameters(Emitter *e, Text *text, const Node *node, const KernelCall *call)
{
    const char *separator = "";
    Text *signature = text_create(e->arena);
    append(signature, "static void @@(");
    for (int i = 0; i < own_input_count(node); i++) {
        if (!passes_input(node, call, i))
            continue;
        append(signature, "%sconst %s *%s", separator, value_c_type(node->inputs[i]), input_parameter(e, node, i));
        separator = ", ";
    }
    if (call->has_store) {
        append(signature, "%sconst struct @@_epilogue *epilogue", separator);
        separator = ", ";
    }
    for (int i = 0; !call->has_store && i < node->output_count; i++) {
        if (!node->outputs[i])
            continue;
        append(signature, "%s%s *%s", separator, value_c_type(node->outputs[i]), output_parameter(e, node, i));
        separator = ", ";
    }
    if (call->scratch_bytes > 0) {
        append(signature, "%svoid *scratch", separator);
        separator = ", ";
    }
    if (call->needs_step || call->has_store)
        append(signature, "%sPccStep *s)", separator);
    else
        append(signature, "%s)", *separator ? "" : "void");
    line(text, "%s", signature->data);
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

static void print_call(Emitter *e, Text *text, const Node *node, const KernelCall *call)
{
    Text *arguments = text_create(e->arena);
    for (int i = 0; i < call->literal_count; i++)
        append(arguments, "%s%s", arguments->length ? ", " : "", call->literals[i]);
    int inputs = own_input_count(node), outputs = listed_operands(node->op->outputs, node->output_count);
    for (int i = 0; i < listed_operands(node->op->inputs, inputs); i++) {
        if (operand_is_static(node->op, i) || (i < 32 && call->dropped_inputs >> i & 1))
            continue;
        append(arguments, "%s%s", arguments->length ? ", " : "", input_argument(e, node, call, i));
        if (i < MAX_RANK && call->after_input[i])
            append(arguments, "%s%s", call->after_input[i][0] == ',' ? "" : ", ", call->after_input[i]);
    }
    for (int i = 0; !call->has_store && i < outputs; i++)
        append(arguments, "%s%s", arguments->length ? ", " : "", output_argument(e, node, call, i));
    if (call->scratch_bytes > 0)
        append(arguments, ", scratch");
    else if (call->scratch_bytes == 0)
        append(arguments, ", NULL");
    if (call->has_store)
        append(arguments, ", @@_store, epilogue");
    if (call->needs_step || call->has_store)
        append(arguments, ", s");
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

const char *emit_kernel_call(Emitter *e, const Node *node, const KernelCall *call)
{
    Text *text = text_create(e->arena);
    if (call->has_store)
        print_store(e, text, node, call->suffix);
    print_parameters(e, text, node, call);
    line(text, "{");
    print_call(e, text, node, call);
    line(text, "}");
    return intern_function(e, call_stem(e, node, call), text->data);
}
