/* onnx_stand_in.c: values that are none of the graph's: a sequence stands for its items, and an optional for nothing.
 */
#include "frontend/import/onnx_model.h"

enum { SEQUENCE = -2, NOTHING = -3 }; /* their ids, which no value of a graph has */

typedef struct Sequence {
    Value value; /* first: scopes hold its address */
    Value **items;
    int count;
} Sequence;

static Value *stand_in(Import *import, int id)
{
    Sequence *sequence = NEW(import->arena, Sequence);
    sequence->value = (Value){.id = id, .kind = VALUE_INPUT};
    return &sequence->value;
}

Value *sequence_create(Import *import, int count, Value *const *items)
{
    Sequence *sequence = (Sequence *)(void *)stand_in(import, SEQUENCE);
    sequence->items = NEW_ARRAY(import->arena, Value *, count + 1);
    sequence->count = count;
    for (int i = 0; i < count; i++) {
        sequence->items[i] = items[i];
    }
    return &sequence->value;
}

Value *nothing_create(Import *import)
{
    return stand_in(import, NOTHING);
}

bool is_sequence(const Value *value)
{
    return value->id == SEQUENCE;
}

bool is_nothing(const Value *value)
{
    return value->id == NOTHING;
}

bool is_tensor(const Value *value)
{
    return !is_sequence(value) && !is_nothing(value);
}

int sequence_items(Value *value, Value ***items)
{
    const Sequence *sequence = (const Sequence *)(void *)value;
    *items = is_sequence(value) ? sequence->items : NULL;
    return is_sequence(value) ? sequence->count : 0;
}
