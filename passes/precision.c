/* precision.c: gives every float value the dtype that --precision asks for.
 *
 * The uniform modes 64-true and 32-true have one dtype for parameters, activations and gradients alike. Casts between
 * floats in the model become the identity. Constants convert exactly where the target is wider. */
#include <string.h>

#include "passes/passes.h"

static void convert_data(Graph *graph, Value *value, Dtype to)
{
    if (value->data) {
        Tensor tensor = tensor_from_data(graph->arena, &value->type, value->data);
        tensor.type.dtype = to;
        value->data = tensor_to_data(graph->arena, &tensor);
    }
    value->type.dtype = to;
}

/* Operands that are read at compile time only, such as Resize's scales, keep the dtype that their row asks for. */
static bool *mark_static(const Graph *graph)
{
    bool *is_static = NEW_ARRAY(graph->arena, bool, graph->value_count);
    for (int pass = 0; pass < 2; pass++)
        for (const Node *node = graph->first; node; node = node->next)
            for (int i = 0; i < node->input_count; i++)
                if (node->inputs[i] && operand_is_static(node->op, i) == (pass == 0))
                    is_static[node->inputs[i]->id] = pass == 0;
    return is_static;
}

void precision(Graph *graph, const Options *options)
{
    const Dtype to = strcmp(options->precision, "64-true") == 0 ? DTYPE_F64 : DTYPE_F32;
    const bool *is_static = mark_static(graph);
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        if (value && is_float(value->type.dtype) && value->type.dtype != to && !is_static[i])
            convert_data(graph, value, to);
    }
    for (Node *node = graph->first; node; node = node->next) {
        Dtype cast_to;
        if (strcmp(node->op->name, "Cast") == 0 && dtype_from_onnx((int)attr_int(node, "to"), &cast_to) &&
            is_float(cast_to))
            set_int(graph, node, "to", dtype_info[to].onnx);
    }
}
