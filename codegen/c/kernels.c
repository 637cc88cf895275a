/* kernels.c: which operators the C target has kernels for, and how these want their operands. */
#include "codegen/c/print.h"

#include "codegen/calls/calls.h"
#include "codegen/calls/literals.h"
#include "ir/ops/shared/geometry.h"
#include "runtime/kernels/attention/attention_scratch.h"
#include "runtime/kernels/conv/conv_scratch.h"
#include "runtime/kernels/index/index_lines.h"
#include "runtime/kernels/norm/norm_scratch.h"
#include "runtime/kernels/reduce/reduce_scratch.h"

/* ---- scratch: the kernels' own formulas ------------------------------------------------------------------------- */

/* What a kernel sums and stores in 16 bits: f32 for each element of its result. */
static int64_t sums_scratch(const Node *node, const KernelCall *call)
{
    const Type *stored = &node->outputs[0]->type;
    return call->narrow && is_narrow(stored->dtype) ? element_count(stored) * (int64_t)sizeof(float) : 0;
}

static int64_t gemm_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    if (call->literal_count == 3)
        return (int64_t)pcc_gemm_scratch_bytes(literal(call, 0), literal(call, 1), literal(call, 2),
                                               element_bytes(call));
    return (int64_t)pcc_gemm_batched_scratch_bytes(literal(call, 0), literal(call, 1), literal(call, 2),
                                                   literal(call, 3), element_bytes(call));
}

static int64_t convolution_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_conv_scratch_bytes(convolution_literal(call), element_bytes(call));
}

static int64_t attention_grad_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_attention_grad_scratch_bytes(attention_literal(call), element_bytes(call));
}

static int64_t rows_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_layer_norm_scratch_bytes(literal(call, 0), literal(call, 1), element_bytes(call));
}

static int64_t channels_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_batch_norm_scratch_bytes(literal(call, 1), literal(call, 2), literal(call, 3),
                                                 element_bytes(call));
}

static int64_t reduce_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_reduce_scratch_bytes(literal(call, 0), literal(call, 1), literal(call, 2), element_bytes(call));
}

static int64_t readers_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_readers_bytes(literal(call, 1), literal(call, 3));
}

static int64_t recurrent_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_recurrent_scratch_bytes(recurrent_literal(call), element_bytes(call));
}

static bool takes_attention(const Node *node)
{
    const Attention a = attention_of(node);
    return a.width + a.value_width <= PCC_ATTENTION_MAX_WIDTH;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

#define HEADS STRIDING_ROWS, STRIDING_ROWS, STRIDING_ROWS

/* clang-format off */
/* They read and write operands of 16 bits. */
#define ROW(OP, KERNEL, HEADER, CALL, ...) \
    {.op = OP, .kernel = KERNEL, .header = HEADER, .call = CALL, .stored16 = true, __VA_ARGS__}

static const Kernel kernels[] = {
    ROW("MatMul", "gemm", "gemm/gemm.h", call_matmul, .scratch = gemm_scratch, .stores = true,
        .input_striding = {STRIDING_MATRIX, STRIDING_MATRIX}),
    ROW("Convolution", "conv", "conv/conv.h", call_convolution, .scratch = convolution_scratch, .stores = true),
    ROW("ConvolutionGradInput", "conv_grad_input", "conv/conv.h", call_convolution_grad_input,
        .scratch = convolution_scratch, .stores = true),
    ROW("ConvolutionGradWeight", "conv_grad_weight", "conv/conv.h", call_convolution_grad_weight,
        .scratch = convolution_scratch),
    ROW("ScaledDotProductAttention", "attention", "attention/attention.h", call_attention, .takes = takes_attention,
        .input_striding = {HEADS}, .output_striding = {STRIDING_ROWS}),
    ROW("ScaledDotProductAttentionGrad", "attention_grad", "attention/attention.h", call_attention_grad,
        .scratch = attention_grad_scratch,
        .input_striding = {HEADS, [4] = STRIDING_ROWS, [7] = STRIDING_ROWS}, .output_striding = {HEADS}),

    ROW("LstmRecurrence", "recurrence", "recurrent/recurrent.h", call_recurrence, .scratch = recurrent_scratch,
        .aliases = 1),
    ROW("LstmRecurrenceGrad", "recurrence_grad", "recurrent/recurrent.h", call_recurrence,
        .scratch = recurrent_scratch),
    ROW("GruRecurrence", "recurrence", "recurrent/recurrent.h", call_recurrence, .scratch = recurrent_scratch,
        .aliases = 1),
    ROW("GruRecurrenceGrad", "recurrence_grad", "recurrent/recurrent.h", call_recurrence, .scratch = recurrent_scratch),
    ROW("RnnRecurrence", "recurrence", "recurrent/recurrent.h", call_recurrence, .scratch = recurrent_scratch,
        .aliases = 1),
    ROW("RnnRecurrenceGrad", "recurrence_grad", "recurrent/recurrent.h", call_recurrence, .scratch = recurrent_scratch),

    ROW("BatchNormalizationStatistics", "batch_norm_statistics", "norm/norm.h", call_batch_norm_statistics,
        .scratch = channels_scratch),
    ROW("BatchNormalizationGrad", "batch_norm_grad", "norm/norm.h", call_batch_norm, .scratch = channels_scratch,
        .aliases = 1),
    ROW("LayerNormalization", "layer_norm", "norm/norm.h", call_row_norm, .aliases = 1),
    ROW("LayerNormalizationGrad", "layer_norm_grad", "norm/norm.h", call_row_norm_grad, .scratch = rows_scratch,
        .aliases = 1),
    ROW("RMSNormalization", "rms_norm", "norm/norm.h", call_row_norm, .aliases = 1),
    ROW("RMSNormalizationGrad", "rms_norm_grad", "norm/norm.h", call_row_norm_grad, .scratch = rows_scratch,
        .aliases = 1),
    ROW("Softmax", "softmax", "norm/softmax.h", call_softmax, .aliases = 1),
    ROW("SoftmaxGrad", "softmax_grad", "norm/softmax.h", call_softmax, .aliases = 2),
    ROW("LogSoftmax", "log_softmax", "norm/softmax.h", call_softmax, .aliases = 1),
    ROW("LogSoftmaxGrad", "log_softmax_grad", "norm/softmax.h", call_softmax, .aliases = 2),

    ROW("CrossEntropy", "cross_entropy", "loss/loss.h", call_cross_entropy),
    ROW("CrossEntropyGrad", "cross_entropy_grad", "loss/loss.h", call_cross_entropy_grad, .aliases = 2),
    ROW("MeanSquaredError", "mse", "loss/loss.h", call_regression),
    ROW("MeanSquaredErrorGrad", "mse_grad", "loss/loss.h", call_regression_grad, .aliases = 2),
    ROW("BceWithLogits", "bce_with_logits", "loss/loss.h", call_regression),
    ROW("BceWithLogitsGrad", "bce_with_logits_grad", "loss/loss.h", call_regression_grad, .aliases = 2),
    {.op = "LossScale", .kernel = "loss_scale", .header = "loss/loss_scale.h", .call = call_loss_scale},

    ROW("MaxPoolWithIndex", "max_pool", "pool/pool.h", call_pool),
    ROW("MaxPoolGrad", "max_pool_grad", "pool/pool.h", call_pool_grad),
    ROW("AveragePooling", "average_pool", "pool/pool.h", call_pool),
    ROW("AveragePoolGrad", "average_pool_grad", "pool/pool.h", call_pool_grad),
    ROW("RegionArgMax", "region_argmax", "pool/region.h", call_regions),
    ROW("ResizeAxis", "resize_axis", "pool/resize.h", call_resize_axis),
    ROW("ResizeAxisGrad", "resize_axis_grad", "pool/resize.h", call_resize_axis, .scratch = sums_scratch),

    ROW("SumOver", "reduce_sum", "reduce/reduce.h", call_reduction, .scratch = reduce_scratch),
    ROW("MeanOver", "reduce_mean", "reduce/reduce.h", call_reduction, .scratch = reduce_scratch),
    ROW("MaxOver", "reduce_max", "reduce/reduce.h", call_reduction, .scratch = reduce_scratch),
    ROW("MinOver", "reduce_min", "reduce/reduce.h", call_reduction, .scratch = reduce_scratch),
    ROW("ProdOver", "reduce_prod", "reduce/reduce.h", call_reduction, .scratch = reduce_scratch),
    ROW("RunningSum", "cumsum", "reduce/reduce.h", call_scan),
    ROW("RunningProduct", "cumprod", "reduce/reduce.h", call_scan),
    ROW("ArgMax", "argmax", "reduce/reduce.h", call_arg),
    ROW("ArgMin", "argmin", "reduce/reduce.h", call_arg),
    ROW("TopK", "topk", "reduce/reduce.h", call_topk),

    ROW("Gather", "gather", "index/index.h", call_gather),
    ROW("GatherGrad", "gather_grad", "index/index.h", call_gather_grad, .scratch = readers_scratch),
    ROW("OneHot", "one_hot", "index/index.h", call_one_hot),
    ROW("GatherElements", "gather_elements", "index/index.h", call_gather_elements),
    ROW("GatherElementsGrad", "gather_elements_grad", "index/index.h", call_gather_elements_grad,
        .scratch = sums_scratch),
    ROW("GatherND", "gather_nd", "index/index.h", call_gather_nd),
    ROW("GatherNDGrad", "gather_nd_grad", "index/index.h", call_gather_nd_grad, .scratch = sums_scratch),
    ROW("ScatterElements", "scatter_elements", "index/index.h", call_scatter_elements, .scratch = sums_scratch),
    ROW("Scatter", "scatter_elements", "index/index.h", call_scatter_elements, .scratch = sums_scratch),
    ROW("ScatterND", "scatter_nd", "index/index.h", call_scatter_nd, .scratch = sums_scratch),

    ROW("Copy", "copy", "movement/copy.h", call_copy, .input_striding = {STRIDING_ANY},
        .output_striding = {STRIDING_ANY}),
    ROW("AccumulateGradient", "accumulate", "optimizer/accumulate.h", call_accumulate),
    ROW("Pad", "pad", "movement/copy.h", call_pad),
    ROW("PadGrad", "pad_grad", "movement/copy.h", call_pad_grad, .scratch = sums_scratch),

    ROW("DropoutTraining", "dropout", "random/dropout.h", call_dropout, .aliases = 1),
    ROW("DropoutGrad", "dropout_grad", "random/dropout.h", call_dropout_grad, .aliases = 1),
    ROW("NormalTensor", "random_normal", "random/dropout.h", call_random),
    ROW("UniformTensor", "random_uniform", "random/dropout.h", call_random),
    {0},
};
/* clang-format on */

static const Printers printers = {.prologue = print_prologue,
                                  .build_line = c_build_line,
                                  .run_loop = run_loop,
                                  .callee = c_callee,
                                  .literal = print_c_literal,
                                  .operand = print_c_operand,
                                  .absent = c_absent,
                                  .emit_store = emit_store,
                                  .store = print_c_store,
                                  .store_value = print_c_store_value,
                                  .loss = print_c_loss,
                                  .watch_begin = "pcc_watch_begin();",
                                  .watch_tensor = print_c_watched_tensor,
                                  .watch_loop = print_c_watched_loop,
                                  .update = print_c_update,
                                  .apply = print_c_apply};

const Target target_c = {.name = "c",
                         .alignment = 64,
                         .literal_bytes = 2048,
                         .kernels = (const Kernel *const[]){kernels, NULL},
                         .printers = &printers};
