/* fused.c: rows that only passes make: Fused (fuse), Copy (layout), AccumulateGradient (accumulate), LossScale
 * (grad), ApplyGradients (apply). */
#include "ir/ops/shared/support.h"

static bool infer_fused(Graph *graph, Node *node)
{
    (void)graph;
    const Graph *body = node->body;
    if (!body || body->output_count != node->output_count)
        return false;
    for (int i = 0; i < node->output_count; i++)
        node->outputs[i]->type = body->outputs[i]->type;
    return true;
}

static bool infer_copy(Graph *graph, Node *node)
{
    (void)graph;
    node->outputs[0]->type = node->inputs[0]->type;
    return true;
}

static void evaluate_copy(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    int64_t count = element_count(&node->inputs[0]->type);
    for (int64_t i = 0; i < count; i++) {
        if (inputs[0].f)
            outputs[0].f[i] = inputs[0].f[i];
        else
            outputs[0].i[i] = inputs[0].i[i];
    }
}

static bool infer_loss_scale(Graph *graph, Node *node)
{
    (void)graph;
    node->outputs[0]->type = scalar_type(DTYPE_F32);
    return true;
}

static bool infer_apply(Graph *graph, Node *node)
{
    const int count = node->input_count / 2;
    for (int i = 0; i < count; i++)
        if (!node->inputs[i] || !node->inputs[count + i] ||
            !same_dims(&node->inputs[i]->type, &node->inputs[count + i]->type))
            return REJECT(graph, node, "operand %d has no gradient of its dims", i);
    return node->input_count % 2 == 0 || REJECT(graph, node, "%d operands are no pairs", node->input_count);
}

/* The reference has an optimizer of its own. */
static void evaluate_nothing(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    (void)node;
    (void)inputs;
    (void)outputs;
}

/* The reference needs no scaling. */
static void evaluate_loss_scale(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    (void)node;
    (void)inputs;
    outputs[0].f[0] = 1;
}

const Op fused_ops[] = {
    {
        /* One loop over broadcast operands; the body is the scalar program. Every output has the dims of the loop. */
        .name = "Fused",
        .inputs = "operands...",
        .outputs = "results...",
        .internal = true,
        .precision = CLASS_NONE,
        .kind = OP_LOOP,
        .infer = infer_fused,
    },
    {
        /* Y = X, from one window to another. */
        .name = "Copy",
        .inputs = "X",
        .outputs = "Y",
        .internal = true,
        .keeps_range = 1 << 0,
        .precision = CLASS_FOLLOW,
        .kind = OP_KERNEL,
        .infer = infer_copy,
        .evaluate = evaluate_copy,
    },
    {
        /* Sum = X in the first micro-batch of an update, Sum + X in the others. */
        .name = "AccumulateGradient",
        .inputs = "X",
        .outputs = "Sum",
        .internal = true,
        .precision = CLASS_KEEP,
        .kind = OP_KERNEL,
        .infer = infer_copy,
        .evaluate = evaluate_copy,
    },
    {
        /* What multiplies the loss before differentiation, so that 16-bit gradients do not vanish: the step's. */
        .name = "LossScale",
        .outputs = "Scale",
        .internal = true,
        .is_random = true, /* known at run time only */
        .precision = CLASS_NONE,
        .kind = OP_KERNEL,
        .infer = infer_loss_scale,
        .evaluate = evaluate_loss_scale,
    },
    {
        /* Of parameters w and their gradients dw: w0, w1, ..., dw0, dw1, ... The parameters are rewritten. */
        .name = "ApplyGradients",
        .inputs = "operands...",
        .internal = true,
        .precision = CLASS_NONE,
        .kind = OP_UPDATE,
        .infer = infer_apply,
        .evaluate = evaluate_nothing,
    },
    {0},
};
