/* scan.c: running sums and products along an axis. ONNX's CumSum and CumProd become RunningSum and RunningProduct over
 * floats; integers go through f64, which is exact up to 2^53. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/support.h"

static bool cumulative_infer(Graph *graph, Node *node)
{
    int axis;
    if (element_count(&node->inputs[1]->type) != 1)
        return REJECT(graph, node, "the axis must be a scalar");
    return resolve_axis(graph, node, const_int_at(node->inputs[1], 0), node->inputs[0]->type.rank, &axis) &&
           infer_like_first(graph, node);
}

static Value *build_scan(Graph *graph, const char *op, Value *x, int64_t axis, bool exclusive, bool reverse)
{
    Node *node = build_begin(graph, op, 1, &x, 1);
    set_int(graph, node, "axis", axis);
    set_int(graph, node, "exclusive", exclusive);
    set_int(graph, node, "reverse", reverse);
    return build_finish(graph, node);
}

static void cumulative_expand(Graph *graph, Node *node, Value **replacements, const char *op)
{
    Value *x = node->inputs[0];
    Dtype dtype = x->type.dtype;
    if (!is_float(dtype))
        x = build_cast(graph, x, DTYPE_F64);
    Value *y = build_scan(graph, op, x, const_int_at(node->inputs[1], 0), attr_int(node, "exclusive"),
                          attr_int(node, "reverse"));
    replacements[0] = build_cast(graph, y, dtype);
}

static void cumsum_expand(Graph *graph, Node *node, Value **replacements)
{
    cumulative_expand(graph, node, replacements, "RunningSum");
}

static void cumprod_expand(Graph *graph, Node *node, Value **replacements)
{
    cumulative_expand(graph, node, replacements, "RunningProduct");
}

/* ---- RunningSum and RunningProduct ------------------------------------------------------------------------------- */

static bool scan_infer(Graph *graph, Node *node)
{
    int axis;
    return resolve_axis(graph, node, attr_int(node, "axis"), node->inputs[0]->type.rank, &axis) &&
           infer_like_first(graph, node);
}

/* x is summed into the outputs at and after it (before it in reverse), so dX sums those. */
static void sum_gradient(Differentiator *d, Node *node)
{
    contribute(d, node, 0,
               build_scan(d->graph, "RunningSum", dy_of(d, node, 0), attr_int(node, "axis"),
                          attr_int(node, "exclusive"), !attr_int(node, "reverse")));
}

/* mask[i, j, 1] = relation of positions i and j of an axis of n */
typedef bool Relation(int64_t i, int64_t j);

static Value *build_mask(Graph *graph, int64_t n, Relation *relation)
{
    Tensor mask = tensor_alloc(graph->arena, make_type(DTYPE_BOOL, 3, (int64_t[]){n, n, 1}));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            mask.i[i * n + j] = relation(i, j);
    return const_tensor(graph, &mask);
}

static bool is_same(int64_t i, int64_t j)
{
    return i == j;
}

static bool is_upto(int64_t i, int64_t j)
{
    return i <= j;
}

static bool is_before(int64_t i, int64_t j)
{
    return i < j;
}

static bool is_from(int64_t i, int64_t j)
{
    return i >= j;
}

static bool is_behind(int64_t i, int64_t j)
{
    return i > j;
}

/* dx[i] = sum over the j whose product has x[i] of dy[j] * (that product without x[i]). The products without x[i] are
 * the scan of x with a 1 at i: n scans of length n, which is what it costs to be right where x is zero. */
static void product_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    Value *x = node->inputs[0], *dy = dy_of(d, node, 0);
    int axis = axis_of(node, x->type.rank);
    int64_t n = x->type.dims[axis], outer = dims_product(&x->type, 0, axis),
            inner = dims_product(&x->type, axis + 1, x->type.rank), row[] = {outer, 1, n, inner};
    bool exclusive = attr_int(node, "exclusive"), reverse = attr_int(node, "reverse");
    Value *one = const_float(graph, x->type.dtype, 1), *zero = const_float(graph, x->type.dtype, 0);
    Value *without = build_where(graph, build_mask(graph, n, is_same), one, build_reshape(graph, x, 4, row));
    Value *products = build_scan(graph, "RunningProduct", without, 2, exclusive, reverse);
    Relation *contains = reverse ? (exclusive ? is_behind : is_from) : (exclusive ? is_before : is_upto);
    Value *terms = build_mul(graph, products, build_reshape(graph, dy, 4, row));
    terms = build_where(graph, build_mask(graph, n, contains), terms, zero);
    Value *dx = build_reduce_sum(graph, terms, 1, (int64_t[]){2}, false);
    contribute(d, node, 0, build_reshape(graph, dx, x->type.rank, x->type.dims));
}

static void scan_evaluate(const Node *node, const Tensor *x, Tensor *y, bool product)
{
    int axis = axis_of(node, x->type.rank);
    int64_t n = x->type.dims[axis], inner = dims_product(&x->type, axis + 1, x->type.rank);
    int64_t lines = n ? element_count(&x->type) / n : 0;
    bool exclusive = attr_int(node, "exclusive"), reverse = attr_int(node, "reverse");
    for (int64_t line = 0; line < lines; line++) {
        int64_t start = line / inner * n * inner + line % inner;
        double running = product;
        for (int64_t k = 0; k < n; k++) {
            int64_t at = start + (reverse ? n - 1 - k : k) * inner;
            double next = product ? running * x->f[at] : running + x->f[at];
            y->f[at] = exclusive ? running : next;
            running = next;
        }
    }
}

static void sum_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    scan_evaluate(node, &inputs[0], &outputs[0], false);
}

static void product_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    scan_evaluate(node, &inputs[0], &outputs[0], true);
}

static int64_t summed_axis(const Node *node)
{
    const Type *x = &node->inputs[0]->type;
    const int64_t axis = const_int_at(node->inputs[1], 0);
    return x->dims[axis < 0 ? axis + x->rank : axis];
}

static int cumulative_follow_axis(const Node *node, int i, int axis)
{
    const int64_t along = const_int_at(node->inputs[1], 0);
    return i == 0 && axis != (along < 0 ? along + node->inputs[0]->type.rank : along) ? axis : -1;
}

#define CUMULATIVE_ROW(NAME, SINCE)                                                                          \
    .name = #NAME, .inputs = "X, Axis:int!", .outputs = "Y", .attributes = "exclusive:int=0, reverse:int=0", \
    .since = SINCE, .precision = CLASS_KEEP, .kind = OP_EXPAND, .follow_axis = cumulative_follow_axis,       \
    .infer = cumulative_infer

#define SCAN_ROW(NAME)                                                                                             \
    .name = #NAME, .inputs = "X:float", .outputs = "Y", .attributes = "axis:int!, exclusive:int=0, reverse:int=0", \
    .since = 1, .internal = true, .precision = CLASS_KEEP, .kind = OP_KERNEL, .follow_axis = follow_others,        \
    .infer = scan_infer

const Op scan_ops[] = {
    {CUMULATIVE_ROW(CumSum, 14), .summands = summed_axis, .expand = cumsum_expand},
    {CUMULATIVE_ROW(CumProd, 26), .expand = cumprod_expand},
    {SCAN_ROW(RunningSum), .gradient = sum_gradient, .evaluate = sum_evaluate},
    {SCAN_ROW(RunningProduct), .gradient = product_gradient, .evaluate = product_evaluate},
    {0},
};
