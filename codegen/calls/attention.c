/* attention.c: one struct of extents and strides, PccAttention of the runtime's attention_shape.h. */
#include <string.h>

#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

static void stride_field(KernelCall *call, Argument *shape, const char *name, const Value *operand)
{
    int64_t strides[MAX_RANK];
    operand_strides(operand, strides);
    struct_dims(call, shape, name, 3, strides); /* the last dim is contiguous */
}

static void mask_field(KernelCall *call, Argument *shape, const Value *mask)
{
    int64_t strides[MAX_RANK], along[4] = {0};
    if (mask)
        operand_strides(mask, strides);
    for (int i = 0; mask && i < 4; i++)
        along[i] = broadcast_stride(&mask->type, strides, i);
    struct_dims(call, shape, "mask_stride", 4, along);
}

static Argument *call_shape(const Node *node, KernelCall *call, const Value *y)
{
    const Attention a = attention_of(node);
    Argument *shape = call_struct(call, "PccAttention");
    struct_int(call, shape, "batch", a.batch);
    struct_int(call, shape, "heads", a.heads);
    struct_int(call, shape, "queries", a.queries);
    struct_int(call, shape, "keys", a.keys);
    struct_int(call, shape, "width", a.width);
    struct_int(call, shape, "value_width", a.value_width);
    struct_float(call, shape, "scale", a.scale);
    struct_int(call, shape, "causal", a.causal);
    struct_int(call, shape, "kv_group", a.group);
    stride_field(call, shape, "q_stride", node->inputs[0]);
    stride_field(call, shape, "k_stride", node->inputs[1]);
    stride_field(call, shape, "v_stride", node->inputs[2]);
    stride_field(call, shape, "y_stride", y);
    mask_field(call, shape, input(node, 3));
    return shape;
}

static bool has_bool_mask(const Node *node)
{
    return input(node, 3) && node->inputs[3]->type.dtype == DTYPE_BOOL;
}

void call_attention(const Node *node, KernelCall *call)
{
    if (has_bool_mask(node))
        call->kernel = "attention_visible";
    call->needs_step = true;
    call_shape(node, call, node->outputs[0]);
}

void call_attention_grad(const Node *node, KernelCall *call)
{
    if (has_bool_mask(node))
        call->kernel = "attention_visible_grad";
    call->needs_step = true;
    Argument *shape = call_shape(node, call, node->inputs[4]);
    stride_field(call, shape, "dy_stride", node->inputs[7]);
    stride_field(call, shape, "dq_stride", node->outputs[0]);
    stride_field(call, shape, "dk_stride", node->outputs[1]);
    stride_field(call, shape, "dv_stride", node->outputs[2]);
}
