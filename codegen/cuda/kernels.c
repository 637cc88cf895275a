/* kernels.c: which operators the CUDA target has kernels for, and how these want their operands. */
#include "codegen/cuda/print.h"

#include "codegen/calls/calls.h"
#include "codegen/calls/literals.h"
#include "ir/ops/shared/geometry.h"
#include "runtime/kernels/attention/attention_cuda.h"
#include "runtime/kernels/optimizer/optimizer_cuda.h"
#include "runtime/kernels/reduce/reduce_cuda.h"

/* ---- scratch: the kernels' own formulas ------------------------------------------------------------------------- */

static int64_t attention_grad_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_attention_grad_scratch_bytes(attention_literal(call), element_bytes(call));
}

static bool takes_attention(const Node *node)
{
    const Attention a = attention_of(node);
    return a.width + a.value_width <= PCC_CUDA_ATTENTION_MAX_WIDTH;
}

static int64_t reduce_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_reduce_scratch_bytes(literal(call, 0), literal(call, 1), literal(call, 2),
                                                  element_bytes(call));
}

static int64_t update_scratch(const Weights *weights)
{
    int64_t chunks = 0;
    for (int i = 0; i < weights->param_count; i++)
        chunks += pcc_cuda_update_chunks(element_count(&weights->params[i].value->type));
    return (int64_t)pcc_cuda_chunks_scratch_bytes(chunks);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

#define HEADS STRIDING_ROWS, STRIDING_ROWS, STRIDING_ROWS

/* clang-format off */
/* They read and write operands of 16 bits. */
#define ROW(OP, KERNEL, CALL, ...) {.op = OP, .kernel = KERNEL, .call = CALL, .stored16 = true, __VA_ARGS__}

static const Kernel kernels[] = {
    ROW("ScaledDotProductAttention", "attention", call_attention, .takes = takes_attention,
        .input_striding = {HEADS}, .output_striding = {STRIDING_ROWS}),
    ROW("ScaledDotProductAttentionGrad", "attention_grad", call_attention_grad, .scratch = attention_grad_scratch,
        .input_striding = {HEADS, [4] = STRIDING_ROWS, [7] = STRIDING_ROWS}, .output_striding = {HEADS}),

    ROW("SumOver", "reduce_sum", call_reduction, .scratch = reduce_scratch),
    ROW("MeanOver", "reduce_mean", call_reduction, .scratch = reduce_scratch),
    ROW("MaxOver", "reduce_max", call_reduction, .scratch = reduce_scratch),
    ROW("MinOver", "reduce_min", call_reduction, .scratch = reduce_scratch),
    ROW("ProdOver", "reduce_prod", call_reduction, .scratch = reduce_scratch),

    ROW("Copy", "copy", call_copy, .input_striding = {STRIDING_ANY}, .output_striding = {STRIDING_ANY}),
    ROW("AccumulateGradient", "accumulate", call_accumulate),
    {.op = "LossScale", .kernel = "loss_scale", .call = call_loss_scale},
    {0},
};
/* clang-format on */

static const Printers printers = {.prologue = print_cuda_prologue,
                                  .build_line = cuda_build_line,
                                  .run_loop = run_cuda_loop,
                                  .callee = cuda_callee,
                                  .literal = print_cuda_literal,
                                  .operand = print_cuda_operand,
                                  .absent = cuda_absent,
                                  .emit_store = emit_cuda_epilogue,
                                  .store = print_cuda_store,
                                  .loss = print_cuda_loss,
                                  .update = print_cuda_update,
                                  .update_scratch = update_scratch,
                                  .device = "pcc_cuda_device"};

const Target target_cuda = {.name = "cuda",
                            .alignment = 256,
                            .passes_step = true,
                            .kernels = (const Kernel *const[]){kernels, NULL},
                            .printers = &printers};
