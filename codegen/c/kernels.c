/* kernels.c: which operators the C target has kernels for, and how these want their operands. */
#include "codegen/c/print.h"

#include <string.h>

#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"
#include "runtime/kernels/attention/attention_scratch.h"
#include "runtime/kernels/index/index_lines.h"
#include "runtime/kernels/norm/norm_scratch.h"
#include "runtime/kernels/reduce/reduce_scratch.h"
#include "runtime/kernels/common/scratch.h"

/* ---- scratch: the kernels' own formulas ------------------------------------------------------------------------- */

static int64_t literal(const KernelCall *call, int i)
{
    return call->arguments[i].i;
}

static size_t element_bytes(const KernelCall *call)
{
    return (size_t)dtype_info[call->suffix].bytes;
}

/* What a kernel sums and stores in 16 bits: f32 for each element of its result. */
static int64_t sums_scratch(const Node *node, const KernelCall *call)
{
    const Type *stored = &node->outputs[0]->type;
    return call->mixed && is_narrow(stored->dtype) ? element_count(stored) * (int64_t)sizeof(float) : 0;
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
    const Argument *field = call->arguments[0].fields;
    PccConv shape = {.n = field[0].i, .c = field[1].i, .o = field[2].i, .groups = field[3].i};
    int64_t *const extents[] = {shape.in, shape.out, shape.kernel, shape.stride, shape.dilation, shape.pad};
    for (int i = 0; i < 6; i++)
        memcpy(extents[i], field[4 + i].dims, 3 * sizeof(int64_t));
    return (int64_t)pcc_conv_scratch_bytes(shape, element_bytes(call));
}

static int64_t attention_grad_scratch(const Node *node, const KernelCall *call)
{
    (void)node;
    const Argument *field = call->arguments[0].fields;
    PccAttention shape = {.batch = field[0].i,
                          .heads = field[1].i,
                          .queries = field[2].i,
                          .keys = field[3].i,
                          .width = field[4].i,
                          .value_width = field[5].i,
                          .causal = field[7].i,
                          .kv_group = field[8].i};
    return (int64_t)pcc_attention_grad_scratch_bytes(shape, element_bytes(call));
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

static bool takes_attention(const Node *node)
{
    const Attention a = attention_of(node);
    return a.width + a.value_width <= PCC_ATTENTION_MAX_WIDTH;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

#define HEADS STRIDING_ROWS, STRIDING_ROWS, STRIDING_ROWS

/* clang-format off */
static const Kernel kernels[] = {
    {.op = "MatMul", .call = call_matmul, .scratch = gemm_scratch, .stored16 = true, .stores = true},
    {.op = "Convolution", .call = call_convolution, .scratch = convolution_scratch, .stored16 = true, .stores = true},
    {.op = "ConvolutionGradInput", .call = call_convolution_grad_input, .scratch = convolution_scratch,
     .stored16 = true, .stores = true},
    {.op = "ConvolutionGradWeight", .call = call_convolution_grad_weight, .scratch = convolution_scratch,
     .stored16 = true},
    {.op = "ScaledDotProductAttention", .call = call_attention, .takes = takes_attention, .stored16 = true,
     .input_striding = {HEADS}, .output_striding = {STRIDING_ROWS}},
    {.op = "ScaledDotProductAttentionGrad", .call = call_attention_grad, .scratch = attention_grad_scratch,
     .stored16 = true, .input_striding = {HEADS, [4] = STRIDING_ROWS, [7] = STRIDING_ROWS}, .output_striding = {HEADS}},

    {.op = "BatchNormalizationStatistics", .call = call_batch_norm_statistics, .scratch = channels_scratch,
     .stored16 = true},
    {.op = "BatchNormalizationGrad", .call = call_batch_norm_grad, .scratch = channels_scratch, .stored16 = true,
     .aliases = 1},
    {.op = "LayerNormalization", .call = call_layer_norm, .stored16 = true, .aliases = 1},
    {.op = "LayerNormalizationGrad", .call = call_layer_norm_grad, .scratch = rows_scratch, .stored16 = true,
     .aliases = 1},
    {.op = "RMSNormalization", .call = call_rms_norm, .stored16 = true, .aliases = 1},
    {.op = "RMSNormalizationGrad", .call = call_rms_norm_grad, .scratch = rows_scratch, .stored16 = true, .aliases = 1},
    {.op = "Softmax", .call = call_softmax, .stored16 = true, .aliases = 1},
    {.op = "SoftmaxGrad", .call = call_softmax_grad, .stored16 = true, .aliases = 2},
    {.op = "LogSoftmax", .call = call_log_softmax, .stored16 = true, .aliases = 1},
    {.op = "LogSoftmaxGrad", .call = call_log_softmax_grad, .stored16 = true, .aliases = 2},

    {.op = "CrossEntropy", .call = call_cross_entropy, .stored16 = true},
    {.op = "CrossEntropyGrad", .call = call_cross_entropy_grad, .stored16 = true, .aliases = 2},
    {.op = "MeanSquaredError", .call = call_mse, .stored16 = true},
    {.op = "MeanSquaredErrorGrad", .call = call_mse_grad, .stored16 = true, .aliases = 2},
    {.op = "BceWithLogits", .call = call_bce, .stored16 = true},
    {.op = "BceWithLogitsGrad", .call = call_bce_grad, .stored16 = true, .aliases = 2},
    {.op = "LossScale", .call = call_loss_scale},

    {.op = "MaxPoolWithIndex", .call = call_max_pool, .stored16 = true},
    {.op = "MaxPoolGrad", .call = call_max_pool_grad, .stored16 = true},
    {.op = "AveragePooling", .call = call_average_pool, .stored16 = true},
    {.op = "AveragePoolGrad", .call = call_average_pool_grad, .stored16 = true},
    {.op = "ResizeAxis", .call = call_resize_axis, .stored16 = true},
    {.op = "ResizeAxisGrad", .call = call_resize_axis_grad, .scratch = sums_scratch, .stored16 = true},

    {.op = "SumOver", .call = call_reduce_sum, .scratch = reduce_scratch, .stored16 = true},
    {.op = "MeanOver", .call = call_reduce_mean, .scratch = reduce_scratch, .stored16 = true},
    {.op = "MaxOver", .call = call_reduce_max, .scratch = reduce_scratch, .stored16 = true},
    {.op = "MinOver", .call = call_reduce_min, .scratch = reduce_scratch, .stored16 = true},
    {.op = "ProdOver", .call = call_reduce_prod, .scratch = reduce_scratch, .stored16 = true},
    {.op = "RunningSum", .call = call_cumsum, .stored16 = true},
    {.op = "RunningProduct", .call = call_cumprod, .stored16 = true},
    {.op = "ArgMax", .call = call_argmax, .stored16 = true},
    {.op = "ArgMin", .call = call_argmin, .stored16 = true},
    {.op = "TopK", .call = call_topk, .stored16 = true},

    {.op = "Gather", .call = call_gather, .stored16 = true},
    {.op = "GatherGrad", .call = call_gather_grad, .scratch = readers_scratch, .stored16 = true},
    {.op = "OneHot", .call = call_one_hot, .stored16 = true},
    {.op = "GatherElements", .call = call_gather_elements, .stored16 = true},
    {.op = "GatherElementsGrad", .call = call_gather_elements_grad, .scratch = sums_scratch, .stored16 = true},
    {.op = "GatherND", .call = call_gather_nd, .stored16 = true},
    {.op = "GatherNDGrad", .call = call_gather_nd_grad, .scratch = sums_scratch, .stored16 = true},
    {.op = "ScatterElements", .call = call_scatter_elements, .scratch = sums_scratch, .stored16 = true},
    {.op = "Scatter", .call = call_scatter_elements, .scratch = sums_scratch, .stored16 = true},
    {.op = "ScatterND", .call = call_scatter_nd, .scratch = sums_scratch, .stored16 = true},

    {.op = "Copy", .call = call_copy, .stored16 = true,
     .input_striding = {STRIDING_ANY}, .output_striding = {STRIDING_ANY}},
    {.op = "AccumulateGradient", .call = call_accumulate, .stored16 = true},
    {.op = "Pad", .call = call_pad, .stored16 = true},
    {.op = "PadGrad", .call = call_pad_grad, .scratch = sums_scratch, .stored16 = true},

    {.op = "DropoutTraining", .call = call_dropout, .stored16 = true, .aliases = 1},
    {.op = "DropoutGrad", .call = call_dropout_grad, .stored16 = true, .aliases = 1},
    {.op = "NormalTensor", .call = call_random_normal, .stored16 = true},
    {.op = "UniformTensor", .call = call_random_uniform, .stored16 = true},
    {0},
};
/* clang-format on */

static const Printers printers = {.prologue = print_prologue, .run_loop = run_loop, .run_kernel = run_kernel};

const Target target_c = {
    .name = "c", .alignment = 64, .kernels = (const Kernel *const[]){kernels, NULL}, .printers = &printers};
