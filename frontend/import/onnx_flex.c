/* onnx_flex.c: FlexAttention, the preview operator whose scores and probabilities pass through subgraphs of its own. */
#include <math.h>
#include <string.h>

#include "frontend/import/onnx_control.h"

/* q[B, H, S, D], k[B, H/group, T, D], v[B, H/group, T, E] of one float dtype. */
static bool operands_agree(Value *const *operands)
{
    const Type *q = &operands[0]->type, *k = &operands[1]->type, *v = &operands[2]->type;
    return q->rank == 4 && k->rank == 4 && v->rank == 4 && is_float(q->dtype) && q->dtype == k->dtype &&
           k->dtype == v->dtype && q->dims[0] == k->dims[0] && k->dims[0] == v->dims[0] && k->dims[1] > 0 &&
           k->dims[1] == v->dims[1] && q->dims[1] % k->dims[1] == 0 && k->dims[2] == v->dims[2] &&
           q->dims[3] == k->dims[3] && q->dims[3] > 0;
}

/* Each head of keys or values for its group of queries' heads. */
static Value *repeated(Graph *graph, Value *x, int64_t group)
{
    const int64_t *d = x->type.dims;
    Value *apart = build_reshape(graph, x, 5, (int64_t[]){d[0], d[1], 1, d[2], d[3]});
    apart = build_expand(graph, apart, 5, (int64_t[]){d[0], d[1], group, d[2], d[3]});
    return build_reshape(graph, apart, 4, (int64_t[]){d[0], d[1] * group, d[2], d[3]});
}

/* x as the subgraph of that name makes it; x itself without one, NULL when it was refused or changes the type. */
static Value *modified(const Control *control, const char *name, Value *x)
{
    const AttributeProto *attribute = control_attribute(control, name);
    Value *y = NULL;
    if (!attribute || !attribute->g) {
        return x;
    }
    check_signature(control, attribute->g, 1, 1);
    spend_iteration(control);
    const char *suffix = arena_printf(control->import->arena, "%s/", name);
    if (!import_subgraph(control, attribute->g, suffix, &x, (bool[]){true}, &y) || is_poisoned(y)) {
        return NULL;
    }
    control->import->graph->origin = control->origin;
    return same_type(&x->type, &y->type) ? y : NULL;
}

static double scale_of(const Control *control, const Type *q)
{
    const AttributeProto *scale = control_attribute(control, "scale");
    return scale ? (double)scale->f : 1 / sqrt((double)q->dims[3]);
}

static Dtype softmax_dtype(const Control *control, Dtype dtype)
{
    const AttributeProto *precision = control_attribute(control, "softmax_precision");
    Dtype given;
    return precision && dtype_from_onnx(precision->i, &given) && is_float(given) ? given : wide_dtype(dtype);
}

bool import_flex_attention(const Control *control)
{
    Graph *graph = control->import->graph;
    Value *operands[3] = {NULL};
    for (size_t i = 0; i < 3; i++) {
        operands[i] = node_input(control->import, control->scope, control->origin, control->node, i);
        if (!operands[i]) {
            return refuse_control(control, "without Q, K and V");
        }
    }
    if (!operands_agree(operands)) {
        return refuse_control(control, "whose Q, K and V do not agree as [batch, heads, sequence, width]");
    }
    Value *q = operands[0], *v = operands[2];
    const int64_t group = q->type.dims[1] / v->type.dims[1];
    const Dtype dtype = softmax_dtype(control, q->type.dtype);
    graph->origin = control->origin;
    Value *scores = build_matmul(graph, q, false, repeated(graph, operands[1], group), true);
    scores = modified(control, "score_mod",
                      build_scale(graph, build_cast(graph, scores, dtype), scale_of(control, &q->type)));
    Value *weights = scores ? modified(control, "prob_mod", build_unary(graph, "Softmax", scores)) : NULL;
    if (!weights) {
        return refuse_control(control, "whose subgraphs pcc does not have");
    }
    Value *y = build_matmul(graph, build_cast(graph, weights, v->type.dtype), false, repeated(graph, v, group), false);
    define_result(control->import, control->body, control->scope, control->node, 0, y);
    return true;
}
