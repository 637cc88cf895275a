/* test_deep.c: the pipeline's time grows with the depth of a model, not with its square. */
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

/* Processor seconds; the least of three, as others use the machine too. */
static double pipeline_seconds(Diagnostics *diagnostics, int depth)
{
    const Options options = {.target = &target_c,
                             .precision = "32-true",
                             .loss = LOSS_MSE,
                             .loss_given = true,
                             .optimizer = "adamw",
                             .accumulate = 1};
    double least = 1e9;
    for (int run = 0; run < 3; run++) {
        Arena *arena = arena_create((size_t)1 << 30, diagnostics);
        Graph *graph = build_chain(arena, diagnostics, depth);
        clock_t start = clock();
        run_pipeline(graph, &options);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        least = seconds < least ? seconds : least;
        arena_destroy(arena);
    }
    return least;
}

static void test_time_grows_with_depth(void **state)
{
    Diagnostics *diagnostics = &((Fixture *)*state)->diagnostics;
    double shallow = pipeline_seconds(diagnostics, 1000), deep = pipeline_seconds(diagnostics, 8000);
    assert_true(shallow > 0);
    if (deep > 32 * shallow) /* in proportion 8, with the square 64 */
        fail_msg("1000 nodes take %.3f s, 8000 take %.3f s", shallow, deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_WITH_FIXTURE(test_time_grows_with_depth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
