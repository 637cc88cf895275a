/* expand.c: decomposes operators into simpler ones, as their rows say.
 *
 * `expand_stored` runs once, before there is a graph for evaluation, so that constants that it makes of what a model
 * stores are there once. `expand` runs before differentiation and leaves the rows that have a gradient of their own;
 * `expand_kernels` runs after it and leaves only kernels, elementwise rows and views. An expansion may build further
 * expandable nodes: they stand before the cursor, so the walk visits them too. Rows expand into strictly simpler ones;
 * the bound below turns a mistake there into a message. */
#include "passes/passes.h"

enum { MAX_EXPANSIONS_PER_NODE = 1000 };

/* Returns the first of the nodes that replace `node`, or what follows it when there are none. */
static Node *expand_node(Graph *graph, Node *node, Forwarding *forwarding)
{
    Node *before = node->previous;
    Value **replacements = NEW_ARRAY(graph->arena, Value *, node->output_count);
    graph->cursor = node;
    graph->origin = node->origin;
    node->op->expand(graph, node, replacements);
    for (int i = 0; i < node->output_count; i++) {
        Value *output = node->outputs[i];
        if (!output || !replacements[i])
            continue;
        if (!replacements[i]->name && replacements[i]->kind == VALUE_TEMP)
            replacements[i]->name = output->name;
        forward_value(forwarding, output, replacements[i]);
    }
    Node *next = before ? before->next : graph->first;
    if (next == node)
        next = node->next;
    node_remove(graph, node);
    graph->cursor = NULL;
    return next;
}

typedef bool Choice(const Target *target, const Node *node);

static bool expands_once(const Target *target, const Node *node)
{
    (void)target;
    return node->op->expands_once;
}

static bool lacks_kernel(const Target *target, const Node *node)
{
    const Op *op = node->op;
    return op->kind == OP_EXPAND || (op->kind == OP_KERNEL && op->expand && !kernel_takes(target, node));
}

static bool lacks_gradient(const Target *target, const Node *node)
{
    return lacks_kernel(target, node) && !(node->op->kind == OP_EXPAND && node->op->expands_after_gradient);
}

static void expand_all(Graph *graph, const Target *target, Choice *expands)
{
    int64_t budget = (int64_t)MAX_EXPANSIONS_PER_NODE * (graph->node_count + 1);
    Forwarding forwarding = {.graph = graph};
    for (Node *node = graph->first; node;) {
        forward_inputs(&forwarding, node);
        if (!expands(target, node)) {
            node = node->next;
            continue;
        }
        if (budget-- <= 0)
            internal_error(graph->diagnostics, node->origin, "operator %s expands without end", node->op->name);
        node = expand_node(graph, node, &forwarding);
    }
    forward_results(&forwarding);
    graph->origin = NO_ORIGIN;
}

void expand_stored(Graph *graph, const Options *options)
{
    expand_all(graph, options->target, expands_once);
}

void expand(Graph *graph, const Options *options)
{
    expand_all(graph, options->target, lacks_gradient);
}

void expand_kernels(Graph *graph, const Options *options)
{
    expand_all(graph, options->target, lacks_kernel);
}
