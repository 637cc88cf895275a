/* convolution.c: one struct of extents, PccConv of the runtime's conv_scratch.h. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

static void call_shape(KernelCall *call, const Convolution *c)
{
    const Window *w = &c->window;
    call->needs_step = true;
    Argument *shape = call_struct(call, "PccConv");
    struct_int(call, shape, "n", c->x.n);
    struct_int(call, shape, "c", c->x.c);
    struct_int(call, shape, "o", c->y.c);
    struct_int(call, shape, "groups", c->group);
    struct_dims(call, shape, "in", MAX_SPATIAL, w->in);
    struct_dims(call, shape, "out", MAX_SPATIAL, w->out);
    struct_dims(call, shape, "kernel", MAX_SPATIAL, w->kernel);
    struct_dims(call, shape, "stride", MAX_SPATIAL, w->stride);
    struct_dims(call, shape, "dilation", MAX_SPATIAL, w->dilation);
    struct_dims(call, shape, "pad", MAX_SPATIAL, w->before);
}

void call_convolution(const Node *node, KernelCall *call)
{
    Convolution c = convolution_of(node, &node->inputs[0]->type, &node->inputs[1]->type, &node->outputs[0]->type);
    call_shape(call, &c);
}

void call_convolution_grad_input(const Node *node, KernelCall *call)
{
    Convolution c = convolution_of(node, &node->outputs[0]->type, &node->inputs[1]->type, &node->inputs[0]->type);
    call_shape(call, &c);
}

void call_convolution_grad_weight(const Node *node, KernelCall *call)
{
    Convolution c = convolution_of(node, &node->inputs[0]->type, &node->outputs[0]->type, &node->inputs[1]->type);
    call_shape(call, &c);
}
