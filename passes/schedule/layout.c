/* layout.c: lets data-movement operators move no data.
 *
 * Every value gets a window: a dense buffer of its own, or a strided view of another's. Two sweeps over the view
 * nodes decide:
 *   backwards: a producer that can write strided writes straight into the place where Concat, Transpose or Reshape
 *              wants its result (attention into [B, T, H, D], the cotangents of q, k and v into one buffer);
 *   forwards:  what is left reads the input's buffer through strides, where every reader can.
 * Where neither is possible a Copy node is inserted; after this pass view nodes cost nothing. Results that leave the
 * graph own dense buffers. */
#include <string.h>

#include "ir/schema.h"
#include "passes/view.h"

typedef struct Layout {
    Graph *graph;
    const Target *target;
    Node ***users;  /* by value id, as before the pass: new values have no entry */
    bool *placed;   /* by value id: the window is decided */
    bool *anchored; /* by value id: others lie inside its buffer */
    bool *result;   /* by value id: leaves the graph */
    int value_count;
} Layout;

static bool striding_accepts(Striding striding, const Type *type, const View *window)
{
    switch (striding) {
    case STRIDING_ANY:
        return true;
    case STRIDING_ROWS:
        return has_dense_rows(type, window->strides);
    case STRIDING_MATRIX:
        return type->rank == 2 ? has_dense_rows(type, window->strides) : is_dense(type, window->strides);
    case STRIDING_DENSE:
        break;
    }
    return is_dense(type, window->strides);
}

/* Elementwise loops and epilogues address any strides; a view node falls back on a copy, which does too. */
static bool reader_accepts(const Target *target, const Node *reader, const Value *value, const View *window)
{
    if (reader->op->kind != OP_KERNEL)
        return true;
    for (int i = 0; i < reader->input_count; i++) {
        if (reader->inputs[i] != value)
            continue;
        bool epilogue = i >= own_input_count(reader);
        Striding striding = epilogue ? STRIDING_ANY : input_striding(target, reader, i);
        if (!striding_accepts(striding, &value->type, window))
            return false;
    }
    return true;
}

static bool writer_accepts(const Target *target, const Node *writer, const Value *value, const View *window)
{
    if (writer->op->kind != OP_KERNEL || stores_through_epilogue(target, writer))
        return true;
    for (int i = 0; i < writer->output_count; i++)
        if (writer->outputs[i] == value)
            return striding_accepts(output_striding(target, writer, i), &value->type, window);
    return false;
}

static bool readers_accept(const Layout *layout, const Value *value, const View *window, const Node *except)
{
    for (Node **user = layout->users[value->id]; user && *user; user++)
        if (*user != except && !reader_accepts(layout->target, *user, value, window))
            return false;
    return true;
}

static void place(Layout *layout, Value *value, const View *window)
{
    value->view = *window;
    layout->placed[value->id] = true;
    layout->anchored[window->base->id] = true;
}

static bool request(Layout *layout, Value *value, const View *window, const Node *reader);

/* Concat whose output lies in `window`: each operand that can is produced in its part. */
static bool request_concat(Layout *layout, Node *concat, const View *window)
{
    View part;
    view_backward(concat, 0, window, &part);
    for (int i = 0; i < concat->input_count; i++) {
        request(layout, concat->inputs[i], &part, concat);
        view_next_part(concat, i, &part);
    }
    return true; /* the other operands are copied into their parts by settle_concat() */
}

/* Asks that `value` be produced in `window`, which its reader wants; false when it stays where it is. */
static bool request(Layout *layout, Value *value, const View *window, const Node *reader)
{
    Node *producer = value->producer;
    if (value->kind != VALUE_TEMP || layout->placed[value->id] || layout->anchored[value->id] ||
        layout->result[value->id] || value == window->base || !readers_accept(layout, value, window, reader))
        return false;
    if (is_view_node(producer)) {
        View inner;
        bool can = joins_operands(producer)
                       ? request_concat(layout, producer, window)
                       : producer->output_count == 1 && view_backward(producer, 0, window, &inner) &&
                             request(layout, producer->inputs[0], &inner, producer);
        if (!can)
            return false;
    } else if (!writer_accepts(layout->target, producer, value, window)) {
        return false;
    }
    place(layout, value, window);
    return true;
}

static void sweep_backwards(Layout *layout)
{
    for (Node *node = layout->graph->last; node; node = node->previous) {
        if (!is_view_node(node) || node->output_count != 1 || layout->placed[node->outputs[0]->id])
            continue;
        View window = window_of(node->outputs[0]), inner;
        if (joins_operands(node)) {
            layout->placed[node->outputs[0]->id] = true;
            request_concat(layout, node, &window);
        } else if (view_backward(node, 0, &window, &inner) && request(layout, node->inputs[0], &inner, node)) {
            layout->placed[node->outputs[0]->id] = true;
        }
    }
}

static Value *insert_copy(Layout *layout, Value *value, Node *before)
{
    layout->graph->cursor = before;
    layout->graph->origin = value->producer ? value->producer->origin : NO_ORIGIN;
    Value *copy = build_unary(layout->graph, "Copy", value);
    layout->graph->cursor = NULL;
    return copy;
}

/* Operands that were not produced in their part of the concatenation are copied there. */
static void settle_concat(Layout *layout, Node *concat)
{
    View whole = window_of(concat->outputs[0]), part;
    view_backward(concat, 0, &whole, &part);
    for (int i = 0; i < concat->input_count; view_next_part(concat, i++, &part)) {
        Value *operand = concat->inputs[i];
        View now = window_of(operand);
        if (now.base == part.base && now.offset == part.offset &&
            memcmp(now.strides, part.strides, sizeof(part.strides)) == 0)
            continue;
        concat->inputs[i] = insert_copy(layout, operand, concat);
        concat->inputs[i]->view = part;
    }
}

/* Is the value where the view node's own output window says its input should be? */
static bool is_settled(const Node *node)
{
    View inner, out = window_of(node->outputs[0]), in = window_of(node->inputs[0]);
    return node->output_count == 1 && view_backward(node, 0, &out, &inner) && in.base == inner.base &&
           in.offset == inner.offset;
}

/* Output `index` reads the input through strides, in `window`, or a copy of that. */
static void settle_output(Layout *layout, Node *node, int index, View window)
{
    Value *output = node->outputs[index];
    bool frozen = layout->placed[output->id] || layout->anchored[output->id] ||
                  (layout->result[output->id] && !is_dense(&output->type, window.strides));
    if (!frozen && readers_accept(layout, output, &window, NULL)) {
        output->view = window;
        return;
    }
    Value *alias = value_create(layout->graph, VALUE_TEMP, output->type, NULL);
    alias->producer = node;
    alias->view = window;
    node->outputs[index] = alias;
    layout->graph->cursor = node->next;
    layout->graph->origin = node->origin;
    Node *copy = node_create(layout->graph, find_op("Copy", 4), 1, &alias, 1);
    layout->graph->values[copy->outputs[0]->id] = NULL;
    copy->outputs[0] = output;
    output->producer = copy;
    layout->graph->cursor = NULL;
}

/* The window of a view node's first output. */
static View first_window(Layout *layout, Node *node)
{
    View in = window_of(node->inputs[0]), window;
    if (!view_forward(node, 0, &in, &window)) {
        /* no window can show the input reshaped: make it dense first */
        node->inputs[0] = insert_copy(layout, node->inputs[0], node);
        in = window_of(node->inputs[0]);
        view_forward(node, 0, &in, &window);
    }
    return window;
}

static void settle_outputs(Layout *layout, Node *node)
{
    View window = first_window(layout, node);
    for (int i = 0; i < node->output_count; i++) {
        settle_output(layout, node, i, window);
        if (i + 1 < node->output_count)
            view_next_part(node, i, &window);
    }
}

static void sweep_forwards(Layout *layout)
{
    for (Node *node = layout->graph->first, *next; node; node = next) {
        next = node->next;
        if (!is_view_node(node))
            continue;
        if (joins_operands(node))
            settle_concat(layout, node);
        else if (!(node->output_count == 1 && layout->placed[node->outputs[0]->id] && is_settled(node)))
            settle_outputs(layout, node);
    }
}

/* Does the value fill a dense buffer that a node computes, and nothing else claimed it? */
static bool owns_buffer(Value *value, const bool *taken)
{
    View window = window_of(value);
    return window.base->kind == VALUE_TEMP && type_bytes(&window.base->type) == type_bytes(&value->type) &&
           window.offset == 0 && is_dense(&value->type, window.strides) && !taken[window.base->id];
}

/* Gradients and updates are written where the parameters and states keep them: each needs a buffer that is its own,
 * dense, and not also an output or another binding. */
static void own_bindings(Layout *layout, Binding *bindings, int count, bool *taken)
{
    for (int i = 0; i < count; i++) {
        Value *value = bindings[i].value;
        if (owns_buffer(value, taken)) {
            taken[window_of(value).base->id] = true;
            continue;
        }
        bindings[i].value = insert_copy(layout, value, NULL);
    }
}

static void own_outputs(Layout *layout, bool *taken)
{
    Graph *graph = layout->graph;
    for (int i = 0; i < graph->output_count; i++) {
        if (owns_buffer(graph->outputs[i], taken))
            taken[window_of(graph->outputs[i]).base->id] = true;
        else
            graph->outputs[i] = insert_copy(layout, graph->outputs[i], NULL);
    }
}

void layout(Graph *graph, const Options *options)
{
    Layout state = {
        .graph = graph, .target = options->target, .users = collect_users(graph), .value_count = graph->value_count};
    /* copies add values; each view node adds at most two */
    int capacity = graph->value_count * 3 + 1;
    state.placed = NEW_ARRAY(graph->arena, bool, capacity);
    state.anchored = NEW_ARRAY(graph->arena, bool, capacity);
    state.result = NEW_ARRAY(graph->arena, bool, capacity);
    mark_graph_results(graph, state.result);
    sweep_backwards(&state);
    sweep_forwards(&state);

    bool *taken = NEW_ARRAY(graph->arena, bool, graph->value_count + graph->output_count + 1);
    own_outputs(&state, taken);
    own_bindings(&state, graph->gradients, graph->gradient_count, taken);
    own_bindings(&state, graph->updates, graph->update_count, taken);
    graph->origin = NO_ORIGIN;
}
