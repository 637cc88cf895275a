/* test_import_sequences.c: what dissolves at import: sequences, optionals, FlexAttention's subgraphs; tensors of
 * formats narrower than any dtype; and operators of another domain. */
#include "model_support.h"

#include "ir/narrow.h"

#include <math.h>
#include <string.h>

static const ImportOptions no_options = {0};

/* The parts of x[4, 3] along axis 0, the second taken out, joined again: rows 0, 2 and 3. */
static const char *write_split(ModelTest *test)
{
    WireBuffer graph = {0}, axis = {0};
    const int64_t one = 1;
    WireBuffer position = raw_tensor("one", 7, 0, NULL, &one, sizeof one);
    add_field(&graph, 5, &position);
    add_value(&graph, 11, "x", 1, 2, DIMS(4, 3), NULL);
    add_node(&graph, "SplitToSequence", "split", "x", "parts");
    add_node(&graph, "SequenceErase", "erase", "parts one", "fewer");
    add_int_attribute(&axis, "axis", 0);
    add_node_of(&graph, 1, "ConcatFromSequence", NULL, "join", "fewer", "y", &axis);
    add_node(&graph, "SequenceAt", "at", "fewer one", "z");
    add_node(&graph, "SequenceLength", "count", "parts", "n");
    add_value(&graph, 12, "y", 1, 2, DIMS(3, 3), NULL);
    add_value(&graph, 12, "z", 1, 2, DIMS(1, 3), NULL);
    add_value(&graph, 12, "n", 7, 0, NULL, NULL);
    return write_model(test, &graph, 17, NULL);
}

static Tensor evaluate_output(Graph *graph, int output, const double *x)
{
    Tensor *tensors = NEW_ARRAY(graph->arena, Tensor, graph->value_count);
    for (int i = 0; i < graph->input_count; i++) {
        tensors[graph->inputs[i]->id] = tensor_alloc(graph->arena, graph->inputs[i]->type);
        for (int64_t k = 0; k < element_count(&graph->inputs[i]->type); k++) {
            tensors[graph->inputs[i]->id].f[k] = x[k];
        }
    }
    evaluate_graph(graph, tensors);
    return evaluated_tensor(graph, tensors, graph->outputs[output]);
}

static void sequences_of_known_length_dissolve(void **state)
{
    ModelTest *test = *state;
    static const double x[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, rows[] = {0, 1, 2, 6, 7, 8, 9, 10, 11};
    Graph *graph = imported(test, write_split(test), &no_options);
    Tensor y = evaluate_output(graph, 0, x), z = evaluate_output(graph, 1, x), n = evaluate_output(graph, 2, x);
    assert_int_equal(element_count(&y.type), 9);
    for (int i = 0; i < 9; i++) {
        assert_true(y.f[i] == rows[i]);
    }
    assert_true(z.f[0] == 6 && z.f[2] == 8);
    assert_int_equal(n.i[0], 4);
}

static void a_position_that_is_out_of_range_is_refused(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    const int64_t nine = 9;
    WireBuffer position = raw_tensor("nine", 7, 0, NULL, &nine, sizeof nine);
    add_field(&graph, 5, &position);
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, "SequenceConstruct", "pair", "x x", "s");
    add_node(&graph, "SequenceAt", "at", "s nine", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &graph, 17, NULL),
                   "a position that is out of range");
}

/* What says which tensor, or along which axis, has no default. */
static void what_a_sequence_needs_is_not_guessed(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0}, other = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, "SequenceConstruct", "pair", "x x", "s");
    add_node(&graph, "SequenceAt", "at", "s", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &graph, 17, NULL),
                   "node 'at' (SequenceAt): input 1, the position, is missing");
    add_value(&other, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&other, "SequenceConstruct", "pair", "x x", "s");
    add_node(&other, "ConcatFromSequence", "join", "s", "y");
    add_value(&other, 12, "y", 1, 1, DIMS(4), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &other, 17, NULL),
                   "node 'join' (ConcatFromSequence): the attribute 'axis' is missing");
}

static void what_a_sequence_is_told_twice_is_refused(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0}, fields = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, "SequenceConstruct", "pair", "x x", "s");
    add_int_attribute(&fields, "axis", 0);
    add_int_attribute(&fields, "axis", 1);
    add_node_of(&graph, 1, "ConcatFromSequence", NULL, "join", "s", "y", &fields);
    add_value(&graph, 12, "y", 1, 1, DIMS(4), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &graph, 17, NULL),
                   "node 'join' (ConcatFromSequence): attribute 'axis' is given twice");
}

static void a_sequence_is_no_operand_of_arithmetic(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, "SequenceConstruct", "pair", "x x", "s");
    add_node(&graph, "Relu", "relu", "s", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &graph, 17, NULL),
                   "node 'relu' (Relu of a sequence");
}

/* A part for each of 2^29 elements, which were to be unrolled. */
static void a_split_into_too_many_parts_is_refused(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(1 << 29), NULL);
    add_node(&graph, "SplitToSequence", "split", "x", "s");
    add_node(&graph, "SequenceLength", "count", "s", "n");
    add_value(&graph, 12, "n", 7, 0, NULL, NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &graph, 17, NULL),
                   "SplitToSequence into parts that are too many");
}

/* A body whose result is nothing: an optional without contents. */
static void a_body_that_maps_to_no_tensor_is_refused(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0}, body = {0}, attributes = {0};
    add_value(&body, 11, "item", 1, 1, DIMS(2), NULL);
    add_node(&body, "Optional", "nothing", "", "none");
    add_value(&body, 12, "none", 1, 1, DIMS(2), NULL);
    add_graph_attribute(&attributes, "body", &body);
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, "SequenceConstruct", "pair", "x x", "s");
    add_node_of(&graph, 1, "SequenceMap", NULL, "map", "s", "t", &attributes);
    add_node(&graph, "SequenceLength", "count", "t", "n");
    add_value(&graph, 12, "n", 7, 0, NULL, NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &graph, 17, NULL), "whose body makes what is no");
}

/* Scan's results stack, which nothing but tensors can. */
static void a_scan_does_not_stack_sequences(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0}, body = {0}, attributes = {0};
    add_value(&body, 11, "row", 1, 1, DIMS(2), NULL);
    add_node(&body, "SequenceConstruct", "one", "row", "s");
    add_value(&body, 12, "s", 1, 1, DIMS(2), NULL);
    add_graph_attribute(&attributes, "body", &body);
    add_int_attribute(&attributes, "num_scan_inputs", 1);
    add_value(&graph, 11, "x", 1, 2, DIMS(3, 2), NULL);
    add_node_of(&graph, 1, "Scan", NULL, "scan", "x", "y", &attributes);
    add_value(&graph, 12, "y", 1, 2, DIMS(3, 2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &graph, 17, NULL),
                   "results of each iteration must be tensors");
}

static void results_that_are_sequences_are_their_items(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, "Neg", "neg", "x", "h");
    add_node(&graph, "SequenceConstruct", "pair", "x h", "s");
    add_node(&graph, "Optional", "maybe", "s", "o");
    add_node(&graph, "OptionalHasElement", "has", "o", "b");
    add_node(&graph, "OptionalGetElement", "get", "o", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    add_value(&graph, 12, "b", 9, 0, NULL, NULL);
    Graph *imported_graph = imported(test, write_model(test, &graph, 17, NULL), &no_options);
    assert_int_equal(imported_graph->output_count, 3);
    assert_string_equal(imported_graph->output_names[0], "y.0");
    assert_string_equal(imported_graph->output_names[1], "y.1");
    assert_int_equal(evaluate_output(imported_graph, 2, (const double[]){1, 2}).i[0], 1);
}

/* score_mod: scores - scores, so that every key weighs the same. */
static void flex_attention_inlines_its_subgraph(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0}, body = {0}, attributes = {0};
    add_value(&body, 11, "s", 1, 4, DIMS(1, 1, 1, 2), NULL);
    add_node(&body, "Sub", "zero", "s s", "t");
    add_value(&body, 12, "t", 1, 4, DIMS(1, 1, 1, 2), NULL);
    add_graph_attribute(&attributes, "score_mod", &body);
    add_value(&graph, 11, "q", 1, 4, DIMS(1, 1, 2, 2), NULL);
    add_node_of(&graph, 1, "FlexAttention", "ai.onnx.preview", "flex", "q q q", "y", &attributes);
    add_value(&graph, 12, "y", 1, 4, DIMS(1, 1, 2, 2), NULL);
    Graph *imported_graph = imported(test, write_model(test, &graph, 23, NULL), &no_options);
    Tensor y = evaluate_output(imported_graph, 0, (const double[]){1, 10, 3, 30});
    for (int i = 0; i < 4; i++) {
        assert_true(y.f[i] == (i % 2 ? 20 : 2));
    }
}

static void operators_of_com_microsoft_are_rows(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 2, DIMS(2, 3), NULL);
    add_node_of(&graph, 1, "QuickGelu", "com.microsoft", "gelu", "x", "h", NULL);
    add_node_of(&graph, 1, "Gelu", "com.microsoft", "same", "h", "y", NULL);
    add_value(&graph, 12, "y", 1, 2, DIMS(2, 3), NULL);
    assert_int_equal(imported(test, write_model(test, &graph, 20, NULL), &no_options)->output_count, 1);
    WireBuffer wrong = {0};
    add_value(&wrong, 11, "x", 1, 2, DIMS(2, 3), NULL);
    add_node(&wrong, "QuickGelu", "gelu", "x", "y");
    add_value(&wrong, 12, "y", 1, 2, DIMS(2, 3), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &wrong, 20, NULL), "QuickGelu, domain ai.onnx");
}

/* ---- narrow formats ---- */

static void narrow_formats_have_their_published_numbers(void **state)
{
    (void)state;
    static const struct {
        int onnx;
        unsigned bits;
        double value;
    } cases[] = {
        {17, 0x7e, 448},   {17, 0x01, 0x1p-9},    {17, 0xb8, -1},    {18, 0x7f, 240},      {18, 0x01, 0x1p-10},
        {19, 0x7b, 57344}, {19, 0xfc, -INFINITY}, {20, 0x7f, 57344}, {21, 0xf, 15},        {22, 0xf, -1},
        {22, 0x8, -8},     {23, 0x7, 6},          {23, 0x9, -0.5},   {24, 0x00, 0x1p-127}, {24, 0x80, 2},
        {25, 0x3, 3},      {26, 0x2, -2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(narrow_value(narrow_format(cases[i].onnx), cases[i].bits) == cases[i].value);
    }
    static const unsigned nans[][2] = {{17, 0x7f}, {18, 0x80}, {19, 0x7d}, {20, 0x80}, {24, 0xff}};
    for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
        assert_true(isnan(narrow_value(narrow_format((int)nans[i][0]), nans[i][1])));
    }
    assert_null(narrow_format(1));
}

/* Five 4-bit integers in three bytes, the first in the low bits; what dequantises them is a constant, and no weight. */
static void packed_integers_are_read(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    static const uint8_t packed[] = {0x21, 0xf8, 0x07};
    static const float scale = 0.5f;
    static const double expected[] = {0.5, 1, -4, -0.5, 3.5};
    WireBuffer numbers = raw_tensor("q", 22, 1, DIMS(5), packed, sizeof packed);
    WireBuffer step = raw_tensor("scale", 1, 0, NULL, &scale, sizeof scale);
    add_field(&graph, 5, &numbers);
    add_field(&graph, 5, &step);
    add_value(&graph, 11, "x", 1, 1, DIMS(5), NULL);
    add_node(&graph, "DequantizeLinear", "grid", "q scale", "w");
    add_node(&graph, "Mul", "mul", "x w", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(5), NULL);
    Graph *imported_graph = imported(test, write_model(test, &graph, 21, NULL), &no_options);
    Tensor y = evaluate_output(imported_graph, 0, (const double[]){1, 1, 1, 1, 1});
    for (int i = 0; i < 5; i++) {
        assert_true(y.f[i] == expected[i]);
    }
    for (const Node *node = imported_graph->first; node; node = node->next) {
        for (int i = 0; i < node->input_count; i++) {
            assert_true(!node->inputs[i] || node->inputs[i]->kind != VALUE_PARAM);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(sequences_of_known_length_dissolve),
        MODEL_TEST(a_position_that_is_out_of_range_is_refused),
        MODEL_TEST(what_a_sequence_needs_is_not_guessed),
        MODEL_TEST(what_a_sequence_is_told_twice_is_refused),
        MODEL_TEST(a_sequence_is_no_operand_of_arithmetic),
        MODEL_TEST(results_that_are_sequences_are_their_items),
        MODEL_TEST(a_split_into_too_many_parts_is_refused),
        MODEL_TEST(a_body_that_maps_to_no_tensor_is_refused),
        MODEL_TEST(a_scan_does_not_stack_sequences),
        MODEL_TEST(flex_attention_inlines_its_subgraph),
        MODEL_TEST(operators_of_com_microsoft_are_rows),
        cmocka_unit_test(narrow_formats_have_their_published_numbers),
        MODEL_TEST(packed_integers_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
