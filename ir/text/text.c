/* text.c: prints a graph as text, one line a value or node; parse.c reads it back to the same graph and ids.
 *
 *     graph "mlp" stage "import"
 *     input %0 "x" : f32[128,784]
 *     param %1 "fc.weight" : f32[512,784] = data
 *     const %2 : i64[2] = {1, -1}
 *     %5 "h" : f32[128,512], _ = LayerNormalization(%0, %1, _) {axis=-1, epsilon=0x1p-17} @ "/enc/ln" "LayerNorm"
 *     %6 : f32[128] view(%5, 0, [512]) = Fused(%5) body {
 *       graph "fused" stage ""
 *       ...
 *     }
 *     output %5 "logits" scored
 *     batch 128
 *     loss %7
 *     gradient %1 = %9
 *     update %3 = %12
 *
 * `_` is an absent operand or name. Integers are decimal, floats hexadecimal, lists of floats `floats[...]`. Strings
 * escape quotes, backslashes and control characters (\n, \xHH). `#` starts a comment. */
#include "ir/ir.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct Printer {
    FILE *stream;
    Arena *arena;
    int64_t inline_elements;
    int depth; /* of bodies */
} Printer;

static void print_graph(Printer *p, const Graph *graph);

/* ---- pieces ---------------------------------------------------------------------------------------------------- */

static void print_indent(Printer *p)
{
    fprintf(p->stream, "%*s", 2 * p->depth, "");
}

static void print_string(Printer *p, const char *text)
{
    fputc('"', p->stream);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(p->stream, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", p->stream);
        else if (c < 0x20 || c == 0x7f)
            fprintf(p->stream, "\\x%02x", c);
        else
            fputc(c, p->stream);
    }
    fputc('"', p->stream);
}

static void print_float(Printer *p, double value)
{
    if (isnan(value))
        fputs("nan", p->stream);
    else
        fprintf(p->stream, "%a", value); /* inf and -inf as such */
}

static void print_ints(Printer *p, int count, const int64_t *values)
{
    fputc('[', p->stream);
    for (int i = 0; i < count; i++)
        fprintf(p->stream, "%s%" PRId64, i ? ", " : "", values[i]);
    fputc(']', p->stream);
}

static void print_use(Printer *p, const Value *value)
{
    if (value)
        fprintf(p->stream, "%%%d", value->id);
    else
        fputc('_', p->stream);
}

/* %5 "name" : f32[2,3] view(%1, 6, [3, 1]) */
static void print_definition(Printer *p, const Value *value)
{
    fprintf(p->stream, "%%%d", value->id);
    if (value->name) {
        fputc(' ', p->stream);
        print_string(p, value->name);
    }
    fprintf(p->stream, " : %s[", dtype_info[value->type.dtype].name);
    for (int i = 0; i < value->type.rank; i++)
        fprintf(p->stream, "%s%" PRId64, i ? "," : "", value->type.dims[i]);
    fputc(']', p->stream);
    if (value->view.base) {
        fprintf(p->stream, " view(%%%d, %" PRId64 ", ", value->view.base->id, value->view.offset);
        print_ints(p, value->type.rank, value->view.strides);
        fputc(')', p->stream);
    }
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static void print_contents(Printer *p, const Value *value)
{
    Tensor tensor = tensor_from_data(p->arena, &value->type, value->data);
    int64_t count = element_count(&value->type);
    fputs(" = {", p->stream);
    for (int64_t k = 0; k < count; k++) {
        if (k)
            fputs(", ", p->stream);
        if (tensor.f)
            print_float(p, tensor.f[k]);
        else if (value->type.dtype == DTYPE_U64)
            fprintf(p->stream, "%" PRIu64, (uint64_t)tensor.i[k]);
        else
            fprintf(p->stream, "%" PRId64, tensor.i[k]);
    }
    fputc('}', p->stream);
}

static void print_value(Printer *p, const char *keyword, const Value *value)
{
    print_indent(p);
    fprintf(p->stream, "%s ", keyword);
    print_definition(p, value);
    fputc('\n', p->stream);
}

/* A parameter, state or constant. */
static void print_stored(Printer *p, const char *keyword, const Value *value)
{
    print_indent(p);
    fprintf(p->stream, "%s ", keyword);
    print_definition(p, value);
    if (value->data && element_count(&value->type) <= p->inline_elements)
        print_contents(p, value);
    else
        fputs(" = data", p->stream);
    fputc('\n', p->stream);
}

/* copy %7 : bf16[64,10] of %3 */
static void print_copy(Printer *p, const Value *value)
{
    print_indent(p);
    fputs("copy ", p->stream);
    print_definition(p, value);
    fprintf(p->stream, " of %%%d\n", value->copy_of->id);
}

static void print_values(Printer *p, const Graph *graph)
{
    static const char *const keywords[] = {[VALUE_PARAM] = "param", [VALUE_STATE] = "state", [VALUE_CONST] = "const"};
    for (int i = 0; i < graph->input_count; i++)
        print_value(p, "input", graph->inputs[i]);
    if (graph->target)
        print_value(p, "target", graph->target);
    for (int id = 0; id < graph->value_count; id++) {
        const Value *value = graph->values[id];
        if (value && (value->kind == VALUE_PARAM || value->kind == VALUE_STATE || value->kind == VALUE_CONST))
            print_stored(p, keywords[value->kind], value);
    }
    for (int id = 0; id < graph->value_count; id++)
        if (graph->values[id] && graph->values[id]->kind == VALUE_COPY)
            print_copy(p, graph->values[id]);
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

static void print_attr(Printer *p, const Attr *attr)
{
    fprintf(p->stream, "%s=", attr->name);
    switch (attr->kind) {
    case ATTR_INT:
        fprintf(p->stream, "%" PRId64, attr->i);
        break;
    case ATTR_FLOAT:
        print_float(p, attr->f);
        break;
    case ATTR_STRING:
        print_string(p, attr->s);
        break;
    case ATTR_INTS:
        print_ints(p, attr->count, attr->ints);
        break;
    case ATTR_FLOATS:
        fputs("floats[", p->stream);
        for (int i = 0; i < attr->count; i++) {
            fputs(i ? ", " : "", p->stream);
            print_float(p, attr->floats[i]);
        }
        fputc(']', p->stream);
        break;
    }
}

static void print_origin(Printer *p, Origin origin)
{
    const char *names[] = {origin.node, origin.op};
    fputs(" @", p->stream);
    for (int i = 0; i < 2; i++) {
        fputc(' ', p->stream);
        if (names[i])
            print_string(p, names[i]);
        else
            fputc('_', p->stream);
    }
}

static void print_body(Printer *p, const Graph *body)
{
    fputs(" body {\n", p->stream);
    p->depth++;
    print_graph(p, body);
    p->depth--;
    print_indent(p);
    fputc('}', p->stream);
}

static void print_node(Printer *p, const Node *node)
{
    print_indent(p);
    for (int i = 0; i < node->output_count; i++) {
        fputs(i ? ", " : "", p->stream);
        if (node->outputs[i])
            print_definition(p, node->outputs[i]);
        else
            fputc('_', p->stream);
    }
    fprintf(p->stream, "%s= %s(", node->output_count ? " " : "", node->op->name);
    for (int i = 0; i < node->input_count; i++) {
        fputs(i ? ", " : "", p->stream);
        print_use(p, node->inputs[i]);
    }
    fputc(')', p->stream);
    for (int i = 0; i < node->attr_count; i++) {
        fputs(i ? ", " : " {", p->stream);
        print_attr(p, &node->attrs[i]);
    }
    if (node->attr_count)
        fputc('}', p->stream);
    if (node->origin.node || node->origin.op)
        print_origin(p, node->origin);
    if (node->body)
        print_body(p, node->body);
    fputc('\n', p->stream);
}

/* ---- graphs ---------------------------------------------------------------------------------------------------- */

static void print_bindings(Printer *p, const char *keyword, const Binding *bindings, int count)
{
    for (int i = 0; i < count; i++) {
        print_indent(p);
        fprintf(p->stream, "%s %%%d = %%%d\n", keyword, bindings[i].target->id, bindings[i].value->id);
    }
}

/* output %5 "name" scored: the name only where it is not the value's own, `scored` where the loss reads it. */
static void print_output(Printer *p, const Value *value, const char *name, bool scored)
{
    bool own = name ? value->name && strcmp(name, value->name) == 0 : !value->name;
    print_indent(p);
    fprintf(p->stream, "output %%%d", value->id);
    if (!own)
        fputc(' ', p->stream);
    if (!own && name)
        print_string(p, name);
    else if (!own)
        fputc('_', p->stream);
    fputs(scored ? " scored\n" : "\n", p->stream);
}

static void print_graph(Printer *p, const Graph *graph)
{
    print_indent(p);
    fputs("graph ", p->stream);
    print_string(p, graph->name ? graph->name : "");
    fputs(" stage ", p->stream);
    print_string(p, graph->stage ? graph->stage : "");
    fputc('\n', p->stream);
    print_values(p, graph);
    for (const Node *node = graph->first; node; node = node->next)
        print_node(p, node);
    for (int i = 0; i < graph->output_count; i++)
        print_output(p, graph->outputs[i], graph->output_names[i], i == graph->loss_output);
    if (graph->batch > 0) {
        print_indent(p);
        fprintf(p->stream, "batch %" PRId64 "\n", graph->batch);
    }
    if (graph->loss) {
        print_indent(p);
        fprintf(p->stream, "loss %%%d\n", graph->loss->id);
    }
    print_bindings(p, "gradient", graph->gradients, graph->gradient_count);
    print_bindings(p, "update", graph->updates, graph->update_count);
}

void graph_print(const Graph *graph, FILE *stream, int64_t inline_elements)
{
    Printer printer = {.stream = stream, .arena = graph->arena, .inline_elements = inline_elements};
    print_graph(&printer, graph);
}
