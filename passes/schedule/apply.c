/* apply.c: gradients applied during the backward pass.
 *
 * The optimizer changes a parameter by its own gradient alone, unless gradients are clipped by their common norm,
 * looked at before any of them counts (loss scaling), or summed over micro-batches. Where none of that is asked for, a
 * gradient is applied behind the last node that reads its parameter, and its memory serves others from there on. */
#include <string.h>

#include "passes/passes.h"
#include "passes/precision/policy.h"
#include "passes/view.h"

/* Smaller gradients wait for each other: applied one by one they would take longer, and free little. */
enum { LEAST_BYTES = 1 << 20 };

typedef struct Applier {
    Graph *graph;
    int *last_use;    /* by value id: the position of the last node that uses the buffer, or a copy of the parameter */
    Binding *waiting; /* gradients that may be applied */
    int waiting_count;
    int64_t waiting_bytes;
    bool applied; /* some are */
} Applier;

static const Value *used_buffer(Value *value)
{
    const Value *root = window_of(value).base;
    return root->kind == VALUE_COPY ? root->copy_of : root;
}

static void find_last_uses(Applier *a)
{
    a->last_use = NEW_ARRAY(a->graph->arena, int, a->graph->value_count + 1);
    int position = 0;
    for (const Node *node = a->graph->first; node; node = node->next, position++)
        for (int i = 0; i < node->input_count + node->output_count; i++) {
            Value *value = i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
            if (value)
                a->last_use[used_buffer(value)->id] = position;
        }
}

/* The position behind which the gradient is complete and its parameter is not read. */
static int ready_position(const Applier *a, const Binding *gradient)
{
    const int complete = a->last_use[used_buffer(gradient->value)->id], read = a->last_use[gradient->target->id];
    return complete > read ? complete : read;
}

/* By position: the gradients that are ready behind it, as a list of indices: next[i] follows i; 0 ends it, and all are
 * one more. */
static void list_ready(const Applier *a, int *first, int *next)
{
    for (int i = a->graph->gradient_count - 1; i >= 0; i--) {
        int *list = &first[ready_position(a, &a->graph->gradients[i])];
        next[i] = *list;
        *list = i + 1;
    }
}

static void insert_node(Applier *a, Node *before)
{
    Graph *graph = a->graph;
    const int count = a->waiting_count;
    if (count == 0)
        return;
    Value **operands = NEW_ARRAY(graph->arena, Value *, 2 * count);
    for (int i = 0; i < count; i++) {
        operands[i] = a->waiting[i].target;
        operands[count + i] = a->waiting[i].value;
    }
    graph->cursor = before;
    node_create(graph, find_op("ApplyGradients", strlen("ApplyGradients")), 2 * count, operands, 0);
    a->waiting_count = 0;
    a->waiting_bytes = 0;
    a->applied = true;
}

static void insert_nodes(Applier *a)
{
    Graph *graph = a->graph;
    int *first = NEW_ARRAY(graph->arena, int, graph->linked_nodes + 1), position = 0;
    int *next = NEW_ARRAY(graph->arena, int, graph->gradient_count + 1);
    a->waiting = NEW_ARRAY(graph->arena, Binding, graph->gradient_count + 1);
    list_ready(a, first, next);
    for (Node *node = graph->first, *behind; node; node = behind, position++) {
        behind = node->next;
        for (int i = first[position]; i > 0; i = next[i - 1]) {
            const Binding gradient = graph->gradients[i - 1];
            a->waiting[a->waiting_count++] = gradient;
            a->waiting_bytes += type_bytes(&gradient.value->type);
        }
        if (a->waiting_bytes >= LEAST_BYTES && behind)
            insert_node(a, behind);
    }
    if (a->applied) /* else the update behind the step does as well */
        insert_node(a, NULL);
}

void apply_gradients(Graph *graph, const Options *options)
{
    const bool needs_all = options->clip_norm > 0 || options->accumulate > 1 || policy_loss_scale(options) != 1;
    if (needs_all)
        return;
    Applier applier = {.graph = graph};
    graph->origin = NO_ORIGIN;
    find_last_uses(&applier);
    insert_nodes(&applier);
}
