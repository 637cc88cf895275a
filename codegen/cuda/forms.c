/* forms.c: which form of a kernel serves a node, so that the program compiles no other. */
#include "codegen/calls/literals.h"
#include "codegen/cuda/print.h"
#include "ir/ops/shared/recurrence.h"
#include "passes/view.h"
#include "runtime/kernels/conv/conv_cuda.h"
#include "runtime/kernels/recurrent/recurrent_cuda.h"

/* Blocks are aligned to 64 bytes at least: what divides the operand's place in one, up to that, divides its address. */
uintptr_t alignment_of(const Value *value)
{
    const int64_t place = window_of((Value *)value).offset * dtype_info[value->type.dtype].bytes;
    const int64_t divisor = place & -place;
    return (uintptr_t)(divisor > 0 && divisor < 64 ? divisor : 64);
}

static size_t stored_bytes(const Value *value)
{
    return (size_t)dtype_info[value->type.dtype].bytes;
}

/* Operands of one 16-bit dtype are multiplied on tensor cores. */
static bool is_tensor_product(const Node *node)
{
    const Dtype a = node->inputs[0]->type.dtype, b = node->inputs[1]->type.dtype;
    return is_narrow(a) && a == b;
}

static const char *form_text(Arena *arena, int form)
{
    static const char *const tiles[] = {"PCC_TILE_128x128", "PCC_TILE_128x64", "PCC_TILE_64x64"};
    static const struct {
        int flag;
        const char *name;
    } flags[] = {
        {PCC_PRODUCT_A_ACROSS, "PCC_PRODUCT_A_ACROSS"},   {PCC_PRODUCT_B_ACROSS, "PCC_PRODUCT_B_ACROSS"},
        {PCC_PRODUCT_A_ALIGNED, "PCC_PRODUCT_A_ALIGNED"}, {PCC_PRODUCT_B_ALIGNED, "PCC_PRODUCT_B_ALIGNED"},
        {PCC_PRODUCT_SPLIT, "PCC_PRODUCT_SPLIT"},
    };
    if (form == PCC_CONV_DEPTHWISE)
        return "PCC_CONV_DEPTHWISE";
    Text *text = text_create(arena);
    append_text(text, tiles[form & PCC_PRODUCT_TILE]);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (form & flags[i].flag)
            append(text, " + %s", flags[i].name);
    return text->data;
}

/* ---- matrix products: the literals behind an operand are its [batch,] row and column strides -------------------- */

PccFormOperand product_operand(const Node *node, const KernelCall *call, int operand, bool batched)
{
    int64_t strides[3] = {0};
    for (int i = 0, count = 0; i < call->following_count; i++)
        if (call->following[i].operand == operand && count < 3)
            strides[count++] = call->following[i].i;
    return (PccFormOperand){.address = alignment_of(node->inputs[operand]),
                            .element_bytes = stored_bytes(node->inputs[operand]),
                            .batch = batched ? strides[0] : 0,
                            .row = strides[batched],
                            .col = strides[batched + 1]};
}

const char *product_form(const Node *node, const KernelCall *call)
{
    const bool batched = call->literal_count == 4;
    const PccFormOperand a = product_operand(node, call, 0, batched), b = product_operand(node, call, 1, batched);
    return form_text(call->arena, pcc_product_form(batched ? literal(call, 0) : 1, literal(call, batched),
                                                   literal(call, batched + 1), literal(call, batched + 2), a, b,
                                                   is_tensor_product(node), element_bytes(call)));
}

/* ---- convolutions ------------------------------------------------------------------------------------------------ */

static PccConvOperand convolution_operand(const Node *node, int i)
{
    return (PccConvOperand){alignment_of(node->inputs[i]), stored_bytes(node->inputs[i])};
}

typedef int ConvolutionForm(PccConv shape, PccConvOperand first, PccConvOperand second, int tensor,
                            size_t compute_bytes);

static const char *convolution_text(const Node *node, const KernelCall *call, ConvolutionForm *form)
{
    return form_text(call->arena, form(convolution_literal(call), convolution_operand(node, 0),
                                       convolution_operand(node, 1), is_tensor_product(node), element_bytes(call)));
}

const char *convolution_form(const Node *node, const KernelCall *call)
{
    return convolution_text(node, call, pcc_conv_form);
}

const char *convolution_grad_input_form(const Node *node, const KernelCall *call)
{
    return convolution_text(node, call, pcc_conv_grad_input_form);
}

const char *convolution_grad_weight_form(const Node *node, const KernelCall *call)
{
    return convolution_text(node, call, pcc_conv_grad_weight_form);
}

/* ---- recurrences ------------------------------------------------------------------------------------------------- */

/* The form of the products of `rows` with `weights`; the cell, and its functions by their numbers. */
static const char *recurrence_text(const Node *node, const KernelCall *call, bool backward, uintptr_t alignment,
                                   Dtype rows, const Value *weights)
{
    const PccRecurrent shape = recurrent_literal(call);
    const GateFunction *f = recurrence_of(node).functions;
    const PccFormOperand left = {.address = alignment, .element_bytes = (size_t)dtype_info[rows].bytes};
    const PccFormOperand right = {.address = alignment_of(weights), .element_bytes = stored_bytes(weights)};
    const bool tensor = is_narrow(rows) && rows == weights->type.dtype;
    const int form = pcc_recurrent_product_form(shape, backward, left, right, tensor, element_bytes(call));
    return arena_printf(call->arena, "%s + PCC_RECURRENT_CELL(%d, %d, %d, %d)", form_text(call->arena, form),
                        (int)shape.cell, f[0].kind, f[1].kind, f[2].kind);
}

/* The rows are those of y, and first of h0. */
const char *recurrence_form(const Node *node, const KernelCall *call)
{
    const Value *y = node->outputs[RECURRENCE_Y], *h0 = input(node, RECURRENCE_H0);
    const uintptr_t of_y = alignment_of(y), of_h0 = h0 ? alignment_of(h0) : of_y;
    return recurrence_text(node, call, false, of_y < of_h0 ? of_y : of_h0, y->type.dtype, node->inputs[RECURRENCE_R]);
}

const char *recurrence_grad_form(const Node *node, const KernelCall *call)
{
    const Value *dg = node->outputs[RECURRENCE_GRAD_DG];
    return recurrence_text(node, call, true, alignment_of(dg), dg->type.dtype, node->inputs[RECURRENCE_GRAD_R]);
}
