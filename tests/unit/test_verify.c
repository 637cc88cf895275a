/* The verifier: each rule is broken once, and the message names the pass and what is wrong. */
#include "ir_fixture.h"

static Graph *sample(Fixture *fixture)
{
    return parsed(fixture, "graph \"g\" stage \"simplify\"\n"
                           "input %0 \"x\" : f32[2,3]\n"
                           "param %1 \"w\" : f32[2,3] = data\n"
                           "state %2 \"m\" : f32[2,3] = data\n"
                           "%3 : f32[2,3] = Add(%0, %1) @ \"sum\" \"Add\"\n"
                           "%4 : f32[2,3] = Relu(%3) @ \"act\" \"Relu\"\n"
                           "%5 : f32[] = ReduceMean(%4) {keepdims=0}\n"
                           "output %4\n"
                           "loss %5\n"
                           "gradient %1 = %4\n"
                           "update %2 = %3\n");
}

static void assert_broken(Fixture *fixture, Graph *graph, const char *message)
{
    ASSERT_LEAVES(fixture, EXIT_STATUS_INTERNAL, graph_verify(graph));
    assert_message(fixture, "after pass 'simplify': ");
    assert_also(fixture, message);
}

static void test_a_good_graph_passes_unchanged(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = sample(fixture);
    const char *before = printed(fixture, graph, 0);
    graph_verify(graph);
    assert_string_equal(printed(fixture, graph, 0), before);
    assert_string_equal(messages(fixture), "");
}

static void test_use_before_definition(void **state)
{
    Graph *graph = sample(*state);
    node_move_before(graph, graph->first, graph->last);
    assert_broken(*state, graph, "node 'act' (Relu): after pass 'simplify': an input, %3, is used before");
}

static void test_a_removed_value(void **state)
{
    Graph *graph = sample(*state);
    node_remove(graph, graph->first);
    assert_broken(*state, graph, "an input, %3, was removed");
}

static void test_a_value_of_another_graph(void **state)
{
    Graph *graph = sample(*state), *other = sample(*state);
    graph->first->inputs[0] = other->values[0];
    assert_broken(*state, graph, "an input, %0, was removed or is of another graph");
}

static void test_two_definitions(void **state)
{
    Graph *graph = sample(*state);
    graph->first->next->outputs[0] = graph->values[3];
    assert_broken(*state, graph, "does not name the node as its producer");
}

static void test_one_output_twice(void **state)
{
    Graph *graph = sample(*state);
    graph_add_input(graph, graph->inputs[0]);
    assert_broken(*state, graph, "%0 is defined twice");
}

static void test_a_recorded_type(void **state)
{
    Graph *graph = sample(*state);
    graph->values[4]->type.dims[1] = 7;
    assert_broken(*state, graph, "output 0, %4, is recorded as f32[2,7], but is f32[2,3]");
}

static void test_an_operand_count(void **state)
{
    Graph *graph = sample(*state);
    graph->first->input_count = 1;
    assert_broken(*state, graph, "Add does not satisfy its row");
}

static void test_an_attribute(void **state)
{
    Graph *graph = sample(*state);
    set_int(graph, graph->first, "axis", 1);
    assert_broken(*state, graph, "Add does not satisfy its row");
    assert_also(*state, "unsupported attribute 'axis' of Add");
}

static void test_a_dead_output(void **state)
{
    Graph *graph = sample(*state);
    graph->outputs[0] = value_create(graph, VALUE_TEMP, TYPE(DTYPE_F32, 1), NULL);
    assert_broken(*state, graph, "an output, %6, is used before it is defined");
}

static void test_a_loss_that_is_no_scalar(void **state)
{
    Graph *graph = sample(*state);
    graph->loss = graph->values[4];
    assert_broken(*state, graph, "the loss, %4, is no scalar");
}

static void test_gradients_are_of_parameters(void **state)
{
    Graph *graph = sample(*state);
    graph->gradients[0].target = graph->values[0];
    assert_broken(*state, graph, "gradient 0 is of %0, which is of another kind");
}

static void test_updates_have_the_states_dims(void **state)
{
    Graph *graph = sample(*state);
    graph->updates[0].value = graph->values[5];
    assert_broken(*state, graph, "update 0, %5, has not the dims of %2");
}

static void test_views(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = sample(fixture);
    Value *base = graph->values[3], *value = graph->values[4];
    value->view = (View){.base = base, .offset = 0, .strides = {3, 1}};
    graph_verify(graph);
    value->view = (View){.base = base, .offset = 5, .strides = {-3, -1}};
    graph_verify(graph);
    value->view = (View){.base = base, .offset = 0, .strides = {0, 0}};
    graph_verify(graph);
    const View outside[] = {
        {.base = base, .offset = 1, .strides = {3, 1}},
        {.base = base, .offset = -1, .strides = {3, 1}},
        {.base = base, .offset = 4, .strides = {-3, -1}},
        {.base = base, .offset = 0, .strides = {INT64_MAX, 2}},
    };
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        value->view = outside[i];
        assert_broken(fixture, graph, "the view of %4 leaves its base, %3");
    }
    base->view = (View){.base = graph->values[0], .strides = {3, 1}};
    value->view = (View){.base = base, .strides = {3, 1}};
    assert_broken(fixture, graph, "the view of %4 leaves its base");
}

static void test_links(void **state)
{
    Graph *graph = sample(*state);
    graph->first->next->previous = NULL;
    assert_broken(*state, graph, "not linked both ways");
}

static void test_node_ids(void **state)
{
    Graph *graph = sample(*state);
    graph->last->id = graph->first->id;
    assert_broken(*state, graph, "the node's id, 0, is out of range or not its own");
}

static void test_bodies_are_verified(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, "graph \"\" stage \"simplify\"\n"
                                   "input %0 : f32[2]\n"
                                   "%1 = Fused(%0) body {\n"
                                   "graph \"body\" stage \"simplify\"\n"
                                   "input %0 : f32[2]\n%1 = Relu(%0)\n%2 = Neg(%1)\noutput %2\n"
                                   "}\n"
                                   "output %1\n");
    graph_verify(graph);
    Graph *body = graph->first->body;
    node_move_before(body, body->first, NULL);
    assert_broken(fixture, graph, "%1, is used before it is defined");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(test_a_good_graph_passes_unchanged),
        TEST_WITH_FIXTURE(test_use_before_definition),
        TEST_WITH_FIXTURE(test_a_removed_value),
        TEST_WITH_FIXTURE(test_a_value_of_another_graph),
        TEST_WITH_FIXTURE(test_two_definitions),
        TEST_WITH_FIXTURE(test_one_output_twice),
        TEST_WITH_FIXTURE(test_a_recorded_type),
        TEST_WITH_FIXTURE(test_an_operand_count),
        TEST_WITH_FIXTURE(test_an_attribute),
        TEST_WITH_FIXTURE(test_a_dead_output),
        TEST_WITH_FIXTURE(test_a_loss_that_is_no_scalar),
        TEST_WITH_FIXTURE(test_gradients_are_of_parameters),
        TEST_WITH_FIXTURE(test_updates_have_the_states_dims),
        TEST_WITH_FIXTURE(test_views),
        TEST_WITH_FIXTURE(test_links),
        TEST_WITH_FIXTURE(test_node_ids),
        TEST_WITH_FIXTURE(test_bodies_are_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
