/* numerics.c: --check-numerics: after each node, the program looks for results that are not finite. */
#include <string.h>

#include "codegen/emit.h"
#include "passes/view.h"

static const char *watched(Emitter *e, const Node *node, const Value *value)
{
    const Origin *origin = &node->origin;
    const char *op = node->op->name; /* "Gemm: SumOver" where a part of its gradient is another operator */
    if (origin->op && strcmp(origin->op, op) != 0)
        op = arena_printf(e->arena, "%s: %s", origin->op, op);
    return arena_printf(e->arena, "{%s, %s, \"%s\"}", c_string(e->arena, origin->node ? origin->node : "unnamed"),
                        c_string(e->arena, op), type_text(e->arena, &value->type));
}

static const char *int_list(Arena *arena, int count, const int64_t *values)
{
    Text *text = text_create(arena);
    append(text, "(const int64_t[]){");
    for (int i = 0; i < count; i++)
        append(text, "%s%lld", i ? ", " : "", (long long)values[i]);
    append(text, "%s}", count ? "" : "1");
    return text->data;
}

static void print_watched_tensor(Emitter *e, Text *text, const Node *node, Value *value)
{
    View window = window_of(value);
    const int rank = value->type.rank;
    line(text, "pcc_watch_tensor(s, (PccWatched)%s, %s, %d, %s, %s, %s);", watched(e, node, value),
         dtype_info[value->type.dtype].runtime, rank, int_list(e->arena, rank, value->type.dims),
         int_list(e->arena, rank, window.strides), operand_address(e, value));
}

/* The node that computes what the body stores as output i. */
static const Node *storing_node(const Node *node, int i)
{
    const Node *member = node->body->outputs[i]->producer;
    return member ? member : node;
}

void print_watched(Emitter *e, Text *text, const Node *node)
{
    if (!e->options->check_numerics)
        return;
    if (!node->body) {
        for (int i = 0; i < node->output_count; i++)
            if (node->outputs[i] && is_float(node->outputs[i]->type.dtype))
                print_watched_tensor(e, text, node, node->outputs[i]);
        return;
    }
    line(text, "pcc_watch_loop(s, (const PccWatched[]){");
    int count = 0;
    if (has_epilogue(node)) {
        line(text, "%s,", watched(e, node, node->body->inputs[0]));
        count++;
    }
    for (const Node *member = node->body->first; member; member = member->next, count++)
        line(text, "%s,", watched(e, member, member->outputs[0]));
    for (int i = 0; i < node->output_count; i++, count++)
        line(text, "%s,", watched(e, storing_node(node, i), node->outputs[i]));
    line(text, "}, %d);", count);
}

void print_watched_element(Emitter *e, Text *text, int member, const Value *value, const char *expression)
{
    if (e->options->check_numerics && is_float(value->type.dtype))
        line(text, "pcc_watch_element(%d, (double)%s);", member, expression);
}
