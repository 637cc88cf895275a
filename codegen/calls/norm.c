/* norm.c: normalisation over channels and over rows. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

/* batch_norm_grad(samples, outer, channels, inner, ...) */
void call_batch_norm(const Node *node, KernelCall *call)
{
    const Type *x = &node->inputs[0]->type;
    Channels n = channels_of(node, x);
    call->needs_step = true;
    call_int(call, samples_of(node, x));
    call_int(call, n.outer);
    call_int(call, n.count);
    call_int(call, n.inner);
}

/* batch_norm_statistics(samples, outer, channels, inner, epsilon, momentum, ...) */
void call_batch_norm_statistics(const Node *node, KernelCall *call)
{
    call_batch_norm(node, call);
    call_float(call, attr_float(node, "epsilon"));
    call_float(call, attr_float(node, "momentum"));
}

/* layer_norm_grad(rows, width, ...) */
void call_row_norm_grad(const Node *node, KernelCall *call)
{
    Rows rows = rows_of(node, &node->inputs[0]->type);
    call_int(call, rows.count);
    call_int(call, rows.width);
}

/* layer_norm(rows, width, epsilon, ...) */
void call_row_norm(const Node *node, KernelCall *call)
{
    call_row_norm_grad(node, call);
    call_float(call, attr_float(node, "epsilon"));
}
