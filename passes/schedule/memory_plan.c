/* memory_plan.c: offsets in the arena for everything that lives within one step.
 *
 * Liveness is an interval of positions in the schedule per buffer; a buffer is the root of all views into it, or what
 * several values share because one is computed in place of the other. Buffers are placed largest first at the lowest
 * offset that is free throughout their interval (offline first fit by size, as in "Efficient Memory Management for
 * Deep Neural Net Inference", Pisarchyk and Lee 2020). */
#include <stdlib.h>
#include <string.h>

#include "ir/schema.h"
#include "passes/schedule/occupancy.h"
#include "passes/view.h"

typedef struct Buffer {
    int64_t bytes, offset;
    int first, last; /* positions, inclusive */
} Buffer;

typedef struct Planner {
    Graph *graph;
    const Target *target;
    MemoryPlan plan;
    Buffer *buffers;
    int buffer_count;
    int *buffer_of; /* by value id (roots only): index of its buffer, -1: none */
    bool *external; /* by value id (roots only): lies in the weights */
    bool *kept;     /* by value id (roots only): read after the step, never overwritten */
    int *position;  /* by node id */
    int positions;
} Planner;

static int64_t round_up(const Planner *p, int64_t bytes)
{
    const int64_t alignment = p->target->alignment;
    return (bytes + alignment - 1) / alignment * alignment;
}

static int root_id(Value *value)
{
    return window_of(value).base->id;
}

/* First and last position at which each root's buffer is written or read. */
static void find_liveness(Planner *p)
{
    MemoryPlan *plan = &p->plan;
    for (int i = 0; i < p->graph->value_count; i++)
        plan->first_use[i] = plan->last_use[i] = -1;
    for (Node *node = p->graph->first; node; node = node->next) {
        int at = p->position[node->id];
        for (int i = 0; i < node->input_count + node->output_count; i++) {
            Value *value = i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
            if (!value)
                continue;
            int root = root_id(value);
            if (plan->first_use[root] < 0)
                plan->first_use[root] = at;
            plan->last_use[root] = at;
        }
    }
}

static void keep(Planner *p, Value *value)
{
    int root = root_id(value);
    p->plan.last_use[root] = p->positions;
    p->kept[root] = true;
}

/* Behind this node all outputs are complete; -1: there is none. */
static int last_output_position(const Planner *p)
{
    int last = -1;
    for (int i = 0; i < p->graph->output_count; i++) {
        const Node *producer = p->graph->outputs[i]->producer;
        if (producer && p->position[producer->id] > last)
            last = p->position[producer->id];
    }
    return last;
}

/* A training step may overwrite its outputs once they are complete: the gradient of logits over a large vocabulary then
 * takes no memory of its own. */
static void keep_outputs(Planner *p)
{
    Graph *graph = p->graph;
    p->plan.outputs_made = graph->gradient_count > 0 ? last_output_position(p) : -1;
    for (int i = 0; i < graph->output_count; i++) {
        int *last = &p->plan.last_use[root_id(graph->outputs[i])];
        if (p->plan.outputs_made < 0)
            keep(p, graph->outputs[i]);
        else if (*last <= p->plan.outputs_made)
            *last = p->plan.outputs_made + 1;
    }
}

/* Gradients that the step itself applies live in the arena until then. */
static void admit_applied(Planner *p)
{
    for (const Node *node = p->graph->first; node; node = node->next)
        for (int i = node->input_count / 2; node->op->kind == OP_UPDATE && i < node->input_count; i++)
            p->external[root_id(node->inputs[i])] = false;
}

static void mark_results(Planner *p)
{
    Graph *graph = p->graph;
    keep_outputs(p);
    if (graph->loss)
        keep(p, graph->loss);
    for (int i = 0; i < graph->gradient_count; i++)
        p->external[root_id(graph->gradients[i].value)] = true;
    for (int i = 0; i < graph->update_count; i++)
        p->external[root_id(graph->updates[i].value)] = true;
    admit_applied(p);
}

/* Is the value its root, whole, be it in other dims? */
static bool covers_root(Value *value)
{
    const View window = window_of(value);
    return window.offset == 0 && is_dense(&value->type, window.strides) &&
           type_bytes(&window.base->type) == type_bytes(&value->type);
}

/* May the first output of `node` take the buffer of input `index`? Loops and epilogues read an element before they
 * write the same one; kernels say so in their row. */
static bool may_overwrite(const Planner *p, const Node *node, int index)
{
    Value *in = node->inputs[index];
    bool loop = node->op->kind == OP_LOOP, epilogue = index >= own_input_count(node);
    if (!in || in->kind != VALUE_TEMP || !(loop || epilogue || kernel_aliases(p->target, node, index)))
        return false;
    int root = root_id(in);
    if (p->external[root] || p->kept[root] || p->buffer_of[root] < 0 || !covers_root(in) ||
        p->buffers[p->buffer_of[root]].last != p->position[node->id])
        return false;
    for (int i = 0; i < node->input_count; i++)
        if (i != index && node->inputs[i] && root_id(node->inputs[i]) == root)
            return false;
    return true;
}

static bool try_in_place(Planner *p, const Node *node, int output)
{
    Value *out = node->outputs[output];
    int root = root_id(out);
    if (!covers_root(out) || p->external[root] || p->kept[root] || p->plan.first_use[root] != p->position[node->id])
        return false;
    bool loop = node->op->kind == OP_LOOP;
    for (int i = 0; i < node->input_count; i++) {
        if (!node->inputs[i] || (output > 0 && !node->body) || !may_overwrite(p, node, i))
            continue;
        bool same = node->body ? same_type(&node->inputs[i]->type, &out->type)
                               : type_bytes(&node->inputs[i]->type) == type_bytes(&out->type);
        if (!same || (loop && !same_dims(&node->inputs[i]->type, &out->type)))
            continue;
        int buffer = p->buffer_of[root_id(node->inputs[i])];
        p->buffer_of[root] = buffer;
        p->buffers[buffer].last = p->plan.last_use[root];
        return true;
    }
    return false;
}

static int new_buffer(Planner *p, int64_t bytes, int first, int last)
{
    p->buffers[p->buffer_count] = (Buffer){round_up(p, bytes), -1, first, last};
    return p->buffer_count++;
}

static void make_buffers(Planner *p)
{
    for (Node *node = p->graph->first; node; node = node->next) {
        int at = p->position[node->id];
        for (int i = 0; !is_view_node(node) && i < node->output_count; i++) {
            if (!node->outputs[i])
                continue;
            Value *root = window_of(node->outputs[i]).base;
            if (p->buffer_of[root->id] >= 0 || p->external[root->id] || root->kind != VALUE_TEMP ||
                try_in_place(p, node, i))
                continue;
            p->buffer_of[root->id] =
                new_buffer(p, type_bytes(&root->type), p->plan.first_use[root->id], p->plan.last_use[root->id]);
        }
        int64_t scratch = node_scratch_bytes(p->target, node);
        if (scratch > 0)
            p->plan.scratch_offset[node->id] = new_buffer(p, scratch, at, at); /* the index, until it is placed */
    }
}

static int larger_first(const void *a, const void *b)
{
    const Buffer *x = *(const Buffer *const *)a, *y = *(const Buffer *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

static const Buffer *const *sort_keys(const Buffer *buffers, int count, Arena *arena)
{
    const Buffer **keys = NEW_ARRAY(arena, const Buffer *, count + 1);
    for (int i = 0; i < count; i++)
        keys[i] = &buffers[i];
    qsort(keys, (size_t)count, sizeof(*keys), larger_first);
    return keys;
}

static void place(Occupancy *occupancy, Buffer *buffer, int64_t offset)
{
    buffer->offset = offset;
    occupy(occupancy, buffer->first, buffer->last, offset, buffer->bytes);
}

/* Outputs lie at the start of the arena in their own order, so that every graph of a program has them in one place. */
static void pin_outputs(Planner *p, Occupancy *occupancy)
{
    for (int i = 0; i < p->graph->output_count; i++) {
        Buffer *buffer = &p->buffers[p->buffer_of[root_id(p->graph->outputs[i])]];
        if (buffer->offset >= 0) /* one value under two names */
            continue;
        place(occupancy, buffer, p->plan.arena_bytes);
        p->plan.arena_bytes += buffer->bytes;
    }
    p->plan.outputs_bytes = p->plan.arena_bytes;
}

static void place_buffers(Planner *p)
{
    Occupancy *occupancy = occupancy_create(p->graph->arena, p->positions + 1); /* one more: behind the step */
    pin_outputs(p, occupancy);
    const Buffer *const *order = sort_keys(p->buffers, p->buffer_count, p->graph->arena);
    for (int i = 0; i < p->buffer_count; i++) {
        Buffer *buffer = &p->buffers[order[i] - p->buffers];
        if (buffer->offset < 0)
            place(occupancy, buffer, lowest_free(occupancy, buffer->first, buffer->last, buffer->bytes));
        if (buffer->offset + buffer->bytes > p->plan.arena_bytes)
            p->plan.arena_bytes = buffer->offset + buffer->bytes;
    }
}

static void find_fullest(Planner *p)
{
    int64_t *change = NEW_ARRAY(p->graph->arena, int64_t, p->positions + 2);
    for (int i = 0; i < p->buffer_count; i++) {
        change[p->buffers[i].first] += p->buffers[i].bytes;
        change[p->buffers[i].last + 1] -= p->buffers[i].bytes;
    }
    int64_t live = 0;
    for (int at = 0; at <= p->positions; at++) {
        live += change[at];
        if (live > p->plan.live_bytes) {
            p->plan.live_bytes = live;
            p->plan.fullest = at;
        }
    }
}

static void record_offsets(Planner *p)
{
    for (int i = 0; i < p->graph->value_count; i++) {
        Value *value = p->graph->values[i];
        int buffer = value && value->kind == VALUE_TEMP ? p->buffer_of[root_id(value)] : -1;
        p->plan.offset[i] = buffer < 0 ? -1 : p->buffers[buffer].offset;
    }
    for (Node *node = p->graph->first; node; node = node->next)
        if (p->plan.scratch_offset[node->id] >= 0)
            p->plan.scratch_offset[node->id] = p->buffers[p->plan.scratch_offset[node->id]].offset;
}

MemoryPlan plan_memory(Graph *graph, const Target *target)
{
    Planner p = {.graph = graph, .target = target};
    Arena *arena = graph->arena;
    int values = graph->value_count + 1, nodes = graph->node_count + 1;
    p.plan.offset = NEW_ARRAY(arena, int64_t, values);
    p.plan.scratch_offset = NEW_ARRAY(arena, int64_t, nodes);
    p.plan.first_use = NEW_ARRAY(arena, int, values);
    p.plan.last_use = NEW_ARRAY(arena, int, values);
    p.buffer_of = NEW_ARRAY(arena, int, values);
    p.external = NEW_ARRAY(arena, bool, values);
    p.kept = NEW_ARRAY(arena, bool, values);
    p.position = NEW_ARRAY(arena, int, nodes);
    p.buffers = NEW_ARRAY(arena, Buffer, values + nodes);
    for (Node *node = graph->first; node; node = node->next)
        p.position[node->id] = p.positions++;
    for (int i = 0; i < values; i++)
        p.buffer_of[i] = -1;
    for (int i = 0; i < nodes; i++)
        p.plan.scratch_offset[i] = -1;
    find_liveness(&p);
    mark_results(&p);
    make_buffers(&p);
    place_buffers(&p);
    find_fullest(&p);
    record_offsets(&p);
    return p.plan;
}
