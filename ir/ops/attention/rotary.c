/* rotary.c: rotary position embedding (Su et al. 2021), spelt by elementwise operators. */
#include "ir/ops/shared/heads.h"

/* One half of the rotated part of x: interleaved, [..., width/2, 2] cut along the last axis; else cut in two. */
static Value *build_half(Graph *graph, Value *x, bool interleaved, int half)
{
    int64_t pairs = x->type.dims[3] / 2;
    if (!interleaved)
        return build_slice(graph, x, 3, half * pairs, (half + 1) * pairs);
    const int64_t *d = x->type.dims;
    Value *apart = build_reshape(graph, x, 5, (int64_t[]){d[0], d[1], d[2], pairs, 2});
    Value *cut = build_slice(graph, apart, 4, half, half + 1);
    return build_reshape(graph, cut, 4, (int64_t[]){d[0], d[1], d[2], pairs});
}

static Value *build_merged(Graph *graph, Value *x, Value *y, bool interleaved)
{
    if (!interleaved)
        return build_joined(graph, x, y, 3);
    const int64_t *d = x->type.dims;
    int64_t column[] = {d[0], d[1], d[2], d[3], 1};
    Value *pairs = build_joined(graph, build_reshape(graph, x, 5, column), build_reshape(graph, y, 5, column), 4);
    return build_reshape(graph, pairs, 4, (int64_t[]){d[0], d[1], d[2], 2 * d[3]});
}

/* cos or sin as [B, 1, T, pairs]: rows of the cache chosen by position_ids, or the cache as it is. */
static Value *build_angles(Graph *graph, const Node *node, int i, int64_t pairs)
{
    Value *cache = node->inputs[i];
    if (input(node, 3))
        cache = build_binary(graph, "Gather", cache, build_cast(graph, node->inputs[3], DTYPE_I64));
    const int64_t *d = cache->type.dims;
    Value *angles = build_reshape(graph, cache, 4, (int64_t[]){d[0], 1, d[1], d[2]});
    return build_slice(graph, angles, 3, 0, pairs);
}

/* (a, b) -> (a·cos - b·sin, a·sin + b·cos) for each pair of the first rotary_embedding_dim channels of a head. */
static void expand_rotary(Graph *graph, Node *node, Value **replacements)
{
    Value *x = build_heads(graph, node->inputs[0], attr_int(node, "num_heads"));
    int64_t width = attr_int(node, "rotary_embedding_dim"), all = x->type.dims[3];
    bool interleaved = attr_int(node, "interleaved");
    width = width ? width : all;
    Value *rotated = build_slice(graph, x, 3, 0, width);
    Value *cosine = build_angles(graph, node, 1, width / 2), *sine = build_angles(graph, node, 2, width / 2);
    Value *a = build_half(graph, rotated, interleaved, 0), *b = build_half(graph, rotated, interleaved, 1);
    Value *first = build_sub(graph, build_mul(graph, a, cosine), build_mul(graph, b, sine));
    Value *second = build_add(graph, build_mul(graph, a, sine), build_mul(graph, b, cosine));
    Value *y = build_merged(graph, first, second, interleaved);
    if (width < all)
        y = build_joined(graph, y, build_slice(graph, x, 3, width, all), 3);
    replacements[0] = node->inputs[0]->type.rank == 3 ? build_joined_heads(graph, y) : y;
}

bool check_rotary_cache(Graph *graph, Node *node, int i, int rank, int64_t rotated)
{
    const Type *cache = &node->inputs[i]->type;
    if (cache->rank == rank && cache->dims[rank - 1] == rotated / 2)
        return true;
    return REJECT(graph, node,
                  "input %d is %s; it must have rank %d, and %" PRId64
                  " angles in a row, half of the channels that rotate",
                  i, type_text(graph->arena, cache), rank, rotated / 2);
}

static bool infer_rotary(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    int64_t heads = attr_int(node, "num_heads"), width = attr_int(node, "rotary_embedding_dim");
    if (x->rank != 4 && (x->rank != 3 || heads < 1 || x->dims[2] % heads != 0))
        return REJECT(graph, node, "X is %s; it must be [batch, heads, sequence, width], or 3-D with num_heads",
                      type_text(graph->arena, x));
    int64_t all = x->rank == 4 ? x->dims[3] : x->dims[2] / heads;
    if (width < 0 || width > all || (width ? width : all) % 2 != 0)
        return REJECT(graph, node, "attribute 'rotary_embedding_dim' is %" PRId64 " of %" PRId64 " channels a head",
                      width, all);
    for (int i = 1; i <= 2; i++)
        if (!check_rotary_cache(graph, node, i, input(node, 3) ? 2 : 3, width ? width : all))
            return false;
    return infer_like_first(graph, node);
}

/* Caches are by batch and sequence unless position_ids choose from them. */
static int rotary_follow_axis(const Node *node, int i, int axis)
{
    bool chosen = (i == 1 || i == 2) && input(node, 3);
    return axis == 0 && !chosen ? 0 : -1;
}

static int64_t rotary_index_count(const Node *node, int i)
{
    return i == 3 ? node->inputs[1]->type.dims[0] : -1;
}

const Op rotary_ops[] = {
    {.name = "RotaryEmbedding",
     .inputs = "X, cos_cache, sin_cache, position_ids?",
     .outputs = "Y",
     .attributes = "interleaved:int=0, num_heads:int=0, rotary_embedding_dim:int=0",
     .since = 23,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = rotary_follow_axis,
     .index_count = rotary_index_count,
     .infer = infer_rotary,
     .expand = expand_rotary},
    {0},
};
