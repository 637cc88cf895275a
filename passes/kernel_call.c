/* kernel_call.c: what the kernel of a node is called with. */
#include <string.h>

#include "passes/passes.h"

static Dtype suffix_of(const Node *node)
{
    const Value *first = NULL;
    for (int i = 0; i < node->input_count + node->output_count; i++) {
        const Value *v = i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
        if (v && is_float(v->type.dtype))
            return wide_dtype(v->type.dtype);
        if (v && !first)
            first = v;
    }
    return first ? first->type.dtype : DTYPE_F32;
}

/* Of the kernel's own operands: the store function takes care of an epilogue's. */
static bool is_mixed(const Node *node)
{
    const int own = node->body ? node->input_count - (node->body->input_count - 1) : node->input_count;
    const int outputs = stores_through_epilogue(node) ? 0 : node->output_count;
    for (int i = 0; i < own + outputs; i++) {
        const Value *v = i < own ? node->inputs[i] : node->outputs[i - own];
        if (v && is_narrow(v->type.dtype))
            return true;
    }
    return false;
}

bool stores_through_epilogue(const Node *node)
{
    static const char *const products[] = {"MatMul", "Convolution", "ConvolutionGradInput"};
    for (size_t i = 0; i < sizeof(products) / sizeof(*products); i++)
        if (strcmp(node->op->name, products[i]) == 0)
            return true;
    return false;
}

void fill_kernel_call(Graph *graph, const Node *node, KernelCall *call)
{
    *call =
        (KernelCall){.arena = graph->arena, .suffix = suffix_of(node), .mixed = is_mixed(node), .scratch_bytes = -1};
    for (int i = 0; i < node->input_count && i < MAX_RANK; i++)
        if (operand_is_static(node->op, i))
            call->dropped_inputs |= 1u << i;
    if (!node->op->call)
        internal_error(graph->diagnostics, node->origin, "operator %s has no kernel", node->op->name);
    node->op->call(node, call);
}

int64_t node_scratch_bytes(Graph *graph, const Node *node)
{
    if (node->op->kind != OP_KERNEL || !node->op->call)
        return 0;
    KernelCall call;
    fill_kernel_call(graph, node, &call);
    return call.scratch_bytes;
}
