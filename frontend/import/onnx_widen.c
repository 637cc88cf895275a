/* onnx_widen.c: a model read as if all its floats were f64.
 *
 * 64-true computes what the model says in double from its constants on: a chain such as 1 / sqrt(Cast(dim)) that folds
 * at import must not be rounded to f32 on the way. */
#include <string.h>

#include "frontend/import/onnx_model.h"

void widen_type(const Import *import, Type *type)
{
    if (import->options->widen && is_float(type->dtype)) {
        type->dtype = DTYPE_F64;
    }
}

void widen_tensor(Import *import, Type *type, const void **data)
{
    Type narrow = *type;
    widen_type(import, type);
    if (type->dtype == narrow.dtype) {
        return;
    }
    Tensor tensor = tensor_from_data(import->arena, &narrow, *data);
    tensor.type = *type;
    *data = tensor_to_data(import->arena, &tensor);
}

/* Without a value, ConstantOfShape makes f32 zeros. */
static void widen_zeros(Import *import, Node *node)
{
    if (strcmp(node->op->name, "ConstantOfShape") != 0 || input(node, 1)) {
        return;
    }
    Value **operands = NEW_ARRAY(import->arena, Value *, 2);
    operands[0] = input(node, 0);
    operands[1] = const_float(import->graph, DTYPE_F64, 0);
    node->inputs = operands;
    node->input_count = 2;
}

void widen_attributes(Import *import, Node *node)
{
    if (import->options->widen) {
        widen_zeros(import, node);
    }
    static const char *const names[] = {"to", "dtype"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const Attr *attribute = find_attr(node, names[i]);
        Dtype dtype;
        if (import->options->widen && attribute && attribute->kind == ATTR_INT &&
            dtype_from_onnx(attribute->i, &dtype) && is_float(dtype)) {
            set_int(import->graph, node, names[i], dtype_info[DTYPE_F64].onnx);
        }
    }
}
