/* norm.c: normalisation over channels and over rows. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

static void call_channels(const Node *node, KernelCall *call, const char *kernel)
{
    const Type *x = &node->inputs[0]->type;
    Channels n = channels_of(node, x);
    call->kernel = kernel;
    call->needs_step = true;
    call_int(call, samples_of(node, x));
    call_int(call, n.outer);
    call_int(call, n.count);
    call_int(call, n.inner);
}

void call_batch_norm_statistics(const Node *node, KernelCall *call)
{
    call_channels(node, call, "batch_norm_statistics");
    call_float(call, attr_float(node, "epsilon"));
    call_float(call, attr_float(node, "momentum"));
}

void call_batch_norm_grad(const Node *node, KernelCall *call)
{
    call_channels(node, call, "batch_norm_grad");
}

static void call_rows(const Node *node, KernelCall *call, const char *kernel)
{
    Rows rows = rows_of(node, &node->inputs[0]->type);
    call->kernel = kernel;
    call_int(call, rows.count);
    call_int(call, rows.width);
}

void call_layer_norm(const Node *node, KernelCall *call)
{
    call_rows(node, call, "layer_norm");
    call_float(call, attr_float(node, "epsilon"));
}

void call_layer_norm_grad(const Node *node, KernelCall *call)
{
    call_rows(node, call, "layer_norm_grad");
}

void call_rms_norm(const Node *node, KernelCall *call)
{
    call_rows(node, call, "rms_norm");
    call_float(call, attr_float(node, "epsilon"));
}

void call_rms_norm_grad(const Node *node, KernelCall *call)
{
    call_rows(node, call, "rms_norm_grad");
}
