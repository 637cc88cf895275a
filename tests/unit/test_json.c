/* test_json.c: the strict JSON cursor. */
#include "runtime_support.h"

#include <math.h>

#include <pcc/files/json.h>

static bool accepts(const char *text)
{
    PccJson json = pcc_json(text, strlen(text));
    pcc_json_skip(&json);
    return pcc_json_finish(&json);
}

static void valid_documents_pass(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}",
                                        "[]",
                                        " [1, -2.5e+3, 0] ",
                                        "\"a\\n\\u00e9\\ud83d\\ude00\"",
                                        "true",
                                        "{\"a\":{\"b\":[null,false,\"\\\"\"]}}",
                                        "-0",
                                        "1E5",
                                        "\"\xc3\xa9\""};
    for (int64_t i = 0; i < PCC_COUNT(texts); i++)
        assert_true(accepts(texts[i]));
}

static void invalid_documents_fail(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "[1 2]",
        "01",
        "1.",
        ".5",
        "+1",
        "tru",
        "nul",
        "{}x",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00x\"",
        "\"\\ud800\\u0041\"",
        "\"\\u0000\"",
        "\"\x01\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xc3\"",
        "{1:2}",
        "NaN",
        "1e",
        "--1",
        "]",
        "{]",
    };
    for (int64_t i = 0; i < PCC_COUNT(texts); i++)
        if (accepts(texts[i]))
            fail_msg("accepted: %s", texts[i]);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[2 * (PCC_JSON_MAX_DEPTH + 1) + 1];
    for (int depth = PCC_JSON_MAX_DEPTH; depth <= PCC_JSON_MAX_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        assert_int_equal(accepts(text), depth <= PCC_JSON_MAX_DEPTH);
    }
}

static void strings_decode(void **state)
{
    (void)state;
    const char *text = "\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\t\\/\"";
    PccJson json = pcc_json(text, strlen(text));
    char *value = pcc_json_string(&json);
    assert_string_equal(value, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\t/");
    assert_true(pcc_json_finish(&json));
    free(value);
}

static void integers_are_exact(void **state)
{
    (void)state;
    PccJson json = pcc_json("18446744073709551615", 20);
    assert_true(pcc_json_integer(&json) == UINT64_MAX && pcc_json_finish(&json));
    static const char *const bad[] = {"18446744073709551616", "-1", "1.0", "1e3", "007", "\"1\""};
    for (int64_t i = 0; i < PCC_COUNT(bad); i++) {
        json = pcc_json(bad[i], strlen(bad[i]));
        pcc_json_integer(&json);
        assert_false(pcc_json_finish(&json));
    }
}

/* What is written reads back the same. */
static void writing_round_trips(void **state)
{
    (void)state;
    static const double numbers[] = {0.1, 1.0 / 3, 1e300, -5e-324, 2.3025850929940457, 0, 123456789};
    for (int64_t i = 0; i < PCC_COUNT(numbers); i++) {
        char *text;
        size_t size;
        FILE *file = open_memstream(&text, &size);
        pcc_json_write_number(file, numbers[i]);
        fclose(file);
        PccJson json = pcc_json(text, size);
        assert_true(pcc_json_number(&json) == numbers[i] && pcc_json_finish(&json));
        free(text);
    }
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    pcc_json_write_string(file, "a\"b\\c\nd\x01\xc3\xa9");
    fclose(file);
    PccJson json = pcc_json(text, size);
    char *value = pcc_json_string(&json);
    assert_string_equal(value, "a\"b\\c\nd\x01\xc3\xa9");
    free(value);
    free(text);
    file = open_memstream(&text, &size);
    pcc_json_write_number(file, (double)NAN);
    fclose(file);
    assert_string_equal(text, "null");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_documents_pass), cmocka_unit_test(invalid_documents_fail),
        cmocka_unit_test(depth_is_bounded),     cmocka_unit_test(strings_decode),
        cmocka_unit_test(integers_are_exact),   cmocka_unit_test(writing_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
