/* emit_dot.c: operators as boxes, tensors as edges; parameters stand inside the operators that read them. */
#include "frontend/report/emit_dot.h"

static void print_quoted(FILE *stream, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(stream, "\\%c", c);
        else
            fputc(c < 0x20 || c == 0x7f ? '?' : c, stream);
    }
}

static void print_value_node(Compilation *c, FILE *stream, const Value *value, const char *name)
{
    fprintf(stream, "  v%d [shape=oval, label=\"", value->id);
    print_quoted(stream, name ? name : "?");
    fprintf(stream, "\\n%s\"];\n", type_text(c->arena, &value->type));
}

static void print_operator(Compilation *c, FILE *stream, const Node *node)
{
    fprintf(stream, "  n%d [label=\"%s", node->id, node->op->name);
    if (node->origin.node) {
        fputs("\\n", stream);
        print_quoted(stream, node->origin.node);
    }
    for (int i = 0; i < node->input_count; i++) {
        const Value *value = node->inputs[i];
        if (!value || (value->kind != VALUE_PARAM && value->kind != VALUE_STATE))
            continue;
        fputs("\\n", stream);
        print_quoted(stream, value->name ? value->name : "?");
        fprintf(stream, " %s", type_text(c->arena, &value->type));
    }
    fputs("\"];\n", stream);
}

static void print_edges(Compilation *c, FILE *stream, const Node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        const Value *value = node->inputs[i];
        if (!value || (value->kind != VALUE_TEMP && value->kind != VALUE_INPUT))
            continue;
        fprintf(stream, "  %c%d -> n%d [label=\"%s\"];\n", value->producer ? 'n' : 'v',
                value->producer ? value->producer->id : value->id, node->id, type_text(c->arena, &value->type));
    }
}

void write_dot(Compilation *c, FILE *stream)
{
    const Graph *graph = c->imported;
    fputs("digraph \"", stream);
    print_quoted(stream, graph->name ? graph->name : "model");
    fputs("\" {\n  node [shape=box, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n",
          stream);
    for (int i = 0; i < graph->input_count; i++)
        print_value_node(c, stream, graph->inputs[i], graph->inputs[i]->name);
    for (const Node *node = graph->first; node; node = node->next) {
        print_operator(c, stream, node);
        print_edges(c, stream, node);
    }
    for (int i = 0; i < graph->output_count; i++) {
        const Value *value = graph->outputs[i];
        fprintf(stream, "  output%d [shape=oval, label=\"", i);
        print_quoted(stream, graph->output_names[i] ? graph->output_names[i] : "output");
        fprintf(stream, "\"];\n  %c%d -> output%d [label=\"%s\"];\n", value->producer ? 'n' : 'v',
                value->producer ? value->producer->id : value->id, i, type_text(c->arena, &value->type));
    }
    fputs("}\n", stream);
}
