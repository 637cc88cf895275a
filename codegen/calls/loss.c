/* loss.c: losses, which count the samples of a step that are valid. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

/* cross_entropy(samples, outer, classes, inner, ignore_index, shift, reduction, ...) */
static void call_scores(const Node *node, KernelCall *call, const Type *logits)
{
    Scores s = scores_of(node, logits);
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
    call_scores(node, call, &node->inputs[0]->type);
}

void call_cross_entropy_grad(const Node *node, KernelCall *call)
{
    call_scores(node, call, &node->inputs[1]->type);
}

/* mse(samples, elements of each, ...) */
static void call_pairs(const Node *node, KernelCall *call, const Type *y)
{
    int64_t samples = samples_of(node, y);
    call->needs_step = true;
    call_int(call, samples);
    call_int(call, element_count(y) / samples);
}

void call_regression(const Node *node, KernelCall *call)
{
    call_pairs(node, call, &node->inputs[0]->type);
}

void call_regression_grad(const Node *node, KernelCall *call)
{
    call_pairs(node, call, &node->inputs[1]->type);
}

void call_loss_scale(const Node *node, KernelCall *call)
{
    (void)node;
    call->needs_step = true;
}
