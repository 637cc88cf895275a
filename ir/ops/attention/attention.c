/* attention.c: scaled dot-product attention, fused and tiled by its kernel; its operands may be strided views, such as
 * the heads of one projection. */
#include "ir/ops/shared/heads.h"

#include <math.h>
#include <string.h>

Attention attention_of(const Node *node)
{
    const Type *q = &node->inputs[0]->type, *k = &node->inputs[1]->type, *v = &node->inputs[2]->type;
    return (Attention){.batch = q->dims[0],
                       .heads = q->dims[1],
                       .queries = q->dims[2],
                       .keys = k->dims[2],
                       .width = q->dims[3],
                       .value_width = v->dims[3],
                       .group = q->dims[1] / k->dims[1],
                       .scale = attr_float(node, "scale"),
                       .causal = attr_int(node, "is_causal")};
}

/* ---- inference ---- */

bool heads_agree(const Type *q, const Type *k, const Type *v)
{
    return q->rank == 4 && k->rank == 4 && v->rank == 4 && q->dims[0] == k->dims[0] && k->dims[0] == v->dims[0] &&
           k->dims[1] == v->dims[1] && k->dims[1] > 0 && q->dims[1] % k->dims[1] == 0 && k->dims[2] == v->dims[2] &&
           q->dims[3] == k->dims[3] && is_float(q->dtype) && q->dtype == k->dtype && k->dtype == v->dtype;
}

/* Bool, or to be added to the scores: of any width that the kernel reads beside q's. */
static bool is_mask(const Type *mask, const Type *q)
{
    return mask->rank == 4 && (mask->dtype == DTYPE_BOOL ||
                               (is_float(mask->dtype) && (mask->dtype == DTYPE_F64) == (q->dtype == DTYPE_F64)));
}

static bool check_heads(Graph *graph, Node *node)
{
    const Type *q = &node->inputs[0]->type, *k = &node->inputs[1]->type, *v = &node->inputs[2]->type;
    if (!heads_agree(q, k, v))
        return REJECT(graph, node, "Q %s, K %s and V %s do not agree as [batch, heads, sequence, width]",
                      type_text(graph->arena, q), type_text(graph->arena, k), type_text(graph->arena, v));
    const int64_t scores[] = {q->dims[0], q->dims[1], q->dims[2], k->dims[2]};
    for (int i = 0; input(node, 3) && i < 4; i++) {
        const Type *mask = &node->inputs[3]->type;
        if (!is_mask(mask, q) || (mask->dims[i] != 1 && mask->dims[i] != scores[i]))
            return REJECT(graph, node, "the mask %s does not broadcast to the scores of Q %s and K %s",
                          type_text(graph->arena, mask), type_text(graph->arena, q), type_text(graph->arena, k));
    }
    return true;
}

static bool infer_attention(Graph *graph, Node *node)
{
    if (!check_heads(graph, node))
        return false;
    Type y = node->inputs[0]->type, statistic = y;
    y.dims[3] = node->inputs[2]->type.dims[3];
    statistic.rank = 3;
    statistic.dtype = wide_dtype(y.dtype);
    return set_output_type(graph, node, 0, y) && set_output_type(graph, node, 1, statistic) &&
           set_output_type(graph, node, 2, statistic);
}

static bool infer_attention_grad(Graph *graph, Node *node)
{
    for (int i = 0; i < 3; i++)
        if (!set_output_type(graph, node, i, node->inputs[i]->type))
            return false;
    return check_heads(graph, node);
}

/* ---- reference ---- */

/* The tensors of one head: rows of q and of k, v; the mask, from `mask_at` on, by strides, 0 where it broadcasts. */
typedef struct Head {
    const double *q, *k, *v;
    const Tensor *mask; /* or NULL */
    int64_t mask_at, mask_query, mask_key;
} Head;

int64_t broadcast_stride(const Type *type, const int64_t *strides, int axis)
{
    return type->dims[axis] == 1 ? 0 : strides[axis];
}

static Head head_of(const Attention *a, const Tensor *inputs, const Tensor *mask, int64_t batch, int64_t head)
{
    int64_t kv = batch * (a->heads / a->group) + head / a->group;
    Head h = {.q = inputs[0].f + (batch * a->heads + head) * a->queries * a->width,
              .k = inputs[1].f + kv * a->keys * a->width,
              .v = inputs[2].f + kv * a->keys * a->value_width};
    if (!mask || (!mask->f && !mask->i))
        return h;
    int64_t strides[MAX_RANK];
    dense_strides(&mask->type, strides);
    h.mask = mask;
    h.mask_at = batch * broadcast_stride(&mask->type, strides, 0) + head * broadcast_stride(&mask->type, strides, 1);
    h.mask_query = broadcast_stride(&mask->type, strides, 2);
    h.mask_key = broadcast_stride(&mask->type, strides, 3);
    return h;
}

static double dot(const double *x, const double *y, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * y[i];
    return sum;
}

/* y += factor·x */
static void add_scaled(double *y, double factor, const double *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        y[i] += factor * x[i];
}

/* What the mask adds to the score of query i and key j. */
static double masked(const Head *h, int64_t i, int64_t j)
{
    int64_t at = h->mask_at + i * h->mask_query + j * h->mask_key;
    if (!h->mask)
        return 0;
    if (h->mask->type.dtype == DTYPE_BOOL)
        return h->mask->i[at] ? 0 : -INFINITY;
    return h->mask->f[at];
}

typedef struct Statistics {
    double max, inverse_sum;
} Statistics;

/* Probabilities exp(score - max)·inverse_sum of query i over all keys into p. A causal query sees key j iff
 * j <= i + keys - queries; one that sees nothing has probabilities and statistics 0. */
static Statistics probabilities(const Attention *a, const Head *h, int64_t i, double *p)
{
    double largest = -INFINITY, sum = 0;
    for (int64_t j = 0; j < a->keys; j++) {
        bool visible = !a->causal || j <= i + a->keys - a->queries;
        p[j] = a->scale * dot(h->q + i * a->width, h->k + j * a->width, a->width);
        p[j] = !visible ? -INFINITY : p[j] + masked(h, i, j);
        largest = fmax(largest, p[j]);
    }
    double max = largest == -INFINITY ? 0 : largest;
    for (int64_t j = 0; j < a->keys; j++) {
        p[j] = exp(p[j] - max);
        sum += p[j];
    }
    double inverse_sum = sum == 0 ? 0 : 1 / sum;
    for (int64_t j = 0; j < a->keys; j++)
        p[j] *= inverse_sum;
    return (Statistics){max, inverse_sum};
}

static void evaluate_attention(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    Attention a = attention_of(node);
    double *p = NEW_ARRAY(arena, double, a.keys);
    for (int64_t head = 0; head < a.batch * a.heads; head++) {
        Head h = head_of(&a, inputs, node->input_count > 3 ? &inputs[3] : NULL, head / a.heads, head % a.heads);
        for (int64_t i = 0; i < a.queries; i++) {
            int64_t row = head * a.queries + i;
            Statistics statistics = probabilities(&a, &h, i, p);
            for (int64_t j = 0; j < a.keys; j++)
                add_scaled(outputs[0].f + row * a.value_width, p[j], h.v + j * a.value_width, a.value_width);
            if (has_output(node, 1))
                outputs[1].f[row] = statistics.max;
            if (has_output(node, 2))
                outputs[2].f[row] = statistics.inverse_sum;
        }
    }
}

/* dV = Pᵀ·dY; dP = dY·Vᵀ; dS = P·(dP - Σ dY·Y); dQ = scale·dS·K; dK = scale·dSᵀ·Q. */
static void evaluate_attention_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    Attention a = attention_of(node);
    const double *y = inputs[4].f, *dy = inputs[7].f;
    double *p = NEW_ARRAY(arena, double, a.keys);
    for (int64_t head = 0; head < a.batch * a.heads; head++) {
        Head h = head_of(&a, inputs, &inputs[3], head / a.heads, head % a.heads);
        double *dq = outputs[0].f + (h.q - inputs[0].f), *dk = outputs[1].f + (h.k - inputs[1].f);
        double *dv = outputs[2].f + (h.v - inputs[2].f);
        for (int64_t i = 0; i < a.queries; i++) {
            int64_t row = (head * a.queries + i) * a.value_width;
            double total = dot(dy + row, y + row, a.value_width);
            probabilities(&a, &h, i, p);
            for (int64_t j = 0; j < a.keys; j++) {
                double ds = p[j] * (dot(dy + row, h.v + j * a.value_width, a.value_width) - total);
                add_scaled(dv + j * a.value_width, p[j], dy + row, a.value_width);
                add_scaled(dq + i * a.width, a.scale * ds, h.k + j * a.width, a.width);
                add_scaled(dk + j * a.width, a.scale * ds, h.q + i * a.width, a.width);
            }
        }
    }
}

/* ---- gradient ---- */

/* k or v[B, heads/group, T, D] with each head repeated for its group of queries' heads. */
Value *build_repeated_heads(Graph *graph, Value *x, int64_t group)
{
    const int64_t *d = x->type.dims;
    if (group == 1)
        return x;
    Value *apart = build_reshape(graph, x, 5, (int64_t[]){d[0], d[1], 1, d[2], d[3]});
    Value *repeated = build_expand(graph, apart, 5, (int64_t[]){d[0], d[1], group, d[2], d[3]});
    return build_reshape(graph, repeated, 4, (int64_t[]){d[0], d[1] * group, d[2], d[3]});
}

/* The node's probabilities [batch, heads, queries, keys], recomputed: q and k have the dtype of its statistics, and k
 * as many heads as q. */
static Value *build_probabilities(Graph *graph, Node *node, Value *q, Value *k)
{
    Attention a = attention_of(node);
    const int64_t column[] = {a.batch, a.heads, a.queries, 1};
    Value *max = build_reshape(graph, saved_output(graph, node, 1), 4, column);
    Value *inverse_sum = build_reshape(graph, saved_output(graph, node, 2), 4, column);
    Value *scores = build_scale(graph, build_matmul(graph, q, false, k, true), a.scale);
    scores = build_add(graph, scores, build_cast(graph, node->inputs[3], q->type.dtype));
    Value *powers = build_unary(graph, "Exp", build_sub(graph, scores, max));
    Value *p = build_mul(graph, powers, inverse_sum);
    if (!a.causal)
        return p;
    int64_t diagonal = a.keys - a.queries;
    Value *k_diagonal = const_create(graph, scalar_type(DTYPE_I64), const_ints(graph, 1, &diagonal)->data, NULL);
    Node *lower = build_begin(graph, "Trilu", 2, VALUES(p, k_diagonal), 1);
    set_int(graph, lower, "upper", 0);
    return build_finish(graph, lower);
}

/* A mask that trains (a position bias) takes dS whole, which the fused kernel never stores: recomputed here. */
static Value *build_mask_gradient(Graph *graph, Node *node, Value *dy)
{
    int64_t group = attention_of(node).group;
    Dtype dtype = wide_dtype(node->inputs[0]->type.dtype);
    Value *q = build_cast(graph, node->inputs[0], dtype);
    Value *k = build_cast(graph, build_repeated_heads(graph, node->inputs[1], group), dtype);
    Value *v = build_cast(graph, build_repeated_heads(graph, node->inputs[2], group), dtype);
    Value *y = build_cast(graph, node->outputs[0], dtype);
    dy = build_cast(graph, dy, dtype);
    Value *p = build_probabilities(graph, node, q, k);
    Value *dp = build_matmul(graph, dy, false, v, true);
    Value *total = build_reduce_range(graph, "ReduceSum", build_mul(graph, dy, y), 3, 4);
    return build_mul(graph, p, build_sub(graph, dp, total));
}

static void attention_gradient(Differentiator *d, Node *node)
{
    Value *dy = dy_of(d, node, 0);
    if (wants(d, node, 3))
        contribute(d, node, 3, build_mask_gradient(d->graph, node, dy));
    if (!wants(d, node, 0) && !wants(d, node, 1) && !wants(d, node, 2))
        return;
    Value *max = saved_output(d->graph, node, 1), *inverse_sum = saved_output(d->graph, node, 2);
    Value *operands[] = {
        node->inputs[0], node->inputs[1], node->inputs[2], input(node, 3), node->outputs[0], max, inverse_sum, dy};
    Node *grad = build_begin(d->graph, "ScaledDotProductAttentionGrad", 8, operands, 3);
    copy_attrs(d->graph, grad, node);
    build_finish(d->graph, grad);
    for (int i = 0; i < 3; i++)
        if (wants(d, node, i))
            contribute(d, node, i, grad->outputs[i]);
}

/* ---- heads ---- */

/* x[B, T, H·D] as [B, H, T, D]; a 4-D operand is so already. */
Value *build_heads(Graph *graph, Value *x, int64_t heads)
{
    const int64_t *d = x->type.dims;
    if (x->type.rank == 4)
        return x;
    Value *apart = build_reshape(graph, x, 4, (int64_t[]){d[0], d[1], heads, d[2] / heads});
    return build_transpose(graph, apart, (const int[]){0, 2, 1, 3});
}

Value *build_joined_heads(Graph *graph, Value *y)
{
    const int64_t *d = y->type.dims;
    Value *rows = build_transpose(graph, y, (const int[]){0, 2, 1, 3});
    return build_reshape(graph, rows, 3, (int64_t[]){d[0], d[2], d[1] * d[3]});
}

/* ---- wider rows than the kernel's ---- */

/* scores, in their compute type, where query i sees the keys j <= i + keys - queries. */
static Value *build_causal_scores(Graph *graph, Value *scores)
{
    int64_t queries = scores->type.dims[2], keys = scores->type.dims[3];
    Tensor seen = tensor_alloc(graph->arena, make_type(DTYPE_BOOL, 2, (int64_t[]){queries, keys}));
    for (int64_t i = 0; i < queries; i++)
        for (int64_t j = 0; j < keys; j++)
            seen.i[i * keys + j] = j <= i + keys - queries;
    return build_where(graph, const_tensor(graph, &seen), scores, const_float(graph, scores->type.dtype, -INFINITY));
}

Value *build_masked_scores(Graph *graph, Value *scores, Value *mask)
{
    Dtype dtype = scores->type.dtype;
    if (!mask)
        return scores;
    if (mask->type.dtype == DTYPE_BOOL)
        return build_where(graph, mask, scores, const_float(graph, dtype, -INFINITY));
    return build_add(graph, scores, build_cast(graph, mask, dtype));
}

/* Softmax over the keys; 0 for a query that sees none. */
Value *build_weights(Graph *graph, Value *scores, bool masked)
{
    Dtype dtype = scores->type.dtype;
    if (!masked)
        return build_unary(graph, "Softmax", scores);
    Value *zero = const_float(graph, dtype, 0), *largest = build_reduce_range(graph, "ReduceMax", scores, 3, 4);
    Value *blind = build_binary(graph, "Equal", largest, const_float(graph, dtype, -INFINITY));
    return build_where(graph, blind, zero, build_unary(graph, "Softmax", build_where(graph, blind, zero, scores)));
}

/* Two products and a softmax, with the scores whole. Scaled before the product, which f16 might overflow. */
static void expand_wide_attention(Graph *graph, Node *node, Value **replacements)
{
    Attention a = attention_of(node);
    Value *q = node->inputs[0], *mask = input(node, 3);
    Value *k = build_repeated_heads(graph, node->inputs[1], a.group);
    Value *v = build_repeated_heads(graph, node->inputs[2], a.group);
    Value *scores = build_matmul(graph, build_scale(graph, q, a.scale), false, k, true);
    scores = build_masked_scores(graph, build_cast(graph, scores, wide_dtype(q->type.dtype)), mask);
    if (a.causal)
        scores = build_causal_scores(graph, scores);
    Value *weights = build_weights(graph, scores, mask || a.causal);
    replacements[0] = build_matmul(graph, build_cast(graph, weights, v->type.dtype), false, v, false);
}

static double products_flops(const Node *node, int products)
{
    const Type *q = &node->inputs[0]->type, *k = &node->inputs[1]->type;
    return 2.0 * products * (double)element_count(q) * (double)k->dims[k->rank - 2];
}

static double attention_flops(const Node *node)
{
    return products_flops(node, 2);
}

/* The scores again, and one product for each of dv, dp, dq, dk. */
static double attention_grad_flops(const Node *node)
{
    return products_flops(node, 5);
}

/* [batch, heads, sequence, width], or [batch, sequence, heads · width]; masks are broadcast to [batch, heads, ...]. */
int attention_follow_axis(const Node *node, int i, int axis)
{
    int rank = node->outputs[0]->type.rank, outer = rank == 4 ? 2 : 1, to = axis;
    if (i == 3)
        to += 4 - node->inputs[i]->type.rank;
    return i <= 3 && to < outer ? to : -1;
}

const Op attention_ops[] = {
    {.name = "ScaledDotProductAttention",
     .inputs = "Q, K, V, mask?",
     .as_stored = MASK_OPERAND,
     .outputs = "Y, max?, inverse_sum?",
     .attributes = "scale:float!, is_causal:int=0",
     .internal = true,
     .stands_for = "Attention",
     .precision = CLASS_LOWER,
     .kind = OP_KERNEL,
     .follow_axis = attention_follow_axis,
     .infer = infer_attention,
     .gradient = attention_gradient,
     .expand = expand_wide_attention,
     .evaluate = evaluate_attention,
     .flops = attention_flops},
    {.name = "ScaledDotProductAttentionGrad",
     .inputs = "Q:float, K:float, V:float, mask?, Y:float, max:float, inverse_sum:float, dY:float",
     .outputs = "dQ, dK, dV",
     .attributes = "scale:float!, is_causal:int=0",
     .internal = true,
     .precision = CLASS_LOWER,
     .kind = OP_KERNEL,
     .infer = infer_attention_grad,
     .evaluate = evaluate_attention_grad,
     .flops = attention_grad_flops},
    {0},
};
