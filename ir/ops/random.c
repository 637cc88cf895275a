/* random.c: Dropout and random tensors. The reference is deterministic: Dropout is the identity and a random tensor is
 * its distribution's mean, as in an emitted program under --probe. */
#include "ir/ops/row.h"

/* ---- Dropout ---- */

/* Before opset 12 the ratio was an attribute and the operator, as exported, that of inference. */
static bool upgrade_dropout(Graph *graph, Node *node, int opset)
{
    if (opset < 12)
        float_to_operand(graph, node, "ratio", 1, DTYPE_F32);
    return true;
}

static bool infer_dropout(Graph *graph, Node *node)
{
    Type mask = node->inputs[0]->type;
    mask.dtype = DTYPE_BOOL;
    double ratio = 0.5;
    if (const_operand_float(graph, node, 1, &ratio) && (ratio < 0 || ratio >= 1))
        return REJECT(graph, node, "the ratio is %g; it must lie in [0, 1)", ratio);
    return infer_like_first(graph, node) && set_output_type(graph, node, 1, mask);
}

static bool is_training(Graph *graph, const Node *node)
{
    int count;
    const int64_t *values;
    return const_operand_ints(graph, node, 2, &count, &values) && count == 1 && values[0];
}

static void expand_dropout(Graph *graph, Node *node, Value **replacements)
{
    double ratio = 0.5;
    const_operand_float(graph, node, 1, &ratio);
    if (!is_training(graph, node) || ratio == 0) {
        Type mask = node->inputs[0]->type;
        int64_t kept = 1;
        replacements[0] = build_unary(graph, "Identity", node->inputs[0]);
        if (has_output(node, 1))
            replacements[1] =
                build_expand(graph, build_cast(graph, const_ints(graph, 1, &kept), DTYPE_BOOL), mask.rank, mask.dims);
        return;
    }
    Node *training = build_begin(graph, "DropoutTraining", 1, node->inputs, 2);
    set_float(graph, training, "ratio", ratio);
    set_int(graph, training, "node", node->id);
    replacements[0] = build_finish(graph, training);
    if (has_output(node, 1))
        replacements[1] = build_cast(graph, training->outputs[1], DTYPE_BOOL);
}

static bool infer_dropout_training(Graph *graph, Node *node)
{
    Type mask = node->inputs[0]->type;
    mask.dtype = DTYPE_U8;
    return infer_like_first(graph, node) && set_output_type(graph, node, 1, mask);
}

static void evaluate_dropout(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    copy_elements(&outputs[0], &inputs[0]);
    for (int64_t i = 0; has_output(node, 1) && i < element_count(&outputs[1].type); i++)
        outputs[1].i[i] = 1;
}

/* dx = dy·mask/(1 - ratio); under the reference nothing is dropped and nothing scaled. */
static void evaluate_dropout_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    copy_elements(&outputs[0], &inputs[0]);
}

static void dropout_gradient(Differentiator *d, Node *node)
{
    Node *grad = build_begin(d->graph, "DropoutGrad", 2, VALUES(dy_of(d, node, 0), saved_output(d->graph, node, 1)), 1);
    set_float(d->graph, grad, "ratio", attr_float(node, "ratio"));
    contribute(d, node, 0, build_finish(d->graph, grad));
}

static void call_dropout(const Node *node, KernelCall *call)
{
    call->kernel = "dropout";
    call->needs_step = true;
    call_int(call, element_count(&node->inputs[0]->type));
    call_float(call, attr_float(node, "ratio"));
    call_int(call, attr_int(node, "node"));
}

static void call_dropout_grad(const Node *node, KernelCall *call)
{
    call->kernel = "dropout_grad";
    call->needs_step = true;
    call_int(call, element_count(&node->inputs[0]->type));
    call_float(call, attr_float(node, "ratio"));
}

const Op random_ops[] = {
    {.name = "Dropout",
     .inputs = "data, ratio?!, training_mode?!",
     .outputs = "output, mask?",
     .attributes = "seed:int",
     .since = 12,
     .is_random = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .upgrade = upgrade_dropout,
     .infer = infer_dropout,
     .expand = expand_dropout},
    {.name = "DropoutTraining",
     .inputs = "X",
     .outputs = "Y, mask",
     .attributes = "ratio:float!, node:int!",
     .internal = true,
     .is_random = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .infer = infer_dropout_training,
     .gradient = dropout_gradient,
     .evaluate = evaluate_dropout,
     .call = call_dropout,
     .aliases = 1},
    {.name = "DropoutGrad",
     .inputs = "dY, mask",
     .outputs = "dX",
     .attributes = "ratio:float!",
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .infer = infer_like_first,
     .evaluate = evaluate_dropout_grad,
     .call = call_dropout_grad,
     .aliases = 1},
    {0},
};
