/* model_support.h: ONNX files for tests: written in a folder of the test's own, from wire fields or by the writer. */
#ifndef PCC_TESTS_MODEL_SUPPORT_H
#define PCC_TESTS_MODEL_SUPPORT_H

#include "ir_fixture.h"

#include <ftw.h>
#include <unistd.h>

#include "frontend/export/onnx_export.h"
#include "frontend/import/onnx_import.h"
#include "frontend/onnx/onnx_write.h"
#include "frontend/onnx/wire.h"

typedef struct ModelTest {
    Fixture *fixture;
    char folder[64];
    OnnxModel *model;
} ModelTest;

static inline int model_setup(void **state)
{
    ModelTest *test = test_calloc(1, sizeof *test);
    void *fixture = NULL;
    fixture_setup(&fixture);
    test->fixture = fixture;
    strcpy(test->folder, "/tmp/pcc-model-XXXXXX");
    assert_non_null(mkdtemp(test->folder));
    *state = test;
    return 0;
}

static inline int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status, (void)type, (void)position;
    return remove(path);
}

static inline int model_teardown(void **state)
{
    ModelTest *test = *state;
    onnx_close(test->model);
    nftw(test->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    void *fixture = test->fixture;
    fixture_teardown(&fixture);
    test_free(test);
    return 0;
}

#define MODEL_TEST(test) cmocka_unit_test_setup_teardown(test, model_setup, model_teardown)

static inline const char *path_in(ModelTest *test, const char *name)
{
    return arena_printf(test->fixture->arena, "%s/%s", test->folder, name);
}

static inline const char *write_file(ModelTest *test, const char *name, const void *bytes, size_t size)
{
    const char *path = path_in(test, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return path;
}

/* Appends `message` as a field and frees it. */
static inline void add_field(WireBuffer *to, uint32_t number, WireBuffer *message)
{
    wire_message(to, number, message);
    wire_free(message);
}

/* Names separated by spaces, "-" for the empty name, as repeated fields. */
static inline void add_names(WireBuffer *to, uint32_t number, const char *names)
{
    while (*names) {
        size_t length = strcspn(names, " ");
        bool empty = length == 1 && *names == '-';
        wire_bytes(to, number, names, empty ? 0 : length);
        names += length + (names[length] == ' ');
    }
}

/* NodeProto with name NAME and one prepared attribute field list (may be NULL); domain may be NULL. */
static inline void add_node_of(WireBuffer *graph, uint32_t number, const char *op, const char *domain, const char *name,
                               const char *inputs, const char *outputs, WireBuffer *attributes)
{
    WireBuffer node = {0};
    add_names(&node, 1, inputs);
    add_names(&node, 2, outputs);
    wire_string(&node, 3, name);
    wire_string(&node, 4, op);
    wire_string(&node, 7, domain);
    if (attributes) {
        wire_append(&node, attributes->bytes, attributes->size);
        wire_free(attributes);
    }
    add_field(graph, number, &node);
}

static inline void add_node(WireBuffer *graph, const char *op, const char *name, const char *inputs,
                            const char *outputs)
{
    add_node_of(graph, 1, op, NULL, name, inputs, outputs, NULL);
}

static inline void add_int_attribute(WireBuffer *node_fields, const char *name, int64_t value)
{
    WireBuffer attribute = {0};
    wire_string(&attribute, 1, name);
    wire_int(&attribute, 3, value);
    wire_int(&attribute, 20, 2);
    add_field(node_fields, 5, &attribute);
}

static inline void add_graph_attribute(WireBuffer *node_fields, const char *name, WireBuffer *graph)
{
    WireBuffer attribute = {0};
    wire_string(&attribute, 1, name);
    add_field(&attribute, 6, graph);
    wire_int(&attribute, 20, 5);
    add_field(node_fields, 5, &attribute);
}

/* TensorProto with raw_data. */
static inline WireBuffer raw_tensor(const char *name, int onnx_type, int rank, const int64_t *dims, const void *bytes,
                                    size_t size)
{
    WireBuffer tensor = {0};
    for (int i = 0; i < rank; i++) {
        wire_int(&tensor, 1, dims[i]);
    }
    wire_int(&tensor, 2, onnx_type);
    wire_string(&tensor, 8, name);
    wire_bytes(&tensor, 9, bytes, size);
    return tensor;
}

/* ValueInfoProto of a float tensor; a dimension of -1 is the symbol `symbol`. */
static inline void add_value(WireBuffer *graph, uint32_t number, const char *name, int onnx_type, int rank,
                             const int64_t *dims, const char *symbol)
{
    WireBuffer shape = {0}, tensor = {0}, type = {0}, info = {0};
    for (int i = 0; i < rank; i++) {
        WireBuffer dim = {0};
        if (dims[i] < 0) {
            wire_string(&dim, 2, symbol);
        } else {
            wire_int(&dim, 1, dims[i]);
        }
        add_field(&shape, 1, &dim);
    }
    wire_int(&tensor, 1, onnx_type);
    add_field(&tensor, 2, &shape);
    add_field(&type, 1, &tensor);
    wire_string(&info, 1, name);
    add_field(&info, 2, &type);
    add_field(graph, number, &info);
}

static inline void add_opset(WireBuffer *to, uint32_t number, const char *domain, int64_t version)
{
    WireBuffer opset = {0};
    wire_string(&opset, 1, domain);
    wire_int(&opset, 2, version);
    add_field(to, number, &opset);
}

/* ModelProto of IR version 8 around a graph, which it frees; `functions` are fields 25, or NULL. */
static inline WireBuffer model_bytes(WireBuffer *graph, int64_t opset, WireBuffer *functions)
{
    WireBuffer model = {0};
    wire_int(&model, 1, 8);
    add_field(&model, 7, graph);
    add_opset(&model, 8, "", opset);
    if (functions) {
        wire_append(&model, functions->bytes, functions->size);
        wire_free(functions);
    }
    return model;
}

static inline const char *write_model(ModelTest *test, WireBuffer *graph, int64_t opset, WireBuffer *functions)
{
    WireBuffer model = model_bytes(graph, opset, functions);
    assert_false(model.failed);
    const char *path = write_file(test, "model.onnx", model.bytes, model.size);
    wire_free(&model);
    return path;
}

static inline Graph *import_with(ModelTest *test, const char *path, const ImportOptions *options)
{
    onnx_close(test->model);
    test->model = NULL;
    test->fixture->diagnostics.error_count = 0;
    return onnx_import(test->fixture->arena, &test->fixture->diagnostics, path, options, &test->model);
}

/* An import that must succeed. */
static inline Graph *imported(ModelTest *test, const char *path, const ImportOptions *options)
{
    test->fixture->diagnostics.can_recover = true;
    if (setjmp(test->fixture->diagnostics.recover)) {
        fail_msg("%s", messages(test->fixture));
    }
    Graph *graph = import_with(test, path, options);
    test->fixture->diagnostics.can_recover = false;
    graph_verify(graph);
    return graph;
}

/* An import that must fail with this status and message. */
#define ASSERT_REFUSED(test, expected_status, path, part)                                                  \
    do {                                                                                                   \
        ASSERT_LEAVES((test)->fixture, expected_status, import_with((test), (path), &(ImportOptions){0})); \
        assert_message((test)->fixture, (part));                                                           \
    } while (0)

static inline Value *value_named(const Graph *graph, const char *name)
{
    for (int i = 0; i < graph->value_count; i++) {
        const char *found = graph->values[i] ? graph->values[i]->name : NULL;
        if (found && strcmp(found, name) == 0) {
            return graph->values[i];
        }
    }
    return NULL;
}

static inline int node_count(const Graph *graph)
{
    int count = 0;
    for (const Node *node = graph->first; node; node = node->next) {
        count++;
    }
    return count;
}

#endif
