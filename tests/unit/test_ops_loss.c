/* test_ops_loss.c: losses against their definitions, and their gradients. */
#include "row_check.h"

/* -log softmax(x)[label] over `classes` elements that lie `inner` apart */
static double cross_entropy(const double *x, int64_t classes, int64_t inner, int64_t label)
{
    double sum = 0;
    for (int64_t i = 0; i < classes; i++)
        sum += exp(x[i * inner]);
    return log(sum) - x[label * inner];
}

static Value *i64_labels(Graph *graph, int count, const int64_t *labels)
{
    return int_constant(graph, TYPE(DTYPE_I64, count), labels);
}

static Node *begin_cross_entropy(Graph *graph, Value *logits, Value *labels, Value *weight)
{
    return build_begin(graph, "CrossEntropy", 3, VALUES(logits, labels, weight), 3);
}

static void mean_of_cross_entropies(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 3, 4);
    const int64_t labels[] = {2, 0, 3};
    Value *loss = build_finish(graph, begin_cross_entropy(graph, x, i64_labels(graph, 3, labels), NULL));
    double expected = 0;
    for (int i = 0; i < 3; i++)
        expected += cross_entropy(data_of(x) + 4 * i, 4, 1, labels[i]) / 3;
    assert_tensor(graph, loss, 1, &expected);
    graph->loss = loss;
    check_loss_gradients(graph);
}

/* Weighted over the classes of axis 1 of x[2, 3, 2], one label ignored: Σ w·l / Σ w over those that count. */
static void weights_and_ignored_labels(void **state)
{
    static const char *const reductions[] = {"none", "sum", "mean"};
    for (int reduction = 0; reduction < 3; reduction++) {
        Graph *graph = row_graph(state);
        Value *x = PARAM(graph, 1, 2, 3, 2);
        const int64_t labels[] = {0, 5, 2, 1};
        const double weights[] = {1, 2, 4};
        Value *target = int_constant(graph, TYPE(DTYPE_I64, 2, 2), labels);
        Value *weight = const_create(graph, TYPE(DTYPE_F64, 3), weights, NULL);
        Node *node = build_begin(graph, "SoftmaxCrossEntropyLoss", 3, VALUES(x, target, weight), 2);
        set_int(graph, node, "ignore_index", 5);
        set_string(graph, node, "reduction", reductions[reduction]);
        Value *loss = build_finish(graph, node);
        double each[4] = {0}, sum = 0, total = 0;
        for (int k = 0; k < 4; k++) {
            if (labels[k] == 5)
                continue;
            each[k] = weights[labels[k]] * cross_entropy(data_of(x) + k / 2 * 6 + k % 2, 3, 2, labels[k]);
            sum += each[k];
            total += weights[labels[k]];
        }
        double whole = reduction == 1 ? sum : sum / total;
        assert_tensor(graph, loss, reduction ? 1 : 4, reduction ? &whole : each);
        Node *log_softmax = build_begin(graph, "LogSoftmax", 1, &x, 1);
        set_int(graph, log_softmax, "axis", 1);
        assert_same_contents(graph, node->outputs[1], build_finish(graph, log_softmax));
        check_gradients(graph, loss);
    }
}

/* A causal language model: token t of x[2, 3, 4] is scored against label t + 1, the last of a sequence not at all. */
static void shifted_labels(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 4);
    const int64_t labels[] = {3, 1, 2, 0, -100, 1};
    Node *node = begin_cross_entropy(graph, x, int_constant(graph, TYPE(DTYPE_I64, 2, 3), labels), NULL);
    set_int(graph, node, "axis", -1);
    set_int(graph, node, "shift", 3);
    graph->loss = build_finish(graph, node);
    double expected = (cross_entropy(data_of(x), 4, 1, 1) + cross_entropy(data_of(x) + 4, 4, 1, 2) +
                       cross_entropy(data_of(x) + 16, 4, 1, 1)) /
                      3;
    assert_tensor(graph, graph->loss, 1, &expected);
    assert_tensor(graph, node->outputs[2], 1, (const double[]){3});
    check_loss_gradients(graph);
}

/* The negative log likelihood of arbitrary scores; of a LogSoftmax it becomes one CrossEntropy. */
static void negative_log_likelihood(void **state)
{
    static const char *const reductions[] = {"none", "sum", "mean"};
    for (int reduction = 0; reduction < 3; reduction++) {
        Graph *graph = row_graph(state);
        Value *x = PARAM(graph, 1, 3, 4), *weight = PARAM(graph, 2, 4);
        const int64_t labels[] = {2, -1, 3};
        Node *node =
            build_begin(graph, "NegativeLogLikelihoodLoss", 3, VALUES(x, i64_labels(graph, 3, labels), weight), 1);
        set_int(graph, node, "ignore_index", -1);
        set_string(graph, node, "reduction", reductions[reduction]);
        Value *loss = build_finish(graph, node);
        double w0 = data_of(weight)[2], w2 = data_of(weight)[3];
        double each[3] = {-w0 * data_of(x)[2], 0, -w2 * data_of(x)[11]}, whole = each[0] + each[2];
        whole /= reduction == 1 ? 1 : w0 + w2;
        assert_tensor(graph, loss, reduction ? 1 : 3, reduction ? &whole : each);
        check_gradients(graph, loss);
    }
}

static void log_softmax_and_nll_make_a_cross_entropy(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 3, 4), *labels = i64_labels(graph, 3, (const int64_t[]){2, 0, 3});
    Value *log_p = build_unary(graph, "LogSoftmax", x);
    Value *nll = build_binary(graph, "NegativeLogLikelihoodLoss", log_p, labels);
    assert_same_contents(graph, nll, build_finish(graph, begin_cross_entropy(graph, x, labels, NULL)));
    graph->loss = nll;
    check_loss_gradients(graph);
    assert_string_equal(graph->loss->producer->op->name, "CrossEntropy");
}

static void means_over_all_elements(void **state)
{
    Graph *graph = row_graph(state);
    Value *y = param_of(graph, TYPE(DTYPE_F64, 2, 2), (const double[]){1, 2, -3, 40});
    Value *target = const_create(graph, TYPE(DTYPE_F64, 2, 2), (const double[]){0, 1, 1, 1}, NULL);
    double bce = (log(1 + exp(1)) + log(1 + exp(-2)) + log(1 + exp(3)) + log1p(exp(-40))) / 4;
    Value *mse = build_binary(graph, "MeanSquaredError", y, target);
    Value *logits = build_binary(graph, "BceWithLogits", y, target);
    assert_tensor(graph, mse, 1, (const double[]){(1 + 1 + 16 + 1521) / 4.});
    assert_tensor(graph, logits, 1, &bce);
    graph->loss = build_add(graph, build_scale(graph, mse, 0.01), logits);
    check_loss_gradients(graph);
}

static void calls_match_the_kernels(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 4), *target = int_constant(graph, TYPE(DTYPE_I64, 2, 3), (const int64_t[6]){0});
    Node *node = begin_cross_entropy(graph, x, target, NULL);
    set_int(graph, node, "axis", 2);
    set_int(graph, node, "shift", 3);
    graph->loss = build_finish(graph, node);
    check_loss_gradients(graph);
    /* batch, outer, classes, inner, ignore_index, shift, reduction */
    static const char *const literals[] = {"2", "6", "4", "1", "-100", "3", "2"};
    const Node *nodes[] = {node, graph->gradients[0].value->producer};
    for (int k = 0; k < 2; k++) {
        KernelCall call = kernel_call(&target_c, nodes[k]);
        assert_string_equal(call.kernel, k ? "cross_entropy_grad" : "cross_entropy");
        assert_int_equal(call.literal_count, 7);
        for (int i = 0; i < 7; i++)
            assert_string_equal(literal_text(&call, i), literals[i]);
    }
}

static void labels_that_do_not_fit_are_rejected(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 3, 4), *labels = i64_labels(graph, 2, (const int64_t[]){0, 1});
    Node *node = build_begin(graph, "SoftmaxCrossEntropyLoss", 2, VALUES(x, labels), 1);
    assert_false(infer_node(graph, node));
    assert_message(*state, "the labels are i64[2] and do not fit the scores' f64[3,4]");
}

/* A loss of 16-bit logits is f32, as are its log-sums and its gradient's scale; dlogits are like the logits. */
static void losses_of_16_bits_are_f32(void **state)
{
    Graph *graph = row_graph(state);
    const int64_t labels[] = {2, 0, 3};
    Value *x = value_create(graph, VALUE_PARAM, TYPE(DTYPE_F16, 3, 4), NULL);
    for (int reduction = 0; reduction < 3; reduction++) {
        Node *node = begin_cross_entropy(graph, x, i64_labels(graph, 3, labels), NULL);
        set_int(graph, node, "reduction", reduction);
        assert_int_equal(build_finish(graph, node)->type.dtype, DTYPE_F32);
        assert_int_equal(node->outputs[1]->type.dtype, DTYPE_F32);
        Node *grad =
            build_begin(graph, "CrossEntropyGrad", 6,
                        VALUES(node->outputs[0], x, node->inputs[1], NULL, node->outputs[1], node->outputs[2]), 1);
        set_int(graph, grad, "reduction", reduction);
        assert_int_equal(build_finish(graph, grad)->type.dtype, DTYPE_F16);
    }
    Value *y = value_create(graph, VALUE_PARAM, TYPE(DTYPE_F32, 3, 4), NULL);
    assert_int_equal(build_binary(graph, "MeanSquaredError", x, y)->type.dtype, DTYPE_F32);
    assert_int_equal(build_binary(graph, "BceWithLogits", x, x)->type.dtype, DTYPE_F32);
    Value *scores = build(graph, "SoftmaxCrossEntropyLoss", 2, VALUES(x, i64_labels(graph, 3, labels)));
    Value *likelihood = build(graph, "NegativeLogLikelihoodLoss", 2, VALUES(x, i64_labels(graph, 3, labels)));
    graph_add_output(graph, scores);
    graph_add_output(graph, likelihood);
    const Options options = {.target = &target_c};
    expand(graph, &options);
    for (int i = 0; i < 2; i++)
        assert_int_equal(graph->outputs[i]->type.dtype, DTYPE_F32);
    graph_verify(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(mean_of_cross_entropies),
        TEST_WITH_FIXTURE(weights_and_ignored_labels),
        TEST_WITH_FIXTURE(shifted_labels),
        TEST_WITH_FIXTURE(negative_log_likelihood),
        TEST_WITH_FIXTURE(log_softmax_and_nll_make_a_cross_entropy),
        TEST_WITH_FIXTURE(means_over_all_elements),
        TEST_WITH_FIXTURE(calls_match_the_kernels),
        TEST_WITH_FIXTURE(labels_that_do_not_fit_are_rejected),
        TEST_WITH_FIXTURE(losses_of_16_bits_are_f32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
