/* recompute.c: --recompute: activations that the backward pass computes again instead of finding them in memory.
 *
 * A clone of the node that made the activation stands right before the first node of the backward pass that reads it,
 * and the clones of what it needs before that. Clones read what has stayed in memory through a Reshape to its own dims:
 * a view, which costs nothing, and keeps `fuse` from taking the clone into the loop that made its operand. Random
 * operators draw the same numbers again, as attribute `node` says which. */
#include "passes/schedule/recompute.h"

#include <stdlib.h>

const char *const recompute_names[RECOMPUTE_KINDS] = {"none", "fused", "auto", "all"};

typedef struct Recompute {
    Forward forward;
    const bool *kept;
    Value **again; /* by value id: what stands for the activation in the backward pass */
    bool *wanted;  /* by node id: it is cloned, or on the list */
    int *pending;  /* the list of what is to be cloned: positions */
    int pending_count;
} Recompute;

static bool is_dropped(const Recompute *r, const Value *value)
{
    return is_activation(&r->forward, value) && !r->kept[value->id] && !r->forward.is_result[value->id];
}

/* ---- clones ----------------------------------------------------------------------------------------------------- */

static void want(Recompute *r, const Value *value)
{
    const Node *node = value->producer;
    if (r->wanted[node->id])
        return;
    r->wanted[node->id] = true;
    r->pending[r->pending_count++] = r->forward.position[node->id];
}

static int ascending(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Lists all that has to be computed for `value`, in the order of the forward pass. */
static void list_chain(Recompute *r, const Value *value)
{
    r->pending_count = 0;
    want(r, value);
    for (int next = 0; next < r->pending_count; next++) {
        const Node *node = r->forward.nodes[r->pending[next]];
        for (int i = 0; i < node->input_count; i++)
            if (is_dropped(r, node->inputs[i]))
                want(r, node->inputs[i]);
    }
    qsort(r->pending, (size_t)r->pending_count, sizeof *r->pending, ascending);
}

/* build_reshape() would see that it does nothing. */
static Value *reshaped_to_itself(Graph *graph, Value *x)
{
    Value *inputs[] = {x, const_ints(graph, x->type.rank, x->type.dims)};
    return build(graph, "Reshape", 2, inputs);
}

/* What the clone reads instead of an operand of its original. */
static Value *operand_again(Recompute *r, Value *operand)
{
    if (!is_activation(&r->forward, operand))
        return operand;
    if (!r->again[operand->id])
        r->again[operand->id] = reshaped_to_itself(r->forward.graph, operand);
    return r->again[operand->id];
}

static void clone_at_cursor(Recompute *r, const Node *node)
{
    Graph *graph = r->forward.graph;
    graph->origin = node->origin;
    Value **inputs = NEW_ARRAY(graph->arena, Value *, node->input_count + 1);
    for (int i = 0; i < node->input_count; i++)
        inputs[i] = operand_again(r, node->inputs[i]);
    Node *clone = node_create(graph, node->op, node->input_count, inputs, node->output_count);
    copy_attrs(graph, clone, node);
    for (int i = 0; i < node->output_count; i++) {
        const Value *output = node->outputs[i];
        if (!output) {
            graph->values[clone->outputs[i]->id] = NULL;
            clone->outputs[i] = NULL;
            continue;
        }
        clone->outputs[i]->type = output->type;
        if (is_dropped(r, output))
            r->again[output->id] = clone->outputs[i];
    }
}

static void recompute_operands(Recompute *r, Node *reader)
{
    r->forward.graph->cursor = reader;
    for (int i = 0; i < reader->input_count; i++) {
        const Value *value = reader->inputs[i];
        if (!is_dropped(r, value))
            continue;
        list_chain(r, value);
        for (int k = 0; k < r->pending_count; k++)
            clone_at_cursor(r, r->forward.nodes[r->pending[k]]);
        reader->inputs[i] = r->again[value->id];
    }
}

void recompute(Graph *graph, const Options *options)
{
    if (options->recompute == RECOMPUTE_NONE || !graph->loss->producer)
        return;
    Recompute r = {.forward = forward_pass(graph)};
    r.kept = choose_kept(&r.forward, options->recompute);
    r.again = NEW_ARRAY(graph->arena, Value *, r.forward.value_count + 1);
    r.wanted = NEW_ARRAY(graph->arena, bool, r.forward.node_count + 1);
    r.pending = NEW_ARRAY(graph->arena, int, r.forward.node_count + 1);
    for (Node *node = r.forward.nodes[r.forward.end]->next; node; node = node->next)
        recompute_operands(&r, node);
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
    remove_dead_nodes(graph);
}
