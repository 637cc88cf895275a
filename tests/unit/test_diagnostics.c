/* Messages: their form, their counting, and that no byte of a model reaches the terminal or the JSON raw. */
#include "ir_fixture.h"

static void test_an_error_names_file_node_and_operator(void **state)
{
    Fixture *fixture = *state;
    error(&fixture->diagnostics, EXIT_STATUS_INPUT, (Origin){"/enc/fc", "Gemm"}, "axis is %d", 7);
    assert_string_equal(messages(fixture), "test: error: node '/enc/fc' (Gemm): axis is 7\n");
    assert_int_equal(fixture->diagnostics.error_count, 1);
}

static void test_an_origin_may_be_partial(void **state)
{
    Fixture *fixture = *state;
    note(&fixture->diagnostics, (Origin){NULL, "Gemm"}, "a");
    note(&fixture->diagnostics, (Origin){"n", NULL}, "b");
    fixture->diagnostics.file = NULL;
    note(&fixture->diagnostics, NO_ORIGIN, "c");
    assert_string_equal(messages(fixture), "test: note: operator Gemm: a\ntest: note: node 'n': b\npcc: note: c\n");
}

static void test_the_first_error_gives_the_status(void **state)
{
    Fixture *fixture = *state;
    ASSERT_LEAVES(fixture, EXIT_STATUS_UNSUPPORTED, {
        error(&fixture->diagnostics, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN, "one");
        error(&fixture->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "two");
        leave(&fixture->diagnostics);
    });
    assert_int_equal(fixture->diagnostics.error_count, 2);
}

static void test_warnings_carry_their_code(void **state)
{
    Fixture *fixture = *state;
    warning(&fixture->diagnostics, NO_ORIGIN, "f16-overflow", "1e6 is inf in f16");
    assert_string_equal(messages(fixture), "test: warning: 1e6 is inf in f16 [-Wf16-overflow]\n");
    assert_int_equal(fixture->diagnostics.warning_count, 1);
    assert_int_equal(fixture->diagnostics.error_count, 0);
}

static void test_werror_makes_warnings_errors(void **state)
{
    Fixture *fixture = *state;
    fixture->diagnostics.werror = true;
    fixture->diagnostics.quiet = true;
    warning(&fixture->diagnostics, NO_ORIGIN, "f16-overflow", "x");
    assert_string_equal(messages(fixture), "test: error: x [-Werror=f16-overflow]\n");
    assert_int_equal(fixture->diagnostics.status, EXIT_STATUS_INPUT);
}

static void test_quiet_keeps_errors_only(void **state)
{
    Fixture *fixture = *state;
    fixture->diagnostics.quiet = true;
    note(&fixture->diagnostics, NO_ORIGIN, "a");
    warning(&fixture->diagnostics, NO_ORIGIN, "code", "b");
    error(&fixture->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "c");
    assert_string_equal(messages(fixture), "test: error: c\n");
}

static void test_control_characters_are_escaped(void **state)
{
    Fixture *fixture = *state;
    Origin origin = {"a\033[31m\nb\x7f", "\xc3\xa4\xff\xc2\x9b"}; /* ä, an invalid byte, U+009B CSI */
    error(&fixture->diagnostics, EXIT_STATUS_INPUT, origin, "list:\n  \x07x");
    assert_string_equal(messages(fixture),
                        "test: error: node 'a\\x1b[31m\\x0ab\\x7f' (\xc3\xa4\\xff\\xc2\\x9b): list:\n  \\x07x\n");
}

static void test_invalid_utf8_is_escaped(void **state)
{
    Fixture *fixture = *state;
    /* An overlong '/', a surrogate, a code point past U+10FFFF, a sequence cut short; then a valid U+1F600. */
    error(&fixture->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "%s",
          "\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82 \xf0\x9f\x98\x80");
    assert_string_equal(messages(fixture), "test: error: \\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80 \\xe2\\x82 "
                                           "\xf0\x9f\x98\x80\n");
}

static void test_json_lines(void **state)
{
    Fixture *fixture = *state;
    fixture->diagnostics.json = true;
    error(&fixture->diagnostics, EXIT_STATUS_UNSUPPORTED, (Origin){"a\"b\\\n", NULL}, "x\xff");
    warning(&fixture->diagnostics, (Origin){NULL, "Conv"}, "some-code", "y");
    assert_string_equal(messages(fixture), "{\"file\":\"test\",\"severity\":\"error\",\"code\":\"unsupported\","
                                           "\"node\":\"a\\\"b\\\\\\u000a\",\"op\":null,\"message\":\"x\\\\xff\"}\n"
                                           "{\"file\":\"test\",\"severity\":\"warning\",\"code\":\"some-code\","
                                           "\"node\":null,\"op\":\"Conv\",\"message\":\"y\"}\n");
}

static void test_color_only_on_request(void **state)
{
    Fixture *fixture = *state;
    assert_false(fixture->diagnostics.color); /* a memory stream is no terminal */
    fixture->diagnostics.color = true;
    error(&fixture->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "x");
    assert_string_equal(messages(fixture), "test: \033[1;31merror:\033[0m x\n");
}

static void test_fatal_leaves(void **state)
{
    Fixture *fixture = *state;
    ASSERT_LEAVES(fixture, EXIT_STATUS_IO, fatal(&fixture->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot write"));
    assert_string_equal(messages(fixture), "test: error: cannot write\n");
}

static void test_did_you_mean(void **state)
{
    (void)state;
    const char *const ops[] = {"Relu", "LeakyRelu", "Selu", "Elu", "Softmax", "LogSoftmax", "LayerNormalization"};
    const int count = sizeof ops / sizeof *ops;
    assert_string_equal(did_you_mean("relu", ops, count), "Relu");
    assert_string_equal(did_you_mean("Sotfmax", ops, count), "Softmax");
    assert_string_equal(did_you_mean("LayerNormalisation", ops, count), "LayerNormalization");
    assert_string_equal(did_you_mean("LeakyRelus", ops, count), "LeakyRelu");
    assert_null(did_you_mean("Transpose", ops, count));
    assert_null(did_you_mean("LSTM", (const char *const[]){"Sum"}, 1));
    assert_null(did_you_mean("Relu", (const char *const[]){"Relu"}, 1)); /* the word itself is no slip */
    assert_null(did_you_mean("", ops, count));
    assert_null(did_you_mean("x", ops, count));
    char longer[100];
    memset(longer, 'a', sizeof longer);
    longer[99] = '\0';
    assert_null(did_you_mean(longer, ops, count));
    assert_null(did_you_mean("Relu", (const char *const[]){longer}, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(test_an_error_names_file_node_and_operator),
        TEST_WITH_FIXTURE(test_an_origin_may_be_partial),
        TEST_WITH_FIXTURE(test_the_first_error_gives_the_status),
        TEST_WITH_FIXTURE(test_warnings_carry_their_code),
        TEST_WITH_FIXTURE(test_werror_makes_warnings_errors),
        TEST_WITH_FIXTURE(test_quiet_keeps_errors_only),
        TEST_WITH_FIXTURE(test_control_characters_are_escaped),
        TEST_WITH_FIXTURE(test_invalid_utf8_is_escaped),
        TEST_WITH_FIXTURE(test_json_lines),
        TEST_WITH_FIXTURE(test_color_only_on_request),
        TEST_WITH_FIXTURE(test_fatal_leaves),
        cmocka_unit_test(test_did_you_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
