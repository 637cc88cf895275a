/* loss.c: losses. A loss kernel counts only the valid samples of the step, so it takes the number of samples of a full
 * batch: attribute `batch`, or 0 for the first axis. */
#include "ir/ops/shared/geometry.h"

#include <math.h>
#include <string.h>

enum { REDUCTION_NONE, REDUCTION_SUM, REDUCTION_MEAN }; /* as the kernels number them */

/* ---- CrossEntropy ---- */

Scores scores_of(const Node *node, const Type *logits)
{
    int axis = axis_of(node, logits->rank);
    return (Scores){dims_product(logits, 0, axis), logits->dims[axis], dims_product(logits, axis + 1, logits->rank)};
}

static Type without_axis(const Type *type, int axis)
{
    Type result = *type;
    result.rank--;
    for (int i = axis; i < result.rank; i++)
        result.dims[i] = type->dims[i + 1];
    return result;
}

/* The step divides rows among samples: there are some, and the literal `batch` is not negative. */
static bool check_samples(Graph *graph, const Node *node, const Type *x)
{
    if (element_count(x) == 0 || samples_of(node, x) < 1)
        return REJECT(graph, node, "the loss reads %s, which has no samples", type_text(graph->arena, x));
    return true;
}

/* Scores with their labels and class weights; `rows` gets the dims that the labels stand for. */
static bool check_scores(Graph *graph, const Node *node, const Type *logits, const Type *target, const Value *weight,
                         Type *rows)
{
    int axis;
    int64_t shift = attr_int(node, "shift");
    if (logits->rank < 2)
        return REJECT(graph, node, "the scores are %s; they must be floating-point with samples and classes",
                      type_text(graph->arena, logits));
    if (!check_samples(graph, node, logits) || !resolve_axis(graph, node, attr_int(node, "axis"), logits->rank, &axis))
        return false;
    *rows = without_axis(logits, axis);
    rows->dtype = wide_dtype(logits->dtype);
    if (target->dtype != DTYPE_I64 || element_count(target) != element_count(rows))
        return REJECT(graph, node, "the labels are %s; scores %s need i64 labels, one a row",
                      type_text(graph->arena, target), type_text(graph->arena, logits));
    if (weight && element_count(&weight->type) != logits->dims[axis])
        return REJECT(graph, node, "the weights are %s, but there are %" PRId64 " classes",
                      type_text(graph->arena, &weight->type), logits->dims[axis]);
    if (shift < 0 || (shift > 0 && element_count(rows) % shift != 0))
        return REJECT(graph, node, "attribute 'shift' is %" PRId64 ", but there are %" PRId64 " rows", shift,
                      element_count(rows));
    return true;
}

static bool infer_cross_entropy(Graph *graph, Node *node)
{
    const Type *logits = &node->inputs[0]->type;
    Type rows, scalar = scalar_type(wide_dtype(logits->dtype));
    return check_scores(graph, node, logits, &node->inputs[1]->type, input(node, 2), &rows) &&
           set_output_type(graph, node, 0, attr_int(node, "reduction") == REDUCTION_NONE ? rows : scalar) &&
           set_output_type(graph, node, 1, rows) && set_output_type(graph, node, 2, scalar);
}

/* The target of row `row` = outer·inner + position, or -1 where the row does not count. A shift of T scores token t of
 * a sequence against token t + 1; the last token has none. */
static int64_t target_of(const Node *node, const Scores *s, const int64_t *target, int64_t row)
{
    int64_t shift = attr_int(node, "shift");
    if (shift && row % shift == shift - 1)
        return -1;
    int64_t label = target[shift ? row + 1 : row];
    bool counts = label != attr_int(node, "ignore_index") && label >= 0 && label < s->classes;
    return counts ? label : -1;
}

static double row_peak(const double *x, const Scores *s)
{
    double largest = -INFINITY;
    for (int64_t i = 0; i < s->classes; i++)
        largest = fmax(largest, x[i * s->inner]);
    return largest;
}

/* Of what the scores are below their peak: peak + this would round it away where scores are large and alike. */
static double row_log_sum_exp(const double *x, const Scores *s, double peak)
{
    double sum = 0;
    for (int64_t i = 0; i < s->classes; i++)
        sum += exp(x[i * s->inner] - peak);
    return log(sum);
}

static int64_t row_offset(const Scores *s, int64_t row)
{
    return row / s->inner * s->classes * s->inner + row % s->inner;
}

static void evaluate_cross_entropy(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Scores s = scores_of(node, &inputs[0].type);
    const double *weight = node->input_count > 2 ? inputs[2].f : NULL;
    int64_t reduction = attr_int(node, "reduction");
    double sum = 0, total = 0;
    for (int64_t row = 0; row < s.outer * s.inner; row++) {
        const double *x = inputs[0].f + row_offset(&s, row);
        int64_t label = target_of(node, &s, inputs[1].i, row);
        double peak = row_peak(x, &s), lse = row_log_sum_exp(x, &s, peak);
        double w = label < 0 ? 0 : weight ? weight[label] : 1;
        double loss = label < 0 ? 0 : w * (lse + (peak - x[label * s.inner]));
        sum += loss;
        total += w;
        if (reduction == REDUCTION_NONE)
            outputs[0].f[row] = loss;
        outputs[1].f[row] = lse;
    }
    if (reduction != REDUCTION_NONE)
        outputs[0].f[0] = reduction == REDUCTION_SUM || total == 0 ? sum : sum / total;
    outputs[2].f[0] = total;
}

/* dlogits = dloss·w/total·(softmax - onehot); total counts in the mean only. */
static void evaluate_cross_entropy_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    const double *dloss = inputs[0].f, *logits = inputs[1].f, *weight = inputs[3].f, *lse = inputs[4].f;
    Scores s = scores_of(node, &inputs[1].type);
    int64_t reduction = attr_int(node, "reduction");
    for (int64_t row = 0; row < s.outer * s.inner; row++) {
        int64_t label = target_of(node, &s, inputs[2].i, row), first = row_offset(&s, row);
        if (label < 0)
            continue;
        double factor = (weight ? weight[label] : 1) * dloss[reduction == REDUCTION_NONE ? row : 0];
        factor /= reduction == REDUCTION_MEAN ? inputs[5].f[0] : 1;
        double peak = row_peak(logits + first, &s);
        for (int64_t i = 0; i < s.classes; i++)
            outputs[0].f[first + i * s.inner] =
                factor * (exp(logits[first + i * s.inner] - peak - lse[row]) - (i == label ? 1 : 0));
    }
}

/* Of the scores alone: class weights are not learned. */
static void cross_entropy_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    if (!wants(d, node, 0))
        return;
    Node *grad = build_begin(
        graph, "CrossEntropyGrad", 6,
        VALUES(dy_of(d, node, 0), node->inputs[0], node->inputs[1], input(node, 2), node->outputs[1], node->outputs[2]),
        1);
    copy_attrs(graph, grad, node);
    contribute(d, node, 0, build_finish(graph, grad));
}

static bool infer_cross_entropy_grad(Graph *graph, Node *node)
{
    const Type *logits = &node->inputs[1]->type, *lse = &node->inputs[4]->type;
    Type rows;
    if (!check_scores(graph, node, logits, &node->inputs[2]->type, input(node, 3), &rows))
        return false;
    int64_t terms = attr_int(node, "reduction") == REDUCTION_NONE ? element_count(&rows) : 1;
    if (element_count(&node->inputs[0]->type) != terms || element_count(lse) != element_count(&rows) ||
        element_count(&node->inputs[5]->type) != 1)
        return REJECT(graph, node, "the loss's gradient, log-sums and total do not fit scores %s",
                      type_text(graph->arena, logits));
    return set_stored_type(graph, node, *logits);
}

/* ---- means over every element ---- */

static bool check_pair(Graph *graph, const Node *node, const Type *y, const Type *target)
{
    if (y->rank < 1 || !same_dims(y, target) || wide_dtype(y->dtype) != wide_dtype(target->dtype))
        return REJECT(graph, node,
                      "the prediction is %s and the target %s; they must have the same dims and be floating-point",
                      type_text(graph->arena, y), type_text(graph->arena, target));
    return check_samples(graph, node, y);
}

static bool infer_pair_loss(Graph *graph, Node *node)
{
    const Type *y = &node->inputs[0]->type, *target = &node->inputs[1]->type;
    return check_pair(graph, node, y, target) && set_output_type(graph, node, 0, scalar_type(wide_dtype(y->dtype)));
}

static bool infer_pair_loss_grad(Graph *graph, Node *node)
{
    const Type *dloss = &node->inputs[0]->type, *y = &node->inputs[1]->type;
    if (!check_pair(graph, node, y, &node->inputs[2]->type))
        return false;
    if (element_count(dloss) != 1)
        return REJECT(graph, node, "the loss's gradient is %s, not a scalar", type_text(graph->arena, dloss));
    return set_stored_type(graph, node, *y);
}

static double squared_error(double y, double target)
{
    return (y - target) * (y - target);
}

static double squared_error_slope(double y, double target)
{
    return 2 * (y - target);
}

/* -t·log σ(y) - (1 - t)·log(1 - σ(y)), which in this form overflows for no finite y. */
static double bce(double y, double target)
{
    return fmax(y, 0) - y * target + log1p(exp(-fabs(y)));
}

static double bce_slope(double y, double target)
{
    return 1 / (1 + exp(-y)) - target;
}

typedef double ElementLoss(double y, double target);

static void evaluate_mean(const Tensor *inputs, Tensor *outputs, ElementLoss *loss)
{
    int64_t count = element_count(&inputs[0].type);
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += loss(inputs[0].f[i], inputs[1].f[i]);
    outputs[0].f[0] = sum / (double)count;
}

static void evaluate_mean_grad(const Tensor *inputs, Tensor *outputs, ElementLoss *slope)
{
    int64_t count = element_count(&inputs[1].type);
    for (int64_t i = 0; i < count; i++)
        outputs[0].f[i] = inputs[0].f[0] / (double)count * slope(inputs[1].f[i], inputs[2].f[i]);
}

static void evaluate_mse(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    evaluate_mean(inputs, outputs, squared_error);
}

static void evaluate_mse_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    evaluate_mean_grad(inputs, outputs, squared_error_slope);
}

static void evaluate_bce(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    evaluate_mean(inputs, outputs, bce);
}

static void evaluate_bce_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    evaluate_mean_grad(inputs, outputs, bce_slope);
}

static void contribute_pair_grad(Differentiator *d, Node *node, const char *op)
{
    if (!wants(d, node, 0))
        return;
    Node *grad = build_begin(d->graph, op, 3, VALUES(dy_of(d, node, 0), node->inputs[0], node->inputs[1]), 1);
    copy_attrs(d->graph, grad, node);
    contribute(d, node, 0, build_finish(d->graph, grad));
}

static void mse_gradient(Differentiator *d, Node *node)
{
    contribute_pair_grad(d, node, "MeanSquaredErrorGrad");
}

static void bce_gradient(Differentiator *d, Node *node)
{
    contribute_pair_grad(d, node, "BceWithLogitsGrad");
}

/* ---- ONNX's rows ---- */

enum { NOTHING_IGNORED = -1 }; /* no class has this label; the kernels skip labels that no class has */

static bool read_reduction(Graph *graph, Node *node, int *reduction)
{
    static const char *const names[] = {"none", "sum", "mean"};
    const char *given = attr_string(node, "reduction");
    for (*reduction = REDUCTION_NONE; *reduction <= REDUCTION_MEAN; ++*reduction)
        if (!strcmp(given, names[*reduction]))
            return true;
    return REJECT(graph, node, "attribute 'reduction' is '%s'; it must be none, sum or mean", given);
}

static int64_t ignored_label(const Node *node)
{
    return has_attr(node, "ignore_index") ? find_attr(node, "ignore_index")->i : NOTHING_IGNORED;
}

static bool infer_onnx_loss(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *target = &node->inputs[1]->type;
    int reduction;
    if (!read_reduction(graph, node, &reduction))
        return false;
    if (!is_float(x->dtype) || x->rank < 2)
        return REJECT(graph, node, "the scores are %s; they must be floating-point with samples and classes",
                      type_text(graph->arena, x));
    Type rows = without_axis(x, 1);
    rows.dtype = wide_dtype(x->dtype);
    if (!same_dims(&rows, target) || is_float(target->dtype))
        return REJECT(graph, node, "the labels are %s and do not fit the scores' %s", type_text(graph->arena, target),
                      type_text(graph->arena, x));
    if (input(node, 2) && element_count(&input(node, 2)->type) != x->dims[1])
        return REJECT(graph, node, "the weights are %s, but there are %" PRId64 " classes",
                      type_text(graph->arena, &input(node, 2)->type), x->dims[1]);
    return set_output_type(graph, node, 0, reduction == REDUCTION_NONE ? rows : scalar_type(rows.dtype)) &&
           set_output_type(graph, node, 1, *x);
}

static Value *build_cross_entropy(Graph *graph, Node *node, Value *logits)
{
    int reduction;
    read_reduction(graph, node, &reduction);
    Node *loss = build_begin(graph, "CrossEntropy", 3,
                             VALUES(logits, build_cast(graph, node->inputs[1], DTYPE_I64), input(node, 2)), 3);
    set_int(graph, loss, "ignore_index", ignored_label(node));
    set_int(graph, loss, "reduction", reduction);
    return build_finish(graph, loss);
}

static void expand_softmax_cross_entropy(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = build_cross_entropy(graph, node, node->inputs[0]);
    if (!has_output(node, 1))
        return;
    Node *log_prob = build_begin(graph, "LogSoftmax", 1, node->inputs, 1);
    set_int(graph, log_prob, "axis", 1);
    replacements[1] = build_finish(graph, log_prob);
}

static bool is_log_softmax_over_classes(const Value *value)
{
    const Node *node = value->producer;
    return node && !strcmp(node->op->name, "LogSoftmax") && axis_of(node, value->type.rank) == 1 &&
           attr_int(node, "axes") == 1;
}

/* Labels of rows that count, 0 in the others; and the weight of each row, 0 in those that do not count. */
static Value *build_row_weights(Graph *graph, Node *node, Value **labels)
{
    Value *target = build_cast(graph, node->inputs[1], DTYPE_I64);
    int64_t zero = 0, ignored = ignored_label(node);
    Type rows = target->type;
    rows.dtype = wide_dtype(node->inputs[0]->type.dtype);
    Value *is_ignored = build_binary(graph, "Equal", target, const_ints(graph, 1, &ignored));
    *labels = build_where(graph, is_ignored, const_ints(graph, 1, &zero), target);
    Value *weights = build_expand(graph, const_float(graph, rows.dtype, 1), rows.rank, rows.dims);
    if (input(node, 2))
        weights = build_cast(graph, build_binary(graph, "Gather", node->inputs[2], *labels), rows.dtype);
    return build_where(graph, is_ignored, const_float(graph, rows.dtype, 0), weights);
}

/* -Σ w·x[label], over Σ w for the mean. Of a LogSoftmax it is the cross entropy of its input. */
static void expand_nll(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0], *labels;
    int reduction;
    if (is_log_softmax_over_classes(x)) {
        replacements[0] = build_cross_entropy(graph, node, x->producer->inputs[0]);
        return;
    }
    read_reduction(graph, node, &reduction);
    Value *weights = build_row_weights(graph, node, &labels);
    Type columns = x->type;
    columns.dims[1] = 1;
    Node *gather = build_begin(graph, "GatherElements", 2, VALUES(x, build_reshape_as(graph, labels, &columns)), 1);
    set_int(graph, gather, "axis", 1);
    Value *picked = build_reshape_as(graph, build_finish(graph, gather), &labels->type);
    picked = build_cast(graph, picked, weights->type.dtype);
    Value *loss = build_neg(graph, build_mul(graph, picked, weights));
    const int64_t axes[MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    if (reduction != REDUCTION_NONE)
        loss = build_reduce_sum(graph, loss, labels->type.rank, axes, false);
    if (reduction == REDUCTION_MEAN)
        loss = build_div(graph, loss, build_reduce_sum(graph, weights, labels->type.rank, axes, false));
    replacements[0] = loss;
}

#define CROSS_ENTROPY_ATTRIBUTES "axis:int=1, ignore_index:int=-100, shift:int=0, reduction:int=2, batch:int=0"
#define GRADIENT_ATTRIBUTES ", stored:int=0"

/* Of a loss that is not reduced; the scores' classes are their axis 1. */
static int loss_follow_axis(const Node *node, int i, int axis)
{
    (void)node;
    return i == 1 ? axis : i == 0 && axis != 1 ? axis - (axis > 1) : -1;
}

static int64_t loss_index_count(const Node *node, int i)
{
    return i == 1 ? node->inputs[0]->type.dims[1] : -1;
}

const Op loss_ops[] = {
    {.name = "SoftmaxCrossEntropyLoss",
     .inputs = "scores:float, labels:int, weights:float?",
     .outputs = "output, log_prob?",
     .attributes = "ignore_index:int, reduction:string=mean",
     .since = 12,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .follow_axis = loss_follow_axis,
     .index_count = loss_index_count,
     .infer = infer_onnx_loss,
     .expand = expand_softmax_cross_entropy},
    {.name = "NegativeLogLikelihoodLoss",
     .inputs = "input:float, target:int, weight:float?",
     .outputs = "loss",
     .attributes = "ignore_index:int, reduction:string=mean",
     .since = 12,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .follow_axis = loss_follow_axis,
     .index_count = loss_index_count,
     .infer = infer_onnx_loss,
     .expand = expand_nll},
    {.name = "CrossEntropy",
     .inputs = "logits:float, target:int, weight:float?",
     .outputs = "loss, lse, total",
     .attributes = CROSS_ENTROPY_ATTRIBUTES,
     .internal = true,
     .stands_for = "SoftmaxCrossEntropyLoss",
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .index_count = indexed_along_axis,
     .infer = infer_cross_entropy,
     .gradient = cross_entropy_gradient,
     .evaluate = evaluate_cross_entropy},
    {.name = "CrossEntropyGrad",
     .inputs = "dloss:float, logits:float, target:int, weight:float?, lse:float, total:float",
     .outputs = "dlogits",
     .attributes = CROSS_ENTROPY_ATTRIBUTES GRADIENT_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = infer_cross_entropy_grad,
     .evaluate = evaluate_cross_entropy_grad},
    {.name = "MeanSquaredError",
     .inputs = "y:float, target:float",
     .outputs = "loss",
     .attributes = "batch:int=0",
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = infer_pair_loss,
     .gradient = mse_gradient,
     .evaluate = evaluate_mse},
    {.name = "MeanSquaredErrorGrad",
     .inputs = "dloss:float, y:float, target:float",
     .outputs = "dy",
     .attributes = "batch:int=0" GRADIENT_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = infer_pair_loss_grad,
     .evaluate = evaluate_mse_grad},
    {.name = "BceWithLogits",
     .inputs = "y:float, target:float",
     .outputs = "loss",
     .attributes = "batch:int=0",
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = infer_pair_loss,
     .gradient = bce_gradient,
     .evaluate = evaluate_bce},
    {.name = "BceWithLogitsGrad",
     .inputs = "dloss:float, y:float, target:float",
     .outputs = "dy",
     .attributes = "batch:int=0" GRADIENT_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = infer_pair_loss_grad,
     .evaluate = evaluate_bce_grad},
    {0},
};
