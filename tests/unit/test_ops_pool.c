/* test_ops_pool.c: pooling against hand-computed results, in both layouts, and the gradients. */
#include "gradient_check.h"

static Node *pool_of_4x4(Graph *graph, const char *op, Value *x, int64_t kernel, int64_t stride)
{
    Node *node = build_begin(graph, op, 1, &x, 1);
    set_ints(graph, node, "kernel_shape", 2, DIMS(kernel, kernel));
    set_ints(graph, node, "strides", 2, DIMS(stride, stride));
    return node;
}

/* 1 … 16 in rows of 4 */
static Value *counting_plane(Graph *graph)
{
    double contents[16];
    for (int i = 0; i < 16; i++)
        contents[i] = i + 1;
    return param_of(graph, TYPE(DTYPE_F64, 1, 1, 4, 4), contents);
}

static void windows_of_a_plane(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = counting_plane(graph);
    assert_tensor(graph, build_finish(graph, pool_of_4x4(graph, "MaxPool", x, 2, 2)), 4,
                  (const double[]){6, 8, 14, 16});
    assert_tensor(graph, build_finish(graph, pool_of_4x4(graph, "AveragePool", x, 2, 2)), 4,
                  (const double[]){3.5, 5.5, 11.5, 13.5});
    Node *lp = pool_of_4x4(graph, "LpPool", x, 2, 2);
    set_int(graph, lp, "p", 1);
    assert_tensor(graph, build_finish(graph, lp), 4, (const double[]){14, 22, 46, 54});
}

static void padding_counts_only_when_asked(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = counting_plane(graph);
    for (int include = 0; include < 2; include++) {
        Node *node = pool_of_4x4(graph, "AveragePool", x, 3, 2);
        set_ints(graph, node, "pads", 4, DIMS(1, 1, 0, 0));
        set_int(graph, node, "count_include_pad", include);
        const double sums[] = {1 + 2 + 5 + 6, 2 + 3 + 4 + 6 + 7 + 8, 5 + 6 + 9 + 10 + 13 + 14,
                               6 + 7 + 8 + 10 + 11 + 12 + 14 + 15 + 16},
                     inside[] = {4, 6, 6, 9};
        double expected[4];
        for (int i = 0; i < 4; i++)
            expected[i] = sums[i] / (include ? 9 : inside[i]);
        assert_tensor(graph, build_finish(graph, node), 4, expected);
    }
}

/* ceil_mode adds a window that hangs over; what it hangs over is no padding, so never counted. */
static void ceil_mode_adds_a_window(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = counting_plane(graph);
    Node *max = pool_of_4x4(graph, "MaxPool", x, 3, 2);
    set_int(graph, max, "ceil_mode", 1);
    assert_tensor(graph, build_finish(graph, max), 4, (const double[]){11, 12, 15, 16});
    for (int include = 0; include < 2; include++) {
        Node *average = pool_of_4x4(graph, "AveragePool", x, 3, 2);
        set_int(graph, average, "ceil_mode", 1);
        set_int(graph, average, "count_include_pad", include);
        Value *y = build_finish(graph, average);
        assert_tensor(graph, y, 4, (const double[]){6, 7.5, 12, 13.5});
        if (include)
            check_gradients(graph, y);
    }
}

static void dilated_and_one_dimensional(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 1, 1, 6), (const double[]){3, 1, 4, 1, 5, 9});
    Node *node = build_begin(graph, "MaxPool", 1, &x, 1);
    set_ints(graph, node, "kernel_shape", 1, DIMS(2));
    set_ints(graph, node, "dilations", 1, DIMS(2));
    assert_tensor(graph, build_finish(graph, node), 4, (const double[]){4, 1, 5, 9});
}

/* Ties go to the first position, and only its input gets the gradient. */
static void the_first_maximum_wins(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 1, 1, 4), (const double[]){7, 7, 2, 2});
    Node *node = build_begin(graph, "MaxPoolWithIndex", 1, &x, 2);
    set_ints(graph, node, "kernel_shape", 1, DIMS(2));
    set_ints(graph, node, "strides", 1, DIMS(2));
    set_ints(graph, node, "dilations", 1, DIMS(1));
    set_ints(graph, node, "pads", 2, DIMS(0, 0));
    build_finish(graph, node);
    assert_int_equal(node->outputs[1]->type.dtype, DTYPE_I32);
    assert_tensor(graph, node->outputs[1], 2, (const double[]){0, 2});
    int64_t axes[] = {0, 1, 2};
    graph->loss = build_reduce_sum(graph, node->outputs[0], 3, axes, false);
    grad(graph, &(Options){.precision = "64-true", .accumulate = 1});
    assert_tensor(graph, graph->gradients[0].value, 4, (const double[]){1, 0, 1, 0});
}

static void gradients_in_both_layouts(void **state)
{
    static const char *const ops[][2] = {{"MaxPool", "MaxPoolWithIndex"}, {"AveragePool", "AveragePooling"}};
    const int to_last[] = {0, 2, 3, 1}, to_first[] = {0, 3, 1, 2};
    for (int i = 0; i < 2; i++) {
        Graph *graph = row_graph(state);
        Value *x = PARAM(graph, 5, 2, 3, 7, 5);
        Node *first = pool_of_4x4(graph, ops[i][0], x, 3, 2);
        set_ints(graph, first, "pads", 4, DIMS(1, 0, 1, 1));
        Node *last = pool_of_4x4(graph, ops[i][1], build_transpose(graph, x, to_last), 3, 2);
        set_ints(graph, last, "pads", 4, DIMS(1, 0, 1, 1));
        set_ints(graph, last, "dilations", 2, DIMS(1, 1));
        set_int(graph, last, "channels_last", 1);
        Value *y = build_finish(graph, first), *z = build_transpose(graph, build_finish(graph, last), to_first);
        assert_same_contents(graph, z, y);
        check_gradients(graph, build_add(graph, y, z));
    }
}

static void global_pools_reduce(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 1, 2, 2, 2), (const double[]){1, 2, 3, 4, 3, 4, 0, 0});
    Value *average = build_unary(graph, "GlobalAveragePool", x), *max = build_unary(graph, "GlobalMaxPool", x);
    assert_dims(average, 4, DIMS(1, 2, 1, 1));
    assert_tensor(graph, average, 2, (const double[]){2.5, 1.75});
    assert_tensor(graph, max, 2, (const double[]){4, 4});
    assert_tensor(graph, build_unary(graph, "GlobalLpPool", x), 2, (const double[]){sqrt(30), 5});
}

/* Windows of zeros, and of equal elements, of which the first takes all, in a global pool as well. */
static void gradients_at_zeros_and_ties(void **state)
{
    static const char *const pools[] = {"LpPool(%%0) {kernel_shape=[2], strides=[2], p=%d}",
                                        "GlobalLpPool(%%0) {p=%d}"};
    Fixture *f = *state;
    for (int i = 0; i < 6; i++)
        ASSERT_GRADIENTS(f,
                         arena_printf(f->arena, "param %%0 : f64[1,2,2] = {0, 0, -5, 0}\n%%1 = %s\noutput %%1",
                                      arena_printf(f->arena, pools[i / 3], i % 3 + 1)),
                         0, 0, -1, 0);
    ASSERT_GRADIENTS(f, "param %0 : f64[1,2,3] = {2, 7, 7, 0, 0, 0}\n%1 = GlobalMaxPool(%0)\noutput %1", 0, 1, 0, 1, 0,
                     0);
    assert_refused(f, "input %0 : f64[1,2,3]\n%1 = GlobalLpPool(%0) {p=0}\noutput %1", "'p' is 0");
}

/* Row by row over all planes, or by columns of each. */
static void max_pool_indices_count_over_planes(void **state)
{
    static const char *const orders[] = {"0", "1"};
    static const double expected[2][8] = {{1, 1, 3, 5, 10, 10, 12, 14}, {3, 3, 1, 7, 12, 12, 10, 16}};
    Fixture *f = *state;
    for (int i = 0; i < 2; i++)
        assert_case(f,
                    arena_printf(f->arena,
                                 "const %%0 : f64[1,2,3,3] = {0, 9, 0, 0, 0, 8, 0, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0}\n"
                                 "%%1, %%2 = MaxPool(%%0) {kernel_shape=[2, 2], "
                                 "storage_order=%s}\noutput %%2",
                                 orders[i]),
                    "i64[1,2,2,2]", 8, expected[i]);
}

static void calls_spell_the_shape(void **state)
{
    Graph *graph = row_graph(state);
    Node *node = pool_of_4x4(graph, "AveragePooling", PARAM(graph, 1, 2, 7, 6, 3), 3, 2);
    set_ints(graph, node, "pads", 4, DIMS(1, 1, 1, 0));
    set_ints(graph, node, "dilations", 2, DIMS(1, 1));
    set_int(graph, node, "channels_last", 1);
    set_int(graph, node, "count_include_pad", 1);
    build_finish(graph, node);
    KernelCall call = kernel_call(&target_c, node);
    assert_string_equal(call.kernel, "average_pool");
    assert_string_equal(
        literal_text(&call, 0),
        "(PccPool){.n = 2, .c = 3, .in = {1, 7, 6}, .out = {1, 4, 3}, .kernel = {1, 3, 3}, "
        ".stride = {1, 2, 2}, .dilation = {1, 1, 1}, .pad = {0, 1, 1}, .count_include_pad = 1, .overhang = {0, 0, 0}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(windows_of_a_plane),      TEST_WITH_FIXTURE(padding_counts_only_when_asked),
        TEST_WITH_FIXTURE(ceil_mode_adds_a_window), TEST_WITH_FIXTURE(dilated_and_one_dimensional),
        TEST_WITH_FIXTURE(the_first_maximum_wins),  TEST_WITH_FIXTURE(gradients_in_both_layouts),
        TEST_WITH_FIXTURE(global_pools_reduce),     TEST_WITH_FIXTURE(max_pool_indices_count_over_planes),
        TEST_WITH_FIXTURE(calls_spell_the_shape),   TEST_WITH_FIXTURE(gradients_at_zeros_and_ties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
