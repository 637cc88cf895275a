/* batchnorm.c: BatchNormalization. In inference mode it is an affine map of each channel and expands into one, so that
 * scale and bias train; in training mode it is pcc's BatchNormalizationTraining, in the layout of channels_last. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/geometry.h"

#include <math.h>

Channels channels_of(const Node *node, const Type *x)
{
    int axis = attr_int(node, "channels_last") ? x->rank - 1 : 1;
    return (Channels){dims_product(x, 0, axis), x->dims[axis], dims_product(x, axis + 1, x->rank)};
}

static bool check_channel_operands(Graph *graph, Node *node, int first, int last, int64_t channels)
{
    for (int i = first; i <= last; i++)
        if (node->inputs[i]->type.rank != 1 || node->inputs[i]->type.dims[0] != channels)
            return REJECT(graph, node, "input %d is %s, but X has %" PRId64 " channels", i,
                          type_text(graph->arena, &node->inputs[i]->type), channels);
    return true;
}

static bool check_rank(Graph *graph, Node *node, const Type *x)
{
    if (is_float(x->dtype) && x->rank >= 2)
        return true;
    return REJECT(graph, node, "X is %s; it must be floating-point with a batch and a channel dim",
                  type_text(graph->arena, x));
}

/* ---- ONNX's row ---- */

/* Before opset 14 five outputs meant training; `spatial` 0, gone in opset 9, normalised each position by itself. */
static bool upgrade_batch_norm(Graph *graph, Node *node, int opset)
{
    if (has_attr(node, "spatial")) {
        if (find_attr(node, "spatial")->i == 0)
            return REJECT_UNSUPPORTED(graph, node, "attribute 'spatial' = 0 is not supported");
        remove_attr(node, "spatial");
    }
    if (opset < 14) {
        bool training = node->output_count >= 5 && has_output(node, 1) && has_output(node, 2);
        set_int(graph, node, "training_mode", training);
        drop_outputs(graph, node, 3);
    }
    return true;
}

static bool infer_batch_norm(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    if (!check_rank(graph, node, x) || !check_channel_operands(graph, node, 1, 4, x->dims[1]))
        return false;
    if (!attr_int(node, "training_mode") && (has_output(node, 1) || has_output(node, 2)))
        return REJECT(graph, node, "the running statistics are outputs of training_mode = 1 only");
    return set_output_type(graph, node, 0, *x) && set_output_type(graph, node, 1, node->inputs[3]->type) &&
           set_output_type(graph, node, 2, node->inputs[4]->type);
}

/* y = (x - mean)·a + bias with a = scale / √(var + epsilon), one for each channel; rounded to x's dtype at the end. */
static Value *build_inference(Graph *graph, const Node *node)
{
    Value *x = build_widened(graph, node->inputs[0]), *var = build_widened(graph, node->inputs[4]);
    Value *epsilon = const_float(graph, var->type.dtype, attr_float(node, "epsilon"));
    Value *deviation = build_unary(graph, "Sqrt", build_add(graph, var, epsilon));
    Value *slope = build_div(graph, build_widened(graph, node->inputs[1]), deviation);
    Value *centred =
        build_sub(graph, x, build_channel_vector(graph, build_widened(graph, node->inputs[3]), x->type.rank));
    Value *scaled = build_mul(graph, centred, build_channel_vector(graph, slope, x->type.rank));
    Value *y =
        build_add(graph, scaled, build_channel_vector(graph, build_widened(graph, node->inputs[2]), x->type.rank));
    return build_cast(graph, y, node->inputs[0]->type.dtype);
}

static void expand_batch_norm(Graph *graph, Node *node, Value **replacements)
{
    if (!attr_int(node, "training_mode")) {
        replacements[0] = build_inference(graph, node);
        return;
    }
    Node *training = build_begin(graph, "BatchNormalizationTraining", 5, node->inputs, 5);
    set_float(graph, training, "epsilon", attr_float(node, "epsilon"));
    set_float(graph, training, "momentum", attr_float(node, "momentum"));
    build_finish(graph, training);
    for (int i = 0; i < node->output_count; i++)
        replacements[i] = training->outputs[i];
}

/* ---- training ---- */

static bool infer_training(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    if (!check_rank(graph, node, x))
        return false;
    int64_t channels = channels_of(node, x).count;
    if (!check_channel_operands(graph, node, 1, 4, channels))
        return false;
    Type saved = make_type(wide_dtype(x->dtype), 1, &channels);
    return set_stored_type(graph, node, *x) && set_output_type(graph, node, 1, node->inputs[3]->type) &&
           set_output_type(graph, node, 2, node->inputs[4]->type) && set_output_type(graph, node, 3, saved) &&
           set_output_type(graph, node, 4, saved);
}

/* What Y = (X - saved_mean)·gain + offset is made of; offset holds what rounding took from the mean, too. */
static bool infer_statistics(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    if (!check_rank(graph, node, x))
        return false;
    int64_t channels = channels_of(node, x).count;
    Type saved = make_type(wide_dtype(x->dtype), 1, &channels);
    return check_channel_operands(graph, node, 1, 4, channels) && set_output_type(graph, node, 0, saved) &&
           set_output_type(graph, node, 1, saved) && set_output_type(graph, node, 2, node->inputs[3]->type) &&
           set_output_type(graph, node, 3, node->inputs[4]->type) && set_output_type(graph, node, 4, saved) &&
           set_output_type(graph, node, 5, saved);
}

static Value *build_per_channel(Graph *graph, const Node *node, Value *vector)
{
    return attr_int(node, "channels_last") ? vector : build_channel_vector(graph, vector, node->inputs[0]->type.rank);
}

/* After differentiation: the statistics are a kernel, and Y an elementwise expression of them, which then joins the
 * loop of what follows it, be it an activation, a residual sum or both. */
static void expand_training(Graph *graph, Node *node, Value **replacements)
{
    Node *statistics = build_begin(graph, "BatchNormalizationStatistics", 5, node->inputs, 6);
    copy_attrs(graph, statistics, node);
    remove_attr(statistics, "stored");
    Value *gain = build_finish(graph, statistics), **made = statistics->outputs;
    Value *centred = build_sub(graph, build_widened(graph, node->inputs[0]), build_per_channel(graph, node, made[4]));
    Value *scaled = build_mul(graph, centred, build_per_channel(graph, node, gain));
    Value *y = build_add(graph, scaled, build_per_channel(graph, node, made[1]));
    replacements[0] = build_cast(graph, y, node->outputs[0]->type.dtype);
    for (int i = 1; i < 5; i++)
        replacements[i] = made[i + 1];
}

static bool infer_training_grad(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[1]->type, *scale = &node->inputs[2]->type;
    return check_rank(graph, node, x) && set_stored_type(graph, node, *x) && set_output_type(graph, node, 1, *scale) &&
           set_output_type(graph, node, 2, *scale);
}

/* Σ over the elements of channel c of f·g, or of f where g is NULL. */
static double channel_dot(const Channels *n, int64_t c, const double *f, double shift, const double *g)
{
    double sum = 0;
    for (int64_t outer = 0; outer < n->outer; outer++)
        for (int64_t inner = 0; inner < n->inner; inner++) {
            int64_t i = (outer * n->count + c) * n->inner + inner;
            sum += (f[i] - shift) * (g ? g[i] : 1);
        }
    return sum;
}

/* y = (x - shift)·slope + offset over channel c, plus a multiple of z where it is not NULL. */
static void channel_affine(const Channels *n, int64_t c, const double *x, double shift, double slope, double offset,
                           const double *z, double z_slope, double *y)
{
    for (int64_t outer = 0; outer < n->outer; outer++)
        for (int64_t inner = 0; inner < n->inner; inner++) {
            int64_t i = (outer * n->count + c) * n->inner + inner;
            y[i] = (x[i] - shift) * slope + offset + (z ? z[i] * z_slope : 0);
        }
}

/* Statistics of the batch are population ones; momentum weighs the old running value (ONNX BatchNormalization-15). */
static void evaluate_statistics(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    Channels n = channels_of(node, &inputs[0].type);
    double momentum = attr_float(node, "momentum"), size = (double)(n.outer * n.inner);
    double *centred = NEW_ARRAY(arena, double, element_count(&inputs[0].type));
    for (int64_t c = 0; c < n.count; c++) {
        double mean = channel_dot(&n, c, inputs[0].f, 0, NULL) / size;
        channel_affine(&n, c, inputs[0].f, mean, 1, 0, NULL, 0, centred);
        double variance = channel_dot(&n, c, centred, 0, centred) / size;
        double rstd = 1 / sqrt(variance + attr_float(node, "epsilon"));
        outputs[0].f[c] = rstd * inputs[1].f[c];
        outputs[1].f[c] = inputs[2].f[c];
        outputs[2].f[c] = inputs[3].f[c] * momentum + mean * (1 - momentum);
        outputs[3].f[c] = inputs[4].f[c] * momentum + variance * (1 - momentum);
        outputs[4].f[c] = mean;
        outputs[5].f[c] = rstd;
    }
}

/* With x̂ = (x - mean)·rstd: dscale = Σ dy·x̂, dbias = Σ dy, dx = scale·rstd·(dy - mean(dy) - x̂·mean(dy·x̂)). */
static void evaluate_training_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Channels n = channels_of(node, &inputs[0].type);
    const double *dy = inputs[0].f, *x = inputs[1].f;
    double size = (double)(n.outer * n.inner);
    for (int64_t c = 0; c < n.count; c++) {
        double mean = inputs[3].f[c], rstd = inputs[4].f[c], slope = inputs[2].f[c] * rstd;
        double sum = channel_dot(&n, c, dy, 0, NULL), dot = channel_dot(&n, c, x, mean, dy) * rstd;
        channel_affine(&n, c, x, mean, -slope * rstd * dot / size, -slope * sum / size, dy, slope, outputs[0].f);
        if (has_output(node, 1))
            outputs[1].f[c] = dot;
        if (has_output(node, 2))
            outputs[2].f[c] = sum;
    }
}

static void training_gradient(Differentiator *d, Node *node)
{
    Value *dy = dy_of(d, node, 0);
    if (!dy) /* the running statistics carry no gradient */
        return;
    Value *mean = saved_output(d->graph, node, 3), *rstd = saved_output(d->graph, node, 4);
    Node *grad =
        build_begin(d->graph, "BatchNormalizationGrad", 5, VALUES(dy, node->inputs[0], node->inputs[1], mean, rstd), 3);
    set_int(d->graph, grad, "channels_last", attr_int(node, "channels_last"));
    set_int(d->graph, grad, "batch", attr_int(node, "batch"));
    build_finish(d->graph, grad);
    for (int i = 0; i < 3; i++)
        if (wants(d, node, i))
            contribute(d, node, i, grad->outputs[i]);
}

/* What there is one of for each channel: scale, bias, running mean and variance. */
enum { CHANNEL_OPERANDS = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 };

const Op batchnorm_ops[] = {
    {.name = "BatchNormalization",
     .inputs = "X:float, scale:float, B:float, input_mean:float, input_var:float",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT, ROLE_STATISTIC, ROLE_STATISTIC},
     .as_stored = CHANNEL_OPERANDS,
     .outputs = "Y, running_mean?, running_var?",
     .attributes = "epsilon:float=1e-5, momentum:float=0.9, training_mode:int=0",
     .since = 15,
     .normalizes = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .upgrade = upgrade_batch_norm,
     .follow_axis = follow_every,
     .infer = infer_batch_norm,
     .expand = expand_batch_norm},
    {.name = "BatchNormalizationTraining",
     .inputs = "X:float, scale:float, B:float, mean:float, var:float",
     .as_stored = CHANNEL_OPERANDS,
     .updates = {[1] = 1 + 3, [2] = 1 + 4},
     .outputs = "Y, new_mean, new_var, saved_mean, saved_rstd",
     .attributes = "epsilon:float=1e-5, momentum:float=0.9, channels_last:int=0, batch:int=0, stored:int=0",
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = follow_every,
     .infer = infer_training,
     .gradient = training_gradient,
     .expand = expand_training,
     .expands_after_gradient = true},
    {.name = "BatchNormalizationStatistics",
     .inputs = "X:float, scale:float, B:float, mean:float, var:float",
     .outputs = "gain, offset, new_mean, new_var, saved_mean, saved_rstd",
     .attributes = "epsilon:float=1e-5, momentum:float=0.9, channels_last:int=0, batch:int=0",
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = infer_statistics,
     .evaluate = evaluate_statistics},
    {.name = "BatchNormalizationGrad",
     .inputs = "dY:float, X:float, scale:float, saved_mean:float, saved_rstd:float",
     .outputs = "dX, dScale, dB",
     .attributes = "channels_last:int=0, batch:int=0, stored:int=0",
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .infer = infer_training_grad,
     .evaluate = evaluate_training_grad},
    {0},
};
