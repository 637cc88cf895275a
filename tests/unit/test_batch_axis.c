/* test_batch_axis.c: where the samples are behind each operator: what changes with one sample lies where the followed
 * place says. */
#include "ir_fixture.h"

#include <math.h>

#include "passes/training/batch_axis.h"

enum { BATCH = 2 };

typedef struct Case {
    const char *text; /* nodes from %0, f32[2,3,4], to %50 */
    int64_t outer;
} Case;

#define PERM "%9 : f32[3,2,4] = Transpose(%0) {perm=[1, 0, 2]}\n"

#define FOUR "const %3 : f32[4] = {1, 2, 3, 4}\n"

static const Case cases[] = {
    {"%50 : f32[2,3,4] = Relu(%0)", 1},
    {"%50 : f32[4,3,2] = Transpose(%0)", 12},
    {PERM "%50 : f32[3,2,4] = Softmax(%9) {axis=-1}", 3},
    {PERM "const %2 : i64[2] = {6, 4}\n%50 : f32[6,4] = Reshape(%9, %2)", 3},
    {PERM "%50 : f32[3,8] = Flatten(%9) {axis=1}", 3},
    {PERM "const %2 : i64[2] = {6, 4}\nconst %3 : f32[4] = {1, 2, 3, 4}\n"
          "%10 : f32[6,4] = Reshape(%9, %2)\n%50 : f32[6,4] = Add(%3, %10)",
     3},
    {PERM "const %2 : i64[1] = {0}\n%50 : f32[2,4] = ReduceSum(%9, %2) {keepdims=0}", 1},
    {PERM "const %2 : i64[1] = {-1}\n%50 : f32[3,2,1] = ReduceMean(%9, %2)", 3},
    {PERM "const %2 : i64[] = {1}\n%50 : f32[2,4] = Gather(%9, %2) {axis=0}", 1},
    {PERM "const %2 : i64[2,2] = {0, 2, 1, 0}\n%50 : f32[3,2,2,2] = Gather(%9, %2) {axis=2}", 3},
    {PERM "const %2 : i64[1] = {0}\n%10 : f32[1,3,2,4] = Unsqueeze(%9, %2)\n%50 : f32[1,6,2,4] = Concat(%10, %10) "
          "{axis=1}",
     6},
    {PERM "%10 : i64[3,2,1] = ArgMax(%9) {axis=2}\n%50 : i64[3,2] = ArgMax(%9) {axis=2, keepdims=0}", 3},
    {"const %2 : f32[4,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n" PERM "%50 : f32[3,2,2] = MatMul(%9, %2)", 3},
    {"const %2 : f32[5,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6}\n%50 : f32[2,5,4] = MatMul(%2, %0)", 1},
    {PERM "%10 : f32[2,3,4] = Einsum(%9) {equation=\"tbc->btc\"}\n%50 : f32[4,2,3] = Einsum(%10) "
          "{equation=\"btc->cbt\"}",
     4},
    {"const %2 : i64[2] = {6, 4}\n" PERM "%10 : f32[6,4] = Reshape(%9, %2)\n"
     "const %3 : f32[4,5] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2}\n"
     "%50 : f32[6,5] = Gemm(%10, %3)",
     3},
    {"const %2 : i64[2] = {6, 4}\n" PERM "%10 : f32[6,4] = Reshape(%9, %2)\n%11 : f32[4,6] = Transpose(%10)\n"
     "const %3 : f32[5,4] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2}\n"
     "%50 : f32[5,6] = Gemm(%3, %10) {transB=1}",
     15},
    {PERM "const %2 : i64[4] = {5, 3, 2, 4}\n%50 : f32[5,3,2,4] = Expand(%9, %2)", 15},
    {PERM "const %2 : i64[3,2,4] = {0,1,2,0,0,1,2,0,1,2,0,1,1,2,0,1,2,0,1,2,2,0,1,2}\n"
          "%50 : f32[3,2,4] = GatherElements(%9, %2) {axis=0}",
     3},
    /* Along another axis, or the samples' own. */
    {PERM "%50 : f32[3,2,4] = Hardmax(%9) {axis=2}", 3},
    {"%50 : f32[2,3,4] = LogSoftmax(%0) {axis=0}", PLACE_UNKNOWN},
    {"%50 : f32[2,3,4] = Softmax(%0) {axis=0, axes=2}", PLACE_UNKNOWN},
    {PERM "%50 : f32[3,2,4] = Softmax(%9) {axis=0}", 3},
    {PERM FOUR "%50 : f32[3,2,4] = LayerNormalization(%9, %3, %3)", 3},
    {FOUR "%50 : f32[2,3,4] = RMSNormalization(%0, %3)", 1},
    {"const %3 : f32[2,3,4] = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6}\n"
     "%50 : f32[2,3,4] = LayerNormalization(%0, %3) {axis=0}",
     PLACE_UNKNOWN},
    {PERM "%50 : f32[3,2,4] = LpNormalization(%9) {axis=0}", 3},
    {PERM "%50 : f32[3,2,4] = LpNormalization(%9) {axis=1}", PLACE_UNKNOWN},
    {PERM "%50 : f32[3,2,4] = LRN(%9) {size=3}", PLACE_UNKNOWN},
    {"%50 : f32[2,3,4] = LRN(%0) {size=3}", 1},
    {PERM "const %2 : i64[2] = {1, 3}\n%49 : f32[3,2,1], %50 : f32[3,2,3] = Split(%9, %2) {axis=2}", 3},
    {PERM "const %2 : i64[2] = {2, 0}\n%50 : f32[3,2,4], %51 : f32[3,0,4] = Split(%9, %2) {axis=1}", PLACE_UNKNOWN},
    {"%50 : i64[1,3,4] = ArgMax(%0) {axis=0}", PLACE_UNKNOWN},
    {PERM "const %2 : i64[1] = {2}\n%50 : f32[3,2,2], %51 : i64[3,2,2] = TopK(%9, %2)", 3},
    {PERM "const %2 : i64[1] = {2}\n%50 : f32[3,2,4], %51 : i64[3,2,4] = TopK(%9, %2) {axis=1}", PLACE_UNKNOWN},
    {PERM "const %2 : i64[] = {0}\n%50 : f32[3,2,4] = CumSum(%9, %2)", 3},
    {PERM "const %2 : i64[] = {-2}\n%50 : f32[3,2,4] = CumSum(%9, %2)", PLACE_UNKNOWN},
    {PERM "%50 : f32[3,4,4] = Concat(%9, %9) {axis=1}", PLACE_UNKNOWN},
    {PERM "const %2 : i64[] = {0}\n%10 : f32[3,4] = Gather(%9, %2) {axis=1}\n%50 : f32[3,4] = Relu(%10)",
     PLACE_UNKNOWN},
    /* Cut, padded, repeated, turned round. */
    {PERM "const %2 : i64[1] = {1}\nconst %3 : i64[1] = {3}\nconst %4 : i64[1] = {2}\n"
          "%50 : f32[3,2,2] = Slice(%9, %2, %3, %4)",
     3},
    {PERM "const %2 : i64[1] = {-1}\nconst %3 : i64[1] = {-9}\nconst %4 : i64[1] = {2}\n"
          "%50 : f32[3,2,4] = Slice(%9, %2, %3, %4, %2)",
     3},
    {"const %2 : i64[1] = {-1}\nconst %3 : i64[1] = {-9}\nconst %4 : i64[1] = {0}\n"
     "%50 : f32[2,3,4] = Slice(%0, %2, %3, %4, %2)",
     PLACE_UNKNOWN},
    {PERM "const %2 : i64[6] = {0, 0, 1, 0, 0, 1}\n%50 : f32[3,2,6] = Pad(%9, %2)", 3},
    {PERM "const %2 : i64[6] = {0, 1, 0, 0, -1, 0}\n%50 : f32[3,2,4] = Pad(%9, %2)", PLACE_UNKNOWN},
    {PERM "const %2 : i64[3] = {2, 1, 3}\n%50 : f32[6,2,12] = Tile(%9, %2)", 6},
    {PERM "const %2 : i64[3] = {1, 2, 1}\n%50 : f32[3,4,4] = Tile(%9, %2)", PLACE_UNKNOWN},
    {PERM "const %2 : bool[4] = {1, 0, 1, 1}\n%50 : f32[3,2,3] = Compress(%9, %2) {axis=2}", 3},
    {"const %2 : bool[24] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}\n%50 : f32[24] = Compress(%0, %2)",
     PLACE_UNKNOWN},
    {PERM "const %2 : i64[2] = {2, 2}\n%50 : f32[3,2,4] = ReverseSequence(%9, %2)", 3},
    {"%50 : f32[2,3,4] = Trilu(%0)", 1},
    {PERM "%50 : f32[3,2,4] = Trilu(%9)", PLACE_UNKNOWN},
    {PERM "const %1 : f32[0] = {}\nconst %2 : f32[3] = {1, 1, 2}\n%50 : f32[3,2,8] = Resize(%9, %1, %2)", 3},
    {"const %1 : f32[0] = {}\nconst %2 : i64[3] = {2, 6, 2}\nconst %3 : f32[0] = {}\n"
     "%50 : f32[2,6,2] = Resize(%0, %1, %3, %2)",
     1},
    /* [N, C, spatial]: channels apart, or mixed. */
    {"const %2 : f32[5,3,1] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6}\n%50 : f32[2,5,4] = Conv(%0, %2)", 1},
    {PERM "const %2 : f32[2,2,1] = {1, 2, 3, 4}\n%50 : f32[3,2,4] = Conv(%9, %2)", PLACE_UNKNOWN},
    {PERM "%50 : f32[3,2,2] = MaxPool(%9) {kernel_shape=[2], strides=[2]}", 3},
    {PERM "%50 : f32[3,2,1] = GlobalAveragePool(%9)", 3},
    {"%9 : f32[4,3,2] = Transpose(%0)\n%50 : f32[4,3,2] = AveragePool(%9) {kernel_shape=[3], pads=[1, 1]}",
     PLACE_UNKNOWN},
    {"const %2 : f32[3] = {1, 2, 3}\n%50 : f32[2,3,4] = InstanceNormalization(%0, %2, %2)", 1},
    {"const %2 : f32[3] = {1, 2, 3}\n%50 : f32[2,3,4] = GroupNormalization(%0, %2, %2) {num_groups=3}", 1},
    {"const %2 : f32[3] = {1, 2, 3}\n%50 : f32[2,3,4] = BatchNormalization(%0, %2, %2, %2, %2)", 1},
    {"const %2 : i64[4] = {2, 4, 1, 3}\n%9 : f32[2,4,1,3] = Reshape(%0, %2)\n"
     "%50 : f32[2,1,2,6] = DepthToSpace(%9) {blocksize=2}",
     1},
    /* Element by element, in rows that expand. */
    {PERM FOUR "%10 : f32[3,2,4] = Max(%3, %9)\n%11 : f32[3,2,4] = Clip(%10)\n%12 : f32[3,2,4] = Pow(%11, %3)\n"
               "%13 : f32[3,2,4] = Gelu(%12)\n%14 : f32[3,2,4] = CastLike(%13, %3)\n%50 : f32[3,2,4] = Dropout(%14)",
     3},
    {"const %2 : i64[2,4] = {0, 1, 2, 1, 0, 1, 2, 1}\n"
     "%50 : f32[2,4] = SoftmaxCrossEntropyLoss(%0, %2) {reduction=\"none\"}",
     1},
    {"const %2 : i64[4] = {2, 1, 3, 4}\n%9 : f32[2,1,3,4] = Reshape(%0, %2)\n"
     "%50 : f32[2,1,3,4] = Attention(%9, %9, %9)",
     1},
    {"const %2 : f32[5,2] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1}\nconst %3 : i64[2,3] = {0, 1, 2, 0, 1, 2}\n"
     "%50 : f32[2,3,4] = RotaryEmbedding(%0, %2, %2, %3) {num_heads=1}",
     1},
    /* Nothing is known of the row: the axes of its first operand are the best guess. */
    {"const %2 : f32[2,3,1] = {1, 2, 3, 1, 2, 3}\nconst %3 : i64[2,3,1] = {0, 1, 2, 0, 1, 2}\n"
     "%50 : f32[2,3,4] = ScatterElements(%0, %3, %2) {axis=2}",
     1},
    /* What comes from several samples, or from no axis of its own. */
    {PERM "const %2 : i64[1] = {1}\n%50 : f32[3,1,4] = ReduceSum(%9, %2)", PLACE_UNKNOWN},
    {"const %2 : i64[2] = {2, 12}\n%10 : f32[2,12] = Reshape(%0, %2)\n%50 : f32[12,12] = Gemm(%10, %10) {transA=1}",
     PLACE_UNKNOWN},
    {"const %2 : f32[2,3,4] = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6}\n"
     "const %3 : i64[2,3,4] = {0,1,1,0,0,1,1,0,0,1,1,0,0,1,1,0,0,1,1,0,0,1,1,0}\n"
     "%50 : f32[2,3,4] = ScatterElements(%2, %3, %0) {axis=0, reduction=\"add\"}",
     PLACE_UNKNOWN},
    {"const %2 : f32[3] = {1, 2, 3}\n%50 : f32[3] = Relu(%2)", PLACE_NONE},
};

typedef enum Change { AS_THEY_ARE, SAMPLE_0_CHANGED, SWAPPED } Change;

static Tensor evaluate_with(Graph *graph, Change change)
{
    Tensor *tensors = NEW_ARRAY(graph->arena, Tensor, graph->value_count);
    Tensor x = tensor_alloc(graph->arena, graph->inputs[0]->type);
    const int64_t count = element_count(&x.type), sample = count / BATCH;
    for (int64_t i = 0; i < count; i++) {
        int64_t from = change == SWAPPED ? (i + sample) % count : i;
        x.f[i] = sin((double)(7 * from + 1)) + (change == SAMPLE_0_CHANGED && i < sample ? cos((double)(3 * i)) : 0);
    }
    tensors[graph->inputs[0]->id] = x;
    evaluate_graph(graph, tensors);
    return tensors[graph->outputs[0]->id];
}

static bool same_element(const Tensor *a, int64_t i, const Tensor *b, int64_t j)
{
    return a->f ? a->f[i] == b->f[j] : a->i[i] == b->i[j];
}

/* Nothing of sample 1 changes with sample 0, and something of sample 0 does; each is computed as the other. */
static void check_place(Graph *graph, const char *text, int64_t outer)
{
    Tensor before = evaluate_with(graph, AS_THEY_ARE), after = evaluate_with(graph, SAMPLE_0_CHANGED);
    Tensor swapped = evaluate_with(graph, SWAPPED);
    int64_t count = element_count(&before.type), inner = count / (outer * BATCH), changes = 0;
    for (int64_t i = 0; i < count; i++) {
        bool changed = !same_element(&before, i, &after, i), first = i / inner % BATCH == 0;
        changes += changed;
        if ((changed && !first) || !same_element(&before, i, &swapped, first ? i + inner : i - inner))
            fail_msg("%s: element %lld", text, (long long)i);
    }
    assert_true(changes > 0);
}

static void samples_are_followed(void **state)
{
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Fixture *fixture = *state;
        const char *text =
            arena_printf(fixture->arena, "graph \"g\" stage \"loss\"\ninput %%0 \"x\" : f32[2,3,4]\n%s\noutput %%50\n",
                         cases[k].text);
        Graph *graph = parsed(fixture, text);
        int64_t outer = follow_batch(graph, BATCH)[50];
        if (outer != cases[k].outer)
            fail_msg("%s: %lld, not %lld", cases[k].text, (long long)outer, (long long)cases[k].outer);
        if (outer > 0)
            check_place(graph, cases[k].text, outer);
    }
}

/* What follow_batch() guesses is no proof: indices may leave some samples as they are. */
static void rows_do_not_guess(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, "graph \"g\" stage \"loss\"\ninput %0 \"x\" : f32[2,3,4]\n"
                                   "const %2 : f32[1,1,1] = {5}\nconst %3 : i64[1,1,1] = {1}\n"
                                   "%50 : f32[2,3,4] = ScatterElements(%0, %3, %2) {axis=2}\noutput %50\n");
    assert_int_equal(follow_batch(graph, BATCH)[50], 1);
    assert_int_equal(followed_place(graph->first, 0, 0, 1, BATCH), PLACE_UNKNOWN);
}

/* Sample by sample, and back to the elements as they were. */
static void samples_come_first_and_go_back(void **state)
{
    static const struct {
        int64_t outer;
        int rank;
        int64_t dims[4];
        int first_rank;
        int64_t first[4];
    } forms[] = {{3, 3, {3, 2, 4}, 3, {2, 3, 4}},       {3, 2, {6, 4}, 2, {6, 4}},    {12, 2, {3, 8}, 3, {2, 3, 4}},
                 {6, 4, {3, 2, 2, 2}, 4, {2, 3, 2, 2}}, {3, 2, {3, 8}, 3, {2, 3, 4}}, {1, 2, {2, 4}, 2, {2, 4}}};
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
        Fixture *fixture = *state;
        Graph *graph = graph_create(fixture->arena, &fixture->diagnostics, "g");
        Value *x = value_create(graph, VALUE_INPUT, make_type(DTYPE_F32, forms[k].rank, forms[k].dims), "x");
        graph_add_input(graph, x);
        Value *first = build_batch_first(graph, x, forms[k].outer, BATCH);
        Type want = make_type(DTYPE_F32, forms[k].first_rank, forms[k].first);
        assert_true(first && same_dims(&first->type, &want));
        Value *back = build_batch_back(graph, first, &x->type, forms[k].outer, BATCH);
        Tensor *tensors = NEW_ARRAY(graph->arena, Tensor, graph->value_count);
        int64_t count = element_count(&x->type), inner = count / (forms[k].outer * BATCH);
        tensors[x->id] = tensor_alloc(graph->arena, x->type);
        for (int64_t i = 0; i < count; i++)
            tensors[x->id].f[i] = (double)i;
        evaluate_graph(graph, tensors);
        for (int64_t i = 0; i < count; i++) {
            assert_int_equal((int64_t)tensors[first->id].f[i] / inner % BATCH, i / (count / BATCH));
            assert_true(tensors[back->id].f[i] == (double)i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_WITH_FIXTURE(samples_are_followed), TEST_WITH_FIXTURE(rows_do_not_guess),
                                       TEST_WITH_FIXTURE(samples_come_first_and_go_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
