/* contrib_attention.c: attention as onnxruntime's domain com.microsoft has it: projections packed into one tensor,
 * biases, padding masks and caches around ONNX's Attention. */
#include "ir/ops/shared/heads.h"

#include <math.h>

/* ---- what ONNX's Attention gets ------------------------------------------------------------------------------------
 */

typedef struct Inner {
    Value *q, *k, *v;             /* [batch, heads, sequence, width] */
    Value *past_key, *past_value; /* likewise, or NULL */
    Value *mask;                  /* to be added to the scores, or NULL */
    double scale, softcap;        /* 0: the usual one; none */
    bool causal;
    int64_t left;
} Inner;

static bool has_length(const Value *past)
{
    return past && past->type.rank == 4 && past->type.dims[2] > 0;
}

static Node *build_inner(Graph *graph, const Inner *inner)
{
    const bool past = has_length(inner->past_key);
    Value *operands[] = {
        inner->q, inner->k, inner->v, inner->mask, past ? inner->past_key : NULL, past ? inner->past_value : NULL};
    Node *node = build_begin(graph, "Attention", 6, operands, 3);
    set_int(graph, node, "is_causal", inner->causal);
    set_int(graph, node, "left_window_size", inner->left);
    set_float(graph, node, "softcap", inner->softcap);
    if (inner->scale != 0)
        set_float(graph, node, "scale", inner->scale);
    build_finish(graph, node);
    return node;
}

/* 0 where the mask shows a key, `hidden` where it does not. */
static Value *build_hiding(Graph *graph, Value *shown, Dtype dtype, double hidden)
{
    return build_where(graph, shown, const_float(graph, dtype, 0), const_float(graph, dtype, hidden));
}

/* A mask of keys: lengths [B], shown keys [B, T], or of each query [B, S, T]; additive, [B, 1, 1 or S, T]. */
static Value *build_key_mask(Graph *graph, Value *mask, int64_t keys, Dtype dtype, double hidden)
{
    const int64_t *d = mask->type.dims;
    if (mask->type.rank == 1) {
        Tensor positions = tensor_alloc(graph->arena, make_type(DTYPE_I64, 4, (int64_t[]){1, 1, 1, keys}));
        for (int64_t i = 0; i < keys; i++)
            positions.i[i] = i;
        Value *length = build_reshape(graph, build_cast(graph, mask, DTYPE_I64), 4, (int64_t[]){d[0], 1, 1, 1});
        return build_hiding(graph, build_binary(graph, "Less", const_tensor(graph, &positions), length), dtype, hidden);
    }
    const int64_t dims[] = {d[0], 1, mask->type.rank == 3 ? d[1] : 1, keys};
    Value *shown = build_cast(graph, build_reshape(graph, mask, 4, dims), DTYPE_BOOL);
    return build_hiding(graph, shown, dtype, hidden);
}

static bool check_key_mask(Graph *graph, Node *node, int i, int64_t batch, int64_t queries, int64_t keys)
{
    const Type *mask = input(node, i) ? &node->inputs[i]->type : NULL;
    if (!mask || (mask->rank == 1 && mask->dims[0] == batch) ||
        (mask->rank == 2 && mask->dims[0] == batch && mask->dims[1] == keys) ||
        (mask->rank == 3 && mask->dims[0] == batch && mask->dims[1] == queries && mask->dims[2] == keys))
        return true;
    return REJECT_UNSUPPORTED(graph, node,
                              "the mask %s; pcc has lengths [batch], and masks [batch, keys] and "
                              "[batch, queries, keys]",
                              type_text(graph->arena, mask));
}

static Value *build_sum(Graph *graph, Value *x, Value *y)
{
    return !x ? y : !y ? x : build_add(graph, x, build_cast(graph, y, x->type.dtype));
}

/* ---- MultiHeadAttention: Q, K, V, bias, padding of keys, bias of scores, past key and value --------------------- */

enum { QUERY, KEY, VALUE, QKV_BIAS, PADDING, SCORE_BIAS, PAST_KEY, PAST_VALUE };

/* Where Q, K and V lie and what they are: each as [batch, heads, sequence, width]. */
static bool multi_head_types(Graph *graph, const Node *node, Type types[3])
{
    const int64_t heads = attr_int(node, "num_heads");
    const Type *q = &node->inputs[QUERY]->type;
    const bool packed = q->rank == 5 && q->dims[2] == heads && q->dims[3] == 3;
    for (int i = 0; i < 3; i++) {
        const Value *operand = input(node, i);
        const Type *x = operand ? &operand->type : i == VALUE && input(node, KEY) ? &node->inputs[KEY]->type : q;
        if (heads > 0 && x->rank == 5 && x->dims[2] == heads && x->dims[3] == (packed ? 3 : 2) && (packed || i > 0))
            types[i] = make_type(x->dtype, 4, (int64_t[]){x->dims[0], heads, x->dims[1], x->dims[4]});
        else if (heads > 0 && operand && x->rank == 3 && x->dims[2] % heads == 0)
            types[i] = make_type(x->dtype, 4, (int64_t[]){x->dims[0], heads, x->dims[1], x->dims[2] / heads});
        else if (operand && x->rank == 4 && x->dims[1] == heads && i > 0)
            types[i] = *x;
        else
            return REJECT(graph, node, "query, key and value do not agree with %" PRId64 " heads: input %d is %s",
                          heads, i, type_text(graph->arena, x));
    }
    return true;
}

/* Keys or values of `length` positions that go before those of `type`. */
static bool check_past(Graph *graph, const Node *node, int i, const Type *type, int64_t length)
{
    Type wanted = *type;
    wanted.dims[2] = length;
    return !input(node, i) || same_dims(&node->inputs[i]->type, &wanted) ||
           REJECT(graph, node, "input %d, the past, is %s; it must be %s", i,
                  type_text(graph->arena, &node->inputs[i]->type), type_text(graph->arena, &wanted));
}

static bool multi_head_infer(Graph *graph, Node *node)
{
    Type t[3];
    if (!multi_head_types(graph, node, t))
        return false;
    if (!heads_agree(&t[0], &t[1], &t[2]))
        return REJECT(graph, node, "query, key and value are %s, %s and %s", type_text(graph->arena, &t[0]),
                      type_text(graph->arena, &t[1]), type_text(graph->arena, &t[2]));
    const int64_t past = has_length(input(node, PAST_KEY)) ? node->inputs[PAST_KEY]->type.dims[2] : 0;
    const int64_t widths = t[0].dims[1] * (2 * t[0].dims[3] + t[2].dims[3]);
    if (!input(node, PAST_KEY) != !input(node, PAST_VALUE))
        return REJECT(graph, node, "the past has keys without values, or values without keys; it must have both");
    if (!check_vector(graph, node, QKV_BIAS, "the bias", widths) || !check_past(graph, node, PAST_KEY, &t[1], past) ||
        !check_past(graph, node, PAST_VALUE, &t[2], past))
        return false;
    t[1].dims[2] += past;
    t[2].dims[2] += past;
    const Type scores = make_type(t[0].dtype, 4, (int64_t[]){t[0].dims[0], t[0].dims[1], t[0].dims[2], t[1].dims[2]});
    if (!check_broadcast(graph, node, SCORE_BIAS, "the bias of the scores", &scores) ||
        !check_key_mask(graph, node, PADDING, t[0].dims[0], t[0].dims[2], t[1].dims[2]))
        return false;
    const int64_t y[] = {t[0].dims[0], t[0].dims[2], t[0].dims[1] * t[2].dims[3]};
    return set_output_type(graph, node, 0, make_type(t[0].dtype, 3, y)) && set_output_type(graph, node, 1, t[1]) &&
           set_output_type(graph, node, 2, t[2]);
}

/* [batch, sequence, heads, parts, width], one part */
static Value *build_part(Graph *graph, Value *x, int part)
{
    const int64_t *d = x->type.dims;
    Value *one = build_reshape(graph, build_slice(graph, x, 3, part, part + 1), 4, (int64_t[]){d[0], d[1], d[2], d[4]});
    return build_transpose(graph, one, (int[]){0, 2, 1, 3});
}

/* Operand i as heads, with its part of the bias. */
static Value *build_projection(Graph *graph, const Node *node, int i, const Type types[3])
{
    const int64_t heads = attr_int(node, "num_heads");
    Value *x = input(node, i), *bias = input(node, QKV_BIAS);
    if (!x || x->type.rank == 5) {
        Value *packed = x ? x : input(node, KEY) ? node->inputs[KEY] : node->inputs[QUERY];
        x = build_part(graph, packed, packed->type.dims[3] == 3 ? i : i - 1);
    } else {
        x = build_heads(graph, x, heads);
    }
    if (!bias)
        return x;
    int64_t first = 0;
    for (int k = 0; k < i; k++)
        first += heads * types[k].dims[3];
    Value *own = build_slice(graph, bias, 0, first, first + heads * types[i].dims[3]);
    return build_add(graph, x, build_reshape(graph, own, 4, (int64_t[]){1, heads, 1, types[i].dims[3]}));
}

static void replace_attention(Graph *graph, Node *node, Node *inner, Value **replacements)
{
    replacements[0] = build_joined_heads(graph, inner->outputs[0]);
    for (int i = 1; i < 3; i++)
        if (has_output(node, i))
            replacements[i] = inner->outputs[i];
}

static void multi_head_expand(Graph *graph, Node *node, Value **replacements)
{
    Type types[3];
    multi_head_types(graph, node, types);
    const Dtype dtype = wide_dtype(types[0].dtype);
    const int64_t keys =
        types[1].dims[2] + (has_length(input(node, PAST_KEY)) ? node->inputs[PAST_KEY]->type.dims[2] : 0);
    Inner inner = {.q = build_projection(graph, node, QUERY, types),
                   .k = build_projection(graph, node, KEY, types),
                   .v = build_projection(graph, node, VALUE, types),
                   .past_key = input(node, PAST_KEY),
                   .past_value = input(node, PAST_VALUE),
                   .scale = attr_float(node, "scale"),
                   .causal = attr_int(node, "unidirectional"),
                   .left = -1};
    if (input(node, PADDING))
        inner.mask = build_key_mask(graph, node->inputs[PADDING], keys, dtype, attr_float(node, "mask_filter_value"));
    inner.mask = build_sum(graph, inner.mask, input(node, SCORE_BIAS));
    replace_attention(graph, node, build_inner(graph, &inner), replacements);
}

/* ---- Attention of com.microsoft: X, W, bias, mask, past, bias of scores ----------------------------------------- */

enum { PROJECTED = 0, WEIGHTS = 1, W_BIAS = 2, MASK_INDEX = 3, PAST = 4, BIAS_OF_SCORES = 5 };

/* How wide Q, K and V are, all heads together. */
static bool hidden_sizes(Graph *graph, const Node *node, int64_t sizes[3])
{
    const Type *x = &node->inputs[PROJECTED]->type, *w = &node->inputs[WEIGHTS]->type;
    const int64_t *list, heads = attr_int(node, "num_heads");
    const int count = attr_ints(node, "qkv_hidden_sizes", &list);
    for (int i = 0; i < 3; i++)
        sizes[i] = count == 3 ? list[i] : w->rank == 2 ? w->dims[1] / 3 : 0;
    bool agrees = x->rank == 3 && w->rank == 2 && x->dims[2] == w->dims[0] && heads > 0 && sizes[0] == sizes[1] &&
                  sizes[0] > 0 && sizes[2] > 0 && sizes[0] <= w->dims[1] && sizes[2] <= w->dims[1] &&
                  sizes[0] + sizes[1] + sizes[2] == w->dims[1] && sizes[0] % heads == 0 && sizes[2] % heads == 0;
    return agrees || REJECT(graph, node, "X is %s and the weights %s, of %" PRId64 " heads", type_text(graph->arena, x),
                            type_text(graph->arena, w), heads);
}

static int64_t past_length(const Node *node)
{
    return input(node, PAST) ? node->inputs[PAST]->type.dims[3] : 0;
}

static bool packed_attention_infer(Graph *graph, Node *node)
{
    int64_t sizes[3];
    const Type *x = &node->inputs[PROJECTED]->type, *past = input(node, PAST) ? &node->inputs[PAST]->type : NULL;
    if (!hidden_sizes(graph, node, sizes))
        return false;
    const int64_t heads = attr_int(node, "num_heads"),
                  keys = x->dims[1] + (past && past->rank == 5 ? past->dims[3] : 0);
    if (attr_int(node, "do_rotary"))
        return REJECT_UNSUPPORTED(graph, node, "attribute 'do_rotary' is 1");
    const Type present = make_type(x->dtype, 5, (int64_t[]){2, x->dims[0], heads, keys, sizes[0] / heads});
    Type cached = present;
    cached.dims[3] = past_length(node);
    if ((past || has_output(node, 1)) && sizes[0] != sizes[2])
        return REJECT(graph, node, "keys and values of different widths have no common cache");
    if (past && (past->rank != 5 || !same_dims(past, &cached)))
        return REJECT(graph, node, "the past is %s; it must be %s, with any number of positions",
                      type_text(graph->arena, past), type_text(graph->arena, &cached));
    const Type scores = make_type(x->dtype, 4, (int64_t[]){x->dims[0], heads, x->dims[1], keys});
    return check_vector(graph, node, W_BIAS, "the bias", sizes[0] + sizes[1] + sizes[2]) &&
           check_broadcast(graph, node, BIAS_OF_SCORES, "the bias of the scores", &scores) &&
           check_key_mask(graph, node, MASK_INDEX, x->dims[0], x->dims[1], keys) &&
           set_output_type(graph, node, 0, make_type(x->dtype, 3, (int64_t[]){x->dims[0], x->dims[1], sizes[2]})) &&
           set_output_type(graph, node, 1, present);
}

/* Keys (0) or values (1) of a cache [2, B, H, P, D]. */
static Value *build_cached(Graph *graph, Value *past, int part)
{
    const int64_t *d = past->type.dims;
    return build_reshape(graph, build_slice(graph, past, 0, part, part + 1), 4, (int64_t[]){d[1], d[2], d[3], d[4]});
}

static Value *build_present(Graph *graph, Value *k, Value *v)
{
    const int64_t *d = k->type.dims, dims[] = {1, d[0], d[1], d[2], d[3]};
    return build_joined(graph, build_reshape(graph, k, 5, dims), build_reshape(graph, v, 5, dims), 0);
}

static void packed_attention_expand(Graph *graph, Node *node, Value **replacements)
{
    int64_t sizes[3], first = 0;
    hidden_sizes(graph, node, sizes);
    Value *x = node->inputs[PROJECTED], *parts[3];
    const int64_t heads = attr_int(node, "num_heads"), keys = x->type.dims[1] + past_length(node);
    Value *all = build_matmul(graph, x, false, node->inputs[WEIGHTS], false);
    if (input(node, W_BIAS))
        all = build_add(graph, all, node->inputs[W_BIAS]);
    for (int i = 0; i < 3; first += sizes[i++])
        parts[i] = build_heads(graph, build_slice(graph, all, 2, first, first + sizes[i]), heads);
    Inner inner = {.q = parts[0], .k = parts[1], .v = parts[2], .scale = attr_float(node, "scale"), .left = -1};
    inner.causal = attr_int(node, "unidirectional");
    if (past_length(node) > 0) {
        inner.past_key = build_cached(graph, node->inputs[PAST], 0);
        inner.past_value = build_cached(graph, node->inputs[PAST], 1);
    }
    if (input(node, MASK_INDEX))
        inner.mask = build_key_mask(graph, node->inputs[MASK_INDEX], keys, wide_dtype(x->type.dtype),
                                    attr_float(node, "mask_filter_value"));
    inner.mask = build_sum(graph, inner.mask, input(node, BIAS_OF_SCORES));
    Node *attention = build_inner(graph, &inner);
    replacements[0] = build_joined_heads(graph, attention->outputs[0]);
    if (has_output(node, 1))
        replacements[1] = build_present(graph, attention->outputs[1], attention->outputs[2]);
}

/* ---- RotaryEmbedding of com.microsoft: X, positions, cosines, sines --------------------------------------------- */

/* Positions [B, S], or [1]: where the first stands. */
static Value *build_position_ids(Graph *graph, Value *given, int64_t batch, int64_t length)
{
    Value *ids = given ? build_cast(graph, given, DTYPE_I64) : NULL;
    if (ids && ids->type.rank == 2)
        return ids;
    Tensor steps = tensor_alloc(graph->arena, make_type(DTYPE_I64, 2, (int64_t[]){1, length}));
    for (int64_t i = 0; i < length; i++)
        steps.i[i] = i;
    Value *positions = const_tensor(graph, &steps);
    positions = ids ? build_add(graph, positions, ids) : positions;
    return build_expand(graph, positions, 2, (int64_t[]){batch, length});
}

static int64_t rotary_heads(const Node *node)
{
    const Type *x = &node->inputs[0]->type, *cosines = &node->inputs[2]->type;
    const int64_t heads = attr_int(node, "num_heads");
    return x->rank == 4           ? x->dims[1]
           : heads > 0            ? heads
           : cosines->dims[1] > 0 ? x->dims[2] / (2 * cosines->dims[1])
                                  : 0;
}

static bool contrib_rotary_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *ids = &node->inputs[1]->type, *cosines = &node->inputs[2]->type;
    const int64_t batch = x->dims[0], length = x->rank == 4 ? x->dims[2] : x->dims[1];
    if ((x->rank != 3 && x->rank != 4) || cosines->rank != 2 || node->inputs[3]->type.rank != 2 ||
        rotary_heads(node) < 1 || (x->rank == 3 && x->dims[2] % rotary_heads(node) != 0))
        return REJECT(graph, node, "X is %s and its cosines %s", type_text(graph->arena, x),
                      type_text(graph->arena, cosines));
    if (attr_int(node, "is_packed_batching"))
        return REJECT_UNSUPPORTED(graph, node, "attribute 'is_packed_batching' is 1");
    if (element_count(ids) != 1 && (ids->rank != 2 || ids->dims[0] != batch || ids->dims[1] != length))
        return REJECT(graph, node, "position_ids are %s", type_text(graph->arena, ids));
    const int64_t width = attr_int(node, "rotary_embedding_dim"),
                  all = x->rank == 4 ? x->dims[3] : x->dims[2] / rotary_heads(node);
    if (width < 0 || width > all || (width ? width : all) % 2 != 0)
        return REJECT(graph, node, "attribute 'rotary_embedding_dim' is %" PRId64 " of %" PRId64 " channels a head",
                      width, all);
    return check_rotary_cache(graph, node, 2, 2, width ? width : all) &&
           check_rotary_cache(graph, node, 3, 2, width ? width : all) && infer_like_first(graph, node);
}

static Value *build_rotated(Graph *graph, Value *x, Value *ids, Value *cosines, Value *sines, const Node *node,
                            int64_t heads, const char *interleaved)
{
    Node *rotary = build_begin(graph, "RotaryEmbedding", 4, VALUES(x, cosines, sines, ids), 1);
    set_int(graph, rotary, "interleaved", attr_int(node, interleaved));
    set_int(graph, rotary, "num_heads", heads);
    const int64_t all = x->type.rank == 4 ? x->type.dims[3] : x->type.dims[2] / heads,
                  width = 2 * cosines->type.dims[1];
    set_int(graph, rotary, "rotary_embedding_dim", width < all ? width : 0);
    return build_finish(graph, rotary);
}

/* A single position is that of the first row. */
static int64_t contrib_rotary_index_count(const Node *node, int i)
{
    const Type *x = &node->inputs[0]->type, *ids = &node->inputs[1]->type;
    const int64_t rows = node->inputs[2]->type.dims[0], length = x->rank == 4 ? x->dims[2] : x->dims[1];
    return i != 1 ? -1 : ids->rank == 2 ? rows : rows - length + 1;
}

static void contrib_rotary_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0];
    const int64_t length = x->type.rank == 4 ? x->type.dims[2] : x->type.dims[1];
    Value *ids = build_position_ids(graph, node->inputs[1], x->type.dims[0], length);
    Value *y = build_rotated(graph, x, ids, node->inputs[2], node->inputs[3], node, rotary_heads(node), "interleaved");
    replacements[0] = build_scale(graph, y, attr_float(node, "scale"));
}

/* ---- GroupQueryAttention: Q, K, V, past key and value, lengths, total length, cosines, sines -------------------- */

enum { COSINES = 7, SINES = 8 };

static int64_t width_of_heads(const Node *node)
{
    const Type *q = &node->inputs[QUERY]->type;
    const int64_t heads = attr_int(node, "num_heads"), kv = attr_int(node, "kv_num_heads");
    if (q->rank != 3 || heads < 1 || heads > q->dims[2] || kv < 1 || heads % kv != 0)
        return 0;
    const int64_t all = input(node, KEY) ? heads : heads + 2 * kv;
    return q->dims[2] % all == 0 ? q->dims[2] / all : 0;
}

/* The width of the cache says how many channels of a head rotate. */
static bool check_group_query_caches(Graph *graph, Node *node, int64_t width)
{
    if (!attr_int(node, "do_rotary"))
        return true;
    if (!input(node, COSINES) || !input(node, SINES))
        return REJECT(graph, node, "do_rotary needs cos_cache and sin_cache");
    const Type *cosines = &node->inputs[COSINES]->type, *sines = &node->inputs[SINES]->type;
    const int64_t length = node->inputs[QUERY]->type.dims[1];
    if (cosines->rank != 2 || cosines->dims[1] < 1 || cosines->dims[1] > width / 2 || cosines->dims[0] < length)
        return REJECT(graph, node,
                      "input %d is %s; it must have rank 2, %" PRId64 " rows at least, and 1 to %" PRId64
                      " angles in a row",
                      COSINES, type_text(graph->arena, cosines), length, width / 2);
    return same_dims(sines, cosines) ||
           REJECT(graph, node, "input %d is %s, and input %d, the cosines, %s", SINES, type_text(graph->arena, sines),
                  COSINES, type_text(graph->arena, cosines));
}

static bool group_query_infer(Graph *graph, Node *node)
{
    const Type *q = &node->inputs[QUERY]->type;
    const int64_t width = width_of_heads(node), heads = attr_int(node, "num_heads"),
                  kv = attr_int(node, "kv_num_heads");
    if (width == 0 || !input(node, KEY) != !input(node, VALUE))
        return REJECT(graph, node, "query is %s, of %" PRId64 " heads, and %" PRId64 " of keys and values",
                      type_text(graph->arena, q), heads, kv);
    for (int i = KEY; i <= VALUE; i++) {
        const Type wanted = make_type(q->dtype, 3, (int64_t[]){q->dims[0], q->dims[1], kv * width});
        if (input(node, i) && !same_type(&node->inputs[i]->type, &wanted))
            return REJECT(graph, node, "input %d is %s; it must be %s", i,
                          type_text(graph->arena, &node->inputs[i]->type), type_text(graph->arena, &wanted));
    }
    for (int i = 3; i <= 4; i++)
        if (has_length(input(node, i)))
            return REJECT_UNSUPPORTED(graph, node, "a cache of keys and values, whose length depends on data");
    if (!check_group_query_caches(graph, node, width))
        return false;
    const Type cache = make_type(q->dtype, 4, (int64_t[]){q->dims[0], kv, q->dims[1], width});
    return set_output_type(graph, node, 0,
                           make_type(q->dtype, 3, (int64_t[]){q->dims[0], q->dims[1], heads * width})) &&
           set_output_type(graph, node, 1, cache) && set_output_type(graph, node, 2, cache);
}

static void group_query_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *q = node->inputs[QUERY], *k = input(node, KEY), *v = input(node, VALUE);
    const int64_t width = width_of_heads(node), heads = attr_int(node, "num_heads"),
                  kv = attr_int(node, "kv_num_heads");
    if (!k) {
        Value *packed = q;
        q = build_slice(graph, packed, 2, 0, heads * width);
        k = build_slice(graph, packed, 2, heads * width, (heads + kv) * width);
        v = build_slice(graph, packed, 2, (heads + kv) * width, (heads + 2 * kv) * width);
    }
    if (attr_int(node, "do_rotary")) {
        Value *ids = build_position_ids(graph, NULL, q->type.dims[0], q->type.dims[1]);
        Value *cosines = node->inputs[COSINES], *sines = node->inputs[SINES];
        q = build_rotated(graph, q, ids, cosines, sines, node, heads, "rotary_interleaved");
        k = build_rotated(graph, k, ids, cosines, sines, node, kv, "rotary_interleaved");
    }
    const int64_t window = attr_int(node, "local_window_size");
    const Inner inner = {.q = build_heads(graph, q, heads),
                         .k = build_heads(graph, k, kv),
                         .v = build_heads(graph, v, kv),
                         .scale = attr_float(node, "scale"),
                         .softcap = attr_float(node, "softcap"),
                         .causal = true,
                         .left = window < 0 ? -1 : window - 1}; /* the query's own position counts */
    replace_attention(graph, node, build_inner(graph, &inner), replacements);
}

#define CONTRIB .domain = "com.microsoft", .since = 1, .kind = OP_EXPAND

const Op contrib_attention_ops[] = {
    {.name = "MultiHeadAttention",
     CONTRIB,
     .inputs = "Q:float, K:float?, V:float?, Bias:float?, Padding:int?, ScoreBias:float?, PastKey:float?, "
               "PastValue:float?, PastLength:int?, Indirection:int?",
     .roles = {ROLE_DATA, ROLE_DATA, ROLE_DATA, ROLE_WEIGHT},
     .outputs = "Y, PresentKey?, PresentValue?",
     .attributes = "mask_filter_value:float=-10000, num_heads:int!, scale:float=0, unidirectional:int=0",
     .precision = CLASS_LOWER,
     .infer = multi_head_infer,
     .expand = multi_head_expand},
    {.name = "MicrosoftAttention",
     CONTRIB,
     .inputs = "X:float, W:float, Bias:float?, Mask:int?, Past:float?, ScoreBias:float?, PastLength:int?",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT},
     .outputs = "Y, Present?",
     .attributes = "do_rotary:int=0, mask_filter_value:float=-10000, num_heads:int!, past_present_share_buffer:int=0, "
                   "qkv_hidden_sizes:ints, rotary_embedding_dim:int=0, scale:float=0, unidirectional:int=0",
     .precision = CLASS_LOWER,
     .infer = packed_attention_infer,
     .expand = packed_attention_expand},
    {.name = "GroupQueryAttention",
     CONTRIB,
     .inputs = "Q:float, K:float?, V:float?, PastKey:float?, PastValue:float?, Lengths:int?, Total:int?, "
               "Cosines:float?, Sines:float?",
     .outputs = "Y, PresentKey?, PresentValue?",
     .attributes = "do_rotary:int=0, kv_num_heads:int!, local_window_size:int=-1, num_heads:int!, "
                   "rotary_interleaved:int=0, scale:float=0, smooth_softmax:int=0, softcap:float=0",
     .precision = CLASS_LOWER,
     .infer = group_query_infer,
     .expand = group_query_expand},
    {.name = "MicrosoftRotaryEmbedding",
     CONTRIB,
     .inputs = "X:float, Positions:int, Cosines:float, Sines:float",
     .outputs = "Y",
     .attributes = "interleaved:int=0, is_packed_batching:int=0, num_heads:int=0, rotary_embedding_dim:int=0, "
                   "scale:float=1",
     .precision = CLASS_FOLLOW,
     .index_count = contrib_rotary_index_count,
     .infer = contrib_rotary_infer,
     .expand = contrib_rotary_expand},
    {0},
};
