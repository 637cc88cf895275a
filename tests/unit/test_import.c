/* Importing models: kinds, names, dims, folding, upgrades, functions, control flow, unsupported operators. */
#include "model_support.h"

#include <string.h>

static const ImportOptions no_options = {0};

static void fill_ones(void *context, int64_t first, int64_t count, void *elements)
{
    (void)context, (void)first;
    for (int64_t i = 0; i < count; i++) {
        ((float *)elements)[i] = 1;
    }
}

/* y = relu(x · wᵀ + b), x [batch, 4], as the writer writes it. */
static const char *write_linear(ModelTest *test)
{
    Fixture *fixture = test->fixture;
    OnnxWriter *w = onnx_writer_create(fixture->arena, &fixture->diagnostics, "linear", 17);
    const char *const symbols[] = {"batch", NULL};
    onnx_writer_input(w, "x", DTYPE_F32, 2, DIMS(0, 4), symbols);
    onnx_writer_initializer(w, "fc.weight", DTYPE_F32, 2, DIMS(3, 4), fill_ones, NULL);
    onnx_writer_initializer(w, "fc.bias", DTYPE_F32, 1, DIMS(3), fill_ones, NULL);
    onnx_writer_node(w, "Gemm", "fc", 3, (const char *[]){"x", "fc.weight", "fc.bias"}, 1, (const char *[]){"h"});
    onnx_writer_attr_int(w, "transB", 1);
    onnx_writer_node(w, "Relu", "", 1, (const char *[]){"h"}, 1, (const char *[]){"y"});
    onnx_writer_output(w, "y", DTYPE_F32, 2, DIMS(0, 3), symbols);
    onnx_writer_save(w, path_in(test, "linear.onnx"));
    return path_in(test, "linear.onnx");
}

static void test_kinds_names_and_origins(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_linear(test), &(ImportOptions){.batch = 5});
    assert_string_equal(graph->name, "linear");
    assert_int_equal(graph->input_count, 1);
    assert_int_equal(graph->inputs[0]->type.dims[0], 5);
    Value *weight = value_named(graph, "fc.weight");
    assert_int_equal(weight->kind, VALUE_PARAM);
    assert_true(((const float *)weight->data)[11] == 1);
    assert_int_equal(graph->output_count, 1);
    assert_string_equal(graph->output_names[0], "y");
    Type wanted = TYPE(DTYPE_F32, 5, 3);
    assert_true(same_type(&graph->outputs[0]->type, &wanted));
    assert_string_equal(graph->first->origin.node, "fc");
    assert_string_equal(graph->last->origin.node, "y"); /* unnamed: its output's */
    assert_string_equal(graph->last->origin.op, "Relu");
}

/* Two nodes of one name, and a statistic that is stored once for all; a tensor has the name that a copy would get. */
static const char *write_shared_statistics(ModelTest *test)
{
    WireBuffer graph = {0};
    const float numbers[3] = {1, 2, 4};
    const char *const stored[] = {"s", "b", "m", "m:bn"};
    add_value(&graph, 11, "x", 1, 3, DIMS(2, 3, 5), NULL);
    for (int i = 0; i < 4; i++) {
        WireBuffer tensor = raw_tensor(stored[i], 1, 1, DIMS(3), numbers, sizeof numbers);
        add_field(&graph, 5, &tensor);
    }
    for (int i = 0; i < 2; i++) {
        WireBuffer attributes = {0};
        add_int_attribute(&attributes, "training_mode", 1);
        add_node_of(&graph, 1, "BatchNormalization", NULL, "bn", i ? "h s m:bn m m" : "x s b m m", i ? "y" : "h",
                    &attributes);
    }
    add_value(&graph, 12, "y", 1, 3, DIMS(2, 3, 5), NULL);
    return write_model(test, &graph, 17, NULL);
}

static void test_copies_of_statistics_have_names_of_their_own(void **state)
{
    ModelTest *test = *state;
    const Graph *graph = imported(test, write_shared_statistics(test), &no_options);
    int states = 0;
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (!value || value->kind != VALUE_STATE) {
            continue;
        }
        states++;
        assert_ptr_equal(value_named(graph, value->name), value);
        for (int j = 0; j < i; j++) {
            const Value *other = graph->values[j];
            assert_false(other && other->name && strcmp(other->name, value->name) == 0);
        }
    }
    assert_int_equal(states, 4);
}

/* ---- dims ------------------------------------------------------------------------------------------------------- */

static Graph *import_linear_with(ModelTest *test, const ImportOptions *options)
{
    return import_with(test, write_linear(test), options);
}

static void test_bindings(void **state)
{
    ModelTest *test = *state;
    DimBinding dim;
    ShapeBinding shape;
    assert_true(parse_dim_binding(test->fixture->arena, "batch=6", &dim));
    assert_true(parse_shape_binding(test->fixture->arena, "x=7x4", &shape));
    ImportOptions options = {.batch = 5, .dims = &dim, .dim_count = 1};
    assert_int_equal(imported(test, write_linear(test), &options)->inputs[0]->type.dims[0], 6);
    options.shapes = &shape;
    options.shape_count = 1;
    assert_int_equal(imported(test, write_linear(test), &options)->inputs[0]->type.dims[0], 7);
}

static void test_binding_texts(void **state)
{
    ModelTest *test = *state;
    static const char *const wrong[] = {"",
                                        "x",
                                        "=3",
                                        "x=a",
                                        "x=3x",
                                        "x=x3",
                                        "x=-1",
                                        "x=3x4y",
                                        "x= 3",
                                        "x=3x+4",
                                        "x=1x2x3x4x5x6x7x8x9",
                                        "x=99999999999999999999"};
    ShapeBinding shape;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(parse_shape_binding(test->fixture->arena, wrong[i], &shape));
    }
    assert_true(parse_shape_binding(test->fixture->arena, "a=b=1x0x3", &shape));
    assert_string_equal(shape.input, "a=b");
    assert_int_equal(shape.rank, 3);
    assert_true(parse_shape_binding(test->fixture->arena, "scalar=", &shape));
    assert_int_equal(shape.rank, 0);
    DimBinding dim;
    assert_false(parse_dim_binding(test->fixture->arena, "batch=", &dim));
    assert_false(parse_dim_binding(test->fixture->arena, "batch=3x4", &dim));
}

static void test_unbound_dimension(void **state)
{
    ModelTest *test = *state;
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_linear(test),
                   "input 'x' has the unbound dimension 'batch' on axis 0; give --batch N or --dim batch=N");
}

static void test_bindings_of_nothing(void **state)
{
    ModelTest *test = *state;
    ImportOptions dims = {.batch = 1, .dims = &(DimBinding){"bacth", 2}, .dim_count = 1};
    ASSERT_LEAVES(test->fixture, EXIT_STATUS_USAGE, import_linear_with(test, &dims));
    assert_message(test->fixture, "--dim bacth: no input has a dimension of that name; did you mean 'batch'?");
    ImportOptions shapes = {.batch = 1, .shapes = &(ShapeBinding){"z", 1, {3}}, .shape_count = 1};
    ASSERT_LEAVES(test->fixture, EXIT_STATUS_USAGE, import_linear_with(test, &shapes));
    assert_message(test->fixture, "--shape z: no input has that name");
}

static void test_batch_against_a_fixed_one(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 2, DIMS(4, 3), NULL);
    add_node(&graph, "Relu", "relu", "x", "y");
    add_value(&graph, 12, "y", 1, 2, DIMS(4, 3), NULL);
    const char *path = write_model(test, &graph, 17, NULL);
    ASSERT_LEAVES(test->fixture, EXIT_STATUS_INPUT, import_with(test, path, &(ImportOptions){.batch = 8}));
    assert_message(test->fixture, "--batch 8: input 'x' has the fixed first dimension 4");
    assert_also(test->fixture, "give --batch 4: --accumulate 2 trains with 8 samples an update");
    assert_int_equal(imported(test, path, &(ImportOptions){.batch = 4})->inputs[0]->type.dims[0], 4);
}

/* x [1, 2, 3, 4] through a Reshape to these dims, then `op` along `axis`. */
static const char *write_reshaped(ModelTest *test, int rank, const int64_t *dims, const char *op, int64_t axis)
{
    WireBuffer graph = {0}, fields = {0};
    WireBuffer shape = raw_tensor("shape", 7, 1, DIMS(rank), dims, 8 * (size_t)rank);
    add_int_attribute(&fields, "axis", axis);
    add_value(&graph, 11, "x", 1, 4, DIMS(1, 2, 3, 4), NULL);
    add_field(&graph, 5, &shape);
    add_node(&graph, "Reshape", "reshape", "x shape", "h");
    add_node_of(&graph, 1, op, NULL, "along", "h", "y", &fields);
    add_value(&graph, 12, "y", 1, rank, dims, NULL);
    return write_model(test, &graph, 17, NULL);
}

static void assert_rebatched(ModelTest *test, int rank, const int64_t *dims, int64_t axis, Type wanted)
{
    Graph *graph = imported(test, write_reshaped(test, rank, dims, "Softmax", axis), &(ImportOptions){.batch = 5});
    assert_int_equal(graph->inputs[0]->type.dims[0], 5);
    assert_true(same_type(&graph->first->outputs[0]->type, &wanted));
}

/* A batch of 1 that the file fixes, read as 5: each sample is computed as the file computes the one. */
static void test_a_fixed_batch_is_read_as_another(void **state)
{
    ModelTest *test = *state;
    assert_rebatched(test, 2, DIMS(1, 24), 1, TYPE(DTYPE_F32, 5, 24));
    assert_rebatched(test, 2, DIMS(1, -1), 1, TYPE(DTYPE_F32, 5, 24)); /* -1 would have folded the batch */
    assert_rebatched(test, 3, DIMS(6, 2, 2), -1, TYPE(DTYPE_F32, 30, 2, 2));
    assert_rebatched(test, 2, DIMS(-1, 4), -1, TYPE(DTYPE_F32, 30, 4));
    ImportOptions shaped = {.shapes = &(ShapeBinding){"x", 4, {5, 2, 3, 4}}, .shape_count = 1};
    Graph *graph = imported(test, write_reshaped(test, 2, DIMS(1, 24), "Softmax", 1), &shaped);
    Type wanted = TYPE(DTYPE_F32, 5, 24);
    assert_true(same_type(&graph->outputs[0]->type, &wanted));
}

static void assert_mixing(ModelTest *test, const char *path)
{
    ASSERT_LEAVES(test->fixture, EXIT_STATUS_UNSUPPORTED, import_with(test, path, &(ImportOptions){.batch = 5}));
    assert_message(test->fixture, "the file's batch of 1 is part of the graph, which cannot be read with 5 samples");
    assert_also(test->fixture, "--accumulate 5 trains with 5 samples an update");
}

static void assert_not_rebatched(ModelTest *test, int rank, const int64_t *dims, const char *op, int64_t axis)
{
    assert_mixing(test, write_reshaped(test, rank, dims, op, axis));
}

/* y[n, k] = data[n, x[n, k]] of data [5, 3], for x [1, 2]: of row 0, whatever the sample. */
static const char *write_gathered(ModelTest *test)
{
    WireBuffer graph = {0}, fields = {0};
    WireBuffer data = raw_tensor("data", 1, 2, DIMS(5, 3), (float[15]){0}, sizeof(float[15]));
    add_int_attribute(&fields, "axis", 1);
    add_value(&graph, 11, "x", 7, 2, DIMS(1, 2), NULL);
    add_field(&graph, 5, &data);
    add_node_of(&graph, 1, "GatherElements", NULL, "gather", "data x", "y", &fields);
    add_value(&graph, 12, "y", 1, 2, DIMS(1, 2), NULL);
    return write_model(test, &graph, 17, NULL);
}

static void test_samples_do_not_mix(void **state)
{
    ModelTest *test = *state;
    assert_not_rebatched(test, 1, DIMS(24), "Softmax", 0);
    assert_not_rebatched(test, 2, DIMS(6, 4), "Softmax", 0);
    assert_not_rebatched(test, 2, DIMS(6, 4), "Split", 0); /* the first samples, not the first half of each */
    assert_not_rebatched(test, 2, DIMS(6, 4), "Flatten", 0);
    assert_not_rebatched(test, 2, DIMS(6, 4), "ArgMax", 0);
    assert_not_rebatched(test, 2, DIMS(6, 4), "LpNormalization", 0);
    assert_mixing(test, write_gathered(test));
}

static void assert_open_dims(ModelTest *test, int64_t dim, const char *symbol)
{
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 2, DIMS(dim, dim), symbol);
    add_node(&graph, "Relu", "relu", "x", "y");
    add_value(&graph, 12, "y", 1, 2, DIMS(1, 3), NULL);
    const char *path = write_model(test, &graph, 17, NULL);
    ImportOptions shaped = {.batch = 4, .shapes = &(ShapeBinding){"x", 2, {4, 3}}, .shape_count = 1};
    assert_int_equal(imported(test, path, &shaped)->inputs[0]->type.dims[1], 3);
    ASSERT_LEAVES(test->fixture, EXIT_STATUS_INPUT, import_with(test, path, &(ImportOptions){.batch = 4}));
    assert_message(test->fixture, "test: error: input 'x' has an unknown dimension on axis 1; give --shape x=AxBx...");
}

/* Dims that exporters do not know: each is open of its own, the first axis by --batch. */
static void test_unknown_dimensions(void **state)
{
    assert_open_dims(*state, -1, "?"); /* add_value() takes -1 for a symbol */
    assert_open_dims(*state, -1, "");
    assert_open_dims(*state, 0, NULL);
}

/* ---- folding ---------------------------------------------------------------------------------------------------- */

/* Shape, a slice of it, Concat and Reshape leave the one Reshape. */
static void test_shape_arithmetic_folds(void **state)
{
    ModelTest *test = *state;
    int64_t zero = 0, rest[1] = {-1};
    WireBuffer graph = {0}, index = raw_tensor("zero", 7, 1, DIMS(1), &zero, 8);
    WireBuffer tail = raw_tensor("rest", 7, 1, DIMS(1), rest, 8);
    add_field(&graph, 5, &index);
    add_field(&graph, 5, &tail);
    add_value(&graph, 11, "x", 1, 3, DIMS(-1, 2, 3), "N");
    add_node(&graph, "Shape", "shape", "x", "s");
    add_node(&graph, "Gather", "first", "s zero", "n");
    WireBuffer axis = {0};
    add_int_attribute(&axis, "axis", 0);
    add_node_of(&graph, 1, "Concat", NULL, "concat", "n rest", "dims", &axis);
    add_node(&graph, "Reshape", "reshape", "x dims", "y");
    add_value(&graph, 12, "y", 1, 2, DIMS(-1, 6), "N");
    Graph *result = imported(test, write_model(test, &graph, 17, NULL), &(ImportOptions){.batch = 4});
    assert_int_equal(node_count(result), 1);
    Type wanted = TYPE(DTYPE_F32, 4, 6);
    assert_true(same_type(&result->outputs[0]->type, &wanted));
}

static void test_parameters_do_not_fold(void **state)
{
    ModelTest *test = *state;
    float one = 1;
    WireBuffer graph = {0}, weight = raw_tensor("w", 1, 0, NULL, &one, 4);
    add_field(&graph, 5, &weight);
    add_node(&graph, "Neg", "neg", "w", "y");
    add_value(&graph, 12, "y", 1, 0, NULL, NULL);
    Graph *result = imported(test, write_model(test, &graph, 17, NULL), &no_options);
    assert_int_equal(node_count(result), 1);
    assert_int_equal(value_named(result, "w")->kind, VALUE_PARAM);
}

/* Clip-6 has its bounds in attributes; the row wants operands. */
static void test_old_nodes_are_upgraded(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0}, axes = {0}, attribute = {0};
    wire_string(&attribute, 1, "axes");
    wire_int(&attribute, 8, 1);
    wire_int(&attribute, 20, 7);
    add_field(&axes, 5, &attribute);
    add_value(&graph, 11, "x", 1, 3, DIMS(2, 1, 3), NULL);
    add_node_of(&graph, 1, "Squeeze", NULL, "squeeze", "x", "y", &axes);
    add_value(&graph, 12, "y", 1, 2, DIMS(2, 3), NULL);
    Graph *result = imported(test, write_model(test, &graph, 11, NULL), &no_options);
    int count;
    const int64_t *values;
    assert_true(const_operand_ints(result, result->first, 1, &count, &values));
    assert_int_equal(values[0], 1);
    assert_false(has_attr(result->first, "axes"));
}

/* ---- what pcc does not have ------------------------------------------------------------------------------------- */

static void test_all_unsupported_operators_are_listed(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, "Rleu", "a", "x", "h");
    add_node(&graph, "Relu", "dependent", "h", "i");
    add_node_of(&graph, 1, "Fused", "com.example", "b", "i", "y", NULL);
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &graph, 17, NULL),
                   "2 unsupported operators:\n"
                   "  node 'a' (Rleu, domain ai.onnx; did you mean Relu?)\n"
                   "  node 'b' (Fused, domain com.example)\n");
    assert_int_equal(test->fixture->diagnostics.error_count, 1);
}

static void test_no_hint_for_names_that_are_right(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, "ImageDecoder", "a", "x", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &graph, 17, NULL),
                   "1 unsupported operator:\n  node 'a' (ImageDecoder, domain ai.onnx)\n");
}

/* A type is no operator: the list counts only these. */
static void test_types_that_pcc_does_not_have(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0}, words = {0}, type = {0}, input = {0};
    wire_int(&words, 1, 1);
    wire_int(&words, 2, 8); /* a tensor of STRING */
    wire_string(&words, 6, "cat");
    wire_string(&words, 8, "words");
    add_field(&graph, 5, &words);
    wire_string(&input, 1, "s");
    wire_string(&type, 4, ""); /* TypeProto.sequence_type */
    add_field(&input, 2, &type);
    add_field(&graph, 11, &input);
    add_node(&graph, "Frobnicate", "a", "s words", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    const char *path = write_model(test, &graph, 17, NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, path, "input 's' is a sequence; pcc reads tensors of numbers");
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, path, "initializer 'words' is of type STRING");
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, path, "1 unsupported operator:");
}

/* ---- what is not needed ----------------------------------------------------------------------------------------- */

/* y = relu(x); label of an operator that pcc does not have, words from a table of strings; dead nodes of every kind. */
static const char *write_branches(ModelTest *test)
{
    WireBuffer graph = {0}, words = {0};
    wire_int(&words, 1, 1);
    wire_int(&words, 2, 8);
    wire_string(&words, 6, "cat");
    wire_string(&words, 8, "words");
    add_field(&graph, 5, &words);
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_value(&graph, 11, "sizes", 7, 1, DIMS(2), NULL);
    add_node(&graph, "Frobnicate", "dead", "x words", "d");
    add_node(&graph, "NonZero", "count", "x", "unread");
    add_node(&graph, "Neg", "inner", "x", "h");
    add_node_of(&graph, 1, "Pick", "ai.onnx.ml", "pick", "h words", "label", NULL);
    add_node(&graph, "NonZero", "where", "sizes", "indices");
    add_node(&graph, "Relu", "relu", "h", "y");
    add_value(&graph, 12, "label", 7, 1, DIMS(2), NULL);
    add_value(&graph, 12, "indices", 7, 2, DIMS(1, 2), NULL);
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    return write_model(test, &graph, 17, NULL);
}

static void test_outputs_are_left_out(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_branches(test), &no_options);
    assert_int_equal(graph->output_count, 1);
    assert_string_equal(graph->output_names[0], "y");
    assert_int_equal(node_count(graph), 2); /* Neg, Relu */
    assert_int_equal(graph->input_count, 1);
    assert_int_equal(test->fixture->diagnostics.error_count, 0);
    assert_message(test->fixture, "note: output 'label' is left out: initializer 'words' is of type STRING, which pcc "
                                  "does not have (and 1 more)\n");
    assert_also(test->fixture,
                "note: output 'indices' is left out: node 'where' (NonZero): input 'X' of NonZero must be known");
}

static void test_the_losses_own_output_is_needed(void **state)
{
    ModelTest *test = *state;
    const char *path = write_branches(test);
    ASSERT_LEAVES(test->fixture, EXIT_STATUS_UNSUPPORTED, import_with(test, path, &(ImportOptions){.output = "label"}));
    assert_message(test->fixture, "1 unsupported operator:\n  node 'pick' (Pick, domain ai.onnx.ml)\n");
    assert_null(strstr(messages(test->fixture), "Frobnicate"));
    assert_null(strstr(messages(test->fixture), "NonZero"));
}

static void test_an_output_inside(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_branches(test), &(ImportOptions){.output = "h"});
    assert_int_equal(graph->output_count, 1);
    assert_string_equal(graph->output_names[0], "h");
    assert_int_equal(node_count(graph), 1);
    assert_int_equal(graph->input_count, 1);
    assert_null(strstr(messages(test->fixture), "left out"));
}

/* y of type `declared` by an operator that pcc does not have, z = relu(x). */
static const char *write_two_outputs(ModelTest *test, int declared)
{
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, "Frobnicate", "odd", "x", "y");
    add_node(&graph, "Relu", "relu", "x", "z");
    add_value(&graph, 12, "y", declared, 1, DIMS(2), NULL);
    add_value(&graph, 12, "z", 1, 1, DIMS(2), NULL);
    return write_model(test, &graph, 17, NULL);
}

/* Another output than the first of floats must not become the loss's without a word. */
static void test_the_first_float_output_is_needed(void **state)
{
    ModelTest *test = *state;
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_two_outputs(test, 1), "node 'odd' (Frobnicate");
    assert_int_equal(imported(test, write_two_outputs(test, 7), &no_options)->output_count, 1);
    ImportOptions any = {.any_output = true};
    assert_int_equal(imported(test, write_two_outputs(test, 1), &any)->output_count, 1);
}

static const char *write_max_pool(ModelTest *test, bool reads_indices)
{
    WireBuffer graph = {0}, fields = {0}, kernel = {0};
    wire_string(&kernel, 1, "kernel_shape");
    wire_int(&kernel, 8, 2);
    wire_int(&kernel, 8, 2);
    wire_int(&kernel, 20, 7);
    add_field(&fields, 5, &kernel);
    add_value(&graph, 11, "x", 1, 4, DIMS(1, 1, 4, 4), NULL);
    add_node_of(&graph, 1, "MaxPool", NULL, "pool", "x", "y indices", &fields);
    add_value(&graph, 12, "y", 1, 4, DIMS(1, 1, 3, 3), NULL);
    if (reads_indices)
        add_value(&graph, 12, "indices", 7, 4, DIMS(1, 1, 3, 3), NULL);
    return write_model(test, &graph, 17, NULL);
}

static void test_unread_outputs_are_dropped(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_max_pool(test, false), &no_options);
    assert_int_equal(graph->first->output_count, 1);
    graph = imported(test, write_max_pool(test, true), &no_options);
    assert_int_equal(graph->first->output_count, 2);
}

/* Split into three of which only `named` has a name. */
static const char *write_split(ModelTest *test, int named)
{
    WireBuffer graph = {0}, fields = {0};
    for (int i = 0; i < 3; i++)
        wire_string(&fields, 2, i == named ? "y" : "");
    add_int_attribute(&fields, "num_outputs", 3);
    add_value(&graph, 11, "x", 1, 2, DIMS(6, 4), NULL);
    add_node_of(&graph, 1, "Split", NULL, "split", "x", "", &fields);
    add_value(&graph, 12, "y", 1, 2, DIMS(2, 4), NULL);
    return write_model(test, &graph, 18, NULL);
}

static void test_parts_without_a_name_are_parts(void **state)
{
    ModelTest *test = *state;
    for (int named = 0; named < 3; named++) {
        Graph *graph = imported(test, write_split(test, named), &no_options);
        assert_int_equal(graph->first->output_count, 3);
        assert_ptr_equal(graph->first->outputs[named], graph->outputs[0]);
        for (int i = 0; i < 3; i++)
            assert_int_equal(graph->first->outputs[i]->type.dims[0], 2);
    }
}

static void test_unsupported_attribute(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0}, fields = {0};
    add_int_attribute(&fields, "exclusive", 1);
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node_of(&graph, 1, "Relu", NULL, "a", "x", "y", &fields);
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &graph, 17, NULL),
                   "node 'a' (Relu): unsupported attribute 'exclusive'");
}

/* y = x[indices] of x [2, 5] along axis 1 */
static const char *write_gather(ModelTest *test, int64_t first, int64_t second)
{
    WireBuffer graph = {0}, fields = {0}, indices = raw_tensor("indices", 7, 1, DIMS(2), DIMS(first, second), 16);
    add_int_attribute(&fields, "axis", -1);
    add_value(&graph, 11, "x", 1, 2, DIMS(2, 5), NULL);
    add_field(&graph, 5, &indices);
    add_node_of(&graph, 1, "Gather", NULL, "pick", "x indices", "y", &fields);
    add_value(&graph, 12, "y", 1, 2, DIMS(2, 2), NULL);
    return write_model(test, &graph, 17, NULL);
}

static void test_constant_indices_out_of_range(void **state)
{
    ModelTest *test = *state;
    imported(test, write_gather(test, -5, 4), &no_options);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_gather(test, 0, 5),
                   "node 'pick' (Gather): element 1 of the indices is 5, but axis 1 of f32[2,5] 'x' has 5 elements");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_gather(test, -6, 0), "element 0 of the indices is -6");
}

static void assert_opset_is_refused(ModelTest *test, int64_t opset, const char *message)
{
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, "Relu", "a", "x", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &graph, opset, NULL), message);
}

static void test_versions(void **state)
{
    const struct {
        int64_t opset;
        const char *message;
    } cases[] = {{6, "opset 6; pcc reads opsets 7 to 28; export it again"},
                 {29, "opset 29; pcc reads opsets 7 to 28"},
                 {INT64_MAX, "opset 9223372036854775807"},
                 {0, "imports no opset"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_opset_is_refused(*state, cases[i].opset, cases[i].message);
}

/* ---- functions -------------------------------------------------------------------------------------------------- */

/* twice(a; slope = 0.5) = leaky(leaky(a)), whose attribute alpha refers to the call's slope. */
static WireBuffer leaky_function(const char *callee_domain, const char *callee)
{
    WireBuffer function = {0}, reference = {0}, fields = {0}, fallback = {0};
    wire_string(&function, 1, "twice");
    add_names(&function, 4, "a");
    add_names(&function, 5, "c");
    wire_string(&reference, 1, "alpha");
    wire_string(&reference, 21, "slope");
    wire_int(&reference, 20, 1);
    add_field(&fields, 5, &reference);
    add_node_of(&function, 7, callee, callee_domain, "first", "a", "b", &fields);
    add_node_of(&function, 7, "Neg", NULL, "second", "b", "c", NULL);
    add_opset(&function, 9, "", 17);
    wire_string(&function, 10, "local");
    wire_string(&fallback, 1, "slope");
    wire_float(&fallback, 2, 0.5f);
    wire_int(&fallback, 20, 1);
    add_field(&function, 11, &fallback);
    WireBuffer list = {0};
    add_field(&list, 25, &function);
    return list;
}

static const char *write_calls(ModelTest *test, WireBuffer functions)
{
    WireBuffer graph = {0}, given = {0}, attribute = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node_of(&graph, 1, "twice", "local", "one", "x", "h", NULL);
    wire_string(&attribute, 1, "slope");
    wire_float(&attribute, 2, 0.25f);
    wire_int(&attribute, 20, 1);
    add_field(&given, 5, &attribute);
    add_node_of(&graph, 1, "twice", "local", "two", "h", "y", &given);
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    return write_model(test, &graph, 17, &functions);
}

static void test_functions_are_inlined(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_calls(test, leaky_function(NULL, "LeakyRelu")), &no_options);
    assert_int_equal(node_count(graph), 4);
    assert_string_equal(graph->first->origin.node, "one/first");
    assert_true(attr_float(graph->first, "alpha") == 0.5); /* the function's default */
    assert_string_equal(graph->first->next->next->origin.node, "two/first");
    assert_true(attr_float(graph->first->next->next, "alpha") == 0.25);
    assert_string_equal(graph->outputs[0]->name, "y");
    assert_non_null(value_named(graph, "one/b"));
}

static void test_recursive_functions(void **state)
{
    ModelTest *test = *state;
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_calls(test, leaky_function("local", "twice")),
                   "function 'twice' calls itself");
}

/* f0 calls f1 twice, f1 calls f2 twice, ...: 2^60 nodes in 10 KB. The node budget or the arena ends it. */
static void test_functions_that_multiply(void **state)
{
    ModelTest *test = *state;
    WireBuffer functions = {0}, graph = {0};
    for (int i = 0; i < 60; i++) {
        WireBuffer function = {0};
        wire_string(&function, 1, arena_printf(test->fixture->arena, "f%d", i));
        add_names(&function, 4, "a");
        add_names(&function, 5, "c");
        const char *callee = i < 59 ? arena_printf(test->fixture->arena, "f%d", i + 1) : "Neg";
        const char *domain = i < 59 ? "local" : NULL;
        add_node_of(&function, 7, callee, domain, "", "a", "b", NULL);
        add_node_of(&function, 7, callee, domain, "", "b", "c", NULL);
        wire_string(&function, 10, "local");
        add_field(&functions, 25, &function);
    }
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node_of(&graph, 1, "f0", "local", "", "x", "y", NULL);
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    const char *path = write_model(test, &graph, 17, &functions);
    ASSERT_LEAVES(test->fixture, EXIT_STATUS_INPUT, import_with(test, path, &no_options));
}

/* ---- control flow ----------------------------------------------------------------------------------------------- */

static WireBuffer branch(const char *op)
{
    WireBuffer graph = {0};
    add_node(&graph, op, "inner", "x", "r");
    add_value(&graph, 12, "r", 1, 1, DIMS(2), NULL);
    return graph;
}

static const char *write_if(ModelTest *test, bool constant, uint8_t condition)
{
    WireBuffer graph = {0}, fields = {0}, then_branch = branch("Relu"), else_branch = branch("Neg");
    if (constant) {
        WireBuffer tensor = raw_tensor("c", 9, 0, NULL, &condition, 1);
        add_field(&graph, 5, &tensor);
    } else {
        add_value(&graph, 11, "c", 9, 0, NULL, NULL);
    }
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_graph_attribute(&fields, "then_branch", &then_branch);
    add_graph_attribute(&fields, "else_branch", &else_branch);
    add_node_of(&graph, 1, "If", NULL, "if", "c", "y", &fields);
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    return write_model(test, &graph, 17, NULL);
}

static const ImportOptions *bound_by(ModelTest *test, const char *text)
{
    InputBinding *binding = NEW(test->fixture->arena, InputBinding);
    ImportOptions *options = NEW(test->fixture->arena, ImportOptions);
    assert_true(parse_input_binding(test->fixture->arena, text, binding));
    *options = (ImportOptions){.batch = 2, .bindings = binding, .binding_count = 1};
    return options;
}

/* The condition is an input: --bind makes it a constant, and no input of the program. */
static void test_bound_inputs(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_if(test, false, 0), bound_by(test, "c=true"));
    assert_string_equal(graph->first->op->name, "Relu");
    assert_int_equal(graph->input_count, 1);
    assert_string_equal(imported(test, write_if(test, false, 0), bound_by(test, "c=0"))->first->op->name, "Neg");
    graph = imported(test, write_linear(test), bound_by(test, "x=1,2,3,4,-5,6e-1,inf,0"));
    assert_int_equal(graph->input_count, 0);
    assert_true(((const float *)value_named(graph, "x")->data)[5] == 0.6f);
    assert_true(((const float *)value_named(imported(test, write_linear(test), bound_by(test, "x=7")), "x")->data)[7] ==
                7);
}

/* Without a message, for its form. */
static void assert_binding_is_refused(ModelTest *test, const char *text, const char *message)
{
    InputBinding binding;
    bool well_formed = parse_input_binding(test->fixture->arena, text, &binding);
    assert_int_equal(well_formed, message != NULL);
    if (well_formed) {
        ASSERT_LEAVES(test->fixture, EXIT_STATUS_USAGE,
                      import_with(test, write_if(test, false, 0), bound_by(test, text)));
        assert_message(test->fixture, message);
    }
}

static void test_bindings_that_do_not_fit(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {{"c=2", "--bind c=2: '2' is no value of its type; the input is bool[]"},
                 {"c=", NULL},
                 {"=1", NULL},
                 {"c", NULL},
                 {"c=true,false", "give one value, or as many as there are elements"},
                 {"x=1,2,3", "give one value, or as many as there are elements; the input is f32[2]"},
                 {"x=1,", "'' is no value of its type"},
                 {"x=1,a", "'a' is no value of its type"},
                 {"x=1,1e400", "--bind x=1,1e400: '1e400' is beyond the range of its type; the input is f32[2]"},
                 {"x=-1e39", "'-1e39' is beyond the range of its type"},
                 {"cc=1", "--bind cc: no input has that name; did you mean 'c'?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_binding_is_refused(*state, cases[i].text, cases[i].message);
    }
}

static void test_if_takes_a_branch(void **state)
{
    ModelTest *test = *state;
    for (uint8_t condition = 0; condition < 2; condition++) {
        Graph *graph = imported(test, write_if(test, true, condition), &no_options);
        assert_int_equal(node_count(graph), 1);
        assert_string_equal(graph->first->op->name, condition ? "Relu" : "Neg");
        assert_string_equal(graph->outputs[0]->name, "y");
    }
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_if(test, false, 0),
                   "node 'if' (If on a condition that is not known when the model is compiled: it depends on the input "
                   "'c'; give --bind c=VALUE)");
}

static void test_if_with_two_branches_of_a_name(void **state)
{
    ModelTest *test = *state;
    uint8_t condition = 1;
    WireBuffer graph = {0}, fields = {0}, first = branch("Relu"), second = branch("Neg");
    WireBuffer tensor = raw_tensor("c", 9, 0, NULL, &condition, 1);
    add_field(&graph, 5, &tensor);
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_graph_attribute(&fields, "then_branch", &first);
    add_graph_attribute(&fields, "then_branch", &second);
    add_node_of(&graph, 1, "If", NULL, "if", "c", "y", &fields);
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &graph, 17, NULL),
                   "node 'if' (If): attribute 'then_branch' is given twice");
}

/* for i < 3: a = -a, and b stacks each a */
static void test_loop_is_unrolled(void **state)
{
    ModelTest *test = *state;
    int64_t trips = 3;
    WireBuffer graph = {0}, body = {0}, fields = {0}, tensor = raw_tensor("m", 7, 0, NULL, &trips, 8);
    add_field(&graph, 5, &tensor);
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_value(&body, 11, "i", 7, 0, NULL, NULL);
    add_value(&body, 11, "go", 9, 0, NULL, NULL);
    add_value(&body, 11, "a", 1, 1, DIMS(2), NULL);
    add_node(&body, "Identity", "more", "go", "go_on");
    add_node(&body, "Neg", "neg", "a", "b");
    add_node(&body, "Identity", "copy", "b", "scanned");
    add_value(&body, 12, "go_on", 9, 0, NULL, NULL);
    add_value(&body, 12, "b", 1, 1, DIMS(2), NULL);
    add_value(&body, 12, "scanned", 1, 1, DIMS(2), NULL);
    add_graph_attribute(&fields, "body", &body);
    add_node_of(&graph, 1, "Loop", NULL, "loop", "m - x", "last all", &fields);
    add_value(&graph, 12, "last", 1, 1, DIMS(2), NULL);
    add_value(&graph, 12, "all", 1, 2, DIMS(3, 2), NULL);
    Graph *result = imported(test, write_model(test, &graph, 17, NULL), &no_options);
    int negations = 0;
    for (const Node *node = result->first; node; node = node->next) {
        negations += strcmp(node->op->name, "Neg") == 0;
    }
    assert_int_equal(negations, 3);
    Type wanted = TYPE(DTYPE_F32, 3, 2);
    assert_true(same_type(&result->outputs[1]->type, &wanted));
    assert_string_equal(result->outputs[0]->name, "last");
}

/* An operator inside is what is refused, not the loop around it. */
static void test_operators_inside_a_loop(void **state)
{
    ModelTest *test = *state;
    int64_t trips = 3;
    WireBuffer graph = {0}, body = {0}, fields = {0}, tensor = raw_tensor("m", 7, 0, NULL, &trips, 8);
    add_field(&graph, 5, &tensor);
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_value(&body, 11, "i", 7, 0, NULL, NULL);
    add_value(&body, 11, "go", 9, 0, NULL, NULL);
    add_value(&body, 11, "a", 1, 1, DIMS(2), NULL);
    add_node(&body, "Identity", "more", "go", "go_on");
    add_node(&body, "Frobnicate", "odd", "a", "b");
    add_node(&body, "Twiddle", "dead", "a", "unread");
    add_value(&body, 12, "go_on", 9, 0, NULL, NULL);
    add_value(&body, 12, "b", 1, 1, DIMS(2), NULL);
    add_graph_attribute(&fields, "body", &body);
    add_node_of(&graph, 1, "Loop", NULL, "loop", "m - x", "y", &fields);
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &graph, 17, NULL),
                   "1 unsupported operator:\n  node 'loop/0/odd' (Frobnicate, domain ai.onnx)\n");
}

/* A blank before the name: the look-up in the list of ONNX's operators must not read before that list. */
static void test_operator_name_with_a_blank(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_node(&graph, " Abs", "odd", "x", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &graph, 17, NULL),
                   "node 'odd' ( Abs, domain ai.onnx; did you mean Abs?)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_operator_name_with_a_blank),
        MODEL_TEST(test_operators_inside_a_loop),
        MODEL_TEST(test_kinds_names_and_origins),
        MODEL_TEST(test_copies_of_statistics_have_names_of_their_own),
        MODEL_TEST(test_bindings),
        MODEL_TEST(test_binding_texts),
        MODEL_TEST(test_unbound_dimension),
        MODEL_TEST(test_bindings_of_nothing),
        MODEL_TEST(test_batch_against_a_fixed_one),
        MODEL_TEST(test_shape_arithmetic_folds),
        MODEL_TEST(test_parameters_do_not_fold),
        MODEL_TEST(test_old_nodes_are_upgraded),
        MODEL_TEST(test_all_unsupported_operators_are_listed),
        MODEL_TEST(test_a_fixed_batch_is_read_as_another),
        MODEL_TEST(test_samples_do_not_mix),
        MODEL_TEST(test_unknown_dimensions),
        MODEL_TEST(test_bound_inputs),
        MODEL_TEST(test_bindings_that_do_not_fit),
        MODEL_TEST(test_no_hint_for_names_that_are_right),
        MODEL_TEST(test_types_that_pcc_does_not_have),
        MODEL_TEST(test_outputs_are_left_out),
        MODEL_TEST(test_the_losses_own_output_is_needed),
        MODEL_TEST(test_an_output_inside),
        MODEL_TEST(test_the_first_float_output_is_needed),
        MODEL_TEST(test_unread_outputs_are_dropped),
        MODEL_TEST(test_parts_without_a_name_are_parts),
        MODEL_TEST(test_unsupported_attribute),
        MODEL_TEST(test_versions),
        MODEL_TEST(test_functions_are_inlined),
        MODEL_TEST(test_recursive_functions),
        MODEL_TEST(test_functions_that_multiply),
        MODEL_TEST(test_if_takes_a_branch),
        MODEL_TEST(test_if_with_two_branches_of_a_name),
        MODEL_TEST(test_loop_is_unrolled),
        MODEL_TEST(test_constant_indices_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
