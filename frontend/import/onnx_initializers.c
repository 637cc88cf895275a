/* onnx_initializers.c: the tensors that a graph stores: parameters where they are floats, else constants. */
#include "frontend/import/onnx_model.h"
#include "ir/narrow.h"

/* Floats of a narrow format are somebody's calibration, and no weights. */
static void define_initializer(Import *import, const Body *body, Scope *scope, const TensorProto *tensor,
                               const Type *type, const void *data)
{
    const char *name = tensor->name;
    const bool is_narrow_format = narrow_format(tensor->data_type);
    if (!name || !*name) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "an initializer has no name");
    }
    Type widened = *type;
    widen_tensor(import, &widened, &data);
    ValueKind kind = is_float(type->dtype) && !body->repeated && !is_narrow_format ? VALUE_PARAM : VALUE_CONST;
    Value *value = value_create(import->graph, kind, widened, arena_printf(import->arena, "%s%s", body->prefix, name));
    value->data = data;
    value->narrow = is_narrow_format ? tensor->data_type : 0;
    if (!is_float(type->dtype) && !body->repeated) {
        name_table_set(&import->stored_integers, import->arena, value->name, value);
    }
    define_value(import, scope, NO_ORIGIN, name, value);
}

static void refuse_initializer(Import *import, Scope *scope, const TensorProto *tensor)
{
    const char *name = text_or_empty(tensor->name), *type = onnx_data_type_name(tensor->data_type);
    Value *poisoned = unsupported_type(import, "initializer '%s' is of type %s, which pcc does not have", name, type);
    define_value(import, scope, NO_ORIGIN, name, poisoned);
}

void import_initializers(Import *import, const Body *body, Scope *scope, const GraphProto *graph)
{
    Type type;
    for (size_t i = 0; i < graph->n_initializer; i++) {
        const TensorProto *tensor = graph->initializer[i];
        if (tensor->name && *tensor->name && !is_needed(&scope->needed, tensor->name)) {
            continue;
        }
        if (tensor_type(import->model, NO_ORIGIN, tensor, &type)) {
            const void *data = tensor_data(import->model, NO_ORIGIN, tensor, &type);
            define_initializer(import, body, scope, tensor, &type, data);
        } else {
            refuse_initializer(import, scope, tensor);
        }
    }
    for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
        const SparseTensorProto *sparse = graph->sparse_initializer[i];
        if (!sparse->values || !is_needed(&scope->needed, sparse->values->name)) {
            continue;
        }
        if (sparse_tensor_type(import->model, NO_ORIGIN, sparse, &type)) {
            const void *data = sparse_tensor_data(import->model, NO_ORIGIN, sparse, &type);
            define_initializer(import, body, scope, sparse->values, &type, data);
        } else {
            refuse_initializer(import, scope, sparse->values);
        }
    }
}
