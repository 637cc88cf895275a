/* explain.c: warnings in full sentences; the dtypes of every node and why. */
#include "frontend/explain.h"

#include <string.h>

/* ---- warnings
 * ------------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *code, *meaning;
} warnings[] = {
    {"no-export",
     "The program will train, but its --export will refuse: the trained model would pass the 2 GiB that one protobuf\n"
     "message can hold, or its template does not fit into memory. --save still writes every tensor under its ONNX\n"
     "name, as safetensors.\n"},
    {"scatter-without-reduction",
     "Below opset 16 ScatterElements and ScatterND have no reduction: where indices repeat, one of the updates wins.\n"
     "Exporters wrote such a node for a scatter_add too, and so lost its sum. If the indices never repeat, all is "
     "well;\n"
     "else export the model at opset 16 or newer, where the node says reduction=add.\n"},
};

void explain_warning(Compilation *c, FILE *stream)
{
    enum { COUNT = sizeof warnings / sizeof *warnings };
    const char *codes[COUNT], *code = c->line.explain;
    if (strncmp(code, "-W", 2) == 0)
        code += 2;
    for (int i = 0; i < COUNT; i++) {
        if (strcmp(warnings[i].code, code) == 0) {
            fputs(warnings[i].meaning, stream);
            return;
        }
        codes[i] = warnings[i].code;
    }
    const char *near = did_you_mean(code, codes, COUNT);
    fatal(&c->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "--explain: no warning has the code '%s'%s%s%s", code,
          near ? "; did you mean '" : "; codes stand in brackets behind warnings, as in [-Wno-export]",
          near ? near : "", near ? "'?" : "");
}

/* ---- precision
 * ------------------------------------------------------------------------------------------------------------ */

static void print_json_text(FILE *stream, const char *text)
{
    fputc('"', stream);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(stream, "\\%c", c);
        else if (c < 0x20)
            fprintf(stream, "\\u%04x", c);
        else
            fputc(c, stream);
    }
    fputc('"', stream);
}

static void print_dtypes(FILE *stream, Value *const *values, int count, bool json)
{
    const char *separator = "";
    for (int i = 0; i < count; i++) {
        if (!values[i])
            continue;
        const char *quote = json ? "\"" : "";
        fprintf(stream, "%s%s%s%s", separator, quote, dtype_info[values[i]->type.dtype].name, quote);
        separator = json ? "," : " ";
    }
}

/* Floats compute in the width of the mode, whatever the model said; other nodes in their own dtype. */
static Dtype compute_of(const Node *node)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && is_float(node->inputs[i]->type.dtype))
            return node->inputs[i]->type.dtype;
    return node->output_count > 0 && node->outputs[0] ? node->outputs[0]->type.dtype : DTYPE_I64;
}

static void explain_node(Compilation *c, const Node *node, FILE *stream, bool json)
{
    const char *name = node->origin.node ? node->origin.node : "";
    const char *compute = dtype_info[compute_of(node)].name;
    const char *rule = is_float(compute_of(node)) ? c->options.precision : "not floating-point";
    fputs(json ? "{\"node\":" : "", stream);
    if (json)
        print_json_text(stream, name);
    fprintf(stream, json ? ",\"op\":\"%s\",\"in\":[" : "%-24s in ", node->op->name);
    print_dtypes(stream, node->inputs, node->input_count, json);
    fprintf(stream, json ? "],\"compute\":\"%s\",\"out\":[" : "; compute %s; out ", compute);
    print_dtypes(stream, node->outputs, node->output_count, json);
    if (json)
        fprintf(stream, "],\"rule\":\"%s\",\"casts\":[]}", rule);
    else
        fprintf(stream, "; rule %s; no casts  %s\n", rule, name);
}

/* A uniform mode has one rule and needs no cast between floats. */
void explain_precision(Compilation *c, const Graph *graph, FILE *stream)
{
    const bool json = c->line.explain_precision_format != NULL;
    if (json)
        fprintf(stream, "{\"precision\":\"%s\",\"nodes\":[\n", c->options.precision);
    for (const Node *node = graph->first; node; node = node->next) {
        explain_node(c, node, stream, json);
        if (json)
            fputs(node->next ? ",\n" : "\n", stream);
    }
    fputs(json ? "]}\n" : "", stream);
}
