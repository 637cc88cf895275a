/* graph.c: making and changing graphs. Lists grow in the arena; what they outgrow stays there until its end. */
#include "ir/ir.h"

#include <string.h>

Graph *graph_create(Arena *arena, Diagnostics *diagnostics, const char *name)
{
    Graph *graph = NEW(arena, Graph);
    graph->arena = arena;
    graph->diagnostics = diagnostics;
    graph->name = name;
    graph->stage = "";
    graph->loss_output = -1;
    return graph;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

Value *value_create(Graph *graph, ValueKind kind, Type type, const char *name)
{
    if (graph->value_count == graph->value_capacity) {
        int capacity = graph->value_capacity ? 2 * graph->value_capacity : 64;
        Value **larger = NEW_ARRAY(graph->arena, Value *, capacity);
        if (graph->value_count)
            memcpy(larger, graph->values, (size_t)graph->value_count * sizeof *larger);
        graph->values = larger;
        graph->value_capacity = capacity;
    }
    Value *value = NEW(graph->arena, Value);
    value->id = graph->value_count;
    value->kind = kind;
    value->type = type;
    value->name = name;
    graph->values[graph->value_count++] = value;
    return value;
}

Value *const_create(Graph *graph, Type type, const void *data, const char *name)
{
    Value *value = value_create(graph, VALUE_CONST, type, name);
    value->data = data;
    return value;
}

Value *const_tensor(Graph *graph, const Tensor *tensor)
{
    return const_create(graph, tensor->type, tensor_to_data(graph->arena, tensor), NULL);
}

Value *const_float(Graph *graph, Dtype dtype, double number)
{
    if (is_narrow(dtype))
        dtype = DTYPE_F32; /* a literal beside operands of 16 bits */
    int64_t whole = is_float(dtype) ? 0 : (int64_t)number;
    Tensor tensor = {.type = scalar_type(dtype), .f = &number, .i = &whole};
    const void *data = tensor_to_data(graph->arena, &tensor);
    for (int i = 0; i < graph->scalar_count; i++) {
        Value *known = graph->scalars[i];
        bool alive = graph->values[known->id] == known && known->kind == VALUE_CONST && known->type.rank == 0;
        if (alive && known->type.dtype == dtype && !memcmp(known->data, data, (size_t)dtype_info[dtype].bytes))
            return known;
    }
    Value *value = const_create(graph, tensor.type, data, NULL);
    APPEND(graph->arena, graph->scalars, graph->scalar_count, value);
    return value;
}

Value *const_ints(Graph *graph, int count, const int64_t *values)
{
    int64_t *data = NEW_ARRAY(graph->arena, int64_t, count);
    if (count)
        memcpy(data, values, (size_t)count * sizeof *data);
    int64_t dims[1] = {count};
    return const_create(graph, make_type(DTYPE_I64, 1, dims), data, NULL);
}

void graph_add_input(Graph *graph, Value *value)
{
    APPEND(graph->arena, graph->inputs, graph->input_count, value);
}

void graph_add_output(Graph *graph, Value *value)
{
    int name_count = graph->output_count;
    APPEND(graph->arena, graph->output_names, name_count, value->name);
    APPEND(graph->arena, graph->outputs, graph->output_count, value);
}

void graph_add_gradient(Graph *graph, Value *param, Value *gradient)
{
    APPEND(graph->arena, graph->gradients, graph->gradient_count, ((Binding){param, gradient}));
}

void graph_add_update(Graph *graph, Value *state, Value *value)
{
    APPEND(graph->arena, graph->updates, graph->update_count, ((Binding){state, value}));
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

static void link_before(Graph *graph, Node *node, Node *position)
{
    node->next = position;
    node->previous = position ? position->previous : graph->last;
    *(node->previous ? &node->previous->next : &graph->first) = node;
    *(position ? &position->previous : &graph->last) = node;
    graph->linked_nodes++;
}

static void unlink_node(Graph *graph, Node *node)
{
    *(node->previous ? &node->previous->next : &graph->first) = node->next;
    *(node->next ? &node->next->previous : &graph->last) = node->previous;
    node->previous = node->next = NULL;
    graph->linked_nodes--;
}

/* An output's rank is -1 until its type has been inferred. */
Node *node_create(Graph *graph, const Op *op, int input_count, Value *const *inputs, int output_count)
{
    Node *node = NEW(graph->arena, Node);
    node->id = graph->node_count++;
    node->graph = graph;
    node->op = op;
    node->origin = graph->origin;
    node->input_count = input_count;
    node->inputs = NEW_ARRAY(graph->arena, Value *, input_count);
    if (input_count)
        memcpy(node->inputs, inputs, (size_t)input_count * sizeof *inputs);
    node->output_count = output_count;
    node->outputs = NEW_ARRAY(graph->arena, Value *, output_count);
    for (int i = 0; i < output_count; i++) {
        node->outputs[i] = value_create(graph, VALUE_TEMP, (Type){.rank = -1}, NULL);
        node->outputs[i]->producer = node;
    }
    link_before(graph, node, graph->cursor);
    return node;
}

void node_remove(Graph *graph, Node *node)
{
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            graph->values[node->outputs[i]->id] = NULL;
    if (graph->cursor == node)
        graph->cursor = node->next;
    unlink_node(graph, node);
}

void node_move_before(Graph *graph, Node *node, Node *position)
{
    if (node == position)
        return;
    unlink_node(graph, node);
    link_before(graph, node, position);
}

Value *input(const Node *node, int i)
{
    return i >= 0 && i < node->input_count ? node->inputs[i] : NULL;
}

/* ---- uses ------------------------------------------------------------------------------------------------------ */

static void replace_in(Value **uses, int count, const Value *old, Value *with)
{
    for (int i = 0; i < count; i++)
        if (uses[i] == old)
            uses[i] = with;
}

static void replace_bound(Binding *bindings, int count, const Value *old, Value *with)
{
    for (int i = 0; i < count; i++)
        replace_in(&bindings[i].value, 1, old, with);
}

void replace_value(Graph *graph, Value *old, Value *with)
{
    for (Node *node = graph->first; node; node = node->next)
        replace_in(node->inputs, node->input_count, old, with);
    replace_in(graph->outputs, graph->output_count, old, with);
    replace_in(&graph->loss, 1, old, with);
    replace_bound(graph->gradients, graph->gradient_count, old, with);
    replace_bound(graph->updates, graph->update_count, old, with);
}

void forward_value(Forwarding *forwarding, const Value *old, Value *with)
{
    if (old->id >= forwarding->capacity) {
        int capacity = forwarding->graph->value_capacity;
        Value **larger = NEW_ARRAY(forwarding->graph->arena, Value *, capacity);
        if (forwarding->capacity)
            memcpy(larger, forwarding->with, (size_t)forwarding->capacity * sizeof *larger);
        forwarding->with = larger;
        forwarding->capacity = capacity;
    }
    forwarding->with[old->id] = with;
}

/* What replaces a value may have been replaced itself. */
static void forward(const Forwarding *forwarding, Value **use)
{
    while (*use && (*use)->id < forwarding->capacity && forwarding->with[(*use)->id])
        *use = forwarding->with[(*use)->id];
}

void forward_inputs(const Forwarding *forwarding, Node *node)
{
    for (int i = 0; i < node->input_count; i++)
        forward(forwarding, &node->inputs[i]);
}

void forward_results(const Forwarding *forwarding)
{
    Graph *graph = forwarding->graph;
    for (int i = 0; i < graph->output_count; i++)
        forward(forwarding, &graph->outputs[i]);
    forward(forwarding, &graph->loss);
    for (int i = 0; i < graph->gradient_count; i++)
        forward(forwarding, &graph->gradients[i].value);
    for (int i = 0; i < graph->update_count; i++)
        forward(forwarding, &graph->updates[i].value);
}

void forward_all(const Forwarding *forwarding)
{
    for (Node *node = forwarding->graph->first; node; node = node->next)
        forward_inputs(forwarding, node);
    forward_results(forwarding);
}

int *count_uses(const Graph *graph)
{
    int *uses = NEW_ARRAY(graph->arena, int, graph->value_count);
    for (const Node *node = graph->first; node; node = node->next)
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i])
                uses[node->inputs[i]->id]++;
    for (int i = 0; i < graph->output_count; i++)
        uses[graph->outputs[i]->id]++;
    if (graph->loss)
        uses[graph->loss->id]++;
    for (int i = 0; i < graph->gradient_count; i++)
        uses[graph->gradients[i].value->id]++;
    for (int i = 0; i < graph->update_count; i++)
        uses[graph->updates[i].value->id]++;
    return uses;
}

void remove_dead_nodes(Graph *graph)
{
    int *uses = count_uses(graph);
    for (Node *node = graph->last, *previous; node; node = previous) {
        previous = node->previous;
        bool live = false;
        for (int i = 0; i < node->output_count; i++)
            live |= node->outputs[i] && uses[node->outputs[i]->id] > 0;
        if (live)
            continue;
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i])
                uses[node->inputs[i]->id]--;
        node_remove(graph, node);
    }
}

/* A node that reads a value twice is listed once. */
Node ***collect_users(const Graph *graph)
{
    int *uses = count_uses(graph);
    Node ***users = NEW_ARRAY(graph->arena, Node **, graph->value_count);
    size_t total = 0;
    for (int id = 0; id < graph->value_count; id++)
        total += (size_t)uses[id] + 1;
    Node **listed = NEW_ARRAY(graph->arena, Node *, total);
    for (int id = 0; id < graph->value_count; listed += uses[id++] + 1)
        users[id] = listed;
    int *filled = NEW_ARRAY(graph->arena, int, graph->value_count);
    for (Node *node = graph->first; node; node = node->next)
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i]) {
                int id = node->inputs[i]->id;
                if (filled[id] == 0 || users[id][filled[id] - 1] != node)
                    users[id][filled[id]++] = node;
            }
    return users;
}

static bool is_bound(const Binding *bindings, int count, const Value *value)
{
    for (int i = 0; i < count; i++)
        if (bindings[i].value == value)
            return true;
    return false;
}

void mark_graph_results(const Graph *graph, bool *marks)
{
    for (int i = 0; i < graph->output_count; i++)
        marks[graph->outputs[i]->id] = true;
    if (graph->loss)
        marks[graph->loss->id] = true;
    for (int i = 0; i < graph->gradient_count; i++)
        marks[graph->gradients[i].value->id] = true;
    for (int i = 0; i < graph->update_count; i++)
        marks[graph->updates[i].value->id] = true;
}

bool is_graph_result(const Graph *graph, const Value *value)
{
    for (int i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == value)
            return true;
    return graph->loss == value || is_bound(graph->gradients, graph->gradient_count, value) ||
           is_bound(graph->updates, graph->update_count, value);
}

void operand_strides(const Value *operand, int64_t strides[MAX_RANK])
{
    if (operand->view.base)
        memcpy(strides, operand->view.strides, sizeof operand->view.strides);
    else
        dense_strides(&operand->type, strides);
}

bool view_fits(const Value *value)
{
    const Value *base = value->view.base;
    if (!base)
        return true;
    if (base->view.base || dtype_info[base->type.dtype].bytes != dtype_info[value->type.dtype].bytes)
        return false;
    if (element_count(&value->type) == 0)
        return true;
    int64_t lowest = value->view.offset, highest = value->view.offset; /* elements of the base */
    for (int axis = 0; axis < value->type.rank; axis++) {
        int64_t span;
        if (__builtin_mul_overflow(value->type.dims[axis] - 1, value->view.strides[axis], &span) ||
            __builtin_add_overflow(span < 0 ? lowest : highest, span, span < 0 ? &lowest : &highest))
            return false;
    }
    return lowest >= 0 && highest < element_count(&base->type);
}

/* ---- constant operands ----------------------------------------------------------------------------------------- */

bool const_operand_ints(Graph *graph, const Node *node, int i, int *count, const int64_t **values)
{
    const Value *operand = input(node, i);
    if (!operand || operand->kind != VALUE_CONST || !operand->data || is_float(operand->type.dtype))
        return false;
    int64_t elements = element_count(&operand->type);
    if (elements > INT32_MAX)
        return false;
    *count = (int)elements;
    *values = tensor_from_data(graph->arena, &operand->type, operand->data).i;
    return true;
}

bool const_operand_float(Graph *graph, const Node *node, int i, double *value)
{
    const Value *operand = input(node, i);
    if (!operand || operand->kind != VALUE_CONST || !operand->data || !is_float(operand->type.dtype) ||
        element_count(&operand->type) != 1)
        return false;
    *value = tensor_from_data(graph->arena, &operand->type, operand->data).f[0];
    return true;
}
