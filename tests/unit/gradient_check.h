/* gradient_check.h: small graphs in text form, evaluated and differentiated.
 *
 * A case is the body of a graph; its parameters have `= data` and get noise of (low, high), the same on every run. */
#ifndef PCC_TESTS_GRADIENT_CHECK_H
#define PCC_TESTS_GRADIENT_CHECK_H

#include "row_check.h"

typedef struct NoiseRange {
    Arena *arena;
    double low, high;
    uint64_t seed; /* another for each parameter */
} NoiseRange;

static inline const void *noise_data(void *context, const char *name, const Type *type)
{
    (void)name;
    NoiseRange *range = context;
    Tensor tensor = tensor_alloc(range->arena, *type);
    range->seed++;
    for (int64_t i = 0; i < element_count(type) && tensor.f; i++)
        tensor.f[i] = range->low + (range->high - range->low) * 0.5 * (1 + noise(range->seed, i));
    return tensor_to_data(range->arena, &tensor);
}

static inline Graph *parse_case(Fixture *fixture, const char *body, double low, double high)
{
    NoiseRange range = {fixture->arena, low, high, 0};
    const char *text = arena_printf(fixture->arena, "graph \"case\" stage \"\"\n%s\n", body);
    Graph *graph =
        graph_parse(fixture->arena, &fixture->diagnostics, "case.ir", text, strlen(text), noise_data, &range);
    if (!graph)
        fail_msg("%s in:\n%s", messages(fixture), body);
    return graph;
}

/* loss = sum over the float outputs of their elements times noise, so that every cotangent differs. */
static inline void weigh_outputs(Graph *graph)
{
    const Type scalar = scalar_type(DTYPE_F64);
    for (int i = 0; i < graph->output_count; i++) {
        Value *output = graph->outputs[i];
        if (!is_float(output->type.dtype))
            continue;
        Tensor weights = tensor_alloc(graph->arena, output->type);
        for (int64_t k = 0; k < element_count(&weights.type); k++)
            weights.f[k] = 1.5 + noise(99 + (uint64_t)i, k);
        Value *sum = build_unbroadcast(graph, build_mul(graph, output, const_tensor(graph, &weights)), &scalar);
        graph->loss = graph->loss ? build_add(graph, graph->loss, sum) : sum;
    }
}

/* Compares the gradients of all parameters with central differences, and with what they are once every row that has
 * no kernel is expanded. */
static inline void check_gradient(Fixture *fixture, const char *body, double low, double high)
{
    Graph *graph = parse_case(fixture, body, low, high);
    weigh_outputs(graph);
    check_loss_gradients(graph);
    graph_verify(graph);
    const Tensor *direct = evaluate_all_in(graph, graph->arena);
    Tensor *gradients = NEW_ARRAY(graph->arena, Tensor, graph->gradient_count);
    for (int i = 0; i < graph->gradient_count; i++)
        gradients[i] = evaluated_tensor(graph, (Tensor *)direct, graph->gradients[i].value);
    const Options options = {.target = &target_c, .precision = "64-true", .accumulate = 1};
    expand_kernels(graph, &options);
    graph_verify(graph);
    for (int i = 0; i < graph->gradient_count; i++)
        assert_tensor(graph, graph->gradients[i].value, element_count(&gradients[i].type), gradients[i].f);
}

/* The gradients of the sum of the case's first output, one parameter after another, as the rows give them and once they
 * are expanded into kernels: at kinks and poles, where central differences say nothing. */
#define ASSERT_GRADIENTS(fixture, body, ...) assert_gradients((fixture), (body), (double[]){__VA_ARGS__})

static inline void assert_gradients(Fixture *fixture, const char *body, const double *expected)
{
    const Options options = {.target = &target_c, .precision = "64-true", .accumulate = 1};
    Graph *graph = parse_case(fixture, body, 0, 1);
    graph->loss = build_unbroadcast(graph, graph->outputs[0], &(Type){.dtype = DTYPE_F64});
    expand(graph, &options);
    grad(graph, &options);
    for (int expanded = 0; expanded < 2; expanded++) {
        if (expanded)
            expand_kernels(graph, &options);
        graph_verify(graph);
        for (int i = 0, at = 0; i < graph->gradient_count; i++) {
            int64_t count = element_count(&graph->gradients[i].target->type);
            assert_tensor(graph, graph->gradients[i].value, count, expected + at);
            at += (int)count;
        }
    }
}

/* Evaluates the case's first output; constants are in the text. */
static inline Tensor evaluate_case(Fixture *fixture, const char *body)
{
    Graph *graph = parse_case(fixture, body, 0, 1);
    graph_verify(graph);
    return evaluate_value(graph, graph->outputs[0]);
}

/* The first output is a tensor of these dims with these elements, floats within 1e-12. */
#define ASSERT_CASE(fixture, body, dims, ...)                                                           \
    assert_case((fixture), (body), (dims), (int64_t)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), \
                (double[]){__VA_ARGS__})

/* dims as in the text form: "f32[2,3]". */
static inline void assert_case(Fixture *fixture, const char *body, const char *dims, int64_t count,
                               const double *expected)
{
    Tensor tensor = evaluate_case(fixture, body);
    assert_string_equal(type_text(fixture->arena, &tensor.type), dims);
    assert_int_equal(element_count(&tensor.type), count);
    for (int64_t i = 0; i < count; i++) {
        double actual = tensor.f ? tensor.f[i] : (double)tensor.i[i];
        if (isnan(expected[i]) ? !isnan(actual)
                               : !(actual == expected[i] || fabs(actual - expected[i]) <= 1e-12 * (1 + fabs(actual))))
            fail_msg("element %lld is %.17g, expected %.17g, in:\n%s", (long long)i, actual, expected[i], body);
    }
}

/* The case must be refused with a message that has this part. */
static inline void assert_refused(Fixture *fixture, const char *body, const char *part)
{
    const char *text = arena_printf(fixture->arena, "graph \"case\" stage \"\"\n%s\n", body);
    assert_null(parse_text(fixture, text));
    assert_message(fixture, part);
}

#endif
