/* schedule.c: the order of execution.
 *
 * A stable topological order: among nodes that are ready, the one that stood first. Differentiation leaves the
 * backward pass in reverse order of the forward pass, which frees activations as early as a fixed order can. */
#include "passes/passes.h"

typedef struct Heap {
    Node **nodes; /* a binary heap by position */
    int count;
    const int *position;
} Heap;

static void heap_push(Heap *heap, Node *node)
{
    int i = heap->count++;
    for (; i > 0 && heap->position[heap->nodes[(i - 1) / 2]->id] > heap->position[node->id]; i = (i - 1) / 2)
        heap->nodes[i] = heap->nodes[(i - 1) / 2];
    heap->nodes[i] = node;
}

static Node *heap_pop(Heap *heap)
{
    Node *top = heap->nodes[0], *last = heap->nodes[--heap->count];
    int i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            heap->position[heap->nodes[child + 1]->id] < heap->position[heap->nodes[child]->id])
            child++;
        if (heap->position[last->id] < heap->position[heap->nodes[child]->id])
            break;
        heap->nodes[i] = heap->nodes[child];
        i = child;
    }
    heap->nodes[i] = last;
    return top;
}

/* How many computed values each node waits for, by its id. */
static int *count_pending(const Graph *graph, Node ***users)
{
    int *pending = NEW_ARRAY(graph->arena, int, graph->node_count + 1);
    for (const Node *node = graph->first; node; node = node->next)
        for (int i = 0; i < node->output_count; i++)
            for (Node **user = node->outputs[i] ? users[node->outputs[i]->id] : NULL; user && *user; user++)
                pending[(*user)->id]++;
    return pending;
}

void schedule(Graph *graph, const Options *options)
{
    (void)options;
    Node ***users = collect_users(graph);
    int *position = NEW_ARRAY(graph->arena, int, graph->node_count + 1);
    int *pending = count_pending(graph, users);
    Heap ready = {NEW_ARRAY(graph->arena, Node *, graph->node_count + 1), 0, position};
    int count = 0;
    for (Node *node = graph->first; node; node = node->next)
        position[node->id] = count++;
    for (Node *node = graph->first; node; node = node->next)
        if (pending[node->id] == 0)
            heap_push(&ready, node);
    int scheduled = 0;
    for (; ready.count > 0; scheduled++) {
        Node *node = heap_pop(&ready);
        node_move_before(graph, node, NULL);
        for (int i = 0; i < node->output_count; i++) {
            if (!node->outputs[i])
                continue;
            for (Node **user = users[node->outputs[i]->id]; user && *user; user++)
                if (--pending[(*user)->id] == 0)
                    heap_push(&ready, *user);
        }
    }
    if (scheduled != count)
        internal_error(graph->diagnostics, NO_ORIGIN, "the graph has a cycle after pass %s",
                       graph->stage ? graph->stage : "?");
}
