/* test_ops_matmul.c: MatMul, Gemm and Einsum. */
#include "row_check.h"

/* Σ a[batch, i, p]·b[batch, p, j] over dense matrices, `count` of them; a or b shared by all when its flag is set. */
static void assert_products(Graph *graph, const Value *y, int64_t count, int64_t m, int64_t n, int64_t k,
                            const double *a, bool a_shared, const double *b, bool b_shared)
{
    double *expected = NEW_ARRAY(graph->arena, double, count *m *n);
    for (int64_t q = 0; q < count; q++)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++)
                for (int64_t p = 0; p < k; p++)
                    expected[(q * m + i) * n + j] +=
                        a[(a_shared ? 0 : q * m * k) + i * k + p] * b[(b_shared ? 0 : q * k * n) + p * n + j];
    assert_tensor(graph, y, count * m * n, expected);
}

static void products_follow_numpy(void **state)
{
    Graph *graph = row_graph(state);
    Value *a = PARAM(graph, 1, 2, 3, 4), *b = PARAM(graph, 2, 4, 5), *c = PARAM(graph, 3, 2, 4, 5);
    Value *v = PARAM(graph, 4, 4);
    Value *shared = build_matmul(graph, a, false, b, false), *batched = build_matmul(graph, a, false, c, false);
    assert_dims(shared, 3, DIMS(2, 3, 5));
    assert_products(graph, shared, 2, 3, 5, 4, data_of(a), false, data_of(b), true);
    assert_products(graph, batched, 2, 3, 5, 4, data_of(a), false, data_of(c), false);
    Value *right = build_matmul(graph, a, false, v, false), *left = build_matmul(graph, v, false, c, false);
    assert_dims(right, 2, DIMS(2, 3));
    assert_dims(left, 2, DIMS(2, 5));
    assert_products(graph, right, 2, 3, 1, 4, data_of(a), false, data_of(v), true);
    assert_products(graph, left, 2, 1, 5, 4, data_of(v), true, data_of(c), false);
    assert_int_equal(build_matmul(graph, v, false, v, false)->type.rank, 0);
}

static void transposed_operands_read_swapped(void **state)
{
    Graph *graph = row_graph(state);
    Value *a = PARAM(graph, 1, 3, 4), *b = PARAM(graph, 2, 4, 5);
    Value *at = build_transpose(graph, a, (const int[]){1, 0}), *bt = build_transpose(graph, b, (const int[]){1, 0});
    Value *plain = build_matmul(graph, a, false, b, false);
    assert_same_contents(graph, build_matmul(graph, at, true, b, false), plain);
    assert_same_contents(graph, build_matmul(graph, a, false, bt, true), plain);
    assert_same_contents(graph, build_matmul(graph, at, true, bt, true), plain);
}

static void gradients_of_every_form(void **state)
{
    static const struct {
        int a_rank, b_rank;
        int64_t a[4], b[4];
        bool trans_a, trans_b;
    } forms[] = {
        {2, 2, {3, 4}, {4, 5}, false, false},
        {2, 2, {4, 3}, {4, 5}, true, false},
        {2, 2, {3, 4}, {5, 4}, false, true},
        {2, 2, {4, 3}, {5, 4}, true, true},
        {3, 2, {2, 3, 4}, {4, 5}, false, false},
        {3, 2, {2, 3, 4}, {5, 4}, false, true},
        {3, 2, {2, 4, 3}, {4, 5}, true, false},
        {2, 3, {3, 4}, {2, 4, 5}, false, false},
        {3, 3, {2, 3, 4}, {2, 5, 4}, false, true},
        {4, 4, {2, 2, 3, 2}, {2, 2, 2, 3}, false, false},
        {4, 4, {2, 1, 3, 2}, {1, 2, 2, 3}, false, false},
        {1, 2, {4}, {4, 5}, false, false},
        {2, 1, {3, 4}, {4}, false, false},
        {1, 1, {4}, {4}, false, false},
        {3, 1, {2, 3, 4}, {4}, false, false},
        {1, 3, {4}, {2, 4, 5}, false, false},
        {3, 3, {2, 3, 4}, {1, 4, 5}, false, false},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        Graph *graph = row_graph(state);
        Value *a = noise_param(graph, 1, make_type(DTYPE_F64, forms[i].a_rank, forms[i].a));
        Value *b = noise_param(graph, 2, make_type(DTYPE_F64, forms[i].b_rank, forms[i].b));
        check_gradients(graph, build_matmul(graph, a, forms[i].trans_a, b, forms[i].trans_b));
    }
}

/* The weight gradient of X[B, T, K]·W[K, N] is one flat product, not a sum of batched ones. */
static void weight_gradient_is_flat(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 4), *w = PARAM(graph, 2, 4, 5);
    check_gradients(graph, build_matmul(graph, x, false, w, false));
    int products = 0;
    for (const Node *node = graph->first; node; node = node->next)
        if (!strcmp(node->op->name, "MatMul") && attr_int(node, "trans_a")) {
            assert_int_equal(node->inputs[0]->type.rank, 2);
            products++;
        }
    assert_true(products > 0);
    assert_int_equal(graph->gradients[1].value->producer->inputs[0]->type.dims[0], 6);
}

static void gemm_scales_and_adds(void **state)
{
    Graph *graph = row_graph(state);
    Value *a = PARAM(graph, 1, 4, 3), *b = PARAM(graph, 2, 5, 4), *c = PARAM(graph, 3, 5);
    Node *gemm = build_begin(graph, "Gemm", 3, VALUES(a, b, c), 1);
    set_int(graph, gemm, "transA", 1);
    set_int(graph, gemm, "transB", 1);
    set_float(graph, gemm, "alpha", 0.5);
    set_float(graph, gemm, "beta", 2);
    Value *y = build_finish(graph, gemm);
    assert_dims(y, 2, DIMS(3, 5));
    double expected[15];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 5; j++) {
            expected[i * 5 + j] = 2 * data_of(c)[j];
            for (int p = 0; p < 4; p++)
                expected[i * 5 + j] += 0.5 * data_of(a)[p * 3 + i] * data_of(b)[j * 4 + p];
        }
    assert_tensor(graph, y, 15, expected);
    check_gradients(graph, y);
}

static void mismatched_operands_are_rejected(void **state)
{
    Graph *graph = row_graph(state);
    Value *a = PARAM(graph, 1, 2, 3), *b = PARAM(graph, 2, 4, 5);
    Node *node = build_begin(graph, "MatMul", 2, VALUES(a, b), 1);
    assert_false(infer_node(graph, node));
    assert_message(*state, "f64[2,3] and f64[4,5] cannot be multiplied");
    assert_int_equal(graph->diagnostics->status, EXIT_STATUS_INPUT);
}

/* ---- calls ---- */

static void assert_literals(const KernelCall *call, int count, const char *const *expected)
{
    assert_int_equal(call->literal_count, count);
    for (int i = 0; i < count; i++)
        assert_string_equal(literal_text(call, i), expected[i]);
}

static void assert_following(const KernelCall *call, int operand, int count, const int64_t *expected)
{
    int found = 0;
    for (int i = 0; i < call->following_count; i++)
        if (call->following[i].operand == operand)
            assert_int_equal(call->following[i].i, expected[found++]);
    assert_int_equal(found, count);
}

static void calls_match_the_kernels(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 4), *w = PARAM(graph, 2, 5, 4), *z = PARAM(graph, 3, 2, 4, 5);
    const Node *product = build_matmul(graph, x, false, w, true)->producer;
    KernelCall flat = kernel_call(&target_c, product);
    assert_string_equal(flat.kernel, "gemm");
    assert_literals(&flat, 3, (const char *[]){"6", "5", "4"});
    assert_following(&flat, 0, 2, DIMS(4, 1));
    assert_following(&flat, 1, 2, DIMS(1, 4));
    assert_true(stores_through_epilogue(&target_c, product) && flat.needs_step);
    KernelCall batched = kernel_call(&target_c, build_matmul(graph, x, false, z, false)->producer);
    assert_string_equal(batched.kernel, "gemm_batched");
    assert_literals(&batched, 4, (const char *[]){"2", "3", "5", "4"});
    assert_following(&batched, 0, 3, DIMS(12, 4, 1));
    assert_following(&batched, 1, 3, DIMS(20, 5, 1));
    Value *v = PARAM(graph, 4, 3, 4);
    KernelCall left_shared = kernel_call(&target_c, build_matmul(graph, v, false, z, false)->producer);
    assert_following(&left_shared, 0, 3, DIMS(0, 4, 1));
}

/* A batch that broadcasts in part, [2, 1] against [2, 3], has no single stride: the operand is made whole. */
static void partial_broadcasts_are_expanded(void **state)
{
    Graph *graph = row_graph(state);
    Value *a = PARAM(graph, 1, 2, 3, 2, 4), *b = PARAM(graph, 2, 2, 1, 4, 5);
    Node *node = build_begin(graph, "MatMul", 2, VALUES(a, b), 1);
    Value *y = build_finish(graph, node);
    assert_dims(node->inputs[1], 4, DIMS(2, 3, 4, 5));
    KernelCall call = kernel_call(&target_c, node);
    assert_following(&call, 1, 3, DIMS(20, 5, 1));
    check_gradients(graph, y);
}

/* ---- Einsum ---- */

static Value *einsum(Graph *graph, const char *equation, int count, Value *const *operands)
{
    Node *node = build_begin(graph, "Einsum", count, operands, 1);
    set_string(graph, node, "equation", equation);
    return build_finish(graph, node);
}

static void einsum_of_one_operand(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 2, 3), (const double[]){1, 2, 3, 4, 5, 6});
    Value *square = param_of(graph, TYPE(DTYPE_F64, 2, 2), (const double[]){1, 2, 3, 4});
    assert_tensor(graph, einsum(graph, "ij->ji", 1, &x), 6, (const double[]){1, 4, 2, 5, 3, 6});
    assert_tensor(graph, einsum(graph, "ij -> i", 1, &x), 2, (const double[]){6, 15});
    assert_tensor(graph, einsum(graph, "...j->...", 1, &x), 2, (const double[]){6, 15});
    assert_tensor(graph, einsum(graph, "ba", 1, &x), 6, (const double[]){1, 4, 2, 5, 3, 6});
    assert_tensor(graph, einsum(graph, "ii->i", 1, &square), 2, (const double[]){1, 4});
    assert_tensor(graph, einsum(graph, "ii", 1, &square), 1, (const double[]){5});
    check_gradients(graph, einsum(graph, "ii->i", 1, &square));
}

static void einsum_of_two_operands(void **state)
{
    Graph *graph = row_graph(state);
    Value *a = PARAM(graph, 1, 2, 3, 4), *b = PARAM(graph, 2, 2, 5, 4), *w = PARAM(graph, 3, 4, 5);
    Value *bt = build_transpose(graph, b, (const int[]){0, 2, 1});
    assert_same_contents(graph, einsum(graph, "bid,bjd->bij", 2, VALUES(a, b)), build_matmul(graph, a, false, b, true));
    assert_same_contents(graph, einsum(graph, "... i d, ... d j", 2, VALUES(a, bt)),
                         build_matmul(graph, a, false, bt, false));
    assert_same_contents(graph, einsum(graph, "...ij,...jk->...ik", 2, VALUES(a, w)),
                         build_matmul(graph, a, false, w, false));
    Value *swapped = build_transpose(graph, build_matmul(graph, a, false, w, false), (const int[]){2, 0, 1});
    assert_same_contents(graph, einsum(graph, "abc,cd->dab", 2, VALUES(a, w)), swapped);
    Value *scores = einsum(graph, "bid,bjd->bji", 2, VALUES(a, b));
    check_gradients(graph, einsum(graph, "bji,cd->dbi", 2, VALUES(scores, w)));
}

static void einsum_of_three_operands(void **state)
{
    Graph *graph = row_graph(state);
    Value *a = PARAM(graph, 1, 2, 3), *b = PARAM(graph, 2, 3, 4), *c = PARAM(graph, 3, 4, 2);
    Value *chain = build_matmul(graph, build_matmul(graph, a, false, b, false), false, c, false);
    assert_same_contents(graph, einsum(graph, "ij,jk,kl->il", 3, VALUES(a, b, c)), chain);
    check_gradients(graph, einsum(graph, "ij,jk,ki->i", 3, VALUES(a, b, c)));
}

static void bad_equations_are_rejected(void **state)
{
    Graph *graph = row_graph(state);
    Value *a = PARAM(graph, 1, 2, 3);
    static const char *const bad[] = {"ijk->i", "ij->k", "ij->ii", "ij,jk->ik", "i1->i", "ij->i,"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Node *node = build_begin(graph, "Einsum", 1, &a, 1);
        set_string(graph, node, "equation", bad[i]);
        assert_false(infer_node(graph, node));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(products_follow_numpy),    TEST_WITH_FIXTURE(transposed_operands_read_swapped),
        TEST_WITH_FIXTURE(gradients_of_every_form),  TEST_WITH_FIXTURE(weight_gradient_is_flat),
        TEST_WITH_FIXTURE(gemm_scales_and_adds),     TEST_WITH_FIXTURE(mismatched_operands_are_rejected),
        TEST_WITH_FIXTURE(calls_match_the_kernels),  TEST_WITH_FIXTURE(partial_broadcasts_are_expanded),
        TEST_WITH_FIXTURE(einsum_of_one_operand),    TEST_WITH_FIXTURE(einsum_of_two_operands),
        TEST_WITH_FIXTURE(einsum_of_three_operands), TEST_WITH_FIXTURE(bad_equations_are_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
