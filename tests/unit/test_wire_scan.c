/* The wire scan: what it keeps, cuts and refuses, on ONNX's own messages. */
#include "model_support.h"

#include "frontend/onnx/wire_scan.h"
#include "onnx.pb-c.h"

static const WireLimits loose = {.depth = WIRE_MAX_DEPTH, .messages = 1000, .fields = 10000};

static const ProtobufCFieldDescriptor *raw_data(void)
{
    return protobuf_c_message_descriptor_get_field_by_name(&onnx__tensor_proto__descriptor, "raw_data");
}

static bool scan(const WireBuffer *file, const WireLimits *limits, WireBuffer *skeleton, WireError *error)
{
    return wire_scan(file->bytes, file->size, &onnx__model_proto__descriptor, raw_data(), limits, skeleton, error);
}

/* A model of one tensor of `size` payload bytes, and a field that the schema does not have. */
static WireBuffer model_of_tensor(size_t size)
{
    uint8_t payload[4096] = {0};
    WireBuffer graph = {0};
    memset(payload, 7, sizeof payload);
    WireBuffer tensor = raw_tensor("w", 2, 1, DIMS((int64_t)size), payload, size);
    add_field(&graph, 5, &tensor);
    wire_string(&graph, 10, "a doc string");
    return model_bytes(&graph, 17, NULL);
}

static void test_payloads_become_locators(void **state)
{
    (void)state;
    WireBuffer file = model_of_tensor(3000), skeleton = {0};
    WireError error;
    assert_true(scan(&file, &loose, &skeleton, &error));
    assert_true(skeleton.size < 100);
    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, skeleton.size, skeleton.bytes);
    assert_non_null(model);
    const Onnx__TensorProto *tensor = model->graph->initializer[0];
    assert_string_equal(tensor->name, "w");
    assert_int_equal(tensor->raw_data.len, sizeof(WireLocator));
    WireLocator locator;
    memcpy(&locator, tensor->raw_data.data, sizeof locator);
    assert_int_equal(locator.length, 3000);
    assert_int_equal(file.bytes[locator.offset], 7);
    assert_int_equal(file.bytes[locator.offset - 1], 3000 >> 7); /* the length prefix ends there */
    assert_int_equal(model->graph->base.n_unknown_fields, 0);
    onnx__model_proto__free_unpacked(model, NULL);
    wire_free(&skeleton);
    wire_free(&file);
}

/* Around the size of a locator, where a payload and a locator could be confused. */
static void test_small_payloads_stay(void **state)
{
    (void)state;
    for (size_t size = sizeof(WireLocator) - 2; size <= sizeof(WireLocator) + 1; size++) {
        WireBuffer file = model_of_tensor(size), skeleton = {0};
        WireError error;
        assert_true(scan(&file, &loose, &skeleton, &error));
        Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, skeleton.size, skeleton.bytes);
        assert_non_null(model);
        bool cut = size >= sizeof(WireLocator);
        assert_int_equal(model->graph->initializer[0]->raw_data.len, cut ? sizeof(WireLocator) : size);
        assert_int_equal(model->graph->initializer[0]->raw_data.data[0] == 7, !cut);
        onnx__model_proto__free_unpacked(model, NULL);
        wire_free(&skeleton);
        wire_free(&file);
    }
}

static void refused(const WireBuffer *file, const WireLimits *limits, const char *what, size_t offset)
{
    WireBuffer skeleton = {0};
    WireError error = {0};
    assert_false(scan(file, limits, &skeleton, &error));
    assert_non_null(strstr(error.what, what));
    assert_int_equal(error.offset, offset);
    wire_free(&skeleton);
}

static void test_malformed_fields(void **state)
{
    (void)state;
#define BYTES(...) (&(WireBuffer){.bytes = (uint8_t[]){__VA_ARGS__}, .size = sizeof((uint8_t[]){__VA_ARGS__})})
    refused(BYTES(0x00, 0x00), &loose, "tag", 0);                      /* field number 0 */
    refused(BYTES(0x08, 0x08, 0xff), &loose, "tag", 2);                /* cut tag */
    refused(BYTES(0x08, 0xff, 0xff), &loose, "varint", 0);             /* cut varint */
    refused(BYTES(0x0b), &loose, "wire type", 0);                      /* group start */
    refused(BYTES(0x3a, 0x05, 0x08), &loose, "past the end", 0);       /* longer than the file */
    refused(BYTES(0x3a, 0x02, 0x0a, 0x01), &loose, "past the end", 2); /* longer than its message */
    refused(BYTES(0x0d, 0x00, 0x00), &loose, "past the end", 0);       /* cut fixed32 */
    refused(BYTES(0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), &loose, "length does not end", 0);
    refused(BYTES(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f), &loose, "past the end", 0); /* 2^32 - 1 */
    refused(BYTES(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), &loose, "varint", 0);
#undef BYTES
}

/* If nodes in each other's branches: model, graph, and three messages a level. */
static WireBuffer nested(int levels)
{
    WireBuffer graph = {0};
    for (int i = 0; i < levels; i++) {
        WireBuffer fields = {0}, outer = {0};
        add_graph_attribute(&fields, "then_branch", &graph);
        add_node_of(&outer, 1, "If", NULL, "n", "c", "y", &fields);
        graph = outer;
    }
    return model_bytes(&graph, 17, NULL);
}

static void test_depth(void **state)
{
    (void)state;
    WireError error;
    const int levels[] = {1, 32, 33, 5000};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        WireBuffer file = nested(levels[i]), skeleton = {0};
        bool fits = 2 + 3 * levels[i] <= WIRE_MAX_DEPTH;
        assert_int_equal(scan(&file, &loose, &skeleton, &error), fits);
        assert_true(fits || strstr(error.what, "nested too deeply"));
        wire_free(&skeleton);
        wire_free(&file);
    }
}

static void test_budgets(void **state)
{
    (void)state;
    WireBuffer graph = {0};
    for (int i = 0; i < 100; i++) {
        wire_bytes(&graph, 1, NULL, 0); /* an empty node: two bytes of file, some 200 of memory */
    }
    WireBuffer file = model_bytes(&graph, 17, NULL), skeleton = {0};
    WireError error;
    WireLimits exact = {.depth = 3, .messages = 102, .fields = 105};
    assert_true(scan(&file, &exact, &skeleton, &error));
    wire_free(&skeleton);
    WireLimits few_messages = {.depth = 3, .messages = 101, .fields = 105};
    assert_false(scan(&file, &few_messages, &skeleton, &error));
    assert_string_equal(error.what, "there are too many messages");
    wire_free(&skeleton);
    WireLimits few_fields = {.depth = 3, .messages = 102, .fields = 104};
    assert_false(scan(&file, &few_fields, &skeleton, &error));
    assert_string_equal(error.what, "there are too many fields");
    wire_free(&skeleton);
    wire_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads_become_locators),
        cmocka_unit_test(test_small_payloads_stay),
        cmocka_unit_test(test_malformed_fields),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_budgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
