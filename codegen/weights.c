/* weights.c: the weights block and the file that fills it. */
#include <string.h>

#include "codegen/emit.h"
#include "runtime/safetensors.h"

enum { ALIGNMENT = 64 };

int64_t place_weights(Weights *weights, int64_t bytes)
{
    int64_t offset = weights->bytes;
    weights->bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return offset;
}

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

const Stored *find_constant(const Weights *weights, const Value *value)
{
    for (int i = 0; i < weights->constant_count; i++) {
        const Value *other = weights->constants[i].value;
        if (same_type(&other->type, &value->type) &&
            (other->data == value->data || memcmp(other->data, value->data, (size_t)type_bytes(&value->type)) == 0))
            return &weights->constants[i];
    }
    return NULL;
}

const Stored *find_copy(const Weights *weights, const Value *copy)
{
    for (int i = 0; i < weights->copy_count; i++) {
        const Value *other = weights->copies[i].value;
        if (other->copy_of->id == copy->copy_of->id && other->type.dtype == copy->type.dtype)
            return &weights->copies[i];
    }
    return NULL;
}

static void place_copies(Weights *weights, const Graph *graph)
{
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (!value || value->kind != VALUE_COPY || find_copy(weights, value))
            continue;
        weights->copies[weights->copy_count++] =
            (Stored){value, value->name, place_weights(weights, type_bytes(&value->type))};
    }
}

/* Constants that nodes read and that are too large for the text, from both graphs, one copy of each. */
static void place_constants(Weights *weights, Graph *graph, Arena *arena)
{
    const int *uses = count_uses(graph);
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (!value || value->kind != VALUE_CONST || uses[value->id] == 0 || type_bytes(&value->type) <= LITERAL_BYTES ||
            find_constant(weights, value))
            continue;
        const char *name = arena_printf(arena, "pcc.constant.%d", weights->constant_count);
        int64_t offset = place_weights(weights, type_bytes(&value->type));
        weights->constants[weights->constant_count++] = (Stored){value, name, offset};
        weights->constant_bytes += type_bytes(&value->type);
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
    weights.param_states = NEW_ARRAY(arena, ParamState, params + 1);
    weights.copies = NEW_ARRAY(arena, Stored, count_kind(train, VALUE_COPY) + count_kind(evaluate, VALUE_COPY) + 1);
    place_kind(&weights, train, VALUE_PARAM, weights.params, &weights.param_count);
    weights.param_bytes = weights.bytes;
    place_copies(&weights, train);
    place_copies(&weights, evaluate);
    weights.copy_bytes = weights.bytes - weights.param_bytes;
    place_kind(&weights, train, VALUE_STATE, weights.states, &weights.state_count);
    weights.state_bytes = weights.bytes - weights.param_bytes - weights.copy_bytes;
    place_constants(&weights, train, arena);
    place_constants(&weights, evaluate, arena);
    place_param_states(&weights, train, options);
    return weights;
}

/* What is stored stands in the order of the values' ids. */
static int index_of(const Stored *stored, int count, const Value *value)
{
    int first = 0, end = count;
    while (first < end) {
        int middle = first + (end - first) / 2;
        if (stored[middle].value->id < value->id)
            first = middle + 1;
        else
            end = middle;
    }
    return first < count && stored[first].value->id == value->id ? first : -1;
}

int param_index(const Weights *weights, const Value *param)
{
    return index_of(weights->params, weights->param_count, param);
}

int state_index(const Weights *weights, const Value *state)
{
    return index_of(weights->states, weights->state_count, state);
}

void list_stored(const Program *program, const Options *options, const char ***params, int *param_count,
                 const char ***states, int *state_count)
{
    Arena *arena = program->train->arena;
    Weights weights = plan_weights(program->train, program->evaluate, options, arena);
    *params = NEW_ARRAY(arena, const char *, weights.param_count + 1);
    *states = NEW_ARRAY(arena, const char *, weights.state_count + 1);
    for (int i = 0; i < weights.param_count; i++)
        (*params)[i] = weights.params[i].name;
    for (int i = 0; i < weights.state_count; i++)
        (*states)[i] = weights.states[i].name;
    *param_count = weights.param_count;
    *state_count = weights.state_count;
}

static int add_tensors(PccStTensor *tensors, int count, const Stored *stored, int stored_count)
{
    for (int i = 0; i < stored_count; i++) {
        const Type *type = &stored[i].value->type;
        PccStTensor *tensor = &tensors[count++];
        *tensor = (PccStTensor){
            .name = stored[i].name, .dtype = (PccDtype)type->dtype, .rank = type->rank, .data = stored[i].value->data};
        memcpy(tensor->dims, type->dims, sizeof(type->dims[0]) * (size_t)type->rank);
    }
    return count;
}

/* Parameters with a master start from what the model has, not from its rounding. */
static int add_params(PccStTensor *tensors, int count, const Weights *weights)
{
    const int first = count;
    count = add_tensors(tensors, count, weights->params, weights->param_count);
    for (int i = 0; i < weights->param_count; i++) {
        const float *unrounded = weights->params[i].value->unrounded;
        if (weights->param_states[i].rounding != PCC_MASTER || !unrounded)
            continue;
        tensors[first + i].dtype = PCC_F32;
        tensors[first + i].data = unrounded;
    }
    return count;
}

static int add_template(PccStTensor *tensors, int count, const EmitOptions *emit)
{
    if (!emit->export_template)
        return count;
    tensors[count++] = (PccStTensor){.name = "pcc.export.template",
                                     .dtype = PCC_U8,
                                     .rank = 1,
                                     .dims = {(int64_t)emit->export_template_bytes},
                                     .data = emit->export_template};
    tensors[count++] = (PccStTensor){.name = "pcc.export.splices",
                                     .dtype = PCC_I64,
                                     .rank = 2,
                                     .dims = {emit->splice_count, 4},
                                     .data = emit->export_splices};
    return count;
}

void write_weights(const Program *program, const Options *options, const EmitOptions *emit, const char *path)
{
    Graph *train = program->train;
    Weights weights = plan_weights(train, program->evaluate, options, train->arena);
    int most = weights.param_count + weights.state_count + weights.constant_count + 2, count = 0;
    PccStTensor *tensors = NEW_ARRAY(train->arena, PccStTensor, most);
    count = add_params(tensors, count, &weights);
    count = add_tensors(tensors, count, weights.states, weights.state_count);
    count = add_tensors(tensors, count, weights.constants, weights.constant_count);
    count = add_template(tensors, count, emit);
    PccStMetadata metadata[] = {{"precision", options->precision}, {"optimizer", options->optimizer}};
    PccError error = {0};
    if (pcc_st_write(path, tensors, count, metadata, 2, &error) != 0)
        fatal(train->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "%s", error.message);
}
