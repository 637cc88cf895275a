/* row_check.h: evaluates small graphs of operator rows and compares gradients with central differences. Everything is
 * f64 and runs in the reference evaluator. */
#ifndef PCC_TESTS_ROW_CHECK_H
#define PCC_TESTS_ROW_CHECK_H

#include <math.h>

#include "codegen/c/print.h"
#include "ir_fixture.h"
#include "passes/passes.h"

#define VALUES(...) ((Value *[]){__VA_ARGS__})

static inline Graph *row_graph(void **state)
{
    Fixture *fixture = *state;
    return graph_create(fixture->arena, &fixture->diagnostics, "rows");
}

/* A parameter with these contents. */
static inline Value *param_of(Graph *graph, Type type, const double *contents)
{
    Value *value = value_create(graph, VALUE_PARAM, type, NULL);
    double *data = NEW_ARRAY(graph->arena, double, element_count(&type));
    memcpy(data, contents, (size_t)type_bytes(&type));
    value->data = data;
    return value;
}

/* Numbers in (-1, 1) that depend on seed and index only, no two of them near each other by construction of tests. */
static inline double noise(uint64_t seed, int64_t index)
{
    uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15u + (uint64_t)index * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 31)) * 0x94d049bb133111ebu;
    return (double)((x ^ (x >> 29)) >> 11) * 0x1p-52 - 1;
}

static inline Value *noise_param(Graph *graph, uint64_t seed, Type type)
{
    double *data = NEW_ARRAY(graph->arena, double, element_count(&type));
    for (int64_t i = 0; i < element_count(&type); i++)
        data[i] = noise(seed, i);
    return param_of(graph, type, data);
}

#define PARAM(graph, seed, ...) noise_param((graph), (seed), TYPE(DTYPE_F64, __VA_ARGS__))

static inline Value *int_constant(Graph *graph, Type type, const int64_t *contents)
{
    Tensor tensor = tensor_alloc(graph->arena, type);
    memcpy(tensor.i, contents, (size_t)element_count(&type) * sizeof *contents);
    return const_tensor(graph, &tensor);
}

static inline const double *data_of(const Value *value)
{
    return value->data;
}

/* The contents of every value of the graph, by id, in memory of `arena`. */
static inline Tensor *evaluate_all_in(Graph *graph, Arena *arena)
{
    Graph in_arena = *graph;
    in_arena.arena = arena;
    Tensor *tensors = NEW_ARRAY(arena, Tensor, graph->value_count);
    evaluate_graph(&in_arena, tensors);
    return tensors;
}

static inline Tensor evaluate_value(Graph *graph, const Value *value)
{
    return evaluated_tensor(graph, evaluate_all_in(graph, graph->arena), value);
}

static inline void assert_near(double actual, double expected, double tolerance, const char *what, int64_t index)
{
    if (!(fabs(actual - expected) <= tolerance * (1 + fabs(expected))))
        fail_msg("%s[%lld] is %.17g, expected %.17g", what, (long long)index, actual, expected);
}

static inline void assert_tensor(Graph *graph, const Value *value, int64_t count, const double *expected)
{
    Tensor tensor = evaluate_value(graph, value);
    assert_int_equal(element_count(&tensor.type), count);
    for (int64_t i = 0; i < count; i++)
        assert_near(tensor.f ? tensor.f[i] : (double)tensor.i[i], expected[i], 1e-12, "value", i);
}

static inline void assert_dims(const Value *value, int rank, const int64_t *dims)
{
    assert_int_equal(value->type.rank, rank);
    for (int i = 0; i < rank; i++)
        assert_int_equal(value->type.dims[i], dims[i]);
}

/* Two values of one graph have the same dims and contents. */
static inline void assert_same_contents(Graph *graph, const Value *x, const Value *y)
{
    assert_dims(x, y->type.rank, y->type.dims);
    Tensor tensor = evaluate_value(graph, y);
    assert_tensor(graph, x, element_count(&y->type), tensor.f);
}

static inline double loss_with(Graph *graph, double *data, int64_t index, double value)
{
    double before = data[index];
    data[index] = value;
    Arena *arena = arena_create((size_t)64 << 20, graph->diagnostics);
    Tensor *tensors = evaluate_all_in(graph, arena);
    double loss = tensors[graph->loss->id].f[0];
    arena_destroy(arena);
    data[index] = before;
    return loss;
}

/* Differentiates the graph's loss and compares each parameter's gradient with central differences: their error is
 * O(h²) + ulp/h, some 1e-9 of the function's scale for h = 1e-5. */
static inline void check_loss_gradients(Graph *graph)
{
    const double h = 1e-5;
    const Options options = {.target = &target_c, .precision = "64-true", .loss = LOSS_OUTPUT, .accumulate = 1};
    expand(graph, &options);
    grad(graph, &options);
    graph_verify(graph);
    Tensor *tensors = evaluate_all_in(graph, graph->arena);
    assert_true(graph->gradient_count > 0);
    for (int i = 0; i < graph->gradient_count; i++) {
        Value *param = graph->gradients[i].target;
        double *data = (double *)param->data;
        Tensor gradient = evaluated_tensor(graph, tensors, graph->gradients[i].value);
        for (int64_t k = 0; k < element_count(&param->type); k++) {
            double slope = (loss_with(graph, data, k, data[k] + h) - loss_with(graph, data, k, data[k] - h)) / (2 * h);
            assert_near(gradient.f[k], slope, 1e-7, "gradient", k);
        }
    }
}

/* Likewise for y: the loss is its sum weighted by noise, so that every element's cotangent differs. */
static inline void check_gradients(Graph *graph, Value *y)
{
    int64_t axes[MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    Tensor weights = tensor_alloc(graph->arena, y->type);
    for (int64_t i = 0; i < element_count(&y->type); i++)
        weights.f[i] = noise(99, i);
    Value *weighted = build_mul(graph, y, const_tensor(graph, &weights));
    graph->loss = build_reduce_sum(graph, weighted, y->type.rank, axes, false);
    check_loss_gradients(graph);
}

/* Argument i of a call, a literal, as the C target prints it. */
static inline const char *literal_text(const KernelCall *call, int i)
{
    Text *text = text_create(call->arena);
    print_c_literal(text, &call->arguments[i]);
    return text->data;
}

#endif
