/* test_safetensors.c: the reader against good and bad files, the writer's layout, dtypes. */
#include "runtime_support.h"

#include <math.h>

#include <pcc/files/dtype.h>
#include <pcc/files/safetensors.h>

/* Parses a file made of a header and `data` bytes of zeros. */
static int parse(const char *header, size_t data, PccError *error)
{
    size_t length = strlen(header), size = 8 + length + data;
    unsigned char *bytes = calloc(1, size);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> 8 * i);
    memcpy(bytes + 8, header, length);
    PccSafetensors file;
    int status = pcc_st_parse(&file, bytes, size, "x.safetensors", error);
    pcc_st_close(&file);
    free(bytes);
    return status;
}

#define TENSOR(name, dtype, shape, begin, end) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void good_headers_parse(void **state)
{
    (void)state;
    PccError error;
    assert_int_equal(parse("{}", 0, &error), 0);
    assert_int_equal(parse("{" TENSOR("a", "F32", "[2,3]", 0, 24) "}   ", 24, &error), 0);
    assert_int_equal(parse("{" TENSOR("a", "U8", "[]", 0, 1) "," TENSOR("b", "I64", "[0,4]", 1, 1) "}", 1, &error), 0);
    assert_int_equal(parse("{\"__metadata__\":{\"k\":\"v\"}," TENSOR("a", "BF16", "[1]", 0, 2) "}", 2, &error), 0);
}

static void bad_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *message; /* part of it */
    } cases[] = {
        {"[]", 0, "does not start with '{'"},
        {" {}", 0, "does not start with '{'"},
        {"{" TENSOR("a", "F32", "[2]", 0, 4) "}", 4, "needs 8 bytes"},
        {"{" TENSOR("a", "F32", "[2]", 0, 8) "}", 4, "truncated"},
        {"{" TENSOR("a", "F32", "[1]", 0, 4) "}", 8, "end at byte 4"},
        {"{" TENSOR("a", "F32", "[1]", 4, 8) "}", 8, "starts at byte 4"},
        {"{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("b", "F32", "[1]", 2, 6) "}", 6, "starts at byte 2"},
        {"{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("a", "F32", "[1]", 4, 8) "}", 8, "appears twice"},
        {"{" TENSOR("a", "F32", "[4294967296,4294967296]", 0, 0) "}", 0, "overflow"},
        {"{" TENSOR("a", "F32", "[9223372036854775807]", 0, 0) "}", 0, "overflow"},
        {"{" TENSOR("a", "F32", "[18446744073709551615]", 0, 0) "}", 0, "dim too large"},
        {"{" TENSOR("a", "F32", "[-1]", 0, 0) "}", 0, "non-negative"},
        {"{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "more than 8 dims"},
        {"{" TENSOR("a", "F31", "[1]", 0, 4) "}", 4, "unknown dtype"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "needs dtype, shape and data_offsets"},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "duplicate"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", 1, "[begin, end]"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, "starts at byte 1"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "expected a string"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "appears twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate __metadata__"},
        {"{\"a\":", 0, "expected an object"},
        {"{}{}", 0, "text after"},
    };
    for (int64_t i = 0; i < PCC_COUNT(cases); i++) {
        PccError error = {0};
        assert_int_equal(parse(cases[i].header, cases[i].data, &error), PCC_ERR_INPUT);
        if (!strstr(error.message, cases[i].message) || !strstr(error.message, "x.safetensors"))
            fail_msg("%s: %s", cases[i].header, error.message);
    }
}

static void sizes_are_checked_before_use(void **state)
{
    (void)state;
    PccError error;
    PccSafetensors file;
    unsigned char bytes[16] = {9};
    for (size_t size = 0; size <= 16; size++)
        assert_int_equal(pcc_st_parse(&file, bytes, size, "x", &error), PCC_ERR_INPUT);
    memset(bytes, 0xff, 8);
    assert_int_equal(pcc_st_parse(&file, bytes, sizeof bytes, "x", &error), PCC_ERR_INPUT);
}

/* Every truncation and every flipped bit of a header is refused or read as something still consistent: no crash. */
static void mutations_are_safe(void **state)
{
    (void)state;
    const int64_t values[2] = {1, 2};
    const PccStTensor tensors[] = {{.name = "a", .dtype = PCC_I64, .rank = 1, .dims = {2}, .data = values},
                                   {.name = "b", .dtype = PCC_U8, .rank = 0, .data = values}};
    const PccStMetadata metadata = {"k", "v\xc3\xa9"};
    PccError error;
    const char *path = support_path("mutate.safetensors");
    assert_int_equal(pcc_st_write(path, tensors, 2, &metadata, 1, &error), 0);
    size_t size = 0;
    char *bytes = support_read(path, &size);
    PccSafetensors file;
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1);
        memcpy(copy, bytes, cut);
        assert_int_not_equal(pcc_st_parse(&file, copy, cut, "cut", &error), 0);
        free(copy);
    }
    int64_t refused = 0;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        refused += pcc_st_parse(&file, bytes, size, "flip", &error) != 0;
        pcc_st_close(&file);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_true(refused > (int64_t)(8 * (size - 17)) / 2);
    free(bytes);
}

static void writing_and_reading_agree(void **state)
{
    (void)state;
    const float f[] = {1, -2, 3};
    const uint16_t h[] = {0x3c00};
    const uint8_t u[] = {7, 8};
    const PccStTensor tensors[] = {
        {.name = "z/u8", .dtype = PCC_U8, .rank = 1, .dims = {2}, .data = u},
        {.name = "half", .dtype = PCC_F16, .rank = 2, .dims = {1, 1}, .data = h},
        {.name = "b \"quoted\" \xc3\xa9", .dtype = PCC_F32, .rank = 1, .dims = {3}, .data = f},
        {.name = "empty", .dtype = PCC_I64, .rank = 2, .dims = {0, 5}, .data = f},
    };
    const PccStMetadata metadata[] = {{"one", "1"}, {"two", "line\nbreak"}};
    const char *path = support_path("round.safetensors");
    PccError error;
    assert_int_equal(pcc_st_write(path, tensors, 4, metadata, 2, &error), 0);
    PccSafetensors file;
    assert_int_equal(pcc_st_open(&file, path, &error), 0);
    assert_int_equal(file.count, 4);
    assert_string_equal(pcc_st_metadata(&file, "two"), "line\nbreak");
    assert_null(pcc_st_metadata(&file, "three"));
    assert_null(pcc_st_find(&file, "hal"));
    for (int i = 0; i < 4; i++) {
        const PccStTensor *found = pcc_st_find(&file, tensors[i].name);
        assert_non_null(found);
        assert_int_equal(found->dtype, tensors[i].dtype);
        assert_int_equal(found->rank, tensors[i].rank);
        if (found->bytes > 0)
            assert_memory_equal(found->data, tensors[i].data, found->bytes);
    }
    /* Descending item size, then name; data starts at a multiple of 8. */
    const char *base = pcc_st_find(&file, "b \"quoted\" \xc3\xa9")->data;
    assert_ptr_equal((const char *)pcc_st_find(&file, "half")->data, base + 12);
    assert_ptr_equal((const char *)pcc_st_find(&file, "z/u8")->data, base + 14);
    assert_int_equal((size_t)((const unsigned char *)base - file.mapped) % 8, 0);
    pcc_st_close(&file);
}

static void require_names_what_it_found(void **state)
{
    (void)state;
    const float f[] = {1, -2, 3};
    const PccStTensor tensor = {.name = "w", .dtype = PCC_F32, .rank = 1, .dims = {3}, .data = f};
    PccError error;
    const char *path = support_path("require.safetensors");
    assert_int_equal(pcc_st_write(path, &tensor, 1, NULL, 0, &error), 0);
    PccSafetensors file;
    const PccStTensor *found;
    assert_int_equal(pcc_st_open(&file, path, &error), 0);
    assert_int_equal(pcc_st_require(&file, "w", PCC_F32, 1, (int64_t[]){3}, &found, &error), 0);
    assert_int_equal(pcc_st_require(&file, "w", PCC_F64, 2, (int64_t[]){3, 1}, &found, &error), PCC_ERR_INPUT);
    assert_non_null(strstr(error.message, "F32 [3]"));
    assert_non_null(strstr(error.message, "F64 [3,1]"));
    assert_int_equal(pcc_st_require(&file, "v", PCC_F32, 1, (int64_t[]){3}, &found, &error), PCC_ERR_INPUT);
    assert_non_null(strstr(error.message, "no tensor v"));
    pcc_st_close(&file);
    assert_int_equal(pcc_st_open(&file, support_path("missing"), &error), PCC_ERR_IO);
}

/* binary16 and bfloat16: all values survive a round trip, and doubles round to nearest even, once. */
static void halves_convert_exactly(void **state)
{
    (void)state;
    for (int dtype = PCC_F16; dtype <= PCC_BF16; dtype++) {
        for (uint32_t bits = 0; bits < 0x10000; bits++) {
            uint16_t from = (uint16_t)bits, to;
            double value = pcc_dtype_load(&from, (PccDtype)dtype, 0);
            pcc_dtype_store(&to, (PccDtype)dtype, 0, value);
            if (isnan(value))
                assert_true(isnan(pcc_dtype_load(&to, (PccDtype)dtype, 0)));
            else
                assert_int_equal(to, from);
        }
    }
    static const struct {
        double value;
        PccDtype dtype;
        uint16_t bits;
    } cases[] = {
        {65504, PCC_F16, 0x7bff},
        {65519.99, PCC_F16, 0x7bff},
        {65520, PCC_F16, 0x7c00},
        {-1e300, PCC_F16, 0xfc00},
        {1e-8, PCC_F16, 0},
        {-1e-8, PCC_F16, 0x8000},
        {0x1p-24, PCC_F16, 1},
        {0x1p-25, PCC_F16, 0},
        {0x1.8p-24, PCC_F16, 2},
        {1 + 0x1p-11, PCC_F16, 0x3c00},
        {1 + 0x3p-11, PCC_F16, 0x3c02},
        {1 + 0x1p-8, PCC_BF16, 0x3f80},
        {1 + 0x1.000001p-8, PCC_BF16, 0x3f81},
        {1 + 0x3p-8, PCC_BF16, 0x3f82},
        {1 + 0x1p-8 + 0x1p-40, PCC_BF16, 0x3f81}, /* through float this would round down */
        {3.4e38, PCC_BF16, 0x7f80},
        {3.38e38, PCC_BF16, 0x7f7e},
    };
    for (int64_t i = 0; i < PCC_COUNT(cases); i++) {
        uint16_t bits;
        pcc_dtype_store(&bits, cases[i].dtype, 0, cases[i].value);
        if (bits != cases[i].bits)
            fail_msg("%a became %04x, expected %04x", cases[i].value, bits, cases[i].bits);
    }
}

static void integers_convert(void **state)
{
    (void)state;
    const int64_t large = INT64_MAX - 1;
    int64_t out;
    pcc_dtype_convert(&out, PCC_I64, &large, PCC_I64, 1);
    assert_true(out == large);
    const int8_t small[] = {-128, 127};
    int32_t wide[2];
    pcc_dtype_convert(wide, PCC_I32, small, PCC_I8, 2);
    assert_int_equal(wide[0], -128);
    assert_int_equal(wide[1], 127);
    const char unaligned[9] = {0, 1, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(pcc_dtype_load_integer(unaligned + 1, PCC_I64, 0), 1);
    assert_int_equal(pcc_element_count(2, (int64_t[]){INT64_MAX, 2}), -1);
    assert_int_equal(pcc_element_count(0, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_headers_parse),           cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(sizes_are_checked_before_use), cmocka_unit_test(mutations_are_safe),
        cmocka_unit_test(writing_and_reading_agree),    cmocka_unit_test(require_names_what_it_found),
        cmocka_unit_test(halves_convert_exactly),       cmocka_unit_test(integers_convert),
    };
    return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
