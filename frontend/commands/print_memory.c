/* print_memory.c: a program's blocks to the byte, what else it allocates on a GPU, and the buffers of the arena. */
#include "frontend/commands/print_memory.h"

#include <stdlib.h>

#include "ir/target/gpu.h"
#include "runtime/program.h"

/* ---- the arena -------------------------------------------------------------------------------------------------- */

/* A value, or the scratch of a node. */
typedef struct Buffer {
    const Value *value;
    const Node *node;
    int64_t bytes, offset;
    int first, last, id;
} Buffer;

static int by_bytes(const void *a, const void *b)
{
    const Buffer *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->value && y->value ? x->id - y->id : x->value ? -1 : y->value ? 1 : x->id - y->id;
}

static int list_values(const Graph *graph, const MemoryPlan *plan, Buffer *buffers)
{
    int count = 0;
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (value && value->kind == VALUE_TEMP && !value->view.base && plan->offset[i] >= 0)
            buffers[count++] = (Buffer){.value = value,
                                        .bytes = type_bytes(&value->type),
                                        .offset = plan->offset[i],
                                        .first = plan->first_use[i],
                                        .last = plan->last_use[i],
                                        .id = i};
    }
    return count;
}

static int list_scratch(const Compilation *c, const MemoryPlan *plan, Buffer *buffers)
{
    int count = 0, position = 0;
    for (const Node *node = c->program.train->first; node; node = node->next, position++)
        if (plan->scratch_offset[node->id] >= 0)
            buffers[count++] = (Buffer){.node = node,
                                        .bytes = node_scratch_bytes(c->options.target, node),
                                        .offset = plan->scratch_offset[node->id],
                                        .first = position,
                                        .last = position,
                                        .id = node->id};
    return count;
}

static const char *buffer_text(Arena *arena, const Buffer *buffer)
{
    const Value *value = buffer->value;
    if (value)
        return value->name ? value->name : value->producer->op->name;
    return arena_printf(arena, "workspace of %s",
                        buffer->node->origin.node ? buffer->node->origin.node : buffer->node->op->name);
}

static void print_buffers_by_size(Compilation *c, FILE *stream, const MemoryPlan *plan)
{
    const Graph *graph = c->program.train;
    Buffer *buffers = NEW_ARRAY(c->arena, Buffer, graph->value_count + graph->node_count + 1);
    int count = list_values(graph, plan, buffers);
    count += list_scratch(c, plan, buffers + count);
    qsort(buffers, (size_t)count, sizeof *buffers, by_bytes);
    fprintf(stream, "%12s %12s  %-11s %-22s %s\n", "bytes", "offset", "live", "type", "what");
    for (int i = 0; i < count; i++)
        fprintf(stream, "%12lld %12lld  %4d..%-5d %-22s %s\n", (long long)buffers[i].bytes,
                (long long)buffers[i].offset, buffers[i].first, buffers[i].last,
                buffers[i].value ? type_text(c->arena, &buffers[i].value->type) : "-",
                buffer_text(c->arena, &buffers[i]));
}

/* The most that one node has: they share their place with everything else. */
static int64_t largest_scratch(const Compilation *c)
{
    int64_t most = 0;
    for (const Node *node = c->program.train->first; node; node = node->next) {
        const int64_t bytes = node_scratch_bytes(c->options.target, node);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void print_arena(Compilation *c, FILE *stream, const Emitted *emitted, const MemoryPlan *plan)
{
    fprintf(stream, "arena   %lld bytes; a training step has at most %lld live, at node %d\n",
            (long long)emitted->arena_bytes, (long long)plan->live_bytes, plan->fullest);
    if (emitted->update_scratch_bytes > 0)
        fprintf(stream,
                "        = activations and workspaces %lld, the largest workspace %lld, + scratch of update() %lld\n",
                (long long)(emitted->arena_bytes - emitted->update_scratch_bytes), (long long)largest_scratch(c),
                (long long)emitted->update_scratch_bytes);
}

/* ---- on a GPU: what runtime/session/blocks.c and runtime/device/cuda.cuh allocate -------------------------------- */

static int64_t at_least_one(int64_t bytes)
{
    return bytes > 0 ? bytes : 1;
}

/* Of the inputs and the target. */
static int64_t batch_bytes(const Graph *graph)
{
    int64_t sum = graph->target ? at_least_one(type_bytes(&graph->target->type)) : 0;
    for (int i = 0; i < graph->input_count; i++)
        sum += at_least_one(type_bytes(&graph->inputs[i]->type));
    return sum;
}

static int parameter_count(Compilation *c)
{
    const char **params, **states;
    int param_count, state_count;
    list_stored(&c->program, &c->options, &params, &param_count, &states, &state_count);
    return param_count;
}

static int64_t print_device(Compilation *c, FILE *stream, const Emitted *emitted)
{
    const int64_t weights = at_least_one(emitted->weights_bytes), arena = at_least_one(emitted->arena_bytes);
    const int64_t batch = batch_bytes(c->program.train);
    const int64_t table = parameter_count(c) * (int64_t)sizeof(PccParam), step = (int64_t)sizeof(PccStep);
    const int64_t sum = weights + arena + 2 * batch + table + step;
    fprintf(stream,
            "device  %lld bytes = weights + arena + batch %lld + the next batch %lld + table of parameters %lld + "
            "step %lld; the CUDA context apart\n",
            (long long)sum, (long long)batch, (long long)batch, (long long)table, (long long)step);
    return sum;
}

/* What a CUDA context takes with the code of kernels, and what the driver keeps: some hundred MiB. */
#define CONTEXT_BYTES ((int64_t)1 << 30)

static void print_fit(FILE *stream, const Gpu *gpu, int64_t bytes)
{
    const double gib = (double)gpu->memory / 0x1p30, left = (double)(gpu->memory - bytes) / 0x1p30;
    const char *advice = "give a smaller --batch, --recompute auto or a 16-bit --precision";
    if (gpu->memory < bytes)
        fprintf(stream, "%-7s does not fit: %.2f GiB are needed of %.2f; %s\n", gpu->name, gib - left, gib, advice);
    else if (gpu->memory - bytes < CONTEXT_BYTES)
        fprintf(stream, "%-7s may not fit: of %.2f GiB it leaves %.2f for the CUDA context and the driver; %s\n",
                gpu->name, gib, left, advice);
    else
        fprintf(stream, "%-7s fits: of %.2f GiB it leaves %.2f for the CUDA context and the driver\n", gpu->name, gib,
                left);
}

/* ---- all -------------------------------------------------------------------------------------------------------- */

static void print_weights(FILE *stream, const Emitted *emitted)
{
    const WeightsBytes *w = &emitted->weights;
    fprintf(stream,
            "weights %lld bytes = parameters %lld + states %lld + constants %lld + gradients %lld + moments %lld ",
            (long long)emitted->weights_bytes, (long long)w->params, (long long)w->states, (long long)w->constants,
            (long long)w->gradients, (long long)w->moments);
    if (w->copies > 0)
        fprintf(stream, "+ 16-bit copies %lld ", (long long)w->copies);
    if (w->extras > 0)
        fprintf(stream, "+ masters or compensations %lld ", (long long)w->extras);
    fputs("+ padding\n", stream);
    if (emitted->unapplied_bytes > 0)
        fprintf(stream, "        %lld bytes more where all gradients are kept: --probe, pcc_backward()\n",
                (long long)emitted->unapplied_bytes);
}

void print_memory(Compilation *c, FILE *stream)
{
    run_passes(c);
    EmitOptions emit = {.source_name = "", .weights_name = ""};
    Emitted emitted = emit_source(c, &emit);
    MemoryPlan plan = plan_memory(c->program.train, c->options.target);
    print_weights(stream, &emitted);
    print_arena(c, stream, &emitted, &plan);
    if (is_cuda(c->options.target)) {
        const int64_t bytes = print_device(c, stream, &emitted);
        if (c->gpu)
            print_fit(stream, c->gpu, bytes);
    }
    print_buffers_by_size(c, stream, &plan);
}
