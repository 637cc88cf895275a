/* test_ops_shape.c: operators that move, repeat, cut and pad; what they refuse; their adjoints. */
#include "gradient_check.h"

#define CONST6 "const %0 : i64[2,3] = {0, 1, 2, 3, 4, 5}\n"
#define CONST12 "const %0 : i64[2,2,3] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}\n"

static void reshape_and_its_special_cases(void **state)
{
    Fixture *f = *state;
    static const struct {
        const char *line, *dims;
    } cases[] = {
        {"const %1 : i64[2] = {3, -1}\n%2 = Reshape(%0, %1)", "i64[3,4]"},
        {"const %1 : i64[3] = {0, -1, 1}\n%2 = Reshape(%0, %1)", "i64[2,6,1]"},
        {"%2 = Flatten(%0) {axis=2}", "i64[4,3]"},
        {"%2 = Flatten(%0) {axis=0}", "i64[1,12]"},
        {"%2 = Flatten(%0) {axis=-1}", "i64[4,3]"},
        {"const %1 : i64[2] = {0, -1}\n%2 = Unsqueeze(%0, %1)", "i64[1,2,2,3,1]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_case(f, arena_printf(f->arena, "%s%s\noutput %%2", CONST12, cases[i].line), cases[i].dims, 12,
                    (double[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    ASSERT_CASE(f, "const %0 : i64[1,2,1] = {7, 8}\n%1 = Squeeze(%0)\noutput %1", "i64[2]", 7, 8);
    ASSERT_CASE(f, "const %0 : i64[1,2,1] = {7, 8}\nconst %1 : i64[1] = {-1}\n%2 = Squeeze(%0, %1)\noutput %2",
                "i64[1,2]", 7, 8);
}

static void impossible_shapes_are_refused(void **state)
{
    static const struct {
        const char *body, *message;
    } cases[] = {
        {CONST12 "const %1 : i64[2] = {5, -1}\n%2 = Reshape(%0, %1)\noutput %2", "12 elements"},
        {CONST12 "const %1 : i64[2] = {-1, -1}\n%2 = Reshape(%0, %1)\noutput %2", "shape[1] is -1"},
        {CONST12 "const %1 : i64[2] = {4611686018427387904, 4}\n%2 = Reshape(%0, %1)\noutput %2", "shape[1] is 4"},
        {CONST12 "%2 = Transpose(%0) {perm=[0, 1, 1]}\noutput %2", "'perm' is not a permutation"},
        {CONST12 "const %1 : i64[1] = {1}\n%2 = Squeeze(%0, %1)\noutput %2", "axis 1 of i64[2,2,3] is not 1"},
        {CONST12 "%2 = Concat(%0, %0) {axis=3}\noutput %2", "axis is 3, but the operand has rank 3"},
        {CONST12 "const %1 : i64[2] = {1, 2}\n%2, %3 = Split(%0, %1) {axis=1}\noutput %2", "cannot be split"},
        {CONST12 "const %1 : i64[2] = {5, 3}\n%2 = Expand(%0, %1)\noutput %2", "does not broadcast"},
        {CONST12 "const %1 : i64[1] = {0}\n%2 = Slice(%0, %1, %1, %1, %1)\noutput %2", "no step may be 0"},
        {CONST12 "const %1 : i64[6] = {0, -3, 0, 0, 0, 0}\n%2 = Pad(%0, %1)\noutput %2", "cannot be padded"},
        {CONST12 "const %1 : i64[6] = {0, 0, 0, 0, 0, 0}\n%2 = Pad(%0, %1) {mode=\"mirror\"}\noutput %2", "mirror"},
        {CONST6 "%2 = DepthToSpace(%0) {blocksize=2}\noutput %2", "rank 2"},
        {CONST6 "const %1 : i64[4] = {0, 0, 0, 70368744177664}\n%2 = Pad(%0, %1)\noutput %2",
         "output 0 would be i64[2,70368744177667], which is impossible or too large"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(*state, cases[i].body, cases[i].message);
}

static void transposes_expansions_and_tiles(void **state)
{
    ASSERT_CASE(*state, CONST6 "%1 = Transpose(%0)\noutput %1", "i64[3,2]", 0, 3, 1, 4, 2, 5);
    ASSERT_CASE(*state, CONST12 "%1 = Transpose(%0) {perm=[1, 2, 0]}\noutput %1", "i64[2,3,2]", 0, 6, 1, 7, 2, 8, 3, 9,
                4, 10, 5, 11);
    ASSERT_CASE(*state, "const %0 : i64[2,1] = {1, 2}\nconst %1 : i64[3] = {2, 1, 2}\n%2 = Expand(%0, %1)\noutput %2",
                "i64[2,2,2]", 1, 1, 2, 2, 1, 1, 2, 2);
    ASSERT_CASE(*state, CONST6 "const %1 : i64[2] = {2, 2}\n%2 = Tile(%0, %1)\noutput %2", "i64[4,6]", 0, 1, 2, 0, 1, 2,
                3, 4, 5, 3, 4, 5, 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
    Tensor none = evaluate_case(*state, CONST6 "const %1 : i64[2] = {1, 0}\n%2 = Tile(%0, %1)\noutput %2");
    assert_int_equal(none.type.dims[1], 0);
}

static void concat_and_split_are_inverse(void **state)
{
    ASSERT_CASE(*state, CONST6 "const %1 : i64[2,1] = {8, 9}\n%2 = Concat(%1, %0, %1) {axis=-1}\noutput %2", "i64[2,5]",
                8, 0, 1, 2, 8, 9, 3, 4, 5, 9);
    ASSERT_CASE(*state, CONST6 "const %1 : i64[2] = {1, 2}\n_, %3 = Split(%0, %1) {axis=1}\noutput %3", "i64[2,2]", 1,
                2, 4, 5);
    ASSERT_CASE(*state, CONST6 "%1, %2 = Split(%0) {axis=1, num_outputs=2}\noutput %2", "i64[2,1]", 2, 5);
}

static void slices_clamp_and_walk_backwards(void **state)
{
    static const struct {
        const char *starts, *ends, *steps;
        int count;
        double expected[7];
    } cases[] = {
        {"1", "5", "2", 2, {1, 3}},
        {"-3", "9223372036854775807", "1", 3, {4, 5, 6}},
        {"-1", "-9223372036854775808", "-1", 7, {6, 5, 4, 3, 2, 1, 0}},
        {"5", "0", "-2", 3, {5, 3, 1}},
        {"100", "-100", "-3", 3, {6, 3, 0}},
        {"4", "2", "1", 0, {0}},
        {"-100", "3", "1", 3, {0, 1, 2}},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_case(f,
                    arena_printf(f->arena,
                                 "const %%0 : i64[7] = {0, 1, 2, 3, 4, 5, 6}\nconst %%1 : i64[1] = {%s}\n"
                                 "const %%2 : i64[1] = {%s}\nconst %%3 : i64[1] = {0}\nconst %%4 : i64[1] = {%s}\n"
                                 "%%5 = Slice(%%0, %%1, %%2, %%3, %%4)\noutput %%5",
                                 cases[i].starts, cases[i].ends, cases[i].steps),
                    arena_printf(f->arena, "i64[%d]", cases[i].count), cases[i].count, cases[i].expected);
}

static void padding_modes(void **state)
{
    static const struct {
        const char *pads, *mode;
        int count;
        double expected[8];
    } cases[] = {
        {"2, 1", "constant", 6, {9, 9, 1, 2, 3, 9}}, {"2, 1", "reflect", 6, {3, 2, 1, 2, 3, 2}},
        {"2, 1", "edge", 6, {1, 1, 1, 2, 3, 3}},     {"2, 3", "wrap", 8, {2, 3, 1, 2, 3, 1, 2, 3}},
        {"-1, 2", "constant", 4, {2, 3, 9, 9}},      {"-1, -1", "constant", 1, {2}},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_case(f,
                    arena_printf(f->arena,
                                 "const %%0 : f32[3] = {1, 2, 3}\nconst %%1 : i64[2] = {%s}\nconst %%2 : f32[] = {9}\n"
                                 "%%3 = Pad(%%0, %%1, %%2) {mode=\"%s\"}\noutput %%3",
                                 cases[i].pads, cases[i].mode),
                    arena_printf(f->arena, "f32[%d]", cases[i].count), cases[i].count, cases[i].expected);
    ASSERT_CASE(f, CONST6 "const %1 : i64[2] = {1, 0}\nconst %2 : i64[1] = {1}\n%3 = Pad(%0, %1, _, %2)\noutput %3",
                "i64[2,4]", 0, 0, 1, 2, 0, 3, 4, 5);
}

/* The two orders of the block's position and the channel (ONNX: DCR and CRD). */
static void depth_and_space(void **state)
{
    const char *x = "const %0 : i64[1,8,1,1] = {0, 1, 2, 3, 4, 5, 6, 7}\n";
    Fixture *f = *state;
    ASSERT_CASE(f, arena_printf(f->arena, "%s%%1 = DepthToSpace(%%0) {blocksize=2}\noutput %%1", x), "i64[1,2,2,2]", 0,
                2, 4, 6, 1, 3, 5, 7);
    ASSERT_CASE(f, arena_printf(f->arena, "%s%%1 = DepthToSpace(%%0) {blocksize=2, mode=\"CRD\"}\noutput %%1", x),
                "i64[1,2,2,2]", 0, 1, 2, 3, 4, 5, 6, 7);
    ASSERT_CASE(f, "const %0 : i64[1,1,2,2] = {0, 1, 2, 3}\n%1 = SpaceToDepth(%0) {blocksize=2}\noutput %1",
                "i64[1,4,1,1]", 0, 1, 2, 3);
}

static void what_shapes_and_constants_determine(void **state)
{
    Fixture *f = *state;
    ASSERT_CASE(f, "const %0 : f32[4,5,6] = data\n%1 = Shape(%0)\noutput %1", "i64[3]", 4, 5, 6);
    ASSERT_CASE(f, "const %0 : f32[4,5,6] = data\n%1 = Shape(%0) {start=-2, end=9}\noutput %1", "i64[2]", 5, 6);
    ASSERT_CASE(f, "const %0 : f32[4,5,6] = data\n%1 = Size(%0)\noutput %1", "i64[]", 120);
    ASSERT_CASE(f, "const %0 : i64[2] = {2, 1}\nconst %1 : i32[1] = {7}\n%2 = ConstantOfShape(%0, %1)\noutput %2",
                "i32[2,1]", 7, 7);
    ASSERT_CASE(f, "const %0 : i64[1] = {2}\n%1 = ConstantOfShape(%0)\noutput %1", "f32[2]", 0, 0);
    ASSERT_CASE(f,
                "const %0 : i64[] = {7}\nconst %1 : i64[] = {0}\nconst %2 : i64[] = {-3}\n%3 = Range(%0, %1, %2)\n"
                "output %3",
                "i64[3]", 7, 4, 1);
    ASSERT_CASE(
        f,
        "const %0 : f32[] = {0}\nconst %1 : f32[] = {1}\nconst %2 : f32[] = {0x1.8p-2}\n%3 = Range(%0, %1, %2)\n"
        "output %3",
        "f32[3]", 0, 0.375, 0.75);
    ASSERT_CASE(f, "const %0 : f32[2,3] = data\n%1 = EyeLike(%0) {k=1, dtype=7}\noutput %1", "i64[2,3]", 0, 1, 0, 0, 0,
                1);
    ASSERT_CASE(f, CONST6 "%1 = NonZero(%0)\noutput %1", "i64[2,5]", 0, 0, 1, 1, 1, 1, 2, 0, 1, 2);
    ASSERT_CASE(f, CONST6 "%1 = Trilu(%0)\noutput %1", "i64[2,3]", 0, 1, 2, 0, 4, 5);
    ASSERT_CASE(f, CONST6 "const %1 : i64[] = {1}\n%2 = Trilu(%0, %1) {upper=0}\noutput %2", "i64[2,3]", 0, 1, 0, 3, 4,
                5);
    ASSERT_CASE(f, CONST6 "const %1 : bool[3] = {1, 0, 1}\n%2 = Compress(%0, %1) {axis=1}\noutput %2", "i64[2,2]", 0, 2,
                3, 5);
    ASSERT_CASE(f, CONST6 "const %1 : bool[5] = {0, 1, 0, 0, 1}\n%2 = Compress(%0, %1)\noutput %2", "i64[2]", 1, 4);
    assert_refused(f, "const %0 : i64[] = {7}\nconst %1 : i64[] = {0}\n%3 = Range(%0, %0, %1)\noutput %3",
                   "'delta' is 0");
}

static void gradients_of_moves(void **state)
{
    static const char *const lines[] = {
        "const %2 : i64[2] = {6, 4}\n%3 = Reshape(%0, %2)\noutput %3",
        "%2 = Flatten(%0)\noutput %2",
        "%2 = Transpose(%0) {perm=[1, 2, 0]}\noutput %2",
        "const %2 : i64[4] = {2, 2, 3, 4}\n%3 = Expand(%0, %2)\noutput %3",
        "const %2 : i64[3] = {2, 1, 3}\n%3 = Tile(%0, %2)\noutput %3",
        "%2 = Concat(%0, %1, %0) {axis=1}\noutput %2",
        "%2, %3, %4, %5 = Split(%0) {axis=2}\noutput %5\noutput %3",
        "%2 = Trilu(%0)\noutput %2",
        "%2 = Identity(%0)\noutput %2",
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        check_gradient(
            f, arena_printf(f->arena, "param %%0 : f64[2,3,4] = data\nparam %%1 : f64[2,2,4] = data\n%s", lines[i]), -1,
            1);
    check_gradient(f, "param %0 : f64[1,8,2,3] = data\n%1 = DepthToSpace(%0) {blocksize=2}\noutput %1", -1, 1);
    check_gradient(f, "param %0 : f64[1,2,4,6] = data\n%1 = SpaceToDepth(%0) {blocksize=2}\noutput %1", -1, 1);
    check_gradient(f,
                   "param %0 : f64[3,4] = data\nconst %1 : bool[4] = {1, 0, 0, 1}\n%2 = Compress(%0, %1) {axis=1}\n"
                   "output %2",
                   -1, 1);
}

static void gradients_of_windows(void **state)
{
    static const char *const slices[][4] = {
        {"1, 0", "3, 2", "1, 0", "1, 1"},
        {"0, -1", "9, -9", "0, 1", "2, -1"},
        {"3, 1", "0, 2", "1, 0", "-2, 1"},
    };
    static const char *const pads[][2] = {
        {"1, 0, 2, 0, 1, 0", "constant"}, {"1, -1, 0, 0, 2, -1", "constant"}, {"1, 2, 0, 1, 1, 2", "reflect"},
        {"1, 2, 0, 0, 1, 2", "edge"},     {"2, 1, 0, 0, 4, 1", "wrap"},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++)
        check_gradient(
            f,
            arena_printf(f->arena,
                         "param %%0 : f64[3,4] = data\nconst %%1 : i64[2] = {%s}\nconst %%2 : i64[2] = {%s}\n"
                         "const %%3 : i64[2] = {%s}\nconst %%4 : i64[2] = {%s}\n"
                         "%%5 = Slice(%%0, %%1, %%2, %%3, %%4)\noutput %%5",
                         slices[i][0], slices[i][1], slices[i][2], slices[i][3]),
            -1, 1);
    for (size_t i = 0; i < sizeof pads / sizeof *pads; i++)
        check_gradient(f,
                       arena_printf(f->arena,
                                    "param %%0 : f64[2,3,3] = data\nconst %%1 : i64[6] = {%s}\n"
                                    "%%2 = Pad(%%0, %%1) {mode=\"%s\"}\noutput %%2",
                                    pads[i][0], pads[i][1]),
                       -1, 1);
}

static void old_opsets_are_upgraded(void **state)
{
    Graph *graph = row_graph(state);
    Value *x = PARAM(graph, 1, 4, 6);
    Node *slice = build_begin(graph, "Slice", 1, VALUES(x), 1), *pad = build_begin(graph, "Pad", 1, VALUES(x), 1);
    Node *split = build_begin(graph, "Split", 1, VALUES(x), 2),
         *squeeze = build_begin(graph, "Unsqueeze", 1, VALUES(x), 1);
    set_ints(graph, slice, "starts", 1, DIMS(1));
    set_ints(graph, slice, "ends", 1, DIMS(-1));
    set_ints(graph, slice, "axes", 1, DIMS(1));
    set_ints(graph, pad, "pads", 4, DIMS(1, 0, 0, 2));
    set_float(graph, pad, "value", 0.5);
    set_ints(graph, split, "split", 2, DIMS(1, 3));
    set_ints(graph, squeeze, "axes", 1, DIMS(0));
    Node *nodes[] = {slice, pad, split, squeeze};
    for (int i = 0; i < 4; i++) {
        assert_true(nodes[i]->op->upgrade(graph, nodes[i], 9));
        build_finish(graph, nodes[i]);
    }
    assert_dims(slice->outputs[0], 2, DIMS(4, 4));
    assert_dims(pad->outputs[0], 2, DIMS(5, 8));
    assert_dims(split->outputs[1], 2, DIMS(3, 6));
    assert_dims(squeeze->outputs[0], 3, DIMS(1, 4, 6));
    Tensor padded = evaluate_value(graph, pad->outputs[0]);
    assert_true(padded.f[0] == 0.5);
}

static void pad_calls_its_kernel(void **state)
{
    Graph *graph = parse_case(*state,
                              "input %0 : f64[2,3]\nconst %1 : i64[4] = {0, 1, 2, 0}\nconst %2 : f64[] = {0x1p-1}\n"
                              "%3 = Pad(%0, %1, %2) {mode=\"edge\"}\noutput %3",
                              0, 1);
    KernelCall call = kernel_call(&target_c, graph->first);
    static const char *const expected[] = {
        "2", "(const int64_t[]){2, 3}", "(const int64_t[]){0, 1}", "(const int64_t[]){2, 0}", "2", "0x1p-1"};
    assert_string_equal(call.kernel, "pad");
    assert_int_equal(call.literal_count, 6);
    for (int i = 0; i < 6; i++)
        assert_string_equal(literal_text(&call, i), expected[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(reshape_and_its_special_cases),
        TEST_WITH_FIXTURE(impossible_shapes_are_refused),
        TEST_WITH_FIXTURE(transposes_expansions_and_tiles),
        TEST_WITH_FIXTURE(concat_and_split_are_inverse),
        TEST_WITH_FIXTURE(slices_clamp_and_walk_backwards),
        TEST_WITH_FIXTURE(padding_modes),
        TEST_WITH_FIXTURE(depth_and_space),
        TEST_WITH_FIXTURE(what_shapes_and_constants_determine),
        TEST_WITH_FIXTURE(gradients_of_moves),
        TEST_WITH_FIXTURE(gradients_of_windows),
        TEST_WITH_FIXTURE(old_opsets_are_upgraded),
        TEST_WITH_FIXTURE(pad_calls_its_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
