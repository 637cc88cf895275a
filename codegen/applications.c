/* applications.c: gradients that step() applies: calls of apply() with ranges of the table of parameters. */
#include <stdlib.h>

#include "codegen/emit.h"

static int ascending(const void *left, const void *right)
{
    const int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

static bool is_first(const Emitter *e, const Node *application)
{
    const Node *first = e->graph->first;
    while (first->op->kind != OP_UPDATE)
        first = first->next;
    return first == application;
}

void print_application(Emitter *e, Text *text, const Node *node, int position)
{
    if (e->options->target->printers->begin_apply && is_first(e, node))
        line(text, "begin_apply(s);");
    const int count = node->input_count / 2;
    int *indices = NEW_ARRAY(e->arena, int, count);
    for (int i = 0; i < count; i++)
        indices[i] = param_index(e->weights, node->inputs[i]);
    qsort(indices, (size_t)count, sizeof *indices, ascending);
    for (int first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && indices[end] == indices[end - 1] + 1;)
            end++;
        line(text, "apply(s, %d, %d); /* %d %s%s */", indices[first], end - first, position,
             comment_text(e->arena, e->weights->params[indices[first]].name), end - first > 1 ? " ..." : "");
    }
}

void print_apply(Emitter *e, Text *text)
{
    if (!applies_gradients(e->weights))
        return;
    const Printers *printers = e->options->target->printers;
    if (printers->begin_apply) {
        line(text, "/* Before the first apply() of a step. */");
        line(text, "static void begin_apply(PccStep *s)");
        line(text, "{");
        printers->begin_apply(e, text);
        line(text, "}");
        blank(text);
    }
    line(text,
         "/* Of `count` parameters from index `first`, whose gradients are made and which the step does not read any "
         "more. */");
    line(text, "PCC_NODE_FUNCTION void apply(PccStep *s, int64_t first, int64_t count)");
    line(text, "{");
    printers->apply(e, text);
    line(text, "}");
    blank(text);
}
