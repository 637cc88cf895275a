/* policy_tables.c: precision modes and built-in policies.
 *
 * The lists of torch-cuda and torch-cpu are those of PyTorch's autocast, the lists of apex-O1 those that Apex patches,
 * over the ONNX operators that the functions are exported as. */
#include "passes/precision/policy_tables.h"

#include <string.h>

#include "ir/text/words.h"

static const PrecisionMode precision_modes[] = {
    {"64-true", DTYPE_F64, DTYPE_F64, false, 1, NULL, DTYPE_F64, DTYPE_F64},
    {"32-true", DTYPE_F32, DTYPE_F32, false, 1, NULL, DTYPE_F32, DTYPE_F32},
    {"16-mixed", DTYPE_F32, DTYPE_F16, false, LOSS_SCALE_DYNAMIC, NULL, DTYPE_F32, DTYPE_F32},
    {"bf16-mixed", DTYPE_F32, DTYPE_BF16, false, 1, NULL, DTYPE_F32, DTYPE_F32},
    /* f32 moments: in f16 the second moment of a gradient below 2e-4 is zero, and so is Adam's epsilon of 1e-8. Without
     * loss scaling this is PyTorch's model.half(), which has neither, and diverges. */
    {"16-true", DTYPE_F32, DTYPE_F16, true, LOSS_SCALE_DYNAMIC, "stochastic", DTYPE_F32, DTYPE_F16},
    {"bf16-true", DTYPE_F32, DTYPE_BF16, true, 1, "stochastic", DTYPE_BF16, DTYPE_BF16},
};

const PrecisionMode *find_precision_mode(const char *name)
{
    for (size_t i = 0; i < sizeof precision_modes / sizeof *precision_modes; i++)
        if (strcmp(precision_modes[i].name, name) == 0)
            return &precision_modes[i];
    return NULL;
}

#define PRODUCTS "Attention Conv ConvTranspose Einsum Gemm MatMul PRelu"
#define LOSSES "SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss MeanSquaredError BceWithLogits"
/* acos asin cosh exp log reciprocal (and rsqrt) sinh tan pow softplus */
#define TORCH_POINTWISE "Acos Asin Cosh Exp Log Reciprocal Sinh Tan Pow Softplus"
/* What is exported for norms of vectors: norm, normalize, cosine_similarity; and what takes a power inside. */
#define TORCH_NORMS "ReduceL1 ReduceL2 ReduceSumSquare LpNormalization LpPool GlobalLpPool"
#define TORCH_SUMS "ReduceSum ReduceProd CumSum CumProd ReduceLogSum ReduceLogSumExp"
#define NORMALIZATIONS "LayerNormalization GroupNormalization RMSNormalization MeanVarianceNormalization LRN"
#define SCATTERS "Scatter ScatterElements ScatterND"

const PolicyTable policy_tables[] = {
    {.name = "pcc", .lower = "PRelu", .rest = REST_ROW},
    {.name = "torch-cuda",
     .lower = PRODUCTS,
     .keep = TORCH_POINTWISE " " TORCH_NORMS " " TORCH_SUMS " " NORMALIZATIONS " " LOSSES
                             " Softmax LogSoftmax Resize Upsample",
     .promote = SCATTERS,
     .rest = REST_FOLLOW},
    {.name = "torch-cpu",
     .lower = PRODUCTS,
     .keep = LOSSES " ReduceProd",
     .promote = SCATTERS " Concat",
     .rest = REST_FOLLOW},
    {.name = "apex-O0", .rest = REST_KEEP, .loss_scale = 1},
    {.name = "apex-O1",
     .lower = PRODUCTS,
     .keep =
         TORCH_POINTWISE " " TORCH_NORMS " " NORMALIZATIONS " " LOSSES
                         " ReduceSum ReduceProd CumSum CumProd ReduceLogSum Softmax LogSoftmax Gelu Resize Upsample",
     .promote = "Add Sub Div Mul Concat",
     .rest = REST_FOLLOW,
     .loss_scale = LOSS_SCALE_DYNAMIC},
    {.name = "apex-O2", /* the model in 16 bits, its outputs cast back for the loss; f32 master weights */
     .keep = "BatchNormalization " LOSSES,
     .rest = REST_LOWER,
     .loss_scale = LOSS_SCALE_DYNAMIC,
     .update = "master"},
    {.name = "apex-O3", .keep = LOSSES, .rest = REST_LOWER, .loss_scale = 1},
    {0},
};

const PolicyTable *find_policy_table(const char *name)
{
    for (const PolicyTable *table = policy_tables; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

const char *onnx_name(const Op *op)
{
    return op->stands_for ? op->stands_for : op->name;
}

PrecisionClass table_class(const PolicyTable *table, const Op *op)
{
    const char *name = onnx_name(op);
    if (op->precision == CLASS_NONE)
        return CLASS_NONE;
    if (has_word(table->lower, ' ', name))
        return CLASS_LOWER;
    if (has_word(table->keep, ' ', name))
        return CLASS_KEEP;
    if (has_word(table->promote, ' ', name))
        return CLASS_PROMOTE;
    switch (table->rest) {
    case REST_KEEP:
        return CLASS_KEEP;
    case REST_LOWER:
        return CLASS_LOWER;
    case REST_FOLLOW:
        return op->precision == CLASS_PROMOTE ? CLASS_PROMOTE : CLASS_FOLLOW;
    case REST_ROW:
        break;
    }
    return op->precision;
}

/* ---- what a policy says besides classes ---- */

/* NULL for a file of rules, and where precision is uniform: there is nothing to lower. */
static const PolicyTable *table_of(const Options *options, const PrecisionMode *mode)
{
    return options->policy && mode->low != mode->wide ? find_policy_table(options->policy) : NULL;
}

double policy_loss_scale(const Options *options)
{
    const PrecisionMode *mode = find_precision_mode(options->precision);
    const PolicyTable *table = table_of(options, mode);
    return options->loss_scale != 0          ? options->loss_scale
           : table && table->loss_scale != 0 ? table->loss_scale
                                             : mode->loss_scale;
}

const char *policy_update(const Options *options)
{
    const PrecisionMode *mode = find_precision_mode(options->precision);
    const PolicyTable *table = table_of(options, mode);
    if (!mode->low_weights)
        return NULL;
    return options->update ? options->update : table && table->update ? table->update : mode->update;
}

/* A master weight is f32, and an optimizer's moments are of what it updates. */
Dtype policy_moments(const Options *options)
{
    const PrecisionMode *mode = find_precision_mode(options->precision);
    const char *update = policy_update(options);
    if (update && options->moments)
        return strcmp(options->moments, "weights") == 0 ? mode->low : mode->wide;
    const bool has_master = update && strcmp(update, "master") == 0;
    return policy_loss_scale(options) == 1 && !has_master ? mode->unscaled : mode->moment;
}
