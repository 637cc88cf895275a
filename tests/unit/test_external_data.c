/* External tensor data: what is read, and every way out of the model's folder. */
#include "model_support.h"

#include <sys/stat.h>

#include "frontend/onnx/sha1.h"

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
    const char *path = external_model(test, "location=weights.bin");
    Graph *graph = imported(test, path, &(ImportOptions){0});
    assert_memory_equal(value_named(graph, "w")->data, weights, sizeof weights);
    const char *const *files;
    assert_int_equal(onnx_external_files(test->model, &files), 1);
    assert_string_equal(files[0], path_in(test, "weights.bin"));
}

/* Examples of FIPS 180 and the digest of nothing; lengths around the padding's two cases. */
static void test_sha1(void **state)
{
    (void)state;
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    };
    char hex[SHA1_HEX_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sha1_hex(cases[i].text, strlen(cases[i].text), hex);
        assert_string_equal(hex, cases[i].digest);
    }
    char *million = test_malloc(1000000);
    memset(million, 'a', 1000000);
    sha1_hex(million, 1000000, hex);
    test_free(million);
    assert_string_equal(hex, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

static void test_checksums(void **state)
{
    ModelTest *test = *state;
    char hex[SHA1_HEX_BYTES];
    sha1_hex(weights, sizeof weights, hex);
    write_file(test, "weights.bin", weights, sizeof weights);
    const char *right = arena_printf(test->fixture->arena, "location=weights.bin checksum=%s", hex);
    imported(test, external_model(test, right), &(ImportOptions){0});
    float damaged[4];
    memcpy(damaged, weights, sizeof weights);
    damaged[3] = 5;
    write_file(test, "weights.bin", damaged, sizeof damaged);
    ASSERT_REFUSED(test, EXIT_STATUS_INPUT, external_model(test, right),
                   arena_printf(test->fixture->arena, "but the model says '%s': one of them is damaged", hex));
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
        cmocka_unit_test(test_sha1),
        MODEL_TEST(test_checksums),
        MODEL_TEST(test_offset_and_length),
        MODEL_TEST(test_sizes_that_do_not_fit),
        MODEL_TEST(test_ways_out_of_the_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
