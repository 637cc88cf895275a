/* test_deep.c: the pipeline's time grows with the depth of a model, and with the parts that it joins, not with the
 * square; and its memory with a packed weight's floats, once. */
#include "ir_fixture.h"

#include <time.h>

#include "codegen/codegen.h"

/* y = softmax(tanh(... + p)), `depth` nodes. */
static Graph *build_chain(Arena *arena, Diagnostics *diagnostics, int depth)
{
    Graph *graph = graph_create(arena, diagnostics, "chain");
    static const float weights[8] = {1, -2, 3, 5, -4, 6, 8, 7}; /* no progression, which would be a constant */
    const Type rows = TYPE(DTYPE_F32, 4, 8), row = TYPE(DTYPE_F32, 8);
    Value *x = value_create(graph, VALUE_INPUT, rows, "x");
    graph_add_input(graph, x);
    for (int i = 0; i < depth; i++) {
        if (i % 3 == 0) {
            Value *p = value_create(graph, VALUE_PARAM, row, arena_printf(arena, "layer.%d", i));
            p->data = weights;
            x = build_add(graph, x, p);
        } else {
            x = build_unary(graph, i % 3 == 1 ? "Tanh" : "Softmax", x);
        }
    }
    x->name = "y";
    graph_add_output(graph, x);
    graph->stage = "import";
    return graph;
}

/* y = `parts` copies of x·p, joined, as a sequence of them is. */
static Graph *build_joined(Arena *arena, Diagnostics *diagnostics, int parts)
{
    Graph *graph = graph_create(arena, diagnostics, "joined");
    static const float weights[8] = {1, -2, 3, 5, -4, 6, 8, 7};
    Value *x = value_create(graph, VALUE_INPUT, TYPE(DTYPE_F32, 4, 8), "x");
    Value *p = value_create(graph, VALUE_PARAM, TYPE(DTYPE_F32, 8), "p");
    p->data = weights;
    graph_add_input(graph, x);
    Value **rows = NEW_ARRAY(arena, Value *, parts);
    rows[0] = build_mul(graph, x, p);
    for (int i = 1; i < parts; i++)
        rows[i] = rows[0];
    Node *concat = build_begin(graph, "Concat", parts, rows, 1);
    set_int(graph, concat, "axis", 1);
    Value *y = build_finish(graph, concat);
    y->name = "y";
    graph_add_output(graph, y);
    graph->stage = "import";
    return graph;
}

/* y = x·q + p, q of size² numbers of 4 bits. */
static Graph *build_packed(Arena *arena, Diagnostics *diagnostics, int size)
{
    Graph *graph = graph_create(arena, diagnostics, "packed");
    float *bias = NEW_ARRAY(arena, float, size), *scales = NEW_ARRAY(arena, float, size *(size / 32));
    uint8_t *numbers = NEW_ARRAY(arena, uint8_t, size * (size / 2));
    for (int i = 0; i < size; i++)
        bias[i] = (float)(i * i % 7);
    Value *x = value_create(graph, VALUE_INPUT, TYPE(DTYPE_F32, 4, size), "x");
    Value *p = value_create(graph, VALUE_PARAM, TYPE(DTYPE_F32, size), "p");
    p->data = bias;
    graph_add_input(graph, x);
    Value *operands[] = {x, const_create(graph, TYPE(DTYPE_U8, size, size / 32, 16), numbers, NULL),
                         const_create(graph, TYPE(DTYPE_F32, size, size / 32), scales, NULL)};
    Node *product = build_begin(graph, "MatMulNBits", 3, operands, 1);
    set_int(graph, product, "K", size);
    set_int(graph, product, "N", size);
    set_int(graph, product, "block_size", 32);
    Value *y = build_add(graph, build_finish(graph, product), p);
    y->name = "y";
    graph_add_output(graph, y);
    graph->stage = "import";
    return graph;
}

static const Options pipeline_options = {.target = &target_c,
                                         .precision = "32-true",
                                         .loss = LOSS_MSE,
                                         .loss_given = true,
                                         .optimizer = "adamw",
                                         .accumulate = 1};

typedef Graph *BuildModel(Arena *arena, Diagnostics *diagnostics, int size);

/* Processor seconds; the least of three, as others use the machine too. */
static double pipeline_seconds(Diagnostics *diagnostics, BuildModel *build_model, int size)
{
    double least = 1e9;
    for (int run = 0; run < 3; run++) {
        Arena *arena = arena_create((size_t)1 << 30, diagnostics);
        Graph *graph = build_model(arena, diagnostics, size);
        clock_t start = clock();
        run_pipeline(graph, &pipeline_options);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        least = seconds < least ? seconds : least;
        arena_destroy(arena);
    }
    return least;
}

static void assert_in_proportion(void **state, BuildModel *build_model, int size)
{
    Diagnostics *diagnostics = &((Fixture *)*state)->diagnostics;
    double small = pipeline_seconds(diagnostics, build_model, size);
    double large = pipeline_seconds(diagnostics, build_model, 8 * size);
    assert_true(small > 0);
    if (large > 32 * small) /* in proportion 8, with the square 64 */
        fail_msg("%d nodes take %.3f s, %d take %.3f s", size, small, 8 * size, large);
}

static void time_grows_with_depth(void **state)
{
    assert_in_proportion(state, build_chain, 1000);
}

static void time_grows_with_parts_that_are_joined(void **state)
{
    assert_in_proportion(state, build_joined, 4000);
}

/* What the file stores counts before. */
static void a_packed_weight_takes_its_floats_memory_once(void **state)
{
    Diagnostics *diagnostics = &((Fixture *)*state)->diagnostics;
    const int size = 1024;
    const size_t floats = sizeof(float) * (size_t)size * (size_t)size;
    Arena *arena = arena_create((size_t)1 << 30, diagnostics);
    Graph *graph = build_packed(arena, diagnostics, size);
    const size_t before = arena_used(arena);
    run_pipeline(graph, &pipeline_options);
    const size_t used = arena_used(arena) - before;
    arena_destroy(arena);
    assert_true(used >= floats);
    if (used > floats + floats / 4)
        fail_msg("%zu bytes for floats of %zu", used, floats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_WITH_FIXTURE(time_grows_with_depth),
                                       TEST_WITH_FIXTURE(time_grows_with_parts_that_are_joined),
                                       TEST_WITH_FIXTURE(a_packed_weight_takes_its_floats_memory_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
