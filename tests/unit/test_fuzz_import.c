/* test_fuzz_import.c: a small model with a few of its bytes changed is imported, or refused with a message. */
#include "model_support.h"

enum { MUTANTS = 1000, ROOM = 4096 };

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

static void mutants_are_imported_or_refused(void **state)
{
    ModelTest *test = *state;
    WireBuffer model = small_model();
    assert_true(model.size > 0 && model.size < ROOM / 2);
    static uint8_t bytes[ROOM]; /* static: lives across jumps, as does the count */
    static int imports;
    for (int mutant = 0; mutant < MUTANTS; mutant++) {
        memcpy(bytes, model.bytes, model.size);
        const char *path = write_file(test, "mutant.onnx", bytes, mutate(bytes, model.size));
        Diagnostics *diagnostics = &test->fixture->diagnostics;
        diagnostics->status = EXIT_STATUS_OK;
        diagnostics->can_recover = true;
        if (setjmp(diagnostics->recover) == 0) {
            graph_verify(import_with(test, path, &(ImportOptions){0}));
            imports++;
        } else if (diagnostics->status != EXIT_STATUS_INPUT && diagnostics->status != EXIT_STATUS_UNSUPPORTED) {
            fail_msg("mutant %d: status %d: %s", mutant, diagnostics->status, messages(test->fixture));
        }
        diagnostics->can_recover = false;
    }
    wire_free(&model);
    assert_in_range(imports, MUTANTS / 50, MUTANTS - MUTANTS / 4); /* some bytes matter, some are weights */
}

int main(void)
{
    const struct CMUnitTest tests[] = {MODEL_TEST(mutants_are_imported_or_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
