/* onnx_stored_integers.c: which integers of the file may be quantised weights, and what else reads them. */
#include "frontend/import/onnx_quantised.h"

static bool is_grid_type(const Value *value)
{
    const Dtype dtype = value->type.dtype;
    return !is_float(dtype) && dtype != DTYPE_BOOL && dtype_info[dtype].bytes <= 4 && dtype != DTYPE_U32;
}

QuantisedWeight *stored_weight(Import *import, Value *value)
{
    if (!value || value->kind != VALUE_CONST || !value->name || !is_grid_type(value) ||
        name_table_find(&import->stored_integers, value->name) != value) {
        return NULL;
    }
    QuantisedWeight *weight = name_table_find(&import->quantised_by_name, value->name);
    if (!weight) {
        weight = NEW(import->arena, QuantisedWeight);
        *weight = (QuantisedWeight){.integers = value, .name = value->name};
        name_table_set(&import->quantised_by_name, import->arena, value->name, weight);
        APPEND(import->arena, import->quantised, import->quantised_count, weight);
    }
    return weight;
}

void note_other_reader(QuantisedWeight *weight, Origin origin)
{
    if (!weight->has_other) {
        weight->has_other = true;
        weight->other_reader = origin;
    }
}
