/* numerics.c: --check-numerics: after each node, the program looks for results that are not finite. */
#include <string.h>

#include "codegen/emit.h"

static const char *watched(Emitter *e, const Node *node, const Value *value)
{
    const Origin *origin = &node->origin;
    const char *op = node->op->name; /* "Gemm: SumOver" where a part of its gradient is another operator */
    if (origin->op && strcmp(origin->op, op) != 0)
        op = arena_printf(e->arena, "%s: %s", origin->op, op);
    return arena_printf(e->arena, "{%s, %s, \"%s\"}", c_string(e->arena, origin->node ? origin->node : "unnamed"),
                        c_string(e->arena, op), type_text(e->arena, &value->type));
}

/* The node that computes what the body stores as output i. */
static const Node *storing_node(const Node *node, int i)
{
    const Node *member = node->body->outputs[i]->producer;
    return member ? member : node;
}

void print_watched(Emitter *e, Text *text, const Node *node)
{
    const Printers *printers = e->options->target->printers;
    if (!e->options->check_numerics)
        return;
    if (!node->body) {
        for (int i = 0; i < node->output_count; i++)
            if (node->outputs[i] && is_float(node->outputs[i]->type.dtype))
                printers->watch_tensor(e, text, watched(e, node, node->outputs[i]), node->outputs[i]);
        return;
    }
    const char **nodes = NEW_ARRAY(e->arena, const char *, node->body->linked_nodes + node->output_count + 1);
    int count = 0;
    if (has_epilogue(node))
        nodes[count++] = watched(e, node, node->body->inputs[0]);
    for (const Node *member = node->body->first; member; member = member->next)
        nodes[count++] = watched(e, member, member->outputs[0]);
    for (int i = 0; i < node->output_count; i++)
        nodes[count++] = watched(e, storing_node(node, i), node->outputs[i]);
    printers->watch_loop(e, text, nodes, count);
}

void print_watched_element(Emitter *e, Text *text, int member, const Value *value, const char *expression)
{
    if (e->options->check_numerics && is_float(value->type.dtype))
        line(text, "pcc_watch_element(%d, (double)%s);", member, expression);
}
