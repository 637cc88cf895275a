/* test_ops_index.c: gathers, scatters and their adjoints. */
#include "gradient_check.h"

#define ROWS "const %0 : f64[3,2] = {0, 1, 10, 11, 20, 21}\n"

static void gathers_along_an_axis(void **state)
{
    ASSERT_CASE(*state, ROWS "const %1 : i64[2,1] = {-1, 0}\n%2 = Gather(%0, %1)\noutput %2", "f64[2,1,2]", 20, 21, 0,
                1);
    ASSERT_CASE(*state, ROWS "const %1 : i64[] = {1}\n%2 = Gather(%0, %1) {axis=-1}\noutput %2", "f64[3]", 1, 11, 21);
    ASSERT_CASE(*state, ROWS "const %1 : i64[2] = {3, -4}\n%2 = Gather(%0, %1)\noutput %2", "f64[2,2]", 0, 0, 0, 0);
    assert_refused(*state, ROWS "const %1 : i64[1] = {0}\n%2 = Gather(%0, %1) {axis=2}\noutput %2", "axis is 2");
}

static void gathers_by_element_and_by_tuple(void **state)
{
    ASSERT_CASE(*state, ROWS "const %1 : i64[2,2] = {2, 0, -2, 2}\n%2 = GatherElements(%0, %1)\noutput %2", "f64[2,2]",
                20, 1, 10, 21);
    ASSERT_CASE(*state, ROWS "const %1 : i64[3,1] = {1, 0, -1}\n%2 = GatherElements(%0, %1) {axis=1}\noutput %2",
                "f64[3,1]", 1, 10, 21);
    ASSERT_CASE(*state, ROWS "const %1 : i64[2,2] = {0, 1, -1, 0}\n%2 = GatherND(%0, %1)\noutput %2", "f64[2]", 1, 20);
    ASSERT_CASE(*state, ROWS "const %1 : i64[2,1] = {2, 1}\n%2 = GatherND(%0, %1)\noutput %2", "f64[2,2]", 20, 21, 10,
                11);
    ASSERT_CASE(*state, ROWS "const %1 : i64[3,1] = {1, 0, 1}\n%2 = GatherND(%0, %1) {batch_dims=1}\noutput %2",
                "f64[3]", 1, 10, 21);
    assert_refused(*state, ROWS "const %1 : i64[2,3] = {0, 0, 0, 0, 0, 0}\n%2 = GatherND(%0, %1)\noutput %2",
                   "do not fit");
    assert_refused(*state, ROWS "const %1 : i64[2] = {0, 0}\n%2 = GatherElements(%0, %1)\noutput %2", "do not fit");
}

static void scatters_reduce_as_asked(void **state)
{
    static const struct {
        const char *reduction;
        double expected[6];
    } cases[] = {
        {"add", {5, 1, 19, 11, 20, 21}},
        {"mul", {0, 1, 200, 11, 20, 21}},
        {"max", {5, 1, 10, 11, 20, 21}},
        {"min", {0, 1, 4, 11, 20, 21}},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_case(f,
                    arena_printf(f->arena,
                                 "%sconst %%1 : i64[3,1] = {1, 0, -2}\nconst %%2 : f64[3,1] = {5, 5, 4}\n"
                                 "%%3 = ScatterElements(%%0, %%1, %%2) {reduction=\"%s\"}\noutput %%3",
                                 ROWS, cases[i].reduction),
                    "f64[3,2]", 6, cases[i].expected);
        assert_case(f,
                    arena_printf(f->arena,
                                 "%sconst %%1 : i64[3,2] = {1, 0, 0, 0, 1, -2}\nconst %%2 : f64[3] = {5, 5, 4}\n"
                                 "%%3 = ScatterND(%%0, %%1, %%2) {reduction=\"%s\"}\noutput %%3",
                                 ROWS, cases[i].reduction),
                    "f64[3,2]", 6, cases[i].expected);
    }
    ASSERT_CASE(f,
                ROWS "const %1 : i64[2,1] = {2, 0}\nconst %2 : f64[2,2] = {5, 6, 7, 8}\n"
                     "%3 = ScatterND(%0, %1, %2)\noutput %3",
                "f64[3,2]", 7, 8, 10, 11, 5, 6);
    assert_refused(f,
                   ROWS "const %1 : i64[1,1] = {2}\nconst %2 : f64[1,1] = {5}\n"
                        "%3 = ScatterElements(%0, %1, %2) {reduction=\"mean\"}\noutput %3",
                   "reduction='mean'");
    assert_refused(f,
                   ROWS "const %1 : i64[1,1] = {2}\nconst %2 : f64[1,1] = {5}\n%3 = ScatterND(%0, %1, %2)\noutput %3",
                   "the indices select f64[1,2]");
}

static void one_hot_vectors(void **state)
{
    ASSERT_CASE(*state,
                "const %0 : i64[3] = {1, -1, 7}\nconst %1 : i64[1] = {3}\nconst %2 : f32[2] = {2, 5}\n"
                "%3 = OneHot(%0, %1, %2)\noutput %3",
                "f32[3,3]", 2, 5, 2, 2, 2, 5, 2, 2, 2);
    ASSERT_CASE(*state,
                "const %0 : i64[2] = {1, 0}\nconst %1 : f32[] = {2}\nconst %2 : i64[2] = {0, 1}\n"
                "%3 = OneHot(%0, %1, %2) {axis=0}\noutput %3",
                "i64[2,2]", 0, 1, 1, 0);
}

static void sequences_reverse_up_to_their_length(void **state)
{
    ASSERT_CASE(*state,
                "const %0 : i64[4,2] = {0, 10, 1, 11, 2, 12, 3, 13}\nconst %1 : i32[2] = {3, 4}\n"
                "%2 = ReverseSequence(%0, %1)\noutput %2",
                "i64[4,2]", 2, 13, 1, 12, 0, 11, 3, 10);
    ASSERT_CASE(*state,
                "const %0 : i64[2,3] = {0, 1, 2, 10, 11, 12}\nconst %1 : i64[2] = {1, 2}\n"
                "%2 = ReverseSequence(%0, %1) {batch_axis=0, time_axis=1}\noutput %2",
                "i64[2,3]", 0, 1, 2, 11, 10, 12);
}

/* Indices repeat, so that the adjoints add. */
static void gradients_of_gathers(void **state)
{
    static const char *const lines[] = {
        "const %1 : i64[2,2] = {2, 0, -1, 2}\n%2 = Gather(%0, %1)",
        "const %1 : i64[3] = {1, 1, 3}\n%2 = Gather(%0, %1) {axis=1}",
        "const %1 : i64[2,4] = {2, 0, -1, 2, 2, 0, 1, 0}\n%2 = GatherElements(%0, %1)",
        "const %1 : i64[3,2] = {2, 0, 3, 3, -1, 0}\n%2 = GatherElements(%0, %1) {axis=1}",
        "const %1 : i64[3,2] = {2, 0, 1, 1, 2, 0}\n%2 = GatherND(%0, %1)",
        "const %1 : i64[3,1] = {2, 0, 2}\n%2 = GatherND(%0, %1)",
        "const %1 : i64[3,2,1] = {2, 0, 1, 1, -1, 3}\n%2 = GatherND(%0, %1) {batch_dims=1}",
        "const %1 : i64[4] = {1, 3, 2, 2}\n%2 = ReverseSequence(%0, %1)",
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        check_gradient(f, arena_printf(f->arena, "param %%0 : f64[3,4] = data\n%s\noutput %%2", lines[i]), -1, 1);
    check_gradient(f,
                   "param %0 : f64[2] = data\nconst %1 : i64[3] = {1, -1, 5}\nconst %2 : i64[] = {3}\n"
                   "%3 = OneHot(%1, %2, %0) {axis=0}\noutput %3",
                   -1, 1);
}

/* Each reduction with repeated indices, but `none`, whose result would depend on the order. */
static void gradients_of_scatters(void **state)
{
    static const char *const reductions[] = {"none", "add", "mul", "max", "min"};
    Fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        check_gradient(f,
                       arena_printf(f->arena,
                                    "param %%0 : f64[3,3] = data\nparam %%1 : f64[2,3] = data\n"
                                    "const %%2 : i64[2,3] = {0, 1, 2, %s}\n"
                                    "%%3 = ScatterElements(%%0, %%2, %%1) {reduction=\"%s\"}\noutput %%3",
                                    i == 0 ? "1, 0, 0" : "0, 1, 0", reductions[i]),
                       0.5, 1.5);
        check_gradient(f,
                       arena_printf(f->arena,
                                    "param %%0 : f64[3,2] = data\nparam %%1 : f64[3,2] = data\n"
                                    "const %%2 : i64[3,1] = {2, 0, %s}\n"
                                    "%%3 = ScatterND(%%0, %%2, %%1) {reduction=\"%s\"}\noutput %%3",
                                    i == 0 ? "1" : "2", reductions[i]),
                       0.5, 1.5);
    }
    check_gradient(f,
                   "const %0 : f64[2,2] = {1, 2, 3, 4}\nparam %1 : f64[1,2] = {0, 0}\nconst %2 : i64[1,2] = {1, 0}\n"
                   "%3 = ScatterElements(%0, %2, %1) {reduction=\"mul\"}\noutput %3",
                   -1, 1);
}

/* The product of the others at a place is exact where one or several of them are zero. Places 0, 1, 2 have the factors
 * {0, 2}, {0, 0} and {5}, on data of 1, 2, 3. */
static void gradients_of_products_with_zeros(void **state)
{
    static const char *const scatters[] = {"const %2 : i64[5] = {0, 0, 1, 1, 2}\n%3 = ScatterElements",
                                           "const %2 : i64[5,1] = {0, 0, 1, 1, 2}\n%3 = ScatterND"};
    Fixture *f = *state;
    for (int i = 0; i < 2; i++)
        ASSERT_GRADIENTS(f,
                         arena_printf(f->arena,
                                      "param %%0 : f64[3] = {1, 2, 3}\nparam %%1 : f64[5] = {0, 2, 0, 0, 5}\n"
                                      "%s(%%0, %%2, %%1) {reduction=\"mul\"}\noutput %%3",
                                      scatters[i]),
                         0, 0, 5, 2, 0, 0, 0, 3);
}

/* Kernels read i64: a constant is converted in place, anything else cast before the node. */
static void narrow_indices_are_widened(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 4, 3), *constant = int_constant(graph, TYPE(DTYPE_I32, 1, 2), DIMS(2, -3));
    Value *computed = value_create(graph, VALUE_INPUT, TYPE(DTYPE_I32, 1), NULL);
    graph_add_input(graph, computed);
    Node *gather = build_begin(graph, "Gather", 2, VALUES(x, computed), 1);
    Node *elements = build_begin(graph, "GatherElements", 2, VALUES(x, constant), 1);
    Node *nodes[] = {gather, elements};
    for (int i = 0; i < 2; i++) {
        assert_true(nodes[i]->op->upgrade(graph, nodes[i], 13));
        build_finish(graph, nodes[i]);
        assert_int_equal(nodes[i]->inputs[1]->type.dtype, DTYPE_I64);
    }
    assert_ptr_equal(gather->previous, gather->inputs[1]->producer);
    int count;
    const int64_t *indices;
    assert_true(const_operand_ints(graph, elements, 1, &count, &indices));
    assert_int_equal(indices[1], -3);
    graph_verify(graph);
}

static void scatters_of_old_opsets_warn(void **state)
{
    Fixture *f = *state;
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 4, 3), *indices = int_constant(graph, TYPE(DTYPE_I32, 1, 3), DIMS(0, 1, 3));
    Node *scatter = build_begin(graph, "Scatter", 3, VALUES(x, indices, PARAM(graph, 2, 1, 3)), 1);
    assert_true(scatter->op->upgrade(graph, scatter, 16));
    assert_string_equal(messages(f), "");
    assert_true(scatter->op->upgrade(graph, scatter, 9));
    assert_message(f, "below opset 16");
    build_finish(graph, scatter);
    assert_int_equal(scatter->inputs[1]->type.dtype, DTYPE_I64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(gathers_along_an_axis),
        TEST_WITH_FIXTURE(gathers_by_element_and_by_tuple),
        TEST_WITH_FIXTURE(scatters_reduce_as_asked),
        TEST_WITH_FIXTURE(one_hot_vectors),
        TEST_WITH_FIXTURE(sequences_reverse_up_to_their_length),
        TEST_WITH_FIXTURE(gradients_of_gathers),
        TEST_WITH_FIXTURE(gradients_of_scatters),
        TEST_WITH_FIXTURE(gradients_of_products_with_zeros),
        TEST_WITH_FIXTURE(narrow_indices_are_widened),
        TEST_WITH_FIXTURE(scatters_of_old_opsets_warn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
