/* random.c: what draws from the counter-based generator; attribute `node` keys it. */
#include "codegen/calls/calls.h"

/* dropout_grad(count, ratio, ...) */
void call_dropout_grad(const Node *node, KernelCall *call)
{
    call->needs_step = true;
    call_int(call, element_count(&node->inputs[0]->type));
    call_float(call, attr_float(node, "ratio"));
}

/* dropout(count, ratio, node, ...) */
void call_dropout(const Node *node, KernelCall *call)
{
    call_dropout_grad(node, call);
    call_int(call, attr_int(node, "node"));
}

/* random_normal(count, mean, deviation, node, y, s), random_uniform(count, low, high, node, y, s) */
void call_random(const Node *node, KernelCall *call)
{
    call->needs_step = true;
    call_int(call, element_count(&node->outputs[0]->type));
    call_float(call, attr_float(node, "first"));
    call_float(call, attr_float(node, "second"));
    call_int(call, attr_int(node, "node"));
}
