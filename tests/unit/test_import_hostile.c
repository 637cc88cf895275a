/* Files that no exporter writes: every one must end in a diagnostic, in bounded memory. */
#include "model_support.h"

static const ImportOptions no_options = {0};

/* x [2] -> Relu -> y, with room for more: fields are appended by the tests. */
static WireBuffer small_graph(void)
{
    WireBuffer graph = {0};
    add_value(&graph, 11, "x", 1, 1, DIMS(2), NULL);
    add_value(&graph, 12, "y", 1, 1, DIMS(2), NULL);
    return graph;
}

/* Either it imports (what was cut off was not needed) or it ends with bad input; never otherwise. */
static void import_anything(ModelTest *test, const char *path)
{
    Diagnostics *diagnostics = &test->fixture->diagnostics;
    diagnostics->can_recover = true;
    diagnostics->status = EXIT_STATUS_OK;
    if (setjmp(diagnostics->recover) == 0) {
        graph_verify(import_with(test, path, &no_options));
    } else {
        assert_in_range(diagnostics->status, EXIT_STATUS_INPUT, EXIT_STATUS_UNSUPPORTED);
    }
    diagnostics->can_recover = false;
}

static WireBuffer model_of_everything(void)
{
    float weights[6] = {1, 2, 3, 4, 5, 6};
    WireBuffer graph = small_graph(), tensor = raw_tensor("w", 1, 1, DIMS(2), weights, 8), fields = {0};
    WireBuffer large = raw_tensor("v", 1, 2, DIMS(3, 2), weights, 24);
    add_field(&graph, 5, &tensor);
    add_field(&graph, 5, &large);
    add_int_attribute(&fields, "axis", 0);
    add_node(&graph, "Add", "add", "x w", "h");
    add_node_of(&graph, 1, "Softmax", NULL, "softmax", "h", "y", &fields);
    return model_bytes(&graph, 17, NULL);
}

static void test_truncated_at_every_length(void **state)
{
    ModelTest *test = *state;
    WireBuffer model = model_of_everything();
    imported(test, write_file(test, "whole.onnx", model.bytes, model.size), &no_options);
    for (size_t size = 0; size < model.size; size++) {
        import_anything(test, write_file(test, "cut.onnx", model.bytes, size));
    }
    wire_free(&model);
}

/* A fixed sequence of mutations: xorshift64 (Marsaglia 2003). */
static void test_flipped_bytes(void **state)
{
    ModelTest *test = *state;
    WireBuffer model = model_of_everything();
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 150; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        uint8_t *byte = &model.bytes[random % model.size], kept = *byte;
        *byte = (uint8_t)(random >> 32);
        import_anything(test, write_file(test, "flipped.onnx", model.bytes, model.size));
        *byte = kept;
    }
    wire_free(&model);
}

static void test_not_a_model(void **state)
{
    ModelTest *test = *state;
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_file(test, "empty", "", 0), "the file is empty");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_file(test, "text", "hello, world\n", 13), "not a whole ONNX file");
    ASSERT_REFUSED(test, EXIT_STATUS_IO, path_in(test, "missing.onnx"), "No such file");
    ASSERT_REFUSED(test, EXIT_STATUS_IO, test->folder, "cannot read");
}

/* Puts a field of `length` bytes, which `end` points behind, under a tag. */
static uint8_t *prepend(uint8_t *start, uint8_t tag, size_t length)
{
    for (int i = 0; i < 5; i++) { /* a padded varint, so that every level has the same size */
        *--start = (uint8_t)(((length >> (7 * (4 - i))) & 0x7f) | (i ? 0x80 : 0));
    }
    *--start = tag;
    return start;
}

/* Graph, node, attribute, graph, ...: written from the innermost out, so that it takes linear time. */
static void test_nested_subgraphs(void **state)
{
    ModelTest *test = *state;
    enum { LEVELS = 10000, LEVEL_BYTES = 18 };
    static uint8_t bytes[(LEVELS + 1) * LEVEL_BYTES];
    uint8_t *end = bytes + sizeof bytes, *start = end;
    for (int i = 0; i < LEVELS; i++) {
        start = prepend(start, 6 << 3 | 2, (size_t)(end - start)); /* AttributeProto.g */
        start = prepend(start, 5 << 3 | 2, (size_t)(end - start)); /* NodeProto.attribute */
        start = prepend(start, 1 << 3 | 2, (size_t)(end - start)); /* GraphProto.node */
    }
    start = prepend(start, 7 << 3 | 2, (size_t)(end - start)); /* ModelProto.graph */
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_file(test, "nested.onnx", start, (size_t)(end - start)),
                   "nested too deeply");
}

static void test_empty_nodes(void **state)
{
    ModelTest *test = *state;
    enum { NODES = 2100000 };
    uint8_t *bytes = test_calloc(2, NODES);
    for (int i = 0; i < NODES; i++) {
        bytes[2 * i] = 1 << 3 | 2; /* GraphProto.node of no bytes */
    }
    WireBuffer graph = {0};
    wire_append(&graph, bytes, 2 * (size_t)NODES);
    test_free(bytes);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &graph, 17, NULL), "too many messages");
}

/* An initializer of data type float with these dims and this much raw data. */
static const char *write_tensor(ModelTest *test, int rank, const int64_t *dims, size_t size)
{
    static const uint8_t bytes[64];
    WireBuffer graph = small_graph(), tensor = raw_tensor("w", 1, rank, dims, bytes, size);
    add_field(&graph, 5, &tensor);
    add_node(&graph, "Add", "add", "x w", "y");
    return write_model(test, &graph, 17, NULL);
}

static void test_tensor_sizes(void **state)
{
    ModelTest *test = *state;
    const char *too_large = "dimensions that are negative or too large";
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_tensor(test, 1, DIMS(3), 11),
                   "11 bytes of data, but its type f32[3]");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_tensor(test, 1, DIMS(3), 13), "needs 12");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_tensor(test, 2, DIMS(4, 5), 64), "needs 80");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_tensor(test, 0, NULL, 0), "0 elements of data");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_tensor(test, 1, DIMS(-1), 4), too_large);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_tensor(test, 1, DIMS(INT64_MAX), 4), too_large);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_tensor(test, 3, DIMS(1 << 22, 1 << 22, 1 << 22), 4), too_large);
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_tensor(test, 9, DIMS(1, 1, 1, 1, 1, 1, 1, 1, 1), 4), "rank 9");
}

static void test_cycles_and_order(void **state)
{
    ModelTest *test = *state;
    WireBuffer cycle = small_graph(), later = small_graph(), self = small_graph(), nowhere = small_graph();
    add_node(&cycle, "Add", "a", "x c", "b");
    add_node(&cycle, "Neg", "n", "b", "c");
    add_node(&cycle, "Neg", "o", "c", "y");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &cycle, 17, NULL),
                   "node 'a' (Add): input 'c' comes from node 'n', which needs this node's output");
    add_node(&self, "Add", "a", "x y", "y");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &self, 17, NULL), "has a cycle");
    add_node(&later, "Neg", "a", "b", "y");
    add_node(&later, "Neg", "n", "x", "b");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &later, 17, NULL),
                   "input 'b' comes from node 'n', which stands later");
    add_node(&nowhere, "Neg", "a", "q", "y");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &nowhere, 17, NULL), "input 'q' is not defined");
    WireBuffer nothing = small_graph();
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &nothing, 17, NULL), "output 'y' is not computed");
}

static void test_duplicate_names(void **state)
{
    ModelTest *test = *state;
    float one[2] = {1, 1};
    WireBuffer outputs = small_graph(), initializers = small_graph(), input = small_graph();
    add_node(&outputs, "Neg", "a", "x", "y");
    add_node(&outputs, "Neg", "b", "x", "y");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &outputs, 17, NULL),
                   "node 'b' (Neg): the name 'y' is defined twice");
    for (int i = 0; i < 2; i++) {
        WireBuffer tensor = raw_tensor("w", 1, 1, DIMS(2), one, 8);
        add_field(&initializers, 5, &tensor);
    }
    add_node(&initializers, "Add", "a", "x w", "y");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &initializers, 17, NULL), "'w' is defined twice");
    add_node(&input, "Neg", "a", "x", "x");
    add_node(&input, "Neg", "b", "x", "y");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, write_model(test, &input, 17, NULL), "'x' is defined twice");
}

/* 2^40 ones, folded, would be 4 TiB. */
static void test_constants_that_explode(void **state)
{
    ModelTest *test = *state;
    int64_t shape[2] = {1 << 20, 1 << 20};
    WireBuffer graph = small_graph(), tensor = raw_tensor("s", 7, 1, DIMS(2), shape, 16);
    add_field(&graph, 5, &tensor);
    add_node(&graph, "ConstantOfShape", "ones", "s", "o");
    add_node(&graph, "Add", "add", "x o", "y");
    ASSERT_REFUSED(test, EXIT_STATUS_UNSUPPORTED, write_model(test, &graph, 17, NULL),
                   "node 'ones' (ConstantOfShape, whose result is too large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_truncated_at_every_length),
        MODEL_TEST(test_flipped_bytes),
        MODEL_TEST(test_not_a_model),
        MODEL_TEST(test_nested_subgraphs),
        MODEL_TEST(test_empty_nodes),
        MODEL_TEST(test_tensor_sizes),
        MODEL_TEST(test_cycles_and_order),
        MODEL_TEST(test_duplicate_names),
        MODEL_TEST(test_constants_that_explode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
