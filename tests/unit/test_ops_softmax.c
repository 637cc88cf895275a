/* test_ops_softmax.c: Softmax, LogSoftmax and Hardmax. */
#include "row_check.h"

/* softmax over `width` elements that lie `inner` apart, of x[outer, width, inner] */
static void softmax_of(const double *x, int64_t outer, int64_t width, int64_t inner, double *y)
{
    for (int64_t row = 0; row < outer * inner; row++) {
        int64_t first = row / inner * width * inner + row % inner;
        double sum = 0;
        for (int64_t i = 0; i < width; i++)
            sum += exp(x[first + i * inner]);
        for (int64_t i = 0; i < width; i++)
            y[first + i * inner] = exp(x[first + i * inner]) / sum;
    }
}

static Value *softmax(Graph *graph, const char *op, Value *x, int64_t axis)
{
    Node *node = build_begin(graph, op, 1, &x, 1);
    set_int(graph, node, "axis", axis);
    return build_finish(graph, node);
}

static void every_axis(void **state)
{
    for (int axis = -3; axis < 3; axis++) {
        Graph *graph = row_graph(state);
        Value *x = PARAM(graph, 1, 2, 3, 4);
        int from = axis < 0 ? axis + 3 : axis;
        double p[24], log_p[24];
        softmax_of(data_of(x), dims_product(&x->type, 0, from), x->type.dims[from], dims_product(&x->type, from + 1, 3),
                   p);
        for (int i = 0; i < 24; i++)
            log_p[i] = log(p[i]);
        Value *y = softmax(graph, "Softmax", x, axis), *z = softmax(graph, "LogSoftmax", x, axis);
        assert_tensor(graph, y, 24, p);
        assert_tensor(graph, z, 24, log_p);
        check_gradients(graph, build_add(graph, y, z));
    }
}

static void large_inputs_do_not_overflow(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 1, 3), (const double[]){1e4, 1e4, -1e4});
    assert_tensor(graph, softmax(graph, "Softmax", x, 1), 3, (const double[]){0.5, 0.5, 0});
    assert_tensor(graph, softmax(graph, "LogSoftmax", x, 1), 3, (const double[]){-log(2), -log(2), -2e4 - log(2)});
}

/* Before opset 13: a matrix whose rows begin at axis 1 unless the node says otherwise. */
static void old_opsets_flatten(void **state)
{
    static const struct {
        int axis, outer;
    } cases[] = {{INT32_MAX, 2}, {0, 1}, {1, 2}, {2, 6}, {-1, 6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Graph *graph = row_graph(state);
        Value *x = PARAM(graph, 1, 2, 3, 4);
        Node *node = build_begin(graph, "Softmax", 1, &x, 1);
        if (cases[i].axis != INT32_MAX)
            set_int(graph, node, "axis", cases[i].axis);
        assert_true(node->op->upgrade(graph, node, 11));
        Value *y = build_finish(graph, node);
        double p[24];
        softmax_of(data_of(x), cases[i].outer, 24 / cases[i].outer, 1, p);
        assert_tensor(graph, y, 24, p);
        check_gradients(graph, y);
    }
}

static void hardmax_marks_the_first_maximum(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 2, 3), (const double[]){1, 5, 5, 7, 2, 3});
    assert_tensor(graph, softmax(graph, "Hardmax", x, 1), 6, (const double[]){0, 1, 0, 1, 0, 0});
    assert_tensor(graph, softmax(graph, "Hardmax", x, 0), 6, (const double[]){0, 1, 1, 1, 0, 0});
}

static void calls_match_the_kernels(void **state)
{
    Graph *graph = row_graph(state);
    Value *y = softmax(graph, "LogSoftmax", PARAM(graph, 1, 2, 3, 4), 1);
    KernelCall call = kernel_call(&target_c, y->producer);
    assert_string_equal(call.kernel, "log_softmax");
    static const char *const shape[] = {"2", "3", "4"};
    assert_int_equal(call.literal_count, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(literal_text(&call, i), shape[i]);
}

static void an_axis_out_of_range_is_rejected(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3);
    Node *node = build_begin(graph, "Softmax", 1, &x, 1);
    set_int(graph, node, "axis", 2);
    assert_false(infer_node(graph, node));
    assert_message(*state, "axis is 2, but the operand has rank 2");
}

/* dX has the dtype of the input, whatever Y is stored in. */
static void softmax_of_16_bits(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = value_create(graph, VALUE_PARAM, TYPE(DTYPE_F32, 2, 3), NULL);
    Node *node = build_begin(graph, "Softmax", 1, &x, 1);
    set_int(graph, node, "stored", dtype_info[DTYPE_BF16].onnx);
    Value *y = build_finish(graph, node);
    assert_int_equal(y->type.dtype, DTYPE_BF16);
    Node *grad = build_begin(graph, "SoftmaxGrad", 2, VALUES(y, y), 1);
    assert_int_equal(build_finish(graph, grad)->type.dtype, DTYPE_BF16);
    set_int(graph, grad, "stored", dtype_info[DTYPE_F32].onnx);
    assert_true(infer_node(graph, grad));
    assert_int_equal(grad->outputs[0]->type.dtype, DTYPE_F32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(every_axis),
        TEST_WITH_FIXTURE(large_inputs_do_not_overflow),
        TEST_WITH_FIXTURE(old_opsets_flatten),
        TEST_WITH_FIXTURE(hardmax_marks_the_first_maximum),
        TEST_WITH_FIXTURE(calls_match_the_kernels),
        TEST_WITH_FIXTURE(an_axis_out_of_range_is_rejected),
        TEST_WITH_FIXTURE(softmax_of_16_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
