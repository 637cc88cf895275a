/* External tensor data: what is read, and every way out of the model's folder. */
#include "model_support.h"

#include <sys/stat.h>

static const float weights[4] = {1, 2, 3, 4};

/* A model whose initializer w, f32 [4], has these external_data entries: "key=value ..." */
static const char *external_model(ModelTest *test, const char *entries)
{
    WireBuffer graph = {0}, tensor = {0};
    wire_int(&tensor, 1, 4);
    wire_int(&tensor, 2, 1);
    wire_string(&tensor, 8, "w");
    while (*entries) {
        size_t length = strcspn(entries, " "), key = strcspn(entries, "=");
        WireBuffer entry = {0};
        wire_bytes(&entry, 1, entries, key);
        wire_bytes(&entry, 2, entries + key + 1, length - key - 1);
        add_field(&tensor, 13, &entry);
        entries += length + (entries[length] == ' ');
    }
    wire_int(&tensor, 14, 1);
    add_field(&graph, 5, &tensor);
    add_node(&graph, "Neg", "neg", "w", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(4), NULL);
    return write_model(test, &graph, 17, NULL);
}

static void test_a_file_beside_the_model(void **state)
{
    ModelTest *test = *state;
    write_file(test, "weights.bin", weights, sizeof weights);
    const char *path = external_model(test, "location=weights.bin checksum=0");
    Graph *graph = imported(test, path, &(ImportOptions){0});
    assert_memory_equal(value_named(graph, "w")->data, weights, sizeof weights);
    const char *const *files;
    assert_int_equal(onnx_external_files(test->model, &files), 1);
    assert_string_equal(files[0], path_in(test, "weights.bin"));
}

static void test_offset_and_length(void **state)
{
    ModelTest *test = *state;
    char bytes[40] = {0};
    memcpy(bytes + 13, weights, sizeof weights); /* not aligned for float */
    assert_int_equal(mkdir(path_in(test, "sub"), 0700), 0);
    write_file(test, "sub/weights.bin", bytes, sizeof bytes);
    const char *path = external_model(test, "location=sub/weights.bin offset=13 length=16");
    const void *data = value_named(imported(test, path, &(ImportOptions){0}), "w")->data;
    assert_memory_equal(data, weights, sizeof weights);
    assert_int_equal((uintptr_t)data % sizeof(float), 0);
}

static void test_sizes_that_do_not_fit(void **state)
{
    ModelTest *test = *state;
    static const struct {
        const char *entries, *message;
    } cases[] = {
        {"location=w offset=8", "has 20 bytes, but the tensor needs 16 at offset 8"},
        {"location=w offset=9223372036854775799", "at offset 9223372036854775799"},
        {"location=w offset=18446744073709551615", "not a number of bytes"},
        {"location=w offset=-1", "not a number of bytes"},
        {"location=w offset=0x10", "not a number of bytes"},
        {"location=w length=15", "length 15, but the tensor's type needs 16"},
        {"location=w length=", "not a number of bytes"},
        {"offset=0", "has no location"},
        {"location= offset=0", "has no location"},
        {"location=w basepath=/etc", "the key 'basepath'"},
    };
    write_file(test, "w", "01234567890123456789", 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ASSERT_REFUSED(test, EXIT_STATUS_INPUT, external_model(test, cases[i].entries), cases[i].message);
    }
}

static void test_ways_out_of_the_folder(void **state)
{
    ModelTest *test = *state;
    assert_int_equal(mkdir(path_in(test, "in"), 0700), 0);
    write_file(test, "outside", weights, sizeof weights);
    strcat(test->folder, "/in"); /* models are written there from now on */
    assert_int_equal(symlink("../outside", path_in(test, "link")), 0);
    assert_int_equal(symlink("..", path_in(test, "up")), 0);
    assert_int_equal(link(path_in(test, "../outside"), path_in(test, "hard")), 0);
    assert_int_equal(mkfifo(path_in(test, "fifo"), 0600), 0);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, external_model(test, "location=../outside"), "out of the model's folder");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, external_model(test, "location=/etc/hostname"),
                   "'/etc/hostname' cannot be used: it leads out of");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, external_model(test, "location=link"), "symbolic link");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, external_model(test, "location=up/outside"), "'up/outside' cannot be used");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, external_model(test, "location=hard"), "more than one hard link");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, external_model(test, "location=fifo"), "not a regular file");
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, external_model(test, "location=."), "not a regular file");
    ASSERT_REFUSED(test, EXIT_STATUS_IO, external_model(test, "location=missing"), "No such file");
    *strrchr(test->folder, '/') = '\0';
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_a_file_beside_the_model),
        MODEL_TEST(test_offset_and_length),
        MODEL_TEST(test_sizes_that_do_not_fit),
        MODEL_TEST(test_ways_out_of_the_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
