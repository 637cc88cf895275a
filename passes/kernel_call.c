/* kernel_call.c: what the kernel of a node is called with. */
#include <string.h>

#include "passes/passes.h"

static Dtype suffix_of(const Node *node)
{
    const Value *first = NULL;
    for (int i = 0; i < node->input_count + node->output_count; i++) {
        const Value *v = i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
        if (v && is_float(v->type.dtype))
            return v->type.dtype;
        if (v && !first)
            first = v;
    }
    return first ? first->type.dtype : DTYPE_F32;
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
    *call = (KernelCall){.arena = graph->arena, .suffix = suffix_of(node), .scratch_bytes = -1};
    for (int i = 0; i < node->input_count && i < MAX_RANK; i++)
        if (operand_is_static(node->op, i))
            call->dropped_inputs |= 1u << i;
    if (call->suffix == DTYPE_I16 || call->suffix == DTYPE_U16)
        fatal(graph->diagnostics, EXIT_STATUS_UNSUPPORTED, node->origin,
              "%s over %s has no kernel: cast its operands to i32", node->op->name, dtype_info[call->suffix].name);
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
