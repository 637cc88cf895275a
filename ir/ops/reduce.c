/* reduce.c: reductions over sets of axes.
 *
 * Kernels reduce the middle axis of [outer, reduced, inner]: SumOver, MeanOver, MaxOver, MinOver, ProdOver. A reduction
 * over axes that are not neighbours is one such step for each run of neighbours, the last run first; for means that is
 * right because every partial mean is over equally many elements. */
#include "ir/ops/shared/support.h"

#include <math.h>

/* ---- axes -------------------------------------------------------------------------------------------------------- */

/* Without axes all are reduced, or none when noop_with_empty_axes says so. */
static bool reduced_axes(Graph *graph, const Node *node, bool chosen[MAX_RANK])
{
    const Value *axes = input(node, 1);
    int rank = node->inputs[0]->type.rank;
    int64_t count = axes ? element_count(&axes->type) : 0, list[MAX_RANK];
    if (count > rank)
        return REJECT(graph, node, "%lld axes are given, but the operand has rank %d", (long long)count, rank);
    for (int64_t i = 0; i < count; i++)
        list[i] = const_int_at(axes, i);
    if (!resolve_axes(graph, node, (int)count, list, rank, chosen))
        return false;
    for (int i = 0; count == 0 && i < rank; i++)
        chosen[i] = !attr_int(node, "noop_with_empty_axes");
    return true;
}

/* What the result is stored as: X's dtype, or what attribute `stored`, an ONNX number, says, which is pcc's own: the
 * gradient of an f32 bias is a sum of 16-bit cotangents. */
static bool stored_dtype(Graph *graph, const Node *node, Dtype *dtype)
{
    const Dtype x = node->inputs[0]->type.dtype;
    const Attr *stored = find_attr(node, "stored");
    *dtype = x;
    if (!stored || stored->i == 0)
        return true;
    if (!dtype_from_onnx(stored->i, dtype) || is_float(*dtype) != is_float(x) ||
        (*dtype == DTYPE_F64) != (x == DTYPE_F64))
        return REJECT(graph, node, "a reduction of %s cannot be stored as attribute 'stored', %lld, says",
                      dtype_info[x].name, (long long)stored->i);
    return true;
}

static bool reduce_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    bool chosen[MAX_RANK];
    Type type;
    if (!reduced_axes(graph, node, chosen) || !stored_dtype(graph, node, &type.dtype))
        return false;
    type.rank = 0;
    for (int i = 0; i < x->rank; i++)
        if (!chosen[i] || attr_int(node, "keepdims"))
            type.dims[type.rank++] = chosen[i] ? 1 : x->dims[i];
    return set_output_type(graph, node, 0, type);
}

static int reduce_follow_axis(const Node *node, int i, int axis)
{
    bool chosen[MAX_RANK];
    int to = axis;
    if (i != 0 || !reduced_axes(node->graph, node, chosen) || chosen[axis])
        return -1;
    for (int before = 0; before < axis; before++)
        to -= chosen[before] && !attr_int(node, "keepdims");
    return to;
}

/* `value`, of the output's dims, with the reduced axes as 1, so that it broadcasts against the operand. */
static Value *keep_axes(Graph *graph, const Node *node, Value *value)
{
    Type kept = node->inputs[0]->type;
    bool chosen[MAX_RANK];
    reduced_axes(graph, node, chosen);
    for (int i = 0; i < kept.rank; i++)
        if (chosen[i])
            kept.dims[i] = 1;
    return build_reshape(graph, value, kept.rank, kept.dims);
}

static bool reduce_upgrade(Graph *graph, Node *node, int opset)
{
    if (opset < 18)
        ints_to_operand(graph, node, "axes", 1);
    return true;
}

/* ---- expansion into steps ---------------------------------------------------------------------------------------- */

/* Does a run begin before axis `end`? */
static bool reduces_before(const Type *type, const bool *chosen, int end)
{
    for (int i = 0; i < end; i++)
        if (chosen[i] && type->dims[i] != 1)
            return true;
    return false;
}

/* One step over x[outer, reduced, inner]. Of floats up to 32 bits only the last one rounds to fewer. */
static Value *build_step(Graph *graph, const char *step, Value *x, bool is_last, Dtype result)
{
    Node *node = build_begin(graph, step, 1, &x, 1);
    if (x->type.dtype != DTYPE_F64)
        set_int(graph, node, "stored", dtype_info[is_last && is_narrow(result) ? result : DTYPE_F32].onnx);
    return build_finish(graph, node);
}

/* A step, and what it makes of nothing. */
typedef struct Reduction {
    const char *step;
    double identity;
} Reduction;

/* The integer nearest to `value`, which may be infinite. */
static int64_t saturated(Dtype dtype, double value)
{
    const int bits = dtype == DTYPE_BOOL ? 1 : 8 * dtype_info[dtype].bytes - dtype_info[dtype].is_signed;
    const int64_t greatest = bits == 64 ? -1 : (int64_t)((UINT64_C(1) << bits) - 1); /* of u64 the bits */
    if (isinf(value))
        return value > 0 ? greatest : dtype_info[dtype].is_signed ? -greatest - 1 : 0;
    return (int64_t)value;
}

/* Integers reduced over an empty set. */
static Value *build_identity(Graph *graph, const Type *result, double identity)
{
    Tensor scalar = tensor_alloc(graph->arena, scalar_type(result->dtype));
    scalar.i[0] = saturated(result->dtype, identity);
    return build_expand(graph, const_tensor(graph, &scalar), result->rank, result->dims);
}

/* The kernels take floats: integers go through f64, which is exact up to 2^53. */
static Value *reduce_runs(Graph *graph, const Node *node, Value *x, Reduction reduction)
{
    Type type = x->type;
    const Type *result = &node->outputs[0]->type;
    bool chosen[MAX_RANK];
    reduced_axes(graph, node, chosen);
    if (element_count(&type) == 0 && !is_float(result->dtype))
        return build_identity(graph, result, reduction.identity);
    Value *y = is_float(type.dtype) ? x : build_cast(graph, x, DTYPE_F64);
    for (int last = type.rank; last > 0; last--) {
        if (!chosen[last - 1])
            continue;
        int first = last - 1;
        while (first > 0 && chosen[first - 1])
            first--;
        int64_t reduced = dims_product(&type, first, last);
        int64_t outer = dims_product(&type, 0, first), inner = dims_product(&type, last, type.rank);
        if (reduced != 1)
            y = build_step(graph, reduction.step, build_reshape(graph, y, 3, (int64_t[]){outer, reduced, inner}),
                           !reduces_before(&type, chosen, first), result->dtype);
        for (int i = first; i < last; i++)
            type.dims[i] = 1;
        last = first + 1;
    }
    return build_cast(graph, build_reshape(graph, y, result->rank, result->dims), result->dtype);
}

static void sum_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = reduce_runs(graph, node, node->inputs[0], (Reduction){"SumOver", 0});
}

static void mean_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = reduce_runs(graph, node, node->inputs[0], (Reduction){"MeanOver", 0});
}

static void max_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = reduce_runs(graph, node, node->inputs[0], (Reduction){"MaxOver", -INFINITY});
}

static void min_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = reduce_runs(graph, node, node->inputs[0], (Reduction){"MinOver", INFINITY});
}

/* Widened first: the gradient multiplies by partial products. */
static void prod_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = reduce_runs(graph, node, build_widened(graph, node->inputs[0]), (Reduction){"ProdOver", 1});
}

/* ---- compositions ------------------------------------------------------------------------------------------------ */

/* The reduction `op` of x over the node's axes. */
static Value *build_like(Graph *graph, const Node *node, const char *op, Value *x)
{
    Node *reduction = build_begin(graph, op, 2, (Value *[]){x, input(node, 1)}, 1);
    set_int(graph, reduction, "keepdims", attr_int(node, "keepdims"));
    set_int(graph, reduction, "noop_with_empty_axes", attr_int(node, "noop_with_empty_axes"));
    return build_finish(graph, reduction);
}

/* The compositions are of f32 at least, rounded at the end. */
static Value *narrowed(Graph *graph, const Node *node, Value *result)
{
    return build_cast(graph, result, node->outputs[0]->type.dtype);
}

static void l1_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *magnitudes = build_unary(graph, "Abs", build_widened(graph, node->inputs[0]));
    replacements[0] = narrowed(graph, node, build_like(graph, node, "ReduceSum", magnitudes));
}

static Value *build_sum_of_squares(Graph *graph, const Node *node)
{
    Value *x = build_widened(graph, node->inputs[0]);
    Value *squares = is_float(x->type.dtype) ? build_unary(graph, "Square", x) : build_mul(graph, x, x);
    return build_like(graph, node, "ReduceSum", squares);
}

static void sum_square_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = narrowed(graph, node, build_sum_of_squares(graph, node));
}

static void l2_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = narrowed(graph, node, build_unary(graph, "NormSqrt", build_sum_of_squares(graph, node)));
}

static void log_sum_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *sum = build_like(graph, node, "ReduceSum", build_widened(graph, node->inputs[0]));
    replacements[0] = narrowed(graph, node, build_unary(graph, "Log", sum));
}

/* m + log(sum(e^(x - m))) with m = max(x), or 0 where that is infinite. */
static void log_sum_exp_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = build_widened(graph, node->inputs[0]), *max = build_like(graph, node, "ReduceMax", x);
    Value *infinite = build_unary(graph, "IsInf", max);
    Value *shift = build_where(graph, infinite, const_float(graph, x->type.dtype, 0), max);
    Value *exponentials = build_unary(graph, "Exp", build_sub(graph, x, keep_axes(graph, node, shift)));
    Value *sum = build_like(graph, node, "ReduceSum", exponentials);
    replacements[0] = narrowed(graph, node, build_add(graph, build_unary(graph, "Log", sum), shift));
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static Value *spread(Differentiator *d, const Node *node)
{
    const Type *x = &node->inputs[0]->type;
    return build_expand(d->graph, keep_axes(d->graph, node, dy_of(d, node, 0)), x->rank, x->dims);
}

static void sum_gradient(Differentiator *d, Node *node)
{
    contribute(d, node, 0, spread(d, node));
}

static void mean_gradient(Differentiator *d, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    Value *dy = keep_axes(d->graph, node, dy_of(d, node, 0));
    double share = (double)element_count(&node->outputs[0]->type) / (double)element_count(x);
    contribute(d, node, 0, build_expand(d->graph, build_scale(d->graph, dy, share), x->rank, x->dims));
}

/* To every element that attains the extremum an equal share. */
static void extremum_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    Value *x = node->inputs[0], *y = keep_axes(graph, node, node->outputs[0]);
    Value *attains = build_cast(graph, build_binary(graph, "Equal", x, y), x->type.dtype);
    Value *ties = keep_axes(graph, node, build_like(graph, node, "ReduceSum", attains));
    Value *share = build_div(graph, keep_axes(graph, node, dy_of(d, node, 0)), ties);
    contribute(d, node, 0, build_mul(graph, attains, share));
}

static void log_sum_exp_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    Value *softmax =
        build_unary(graph, "Exp", build_sub(graph, node->inputs[0], keep_axes(graph, node, node->outputs[0])));
    contribute(d, node, 0, build_mul(graph, softmax, keep_axes(graph, node, dy_of(d, node, 0))));
}

static Value *exclusive_product(Graph *graph, Value *x, bool reverse)
{
    Node *node = build_begin(graph, "RunningProduct", 1, &x, 1);
    set_int(graph, node, "axis", 1);
    set_int(graph, node, "exclusive", 1);
    set_int(graph, node, "reverse", reverse);
    return build_finish(graph, node);
}

/* The product of the other elements is that of those before times that of those behind: no division by a zero. */
static void prod_over_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    Value *x = node->inputs[0];
    const int64_t *dims = x->type.dims;
    Value *others = build_mul(graph, exclusive_product(graph, x, false), exclusive_product(graph, x, true));
    Value *dy = build_cast(graph, dy_of(d, node, 0), x->type.dtype);
    dy = build_reshape(graph, dy, 3, (int64_t[]){dims[0], 1, dims[2]});
    contribute(d, node, 0, build_mul(graph, others, dy));
}

/* ---- the steps --------------------------------------------------------------------------------------------------- */

static bool over_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    if (x->rank != 3)
        return REJECT(graph, node, "the operand has rank %d; it must be [outer, reduced, inner]", x->rank);
    Dtype dtype;
    return stored_dtype(graph, node, &dtype) &&
           set_output_type(graph, node, 0, make_type(dtype, 2, (int64_t[]){x->dims[0], x->dims[2]}));
}

typedef double Combine(double accumulated, double element);

static void over_evaluate(const Tensor *x, Tensor *y, double identity, Combine *combine)
{
    int64_t reduced = x->type.dims[1], inner = x->type.dims[2], count = element_count(&y->type);
    for (int64_t i = 0; i < count; i++) {
        const double *line = x->f + i / inner * reduced * inner + i % inner;
        double result = identity;
        for (int64_t k = 0; k < reduced; k++)
            result = combine(result, line[k * inner]);
        y->f[i] = result;
    }
}

static double combine_sum(double a, double b)
{
    return a + b;
}

static double combine_prod(double a, double b)
{
    return a * b;
}

static double combine_max(double a, double b)
{
    return b > a || isnan(b) ? b : a;
}

static double combine_min(double a, double b)
{
    return b < a || isnan(b) ? b : a;
}

static void sum_over_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    over_evaluate(&inputs[0], &outputs[0], 0, combine_sum);
}

static void mean_over_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    int64_t count = element_count(&outputs[0].type);
    over_evaluate(&inputs[0], &outputs[0], 0, combine_sum);
    for (int64_t i = 0; i < count; i++)
        outputs[0].f[i] /= (double)inputs[0].type.dims[1];
}

static void max_over_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    over_evaluate(&inputs[0], &outputs[0], -INFINITY, combine_max);
}

static void min_over_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    over_evaluate(&inputs[0], &outputs[0], INFINITY, combine_min);
}

static void prod_over_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    over_evaluate(&inputs[0], &outputs[0], 1, combine_prod);
}

static int64_t reduced_elements(const Node *node)
{
    const int64_t results = element_count(&node->outputs[0]->type);
    return results > 0 ? element_count(&node->inputs[0]->type) / results : 0;
}

#define REDUCE_ROW(NAME, SINCE, CLASS)                                                                      \
    .name = #NAME, .inputs = "X, Axes:int?!", .outputs = "Y",                                               \
    .attributes = "keepdims:int=1, noop_with_empty_axes:int=0", .since = SINCE, .precision = CLASS_##CLASS, \
    .kind = OP_EXPAND, .follow_axis = reduce_follow_axis, .upgrade = reduce_upgrade, .infer = reduce_infer

#define OVER_ROW(NAME, PREFIX, CLASS)                                                                               \
    .name = #NAME, .inputs = "X:float", .outputs = "Y", .attributes = "stored:int=0", .since = 1, .internal = true, \
    .precision = CLASS_##CLASS, .kind = OP_KERNEL, .infer = over_infer, .evaluate = PREFIX##_over_evaluate

const Op reduce_ops[] = {
    {.name = "ReduceSum",
     .inputs = "X, Axes:int?!",
     .outputs = "Y",
     .attributes = "keepdims:int=1, noop_with_empty_axes:int=0, stored:int=0",
     .since = 13,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .follow_axis = reduce_follow_axis,
     .upgrade = upgrade_axes,
     .infer = reduce_infer,
     .gradient = sum_gradient,
     .summands = reduced_elements,
     .expand = sum_expand,
     .expands_after_gradient = true},
    {REDUCE_ROW(ReduceMean, 18, FOLLOW), .gradient = mean_gradient, .expand = mean_expand,
     .expands_after_gradient = true},
    {REDUCE_ROW(ReduceMax, 20, FOLLOW), .keeps_range = 1 << 0, .gradient = extremum_gradient, .expand = max_expand,
     .expands_after_gradient = true},
    {REDUCE_ROW(ReduceMin, 20, FOLLOW), .keeps_range = 1 << 0, .gradient = extremum_gradient, .expand = min_expand,
     .expands_after_gradient = true},
    {REDUCE_ROW(ReduceLogSumExp, 18, KEEP), .gradient = log_sum_exp_gradient, .expand = log_sum_exp_expand,
     .expands_after_gradient = true},
    {REDUCE_ROW(ReduceProd, 18, KEEP), .expand = prod_expand},
    {REDUCE_ROW(ReduceL1, 18, KEEP), .summands = reduced_elements, .expand = l1_expand},
    {REDUCE_ROW(ReduceL2, 18, KEEP), .expand = l2_expand},
    {REDUCE_ROW(ReduceLogSum, 18, KEEP), .expand = log_sum_expand},
    {REDUCE_ROW(ReduceSumSquare, 18, KEEP), .summands = reduced_elements, .expand = sum_square_expand},
    {OVER_ROW(SumOver, sum, KEEP)},
    {OVER_ROW(MeanOver, mean, FOLLOW)},
    {OVER_ROW(MaxOver, max, FOLLOW)},
    {OVER_ROW(MinOver, min, FOLLOW)},
    {OVER_ROW(ProdOver, prod, KEEP), .gradient = prod_over_gradient},
    {0},
};
