/* test_fuzz_import.c: small models with a few of their bytes changed are imported, or refused with a message. */
#include "model_support.h"

enum { MUTANTS = 1000, QUANTISED_MUTANTS = 400, ROOM = 4096 };

static uint64_t generator = 1;

static uint64_t random_below(uint64_t count)
{
    generator += 0x9e3779b97f4a7c15u; /* SplitMix64 */
    uint64_t x = (generator ^ (generator >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (x ^ (x >> 31)) % count;
}

/* y = Softmax(Transpose(Relu(x w + b))), with shapes, weights and an integer attribute. */
static WireBuffer small_model(void)
{
    static const float weights[12] = {1, -2, 3, 0.5f};
    WireBuffer graph = {0}, axis = {0};
    add_node(&graph, "MatMul", "product", "x w", "p");
    add_node(&graph, "Add", "bias", "p b", "q");
    add_node(&graph, "Relu", "relu", "q", "r");
    add_node(&graph, "Transpose", "turn", "r", "t");
    add_int_attribute(&axis, "axis", 1);
    add_node_of(&graph, 1, "Softmax", NULL, "softmax", "t", "y", &axis);
    wire_string(&graph, 2, "small");
    WireBuffer w = raw_tensor("w", 1, 2, DIMS(3, 4), weights, sizeof weights);
    WireBuffer b = raw_tensor("b", 1, 1, DIMS(4), weights, 4 * sizeof *weights);
    add_field(&graph, 5, &w);
    add_field(&graph, 5, &b);
    add_value(&graph, 11, "x", 1, 2, DIMS(2, 3), NULL);
    add_value(&graph, 12, "y", 1, 2, DIMS(4, 2), NULL);
    return model_bytes(&graph, 17, NULL);
}

/* y = x w, where w is q, int8 with a scale a row, and y + v, where v is r, of two integers a byte and in blocks. */
static WireBuffer quantised_model(void)
{
    static const float steps[8] = {1, 0.5f, 2, 1, 0.25f, 1, 4, 3};
    static const uint8_t integers[12] = {0x80, 1, 0x7f, 0xff};
    WireBuffer graph = {0}, rows = {0}, blocks = {0};
    add_int_attribute(&rows, "axis", 0);
    add_node_of(&graph, 1, "DequantizeLinear", NULL, "d", "q s z", "w", &rows);
    add_node(&graph, "MatMul", "product", "x w", "p");
    add_int_attribute(&blocks, "axis", 1);
    add_int_attribute(&blocks, "block_size", 3);
    add_node_of(&graph, 1, "DequantizeLinear", NULL, "e", "r t", "v", &blocks);
    add_node(&graph, "Add", "sum", "p v", "y");
    WireBuffer q = raw_tensor("q", 3, 2, DIMS(3, 4), integers, 12), z = raw_tensor("z", 3, 1, DIMS(3), integers, 3);
    WireBuffer s = raw_tensor("s", 1, 1, DIMS(3), steps, 3 * sizeof *steps);
    WireBuffer r = raw_tensor("r", 22, 2, DIMS(2, 4), integers, 4);
    WireBuffer t = raw_tensor("t", 1, 2, DIMS(2, 2), steps + 3, 4 * sizeof *steps);
    for (int i = 0; i < 5; i++) {
        add_field(&graph, 5, (WireBuffer *[]){&q, &z, &s, &r, &t}[i]);
    }
    add_value(&graph, 11, "x", 1, 2, DIMS(2, 3), NULL);
    add_value(&graph, 12, "y", 1, 2, DIMS(2, 4), NULL);
    return model_bytes(&graph, 21, NULL);
}

/* One to four bytes become others, or a piece of the model moves or goes. */
static size_t mutate(uint8_t *bytes, size_t size)
{
    static const uint8_t favourites[] = {0, 1, 0x7f, 0x80, 0xff};
    for (uint64_t changes = 1 + random_below(4); changes > 0; changes--) {
        uint8_t byte = random_below(2) ? favourites[random_below(5)] : (uint8_t)random_below(256);
        bytes[random_below(size)] = byte;
    }
    size_t from = random_below(size), length = random_below(size - from);
    if (random_below(4) == 0) {
        memmove(bytes + from, bytes + from + length, size - from - length);
        return size - length;
    }
    if (random_below(4) == 0 && size + length <= ROOM) {
        memmove(bytes + from + length, bytes + from, size - from);
        return size + length;
    }
    return size;
}

/* The parameters, which the export cuts out. */
static void cut_parameters(ModelTest *test, const Graph *graph)
{
    OnnxTrained *trained = NULL;
    int count = 0;
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (value && value->kind == VALUE_PARAM && value->name) {
            APPEND(test->fixture->arena, trained, count, ((OnnxTrained){value->name, 0, count, value->type}));
        }
    }
    OnnxTemplate template;
    assert_true(onnx_export_template(test->model, test->fixture->arena, count, trained, 0, NULL, &template));
    onnx_template_free(&template);
}

static void check_mutants(ModelTest *test, WireBuffer model, int count, const ImportOptions *options)
{
    assert_true(model.size > 0 && model.size < ROOM / 2);
    static uint8_t bytes[ROOM]; /* static: lives across jumps, as does the count */
    static int imports;
    imports = 0;
    for (int mutant = 0; mutant < count; mutant++) {
        memcpy(bytes, model.bytes, model.size);
        const char *path = write_file(test, "mutant.onnx", bytes, mutate(bytes, model.size));
        Diagnostics *diagnostics = &test->fixture->diagnostics;
        diagnostics->status = EXIT_STATUS_OK;
        diagnostics->can_recover = true;
        if (setjmp(diagnostics->recover) == 0) {
            Graph *graph = import_with(test, path, options);
            graph_verify(graph);
            cut_parameters(test, graph);
            imports++;
        } else if (diagnostics->status != EXIT_STATUS_INPUT && diagnostics->status != EXIT_STATUS_UNSUPPORTED) {
            fail_msg("mutant %d: status %d: %s", mutant, diagnostics->status, messages(test->fixture));
        }
        diagnostics->can_recover = false;
    }
    wire_free(&model);
    assert_in_range(imports, count / 50, count - count / 4); /* some bytes matter, some are weights */
}

static void mutants_are_imported_or_refused(void **state)
{
    check_mutants(*state, small_model(), MUTANTS, &(ImportOptions){0});
}

static void mutants_with_quantised_weights_are_imported_or_refused(void **state)
{
    static const char *const all[] = {"*"};
    check_mutants(*state, quantised_model(), QUANTISED_MUTANTS,
                  &(ImportOptions){.trainable = all, .trainable_count = 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {MODEL_TEST(mutants_are_imported_or_refused),
                                       MODEL_TEST(mutants_with_quantised_weights_are_imported_or_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
