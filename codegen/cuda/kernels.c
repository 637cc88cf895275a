/* kernels.c: which operators the CUDA target has kernels for, and how these want their operands. */
#include "codegen/cuda/print.h"

#include "codegen/calls/calls.h"
#include "codegen/calls/literals.h"
#include "ir/ops/shared/geometry.h"
#include "ir/target/gpu.h"
#include "runtime/kernels/attention/attention_cuda.h"
#include "runtime/kernels/conv/conv_cuda.h"
#include "runtime/kernels/index/index_cuda.h"
#include "runtime/kernels/loss/loss_cuda.h"
#include "runtime/kernels/norm/norm_cuda.h"
#include "runtime/kernels/optimizer/optimizer_cuda.h"
#include "runtime/kernels/pool/pool_cuda.h"
#include "runtime/kernels/recurrent/recurrent_cuda.h"
#include "runtime/kernels/reduce/reduce_cuda.h"

/* ---- scratch: the kernels' own formulas ------------------------------------------------------------------------- */

static int64_t gemm_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    if (call->literal_count == 3)
        return (int64_t)pcc_cuda_gemm_scratch_bytes(literal(call, 0), literal(call, 1), literal(call, 2),
                                                    element_bytes(call));
    return pcc_max_i64(library_workspace(call), /* the own kernel stands in for the library */
                       (int64_t)pcc_cuda_gemm_batched_scratch_bytes(literal(call, 0), literal(call, 1),
                                                                    literal(call, 2), literal(call, 3),
                                                                    element_bytes(call)));
}

static int64_t convolution_scratch(const Node *node, const KernelCall *call)
{
    return pcc_max_i64(convolution_workspace(node, call),
                       (int64_t)pcc_cuda_conv_scratch_bytes(convolution_literal(call), element_bytes(call)));
}

static int64_t convolution_grad_input_scratch(const Node *node, const KernelCall *call)
{
    return pcc_max_i64(convolution_workspace(node, call),
                       (int64_t)pcc_cuda_conv_grad_input_scratch_bytes(convolution_literal(call), element_bytes(call)));
}

static int64_t convolution_grad_weight_scratch(const Node *node, const KernelCall *call)
{
    return pcc_max_i64(convolution_workspace(node, call), (int64_t)pcc_cuda_conv_grad_weight_scratch_bytes(
                                                              convolution_literal(call), element_bytes(call)));
}

static int64_t attention_grad_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_attention_grad_scratch_bytes(attention_literal(call), element_bytes(call));
}

static int64_t recurrence_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_recurrence_scratch_bytes(recurrent_literal(call), element_bytes(call));
}

static int64_t recurrence_grad_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_recurrence_grad_scratch_bytes(recurrent_literal(call), element_bytes(call));
}

static int64_t rows_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_layer_norm_grad_scratch_bytes(literal(call, 0), literal(call, 1), element_bytes(call));
}

static int64_t batch_norm_statistics_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_batch_norm_statistics_scratch_bytes(literal(call, 1), literal(call, 2), literal(call, 3),
                                                                 element_bytes(call));
}

static int64_t batch_norm_grad_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_batch_norm_grad_scratch_bytes(literal(call, 1), literal(call, 2), literal(call, 3),
                                                           element_bytes(call));
}

static int64_t gather_grad_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_gather_grad_scratch_bytes(literal(call, 1), literal(call, 3));
}

static int64_t scatter_elements_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_scatter_elements_scratch_bytes(literal(call, 0), literal(call, 1),
                                                            call->arguments[3].dims);
}

/* Its batch dimensions are the last literal. */
static int64_t gather_nd_grad_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_scatter_nd_scratch_bytes(literal(call, 2), call->arguments[3].dims, literal(call, 4));
}

static int64_t scatter_nd_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_scatter_nd_scratch_bytes(literal(call, 2), call->arguments[3].dims, 0);
}

static int64_t cross_entropy_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_cross_entropy_scratch_bytes(literal(call, 1), literal(call, 3));
}

static int64_t regression_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_mse_scratch_bytes(literal(call, 0), literal(call, 1));
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

/* The literals: outer, in, inner, out, mode, coordinates, rounding, exclude_outside, antialias, scale, cubic. */
static int64_t resize_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    return (int64_t)pcc_cuda_resize_axis_scratch_bytes(
        literal(call, 0), literal(call, 1), literal(call, 2), literal(call, 3), literal(call, 4), literal(call, 5),
        literal(call, 6), literal(call, 7), literal(call, 8), call->arguments[9].f, call->arguments[10].f,
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
    ROW("MatMul", "gemm", call_product, .scratch = gemm_scratch, .stores = true, .form = product_form,
        .input_striding = {STRIDING_MATRIX, STRIDING_MATRIX}),
    ROW("Convolution", "conv", call_any_convolution, .scratch = convolution_scratch, .stores = true,
        .form = convolution_form),
    ROW("ConvolutionGradInput", "conv_grad_input", call_any_convolution_grad_input,
        .scratch = convolution_grad_input_scratch, .stores = true, .form = convolution_grad_input_form),
    ROW("ConvolutionGradWeight", "conv_grad_weight", call_any_convolution_grad_weight,
        .scratch = convolution_grad_weight_scratch, .form = convolution_grad_weight_form),

    ROW("ScaledDotProductAttention", "attention", call_attention, .takes = takes_attention,
        .input_striding = {HEADS}, .output_striding = {STRIDING_ROWS}),
    ROW("ScaledDotProductAttentionGrad", "attention_grad", call_attention_grad, .scratch = attention_grad_scratch,
        .input_striding = {HEADS, [4] = STRIDING_ROWS, [7] = STRIDING_ROWS}, .output_striding = {HEADS}),

    ROW("LstmRecurrence", "recurrence", call_recurrence, .scratch = recurrence_scratch, .form = recurrence_form,
        .aliases = 1),
    ROW("LstmRecurrenceGrad", "recurrence_grad", call_recurrence, .scratch = recurrence_grad_scratch,
        .form = recurrence_grad_form),
    ROW("GruRecurrence", "recurrence", call_recurrence, .scratch = recurrence_scratch, .form = recurrence_form,
        .aliases = 1),
    ROW("GruRecurrenceGrad", "recurrence_grad", call_recurrence, .scratch = recurrence_grad_scratch,
        .form = recurrence_grad_form),
    ROW("RnnRecurrence", "recurrence", call_recurrence, .scratch = recurrence_scratch, .form = recurrence_form,
        .aliases = 1),
    ROW("RnnRecurrenceGrad", "recurrence_grad", call_recurrence, .scratch = recurrence_grad_scratch,
        .form = recurrence_grad_form),

    ROW("BatchNormalizationStatistics", "batch_norm_statistics", call_batch_norm_statistics,
        .scratch = batch_norm_statistics_scratch),
    ROW("BatchNormalizationGrad", "batch_norm_grad", call_batch_norm, .scratch = batch_norm_grad_scratch,
        .aliases = 1),
    ROW("LayerNormalization", "layer_norm", call_row_norm, .aliases = 1),
    ROW("LayerNormalizationGrad", "layer_norm_grad", call_row_norm_grad, .scratch = rows_scratch, .aliases = 1),
    ROW("RMSNormalization", "rms_norm", call_row_norm, .aliases = 1),
    ROW("RMSNormalizationGrad", "rms_norm_grad", call_row_norm_grad, .scratch = rows_scratch, .aliases = 1),
    ROW("Softmax", "softmax", call_softmax, .aliases = 1),
    ROW("SoftmaxGrad", "softmax_grad", call_softmax, .aliases = 2),
    ROW("LogSoftmax", "log_softmax", call_softmax, .aliases = 1),
    ROW("LogSoftmaxGrad", "log_softmax_grad", call_softmax, .aliases = 2),

    ROW("CrossEntropy", "cross_entropy", call_cross_entropy, .scratch = cross_entropy_scratch),
    ROW("CrossEntropyGrad", "cross_entropy_grad", call_cross_entropy_grad, .aliases = 2),
    ROW("MeanSquaredError", "mse", call_regression, .scratch = regression_scratch),
    ROW("MeanSquaredErrorGrad", "mse_grad", call_regression_grad, .aliases = 2),
    ROW("BceWithLogits", "bce_with_logits", call_regression, .scratch = regression_scratch),
    ROW("BceWithLogitsGrad", "bce_with_logits_grad", call_regression_grad, .aliases = 2),

    ROW("MaxPoolWithIndex", "max_pool", call_pool),
    ROW("MaxPoolGrad", "max_pool_grad", call_pool_grad),
    ROW("AveragePooling", "average_pool", call_pool),
    ROW("AveragePoolGrad", "average_pool_grad", call_pool_grad),
    ROW("RegionArgMax", "region_argmax", call_regions),
    ROW("ResizeAxis", "resize_axis", call_resize_axis, .scratch = resize_scratch),
    ROW("ResizeAxisGrad", "resize_axis_grad", call_resize_axis, .scratch = resize_scratch),

    ROW("SumOver", "reduce_sum", call_reduction, .scratch = reduce_scratch),
    ROW("MeanOver", "reduce_mean", call_reduction, .scratch = reduce_scratch),
    ROW("MaxOver", "reduce_max", call_reduction, .scratch = reduce_scratch),
    ROW("MinOver", "reduce_min", call_reduction, .scratch = reduce_scratch),
    ROW("ProdOver", "reduce_prod", call_reduction, .scratch = reduce_scratch),

    ROW("RunningSum", "cumsum", call_scan),
    ROW("RunningProduct", "cumprod", call_scan),
    ROW("ArgMax", "argmax", call_arg),
    ROW("ArgMin", "argmin", call_arg),
    ROW("TopK", "topk", call_topk),

    ROW("Gather", "gather", call_gather),
    ROW("GatherGrad", "gather_grad", call_gather_grad, .scratch = gather_grad_scratch),
    ROW("OneHot", "one_hot", call_one_hot),
    ROW("GatherElements", "gather_elements", call_gather_elements),
    ROW("GatherElementsGrad", "gather_elements_grad", call_gather_elements_grad, .scratch = scatter_elements_scratch),
    ROW("GatherND", "gather_nd", call_gather_nd),
    ROW("GatherNDGrad", "gather_nd_grad", call_gather_nd_grad, .scratch = gather_nd_grad_scratch),
    ROW("ScatterElements", "scatter_elements", call_scatter_elements, .scratch = scatter_elements_scratch),
    ROW("Scatter", "scatter_elements", call_scatter_elements, .scratch = scatter_elements_scratch),
    ROW("ScatterND", "scatter_nd", call_scatter_nd, .scratch = scatter_nd_scratch),

    ROW("Copy", "copy", call_copy, .input_striding = {STRIDING_ANY}, .output_striding = {STRIDING_ANY}),
    ROW("AccumulateGradient", "accumulate", call_accumulate),
    ROW("Pad", "pad", call_pad),
    ROW("PadGrad", "pad_grad", call_pad_grad),

    ROW("DropoutTraining", "dropout", call_dropout, .aliases = 1),
    ROW("DropoutGrad", "dropout_grad", call_dropout_grad, .aliases = 1),
    ROW("NormalTensor", "random_normal", call_random),
    ROW("UniformTensor", "random_uniform", call_random),
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
                                  .store_value = print_cuda_store_value,
                                  .loss = print_cuda_loss,
                                  .watch_begin = "pcc_watch_begin(watched, s);",
                                  .watch_tensor = print_cuda_watched_tensor,
                                  .watch_loop = print_cuda_watched_loop,
                                  .update = print_cuda_update,
                                  .begin_apply = print_cuda_begin_apply,
                                  .apply = print_cuda_apply,
                                  .update_scratch = update_scratch,
                                  .libraries = cuda_libraries,
                                  .note = cuda_note,
                                  .device = "pcc_cuda_device"};

const Target target_cuda = {.name = "cuda",
                            .alignment = 256,
                            .splits_masters = true,
                            .passes_step = true,
                            .kernels = (const Kernel *const[]){kernels, NULL},
                            .printers = &printers,
                            .gpu_build = &(const GpuBuild){.architecture = 90}};
