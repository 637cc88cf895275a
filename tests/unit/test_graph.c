/* Graphs: making, changing and copying them; attributes; the checks before a row's inference; builders. */
#include "ir_fixture.h"

static Graph *new_graph(Fixture *fixture)
{
    return graph_create(fixture->arena, &fixture->diagnostics, "test");
}

static Value *new_input(Graph *graph, Type type)
{
    Value *value = value_create(graph, VALUE_INPUT, type, NULL);
    graph_add_input(graph, value);
    return value;
}

static Value *float_input(Graph *graph)
{
    return new_input(graph, TYPE(DTYPE_F32, 2, 3));
}

/* ---- structure --------------------------------------------------------------------------------------------------- */

static void test_nodes_go_to_the_cursor(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph);
    Node *last = build_neg(graph, x)->producer;
    graph->cursor = last;
    graph->origin = (Origin){"here", "Op"};
    Node *first = build_neg(graph, x)->producer, *second = build_neg(graph, x)->producer;
    assert_ptr_equal(graph->first, first);
    assert_ptr_equal(first->next, second);
    assert_ptr_equal(second->next, last);
    assert_ptr_equal(graph->last, last);
    assert_ptr_equal(last->previous, second);
    assert_string_equal(first->origin.node, "here");
    assert_null(last->origin.node);
    node_move_before(graph, last, first);
    assert_ptr_equal(graph->first, last);
    assert_ptr_equal(graph->last, second);
    node_move_before(graph, last, NULL);
    assert_ptr_equal(graph->last, last);
    graph_verify(graph);
}

static void test_removing_moves_the_cursor_on(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph), *a = build_neg(graph, x), *b = build_neg(graph, x);
    Node *kept = b->producer;
    graph->cursor = a->producer;
    node_remove(graph, a->producer);
    assert_ptr_equal(graph->cursor, kept);
    assert_ptr_equal(graph->first, kept);
    assert_null(kept->previous);
    assert_null(graph->values[a->id]);
    node_remove(graph, kept);
    assert_null(graph->first);
    assert_null(graph->last);
}

static void test_replacing_reaches_every_use(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph), *old = build_neg(graph, x), *with = build_neg(graph, x);
    Value *user = build_add(graph, old, old);
    Value *param = value_create(graph, VALUE_PARAM, x->type, "w");
    Value *running = value_create(graph, VALUE_STATE, x->type, "m");
    graph_add_output(graph, old);
    graph->loss = old;
    graph_add_gradient(graph, param, old);
    graph_add_update(graph, running, old);
    int *uses = count_uses(graph);
    assert_int_equal(uses[old->id], 6);
    assert_int_equal(uses[x->id], 2);
    assert_true(is_graph_result(graph, old));
    assert_false(is_graph_result(graph, with));
    replace_value(graph, old, with);
    uses = count_uses(graph);
    assert_int_equal(uses[old->id], 0);
    assert_int_equal(uses[with->id], 6);
    assert_ptr_equal(user->producer->inputs[1], with);
    assert_ptr_equal(graph->gradients[0].target, param);
}

static void test_users_are_listed_once(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph), *square = build_mul(graph, x, x), *y = build_add(graph, x, square);
    Node ***users = collect_users(graph);
    assert_ptr_equal(users[x->id][0], square->producer);
    assert_ptr_equal(users[x->id][1], y->producer);
    assert_null(users[x->id][2]);
    assert_null(users[y->id][0]);
}

static void test_many_values_and_lists(void **state)
{
    Graph *graph = new_graph(*state);
    for (int i = 0; i < 1000; i++)
        graph_add_output(graph, float_input(graph));
    assert_int_equal(graph->input_count, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(graph->values[i]->id, i);
        assert_ptr_equal(graph->outputs[i], graph->values[i]);
    }
}

static void test_float_constants_are_shared(void **state)
{
    Graph *graph = new_graph(*state);
    Value *half = const_float(graph, DTYPE_F32, 0.5);
    assert_ptr_equal(const_float(graph, DTYPE_F32, 0.5), half);
    assert_ptr_not_equal(const_float(graph, DTYPE_F64, 0.5), half);
    assert_ptr_not_equal(const_float(graph, DTYPE_F32, -0.0), const_float(graph, DTYPE_F32, 0.0));
    graph->values[half->id] = NULL; /* removed by a pass */
    Value *again = const_float(graph, DTYPE_F32, 0.5);
    assert_ptr_not_equal(again, half);
    assert_true(*(const float *)again->data == 0.5f);
    assert_int_equal(*(const int32_t *)const_float(graph, DTYPE_I32, -3)->data, -3);
}

static void test_a_clone_is_independent_and_equal(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = new_graph(fixture);
    Value *x = float_input(graph), *hole = build_neg(graph, x), *y = build_transpose(graph, x, (int[]){1, 0});
    node_remove(graph, hole->producer);
    graph_add_output(graph, y);
    graph->loss = const_float(graph, DTYPE_F32, 1);
    Graph *clone = graph_clone(graph);
    graph_verify(clone);
    assert_string_equal(printed(fixture, graph, 100), printed(fixture, clone, 100));
    set_ints(clone, clone->first, "perm", 2, DIMS(0, 1));
    clone->values[y->id]->name = "changed";
    graph_add_output(clone, build_neg(clone, clone->inputs[0]));
    const int64_t *perm;
    attr_ints(graph->first, "perm", &perm);
    assert_int_equal(perm[0], 1);
    assert_null(y->name);
    assert_int_equal(graph->output_count, 1);
    assert_ptr_equal(graph->first, graph->last);
    graph_verify(graph);
}

static void test_constant_operands(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph);
    Value *dims = const_create(graph, TYPE(DTYPE_I32, 2), (const int32_t[]){3, -2}, NULL);
    Node *node = node_create(graph, find_op("Add", 3), 3, (Value *[]){x, dims, const_float(graph, DTYPE_F16, 0.5)}, 1);
    int count;
    const int64_t *ints;
    double number;
    assert_true(const_operand_ints(graph, node, 1, &count, &ints));
    assert_int_equal(count, 2);
    assert_int_equal(ints[1], -2);
    assert_true(const_operand_float(graph, node, 2, &number));
    assert_true(number == 0.5);
    assert_false(const_operand_ints(graph, node, 0, &count, &ints));
    assert_false(const_operand_ints(graph, node, 2, &count, &ints));
    assert_false(const_operand_float(graph, node, 1, &number));
    assert_false(const_operand_float(graph, node, 9, &number));
    assert_null(input(node, 3));
    assert_null(input(node, -1));
}

/* ---- a row of the test's own, for attributes and the checks before inference ------------------------------------ */

static bool infer_probe(Graph *graph, Node *node)
{
    (void)graph;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            node->outputs[i]->type = node->inputs[0]->type;
    return true;
}

static const Op probe = {
    .name = "Probe",
    .inputs = "X:float, W?, axes:int?!, rest?...",
    .outputs = "Y, Mean?",
    .attributes = "axis:int=-1, epsilon:float=1e-5, mode:string=linear, pads:ints, scales:floats, k:int!",
    .infer = infer_probe,
};

static Node *probe_node(Graph *graph, int count, Value *const *inputs)
{
    Node *node = node_create(graph, &probe, count, inputs, 1);
    set_int(graph, node, "k", 3);
    return node;
}

static void test_attributes_and_their_defaults(void **state)
{
    Graph *graph = new_graph(*state);
    Node *node = probe_node(graph, 1, (Value *[]){float_input(graph)});
    const int64_t *pads;
    assert_int_equal(attr_int(node, "axis"), -1);
    assert_true(attr_float(node, "epsilon") == 1e-5);
    assert_string_equal(attr_string(node, "mode"), "linear");
    assert_int_equal(attr_ints(node, "pads", &pads), 0);
    assert_false(has_attr(node, "axis"));
    set_int(graph, node, "axis", 1);
    set_int(graph, node, "axis", 2);
    set_float(graph, node, "epsilon", 0.25);
    set_string(graph, node, "mode", "cubic");
    set_ints(graph, node, "pads", 2, DIMS(5, 6));
    assert_int_equal(node->attr_count, 5);
    assert_int_equal(attr_int(node, "axis"), 2);
    assert_true(attr_float(node, "epsilon") == 0.25);
    assert_string_equal(attr_string(node, "mode"), "cubic");
    assert_int_equal(attr_ints(node, "pads", &pads), 2);
    assert_int_equal(pads[1], 6);
    remove_attr(node, "epsilon");
    remove_attr(node, "epsilon");
    assert_true(attr_float(node, "epsilon") == 1e-5);
    assert_int_equal(attr_int(node, "k"), 3);
    Node *other = node_create(graph, &probe, 1, node->inputs, 1);
    copy_attrs(graph, other, node);
    assert_string_equal(attr_string(other, "mode"), "cubic");
}

static void test_asking_for_an_undeclared_attribute_is_internal(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = new_graph(fixture);
    Node *node = probe_node(graph, 1, (Value *[]){float_input(graph)});
    ASSERT_LEAVES(fixture, EXIT_STATUS_INTERNAL, attr_int(node, "group"));
}

static void assert_rejected(Fixture *fixture, Graph *graph, Node *node, ExitStatus status, const char *message)
{
    assert_false(infer_node(graph, node));
    assert_int_equal(fixture->diagnostics.status, status);
    assert_message(fixture, message);
}

static void test_a_good_node_is_accepted(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph), *axes = const_ints(graph, 1, DIMS(0));
    assert_true(infer_node(graph, probe_node(graph, 1, &x)));
    assert_true(infer_node(graph, probe_node(graph, 6, (Value *[]){x, NULL, axes, x, NULL, x})));
    assert_true(operand_is_static(&probe, 2));
    assert_false(operand_is_static(&probe, 1));
    assert_false(operand_is_static(&probe, 7));
}

static void test_a_missing_operand(void **state)
{
    Graph *graph = new_graph(*state);
    assert_rejected(*state, graph, probe_node(graph, 1, (Value *[]){NULL}), EXIT_STATUS_INPUT,
                    "Probe needs its input 0, 'X'");
}

static void test_too_many_operands(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph);
    Node *node = node_create(graph, find_op("Neg", 3), 2, (Value *[]){x, x}, 1);
    assert_rejected(*state, graph, node, EXIT_STATUS_INPUT, "Neg takes at most 1 inputs");
}

static void test_too_many_outputs(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph);
    Node *node = node_create(graph, find_op("Neg", 3), 1, &x, 2);
    assert_rejected(*state, graph, node, EXIT_STATUS_INPUT, "but the node has 2");
}

static void test_a_static_operand_that_is_computed(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph), *axes = new_input(graph, TYPE(DTYPE_I64, 1));
    assert_rejected(*state, graph, probe_node(graph, 3, (Value *[]){x, NULL, axes}), EXIT_STATUS_UNSUPPORTED,
                    "input 'axes' of Probe must be known when the model is compiled");
}

static void test_operands_of_the_wrong_kind(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph), *flags = new_input(graph, TYPE(DTYPE_BOOL, 1));
    assert_rejected(*state, graph, probe_node(graph, 1, &flags), EXIT_STATUS_INPUT,
                    "input 'X' of Probe is bool, but must be a float type");
    Value *axes = const_float(graph, DTYPE_F32, 1);
    assert_rejected(*state, graph, probe_node(graph, 3, (Value *[]){x, flags, axes}), EXIT_STATUS_INPUT,
                    "input 'axes' of Probe is f32, but must be an integer type");
}

static void test_an_unknown_attribute(void **state)
{
    Graph *graph = new_graph(*state);
    Node *node = probe_node(graph, 1, (Value *[]){float_input(graph)});
    set_float(graph, node, "epsilom", 1);
    assert_rejected(*state, graph, node, EXIT_STATUS_UNSUPPORTED,
                    "unsupported attribute 'epsilom' of Probe; did you mean 'epsilon'?");
}

static void test_an_attribute_of_the_wrong_kind(void **state)
{
    Graph *graph = new_graph(*state);
    Node *node = probe_node(graph, 1, (Value *[]){float_input(graph)});
    set_float(graph, node, "axis", 1);
    assert_rejected(*state, graph, node, EXIT_STATUS_INPUT, "attribute 'axis' is of type float, but Probe takes int");
}

static void test_a_missing_attribute(void **state)
{
    Graph *graph = new_graph(*state);
    Node *node = probe_node(graph, 1, (Value *[]){float_input(graph)});
    remove_attr(node, "k");
    assert_rejected(*state, graph, node, EXIT_STATUS_INPUT, "Probe needs the attribute 'k' of type int");
}

static void test_elementwise_inference(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = new_graph(fixture);
    Value *x = float_input(graph), *row = new_input(graph, TYPE(DTYPE_F32, 4, 1, 3));
    Type expected = TYPE(DTYPE_F32, 4, 2, 3), flags = TYPE(DTYPE_BOOL, 4, 2, 3);
    assert_true(same_type(&build_add(graph, x, row)->type, &expected));
    assert_true(same_type(&build_binary(graph, "Less", x, row)->type, &flags));
    ASSERT_LEAVES(fixture, EXIT_STATUS_INPUT, build_add(graph, x, new_input(graph, TYPE(DTYPE_F32, 4))));
    assert_message(fixture, "operand 1 of Add, f32[4], does not broadcast to f32[2,3]");
    ASSERT_LEAVES(fixture, EXIT_STATUS_INPUT, build_add(graph, x, new_input(graph, TYPE(DTYPE_F64, 3))));
    assert_message(fixture, "the operands of Add are of types f32 and f64");
}

static void test_results_that_are_too_large(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = new_graph(fixture);
    Value *column = new_input(graph, TYPE(DTYPE_F32, 1 << 24, 1)), *row = new_input(graph, TYPE(DTYPE_F32, 1 << 24));
    ASSERT_LEAVES(fixture, EXIT_STATUS_INPUT, build_add(graph, column, row));
    assert_message(fixture, "output 0 of Add would be f32[16777216,16777216], which is too large");
}

/* ---- builders ---------------------------------------------------------------------------------------------------- */

static void test_builders_that_do_nothing_return_their_operand(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph);
    assert_ptr_equal(build_cast(graph, x, DTYPE_F32), x);
    assert_ptr_equal(build_reshape(graph, x, 2, DIMS(2, 3)), x);
    assert_ptr_equal(build_transpose(graph, x, (int[]){0, 1}), x);
    assert_ptr_equal(build_expand(graph, x, 2, DIMS(2, 3)), x);
    assert_ptr_equal(build_scale(graph, x, 1), x);
    assert_ptr_equal(build_reduce_sum(graph, x, 0, NULL, true), x);
    assert_ptr_equal(build_unbroadcast(graph, x, &x->type), x);
    assert_null(graph->first);
}

static void test_builders_infer(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = float_input(graph);
    Type flat = TYPE(DTYPE_F32, 6), swapped = TYPE(DTYPE_F32, 3, 2), wide = TYPE(DTYPE_F32, 4, 2, 3);
    Type half = TYPE(DTYPE_F16, 2, 3), square = TYPE(DTYPE_F32, 2, 2), row = TYPE(DTYPE_F32, 1, 3);
    assert_true(same_type(&build_reshape(graph, x, 1, DIMS(6))->type, &flat));
    assert_true(same_type(&build_transpose(graph, x, (int[]){1, 0})->type, &swapped));
    assert_true(same_type(&build_expand(graph, x, 3, DIMS(4, 2, 3))->type, &wide));
    assert_true(same_type(&build_cast(graph, x, DTYPE_F16)->type, &half));
    assert_true(same_type(&build_matmul(graph, x, false, x, true)->type, &square));
    assert_true(same_type(&build_reduce_sum(graph, x, 1, DIMS(0), true)->type, &row));
    graph_verify(graph);
}

static void test_unbroadcast(void **state)
{
    Graph *graph = new_graph(*state);
    Value *x = new_input(graph, TYPE(DTYPE_F32, 5, 4, 2, 3));
    const Type targets[] = {TYPE(DTYPE_F32, 4, 1, 3), TYPE(DTYPE_F32, 3), scalar_type(DTYPE_F32),
                            TYPE(DTYPE_F32, 1, 1, 1, 1), TYPE(DTYPE_F32, 5, 4, 2, 3)};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        assert_true(same_type(&build_unbroadcast(graph, x, &targets[i])->type, &targets[i]));
    graph_verify(graph);
}

static void test_building_an_unknown_operator_is_internal(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = new_graph(fixture);
    ASSERT_LEAVES(fixture, EXIT_STATUS_INTERNAL, build_unary(graph, "NoSuchOp", float_input(graph)));
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static void test_the_table_is_sorted_and_unique(void **state)
{
    (void)state;
    assert_true(op_count() > 0);
    for (int i = 0; i < op_count(); i++) {
        const Op *op = op_at(i);
        assert_non_null(op);
        assert_ptr_equal(find_op(op->name, strlen(op->name)), op);
        if (i)
            assert_true(strcmp(op_at(i - 1)->name, op->name) < 0);
    }
    assert_null(op_at(op_count()));
    assert_null(find_op("Ad", 2));
    assert_null(find_op("", 0));
    assert_null(find_op("Addition", 8));
    assert_string_equal(find_op("Addition", 3)->name, "Add"); /* a name need not be terminated */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(test_nodes_go_to_the_cursor),
        TEST_WITH_FIXTURE(test_removing_moves_the_cursor_on),
        TEST_WITH_FIXTURE(test_replacing_reaches_every_use),
        TEST_WITH_FIXTURE(test_users_are_listed_once),
        TEST_WITH_FIXTURE(test_many_values_and_lists),
        TEST_WITH_FIXTURE(test_float_constants_are_shared),
        TEST_WITH_FIXTURE(test_a_clone_is_independent_and_equal),
        TEST_WITH_FIXTURE(test_constant_operands),
        TEST_WITH_FIXTURE(test_attributes_and_their_defaults),
        TEST_WITH_FIXTURE(test_asking_for_an_undeclared_attribute_is_internal),
        TEST_WITH_FIXTURE(test_a_good_node_is_accepted),
        TEST_WITH_FIXTURE(test_a_missing_operand),
        TEST_WITH_FIXTURE(test_too_many_operands),
        TEST_WITH_FIXTURE(test_too_many_outputs),
        TEST_WITH_FIXTURE(test_a_static_operand_that_is_computed),
        TEST_WITH_FIXTURE(test_operands_of_the_wrong_kind),
        TEST_WITH_FIXTURE(test_an_unknown_attribute),
        TEST_WITH_FIXTURE(test_an_attribute_of_the_wrong_kind),
        TEST_WITH_FIXTURE(test_a_missing_attribute),
        TEST_WITH_FIXTURE(test_elementwise_inference),
        TEST_WITH_FIXTURE(test_results_that_are_too_large),
        TEST_WITH_FIXTURE(test_builders_that_do_nothing_return_their_operand),
        TEST_WITH_FIXTURE(test_builders_infer),
        TEST_WITH_FIXTURE(test_unbroadcast),
        TEST_WITH_FIXTURE(test_building_an_unknown_operator_is_internal),
        cmocka_unit_test(test_the_table_is_sorted_and_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
