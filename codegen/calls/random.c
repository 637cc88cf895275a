/* random.c: what draws from the counter-based generator; attribute `node` keys it. */
#include "codegen/calls/calls.h"

void call_dropout(const Node *node, KernelCall *call)
{
    call->kernel = "dropout";
    call->needs_step = true;
    call_int(call, element_count(&node->inputs[0]->type));
    call_float(call, attr_float(node, "ratio"));
    call_int(call, attr_int(node, "node"));
}

void call_dropout_grad(const Node *node, KernelCall *call)
{
    call->kernel = "dropout_grad";
    call->needs_step = true;
    call_int(call, element_count(&node->inputs[0]->type));
    call_float(call, attr_float(node, "ratio"));
}

static void call_random(const Node *node, KernelCall *call, const char *kernel)
{
    call->kernel = kernel;
    call->needs_step = true;
    call_int(call, element_count(&node->outputs[0]->type));
    call_float(call, attr_float(node, "first"));
    call_float(call, attr_float(node, "second"));
    call_int(call, attr_int(node, "node"));
}

void call_random_normal(const Node *node, KernelCall *call)
{
    call_random(node, call, "random_normal");
}

void call_random_uniform(const Node *node, KernelCall *call)
{
    call_random(node, call, "random_uniform");
}
