/* target.c: what a target's kernel rows say of a node. */
#include "ir/target/target.h"

#include <string.h>

#include "ir/schema.h"

/* The row that one operator was found to have: passes ask again for every node. */
struct KernelSlot {
    const Target *target;
    const Op *op;
    const Kernel *kernel;
};

enum { KERNEL_SLOTS = 256 };

static const Kernel *scan_rows(const Target *target, const char *name)
{
    for (const Kernel *const *table = target->kernels; *table; table++)
        for (const Kernel *kernel = *table; kernel->op; kernel++)
            if (strcmp(kernel->op, name) == 0)
                return kernel;
    return NULL;
}

bool target_has_kernel(const Target *target, const char *op)
{
    return scan_rows(target, op) != NULL;
}

/* Rows of operators lie one behind the other, so that few share a slot; one that does is scanned for again. */
const Kernel *find_kernel(const Target *target, const Node *node)
{
    Graph *graph = node->graph;
    if (node->op->kind != OP_KERNEL)
        return NULL;
    if (!graph->kernel_slots)
        graph->kernel_slots = NEW_ARRAY(graph->arena, KernelSlot, KERNEL_SLOTS);
    KernelSlot *slot = &graph->kernel_slots[(uintptr_t)node->op / sizeof *node->op % KERNEL_SLOTS];
    if (slot->op != node->op || slot->target != target)
        *slot = (KernelSlot){target, node->op, scan_rows(target, node->op->name)};
    return slot->kernel;
}

bool kernel_takes(const Target *target, const Node *node)
{
    const Kernel *kernel = find_kernel(target, node);
    return !kernel || !kernel->takes || kernel->takes(node);
}

bool kernel_is_stored16(const Target *target, const Node *node)
{
    const Kernel *kernel = find_kernel(target, node);
    return kernel && kernel->stored16;
}

bool stores_through_epilogue(const Target *target, const Node *node)
{
    const Kernel *kernel = find_kernel(target, node);
    return kernel && kernel->stores;
}

Striding input_striding(const Target *target, const Node *node, int i)
{
    const Kernel *kernel = find_kernel(target, node);
    return kernel && i < MAX_ROW_OPERANDS ? kernel->input_striding[i] : STRIDING_DENSE;
}

Striding output_striding(const Target *target, const Node *node, int i)
{
    const Kernel *kernel = find_kernel(target, node);
    return kernel && i < MAX_ROW_OPERANDS ? kernel->output_striding[i] : STRIDING_DENSE;
}

bool kernel_aliases(const Target *target, const Node *node, int i)
{
    const Kernel *kernel = find_kernel(target, node);
    return kernel && kernel->aliases == i + 1;
}

/* The compute dtype of the first float operand, else the dtype of the first operand. */
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
static bool touches_narrow(const Node *node, bool stores)
{
    const int own = own_input_count(node), outputs = stores ? 0 : node->output_count;
    for (int i = 0; i < own + outputs; i++) {
        const Value *v = i < own ? node->inputs[i] : node->outputs[i - own];
        if (v && is_narrow(v->type.dtype))
            return true;
    }
    return false;
}

KernelCall kernel_call(const Target *target, const Node *node)
{
    const Kernel *kernel = find_kernel(target, node);
    if (!kernel)
        internal_error(node->graph->diagnostics, node->origin, "target %s has no kernel of %s", target->name,
                       node->op->name);
    KernelCall call = {.arena = node->graph->arena,
                       .target = target,
                       .kernel = kernel->kernel,
                       .suffix = suffix_of(node),
                       .narrow = touches_narrow(node, kernel->stores),
                       .needs_step = target->passes_step};
    kernel->call(node, &call);
    call_operands(&call, node, kernel);
    return call;
}

int64_t node_scratch_bytes(const Target *target, const Node *node)
{
    if (!find_kernel(target, node))
        return -1;
    KernelCall call = kernel_call(target, node);
    return call_scratch_bytes(&call);
}
