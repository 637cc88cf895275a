/* select.c: the positions of extreme elements: ArgMax, ArgMin, TopK. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/support.h"

#include <math.h>
#include <stdlib.h>

/* ---- ArgMax and ArgMin ---------------------------------------------------------------------------------------------
 */

/* The kernels compare floats; f64 holds integers exactly up to 2^53. */
static bool arg_upgrade(Graph *graph, Node *node, int opset)
{
    (void)opset;
    if (!is_float(node->inputs[0]->type.dtype))
        convert_operand(graph, node, 0, DTYPE_F64);
    return true;
}

static bool arg_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int axis;
    if (!resolve_axis(graph, node, attr_int(node, "axis"), x->rank, &axis))
        return false;
    Type type = {.dtype = DTYPE_I64};
    for (int i = 0; i < x->rank; i++)
        if (i != axis || attr_int(node, "keepdims"))
            type.dims[type.rank++] = i == axis ? 1 : x->dims[i];
    return set_output_type(graph, node, 0, type);
}

static int arg_follow_axis(const Node *node, int i, int axis)
{
    int searched = axis_of(node, node->inputs[0]->type.rank);
    return i != 0 || axis == searched ? -1 : axis - (searched < axis && !attr_int(node, "keepdims"));
}

/* Does candidate beat best? NaN beats every number. */
static bool beats(double candidate, double best, bool largest)
{
    if (isnan(candidate))
        return !isnan(best);
    return largest ? candidate > best : candidate < best;
}

static double element_at(const Tensor *x, int64_t i)
{
    return x->f ? x->f[i] : (double)x->i[i];
}

static void arg_evaluate(const Node *node, const Tensor *x, Tensor *y, bool largest)
{
    int axis = axis_of(node, x->type.rank);
    int64_t n = x->type.dims[axis], inner = dims_product(&x->type, axis + 1, x->type.rank);
    int64_t lines = element_count(&y->type);
    bool last = attr_int(node, "select_last_index");
    for (int64_t line = 0; line < lines; line++) {
        int64_t start = line / inner * n * inner + line % inner, best = last ? n - 1 : 0;
        for (int64_t k = 1; k < n; k++) {
            int64_t candidate = last ? n - 1 - k : k;
            if (beats(element_at(x, start + candidate * inner), element_at(x, start + best * inner), largest))
                best = candidate;
        }
        y->i[line] = best;
    }
}

static void argmax_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    arg_evaluate(node, &inputs[0], &outputs[0], true);
}

static void argmin_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    arg_evaluate(node, &inputs[0], &outputs[0], false);
}

/* ---- TopK ----------------------------------------------------------------------------------------------------------
 */

static bool topk_upgrade(Graph *graph, Node *node, int opset)
{
    if (opset < 10 && has_attr(node, "k")) {
        set_operand(graph, node, 1, const_ints(graph, 1, (int64_t[]){find_attr(node, "k")->i}));
        remove_attr(node, "k");
    }
    return true;
}

static bool topk_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    int axis;
    if (!resolve_axis(graph, node, attr_int(node, "axis"), type.rank, &axis))
        return false;
    int64_t k = element_count(&node->inputs[1]->type) == 1 ? const_int_at(node->inputs[1], 0) : -1;
    if (k < 0 || k > type.dims[axis])
        return REJECT(graph, node, "K is %lld, but axis %d of %s has %lld elements", (long long)k, axis,
                      type_text(graph->arena, &type), (long long)type.dims[axis]);
    type.dims[axis] = k;
    Type indices = type;
    indices.dtype = DTYPE_I64;
    return set_output_type(graph, node, 0, type) && set_output_type(graph, node, 1, indices);
}

/* The values come from x at the indices, each from a place of its own. */
static void topk_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    const Type *x = &node->inputs[0]->type;
    Value *dy = dy_of(d, node, 0);
    if (!dy)
        return;
    Node *scatter =
        build_begin(graph, "ScatterElements", 3, (Value *[]){build_zeros(graph, x), node->outputs[1], dy}, 1);
    set_int(graph, scatter, "axis", axis_of(node, x->rank));
    contribute(d, node, 0, build_finish(graph, scatter));
}

typedef struct Ranked {
    double value;
    int64_t position;
} Ranked;

/* Equal values keep their order. */
static int by_value_descending(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (beats(x->value, y->value, true) != beats(y->value, x->value, true))
        return beats(x->value, y->value, true) ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

static int by_value_ascending(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (beats(x->value, y->value, false) != beats(y->value, x->value, false))
        return beats(x->value, y->value, false) ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

static void topk_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    const Type *x = &inputs[0].type;
    int axis = axis_of(node, x->rank);
    int64_t n = x->dims[axis], k = const_int_at(node->inputs[1], 0), inner = dims_product(x, axis + 1, x->rank);
    int64_t lines = n ? element_count(x) / n : 0;
    Ranked *ranked = NEW_ARRAY(arena, Ranked, n);
    for (int64_t line = 0; line < lines; line++) {
        int64_t outer = line / inner, start = outer * n * inner + line % inner;
        for (int64_t i = 0; i < n; i++)
            ranked[i] = (Ranked){element_at(&inputs[0], start + i * inner), i};
        qsort(ranked, (size_t)n, sizeof(*ranked), attr_int(node, "largest") ? by_value_descending : by_value_ascending);
        for (int64_t i = 0; i < k; i++) {
            int64_t to = (outer * k + i) * inner + line % inner;
            copy_element(&outputs[0], to, &inputs[0], start + ranked[i].position * inner);
            if (outputs[1].i)
                outputs[1].i[to] = ranked[i].position;
        }
    }
}

#define ARG_ROW(NAME)                                                                                                  \
    .name = #NAME, .inputs = "X", .outputs = "Y", .attributes = "axis:int=0, keepdims:int=1, select_last_index:int=0", \
    .since = 13, .precision = CLASS_NONE, .kind = OP_KERNEL, .upgrade = arg_upgrade, .infer = arg_infer,               \
    .follow_axis = arg_follow_axis

const Op select_ops[] = {
    {ARG_ROW(ArgMax), .evaluate = argmax_evaluate},
    {ARG_ROW(ArgMin), .evaluate = argmin_evaluate},
    {.name = "TopK",
     .inputs = "X, K:int!",
     .outputs = "Values, Indices",
     .attributes = "axis:int=-1, largest:int=1, sorted:int=1",
     .since = 11,
     .keeps_range = 1 << 0,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .upgrade = topk_upgrade,
     .follow_axis = follow_others,
     .infer = topk_infer,
     .gradient = topk_gradient,
     .evaluate = topk_evaluate},
    {0},
};
