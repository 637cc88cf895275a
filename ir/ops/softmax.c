/* softmax.c: Softmax, LogSoftmax and Hardmax. pcc's attribute `axes` is the number of axes from `axis` on that are
 * normalised together: 1 since opset 13; before, all the trailing ones. */
#include "ir/ops/shared/geometry.h"

#include <math.h>

Slices slices_of(const Node *node, const Type *x)
{
    int axis = axis_of(node, x->rank), end = axis + (int)attr_int(node, "axes");
    return (Slices){dims_product(x, 0, axis), dims_product(x, axis, end), dims_product(x, end, x->rank)};
}

static bool infer_softmax(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int axis;
    if (!is_float(x->dtype))
        return REJECT(graph, node, "the input is %s; it must be floating-point", type_text(graph->arena, x));
    if (!resolve_axis(graph, node, attr_int(node, "axis"), x->rank, &axis))
        return false;
    if (attr_int(node, "axes") < 1 || attr_int(node, "axes") > x->rank - axis)
        return REJECT(graph, node, "attribute 'axes' is %" PRId64 ", from axis %d of rank %d", attr_int(node, "axes"),
                      axis, x->rank);
    return set_stored_type(graph, node, *x);
}

/* Before opset 13 the input was taken as a matrix whose rows begin at `axis`, by default 1. */
static bool upgrade_softmax(Graph *graph, Node *node, int opset)
{
    const Type *x = &node->inputs[0]->type;
    int axis;
    if (opset >= 13)
        return true;
    if (!has_attr(node, "axis"))
        set_int(graph, node, "axis", 1);
    if (!resolve_axis(graph, node, attr_int(node, "axis"), x->rank, &axis))
        return false;
    set_int(graph, node, "axes", x->rank - axis);
    return true;
}

/* ---- reference ---- */

static double log_sum_exp(const double *x, const Slices *s, double *largest)
{
    *largest = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < s->width; i++)
        *largest = fmax(*largest, x[i * s->inner]);
    for (int64_t i = 0; i < s->width; i++)
        sum += exp(x[i * s->inner] - *largest);
    return log(sum);
}

static void evaluate_rows(const Node *node, const Tensor *inputs, Tensor *outputs, bool logarithmic)
{
    Slices s = slices_of(node, &inputs[0].type);
    for (int64_t row = 0; row < s.outer * s.inner; row++) {
        int64_t first = row / s.inner * s.width * s.inner + row % s.inner;
        const double *x = inputs[0].f + first;
        double largest, scale = log_sum_exp(x, &s, &largest), *y = outputs[0].f + first;
        for (int64_t i = 0; i < s.width; i++) {
            double log_p = x[i * s.inner] - largest - scale;
            y[i * s.inner] = logarithmic ? log_p : exp(log_p);
        }
    }
}

static void evaluate_softmax(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    evaluate_rows(node, inputs, outputs, false);
}

static void evaluate_log_softmax(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    evaluate_rows(node, inputs, outputs, true);
}

/* Softmax: dx = y·(dy - Σ dy·y). LogSoftmax: dx = dy - e^y·Σ dy. */
static void evaluate_rows_grad(const Node *node, const Tensor *inputs, Tensor *outputs, bool logarithmic)
{
    Slices s = slices_of(node, &inputs[0].type);
    for (int64_t row = 0; row < s.outer * s.inner; row++) {
        int64_t first = row / s.inner * s.width * s.inner + row % s.inner;
        const double *y = inputs[0].f + first, *dy = inputs[1].f + first;
        double sum = 0, *dx = outputs[0].f + first;
        for (int64_t i = 0; i < s.width; i++)
            sum += dy[i * s.inner] * (logarithmic ? 1 : y[i * s.inner]);
        for (int64_t i = 0; i < s.width * s.inner; i += s.inner)
            dx[i] = logarithmic ? dy[i] - exp(y[i]) * sum : y[i] * (dy[i] - sum);
    }
}

static void evaluate_softmax_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    evaluate_rows_grad(node, inputs, outputs, false);
}

static void evaluate_log_softmax_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    evaluate_rows_grad(node, inputs, outputs, true);
}

/* ---- gradients ---- */

static void contribute_grad(Differentiator *d, Node *node, const char *op)
{
    Node *grad = build_begin(d->graph, op, 2, VALUES(node->outputs[0], dy_of(d, node, 0)), 1);
    copy_attrs(d->graph, grad, node);
    set_int(d->graph, grad, "stored", dtype_info[node->inputs[0]->type.dtype].onnx);
    contribute(d, node, 0, build_finish(d->graph, grad));
}

static void softmax_gradient(Differentiator *d, Node *node)
{
    contribute_grad(d, node, "SoftmaxGrad");
}

static void log_softmax_gradient(Differentiator *d, Node *node)
{
    contribute_grad(d, node, "LogSoftmaxGrad");
}

/* ---- Hardmax ---- */

/* 1 at the first maximum of each slice, 0 elsewhere; it has no gradient. */
static void expand_hardmax(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0];
    Slices s = slices_of(node, &x->type);
    Value *rows = build_reshape(graph, x, 3, (int64_t[]){s.outer, s.width, s.inner});
    Node *winner = build_begin(graph, "ArgMax", 1, &rows, 1);
    set_int(graph, winner, "axis", 1);
    set_int(graph, winner, "keepdims", 0);
    Tensor levels = tensor_alloc(graph->arena, make_type(x->type.dtype, 1, (int64_t[]){2}));
    levels.f[1] = 1;
    Node *hot = build_begin(
        graph, "OneHot", 3,
        VALUES(build_finish(graph, winner), const_ints(graph, 1, &s.width), const_tensor(graph, &levels)), 1);
    set_int(graph, hot, "axis", 1);
    replacements[0] = build_reshape_as(graph, build_finish(graph, hot), &x->type);
}

#define SOFTMAX_ATTRIBUTES "axis:int=-1, axes:int=1, stored:int=0"

/* Along `axes` axes from `axis` on. */
static int softmax_follow_axis(const Node *node, int i, int axis)
{
    int64_t first = axis_of(node, node->inputs[0]->type.rank), last = first + attr_int(node, "axes");
    return i == 0 && (axis < first || axis >= last) ? axis : -1;
}

const Op softmax_ops[] = {
    {.name = "Softmax",
     .inputs = "input:float",
     .outputs = "output",
     .attributes = SOFTMAX_ATTRIBUTES,
     .since = 13,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .upgrade = upgrade_softmax,
     .follow_axis = softmax_follow_axis,
     .infer = infer_softmax,
     .gradient = softmax_gradient,
     .evaluate = evaluate_softmax},
    {.name = "SoftmaxGrad",
     .inputs = "Y:float, dY:float",
     .outputs = "dX",
     .attributes = SOFTMAX_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = infer_softmax,
     .evaluate = evaluate_softmax_grad},
    {.name = "LogSoftmax",
     .inputs = "input:float",
     .outputs = "output",
     .attributes = SOFTMAX_ATTRIBUTES,
     .since = 13,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .upgrade = upgrade_softmax,
     .follow_axis = softmax_follow_axis,
     .infer = infer_softmax,
     .gradient = log_softmax_gradient,
     .evaluate = evaluate_log_softmax},
    {.name = "LogSoftmaxGrad",
     .inputs = "Y:float, dY:float",
     .outputs = "dX",
     .attributes = SOFTMAX_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_KEEP,
     .kind = OP_KERNEL,
     .infer = infer_softmax,
     .evaluate = evaluate_log_softmax_grad},
    {.name = "Hardmax",
     .inputs = "input:float",
     .outputs = "output",
     .attributes = SOFTMAX_ATTRIBUTES,
     .since = 13,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .upgrade = upgrade_softmax,
     .follow_axis = softmax_follow_axis,
     .infer = infer_softmax,
     .expand = expand_hardmax},
    {0},
};
