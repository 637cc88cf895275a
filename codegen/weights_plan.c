/* weights_plan.c: what the weights block holds: parameters, copies, states, constants, and what the optimizer keeps. */
#include <string.h>

#include "codegen/emit.h"

static int count_kind(const Graph *graph, ValueKind kind)
{
    int count = 0;
    for (int i = 0; i < graph->value_count; i++)
        count += graph->values[i] && graph->values[i]->kind == kind;
    return count;
}

static void place_kind(Weights *weights, const Graph *graph, ValueKind kind, Stored *stored, int *count)
{
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (value && value->kind == kind)
            stored[(*count)++] = (Stored){value, value->name, place_weights(weights, type_bytes(&value->type))};
    }
}

static void place_copies(Weights *weights, const Graph *graph)
{
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (!value || value->kind != VALUE_COPY || find_copy(weights, value))
            continue;
        weights->copies[weights->copy_count++] =
            (Stored){value, value->name, place_weights(weights, type_bytes(&value->type))};
        *copy_slot(weights, value) = weights->copy_count;
    }
}

/* By value id: does a node read it from memory? Static operands, such as axes, became literals. */
static const bool *mark_read(const Graph *graph, Arena *arena)
{
    bool *is_read = NEW_ARRAY(arena, bool, graph->value_count + 1);
    for (const Node *node = graph->first; node; node = node->next)
        for (int i = 0; i < node->input_count; i++) {
            OperandSpec spec;
            const bool is_literal = find_operand(node->op->inputs, i, &spec) && spec.is_static;
            if (node->inputs[i] && !is_literal)
                is_read[node->inputs[i]->id] = true;
        }
    return is_read;
}

static uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x100000001b3u;
    return hash ^ hash >> 32; /* a product moves bits up only */
}

/* Of contents that may be hundreds of megabytes: eight bytes at a time, where hash_text() takes one. */
static uint64_t hash_contents(uint64_t hash, const char *bytes, size_t count)
{
    const size_t rest = count % sizeof(uint64_t);
    uint64_t word;
    for (size_t i = 0; i < count - rest; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word); /* of a fixed size: one load */
        hash = hash_word(hash, word);
    }
    word = 0;
    memcpy(&word, bytes + count - rest, rest);
    return rest ? hash_word(hash, word) : hash;
}

/* By what it is, so that programs of all targets find the same one in one weights file. */
static const char *constant_name(const Value *value, Arena *arena)
{
    const uint64_t hash =
        hash_contents(hash_text(type_text(arena, &value->type)), value->data, (size_t)type_bytes(&value->type));
    return arena_printf(arena, "pcc.constant.%016llx", (unsigned long long)hash);
}

/* Constants that nodes read, from both graphs, one of each; those that are a part of the text have no place. */
static void place_constants(Weights *weights, Graph *graph, int64_t literal_bytes, Arena *arena)
{
    const bool *is_read = mark_read(graph, arena);
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (!value || value->kind != VALUE_CONST || !is_read[value->id] || find_constant(weights, value))
            continue;
        const int64_t bytes = type_bytes(&value->type);
        const bool is_literal = bytes <= literal_bytes;
        weights->constants[weights->constant_count++] =
            (Stored){value, constant_name(value, arena), is_literal ? -1 : place_weights(weights, bytes)};
        weights->constant_bytes += is_literal ? 0 : bytes;
        weights->placed_constants += !is_literal;
    }
}

Weights plan_weights(Graph *train, Graph *evaluate, const Options *options, Arena *arena)
{
    Weights weights = {0};
    int params = count_kind(train, VALUE_PARAM), states = count_kind(train, VALUE_STATE);
    int constants = count_kind(train, VALUE_CONST) + count_kind(evaluate, VALUE_CONST);
    weights.params = NEW_ARRAY(arena, Stored, params + 1);
    weights.states = NEW_ARRAY(arena, Stored, states + 1);
    weights.constants = NEW_ARRAY(arena, Stored, constants + 1);
    weights.copy_of_param = arena_alloc_array(arena, (size_t)params + 1, sizeof *weights.copy_of_param);
    weights.param_states = NEW_ARRAY(arena, ParamState, params + 1);
    weights.copies = NEW_ARRAY(arena, Stored, count_kind(train, VALUE_COPY) + count_kind(evaluate, VALUE_COPY) + 1);
    place_kind(&weights, train, VALUE_PARAM, weights.params, &weights.param_count);
    weights.param_bytes = weights.bytes;
    place_copies(&weights, train);
    place_copies(&weights, evaluate);
    weights.copy_bytes = weights.bytes - weights.param_bytes;
    place_kind(&weights, train, VALUE_STATE, weights.states, &weights.state_count);
    weights.state_bytes = weights.bytes - weights.param_bytes - weights.copy_bytes;
    place_constants(&weights, train, options->target->literal_bytes, arena);
    place_constants(&weights, evaluate, options->target->literal_bytes, arena);
    place_param_states(&weights, train, options);
    return weights;
}
