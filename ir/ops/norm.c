/* norm.c: layer and RMS normalisation, and the normalisations that expand into them. Mean and reciprocal deviation are
 * kept for the gradient in the shape of the input with the normalised axes 1, in the compute type (f32 or f64). */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/geometry.h"

#include <math.h>

/* ---- shapes ---- */

Rows rows_of(const Node *node, const Type *x)
{
    int axis = axis_of(node, x->rank);
    return (Rows){dims_product(x, 0, axis), dims_product(x, axis, x->rank)};
}

static Type statistics_type(const Node *node, const Type *x)
{
    Type type = *x;
    type.dtype = wide_dtype(x->dtype);
    for (int i = axis_of(node, x->rank); i < x->rank; i++)
        type.dims[i] = 1;
    return type;
}

static bool check_normalised(Graph *graph, Node *node, int *axis)
{
    const Type *x = &node->inputs[0]->type;
    if (!is_float(x->dtype))
        return REJECT(graph, node, "X is %s; it must be floating-point", type_text(graph->arena, x));
    return resolve_axis(graph, node, attr_int(node, "axis"), x->rank, axis);
}

/* ONNX lets scale and bias broadcast to the normalised dims; the kernels take them whole, so that one that does is
 * expanded in front of the node. */
static bool check_affine(Graph *graph, Node *node, int i, int axis)
{
    const Type *x = &node->inputs[0]->type;
    Type normalised = make_type(x->dtype, x->rank - axis, x->dims + axis), broadcast;
    if (!input(node, i) || element_count(&input(node, i)->type) == element_count(&normalised))
        return true;
    const Type *given = &input(node, i)->type;
    if (!broadcast_dims(given, &normalised, &broadcast) || !same_dims(&broadcast, &normalised))
        return REJECT(graph, node, "input %d is %s; it must have the normalised dims of X, which is %s", i,
                      type_text(graph->arena, given), type_text(graph->arena, x));
    expand_input(graph, node, i, normalised.rank, normalised.dims);
    return true;
}

static bool infer_layer_norm(Graph *graph, Node *node)
{
    int axis;
    if (!check_normalised(graph, node, &axis) || !check_affine(graph, node, 1, axis) ||
        !check_affine(graph, node, 2, axis))
        return false;
    Type statistics = statistics_type(node, &node->inputs[0]->type);
    return set_stored_type(graph, node, node->inputs[0]->type) && set_output_type(graph, node, 1, statistics) &&
           set_output_type(graph, node, 2, statistics);
}

static bool infer_rms_norm(Graph *graph, Node *node)
{
    int axis;
    if (!check_normalised(graph, node, &axis) || !check_affine(graph, node, 1, axis))
        return false;
    return set_stored_type(graph, node, node->inputs[0]->type) &&
           set_output_type(graph, node, 1, statistics_type(node, &node->inputs[0]->type));
}

/* ---- reference ---- */

static double mean_of(const double *x, int64_t width)
{
    double sum = 0;
    for (int64_t i = 0; i < width; i++)
        sum += x[i];
    return sum / (double)width;
}

static double mean_square(const double *x, int64_t width, double shift)
{
    double sum = 0;
    for (int64_t i = 0; i < width; i++)
        sum += (x[i] - shift) * (x[i] - shift);
    return sum / (double)width;
}

static void evaluate_layer_norm(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Rows rows = rows_of(node, &inputs[0].type);
    const double *scale = node->input_count > 1 ? inputs[1].f : NULL,
                 *bias = node->input_count > 2 ? inputs[2].f : NULL;
    for (int64_t row = 0; row < rows.count; row++) {
        const double *x = inputs[0].f + row * rows.width;
        double mean = mean_of(x, rows.width);
        double rstd = 1 / sqrt(mean_square(x, rows.width, mean) + attr_float(node, "epsilon"));
        for (int64_t i = 0; i < rows.width; i++)
            outputs[0].f[row * rows.width + i] = (x[i] - mean) * rstd * (scale ? scale[i] : 1) + (bias ? bias[i] : 0);
        if (has_output(node, 1))
            outputs[1].f[row] = mean;
        if (has_output(node, 2))
            outputs[2].f[row] = rstd;
    }
}

static void evaluate_rms_norm(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Rows rows = rows_of(node, &inputs[0].type);
    for (int64_t row = 0; row < rows.count; row++) {
        const double *x = inputs[0].f + row * rows.width;
        double rstd = 1 / sqrt(mean_square(x, rows.width, 0) + attr_float(node, "epsilon"));
        for (int64_t i = 0; i < rows.width; i++)
            outputs[0].f[row * rows.width + i] = x[i] * rstd * inputs[1].f[i];
        if (has_output(node, 1))
            outputs[1].f[row] = rstd;
    }
}

/* With x̂ = (x - mean)·rstd and g = scale·dy: dx = rstd·(g - mean(g) - x̂·mean(g·x̂)), dscale = Σ dy·x̂, dbias = Σ dy.
 * Without centring (RMS) mean and mean(g) are absent. Outputs may be NULL but for dx. */
typedef struct NormGrad {
    const double *dy, *x, *scale, *mean, *rstd;
    double *dx, *dscale, *dbias;
} NormGrad;

static void grad_row(const NormGrad *n, int64_t row, int64_t width)
{
    const double *dy = n->dy + row * width, *x = n->x + row * width;
    double mean = n->mean ? n->mean[row] : 0, rstd = n->rstd[row], sum = 0, dot = 0;
    for (int64_t i = 0; i < width; i++) {
        double normalised = (x[i] - mean) * rstd, g = dy[i] * (n->scale ? n->scale[i] : 1);
        sum += g;
        dot += g * normalised;
        if (n->dscale)
            n->dscale[i] += dy[i] * normalised;
        if (n->dbias)
            n->dbias[i] += dy[i];
    }
    double centre = n->mean ? sum / (double)width : 0, slope = dot / (double)width;
    for (int64_t i = 0; i < width; i++) {
        double normalised = (x[i] - mean) * rstd, g = dy[i] * (n->scale ? n->scale[i] : 1);
        n->dx[row * width + i] = rstd * (g - centre - normalised * slope);
    }
}

static void evaluate_layer_norm_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Rows rows = rows_of(node, &inputs[0].type);
    NormGrad n = {.dy = inputs[0].f, .x = inputs[1].f, .scale = inputs[2].f, .mean = inputs[3].f, .rstd = inputs[4].f};
    n.dx = outputs[0].f;
    n.dscale = has_output(node, 1) ? outputs[1].f : NULL;
    n.dbias = has_output(node, 2) ? outputs[2].f : NULL;
    for (int64_t row = 0; row < rows.count; row++)
        grad_row(&n, row, rows.width);
}

static void evaluate_rms_norm_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Rows rows = rows_of(node, &inputs[0].type);
    NormGrad n = {.dy = inputs[0].f, .x = inputs[1].f, .scale = inputs[2].f, .rstd = inputs[3].f};
    n.dx = outputs[0].f;
    n.dscale = has_output(node, 1) ? outputs[1].f : NULL;
    for (int64_t row = 0; row < rows.count; row++)
        grad_row(&n, row, rows.width);
}

/* ---- gradients ---- */

/* dX and dScale, dB of width `axis`...: each has the shape of the operand it belongs to, and its dtype; without a
 * scale dB has that of the statistics. */
static bool infer_norm_grad(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[1]->type;
    int axis;
    if (!check_normalised(graph, node, &axis))
        return false;
    const Value *scale = input(node, 2);
    Type affine = make_type(scale ? scale->type.dtype : wide_dtype(x->dtype), x->rank - axis, x->dims + axis);
    return set_stored_type(graph, node, *x) && set_output_type(graph, node, 1, affine) &&
           set_output_type(graph, node, 2, affine);
}

/* Contributes output i of `grad` to input i of `node`, where it is wanted; else the output is left out. */
static void contribute_outputs(Differentiator *d, Node *node, Node *grad, int count)
{
    for (int i = 0; i < count; i++) {
        if (wants(d, node, i)) {
            contribute(d, node, i, build_reshape_as(d->graph, grad->outputs[i], &node->inputs[i]->type));
        } else if (i > 0) {
            d->graph->values[grad->outputs[i]->id] = NULL;
            grad->outputs[i] = NULL;
        }
    }
}

/* Through the statistics that a node hands out: dmean/dx = 1/n, and drstd/dx = -rstd²·x̂/n with x̂ = (x - mean)·rstd. */
static void statistics_gradient(Differentiator *d, Node *node, Value *mean, Value *rstd)
{
    Graph *graph = d->graph;
    Value *dmean = dy_of(d, node, 1), *drstd = dy_of(d, node, 2);
    const double share = 1 / (double)rows_of(node, &node->inputs[0]->type).width;
    if (dmean)
        contribute(d, node, 0,
                   build_expand(graph, build_scale(graph, dmean, share), node->inputs[0]->type.rank,
                                node->inputs[0]->type.dims));
    if (!drstd)
        return;
    Value *x = build_cast(graph, node->inputs[0], rstd->type.dtype);
    Value *slope = build_scale(graph, build_mul(graph, build_unary(graph, "Square", rstd), drstd), -share);
    contribute(d, node, 0, build_mul(graph, build_mul(graph, build_sub(graph, x, mean), rstd), slope));
}

static void layer_norm_gradient(Differentiator *d, Node *node)
{
    Value *dy = dy_of(d, node, 0);
    Value *mean = saved_output(d->graph, node, 1), *rstd = saved_output(d->graph, node, 2);
    if (wants(d, node, 0))
        statistics_gradient(d, node, mean, rstd);
    if (!dy)
        return;
    Node *grad =
        build_begin(d->graph, "LayerNormalizationGrad", 5, VALUES(dy, node->inputs[0], input(node, 1), mean, rstd), 3);
    set_int(d->graph, grad, "axis", attr_int(node, "axis"));
    build_finish(d->graph, grad);
    contribute_outputs(d, node, grad, 3);
}

static void rms_norm_gradient(Differentiator *d, Node *node)
{
    Value *rstd = saved_output(d->graph, node, 1);
    Node *grad = build_begin(d->graph, "RMSNormalizationGrad", 4,
                             VALUES(dy_of(d, node, 0), node->inputs[0], node->inputs[1], rstd), 2);
    set_int(d->graph, grad, "axis", attr_int(node, "axis"));
    build_finish(d->graph, grad);
    contribute_outputs(d, node, grad, 2);
}

/* ---- normalisations that expand ---- */

static bool infer_like_input(Graph *graph, Node *node)
{
    if (!is_float(node->inputs[0]->type.dtype))
        return REJECT(graph, node, "X is %s; it must be floating-point",
                      type_text(graph->arena, &node->inputs[0]->type));
    return infer_like_first(graph, node);
}

/* (x - mean)·rstd over all but the first axis of x seen as [rows, width]; back in x's dims. */
static Value *build_normalised_rows(Graph *graph, Value *x, int64_t rows, double epsilon)
{
    int64_t width = rows ? element_count(&x->type) / rows : 0;
    Value *matrix = build_reshape(graph, x, 2, (int64_t[]){rows, width});
    Node *norm = build_begin(graph, "LayerNormalization", 1, &matrix, 1);
    set_float(graph, norm, "epsilon", epsilon);
    return build_reshape_as(graph, build_finish(graph, norm), &x->type);
}

/* Of the node's scale and bias; in the dtype of the node's X. */
static Value *build_channel_affine(Graph *graph, Node *node, Value *x)
{
    Value *scale = build_widened(graph, node->inputs[1]), *bias = build_widened(graph, node->inputs[2]);
    Value *scaled = build_mul(graph, x, build_channel_vector(graph, scale, x->type.rank));
    Value *y = build_add(graph, scaled, build_channel_vector(graph, bias, x->type.rank));
    return build_cast(graph, y, node->inputs[0]->type.dtype);
}

static bool check_channel_vectors(Graph *graph, Node *node, int64_t channels)
{
    if (node->inputs[0]->type.rank < 2)
        return REJECT(graph, node, "X is %s; it needs a batch and a channel dim",
                      type_text(graph->arena, &node->inputs[0]->type));
    for (int i = 1; i <= 2; i++)
        if (element_count(&node->inputs[i]->type) != channels)
            return REJECT(graph, node, "input %d is %s; it must have %" PRId64 " elements", i,
                          type_text(graph->arena, &node->inputs[i]->type), channels);
    return infer_like_input(graph, node);
}

static bool infer_instance_norm(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    return check_channel_vectors(graph, node, x->rank > 1 ? x->dims[1] : 0);
}

static void expand_instance_norm(Graph *graph, Node *node, Value **replacements)
{
    Value *x = build_widened(graph, node->inputs[0]);
    Value *normalised = build_normalised_rows(graph, x, x->type.dims[0] * x->type.dims[1], attr_float(node, "epsilon"));
    replacements[0] = build_channel_affine(graph, node, normalised);
}

static bool infer_group_norm(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int64_t groups = attr_int(node, "num_groups");
    if (groups < 1 || x->rank < 2 || x->dims[1] % groups != 0)
        return REJECT(graph, node, "attribute 'num_groups' is %" PRId64 " and does not divide the channels of X, %s",
                      groups, type_text(graph->arena, x));
    return check_channel_vectors(graph, node, x->dims[1]);
}

/* Opset 18 has one scale and bias a group; 21 one a channel. */
static bool upgrade_group_norm(Graph *graph, Node *node, int opset)
{
    const Type *x = &node->inputs[0]->type;
    int64_t groups = has_attr(node, "num_groups") ? attr_int(node, "num_groups") : 0;
    if (opset >= 21 || groups < 1 || x->rank < 2 || x->dims[1] % groups != 0)
        return true;
    Node *cursor = graph->cursor;
    graph->cursor = node;
    for (int i = 1; i <= 2; i++) {
        if (!input(node, i) || element_count(&input(node, i)->type) != groups)
            continue;
        Value *column = build_reshape(graph, node->inputs[i], 2, (int64_t[]){groups, 1});
        Value *repeated = build_expand(graph, column, 2, (int64_t[]){groups, x->dims[1] / groups});
        node->inputs[i] = build_reshape(graph, repeated, 1, &x->dims[1]);
    }
    graph->cursor = cursor;
    return true;
}

static void expand_group_norm(Graph *graph, Node *node, Value **replacements)
{
    Value *x = build_widened(graph, node->inputs[0]);
    int64_t rows = x->type.dims[0] * attr_int(node, "num_groups");
    Value *normalised = build_normalised_rows(graph, x, rows, attr_float(node, "epsilon"));
    replacements[0] = build_channel_affine(graph, node, normalised);
}

static Value *build_reduce_mean(Graph *graph, Value *x, int count, const int64_t *axes)
{
    Node *node = build_begin(graph, "ReduceMean", 2, VALUES(x, const_ints(graph, count, axes)), 1);
    set_int(graph, node, "keepdims", 1);
    return build_finish(graph, node);
}

/* (x - mean) / (deviation + 1e-9): the operator has no epsilon of its own. */
static void expand_mean_variance(Graph *graph, Node *node, Value **replacements)
{
    static const int64_t all_but_channels[] = {0, 2, 3};
    const int64_t *axes;
    int count = attr_ints(node, "axes", &axes);
    if (count == 0) {
        axes = all_but_channels;
        count = 3;
    }
    Value *x = build_widened(graph, node->inputs[0]);
    Value *centred = build_sub(graph, x, build_reduce_mean(graph, x, count, axes));
    Value *variance = build_reduce_mean(graph, build_mul(graph, centred, centred), count, axes);
    Value *deviation = build_unary(graph, "NormSqrt", variance);
    Value *y = build_div(graph, centred, build_add(graph, deviation, const_float(graph, x->type.dtype, 1e-9)));
    replacements[0] = build_cast(graph, y, node->inputs[0]->type.dtype);
}

static bool infer_lp_norm(Graph *graph, Node *node)
{
    int axis;
    if (attr_int(node, "p") != 1 && attr_int(node, "p") != 2)
        return REJECT(graph, node, "attribute 'p' is %" PRId64 "; it must be 1 or 2", attr_int(node, "p"));
    return resolve_axis(graph, node, attr_int(node, "axis"), node->inputs[0]->type.rank, &axis) &&
           infer_like_input(graph, node);
}

/* x / ‖x‖, and 0 where the norm is 0: there the divisor becomes 1, before the root so that its gradient is finite. */
static void expand_lp_norm(Graph *graph, Node *node, Value **replacements)
{
    Value *x = build_widened(graph, node->inputs[0]);
    int axis = axis_of(node, x->type.rank);
    bool euclidean = attr_int(node, "p") == 2;
    Value *power = euclidean ? build_mul(graph, x, x) : build_unary(graph, "Abs", x);
    Value *sum = build_reduce_range(graph, "ReduceSum", power, axis, axis + 1);
    Value *is_zero = build_binary(graph, "Equal", sum, const_float(graph, x->type.dtype, 0));
    Value *safe = build_where(graph, is_zero, const_float(graph, x->type.dtype, 1), sum);
    Value *y = build_div(graph, x, euclidean ? build_unary(graph, "Sqrt", safe) : safe);
    replacements[0] = build_cast(graph, y, node->inputs[0]->type.dtype);
}

static bool infer_lrn(Graph *graph, Node *node)
{
    if (node->inputs[0]->type.rank < 3 || attr_int(node, "size") < 1)
        return REJECT(graph, node, "attribute 'size' is %" PRId64 " and X is %s; LRN needs channels and spatial dims",
                      attr_int(node, "size"), type_text(graph->arena, &node->inputs[0]->type));
    return infer_like_input(graph, node);
}

/* x / (bias + alpha·mean of x² over `size` neighbouring channels)^beta: the mean is an average pool along the channels,
 * with x seen as one channel of a [C, positions] plane. */
static void expand_lrn(Graph *graph, Node *node, Value **replacements)
{
    Value *x = build_widened(graph, node->inputs[0]);
    int64_t size = attr_int(node, "size"), n = x->type.dims[0], c = x->type.dims[1];
    Value *plane =
        build_reshape(graph, build_mul(graph, x, x), 4, (int64_t[]){n, 1, c, dims_product(&x->type, 2, x->type.rank)});
    Node *pool = build_begin(graph, "AveragePool", 1, &plane, 1);
    set_ints(graph, pool, "kernel_shape", 2, (const int64_t[]){size, 1});
    set_ints(graph, pool, "pads", 4, (const int64_t[]){(size - 1) / 2, 0, size / 2, 0});
    set_int(graph, pool, "count_include_pad", 1);
    Value *mean = build_reshape_as(graph, build_finish(graph, pool), &x->type);
    Value *base = build_add(graph, build_scale(graph, mean, attr_float(node, "alpha")),
                            const_float(graph, x->type.dtype, attr_float(node, "bias")));
    Value *divisor = build_binary(graph, "Pow", base, const_float(graph, x->type.dtype, attr_float(node, "beta")));
    replacements[0] = build_cast(graph, build_div(graph, x, divisor), node->inputs[0]->type.dtype);
}

/* Over the axes from `axis` on; scale and bias are broadcast over the others. */
static int norm_follow_axis(const Node *node, int i, int axis)
{
    int to = follow_broadcast(node, i, axis);
    return to < axis_of(node, node->inputs[0]->type.rank) ? to : -1;
}

/* Over neighbouring channels. */
static int lrn_follow_axis(const Node *node, int i, int axis)
{
    (void)node;
    return i == 0 && axis != 1 ? axis : -1;
}

const Op norm_ops[] = {
    {.name = "LayerNormalization",
     .inputs = "X:float, Scale:float?, B:float?",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT},
     .outputs = "Y, Mean?, InvStdDev?",
     .attributes = "axis:int=-1, epsilon:float=1e-5, stash_type:int=1, stored:int=0",
     .since = 17,
     .normalizes = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .follow_axis = norm_follow_axis,
     .infer = infer_layer_norm,
     .gradient = layer_norm_gradient,
     .evaluate = evaluate_layer_norm},
    {.name = "LayerNormalizationGrad",
     .inputs = "dY:float, X:float, Scale:float?, Mean:float, InvStdDev:float",
     .outputs = "dX, dScale?, dB?",
     .attributes = "axis:int=-1, stored:int=0",
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = infer_norm_grad,
     .evaluate = evaluate_layer_norm_grad},
    {.name = "RMSNormalization",
     .inputs = "X:float, scale:float",
     .roles = {ROLE_DATA, ROLE_WEIGHT},
     .outputs = "Y, InvRms?",
     .attributes = "axis:int=-1, epsilon:float=1e-5, stash_type:int=1, stored:int=0",
     .since = 23,
     .normalizes = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .follow_axis = norm_follow_axis,
     .infer = infer_rms_norm,
     .gradient = rms_norm_gradient,
     .evaluate = evaluate_rms_norm},
    {.name = "RMSNormalizationGrad",
     .inputs = "dY:float, X:float, scale:float, InvRms:float",
     .outputs = "dX, dScale?",
     .attributes = "axis:int=-1, stored:int=0",
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = infer_norm_grad,
     .evaluate = evaluate_rms_norm_grad},
    {.name = "InstanceNormalization",
     .inputs = "input:float, scale:float, B:float",
     .roles = {ROLE_DATA, ROLE_GAIN, ROLE_SHIFT}, /* exporters decompose GroupNorm into one with scale 1 and bias 0 */
     .outputs = "output",
     .attributes = "epsilon:float=1e-5",
     .since = 6,
     .normalizes = true,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .follow_axis = follow_channels,
     .infer = infer_instance_norm,
     .expand = expand_instance_norm},
    {.name = "GroupNormalization",
     .inputs = "X:float, scale:float, bias:float",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT},
     .outputs = "Y",
     .attributes = "epsilon:float=1e-5, num_groups:int!, stash_type:int=1",
     .since = 21,
     .normalizes = true,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .upgrade = upgrade_group_norm,
     .follow_axis = follow_first,
     .infer = infer_group_norm,
     .expand = expand_group_norm},
    {.name = "MeanVarianceNormalization",
     .inputs = "X:float",
     .outputs = "Y",
     .attributes = "axes:ints",
     .since = 9,
     .normalizes = true,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .infer = infer_like_input,
     .expand = expand_mean_variance},
    {.name = "LpNormalization",
     .inputs = "input:float",
     .outputs = "output",
     .attributes = "axis:int=-1, p:int=2",
     .since = 1,
     .normalizes = true,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .follow_axis = follow_others,
     .infer = infer_lp_norm,
     .expand = expand_lp_norm},
    {.name = "LRN",
     .inputs = "X:float",
     .outputs = "Y",
     .attributes = "alpha:float=1e-4, beta:float=0.75, bias:float=1, size:int!",
     .since = 1,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .follow_axis = lrn_follow_axis,
     .infer = infer_lrn,
     .expand = expand_lrn},
    {0},
};
