/* test_ops_resize.c: Resize and Upsample, and their adjoint. */
#include "row_check.h"

static Node *begin_resize(Graph *graph, Value *x, int scale_count, const double *scales)
{
    Tensor tensor = tensor_alloc(graph->arena, TYPE(DTYPE_F32, scale_count));
    memcpy(tensor.f, scales, (size_t)scale_count * sizeof *scales);
    return build_begin(graph, "Resize", 3, VALUES(x, NULL, const_tensor(graph, &tensor)), 1);
}

static Value *row_of(Graph *graph, int count, const double *contents)
{
    return param_of(graph, TYPE(DTYPE_F64, 1, count), contents);
}

static void nearest_repeats(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 1, 1, 2, 2), (const double[]){1, 2, 3, 4});
    Value *y = build_finish(graph, begin_resize(graph, x, 4, (const double[]){1, 1, 2, 3}));
    assert_dims(y, 4, DIMS(1, 1, 4, 6));
    const double expected[] = {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4};
    assert_tensor(graph, y, 24, expected);
    check_gradients(graph, y);
}

/* Between 0, 10, 20 at each coordinate convention's positions, worked out by hand. */
static void linear_in_every_coordinate_convention(void **state)
{
    static const struct {
        const char *coordinates;
        double y[6];
    } cases[] = {
        {"half_pixel", {0, 2.5, 7.5, 12.5, 17.5, 20}},
        {"pytorch_half_pixel", {0, 2.5, 7.5, 12.5, 17.5, 20}},
        {"half_pixel_symmetric", {0, 2.5, 7.5, 12.5, 17.5, 20}},
        {"asymmetric", {0, 5, 10, 15, 20, 20}},
        {"align_corners", {0, 4, 8, 12, 16, 20}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Graph *graph = row_graph(state);
        Value *x = row_of(graph, 3, (const double[]){0, 10, 20});
        Node *node = begin_resize(graph, x, 2, (const double[]){1, 2});
        set_string(graph, node, "mode", "linear");
        set_string(graph, node, "coordinate_transformation_mode", cases[i].coordinates);
        Value *y = build_finish(graph, node);
        assert_tensor(graph, y, 6, cases[i].y);
        check_gradients(graph, y);
    }
}

/* Halving 1 … 4: plain samples midway; antialiased, the hat is twice as wide: (1, 3, 3, 1)/8, cut at the border. */
static void antialiasing_widens_the_kernel(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = row_of(graph, 4, (const double[]){1, 2, 3, 4});
    Node *plain = begin_resize(graph, x, 2, (const double[]){1, 0.5}), *smooth;
    set_string(graph, plain, "mode", "linear");
    assert_tensor(graph, build_finish(graph, plain), 2, (const double[]){1.5, 3.5});
    smooth = begin_resize(graph, x, 2, (const double[]){1, 0.5});
    set_string(graph, smooth, "mode", "linear");
    set_int(graph, smooth, "antialias", 1);
    set_int(graph, smooth, "exclude_outside", 1);
    Value *y = build_finish(graph, smooth);
    assert_tensor(graph, y, 2, (const double[]){(3 * 1 + 3 * 2 + 3) / 7., (2 + 3 * 3 + 3 * 4) / 7.});
    check_gradients(graph, y);
}

/* Cubic convolution reproduces samples at integers, and a = -0.75 gives ±1/16-fractions midway. */
static void cubic_weights(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = row_of(graph, 4, (const double[]){0, 0, 1, 0});
    Node *node = begin_resize(graph, x, 2, (const double[]){1, 2});
    set_string(graph, node, "mode", "cubic");
    set_string(graph, node, "coordinate_transformation_mode", "asymmetric");
    Value *y = build_finish(graph, node);
    assert_tensor(graph, y, 8, (const double[]){0, -0.09375, 0, 0.59375, 1, 0.59375, 0, -0.09375});
    check_gradients(graph, y);
}

static void nearest_modes_round_differently(void **state)
{
    static const struct {
        const char *rounding;
        double y[4];
    } cases[] = {{"floor", {1, 1, 2, 2}}, {"ceil", {1, 2, 2, 2}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Graph *graph = row_graph(state);
        Node *node = begin_resize(graph, row_of(graph, 2, (const double[]){1, 2}), 2, (const double[]){1, 2});
        set_string(graph, node, "nearest_mode", cases[i].rounding);
        set_string(graph, node, "coordinate_transformation_mode", "asymmetric");
        assert_tensor(graph, build_finish(graph, node), 4, cases[i].y);
    }
}

static void sizes_and_aspect_ratio(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 1, 1, 4, 6);
    static const struct {
        const char *policy;
        int64_t h, w;
    } cases[] = {{"stretch", 2, 9}, {"not_larger", 2, 3}, {"not_smaller", 6, 9}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Value *sizes = const_ints(graph, 2, DIMS(2, 9));
        Node *node = build_begin(graph, "Resize", 4, VALUES(x, NULL, NULL, sizes), 1);
        set_ints(graph, node, "axes", 2, DIMS(2, -1));
        set_string(graph, node, "keep_aspect_ratio_policy", cases[i].policy);
        assert_dims(build_finish(graph, node), 4, DIMS(1, 1, cases[i].h, cases[i].w));
    }
}

static void old_upsample(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = row_of(graph, 2, (const double[]){1, 2});
    Node *node =
        build_begin(graph, "Upsample", 2, VALUES(x, begin_resize(graph, x, 2, (double[]){1, 2})->inputs[2]), 1);
    set_string(graph, node, "mode", "linear");
    assert_true(node->op->upgrade(graph, node, 9));
    assert_tensor(graph, build_finish(graph, node), 4, (const double[]){1, 1.5, 2, 2});
}

static void unsupported_modes_are_named(void **state)
{
    Graph *graph = row_graph(state);
    Node *node = begin_resize(graph, row_of(graph, 2, (const double[]){1, 2}), 2, (const double[]){1, 2});
    set_string(graph, node, "coordinate_transformation_mode", "tf_crop_and_resize");
    assert_false(infer_node(graph, node));
    assert_message(*state, "'coordinate_transformation_mode' is 'tf_crop_and_resize'");
    assert_int_equal(graph->diagnostics->status, EXIT_STATUS_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(nearest_repeats),
        TEST_WITH_FIXTURE(linear_in_every_coordinate_convention),
        TEST_WITH_FIXTURE(antialiasing_widens_the_kernel),
        TEST_WITH_FIXTURE(cubic_weights),
        TEST_WITH_FIXTURE(nearest_modes_round_differently),
        TEST_WITH_FIXTURE(sizes_and_aspect_ratio),
        TEST_WITH_FIXTURE(old_upsample),
        TEST_WITH_FIXTURE(unsupported_modes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
