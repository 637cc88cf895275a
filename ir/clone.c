/* clone.c: deep copies of graphs, for passes that try something and for comparisons before and after a pass. */
#include "ir/ir.h"

#include <string.h>

static void *copied(Arena *arena, const void *elements, int count, size_t element_bytes, int capacity)
{
    if (!elements || capacity == 0)
        return NULL;
    void *copy = arena_alloc_array(arena, (size_t)capacity, element_bytes);
    if (count)
        memcpy(copy, elements, (size_t)count * element_bytes);
    return copy;
}

/* Growable lists have room for the next power of two (see arena_grown). */
static int list_capacity(int count)
{
    int capacity = 1;
    while (capacity < count)
        capacity *= 2;
    return capacity;
}

static Value *mapped(const Graph *copy, const Value *value)
{
    return value ? copy->values[value->id] : NULL;
}

static Value **map_list(const Graph *copy, Value *const *list, int count)
{
    Value **result = copied(copy->arena, list, count, sizeof *list, list_capacity(count));
    for (int i = 0; i < count; i++)
        result[i] = mapped(copy, list[i]);
    return result;
}

static Binding *map_bindings(const Graph *copy, const Binding *list, int count)
{
    Binding *result = copied(copy->arena, list, count, sizeof *list, list_capacity(count));
    for (int i = 0; i < count; i++)
        result[i] = (Binding){mapped(copy, list[i].target), mapped(copy, list[i].value)};
    return result;
}

static void clone_values(const Graph *graph, Graph *copy)
{
    copy->values = NEW_ARRAY(copy->arena, Value *, graph->value_capacity);
    for (int id = 0; id < graph->value_count; id++)
        if (graph->values[id]) {
            copy->values[id] = NEW(copy->arena, Value);
            *copy->values[id] = *graph->values[id];
        }
    for (int id = 0; id < graph->value_count; id++)
        if (copy->values[id]) {
            copy->values[id]->view.base = mapped(copy, copy->values[id]->view.base);
            copy->values[id]->copy_of = mapped(copy, copy->values[id]->copy_of);
        }
}

static Node *clone_node(const Node *node, Graph *copy)
{
    Node *twin = NEW(copy->arena, Node);
    *twin = *node;
    twin->graph = copy;
    twin->inputs = map_list(copy, node->inputs, node->input_count);
    twin->outputs = map_list(copy, node->outputs, node->output_count);
    for (int i = 0; i < twin->output_count; i++)
        if (twin->outputs[i])
            twin->outputs[i]->producer = twin;
    twin->attrs = copied(copy->arena, node->attrs, node->attr_count, sizeof *node->attrs,
                         list_capacity(node->attr_count)); /* what attributes point to never changes */
    twin->body = node->body ? graph_clone(node->body) : NULL;
    return twin;
}

static void clone_nodes(const Graph *graph, Graph *copy)
{
    copy->first = copy->last = copy->cursor = NULL;
    for (const Node *node = graph->first; node; node = node->next) {
        Node *twin = clone_node(node, copy);
        twin->previous = copy->last;
        twin->next = NULL;
        *(copy->last ? &copy->last->next : &copy->first) = twin;
        copy->last = twin;
        if (graph->cursor == node)
            copy->cursor = twin;
    }
}

Graph *graph_clone(const Graph *graph)
{
    Graph *copy = NEW(graph->arena, Graph);
    *copy = *graph;
    clone_values(graph, copy);
    clone_nodes(graph, copy);
    copy->inputs = map_list(copy, graph->inputs, graph->input_count);
    copy->outputs = map_list(copy, graph->outputs, graph->output_count);
    copy->output_names = copied(copy->arena, graph->output_names, graph->output_count, sizeof *graph->output_names,
                                list_capacity(graph->output_count));
    copy->target = mapped(copy, graph->target);
    copy->loss = mapped(copy, graph->loss);
    copy->gradients = map_bindings(copy, graph->gradients, graph->gradient_count);
    copy->updates = map_bindings(copy, graph->updates, graph->update_count);
    copy->scalars = NULL;
    copy->scalar_count = 0;
    return copy;
}
