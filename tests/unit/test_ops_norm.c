/* test_ops_norm.c: normalisations against their definitions, and their gradients. */
#include "gradient_check.h"

/* The mean and the population variance of `count` elements that lie `step` apart. */
static double mean_of(const double *x, int64_t count, int64_t step)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i * step];
    return sum / (double)count;
}

static double variance_of(const double *x, int64_t count, int64_t step)
{
    double mean = mean_of(x, count, step), sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (x[i * step] - mean) * (x[i * step] - mean);
    return sum / (double)count;
}

static void layer_norm_over_the_last_axis(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 4), *scale = PARAM(graph, 2, 4), *bias = PARAM(graph, 3, 4);
    Node *node = build_begin(graph, "LayerNormalization", 3, VALUES(x, scale, bias), 3);
    set_float(graph, node, "epsilon", 0.1);
    Value *y = build_finish(graph, node);
    assert_dims(node->outputs[1], 3, DIMS(2, 3, 1));
    double expected[24], means[6], rstds[6];
    for (int row = 0; row < 6; row++) {
        means[row] = mean_of(data_of(x) + 4 * row, 4, 1);
        rstds[row] = 1 / sqrt(variance_of(data_of(x) + 4 * row, 4, 1) + 0.1);
        for (int i = 0; i < 4; i++)
            expected[4 * row + i] =
                (data_of(x)[4 * row + i] - means[row]) * rstds[row] * data_of(scale)[i] + data_of(bias)[i];
    }
    assert_tensor(graph, y, 24, expected);
    assert_tensor(graph, node->outputs[1], 6, means);
    assert_tensor(graph, node->outputs[2], 6, rstds);
    check_gradients(graph, y);
}

/* Over two axes, without a bias, and with a scale that broadcasts, which is made whole. */
static void layer_norm_over_two_axes(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 4), *scale = PARAM(graph, 2, 4), *flat;
    Node *node = build_begin(graph, "LayerNormalization", 2, VALUES(x, scale), 1);
    set_int(graph, node, "axis", 1);
    Value *y = build_finish(graph, node);
    assert_dims(node->inputs[1], 2, DIMS(3, 4));
    flat = build_unary(graph, "LayerNormalization", build_reshape(graph, x, 2, DIMS(2, 12)));
    Value *expected = build_mul(graph, build_reshape(graph, flat, 3, x->type.dims), scale);
    assert_same_contents(graph, y, expected);
    check_gradients(graph, y);
}

static void rms_norm_does_not_centre(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 1, 2), (const double[]){3, 4});
    Value *scale = param_of(graph, TYPE(DTYPE_F64, 2), (const double[]){1, 10});
    Node *node = build_begin(graph, "RMSNormalization", 2, VALUES(x, scale), 1);
    set_float(graph, node, "epsilon", 0.5);
    Value *y = build_finish(graph, node);
    double rms = sqrt(12.5 + 0.5);
    assert_tensor(graph, y, 2, (const double[]){3 / rms, 40 / rms});
    check_gradients(graph, y);
}

/* x[2, 4, 3]: `groups` of its channels normalised together, then scale and bias a channel. */
static void assert_grouped(Graph *graph, Value *y, Value *x, int groups, const double *scale, const double *bias)
{
    double expected[24];
    int width = 12 / groups;
    for (int k = 0; k < 24; k++) {
        const double *group = data_of(x) + k / width * width;
        expected[k] = (data_of(x)[k] - mean_of(group, width, 1)) / sqrt(variance_of(group, width, 1) + 1e-5);
        expected[k] = expected[k] * scale[k / 3 % 4] + bias[k / 3 % 4];
    }
    assert_tensor(graph, y, 24, expected);
}

static void instance_and_group_norms(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 4, 3), *scale = PARAM(graph, 2, 4), *bias = PARAM(graph, 3, 4);
    Value *instance = build(graph, "InstanceNormalization", 3, VALUES(x, scale, bias));
    assert_grouped(graph, instance, x, 4, data_of(scale), data_of(bias));
    Node *node = build_begin(graph, "GroupNormalization", 3, VALUES(x, scale, bias), 1);
    set_int(graph, node, "num_groups", 2);
    Value *group = build_finish(graph, node);
    assert_grouped(graph, group, x, 2, data_of(scale), data_of(bias));
    check_gradients(graph, build_add(graph, instance, group));
}

/* Opset 18 has one scale and bias for each group. */
static void group_norm_18_repeats_its_scale(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 4, 3);
    Value *scale = param_of(graph, TYPE(DTYPE_F64, 2), (const double[]){2, 3});
    Value *bias = param_of(graph, TYPE(DTYPE_F64, 2), (const double[]){5, 7});
    Node *node = build_begin(graph, "GroupNormalization", 3, VALUES(x, scale, bias), 1);
    set_int(graph, node, "num_groups", 2);
    assert_true(node->op->upgrade(graph, node, 18));
    Value *y = build_finish(graph, node);
    assert_grouped(graph, y, x, 2, (const double[]){2, 2, 3, 3}, (const double[]){5, 5, 7, 7});
    check_gradients(graph, y);
}

static void the_norms_of_vectors(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 2, 2), (const double[]){3, 4, 0, 0});
    assert_tensor(graph, build_unary(graph, "LpNormalization", x), 4, (const double[]){0.6, 0.8, 0, 0});
    Node *manhattan = build_begin(graph, "LpNormalization", 1, &x, 1);
    set_int(graph, manhattan, "p", 1);
    assert_tensor(graph, build_finish(graph, manhattan), 4, (const double[]){3. / 7, 4. / 7, 0, 0});
    Value *z = PARAM(graph, 1, 3, 4);
    check_gradients(graph, build_unary(graph, "LpNormalization", z));
}

static void mean_variance_normalises_channels(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 2, 2), *y = build_unary(graph, "MeanVarianceNormalization", x);
    Tensor result = evaluate_value(graph, y);
    for (int c = 0; c < 3; c++) {
        double values[8];
        for (int k = 0; k < 8; k++)
            values[k] = result.f[(k / 4 * 3 + c) * 4 + k % 4];
        assert_near(mean_of(values, 8, 1), 0, 1e-12, "mean", c);
        assert_near(variance_of(values, 8, 1), 1, 1e-7, "variance", c);
    }
    check_gradients(graph, y);
}

/* y = x / (bias + alpha/size·Σ x² of the channels around)^beta */
static void a_constant_has_no_deviation(void **state)
{
    ASSERT_GRADIENTS(*state,
                     "param %0 : f64[1,2] = {3, 3}\nconst %2 : f64[2] = {0x1p-30, 0}\n"
                     "%1 = MeanVarianceNormalization(%0) {axes=[1]}\n%3 = Mul(%1, %2)\noutput %3",
                     0.5e9 * 0x1p-30, -0.5e9 * 0x1p-30);
}

static void lrn_divides_by_its_neighbours(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 1, 5, 2);
    Node *node = build_begin(graph, "LRN", 1, &x, 1);
    set_int(graph, node, "size", 3);
    set_float(graph, node, "alpha", 0.3);
    Value *y = build_finish(graph, node);
    double expected[10];
    for (int k = 0; k < 10; k++) {
        double sum = 0;
        for (int c = k / 2 - 1; c <= k / 2 + 1; c++)
            sum += c < 0 || c > 4 ? 0 : data_of(x)[2 * c + k % 2] * data_of(x)[2 * c + k % 2];
        expected[k] = data_of(x)[k] / pow(1 + 0.3 / 3 * sum, 0.75);
    }
    assert_tensor(graph, y, 10, expected);
    check_gradients(graph, y);
}

/* ---- BatchNormalization ---- */

static Node *begin_batch_norm(Graph *graph, int64_t channels, Value *x, const char *op, int outputs)
{
    Value *scale = PARAM(graph, 2, channels), *bias = PARAM(graph, 3, channels);
    double mean[8], var[8];
    for (int i = 0; i < 8; i++) {
        mean[i] = noise(4, i);
        var[i] = 1.5 + noise(5, i);
    }
    Type type = TYPE(DTYPE_F64, channels);
    Value *running_mean = param_of(graph, type, mean), *running_var = param_of(graph, type, var);
    running_mean->kind = running_var->kind = VALUE_STATE;
    return build_begin(graph, op, 5, VALUES(x, scale, bias, running_mean, running_var), outputs);
}

static void inference_is_affine(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 2, 2);
    Node *node = begin_batch_norm(graph, 3, x, "BatchNormalization", 1);
    Value *y = build_finish(graph, node);
    double expected[24];
    for (int k = 0; k < 24; k++) {
        int c = k / 4 % 3;
        expected[k] = (data_of(x)[k] - data_of(node->inputs[3])[c]) / sqrt(data_of(node->inputs[4])[c] + 1e-5) *
                          data_of(node->inputs[1])[c] +
                      data_of(node->inputs[2])[c];
    }
    assert_tensor(graph, y, 24, expected);
    check_gradients(graph, y);
}

/* Before opset 14 the five outputs say that the node trains; the last two are dropped. */
static void training_normalises_the_batch(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 4);
    Node *node = begin_batch_norm(graph, 3, x, "BatchNormalization", 5);
    set_float(graph, node, "momentum", 0.75);
    assert_true(node->op->upgrade(graph, node, 9));
    assert_int_equal(node->output_count, 3);
    Value *y = build_finish(graph, node);
    double expected[24], new_mean[3], new_var[3];
    for (int c = 0; c < 3; c++) {
        double channel[8];
        for (int k = 0; k < 8; k++)
            channel[k] = data_of(x)[(k / 4 * 3 + c) * 4 + k % 4];
        double mean = mean_of(channel, 8, 1), var = variance_of(channel, 8, 1);
        new_mean[c] = 0.75 * data_of(node->inputs[3])[c] + 0.25 * mean;
        new_var[c] = 0.75 * data_of(node->inputs[4])[c] + 0.25 * var;
        for (int k = 0; k < 8; k++)
            expected[(k / 4 * 3 + c) * 4 + k % 4] =
                (channel[k] - mean) / sqrt(var + 1e-5) * data_of(node->inputs[1])[c] + data_of(node->inputs[2])[c];
    }
    assert_tensor(graph, y, 24, expected);
    assert_tensor(graph, node->outputs[1], 3, new_mean);
    assert_tensor(graph, node->outputs[2], 3, new_var);
    check_gradients(graph, y);
}

static void training_in_both_layouts(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 2, 3);
    Node *first = begin_batch_norm(graph, 3, x, "BatchNormalizationTraining", 5);
    Value *y = build_finish(graph, first);
    Value *last_inputs[5];
    memcpy(last_inputs, first->inputs, sizeof last_inputs);
    last_inputs[0] = build_transpose(graph, x, (const int[]){0, 2, 3, 1});
    Node *last = build_begin(graph, "BatchNormalizationTraining", 5, last_inputs, 5);
    set_int(graph, last, "channels_last", 1);
    Value *z = build_transpose(graph, build_finish(graph, last), (const int[]){0, 3, 1, 2});
    assert_same_contents(graph, z, y);
    check_gradients(graph, z);
}

static Value *param_in(Graph *graph, Type type)
{
    return value_create(graph, VALUE_PARAM, type, NULL);
}

/* Results have the dtype of X, or that of `stored`; gradients that of their operand; statistics are f32. */
static void rows_of_16_bits_have_their_dtypes(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_in(graph, TYPE(DTYPE_BF16, 2, 4)), *scale = param_in(graph, TYPE(DTYPE_F16, 4));
    Node *layer = build_begin(graph, "LayerNormalization", 2, VALUES(x, scale), 3);
    assert_int_equal(build_finish(graph, layer)->type.dtype, DTYPE_BF16);
    assert_int_equal(layer->outputs[1]->type.dtype, DTYPE_F32);
    set_int(graph, layer, "stored", dtype_info[DTYPE_F32].onnx);
    assert_true(infer_node(graph, layer));
    assert_int_equal(layer->outputs[0]->type.dtype, DTYPE_F32);
    Node *grad = build_begin(graph, "LayerNormalizationGrad", 5,
                             VALUES(layer->outputs[0], x, scale, layer->outputs[1], layer->outputs[2]), 3);
    assert_int_equal(build_finish(graph, grad)->type.dtype, DTYPE_BF16);
    assert_int_equal(grad->outputs[1]->type.dtype, DTYPE_F16);
    set_int(graph, layer, "stored", dtype_info[DTYPE_I64].onnx);
    assert_false(infer_node(graph, layer));
}

/* Statistics of BatchNormalization are f32, and what it expands into rounds once, to X's dtype. */
static void batch_norm_of_16_bits(void **state)
{
    Graph *graph = row_graph(state);
    Value *inputs[5] = {param_in(graph, TYPE(DTYPE_F16, 2, 3, 5))};
    for (int i = 1; i < 5; i++)
        inputs[i] = param_in(graph, TYPE(DTYPE_F32, 3));
    Node *training = build_begin(graph, "BatchNormalizationTraining", 5, inputs, 5);
    assert_int_equal(build_finish(graph, training)->type.dtype, DTYPE_F16);
    for (int i = 1; i < 5; i++)
        assert_int_equal(training->outputs[i]->type.dtype, DTYPE_F32);
    graph_add_output(graph, training->outputs[0]);
    graph_add_output(graph, build(graph, "BatchNormalization", 5, inputs));
    const Options options = {.target = &target_c};
    expand(graph, &options);
    expand_kernels(graph, &options);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(graph->outputs[i]->type.dtype, DTYPE_F16);
        assert_string_equal(graph->outputs[i]->producer->op->name, "Cast");
        assert_int_equal(graph->outputs[i]->producer->inputs[0]->type.dtype, DTYPE_F32);
    }
    graph_verify(graph);
}

static void calls_match_the_kernels(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 3, 4), *scale = PARAM(graph, 2, 4);
    Node *layer = build(graph, "LayerNormalization", 2, VALUES(x, scale))->producer;
    KernelCall call = kernel_call(&target_c, layer);
    assert_string_equal(call.kernel, "layer_norm");
    assert_int_equal(call.literal_count, 3);
    assert_string_equal(literal_text(&call, 0), "6");
    assert_string_equal(literal_text(&call, 1), "4");
    Node *batch = begin_batch_norm(graph, 3, x, "BatchNormalizationStatistics", 6);
    build_finish(graph, batch);
    call = kernel_call(&target_c, batch);
    assert_string_equal(call.kernel, "batch_norm_statistics");
    assert_int_equal(call.literal_count, 6);
    static const char *const shape[] = {"2", "2", "3", "4"}; /* batch, outer, channels, inner */
    for (int i = 0; i < 4; i++)
        assert_string_equal(literal_text(&call, i), shape[i]);
    assert_true(call.needs_step && call_scratch_bytes(&call) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(layer_norm_over_the_last_axis),     TEST_WITH_FIXTURE(layer_norm_over_two_axes),
        TEST_WITH_FIXTURE(rms_norm_does_not_centre),          TEST_WITH_FIXTURE(instance_and_group_norms),
        TEST_WITH_FIXTURE(group_norm_18_repeats_its_scale),   TEST_WITH_FIXTURE(the_norms_of_vectors),
        TEST_WITH_FIXTURE(mean_variance_normalises_channels), TEST_WITH_FIXTURE(a_constant_has_no_deviation),
        TEST_WITH_FIXTURE(lrn_divides_by_its_neighbours),     TEST_WITH_FIXTURE(inference_is_affine),
        TEST_WITH_FIXTURE(training_normalises_the_batch),     TEST_WITH_FIXTURE(training_in_both_layouts),
        TEST_WITH_FIXTURE(rows_of_16_bits_have_their_dtypes), TEST_WITH_FIXTURE(batch_norm_of_16_bits),
        TEST_WITH_FIXTURE(calls_match_the_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
