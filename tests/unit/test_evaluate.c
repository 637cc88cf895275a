/* The reference evaluator: broadcasting, kinds of operands, expansions, bodies. */
#include "ir_fixture.h"

#include <math.h>

#define FLOATS(...) ((double[]){__VA_ARGS__})
#define INTS(...) ((int64_t[]){__VA_ARGS__})

/* Evaluates a graph's only output from the contents of its inputs. */
static Tensor run(Fixture *fixture, const char *text, const Tensor *inputs)
{
    Graph *graph = parsed(fixture, text);
    Tensor *tensors = NEW_ARRAY(fixture->arena, Tensor, graph->value_count);
    for (int i = 0; i < graph->input_count; i++) {
        tensors[graph->inputs[i]->id] = inputs[i];
        tensors[graph->inputs[i]->id].type = graph->inputs[i]->type;
    }
    graph_verify(graph);
    evaluate_graph(graph, tensors);
    return evaluated_tensor(graph, tensors, graph->outputs[0]);
}

static void assert_floats(Tensor actual, int count, const double *expected)
{
    assert_non_null(actual.f);
    assert_int_equal(element_count(&actual.type), count);
    for (int i = 0; i < count; i++)
        if (!(fabs(actual.f[i] - expected[i]) <= 1e-15 * fabs(expected[i])))
            fail_msg("element %d is %a, not %a", i, actual.f[i], expected[i]);
}

static void assert_ints(Tensor actual, int count, const int64_t *expected)
{
    assert_non_null(actual.i);
    assert_int_equal(element_count(&actual.type), count);
    for (int i = 0; i < count; i++)
        if (actual.i[i] != expected[i])
            fail_msg("element %d is %lld, not %lld", i, (long long)actual.i[i], (long long)expected[i]);
}

static void test_elementwise(void **state)
{
    Tensor x = {.f = FLOATS(1, 2, 3)}, y = {.f = FLOATS(10, 20, 30)};
    Tensor sum = run(*state,
                     "graph \"\" stage \"\"\n"
                     "input %0 : f32[3]\ninput %1 : f32[3]\n%2 = Add(%0, %1)\noutput %2",
                     (Tensor[]){x, y});
    assert_floats(sum, 3, FLOATS(11, 22, 33));
}

static void test_broadcasting_of_inner_and_outer_axes(void **state)
{
    Tensor x = {.f = FLOATS(1, 2, 3, 4)}, y = {.f = FLOATS(10, 20, 30)};
    Tensor sum = run(*state,
                     "graph \"\" stage \"\"\n"
                     "input %0 : f64[2,1,2]\ninput %1 : f64[3,1]\n%2 = Sub(%0, %1)\noutput %2",
                     (Tensor[]){x, y});
    assert_int_equal(sum.type.rank, 3);
    assert_floats(sum, 12, FLOATS(-9, -8, -19, -18, -29, -28, -7, -6, -17, -16, -27, -26));
}

/* Every pair of a tensor and its broadcasts against the definition, index by index. */
static void test_broadcasting_against_the_definition(void **state)
{
    Fixture *fixture = *state;
    for (int mask = 0; mask < 64; mask++) {
        Type a = TYPE(DTYPE_F64, 2, 3, 4), b = a, all;
        for (int axis = 0; axis < 3; axis++) {
            a.dims[axis] = mask >> axis & 1 ? 1 : a.dims[axis];
            b.dims[axis] = mask >> (3 + axis) & 1 ? 1 : b.dims[axis];
        }
        assert_true(broadcast_dims(&a, &b, &all));
        Graph *graph = graph_create(fixture->arena, &fixture->diagnostics, "");
        Value *inputs[] = {value_create(graph, VALUE_INPUT, a, NULL), value_create(graph, VALUE_INPUT, b, NULL)};
        const Node *node = build_binary(graph, "Sub", inputs[0], inputs[1])->producer;
        Tensor operands[] = {tensor_alloc(fixture->arena, a), tensor_alloc(fixture->arena, b)}, result;
        for (int k = 0; k < 2; k++)
            for (int64_t i = 0; i < element_count(&operands[k].type); i++)
                operands[k].f[i] = (double)(k ? 100 * i : i + 1);
        evaluate_node(graph, node, operands, &result);
        int64_t at = 0;
        for (int64_t i = 0; i < all.dims[0]; i++)
            for (int64_t j = 0; j < all.dims[1]; j++)
                for (int64_t k = 0; k < all.dims[2]; k++, at++) {
                    int64_t p = ((i % a.dims[0]) * a.dims[1] + j % a.dims[1]) * a.dims[2] + k % a.dims[2];
                    int64_t q = ((i % b.dims[0]) * b.dims[1] + j % b.dims[1]) * b.dims[2] + k % b.dims[2];
                    assert_true(result.f[at] == operands[0].f[p] - operands[1].f[q]);
                }
    }
}

static void test_scalars_and_empty_tensors(void **state)
{
    Tensor number = {.f = FLOATS(3)}, nothing = {.f = FLOATS(0)};
    assert_floats(run(*state, "graph \"\" stage \"\"\ninput %0 : f32[]\n%1 = Neg(%0)\noutput %1", &number), 1,
                  FLOATS(-3));
    Tensor empty = run(*state, "graph \"\" stage \"\"\ninput %0 : f32[2,0]\n%1 = Neg(%0)\noutput %1", &nothing);
    assert_int_equal(element_count(&empty.type), 0);
}

static void test_integers_are_exact_and_wrap(void **state)
{
    Tensor x = {.i = INTS(INT64_MAX, (1LL << 53) + 1)}, y = {.i = INTS(-1, 2)};
    assert_ints(run(*state,
                    "graph \"\" stage \"\"\n"
                    "input %0 : i64[2]\ninput %1 : i64[2]\n%2 = Add(%0, %1)\noutput %2",
                    (Tensor[]){x, y}),
                2, INTS(INT64_MAX - 1, (1LL << 53) + 3));
    Tensor bytes = {.i = INTS(100, 100)}, more = {.i = INTS(100, 27)};
    assert_ints(run(*state,
                    "graph \"\" stage \"\"\n"
                    "input %0 : i8[2]\ninput %1 : i8[2]\n%2 = Add(%0, %1)\noutput %2",
                    (Tensor[]){bytes, more}),
                2, INTS(-56, 127));
}

static void test_comparisons_and_selection(void **state)
{
    Tensor x = {.f = FLOATS(1, 5, (double)NAN)}, y = {.f = FLOATS(2, 3, 4)};
    const char *compare = "graph \"\" stage \"\"\ninput %0 : f32[3]\ninput %1 : f32[3]\n%2 = Less(%0, %1)\noutput %2";
    const char *select = "graph \"\" stage \"\"\ninput %0 : f32[3]\ninput %1 : f32[3]\n"
                         "%2 = Less(%0, %1)\n%3 = Where(%2, %0, %1)\noutput %3";
    Tensor less = run(*state, compare, (Tensor[]){x, y});
    assert_int_equal(less.type.dtype, DTYPE_BOOL);
    assert_ints(less, 3, INTS(1, 0, 0));
    assert_floats(run(*state, select, (Tensor[]){x, y}), 3, FLOATS(1, 3, 4));
}

static void test_casts(void **state)
{
    Tensor x = {.f = FLOATS(-1.7, 0, 300.5)};
    const char *to_int = "graph \"\" stage \"\"\ninput %0 : f32[3]\n%1 = Cast(%0) {to=7}\noutput %1";
    const char *to_bool = "graph \"\" stage \"\"\ninput %0 : f32[3]\n%1 = Cast(%0) {to=9}\noutput %1";
    const char *to_float = "graph \"\" stage \"\"\ninput %0 : i64[2]\n%1 = Cast(%0) {to=1}\noutput %1";
    assert_ints(run(*state, to_int, &x), 3, INTS(-1, 0, 300));
    assert_ints(run(*state, to_bool, &x), 3, INTS(1, 0, 1));
    assert_floats(run(*state, to_float, &(Tensor){.i = INTS(-3, 5)}), 2, FLOATS(-3, 5));
}

static void test_constants_are_read_from_data(void **state)
{
    const char *text = "graph \"\" stage \"\"\ninput %0 : f16[2]\nconst %1 : f16[] = {0x1.8p+1}\n"
                       "%2 = Mul(%0, %1)\noutput %2";
    assert_floats(run(*state, text, &(Tensor){.f = FLOATS(2, -1)}), 2, FLOATS(6, -3));
}

static void test_a_constant_can_be_a_result(void **state)
{
    assert_ints(run(*state, "graph \"\" stage \"\"\nconst %1 : u64[2] = {18446744073709551615, 0}\noutput %1", NULL), 2,
                INTS(-1, 0));
}

/* ---- expansions and bodies -----------------------------------------------------------------------------------------
 */

/* 2x + 1, without an inference of its own. */
static void expand_affine(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0];
    replacements[0] = build_add(graph, build_scale(graph, x, 2), const_float(graph, x->type.dtype, 1));
}

static const Op affine = {.name = "Affine", .inputs = "X", .outputs = "Y", .kind = OP_EXPAND, .expand = expand_affine};

static void test_expansions_infer_and_evaluate(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = graph_create(fixture->arena, &fixture->diagnostics, "");
    Value *x = value_create(graph, VALUE_INPUT, TYPE(DTYPE_F32, 3), NULL);
    Node *node = node_create(graph, &affine, 1, &x, 1);
    assert_true(infer_node(graph, node));
    assert_true(same_type(&node->outputs[0]->type, &x->type));
    Tensor operand = {.type = x->type, .f = FLOATS(1, 2, 3)}, result;
    evaluate_node(graph, node, &operand, &result);
    assert_floats(result, 3, FLOATS(3, 5, 7));
    assert_ptr_equal(graph->first, node); /* the expansion was built apart */
    assert_ptr_equal(graph->last, node);
}

static void test_a_fused_body(void **state)
{
    const char *text = "graph \"\" stage \"fuse\"\n"
                       "input %0 : f32[2,2]\ninput %1 : f32[2]\n"
                       "%2 : f32[2,2], %3 : f32[2,2] = Fused(%0, %1) body {\n"
                       "  graph \"body\" stage \"\"\n"
                       "  input %0 : f32[2,2]\n  input %1 : f32[2]\n  const %2 : f32[] = {0x1p-1}\n"
                       "  %3 = Add(%0, %1)\n  %4 = Mul(%3, %2)\n  output %3\n  output %4\n"
                       "}\n"
                       "%4 = Sub(%2, %3)\noutput %4\n";
    Tensor x = {.f = FLOATS(1, 2, 3, 4)}, row = {.f = FLOATS(10, 20)};
    assert_floats(run(*state, text, (Tensor[]){x, row}), 4, FLOATS(5.5, 11, 6.5, 12));
}

static void test_an_epilogue(void **state)
{
    const char *text = "graph \"\" stage \"fuse\"\n"
                       "input %0 : f32[2,2]\ninput %1 : f32[2,2]\ninput %2 : f32[2]\n"
                       "%3 : f32[2,2] = MatMul(%0, %1, %2) body {\n"
                       "  graph \"body\" stage \"\"\n"
                       "  input %0 : f32[2,2]\n  input %1 : f32[2]\n  %2 = Add(%0, %1)\n  output %2\n"
                       "}\n"
                       "output %3\n";
    Tensor a = {.f = FLOATS(1, 2, 3, 4)}, b = {.f = FLOATS(0, 1, 1, 0)}, bias = {.f = FLOATS(100, 200)};
    assert_floats(run(*state, text, (Tensor[]){a, b, bias}), 4, FLOATS(102, 201, 104, 203));
}

static void test_missing_contents_are_internal(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, "graph \"\" stage \"\"\nparam %0 \"w\" : f32[2] = data\n%1 = Neg(%0)\noutput %1");
    Tensor *tensors = NEW_ARRAY(fixture->arena, Tensor, graph->value_count);
    ASSERT_LEAVES(fixture, EXIT_STATUS_INTERNAL, evaluate_graph(graph, tensors));
    assert_message(fixture, "'w', has no contents");
}

static void test_attributes_of_expressions(void **state)
{
    Fixture *fixture = *state;
    static const Op row = {
        .name = "Row", .inputs = "X", .attributes = "alpha:float=0.5, mode:string=x, n:int=3, q:int"};
    Graph *graph = graph_create(fixture->arena, &fixture->diagnostics, "");
    Value *x = value_create(graph, VALUE_INPUT, TYPE(DTYPE_F32, 3), NULL);
    Node *node = node_create(graph, &row, 1, &x, 1);
    double values[3];
    set_int(graph, node, "n", 7);
    assert_int_equal(expression_attributes(node, values, 3), 3);
    assert_true(values[0] == 0.5 && values[1] == 7 && values[2] == 0);
    ASSERT_LEAVES(fixture, EXIT_STATUS_INTERNAL, expression_attributes(node, values, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(test_elementwise),
        TEST_WITH_FIXTURE(test_broadcasting_of_inner_and_outer_axes),
        TEST_WITH_FIXTURE(test_broadcasting_against_the_definition),
        TEST_WITH_FIXTURE(test_scalars_and_empty_tensors),
        TEST_WITH_FIXTURE(test_integers_are_exact_and_wrap),
        TEST_WITH_FIXTURE(test_comparisons_and_selection),
        TEST_WITH_FIXTURE(test_casts),
        TEST_WITH_FIXTURE(test_constants_are_read_from_data),
        TEST_WITH_FIXTURE(test_a_constant_can_be_a_result),
        TEST_WITH_FIXTURE(test_expansions_infer_and_evaluate),
        TEST_WITH_FIXTURE(test_a_fused_body),
        TEST_WITH_FIXTURE(test_an_epilogue),
        TEST_WITH_FIXTURE(test_missing_contents_are_internal),
        TEST_WITH_FIXTURE(test_attributes_of_expressions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
