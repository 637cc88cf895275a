/* attention_onnx.c: ONNX's Attention in terms of pcc's ScaledDotProductAttention, or spelt out where it caps its scores
 * or hands them out. Caches of keys and values are operands like any other: what a step reads of them has a gradient.
 */
#include "ir/ops/shared/heads.h"

#include <math.h>

enum { MASK = 3, PAST_KEY = 4, PAST_VALUE = 5, NONPAD = 6, PRESENT_KEY = 1, PRESENT_VALUE = 2, SCORES = 3 };

/* ---- which keys a query may see
 * --------------------------------------------------------------------------------------
 */

/* Query i stands at position i + offset of the keys. A side of the window that is -1 has no bound. */
typedef struct Sight {
    int64_t queries, keys, offset, left, right;
} Sight;

static int64_t least_bound(int64_t x, int64_t y)
{
    return x < 0 ? y : y < 0 ? x : x < y ? x : y;
}

static Sight sight_of(const Node *node, const Type *q, const Type *k)
{
    Sight sight = {.queries = q->dims[2], .keys = k->dims[2], .left = attr_int(node, "left_window_size")};
    sight.right = least_bound(attr_int(node, "right_window_size"), attr_int(node, "is_causal") ? 0 : -1);
    sight.offset = input(node, PAST_KEY) ? node->inputs[PAST_KEY]->type.dims[2] : 0;
    return sight;
}

static bool sees_all(const Sight *sight)
{
    return sight->left < 0 && sight->right < 0;
}

/* The kernel's own triangle: query i sees the keys j <= i + keys - queries. */
static bool is_kernel_causal(const Sight *sight)
{
    return sight->left < 0 && sight->right == 0 && sight->offset == sight->keys - sight->queries;
}

static Value *build_constant_sight(Graph *graph, const Sight *sight)
{
    Tensor seen = tensor_alloc(graph->arena, make_type(DTYPE_BOOL, 4, (int64_t[]){1, 1, sight->queries, sight->keys}));
    for (int64_t i = 0; i < sight->queries; i++)
        for (int64_t j = 0; j < sight->keys; j++) {
            const int64_t ahead = j - i - sight->offset;
            seen.i[i * sight->keys + j] =
                (sight->left < 0 || ahead >= -sight->left) && (sight->right < 0 || ahead <= sight->right);
        }
    return const_tensor(graph, &seen);
}

/* 0, 1, ... along `axis` of the scores. */
static Value *build_positions(Graph *graph, int axis, int64_t count)
{
    int64_t dims[4] = {1, 1, 1, 1};
    dims[axis] = count;
    Tensor positions = tensor_alloc(graph->arena, make_type(DTYPE_I64, 4, dims));
    for (int64_t i = 0; i < count; i++)
        positions.i[i] = i;
    return const_tensor(graph, &positions);
}

static Value *build_int(Graph *graph, int64_t value)
{
    const Tensor scalar = {.type = scalar_type(DTYPE_I64), .i = &value};
    return const_tensor(graph, &scalar);
}

/* Of a cache that is filled to another length in each sample: what lies behind is not seen, and its end is where the
 * last query stands. */
static Value *build_filled_sight(Graph *graph, const Sight *sight, Value *filled)
{
    const int64_t column[] = {element_count(&filled->type), 1, 1, 1};
    Value *length = build_reshape(graph, build_cast(graph, filled, DTYPE_I64), 4, column);
    Value *key = build_positions(graph, 3, sight->keys);
    Value *seen = build_binary(graph, "Less", key, length);
    Value *offset = build_sub(graph, length, build_int(graph, sight->queries));
    Value *query = build_add(graph, build_positions(graph, 2, sight->queries), offset);
    if (sight->left >= 0) {
        Value *first = build_sub(graph, query, build_int(graph, sight->left));
        seen = build_binary(graph, "And", seen, build_binary(graph, "GreaterOrEqual", key, first));
    }
    if (sight->right >= 0) {
        Value *last = build_add(graph, query, build_int(graph, sight->right));
        seen = build_binary(graph, "And", seen, build_binary(graph, "LessOrEqual", key, last));
    }
    return seen;
}

/* ---- masks ---- */

/* attn_mask as [1 or B, 1 or H, queries, keys], of the keys that it has. */
static Value *build_mask_as_heads(Graph *graph, Value *mask)
{
    Type type = {.dtype = mask->type.dtype, .rank = 4, .dims = {1, 1, 1, 1}};
    for (int i = 0; i < mask->type.rank; i++)
        type.dims[4 - mask->type.rank + i] = mask->type.dims[i];
    return build_reshape_as(graph, mask, &type);
}

/* What lies behind a mask that is shorter than the keys is not seen. */
static Value *build_whole_mask(Graph *graph, Value *mask, Dtype dtype, int64_t keys)
{
    const int64_t width = mask->type.dims[3], pads[8] = {[7] = keys - width};
    if (width == keys || width == 1)
        return mask;
    Value *blocked = const_float(graph, dtype, -INFINITY);
    mask = mask->type.dtype == DTYPE_BOOL ? build_where(graph, mask, const_float(graph, dtype, 0), blocked)
                                          : build_cast(graph, mask, dtype);
    return build(graph, "Pad", 3, VALUES(mask, const_ints(graph, 8, pads), blocked));
}

static Value *build_joint_mask(Graph *graph, Value *mask, Value *seen, Dtype dtype)
{
    if (!mask || !seen)
        return mask ? mask : seen;
    if (mask->type.dtype == DTYPE_BOOL)
        return build_binary(graph, "And", mask, seen);
    return build_where(graph, seen, build_cast(graph, mask, dtype), const_float(graph, dtype, -INFINITY));
}

/* All that keeps keys from queries, NULL for nothing; `causal` leaves the kernel's triangle to it. */
static Value *build_mask(Graph *graph, const Node *node, const Type *q, const Type *k, bool causal)
{
    const Sight sight = sight_of(node, q, k);
    const Dtype dtype = wide_dtype(q->dtype);
    Value *seen = NULL, *mask = NULL;
    if (input(node, MASK))
        mask = build_whole_mask(graph, build_mask_as_heads(graph, node->inputs[MASK]), dtype, k->dims[2]);
    if (input(node, NONPAD))
        seen = build_filled_sight(graph, &sight, node->inputs[NONPAD]);
    else if (!causal && !sees_all(&sight))
        seen = build_constant_sight(graph, &sight);
    return build_joint_mask(graph, mask, seen, dtype);
}

/* ---- expansion ---- */

static double scale_of(const Node *node, const Type *q)
{
    return has_attr(node, "scale") ? find_attr(node, "scale")->f : 1 / sqrt((double)q->dims[3]);
}

static Value *build_fused(Graph *graph, const Node *node, Value *q, Value *k, Value *v)
{
    const Sight sight = sight_of(node, &q->type, &k->type);
    const bool causal = is_kernel_causal(&sight) && !input(node, NONPAD);
    Value *mask = build_mask(graph, node, &q->type, &k->type, causal);
    Node *fused = build_begin(graph, "ScaledDotProductAttention", 4, VALUES(q, k, v, mask), 1);
    set_float(graph, fused, "scale", scale_of(node, &q->type));
    set_int(graph, fused, "is_causal", causal);
    return build_finish(graph, fused);
}

/* cap·tanh(scores / cap) */
static Value *build_capped(Graph *graph, Value *scores, double cap)
{
    if (cap == 0)
        return scores;
    return build_scale(graph, build_unary(graph, "Tanh", build_scale(graph, scores, 1 / cap)), cap);
}

/* Two products and a softmax, with the scores whole: what they are at four stages, from which the node picks. */
static Value *build_spelt(Graph *graph, Node *node, Value *q, Value *k, Value *v, Value **picked)
{
    const int64_t group = q->type.dims[1] / k->type.dims[1];
    Value *mask = build_mask(graph, node, &q->type, &k->type, false), *stages[4];
    k = build_repeated_heads(graph, k, group);
    v = build_repeated_heads(graph, v, group);
    Value *scores = build_matmul(graph, build_scale(graph, q, scale_of(node, &q->type)), false, k, true);
    stages[0] = build_cast(graph, scores, wide_dtype(q->type.dtype));
    stages[1] = build_capped(graph, stages[0], attr_float(node, "softcap"));
    stages[2] = build_masked_scores(graph, stages[1], mask);
    stages[3] = build_weights(graph, stages[2], mask != NULL);
    *picked = build_cast(graph, stages[attr_int(node, "qk_matmul_output_mode")], q->type.dtype);
    return build_matmul(graph, build_cast(graph, stages[3], v->type.dtype), false, v, false);
}

static void expand_attention(Graph *graph, Node *node, Value **replacements)
{
    const bool is_flat = node->inputs[0]->type.rank == 3;
    const int64_t q_heads = is_flat ? attr_int(node, "q_num_heads") : 0;
    const int64_t kv_heads = is_flat ? attr_int(node, "kv_num_heads") : 0;
    Value *q = build_heads(graph, node->inputs[0], q_heads), *scores = NULL;
    Value *k = build_heads(graph, node->inputs[1], kv_heads), *v = build_heads(graph, node->inputs[2], kv_heads);
    if (input(node, PAST_KEY)) {
        k = build_joined(graph, node->inputs[PAST_KEY], k, 2);
        v = build_joined(graph, node->inputs[PAST_VALUE], v, 2);
    }
    const bool fuses = attr_float(node, "softcap") == 0 && !has_output(node, SCORES);
    Value *y = fuses ? build_fused(graph, node, q, k, v) : build_spelt(graph, node, q, k, v, &scores);
    replacements[0] = is_flat ? build_joined_heads(graph, y) : y;
    if (has_output(node, PRESENT_KEY))
        replacements[PRESENT_KEY] = k;
    if (has_output(node, PRESENT_VALUE))
        replacements[PRESENT_VALUE] = v;
    if (has_output(node, SCORES))
        replacements[SCORES] = scores;
}

/* ---- inference ---- */

static bool check_head_counts(Graph *graph, Node *node)
{
    int64_t q_heads = has_attr(node, "q_num_heads") ? attr_int(node, "q_num_heads") : 0;
    int64_t kv_heads = has_attr(node, "kv_num_heads") ? attr_int(node, "kv_num_heads") : 0;
    for (int i = 0; i < 3; i++) {
        const Type *type = &node->inputs[i]->type;
        int64_t heads = i == 0 ? q_heads : kv_heads;
        if (type->rank != node->inputs[0]->type.rank || (type->rank != 3 && type->rank != 4))
            return REJECT(graph, node, "input %d is %s; Q, K and V must all have rank 3, or all 4", i,
                          type_text(graph->arena, type));
        if (type->rank == 3 && (heads < 1 || type->dims[2] % heads != 0))
            return REJECT(graph, node,
                          "input %d is %s and has %" PRId64 " heads: a 3-D operand needs q_num_heads and "
                          "kv_num_heads that divide it",
                          i, type_text(graph->arena, type), heads);
    }
    return true;
}

static bool check_attributes(Graph *graph, Node *node)
{
    const int64_t mode = attr_int(node, "qk_matmul_output_mode");
    if (mode < 0 || mode > 3)
        return REJECT(graph, node, "attribute 'qk_matmul_output_mode' is %" PRId64 "; it must be 0 to 3", mode);
    if (!isfinite(attr_float(node, "softcap")) || attr_float(node, "softcap") < 0)
        return REJECT(graph, node, "attribute 'softcap' is %g; it must not be negative", attr_float(node, "softcap"));
    return true;
}

/* x as [B, H, T, D], as build_heads() makes it. */
static Type heads_type(const Type *x, int64_t heads)
{
    if (x->rank == 4)
        return *x;
    return make_type(x->dtype, 4, (int64_t[]){x->dims[0], heads, x->dims[1], x->dims[2] / heads});
}

/* The cache before x[B, H, T, D] makes it longer. */
static bool append_past(Graph *graph, Node *node, int i, Type *x)
{
    if (!input(node, i))
        return true;
    Type past = node->inputs[i]->type;
    const int64_t length = past.rank == 4 ? past.dims[2] : 0;
    past.dims[2] = x->dims[2];
    if (!same_type(&past, x))
        return REJECT(graph, node, "input %d is %s, which goes before keys or values of %s on axis 2", i,
                      type_text(graph->arena, &node->inputs[i]->type), type_text(graph->arena, x));
    x->dims[2] += length;
    return true;
}

static bool check_caches(Graph *graph, Node *node, Type *k, Type *v)
{
    if (!input(node, PAST_KEY) != !input(node, PAST_VALUE))
        return REJECT(graph, node, "past_key and past_value go together");
    if (input(node, NONPAD) && (input(node, PAST_KEY) || element_count(&node->inputs[NONPAD]->type) != k->dims[0]))
        return REJECT(graph, node, "nonpad_kv_seqlen has one length for each sample, and no past_key beside it");
    return append_past(graph, node, PAST_KEY, k) && append_past(graph, node, PAST_VALUE, v);
}

static bool check_mask(Graph *graph, Node *node, const Type *scores)
{
    if (!input(node, MASK))
        return true;
    const Type *mask = &node->inputs[MASK]->type;
    bool agrees = mask->rank <= 4 && (mask->dtype == DTYPE_BOOL || is_float(mask->dtype));
    for (int i = 0; agrees && i < mask->rank; i++) {
        const int64_t wanted = scores->dims[4 - mask->rank + i];
        agrees = mask->dims[i] == 1 || mask->dims[i] == wanted || (i == mask->rank - 1 && mask->dims[i] < wanted);
    }
    return agrees || REJECT(graph, node, "attn_mask is %s, which does not broadcast to the scores %s",
                            type_text(graph->arena, mask), type_text(graph->arena, scores));
}

static bool infer_onnx_attention(Graph *graph, Node *node)
{
    if (!check_attributes(graph, node) || !check_head_counts(graph, node))
        return false;
    bool is_flat = node->inputs[0]->type.rank == 3;
    int64_t kv_heads = is_flat ? attr_int(node, "kv_num_heads") : 0;
    Type q = heads_type(&node->inputs[0]->type, is_flat ? attr_int(node, "q_num_heads") : 0);
    Type k = heads_type(&node->inputs[1]->type, kv_heads), v = heads_type(&node->inputs[2]->type, kv_heads);
    if (!check_caches(graph, node, &k, &v))
        return false;
    if (!heads_agree(&q, &k, &v))
        return REJECT(graph, node, "Q %s, K %s and V %s do not agree", type_text(graph->arena, &q),
                      type_text(graph->arena, &k), type_text(graph->arena, &v));
    const Type scores = make_type(q.dtype, 4, (int64_t[]){q.dims[0], q.dims[1], q.dims[2], k.dims[2]});
    Type y = q;
    y.dims[3] = v.dims[3];
    if (is_flat)
        y = make_type(q.dtype, 3, (int64_t[]){q.dims[0], q.dims[2], q.dims[1] * v.dims[3]});
    return check_mask(graph, node, &scores) && set_output_type(graph, node, 0, y) &&
           set_output_type(graph, node, PRESENT_KEY, k) && set_output_type(graph, node, PRESENT_VALUE, v) &&
           set_output_type(graph, node, SCORES, scores);
}

const Op attention_onnx_ops[] = {
    {.name = "Attention",
     .inputs = "Q, K, V, attn_mask?, past_key?, past_value?, nonpad_kv_seqlen?",
     .as_stored = MASK_OPERAND,
     .outputs = "Y, present_key?, present_value?, qk_matmul_output?",
     .attributes = "is_causal:int=0, kv_num_heads:int, left_window_size:int=-1, q_num_heads:int, "
                   "qk_matmul_output_mode:int=0, right_window_size:int=-1, scale:float, softcap:float=0, "
                   "softmax_precision:int=0",
     .since = 23,
     .precision = CLASS_LOWER,
     .kind = OP_EXPAND,
     .follow_axis = attention_follow_axis,
     .infer = infer_onnx_attention,
     .expand = expand_attention},
    {0},
};
