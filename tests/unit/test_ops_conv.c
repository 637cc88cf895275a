/* test_ops_conv.c: Conv and ConvTranspose against naive loops, in both layouts, and their gradients. */
#include "row_check.h"

/* A 2-D case; 1-D and 3-D have tests of their own. */
typedef struct Case {
    int64_t n, c, h, w, o, kh, kw;
    int64_t strides[2], dilations[2], pads[4], group;
} Case;

static const Case cases[] = {
    {2, 3, 5, 6, 4, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1}, {1, 2, 7, 7, 3, 3, 2, {2, 3}, {1, 1}, {0, 1, 2, 0}, 1},
    {2, 4, 6, 5, 4, 2, 2, {1, 2}, {2, 1}, {1, 0, 1, 0}, 2}, {1, 3, 5, 5, 3, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 3},
    {2, 3, 4, 4, 5, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1}, {1, 2, 8, 8, 2, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1},
    {1, 1, 8, 8, 3, 4, 4, {4, 4}, {1, 1}, {0, 0, 0, 0}, 1},
};
enum { CASE_COUNT = sizeof cases / sizeof *cases };

static void set_case(Graph *graph, Node *node, const Case *c)
{
    set_ints(graph, node, "strides", 2, c->strides);
    set_ints(graph, node, "dilations", 2, c->dilations);
    set_ints(graph, node, "pads", 4, c->pads);
    set_int(graph, node, "group", c->group);
}

/* y[n, o, oh, ow] = b[o] + Σ x[n, c, oh·s - pad + kh·d, ...]·w[o, c, kh, kw]: the definition, index by index. */
static double convolve_at(const Case *c, const double *x, const double *w, int64_t n, int64_t o, int64_t oh, int64_t ow)
{
    int64_t depth = c->c / c->group, first = o / (c->o / c->group) * depth;
    double sum = 0;
    for (int64_t k = 0; k < depth * c->kh * c->kw; k++) {
        int64_t kw = k % c->kw, kh = k / c->kw % c->kh, channel = k / c->kw / c->kh;
        int64_t i = oh * c->strides[0] - c->pads[0] + kh * c->dilations[0];
        int64_t j = ow * c->strides[1] - c->pads[1] + kw * c->dilations[1];
        if (i >= 0 && i < c->h && j >= 0 && j < c->w)
            sum += x[((n * c->c + first + channel) * c->h + i) * c->w + j] * w[o * depth * c->kh * c->kw + k];
    }
    return sum;
}

static Value *conv_of(Graph *graph, const Case *c, Value **x, Value **w, Value *bias)
{
    *x = PARAM(graph, 1, c->n, c->c, c->h, c->w);
    *w = PARAM(graph, 2, c->o, c->c / c->group, c->kh, c->kw);
    Node *node = build_begin(graph, "Conv", 3, VALUES(*x, *w, bias), 1);
    set_case(graph, node, c);
    return build_finish(graph, node);
}

static void conv_is_its_definition(void **state)
{
    for (int i = 0; i < CASE_COUNT; i++) {
        Graph *graph = row_graph(state);
        const Case *c = &cases[i];
        Value *x, *w, *bias = PARAM(graph, 3, c->o), *y = conv_of(graph, c, &x, &w, bias);
        const int64_t *d = y->type.dims;
        double *expected = NEW_ARRAY(graph->arena, double, element_count(&y->type));
        for (int64_t k = 0; k < element_count(&y->type); k++) {
            int64_t o = k / d[3] / d[2] % d[1];
            expected[k] = data_of(bias)[o] +
                          convolve_at(c, data_of(x), data_of(w), k / d[3] / d[2] / d[1], o, k / d[3] % d[2], k % d[3]);
        }
        assert_tensor(graph, y, element_count(&y->type), expected);
    }
}

static void conv_gradients(void **state)
{
    for (int i = 0; i < CASE_COUNT; i++) {
        Graph *graph = row_graph(state);
        Value *x, *w;
        check_gradients(graph, conv_of(graph, &cases[i], &x, &w, PARAM(graph, 3, cases[i].o)));
    }
}

/* The same convolution over x and y transposed to [N, spatial, C]. */
static void channels_last_agrees(void **state)
{
    const int to_last[] = {0, 2, 3, 1}, to_first[] = {0, 3, 1, 2};
    for (int i = 0; i < CASE_COUNT; i++) {
        Graph *graph = row_graph(state);
        Value *x, *w, *y = conv_of(graph, &cases[i], &x, &w, NULL);
        Node *last = build_begin(graph, "Convolution", 2, VALUES(build_transpose(graph, x, to_last), w), 1);
        set_case(graph, last, &cases[i]);
        set_int(graph, last, "channels_last", 1);
        Value *z = build_transpose(graph, build_finish(graph, last), to_first);
        assert_same_contents(graph, z, y);
        check_gradients(graph, z);
    }
}

static void one_and_three_dimensions(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 1, 1, 5), (const double[]){1, 2, 3, 4, 5});
    Value *w = param_of(graph, TYPE(DTYPE_F64, 1, 1, 2), (const double[]){10, 1});
    assert_tensor(graph, build_binary(graph, "Conv", x, w), 4, (const double[]){12, 23, 34, 45});
    Value *cube = PARAM(graph, 1, 1, 2, 3, 4, 3), *kernel = PARAM(graph, 2, 2, 2, 2, 3, 2);
    Node *node = build_begin(graph, "Conv", 2, VALUES(cube, kernel), 1);
    set_ints(graph, node, "pads", 6, DIMS(1, 0, 1, 0, 1, 0));
    set_ints(graph, node, "strides", 3, DIMS(2, 1, 1));
    Value *y = build_finish(graph, node);
    assert_dims(y, 5, DIMS(1, 2, 2, 3, 3));
    check_gradients(graph, y);
}

static void auto_pad_keeps_the_extent(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = param_of(graph, TYPE(DTYPE_F64, 1, 1, 4), (const double[]){1, 2, 3, 4});
    Value *w = param_of(graph, TYPE(DTYPE_F64, 1, 1, 2), (const double[]){10, 1});
    static const struct {
        const char *mode;
        int count;
        double y[4];
    } modes[] = {{"SAME_UPPER", 4, {12, 23, 34, 40}}, {"SAME_LOWER", 4, {1, 12, 23, 34}}, {"VALID", 3, {12, 23, 34}}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        Node *node = build_begin(graph, "Conv", 2, VALUES(x, w), 1);
        set_string(graph, node, "auto_pad", modes[i].mode);
        assert_tensor(graph, build_finish(graph, node), modes[i].count, modes[i].y);
    }
}

/* ---- ConvTranspose ---- */

/* The definition: every x[n, c, i, j] adds x·w[c, o, kh, kw] at i·s + kh·d - pad. */
static void scatter(const Case *c, const double *x, const double *w, const int64_t *y_dims, double *y)
{
    int64_t width = c->o / c->group, depth = c->c / c->group, taps = c->kh * c->kw;
    for (int64_t e = 0; e < c->n * c->c * c->h * c->w; e++)
        for (int64_t k = 0; k < width * taps; k++) {
            int64_t channel = e / c->w / c->h % c->c, o = channel / depth * width + k / taps;
            int64_t i = e / c->w % c->h * c->strides[0] + k % taps / c->kw * c->dilations[0] - c->pads[0];
            int64_t j = e % c->w * c->strides[1] + k % c->kw * c->dilations[1] - c->pads[1];
            if (i >= 0 && i < y_dims[2] && j >= 0 && j < y_dims[3])
                y[((e / c->w / c->h / c->c * c->o + o) * y_dims[2] + i) * y_dims[3] + j] +=
                    x[e] * w[channel * width * taps + k];
        }
}

static void conv_transpose_is_its_definition(void **state)
{
    for (int i = 0; i < CASE_COUNT; i++) {
        Graph *graph = row_graph(state);
        const Case *c = &cases[i];
        Value *x = PARAM(graph, 1, c->n, c->c, c->h, c->w);
        Value *w = PARAM(graph, 2, c->c, c->o / c->group, c->kh, c->kw);
        Node *node = build_begin(graph, "ConvTranspose", 2, VALUES(x, w), 1);
        set_case(graph, node, c);
        set_ints(graph, node, "output_padding", 2, DIMS(c->strides[0] - 1, 0));
        Value *y = build_finish(graph, node);
        double *expected = NEW_ARRAY(graph->arena, double, element_count(&y->type));
        scatter(c, data_of(x), data_of(w), y->type.dims, expected);
        assert_tensor(graph, y, element_count(&y->type), expected);
        check_gradients(graph, y);
    }
}

static void conv_transpose_extents(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 1, 1, 3, 3), *w = PARAM(graph, 2, 1, 2, 3, 3);
    Node *padded = build_begin(graph, "ConvTranspose", 2, VALUES(x, w), 1);
    set_ints(graph, padded, "strides", 2, DIMS(3, 2));
    set_ints(graph, padded, "pads", 4, DIMS(1, 2, 1, 2));
    assert_dims(build_finish(graph, padded), 4, DIMS(1, 2, 7, 3));
    Node *shaped = build_begin(graph, "ConvTranspose", 2, VALUES(x, w), 1);
    set_ints(graph, shaped, "strides", 2, DIMS(3, 2));
    set_ints(graph, shaped, "output_shape", 2, DIMS(10, 8));
    Value *y = build_finish(graph, shaped);
    assert_dims(y, 4, DIMS(1, 2, 10, 8));
    check_gradients(graph, y);
    Node *same = build_begin(graph, "ConvTranspose", 2, VALUES(x, w), 1);
    set_ints(graph, same, "strides", 2, DIMS(2, 2));
    set_string(graph, same, "auto_pad", "SAME_UPPER");
    assert_dims(build_finish(graph, same), 4, DIMS(1, 2, 6, 6));
}

/* ---- calls and messages ---- */

static void calls_spell_the_shape(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 2, 8, 8, 3), *w = PARAM(graph, 2, 4, 3, 3, 3);
    Node *node = build_begin(graph, "Convolution", 2, VALUES(x, w), 1);
    set_ints(graph, node, "strides", 2, DIMS(2, 2));
    set_ints(graph, node, "dilations", 2, DIMS(1, 1));
    set_ints(graph, node, "pads", 4, DIMS(1, 1, 1, 1));
    set_int(graph, node, "channels_last", 1);
    check_gradients(graph, build_finish(graph, node));
    const char *shape = "(PccConv){.n = 2, .c = 3, .o = 4, .groups = 1, .in = {1, 8, 8}, .out = {1, 4, 4}, "
                        ".kernel = {1, 3, 3}, .stride = {1, 2, 2}, .dilation = {1, 1, 1}, .pad = {0, 1, 1}}";
    static const char *const names[][2] = {{"Convolution", "conv"},
                                           {"ConvolutionGradInput", "conv_grad_input"},
                                           {"ConvolutionGradWeight", "conv_grad_weight"}};
    int calls = 0;
    for (node = graph->first; node; node = node->next)
        for (int i = 0; i < 3; i++) {
            if (strcmp(node->op->name, names[i][0]) != 0)
                continue;
            KernelCall call = kernel_call(&target_c, node);
            assert_string_equal(call.kernel, names[i][1]);
            assert_string_equal(literal_text(&call, 0), shape);
            assert_int_equal(stores_through_epilogue(&target_c, node), i < 2);
            calls++;
        }
    assert_int_equal(calls, 3);
}

static void bad_shapes_are_rejected(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 1, 3, 4, 4), *w = PARAM(graph, 2, 4, 2, 3, 3), *big = PARAM(graph, 3, 4, 3, 5, 5);
    assert_false(infer_node(graph, build_begin(graph, "Conv", 2, VALUES(x, w), 1)));
    assert_message(*state, "do not fit 3 input and 4 output channels");
    assert_false(infer_node(graph, build_begin(graph, "Conv", 2, VALUES(x, big), 1)));
    assert_message(*state, "a window of 5 does not fit into 4");
    Node *strided = build_begin(graph, "Conv", 2, VALUES(x, PARAM(graph, 4, 4, 3, 3, 3)), 1);
    set_ints(graph, strided, "strides", 2, DIMS(1, 0));
    assert_false(infer_node(graph, strided));
    assert_message(*state, "attribute 'strides' has the value 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(conv_is_its_definition),    TEST_WITH_FIXTURE(conv_gradients),
        TEST_WITH_FIXTURE(channels_last_agrees),      TEST_WITH_FIXTURE(one_and_three_dimensions),
        TEST_WITH_FIXTURE(auto_pad_keeps_the_extent), TEST_WITH_FIXTURE(conv_transpose_is_its_definition),
        TEST_WITH_FIXTURE(conv_transpose_extents),    TEST_WITH_FIXTURE(calls_spell_the_shape),
        TEST_WITH_FIXTURE(bad_shapes_are_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
