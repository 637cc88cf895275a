/* precision.c: gives every float value the wide dtype of --precision: f64 in 64-true, else f32.
 *
 * What is stored in 16 bits is then autocast's decision. Casts between floats in the model become the identity, unless
 * --honour-casts asks for what they say. Constants convert exactly where the target is wider. */
#include <string.h>

#include "passes/match.h"
#include "passes/precision/policy.h"

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

/* Casts between floats that --honour-casts keeps: those to 16 bits. */
static bool is_honoured(const Node *node, const Options *options)
{
    Dtype to;
    return options->honour_casts && is_op(node, "Cast") && is_float(node->inputs[0]->type.dtype) &&
           dtype_from_onnx(attr_int(node, "to"), &to) && (to == DTYPE_F16 || to == DTYPE_BF16);
}

/* The Cast rounds, and a Cast back follows, so that the graph is of one dtype until autocast, which looks through it.
 */
static void widen_after(Graph *graph, Node *cast, Dtype wide)
{
    Value *low = cast->outputs[0];
    graph->cursor = cast->next;
    graph->origin = cast->origin;
    if (!infer_node(graph, cast))
        leave(graph->diagnostics);
    Value *back = build_cast(graph, low, wide);
    replace_value(graph, low, back);
    back->producer->inputs[0] = low;
}

void precision(Graph *graph, const Options *options)
{
    const Dtype wide = find_precision_mode(options->precision)->wide;
    const bool *is_static = mark_static(graph);
    bool *honoured = NEW_ARRAY(graph->arena, bool, graph->node_count);
    const int value_count = graph->value_count;
    for (Node *node = graph->first; node; node = node->next) {
        honoured[node->id] = is_honoured(node, options);
        if (is_op(node, "Cast") && is_float(node->outputs[0]->type.dtype) && !honoured[node->id])
            set_int(graph, node, "to", dtype_info[wide].onnx);
    }
    for (int i = 0; i < value_count; i++) {
        Value *value = graph->values[i];
        if (value && is_float(value->type.dtype) && value->type.dtype != wide && !is_static[i])
            convert_data(graph, value, wide);
    }
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (honoured[node->id])
            widen_after(graph, node, wide);
    }
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
}
