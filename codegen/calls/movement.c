/* movement.c: copies, padding, and gradients added to their sum. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

void call_by_width(KernelCall *call, const Value *moved)
{
    if (dtype_info[moved->type.dtype].bytes == 2) {
        call->narrow = false;
        call->suffix = DTYPE_I16;
    }
}

/* copy(rank, dims, strides of x, strides of y, x, y) */
void call_copy(const Node *node, KernelCall *call)
{
    const Type *type = &node->inputs[0]->type;
    int64_t x[MAX_RANK], y[MAX_RANK], one = 1;
    operand_strides(node->inputs[0], x);
    operand_strides(node->outputs[0], y);
    call_by_width(call, node->inputs[0]);
    call_int(call, type->rank ? type->rank : 1);
    call_dims(call, type->rank ? type->rank : 1, type->rank ? type->dims : &one);
    call_dims(call, type->rank ? type->rank : 1, type->rank ? x : &one);
    call_dims(call, type->rank ? type->rank : 1, type->rank ? y : &one);
}

void call_accumulate(const Node *node, KernelCall *call)
{
    call_int(call, element_count(&node->inputs[0]->type));
    call->needs_step = true;
}

static void call_padding(KernelCall *call, const Type *plain, const int64_t *before, const int64_t *after, PadMode mode)
{
    call_int(call, plain->rank);
    call_dims(call, plain->rank, plain->dims);
    call_dims(call, plain->rank, before);
    call_dims(call, plain->rank, after);
    call_int(call, mode);
}

/* The padding value; of 16-bit floats, whose bits are moved as integers, that of the same bits. */
static double pad_value(const Node *node, KernelCall *call)
{
    const Value *value = input(node, 2);
    if (!value)
        return 0;
    Tensor tensor = tensor_from_data(call->arena, &value->type, value->data);
    tensor.type = scalar_type(node->inputs[0]->type.dtype);
    if (call->suffix == DTYPE_I16)
        return *(const int16_t *)tensor_to_data(call->arena, &tensor);
    return tensor.f ? tensor.f[0] : (double)tensor.i[0];
}

/* pad(rank, dims, before, after, mode, value, x, y) */
void call_pad(const Node *node, KernelCall *call)
{
    int64_t before[MAX_RANK], after[MAX_RANK];
    PadMode mode = PAD_CONSTANT;
    pad_mode(node, &mode);
    pad_widths(node, node->inputs[0]->type.rank, before, after);
    call_by_width(call, node->inputs[0]);
    call_padding(call, &node->inputs[0]->type, before, after, mode);
    call_float(call, pad_value(node, call));
    call->dropped_inputs = 1u << 1 | 1u << 2 | 1u << 3;
}

/* pad_grad(rank, dims of x, before, after, mode, dy, dx, scratch) */
void call_pad_grad(const Node *node, KernelCall *call)
{
    const int64_t *before, *after;
    PadMode mode = PAD_CONSTANT;
    pad_mode(node, &mode);
    attr_ints(node, "before", &before);
    attr_ints(node, "after", &after);
    call_padding(call, &node->outputs[0]->type, before, after, mode);
}
