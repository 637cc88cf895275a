/* loss.c: losses, which count the samples of a step that are valid. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

static void call_scores(const Node *node, KernelCall *call, const char *kernel, const Type *logits)
{
    Scores s = scores_of(node, logits);
    call->kernel = kernel;
    call->needs_step = true;
    call_int(call, samples_of(node, logits));
    call_int(call, s.outer);
    call_int(call, s.classes);
    call_int(call, s.inner);
    call_int(call, attr_int(node, "ignore_index"));
    call_int(call, attr_int(node, "shift"));
    call_int(call, attr_int(node, "reduction"));
}

void call_cross_entropy(const Node *node, KernelCall *call)
{
    call_scores(node, call, "cross_entropy", &node->inputs[0]->type);
}

void call_cross_entropy_grad(const Node *node, KernelCall *call)
{
    call_scores(node, call, "cross_entropy_grad", &node->inputs[1]->type);
}

static void call_pair(const Node *node, KernelCall *call, const char *kernel, const Type *y)
{
    int64_t samples = samples_of(node, y);
    call->kernel = kernel;
    call->needs_step = true;
    call_int(call, samples);
    call_int(call, element_count(y) / samples);
}

void call_mse(const Node *node, KernelCall *call)
{
    call_pair(node, call, "mse", &node->inputs[0]->type);
}

void call_mse_grad(const Node *node, KernelCall *call)
{
    call_pair(node, call, "mse_grad", &node->inputs[1]->type);
}

void call_bce(const Node *node, KernelCall *call)
{
    call_pair(node, call, "bce_with_logits", &node->inputs[0]->type);
}

void call_bce_grad(const Node *node, KernelCall *call)
{
    call_pair(node, call, "bce_with_logits_grad", &node->inputs[1]->type);
}

void call_loss_scale(const Node *node, KernelCall *call)
{
    (void)node;
    call->kernel = "loss_scale";
    call->needs_step = true;
}
