/* test_ops_reduce.c: reductions over any axes, scans, positions of extremes. */
#include "gradient_check.h"

#include "runtime/kernels/reduce/reduce_scratch.h"

#define X "const %0 : f64[2,2,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}\n"

/* Over axes 0 and 2, which are no neighbours: the groups are {1, 2, 3, 7, 8, 9} and {4, 5, 6, 10, 11, 12}. */
static void reductions_over_axes_that_are_no_neighbours(void **state)
{
    const double products[] = {1.0 * 2 * 3 * 7 * 8 * 9, 4.0 * 5 * 6 * 10 * 11 * 12}, squares[] = {208, 442};
    const double exponentials[] = {exp(1) + exp(2) + exp(3) + exp(7) + exp(8) + exp(9),
                                   exp(4) + exp(5) + exp(6) + exp(10) + exp(11) + exp(12)};
    const struct {
        const char *op;
        double expected[2];
    } cases[] = {
        {"ReduceSum", {30, 48}},
        {"ReduceMean", {5, 8}},
        {"ReduceMax", {9, 12}},
        {"ReduceMin", {1, 4}},
        {"ReduceProd", {products[0], products[1]}},
        {"ReduceL1", {30, 48}},
        {"ReduceL2", {sqrt(squares[0]), sqrt(squares[1])}},
        {"ReduceSumSquare", {squares[0], squares[1]}},
        {"ReduceLogSum", {log(30), log(48)}},
        {"ReduceLogSumExp", {log(exponentials[0]), log(exponentials[1])}},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *body =
            arena_printf(f->arena, "%sconst %%1 : i64[2] = {2, 0}\n%%2 = %s(%%0, %%1)\noutput %%2", X, cases[i].op);
        assert_case(f, body, "f64[1,2,1]", 2, cases[i].expected);
        body = arena_printf(f->arena, "%sconst %%1 : i64[2] = {-3, -1}\n%%2 = %s(%%0, %%1) {keepdims=0}\noutput %%2", X,
                            cases[i].op);
        assert_case(f, body, "f64[2]", 2, cases[i].expected);
    }
}

static void absent_and_empty_axes(void **state)
{
    ASSERT_CASE(*state, X "%1 = ReduceSum(%0) {keepdims=0}\noutput %1", "f64[]", 78);
    ASSERT_CASE(*state, X "const %1 : i64[0] = {}\n%2 = ReduceMax(%0, %1)\noutput %2", "f64[1,1,1]", 12);
    ASSERT_CASE(*state, "const %0 : f64[2] = {3, 4}\n%1 = ReduceSumSquare(%0) {noop_with_empty_axes=1}\noutput %1",
                "f64[2]", 9, 16);
    ASSERT_CASE(*state, "const %0 : i32[3] = {3, -4, 2}\n%1 = ReduceMin(%0)\noutput %1", "i32[1]", -4);
    ASSERT_CASE(*state, "const %0 : f64[0] = {}\n%1 = ReduceProd(%0)\noutput %1", "f64[1]", 1);
    ASSERT_CASE(*state, "const %0 : f64[2] = {nan, 4}\n%1 = ReduceMax(%0)\noutput %1", "f64[1]", NAN);
    ASSERT_CASE(*state, "const %0 : f64[2] = {-inf, -inf}\n%1 = ReduceLogSumExp(%0)\noutput %1", "f64[1]", -INFINITY);
    ASSERT_CASE(*state, "const %0 : f64[2] = {1000, 1000}\n%1 = ReduceLogSumExp(%0)\noutput %1", "f64[1]",
                1000 + log(2));
    ASSERT_CASE(*state, "const %0 : bool[0] = {}\n%1 = ReduceMax(%0)\noutput %1", "bool[1]", 0);
    ASSERT_CASE(*state, "const %0 : bool[0] = {}\n%1 = ReduceMin(%0)\noutput %1", "bool[1]", 1);
    ASSERT_CASE(*state, "const %0 : i32[0,2] = {}\n%1 = ReduceMax(%0)\noutput %1", "i32[1,1]", -0x1p31);
    ASSERT_CASE(*state, "const %0 : i64[0] = {}\n%1 = ReduceMin(%0)\noutput %1", "i64[1]", 0x1p63);
    ASSERT_CASE(*state, "const %0 : u8[0] = {}\n%1 = ReduceMin(%0)\noutput %1", "u8[1]", 255);
    ASSERT_CASE(*state, "const %0 : i64[0] = {}\n%1 = ReduceProd(%0)\noutput %1", "i64[1]", 1);
    assert_refused(*state, X "const %1 : i64[1] = {3}\n%2 = ReduceSum(%0, %1)\noutput %2", "rank 3");
    assert_refused(*state, X "const %1 : i64[2] = {1, -2}\n%2 = ReduceSum(%0, %1)\noutput %2", "given twice");
}

static void extremes_take_the_first_position_or_the_last(void **state)
{
    const char *x = "const %%0 : f32[2,4] = {1, 5, 5, 2, 0, nan, 9, -3}\n%%1 = %s\noutput %%1";
    Fixture *f = *state;
    ASSERT_CASE(f, arena_printf(f->arena, x, "ArgMax(%0) {axis=1}"), "i64[2,1]", 1, 1);
    ASSERT_CASE(f, arena_printf(f->arena, x, "ArgMax(%0) {axis=-1, keepdims=0, select_last_index=1}"), "i64[2]", 2, 1);
    ASSERT_CASE(f, arena_printf(f->arena, x, "ArgMin(%0) {axis=0, keepdims=0}"), "i64[4]", 1, 1, 0, 1);
}

static void top_k_is_stable(void **state)
{
    const char *x = "const %%0 : i64[2,4] = {3, 1, 3, 2, 5, 8, 5, 8}\nconst %%1 : i64[1] = {3}\n"
                    "%%2, %%3 = TopK(%%0, %%1) {largest=%d}\noutput %%%d";
    Fixture *f = *state;
    ASSERT_CASE(f, arena_printf(f->arena, x, 1, 2), "i64[2,3]", 3, 3, 2, 8, 8, 5);
    ASSERT_CASE(f, arena_printf(f->arena, x, 1, 3), "i64[2,3]", 0, 2, 3, 1, 3, 0);
    ASSERT_CASE(f, arena_printf(f->arena, x, 0, 3), "i64[2,3]", 1, 3, 0, 0, 2, 1);
    ASSERT_CASE(
        f, "const %0 : i64[2,2] = {1, 4, 3, 2}\nconst %1 : i64[1] = {1}\n%2, %3 = TopK(%0, %1) {axis=0}\noutput %3",
        "i64[1,2]", 1, 0);
    assert_refused(f, "const %0 : i64[2] = {1, 4}\nconst %1 : i64[1] = {3}\n%2, %3 = TopK(%0, %1)\noutput %2",
                   "K is 3");
}

static void scans_in_both_directions(void **state)
{
    const char *x = "const %%0 : i64[2,3] = {1, 2, 3, 4, 5, 6}\nconst %%1 : i64[] = {%d}\n"
                    "%%2 = %s(%%0, %%1) {exclusive=%d, reverse=%d}\noutput %%2";
    Fixture *f = *state;
    ASSERT_CASE(f, arena_printf(f->arena, x, 1, "CumSum", 0, 0), "i64[2,3]", 1, 3, 6, 4, 9, 15);
    ASSERT_CASE(f, arena_printf(f->arena, x, 0, "CumSum", 0, 0), "i64[2,3]", 1, 2, 3, 5, 7, 9);
    ASSERT_CASE(f, arena_printf(f->arena, x, -1, "CumSum", 1, 0), "i64[2,3]", 0, 1, 3, 0, 4, 9);
    ASSERT_CASE(f, arena_printf(f->arena, x, 1, "CumSum", 1, 1), "i64[2,3]", 5, 3, 0, 11, 6, 0);
    ASSERT_CASE(f, arena_printf(f->arena, x, 1, "CumProd", 0, 1), "i64[2,3]", 6, 6, 3, 120, 30, 6);
}

static void gradients_of_reductions(void **state)
{
    static const char *const ops[] = {"ReduceSum", "ReduceMean",      "ReduceMax",    "ReduceMin",       "ReduceProd",
                                      "ReduceL1",  "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "ReduceL2"};
    static const char *const axes[] = {"[1] = {1}", "[2] = {0, 2}", "[3] = {0, 1, 2}", "[2] = {1, 2}"};
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (size_t k = 0; k < sizeof axes / sizeof *axes; k++)
            check_gradient(f,
                           arena_printf(f->arena,
                                        "param %%0 : f64[2,3,4] = data\nconst %%1 : i64%s\n"
                                        "%%2 = %s(%%0, %%1) {keepdims=%d}\noutput %%2",
                                        axes[k], ops[i], (int)k % 2),
                           0.4, 1.6);
}

/* The gradient of a product where factors are zero, and the equal shares of tied maxima over separate axes. */
static void gradients_at_zeros_and_ties(void **state)
{
    static const struct {
        const char *line;
        double expected[4];
    } cases[] = {
        {"%1 = ReduceProd(%0)", {8, 0, 0, 0}},
        {"%1 = ReduceProd(%0, %5)", {2, 0, 2, 2}},
        {"%1 = ReduceMax(%0)", {0, 1.0 / 3, 1.0 / 3, 1.0 / 3}},
        {"%4 : f64[2,1,2] = Unsqueeze(%0, %5)\nconst %6 : i64[2] = {0, 2}\n%1 = ReduceMax(%4, %6)",
         {0, 1.0 / 3, 1.0 / 3, 1.0 / 3}},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_gradients(f,
                         arena_printf(f->arena,
                                      "param %%0 : f64[2,2] = {0, 2, 2, 2}\nconst %%5 : i64[1] = {1}\n"
                                      "%s\noutput %%1",
                                      cases[i].line),
                         cases[i].expected);
}

/* PyTorch's vector_norm: 0 for a zero vector, whose neighbours keep theirs. */
static void norms_of_zero_vectors_have_no_slope(void **state)
{
    static const char *const ops[] = {"ReduceL1(%0, %1)", "ReduceL2(%0, %1)", "ReduceSumSquare(%0, %1)"};
    static const double expected[][4] = {{0, 0, 1, 1}, {0, 0, 0.6, 0.8}, {0, 0, 6, 8}};
    Fixture *f = *state;
    for (int i = 0; i < 3; i++)
        assert_gradients(f,
                         arena_printf(f->arena,
                                      "param %%0 : f64[2,2] = {0, 0, 3, 4}\nconst %%1 : i64[1] = {1}\n"
                                      "%%2 = %s\noutput %%2",
                                      ops[i]),
                         expected[i]);
    ASSERT_GRADIENTS(f,
                     "param %0 : f64[2] = {0, 0}\n%1 = ReduceL2(%0)\nconst %2 : f64[] = {0x1p-10}\n"
                     "%3 = Clip(%1, %2)\n%4 = Div(%0, %3)\noutput %4",
                     1024, 1024); /* F.normalize as it is exported */
}

static void gradients_of_scans_and_selections(void **state)
{
    Fixture *f = *state;
    for (int mode = 0; mode < 8; mode++)
        check_gradient(f,
                       arena_printf(f->arena,
                                    "param %%0 : f64[2,4,3] = data\nconst %%1 : i64[] = {1}\n"
                                    "%%2 = %s(%%0, %%1) {exclusive=%d, reverse=%d}\noutput %%2",
                                    mode & 4 ? "CumProd" : "CumSum", mode & 1, mode >> 1 & 1),
                       0.5, 1.5);
    check_gradient(
        f, "param %0 : f64[3,5] = data\nconst %1 : i64[1] = {2}\n%2, %3 = TopK(%0, %1) {largest=0}\noutput %2", -1, 1);
}

/* A reduction that is cut into chunks asks for the scratch that the kernel's own formula gives. */
static void steps_call_their_kernels(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = value_create(graph, VALUE_INPUT, TYPE(DTYPE_F32, 6400, 768), NULL);
    build_reduce_sum(graph, x, 1, DIMS(0), false);
    expand_kernels(graph, &(Options){.target = &target_c});
    const Node *sum = graph->first;
    while (sum && strcmp(sum->op->name, "SumOver") != 0)
        sum = sum->next;
    assert_non_null(sum);
    KernelCall call = kernel_call(&target_c, sum);
    assert_string_equal(call.kernel, "reduce_sum");
    assert_int_equal(call.literal_count, 3);
    assert_string_equal(literal_text(&call, 0), "1");
    assert_string_equal(literal_text(&call, 1), "6400");
    assert_string_equal(literal_text(&call, 2), "768");
    assert_int_equal(call_scratch_bytes(&call), pcc_reduce_scratch_bytes(1, 6400, 768, sizeof(float)));
}

/* Sums two runs of axes of a 16-bit operand. Between the steps nothing is rounded to 16 bits; the last one stores what
 * `stored` asks for, or else the operand's dtype, without a Cast. */
static void sums_are_rounded_once(void **state)
{
    const Dtype asked[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};
    for (int i = 0; i < 3; i++) {
        Graph *graph = row_graph(state);
        Value *x = value_create(graph, VALUE_INPUT, TYPE(DTYPE_BF16, 4, 5, 6), NULL);
        Node *sum = build_begin(graph, "ReduceSum", 2, VALUES(x, const_ints(graph, 2, DIMS(0, 2))), 1);
        if (asked[i] != DTYPE_BF16)
            set_int(graph, sum, "stored", dtype_info[asked[i]].onnx);
        Value *y = build_finish(graph, sum);
        assert_int_equal(y->type.dtype, asked[i]);
        graph_add_output(graph, y);
        expand_kernels(graph, &(Options){.target = &target_c});
        int steps = 0;
        for (const Node *node = graph->first; node; node = node->next) {
            assert_string_not_equal(node->op->name, "Cast");
            if (strcmp(node->op->name, "SumOver") == 0)
                assert_int_equal(node->outputs[0]->type.dtype, ++steps == 1 ? DTYPE_F32 : asked[i]);
        }
        assert_int_equal(steps, 2);
    }
}

static void sums_in_16_bits_are_not_stored_in_f64(void **state)
{
    Fixture *f = *state;
    Graph *graph = row_graph(state);
    Value *x = value_create(graph, VALUE_INPUT, TYPE(DTYPE_BF16, 4, 5), NULL);
    Node *sum = build_begin(graph, "ReduceSum", 1, VALUES(x), 1);
    sum->outputs[0] = value_create(graph, VALUE_TEMP, TYPE(DTYPE_F32, 1), NULL);
    set_int(graph, sum, "stored", dtype_info[DTYPE_F64].onnx);
    assert_false(infer_node(graph, sum));
    assert_message(f, "cannot be stored");
}

static void operands_are_brought_to_form(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 4, 6), *counts = int_constant(graph, TYPE(DTYPE_I64, 3), DIMS(5, 9, 9));
    Node *mean = build_begin(graph, "ReduceMean", 1, VALUES(x), 1), *top = build_begin(graph, "TopK", 1, VALUES(x), 2);
    Node *arg = build_begin(graph, "ArgMax", 1, VALUES(counts), 1);
    set_ints(graph, mean, "axes", 1, DIMS(-1));
    set_int(graph, top, "k", 2);
    Node *nodes[] = {mean, top, arg};
    for (int i = 0; i < 3; i++) {
        assert_true(nodes[i]->op->upgrade(graph, nodes[i], 9));
        build_finish(graph, nodes[i]);
    }
    assert_dims(mean->outputs[0], 2, DIMS(4, 1));
    assert_dims(top->outputs[1], 2, DIMS(4, 2));
    assert_int_equal(arg->inputs[0]->type.dtype, DTYPE_F64);
    assert_tensor(graph, arg->outputs[0], 1, (double[]){1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(reductions_over_axes_that_are_no_neighbours),
        TEST_WITH_FIXTURE(absent_and_empty_axes),
        TEST_WITH_FIXTURE(extremes_take_the_first_position_or_the_last),
        TEST_WITH_FIXTURE(top_k_is_stable),
        TEST_WITH_FIXTURE(scans_in_both_directions),
        TEST_WITH_FIXTURE(gradients_of_reductions),
        TEST_WITH_FIXTURE(gradients_at_zeros_and_ties),
        TEST_WITH_FIXTURE(norms_of_zero_vectors_have_no_slope),
        TEST_WITH_FIXTURE(gradients_of_scans_and_selections),
        TEST_WITH_FIXTURE(steps_call_their_kernels),
        TEST_WITH_FIXTURE(sums_are_rounded_once),
        TEST_WITH_FIXTURE(sums_in_16_bits_are_not_stored_in_f64),
        TEST_WITH_FIXTURE(operands_are_brought_to_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
