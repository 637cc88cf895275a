/* test_reference_ranges.c: which numbers `pcc verify` makes up for integer inputs, by what reads them. */
#include "ir_fixture.h"

#include "frontend/verify/reference_ranges.h"

static void assert_range(Fixture *fixture, const char *inputs, const char *body, double least, double most,
                         bool is_index)
{
    Graph *graph = parsed(fixture, arena_printf(fixture->arena, "graph \"g\" stage \"\"\n%s\n%s\n", inputs, body));
    const InputRange found = input_range(graph, graph->inputs[0]);
    if (found.range.least != least || found.range.most != most || found.is_index != is_index)
        fail_msg("%g..%g%s, not %g..%g, in:\n%s", found.range.least, found.range.most, found.is_index ? " (index)" : "",
                 least, most, body);
}

#define IDS "input %0 \"ids\" : i64[2,3]\nparam %1 \"table\" : f32[11,4] = {" ROWS "}\n"
#define ROW "0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0"
#define ROWS ROW ", " ROW ", " ROW ", " ROW ", " ROW ", " ROW ", " ROW ", " ROW ", " ROW ", " ROW ", " ROW

static void test_indices(void **state)
{
    assert_range(*state, IDS, "%2 = Gather(%1, %0) {axis=0}\noutput %2", 0, 10, true);
    assert_range(*state, IDS, "%2 = Gather(%1, %0) {axis=-1}\noutput %2", 0, 3, true);
    assert_range(*state, IDS "param %2 \"d\" : f32[2,5] = {" ROW ", " ROW ", 0x0p+0, 0x0p+0}",
                 "%3 = GatherElements(%2, %0) {axis=1}\noutput %3", 0, 4, true);
    assert_range(*state, "input %0 \"tuples\" : i64[6,2]\nparam %1 \"d\" : f32[4,3] = {" ROW ", " ROW ", " ROW "}",
                 "%2 = GatherND(%1, %0)\noutput %2", 0, 2, true);
    assert_range(*state, IDS "const %2 : i64[] = {7}\nconst %3 : f32[2] = {0x0p+0, 0x1p+0}",
                 "%4 = OneHot(%0, %2, %3) {axis=-1}\noutput %4", 0, 6, true);
    assert_range(*state,
                 "input %0 \"tuples\" : i64[6,2]\nparam %1 \"d\" : f32[4,3] = {" ROW ", " ROW ", " ROW "}\n"
                 "param %2 \"u\" : f32[6] = {" ROW ", 0x0p+0, 0x0p+0}",
                 "%3 = ScatterND(%1, %0, %2)\noutput %3", 0, 2, true);
    assert_range(*state, "input %0 \"classes\" : i64[2]\nparam %1 \"d\" : f32[2,4] = {" ROW ", " ROW "}",
                 "%2 = SoftmaxCrossEntropyLoss(%1, %0)\noutput %2", 0, 3, true);
    /* of operators that expand into lookups */
    assert_range(*state,
                 IDS "param %2 \"b\" : f32[4] = {" ROW "}\nparam %3 \"at\" : f32[3,4] = {" ROW ", " ROW ", " ROW "}",
                 "%4, _ = EmbedLayerNormalization(%0, _, %1, %3, _, %2, %2)\noutput %4", 0, 10, true);
    assert_range(*state,
                 "input %0 \"at\" : i64[1,1]\nparam %1 \"x\" : f32[1,1,2] = {0x0p+0, 0x1p+0}\n"
                 "param %2 \"cache\" : f32[4,1] = {" ROW "}",
                 "%3 = RotaryEmbedding(%1, %2, %2, %0) {num_heads=1}\noutput %3", 0, 3, true);
    assert_range(*state,
                 "input %0 \"at\" : i64[1]\nparam %1 \"x\" : f32[1,2,2] = {" ROW "}\n"
                 "param %2 \"cache\" : f32[4,1] = {" ROW "}",
                 "%3 = MicrosoftRotaryEmbedding(%1, %0, %2, %2) {num_heads=1}\noutput %3", 0, 2, true);
    /* the smallest of two tables */
    assert_range(*state, IDS "param %2 \"small\" : f32[2,4] = {" ROW ", " ROW "}",
                 "%3 = Gather(%1, %0) {axis=0}\n%4 = Gather(%2, %0) {axis=0}\noutput %3\noutput %4", 0, 1, true);
}

static void test_arithmetic_on_indices(void **state)
{
    const struct {
        const char *op;
        double least, most;
    } cases[] = {
        {"Add(%0, %2)", 0, 8},  /* x + 2 <= 10 */
        {"Sub(%0, %2)", 2, 12}, /* x - 2 >= 0 */
        {"Mul(%0, %2)", 0, 5},  /* 2 x <= 10 */
        {"Div(%0, %2)", 0, 20}, /* x / 2 <= 10 */
        {"Add(%0, %0)", 0, 5},  {"ClipBelow(%0, %2)", 0, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_range(*state, IDS "const %2 : i64[] = {2}",
                     arena_printf(((Fixture *)*state)->arena, "%%3 = %s\n%%4 = Gather(%%1, %%3) {axis=0}\noutput %%4",
                                  cases[i].op),
                     cases[i].least, cases[i].most, true);
    /* offsets of fields into one table, a sum of three ids, a way through floats and views */
    assert_range(*state, IDS "const %2 : i64[3] = {0, 4, 8}",
                 "%3 = Add(%0, %2)\n%4 = Gather(%1, %3) {axis=0}\noutput %4", 0, 2, true);
    assert_range(*state, IDS "const %2 : i64[1] = {1}",
                 "%3 = ReduceSum(%0, %2) {keepdims=0}\n%4 = Gather(%1, %3) {axis=0}\noutput %4", 0, 3, true);
    assert_range(*state, IDS "const %2 : i64[1] = {6}\nconst %3 : f32[] = {0x1p-1}",
                 "%4 = Cast(%0) {to=1}\n%5 = Reshape(%4, %2)\n%6 = Mul(%5, %3)\n%7 = Cast(%6) {to=7}\n"
                 "%8 = Gather(%1, %7) {axis=0}\noutput %8",
                 0, 20, true);
}

/* Factors of any size and sign: what they leave is a number that can be drawn. */
static void test_extreme_factors(void **state)
{
    const struct {
        const char *factor;
        double most;
    } cases[] = {{"0x0p+0", 255}, {"-0x1p+0", 0}, {"0x1p-120", 0x1p53 - 1}, {"0x1p+100", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_range(*state,
                     arena_printf(((Fixture *)*state)->arena, "%sconst %%2 : f32[] = {%s}", IDS, cases[i].factor),
                     "%3 = Cast(%0) {to=1}\n%4 = Mul(%3, %2)\n%5 = Cast(%4) {to=7}\n%6 = Gather(%1, %5) {axis=0}\n"
                     "output %6",
                     i == 1 ? -10 : 0, cases[i].most, i > 0);
}

static void test_floats_that_become_indices(void **state)
{
    assert_range(*state, "input %0 \"x\" : f32[3]\nparam %1 \"t\" : f32[2,4] = {" ROW ", " ROW "}",
                 "%2 = Cast(%0) {to=7}\n%3 = Gather(%1, %2) {axis=0}\noutput %3", 0, 1, true);
    Graph *graph = parsed(*state, "graph \"g\" stage \"\"\ninput %0 \"x\" : f32[3]\n%1 = Relu(%0)\noutput %1\n");
    assert_false(input_range(graph, graph->inputs[0]).is_index);
}

static void test_hints(void **state)
{
    const char *one = IDS "const %2 : f32[] = {0x1p+0}\nconst %3 : f32[] = {-0x1.388p+13}";
    /* (1 - mask) * -1e4 */
    assert_range(*state, one, "%4 = Cast(%0) {to=1}\n%5 = Sub(%2, %4)\n%6 = Mul(%5, %3)\noutput %6", 0, 1, false);
    /* (mask - 1) * 1e4 */
    assert_range(*state, IDS "const %2 : f32[] = {0x1p+0}\nconst %3 : f32[] = {0x1.388p+13}",
                 "%4 = Cast(%0) {to=1}\n%5 = Sub(%4, %2)\n%6 = Mul(%5, %3)\noutput %6", 0, 1, false);
    assert_range(*state, one, "%4 = Cast(%0) {to=9}\noutput %4", 0, 1, false);
    /* a one-hot vector by comparison with 0, 1, ..., 4, and a length compared with positions */
    assert_range(*state, "input %0 \"ids\" : i32[2,1]\nconst %1 : i32[1,5] = {0, 1, 2, 3, 4}",
                 "%2 = Equal(%0, %1)\noutput %2", 0, 4, false);
    assert_range(*state, IDS "const %2 : i64[] = {0}", "%3 = Equal(%0, %2)\noutput %3", 0, 1, false);
    /* only a number: bytes, as far as the dtype goes, so that its variance is not 0 */
    assert_range(*state, one, "%4 = Cast(%0) {to=1}\n%5 = Relu(%4)\noutput %5", 0, 255, false);
    assert_range(*state, "input %0 \"x\" : i8[4]", "%1 = Cast(%0) {to=1}\noutput %1", 0, 127, false);
    /* an index that is compared with padding as well is an index */
    assert_range(*state, IDS "const %2 : i64[] = {0}",
                 "%3 = Equal(%0, %2)\n%4 = Gather(%1, %0) {axis=0}\noutput %3\noutput %4", 0, 10, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(test_indices),         TEST_WITH_FIXTURE(test_arithmetic_on_indices),
        TEST_WITH_FIXTURE(test_extreme_factors), TEST_WITH_FIXTURE(test_floats_that_become_indices),
        TEST_WITH_FIXTURE(test_hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
