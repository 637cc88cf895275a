/* The text form: print -> parse -> print is the identity, and any bytes end in a graph or in a message. */
#include "ir_fixture.h"

/* Everything that the form has, in the order and the spelling that the printer uses. */
static const char everything[] =
    "graph \"all \\\"of\\\\ it\\n\\x01\" stage \"fuse\"\n"
    "input %0 \"x\" : f32[2,3]\n"
    "input %20 : i64[2]\n"
    "target %21 \"y\" : i64[]\n"
    "param %1 \"w\" : f32[3,3] = data\n"
    "const %2 : i64[2] = {-1, 9223372036854775807}\n"
    "const %3 : f64[4] = {0x1.5555555555555p-2, -0x0p+0, inf, nan}\n"
    "const %4 : bool[2] = {1, 0}\n"
    "const %5 : u64[1] = {18446744073709551615}\n"
    "state %6 \"mean\" : f32[2,3] = data\n"
    "const %7 : f16[2] = {0x1p-24, -inf}\n"
    "const %8 : i64[2] = {3, 2}\n"
    "const %9 : f32[0] = {}\n"
    "%10 \"h\" : f32[2,3] = MatMul(%0, %1) {trans_b=1} @ \"/enc/fc\" \"Gemm\"\n"
    "%11 : f32[3,2] view(%10, 0, [1, 3]) = Transpose(%10) {perm=[1, 0]} @ _ \"Transpose\"\n"
    "%12 : f32[3,2] = Reshape(%10, %8) {allowzero=1} @ \"r\" _\n"
    "%13 : f32[2,3] = Clip(%10, _, _)\n"
    "%14 : f32[2,3], _, %16 : f32[2,3] = Fused(%13, %10) @ \"f\" \"Add\" body {\n"
    "  graph \"body\" stage \"\"\n"
    "  input %0 : f32[2,3]\n"
    "  input %1 : f32[2,3]\n"
    "  const %2 : f32[] = {0x1p-1}\n"
    "  %3 : f32[2,3] = Add(%0, %1)\n"
    "  %5 : f32[2,3] = LeakyRelu(%3) {alpha=0x1.47ae147ae147bp-7}\n"
    "  output %3\n"
    "  output %5\n"
    "  output %5\n"
    "}\n"
    "%30 : f32[] = ReduceMean(%16) {keepdims=0}\n"
    "output %14\n"
    "output %12 \"logits\"\n"
    "output %10\n"
    "output %10 _\n"
    "loss %30\n"
    "gradient %1 = %1\n"
    "update %6 = %14\n";

static void test_everything_round_trips(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, everything);
    assert_string_equal(printed(fixture, graph, 8), everything);
    graph_verify(graph);
    assert_string_equal(printed(fixture, graph_clone(graph), 8), everything);
    assert_string_equal(graph->name, "all \"of\\ it\n\x01");
}

static void test_ids_are_kept(void **state)
{
    Graph *graph = parsed(*state, everything);
    assert_int_equal(graph->value_count, 31);
    assert_null(graph->values[15]);
    assert_int_equal(graph->values[30]->id, 30);
    assert_ptr_equal(graph->loss, graph->values[30]);
    assert_ptr_equal(graph->values[11]->view.base, graph->values[10]);
    assert_string_equal(graph->output_names[1], "logits");
    assert_string_equal(graph->output_names[2], "h");
    assert_null(graph->output_names[3]);
    assert_int_equal(value_create(graph, VALUE_CONST, scalar_type(DTYPE_F32), NULL)->id, 31);
}

static void test_types_may_be_left_out(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, "graph \"\" stage \"\" # a comment\n"
                                   "  input %0 : f32[4,\n 2] # types may go over lines\n"
                                   "%1 = Relu ( %0 ) output %1 # and statements share one\n");
    assert_string_equal(printed(fixture, graph, 8), "graph \"\" stage \"\"\ninput %0 : f32[4,2]\n"
                                                    "%1 : f32[4,2] = Relu(%0)\noutput %1\n");
}

static void test_decimal_floats_are_floats(void **state)
{
    Graph *graph = parsed(*state, "graph \"\" stage \"\" input %0 : f32[1] %1 = LeakyRelu(%0) {alpha=1e-5}");
    assert_true(attr_float(graph->first, "alpha") == 1e-5);
}

typedef struct Weights {
    const char *names[4];
    int count;
} Weights;

static const void *look_up(void *context, const char *name, const Type *type)
{
    static const float contents[6] = {1, 2, 3, 4, 5, 6};
    Weights *weights = context;
    weights->names[weights->count++] = name;
    return type->dtype == DTYPE_F32 && element_count(type) == 6 ? contents : NULL;
}

static void test_large_contents_come_from_the_lookup(void **state)
{
    Fixture *fixture = *state;
    const char *text = "graph \"\" stage \"\"\nparam %0 \"w\" : f32[2,3] = data\nconst %1 : f32[6] = data\n";
    Weights weights = {.count = 0};
    Graph *graph = graph_parse(fixture->arena, &fixture->diagnostics, "f", text, strlen(text), look_up, &weights);
    assert_non_null(graph);
    assert_int_equal(weights.count, 2);
    assert_string_equal(weights.names[0], "w");
    assert_string_equal(weights.names[1], "%1");
    assert_true(((const float *)graph->values[0]->data)[5] == 6);
    assert_string_equal(printed(fixture, graph, 5), text);
    assert_string_equal(printed(fixture, graph, 6), "graph \"\" stage \"\"\n"
                                                    "param %0 \"w\" : f32[2,3] = {0x1p+0, 0x1p+1, 0x1.8p+1, 0x1p+2, "
                                                    "0x1.4p+2, 0x1.8p+2}\n"
                                                    "const %1 : f32[6] = {0x1p+0, 0x1p+1, 0x1.8p+1, 0x1p+2, "
                                                    "0x1.4p+2, 0x1.8p+2}\n");
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static void assert_message_of(Fixture *fixture, const char *text, const char *message)
{
    if (parse_text(fixture, text))
        fail_msg("parsed: %s", text);
    assert_message(fixture, message);
}

static void test_errors_name_the_line(void **state)
{
#define HEAD "graph \"\" stage \"\"\ninput %0 : f32[2]\n"
    static const char *const cases[][2] = {
        {"", "test.ir:1: error: expected 'graph"},
        {"graph x", "expected '\"', found 'x'"},
        {HEAD "%1 = Relu(%7)", "test.ir:3: error: %7 is not defined"},
        {HEAD "%1 = Rleu(%0)", "unknown operator 'Rleu'; did you mean 'Relu'?"},
        {HEAD "%1 = Relu(%0) {slope=1}", "test.ir:3: error: unsupported attribute 'slope' of Relu"},
        {HEAD "%1 = Relu(%0, %0)", "Relu takes at most 1 inputs"},
        {HEAD "%1 : f32[3] = Relu(%0)", "%1 is declared f32[3], but is f32[2]"},
        {HEAD "%0 = Relu(%0)", "%0 is defined twice"},
        {HEAD "%1 = LeakyRelu(%0) {alpha=1.0, alpha=2.0}", "attribute 'alpha' is given twice"},
        {HEAD "output %1", "%1 is not defined"},
        {HEAD "input %1 : f33[2]", "'f33' is not a dtype"},
        {HEAD "input %1 : f32[-2]", "a dimension is negative"},
        {HEAD "input %1 : f32[1,1,1,1,1,1,1,1,1]", "at most 8 dimensions"},
        {HEAD "input %1 : f32[99999999999999999999]", "is not a 64-bit integer"},
        {HEAD "input %1 : f64[4611686018427387904,4]", "too large"},
        {HEAD "input %99999999 : f32[2]", "is not a value's number"},
        {HEAD "input %1", "needs a type"},
        {HEAD "input %1 : f32[4] view(%0, 0, [1])", "the view of %1 does not fit into its base"},
        {HEAD "input %1 : f32[2] view(%9, 0, [1])", "%9 is not defined"},
        {HEAD "const %1 : i64[3] = {1, 2}", "expected ',', found '}'"},
        {HEAD "const %1 : i64[1] = {1, 2}", "expected '}', found ', 2}'"},
        {HEAD "const %1 : i64[1000000000] = {1}", "expected 1000000000 elements"},
        {HEAD "const %1 : f32[1] = {zwei}", "'zwei' is not a number"},
        {HEAD "const %1 : u64[1] = {-1}", "is not an unsigned 64-bit integer"},
        {HEAD "const %1 \"a\\q\" : f32[1]", "unknown escape"},
        {HEAD "const %1 \"a\n\" : f32[1]", "no closing quote"},
        {HEAD "target %1 : f32[2]\ntarget %2 : f32[2]", "test.ir:4: error: the graph has a target already"},
        {HEAD "%1 = Fused(%0) body {\ngraph \"\" stage \"\"\n", "test.ir:5: error: expected '}', found the end"},
        {HEAD "%1 = Fused(%0) body {\ngraph \"\" stage \"\"\n}", "are not those of its body"},
    };
#undef HEAD
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_message_of(*state, cases[i][0], cases[i][1]);
}

static void test_bodies_do_not_nest_without_end(void **state)
{
    Fixture *fixture = *state;
    enum { DEPTH = 20000 };
    static const char level[] = "graph\"\"stage\"\"=Fused()body{";
    char *text = test_malloc(DEPTH * sizeof level);
    for (int i = 0; i < DEPTH; i++)
        memcpy(text + (size_t)i * (sizeof level - 1), level, sizeof level);
    assert_null(graph_parse(fixture->arena, &fixture->diagnostics, "deep", text, strlen(text), NULL, NULL));
    assert_message(fixture, "bodies nest deeper than 8");
    test_free(text);
}

/* ---- robustness: what follows only must not crash, and must say something where it returns NULL ----------------- */

static void parse_any(Fixture *fixture, const char *text, size_t length)
{
    Arena *arena = arena_create((size_t)256 << 20, &fixture->diagnostics);
    fixture->diagnostics.error_count = 0;
    fixture->diagnostics.status = EXIT_STATUS_OK;
    fixture->diagnostics.can_recover = true;
    if (setjmp(fixture->diagnostics.recover) == 0) {
        Graph *graph = graph_parse(arena, &fixture->diagnostics, "any", text, length, NULL, NULL);
        assert_true(graph ? fixture->diagnostics.error_count == 0 : fixture->diagnostics.error_count > 0);
        if (graph)
            graph_print(graph, fixture->diagnostics.stream, 4);
    } else
        assert_int_not_equal(fixture->diagnostics.status, EXIT_STATUS_INTERNAL);
    fixture->diagnostics.can_recover = false;
    rewind(fixture->diagnostics.stream);
    arena_destroy(arena);
}

static void test_every_prefix(void **state)
{
    for (size_t length = 0; length < sizeof everything; length++) {
        char *exact = test_malloc(length ? length : 1); /* so that reading behind it is an error under ASan */
        memcpy(exact, everything, length);
        parse_any(*state, exact, length);
        test_free(exact);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u; /* Numerical Recipes' generator */
    return *seed >> 8;
}

/* Replaces, deletes, or copies pieces of the text. */
static size_t mutate(char *text, size_t length, size_t capacity, uint32_t *seed)
{
    static const char bytes[] = "%_{}[](),:=\"@#\\ \n0123456789-xfnaZ";
    size_t at = next_random(seed) % length, span = next_random(seed) % 16;
    if (at + span > length)
        span = length - at;
    switch (next_random(seed) % 4) {
    case 0:
        text[at] = bytes[next_random(seed) % (sizeof bytes - 1)];
        return length;
    case 1:
        text[at] = (char)next_random(seed);
        return length;
    case 2:
        memmove(text + at, text + at + span, length - at - span);
        return length - span > 0 ? length - span : 1;
    default:
        if (length + span > capacity)
            return length;
        memmove(text + at + span, text + at, length - at);
        memmove(text + at, text + next_random(seed) % (length - span + 1), span);
        return length + span;
    }
}

static void test_mutations(void **state)
{
    enum { CAPACITY = 2 * sizeof everything, ROUNDS = 3000 };
    uint32_t seed = 1;
    for (int round = 0; round < ROUNDS; round++) {
        char *text = test_malloc(CAPACITY);
        size_t length = sizeof everything - 1;
        memcpy(text, everything, length);
        for (uint32_t edits = 1 + next_random(&seed) % 4; edits; edits--)
            length = mutate(text, length, CAPACITY, &seed);
        char *exact = test_malloc(length);
        memcpy(exact, text, length);
        parse_any(*state, exact, length);
        test_free(exact);
        test_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(test_everything_round_trips),
        TEST_WITH_FIXTURE(test_ids_are_kept),
        TEST_WITH_FIXTURE(test_types_may_be_left_out),
        TEST_WITH_FIXTURE(test_decimal_floats_are_floats),
        TEST_WITH_FIXTURE(test_large_contents_come_from_the_lookup),
        TEST_WITH_FIXTURE(test_errors_name_the_line),
        TEST_WITH_FIXTURE(test_bodies_do_not_nest_without_end),
        TEST_WITH_FIXTURE(test_every_prefix),
        TEST_WITH_FIXTURE(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
