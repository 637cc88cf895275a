/* weights.c: the weights block: room in it, and what lies where. */
#include <string.h>

#include "codegen/emit.h"

enum { ALIGNMENT = 64 };

int64_t place_weights(Weights *weights, int64_t bytes)
{
    int64_t offset = weights->bytes;
    weights->bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return offset;
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

/* Where the copy is noted: in the row of its parameter, by dtype. */
int *copy_slot(const Weights *weights, const Value *copy)
{
    return &weights->copy_of_param[param_index(weights, copy->copy_of)][copy->type.dtype == DTYPE_BF16];
}

const Stored *find_copy(const Weights *weights, const Value *copy)
{
    const int index = *copy_slot(weights, copy);
    return index > 0 ? &weights->copies[index - 1] : NULL;
}
