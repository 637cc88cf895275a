/* test_ops_attention.c: attention and rotary embedding against compositions of other rows, with gradients. */
#include "row_check.h"

/* softmax(scale·Q·Kᵀ + mask)·V from other rows; K, V already have Q's heads. */
static Value *composed(Graph *graph, Value *q, Value *k, Value *v, double scale, Value *mask)
{
    Value *scores = build_scale(graph, build_matmul(graph, q, false, k, true), scale);
    if (mask)
        scores = build_add(graph, scores, mask);
    return build_matmul(graph, build_unary(graph, "Softmax", scores), false, v, false);
}

/* -inf where key j > query i + offset, as [queries, keys] */
static Value *triangle(Graph *graph, int64_t queries, int64_t keys, int64_t offset)
{
    Tensor mask = tensor_alloc(graph->arena, TYPE(DTYPE_F64, queries, keys));
    for (int64_t k = 0; k < queries * keys; k++)
        mask.f[k] = k % keys > k / keys + offset ? -INFINITY : 0;
    return const_tensor(graph, &mask);
}

static Value *fused(Graph *graph, Value *q, Value *k, Value *v, Value *mask, double scale, bool causal)
{
    Node *node = build_begin(graph, "ScaledDotProductAttention", 4, VALUES(q, k, v, mask), 1);
    set_float(graph, node, "scale", scale);
    set_int(graph, node, "is_causal", causal);
    return build_finish(graph, node);
}

static void attention_is_its_composition(void **state)
{
    Graph *graph = row_graph(state);
    Value *q = PARAM(graph, 1, 2, 2, 3, 4), *k = PARAM(graph, 2, 2, 2, 5, 4), *v = PARAM(graph, 3, 2, 2, 5, 3);
    Value *plain = fused(graph, q, k, v, NULL, 0.5, false), *causal = fused(graph, q, k, v, NULL, 0.5, true);
    assert_same_contents(graph, plain, composed(graph, q, k, v, 0.5, NULL));
    assert_same_contents(graph, causal, composed(graph, q, k, v, 0.5, triangle(graph, 3, 5, 2)));
    check_gradients(graph, build_add(graph, plain, causal));
}

/* A mask of one row a head that trains: its gradient is that of the scores, summed over what it broadcasts to. */
static void a_mask_that_trains(void **state)
{
    for (int causal = 0; causal < 2; causal++) {
        Graph *graph = row_graph(state);
        Value *q = PARAM(graph, 1, 2, 2, 3, 4), *k = PARAM(graph, 2, 2, 2, 3, 4), *v = PARAM(graph, 3, 2, 2, 3, 4);
        Value *mask = PARAM(graph, 4, 1, 2, 1, 3), *whole = mask;
        if (causal)
            whole = build_add(graph, mask, triangle(graph, 3, 3, 0));
        Value *y = fused(graph, q, k, v, mask, 1, causal);
        assert_same_contents(graph, y, composed(graph, q, k, v, 1, whole));
        check_gradients(graph, y);
    }
}

/* Four query heads share two key heads. */
static void grouped_queries(void **state)
{
    Graph *graph = row_graph(state);
    Value *q = PARAM(graph, 1, 1, 4, 2, 3), *k = PARAM(graph, 2, 1, 2, 3, 3), *v = PARAM(graph, 3, 1, 2, 3, 3);
    Value *repeated[2] = {k, v};
    for (int i = 0; i < 2; i++) {
        Value *apart = build_reshape(graph, repeated[i], 5, DIMS(1, 2, 1, 3, 3));
        repeated[i] = build_reshape(graph, build_expand(graph, apart, 5, DIMS(1, 2, 2, 3, 3)), 4, DIMS(1, 4, 3, 3));
    }
    Value *y = fused(graph, q, k, v, PARAM(graph, 4, 1, 1, 2, 3), 0.3, false);
    Value *mask = y->producer->inputs[3];
    assert_same_contents(graph, y, composed(graph, q, repeated[0], repeated[1], 0.3, mask));
    check_gradients(graph, y);
}

/* A query that sees no key attends to nothing: zeros, and no gradient. */
static void a_row_without_keys_is_zero(void **state)
{
    Graph *graph = row_graph(state);
    Value *q = PARAM(graph, 1, 1, 1, 2, 3), *k = PARAM(graph, 2, 1, 1, 2, 3), *v = PARAM(graph, 3, 1, 1, 2, 1);
    const double contents[] = {-INFINITY, -INFINITY, 0, -INFINITY};
    Value *mask = const_create(graph, TYPE(DTYPE_F64, 1, 1, 2, 2), contents, NULL);
    Value *y = fused(graph, q, k, v, mask, 1, false);
    assert_tensor(graph, y, 2, (const double[]){0, data_of(v)[0]});
    check_gradients(graph, y);
}

/* Likewise where the mask trains, whose gradient is recomputed from the statistics. */
static void a_trained_mask_may_block_a_row(void **state)
{
    Graph *graph = row_graph(state);
    Value *q = PARAM(graph, 1, 1, 1, 2, 3), *k = PARAM(graph, 2, 1, 1, 3, 3), *v = PARAM(graph, 3, 1, 1, 3, 2);
    const double contents[] = {-INFINITY, -INFINITY, -INFINITY, 0, 0.5, -INFINITY};
    Value *mask = param_of(graph, TYPE(DTYPE_F64, 1, 1, 2, 3), contents);
    check_gradients(graph, fused(graph, q, k, v, mask, 1, false));
}

/* The same keys, blocked by a bool and by -inf. */
static void a_bool_mask_is_minus_infinity(void **state)
{
    Graph *graph = row_graph(state);
    Value *q = PARAM(graph, 1, 2, 2, 2, 3), *k = PARAM(graph, 2, 2, 2, 3, 3), *v = PARAM(graph, 3, 2, 2, 3, 2);
    Value *visible = int_constant(graph, TYPE(DTYPE_BOOL, 2, 1, 1, 3), (const int64_t[]){1, 0, 1, 1, 1, 0});
    const double additive[] = {0, -INFINITY, 0, 0, 0, -INFINITY};
    Value *mask = const_create(graph, TYPE(DTYPE_F64, 2, 1, 1, 3), additive, NULL);
    Value *y = fused(graph, q, k, v, visible, 0.5, false);
    assert_same_contents(graph, y, fused(graph, q, k, v, mask, 0.5, false));
    assert_string_equal(kernel_call(&target_c, y->producer).kernel, "attention_visible");
    check_gradients(graph, y);
    int adjoints = 0;
    for (const Node *node = graph->first; node; node = node->next)
        if (strcmp(node->op->name, "ScaledDotProductAttentionGrad") == 0) {
            assert_string_equal(kernel_call(&target_c, node).kernel, "attention_visible_grad");
            adjoints++;
        }
    assert_true(adjoints > 0);
}

/* 16-bit operands, statistics in f32, and masks that the kernels read beside them. */
static void masks_and_statistics_have_dtypes_of_their_own(void **state)
{
    static const struct {
        Dtype operands, mask, statistics;
        bool accepted;
    } cases[] = {
        {DTYPE_BF16, DTYPE_BF16, DTYPE_F32, true}, {DTYPE_BF16, DTYPE_F32, DTYPE_F32, true},
        {DTYPE_F16, DTYPE_BOOL, DTYPE_F32, true},  {DTYPE_F32, DTYPE_F16, DTYPE_F32, true},
        {DTYPE_F64, DTYPE_BOOL, DTYPE_F64, true},  {DTYPE_F64, DTYPE_F32, DTYPE_F64, false},
        {DTYPE_F32, DTYPE_F64, DTYPE_F32, false},  {DTYPE_BF16, DTYPE_I64, DTYPE_F32, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Graph *graph = row_graph(state);
        Value *q = value_create(graph, VALUE_INPUT, TYPE(cases[i].operands, 2, 2, 3, 4), NULL);
        Value *mask = value_create(graph, VALUE_INPUT, TYPE(cases[i].mask, 1, 1, 3, 3), NULL);
        Node *node = build_begin(graph, "ScaledDotProductAttention", 4, VALUES(q, q, q, mask), 3);
        set_float(graph, node, "scale", 1);
        assert_int_equal(infer_node(graph, node), cases[i].accepted);
        if (!cases[i].accepted) {
            assert_message(*state, "does not broadcast to the scores");
            continue;
        }
        assert_int_equal(node->outputs[0]->type.dtype, cases[i].operands);
        assert_int_equal(node->outputs[1]->type.dtype, cases[i].statistics);
        assert_int_equal(node->outputs[2]->type.dtype, cases[i].statistics);
    }
}

/* ---- ONNX's Attention ---- */

static Value *heads_of(Graph *graph, Value *x, int64_t heads)
{
    const int64_t *d = x->type.dims;
    Value *apart = build_reshape(graph, x, 4, DIMS(d[0], d[1], heads, d[2] / heads));
    return build_transpose(graph, apart, (const int[]){0, 2, 1, 3});
}

/* An attention of rows too wide for the kernel, which may be expanded: with heads that share keys, more queries than
 * keys so that the first sees none when causal, and masks of both kinds, of which one blocks a row. */
static Graph *wide_attention(void **state, int kind, bool expanded)
{
    const Options options = {.target = &target_c, .precision = "64-true", .accumulate = 1};
    Graph *graph = row_graph(state);
    Value *q = PARAM(graph, 1, 1, 2, 3, 2001), *k = PARAM(graph, 2, 1, 1, 2, 2001), *v = PARAM(graph, 3, 1, 1, 2, 2000);
    Value *open = int_constant(graph, TYPE(DTYPE_BOOL, 1, 1, 3, 2), DIMS(1, 1, 0, 0, 0, 1));
    Value *masks[] = {NULL, NULL, open, PARAM(graph, 4, 1, 2, 1, 2)};
    Value *y = fused(graph, q, k, v, masks[kind], 0.01, kind == 1);
    Tensor weights = tensor_alloc(graph->arena, y->type);
    for (int64_t i = 0; i < element_count(&y->type); i++)
        weights.f[i] = noise(99, i);
    graph->loss =
        build_reduce_sum(graph, build_mul(graph, y, const_tensor(graph, &weights)), 4, DIMS(0, 1, 2, 3), false);
    if (expanded)
        expand(graph, &options);
    grad(graph, &options);
    graph_verify(graph);
    return graph;
}

static void wide_rows_are_products_and_a_softmax(void **state)
{
    for (int kind = 0; kind < 4; kind++) {
        Graph *fused_graph = wide_attention(state, kind, false), *graph = wide_attention(state, kind, true);
        for (const Node *node = graph->first; node; node = node->next)
            assert_null(strstr(node->op->name, "Attention"));
        assert_int_equal(graph->gradient_count, kind == 3 ? 4 : 3);
        assert_tensor(graph, graph->loss, 1, evaluate_value(fused_graph, fused_graph->loss).f);
        for (int i = 0; i < graph->gradient_count; i++) {
            Tensor expected = evaluate_value(fused_graph, fused_graph->gradients[i].value);
            assert_tensor(graph, graph->gradients[i].value, element_count(&expected.type), expected.f);
        }
    }
}

static void flat_operands_have_heads(void **state)
{
    Graph *graph = row_graph(state);
    Value *q = PARAM(graph, 1, 2, 3, 8), *k = PARAM(graph, 2, 2, 5, 8), *v = PARAM(graph, 3, 2, 5, 4);
    Node *node = build_begin(graph, "Attention", 3, VALUES(q, k, v), 1);
    set_int(graph, node, "q_num_heads", 2);
    set_int(graph, node, "kv_num_heads", 2);
    set_int(graph, node, "is_causal", 1);
    Value *y = build_finish(graph, node);
    Value *heads = composed(graph, heads_of(graph, q, 2), heads_of(graph, k, 2), heads_of(graph, v, 2), 0.5,
                            triangle(graph, 3, 5, 0));
    Value *joined = build_transpose(graph, heads, (const int[]){0, 2, 1, 3});
    assert_same_contents(graph, y, build_reshape(graph, joined, 3, DIMS(2, 3, 4)));
    check_gradients(graph, y);
}

static void bool_and_short_masks(void **state)
{
    Graph *graph = row_graph(state);
    Value *q = PARAM(graph, 1, 1, 2, 2, 4), *k = PARAM(graph, 2, 1, 2, 3, 4), *v = PARAM(graph, 3, 1, 2, 3, 4);
    Value *visible = int_constant(graph, TYPE(DTYPE_BOOL, 2, 2), (const int64_t[]){1, 0, 1, 1});
    const double additive[] = {0, -INFINITY, -INFINITY, 0, 0, -INFINITY};
    Value *mask = const_create(graph, TYPE(DTYPE_F64, 2, 3), additive, NULL);
    Value *y = build(graph, "Attention", 4, VALUES(q, k, v, visible));
    assert_same_contents(graph, y, composed(graph, q, k, v, 0.5, mask));
}

static void caches_need_both_parts(void **state)
{
    Graph *graph = row_graph(state);
    Value *q = PARAM(graph, 1, 1, 2, 2, 4);
    Node *past = build_begin(graph, "Attention", 5, VALUES(q, q, q, NULL, q), 1);
    assert_false(infer_node(graph, past));
    assert_message(*state, "past_key and past_value go together");
    Node *capped = build_begin(graph, "Attention", 3, VALUES(q, q, q), 1);
    set_float(graph, capped, "softcap", -2);
    assert_false(infer_node(graph, capped));
    assert_message(*state, "'softcap' is -2");
}

/* One query behind two cached keys sees all three keys; without the cache's positions it would see one. */
static void a_causal_query_sees_the_cache(void **state)
{
    Graph *graph = row_graph(state);
    Value *q = PARAM(graph, 1, 1, 1, 1, 2), *k = PARAM(graph, 2, 1, 1, 1, 2), *v = PARAM(graph, 3, 1, 1, 1, 2);
    Value *past_k = PARAM(graph, 4, 1, 1, 2, 2), *past_v = PARAM(graph, 5, 1, 1, 2, 2);
    Node *node = build_begin(graph, "Attention", 6, VALUES(q, k, v, NULL, past_k, past_v), 3);
    set_int(graph, node, "is_causal", 1);
    set_float(graph, node, "scale", 1);
    Value *y = build_finish(graph, node);
    Value *keys = node->outputs[1], *values = node->outputs[2];
    assert_dims(keys, 4, DIMS(1, 1, 3, 2));
    assert_same_contents(graph, y, composed(graph, q, keys, values, 1, NULL));
}

/* ---- RotaryEmbedding ---- */

/* Pairs (x[i], x[i + pairs]), or neighbours when interleaved, rotate by the angle of their position. */
static void rotary_rotates_pairs(void **state)
{
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        Graph *graph = row_graph(state);
        Value *x = PARAM(graph, 1, 1, 2, 3, 6), *cosine = PARAM(graph, 2, 5, 2), *sine = PARAM(graph, 3, 5, 2);
        const int64_t positions[] = {4, 0, 2};
        Value *ids = int_constant(graph, TYPE(DTYPE_I64, 1, 3), positions);
        Node *node = build_begin(graph, "RotaryEmbedding", 4, VALUES(x, cosine, sine, ids), 1);
        set_int(graph, node, "rotary_embedding_dim", 4);
        set_int(graph, node, "interleaved", interleaved);
        Value *y = build_finish(graph, node);
        double expected[36];
        memcpy(expected, data_of(x), sizeof expected);
        for (int k = 0; k < 12; k++) {
            int64_t row = k / 2, pair = k % 2, angle = positions[row % 3] * 2 + pair;
            int64_t a = row * 6 + (interleaved ? 2 * pair : pair), b = a + (interleaved ? 1 : 2);
            double c = data_of(cosine)[angle], s = data_of(sine)[angle];
            expected[a] = data_of(x)[a] * c - data_of(x)[b] * s;
            expected[b] = data_of(x)[a] * s + data_of(x)[b] * c;
        }
        assert_tensor(graph, y, 36, expected);
        check_gradients(graph, y);
    }
}

/* ---- Dropout ---- */

static void dropout_trains_only_when_told(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3), *ratio = const_float(graph, DTYPE_F32, 0.25);
    Value *training = int_constant(graph, scalar_type(DTYPE_BOOL), (const int64_t[]){1});
    Value *idle = build_binary(graph, "Dropout", x, ratio);
    Value *active = build(graph, "Dropout", 3, VALUES(x, ratio, training));
    assert_same_contents(graph, idle, x);
    assert_same_contents(graph, active, x);
    check_gradients(graph, build_add(graph, idle, active));
    int count = 0;
    for (const Node *node = graph->first; node; node = node->next) {
        if (strcmp(node->op->name, "DropoutTraining") != 0)
            continue;
        KernelCall call = kernel_call(&target_c, node);
        assert_string_equal(call.kernel, "dropout");
        assert_string_equal(literal_text(&call, 0), "6");
        assert_string_equal(literal_text(&call, 1), "0x1p-2");
        count++;
    }
    assert_int_equal(count, 1);
}

static void calls_spell_the_strides(void **state)
{
    Graph *graph = row_graph(state);
    Value *qkv = PARAM(graph, 1, 2, 5, 3, 3, 4); /* [B, T, 3, H, D]: q, k, v of one projection */
    Value *operands[3];
    for (int i = 0; i < 3; i++) {
        operands[i] = PARAM(graph, 2, 2, 3, 5, 4);
        operands[i]->view = (View){qkv, i * 12, {180, 4, 36, 1}};
    }
    Value *y = fused(graph, operands[0], operands[1], operands[2], PARAM(graph, 3, 1, 1, 5, 5), 0.5, false);
    KernelCall call = kernel_call(&target_c, y->producer);
    assert_string_equal(call.kernel, "attention");
    assert_string_equal(literal_text(&call, 0),
                        "(PccAttention){.batch = 2, .heads = 3, .queries = 5, .keys = 5, .width = 4, .value_width = 4, "
                        ".scale = 0x1p-1, .causal = 0, .kv_group = 1, .q_stride = {180, 4, 36}, "
                        ".k_stride = {180, 4, 36}, .v_stride = {180, 4, 36}, .y_stride = {60, 20, 4}, "
                        ".mask_stride = {0, 0, 5, 1}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(attention_is_its_composition),
        TEST_WITH_FIXTURE(a_mask_that_trains),
        TEST_WITH_FIXTURE(grouped_queries),
        TEST_WITH_FIXTURE(a_row_without_keys_is_zero),
        TEST_WITH_FIXTURE(a_trained_mask_may_block_a_row),
        TEST_WITH_FIXTURE(a_bool_mask_is_minus_infinity),
        TEST_WITH_FIXTURE(masks_and_statistics_have_dtypes_of_their_own),
        TEST_WITH_FIXTURE(wide_rows_are_products_and_a_softmax),
        TEST_WITH_FIXTURE(flat_operands_have_heads),
        TEST_WITH_FIXTURE(bool_and_short_masks),
        TEST_WITH_FIXTURE(caches_need_both_parts),
        TEST_WITH_FIXTURE(a_causal_query_sees_the_cache),
        TEST_WITH_FIXTURE(rotary_rotates_pairs),
        TEST_WITH_FIXTURE(dropout_trains_only_when_told),
        TEST_WITH_FIXTURE(calls_spell_the_strides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
