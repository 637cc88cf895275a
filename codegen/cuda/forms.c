/* forms.c: which form of a kernel serves a node, so that the program compiles no other. */
#include "codegen/calls/literals.h"
#include "codegen/cuda/print.h"
#include "passes/view.h"
#include "runtime/kernels/gemm/gemm_cuda.h"

/* The literals behind input `operand`: [batch,] row and column strides. */
static int following(const KernelCall *call, int operand, int64_t strides[3])
{
    int count = 0;
    for (int i = 0; i < call->following_count; i++)
        if (call->following[i].operand == operand && count < 3)
            strides[count++] = call->following[i].i;
    return count;
}

/* Blocks are aligned to 64 bytes at least: what divides the operand's place in one, up to that, divides its address. */
static PccFormOperand form_operand(const Node *node, const KernelCall *call, int i, bool batched)
{
    int64_t strides[3] = {0};
    const int64_t place = window_of(node->inputs[i]).offset * dtype_info[node->inputs[i]->type.dtype].bytes;
    following(call, i, strides);
    return (PccFormOperand){.address = (uintptr_t)(place & -place & 63 ? place & -place : 64),
                            .element_bytes = (size_t)dtype_info[node->inputs[i]->type.dtype].bytes,
                            .batch = batched ? strides[0] : 0,
                            .row = strides[batched],
                            .col = strides[batched + 1]};
}

static const char *const tiles[] = {"PCC_TILE_128x128", "PCC_TILE_128x64", "PCC_TILE_64x64"};

static const struct {
    int flag;
    const char *name;
} flags[] = {
    {PCC_FORM_A_ACROSS, "PCC_FORM_A_ACROSS"},   {PCC_FORM_B_ACROSS, "PCC_FORM_B_ACROSS"},
    {PCC_FORM_A_ALIGNED, "PCC_FORM_A_ALIGNED"}, {PCC_FORM_B_ALIGNED, "PCC_FORM_B_ALIGNED"},
    {PCC_FORM_SPLIT, "PCC_FORM_SPLIT"},
};

const char *product_form(const Node *node, const KernelCall *call)
{
    const bool batched = call->literal_count == 4;
    const Dtype a = node->inputs[0]->type.dtype, b = node->inputs[1]->type.dtype;
    const int form =
        pcc_product_form(batched ? literal(call, 0) : 1, literal(call, batched), literal(call, batched + 1),
                         literal(call, batched + 2), form_operand(node, call, 0, batched),
                         form_operand(node, call, 1, batched), is_narrow(a) && a == b, element_bytes(call));
    Text *text = text_create(call->arena);
    append(text, "%s", tiles[form & PCC_FORM_TILE]);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (form & flags[i].flag)
            append(text, " + %s", flags[i].name);
    return text->data;
}
