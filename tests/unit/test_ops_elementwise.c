/* test_ops_elementwise.c: arithmetic, functions, activations, logic: values at chosen points, gradients everywhere. */
#include "gradient_check.h"

#include "ir/ops/shared/expression.h"

#define UNARY(op, dtype, contents, count) "const %0 : " dtype "[" count "] = {" contents "}\n%1 = " op "\noutput %1"

static void arithmetic_over_floats_and_integers(void **state)
{
    ASSERT_CASE(*state,
                "const %0 : i64[4] = {7, -7, 7, 5}\nconst %1 : i64[4] = {2, 2, -2, 0}\n%2 = Div(%0, %1)\noutput %2",
                "i64[4]", 3, -3, -3, 0);
    ASSERT_CASE(*state, "const %0 : i32[2] = {2147483647, 5}\nconst %1 : i32[] = {1}\n%2 = Add(%0, %1)\noutput %2",
                "i32[2]", -2147483648.0, 6);
    ASSERT_CASE(*state, UNARY("Sign(%0)", "f32", "-0x1.8p+0, 0x0p+0, 0x1p+1", "3"), "f32[3]", -1, 0, 1);
    ASSERT_CASE(*state, UNARY("Abs(%0)", "i64", "-3, 4", "2"), "i64[2]", 3, 4);
    ASSERT_CASE(*state, UNARY("Round(%0)", "f64", "0x1p-1, 0x1.8p+0, 0x1.4p+1, -0x1.4p+1", "4"), "f64[4]", 0, 2, 2, -2);
}

/* No operand has an undefined result. */
static void integers_at_their_limits(void **state)
{
    static const struct {
        const char *op, *dtype, *x, *y;
        double expected[4];
    } cases[] = {
        {"Div", "i64", "5, -9223372036854775808, 7, -7", "0, -1, 2, 2", {0, -0x1p63, 3, -3}},
        {"Div",
         "u64",
         "18446744073709551615, 18446744073709551614, 5, 0",
         "2, 18446744073709551615, 0, 1",
         {0x1p63, 0, 0, 0}},
        {"Mod", "i32", "5, -2147483648, 7, -7", "0, -1, -3, 3", {0, 0, -2, 2}},
        {"Mul", "i32", "65536, -2147483648, 46341, -1", "65536, -1, 46341, 7", {0, -0x1p31, -2147479015, -7}},
        {"Sub", "i8", "-128, 127, 0, 1", "1, -1, -128, 2", {127, -128, -128, -1}},
        {"Greater",
         "u64",
         "18446744073709551615, 1, 9223372036854775808, 0",
         "1, 18446744073709551615, 7, 0",
         {1, 0, 1, 0}},
        {"Max", "u64", "9223372036854775808, 1, 2, 0", "1, 5, 1, 0", {-0x1p63, 5, 2, 0}}, /* in 64 bits with a sign */
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_case(f,
                    arena_printf(f->arena,
                                 "const %%0 : %s[4] = {%s}\nconst %%1 : %s[4] = {%s}\n%%2 = %s(%%0, %%1)\noutput %%2",
                                 cases[i].dtype, cases[i].x, cases[i].dtype, cases[i].y, cases[i].op),
                    arena_printf(f->arena, "%s[4]", strcmp(cases[i].op, "Greater") == 0 ? "bool" : cases[i].dtype), 4,
                    cases[i].expected);
}

/* By the width or more, or by less than 0, nothing is left but the sign of what shifts right, as in PyTorch. */
static void shifts_by_any_count(void **state)
{
    static const struct {
        const char *dtype, *x, *direction;
        double expected[5];
    } cases[] = {
        {"i32", "-8", "LEFT", {-8, -16, 0, 0, 0}},  {"i32", "-8", "RIGHT", {-8, -4, -1, -1, -1}},
        {"i32", "8", "RIGHT", {8, 4, 0, 0, 0}},     {"i8", "-8", "RIGHT", {-8, -4, -1, -1, -1}},
        {"i8", "-8", "LEFT", {-8, -16, 0, 0, 0}},   {"i64", "-8", "RIGHT", {-8, -4, -1, -1, -1}},
        {"i64", "1", "LEFT", {1, 2, 0x1p32, 0, 0}},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_case(f,
                    arena_printf(f->arena,
                                 "const %%0 : %s[] = {%s}\nconst %%1 : %s[5] = {0, 1, 32, 64, -1}\n"
                                 "%%2 = BitShift(%%0, %%1) {direction=\"%s\"}\noutput %%2",
                                 cases[i].dtype, cases[i].x, cases[i].dtype, cases[i].direction),
                    arena_printf(f->arena, "%s[5]", cases[i].dtype), 5, cases[i].expected);
    ASSERT_CASE(f,
                "const %0 : u64[2] = {18446744073709551615, 9223372036854775808}\nconst %1 : u64[2] = {63, 64}\n"
                "%2 = BitShift(%0, %1) {direction=\"RIGHT\"}\noutput %2",
                "u64[2]", 1, 0);
}

static void remainders_take_the_sign_of_divisor_or_dividend(void **state)
{
    const char *ints = "const %%0 : i64[4] = {7, -7, 7, -7}\nconst %%1 : i64[4] = {3, 3, -3, -3}\n"
                       "%%2 = Mod(%%0, %%1)%s\noutput %%2";
    Fixture *f = *state;
    ASSERT_CASE(f, arena_printf(f->arena, ints, ""), "i64[4]", 1, 2, -2, -1);
    ASSERT_CASE(f, arena_printf(f->arena, ints, " {fmod=1}"), "i64[4]", 1, -1, 1, -1);
    ASSERT_CASE(f,
                "const %0 : f64[2] = {0x1.6p+2, -0x1.6p+2}\nconst %1 : f64[] = {0x1p+1}\n"
                "%2 = Mod(%0, %1) {fmod=1}\noutput %2",
                "f64[2]", 1.5, -1.5);
    ASSERT_CASE(f,
                "const %0 : f64[5] = {5, -5, 5, -5, 0}\nconst %1 : f64[5] = {inf, inf, -inf, -inf, -inf}\n"
                "%2 = Mod(%0, %1)\noutput %2",
                "f64[5]", 5, INFINITY, -INFINITY, -5, 0);
}

static void maxima_and_minima_fold_and_let_nan_win(void **state)
{
    ASSERT_CASE(*state,
                "const %0 : f64[3] = {0x1p+0, nan, 0x1p+2}\nconst %1 : f64[3] = {0x1p+1, 0x1p+1, 0x1p+1}\n"
                "const %2 : f64[1] = {0x1.8p+1}\n%3 = Max(%0, %1, %2)\noutput %3",
                "f64[3]", 3, NAN, 4);
    ASSERT_CASE(*state, "const %0 : i64[2] = {5, -5}\nconst %1 : i64[2] = {1, 2}\n%2 = Min(%0, %1)\noutput %2",
                "i64[2]", 1, -5);
    ASSERT_CASE(*state,
                "const %0 : f64[2] = {0x1p+0, 0x1p+1}\nconst %1 : f64[1] = {0x1p+2}\nconst %2 : f64[] = {0x1p+3}\n"
                "%3 = Mean(%0, %1, %2)\noutput %3",
                "f64[2]", 13.0 / 3, 14.0 / 3);
}

static void constant_exponents_become_products_and_roots(void **state)
{
    static const struct {
        const char *exponent, *op;
    } forms[] = {{"0x1p+1", "Square"},
                 {"0x1p-1", "Sqrt"},
                 {"-0x1p+0", "Reciprocal"},
                 {"0x1.8p+1", "Mul"},
                 {"0x1.4p+1", "Power"}};
    Fixture *fixture = *state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        Graph *graph = parse_case(fixture,
                                  arena_printf(fixture->arena,
                                               "input %%0 : f64[3]\nconst %%1 : f64[] = {%s}\n"
                                               "%%2 = Pow(%%0, %%1)\noutput %%2",
                                               forms[i].exponent),
                                  0, 1);
        const Options options = {.target = &target_c, .precision = "64-true", .accumulate = 1};
        expand(graph, &options);
        assert_string_equal(graph->outputs[0]->producer->op->name, forms[i].op);
    }
    ASSERT_CASE(fixture, "const %0 : i64[3] = {2, 3, -1}\nconst %1 : i64[3] = {10, 0, 3}\n%2 = Pow(%0, %1)\noutput %2",
                "i64[3]", 1024, 1, -1);
    ASSERT_CASE(fixture, "const %0 : i32[2] = {4, 9}\nconst %1 : f32[1] = {0x1p-1}\n%2 = Pow(%0, %1)\noutput %2",
                "i32[2]", 2, 3);
}

static void comparisons_logic_and_bits(void **state)
{
    const char *pair = "const %%0 : %s[3] = {1, 2, 3}\nconst %%1 : %s[3] = {3, 2, 1}\n%%2 = %s(%%0, %%1)%s\noutput %%2";
    Fixture *f = *state;
    static const struct {
        const char *op, *dtype, *attributes, *result;
        double expected[3];
    } cases[] = {
        {"Equal", "i64", "", "bool[3]", {0, 1, 0}},
        {"Less", "i32", "", "bool[3]", {1, 0, 0}},
        {"LessOrEqual", "f32", "", "bool[3]", {1, 1, 0}},
        {"Greater", "f64", "", "bool[3]", {0, 0, 1}},
        {"GreaterOrEqual", "i64", "", "bool[3]", {0, 1, 1}},
        {"BitwiseAnd", "i64", "", "i64[3]", {1, 2, 1}},
        {"BitwiseOr", "u8", "", "u8[3]", {3, 2, 3}},
        {"BitwiseXor", "i64", "", "i64[3]", {2, 0, 2}},
        {"BitShift", "u8", " {direction=\"LEFT\"}", "u8[3]", {8, 8, 6}},
        {"BitShift", "u32", " {direction=\"RIGHT\"}", "u32[3]", {0, 0, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_case(f, arena_printf(f->arena, pair, cases[i].dtype, cases[i].dtype, cases[i].op, cases[i].attributes),
                    cases[i].result, 3, cases[i].expected);
    ASSERT_CASE(f, UNARY("Not(%0)", "bool", "0, 1", "2"), "bool[2]", 1, 0);
    ASSERT_CASE(f, UNARY("BitwiseNot(%0)", "i32", "0, 5", "2"), "i32[2]", -1, -6);
    ASSERT_CASE(f, UNARY("IsNaN(%0)", "f64", "nan, inf, 0x1p+0", "3"), "bool[3]", 1, 0, 0);
    ASSERT_CASE(f, UNARY("IsInf(%0) {detect_negative=0}", "f64", "nan, inf, -inf, 0x1p+0", "4"), "bool[4]", 0, 1, 0, 0);
}

static void casts_truncate_and_test_for_zero(void **state)
{
    ASSERT_CASE(*state, UNARY("Cast(%0) {to=7}", "f32", "0x1.cp+0, -0x1.cp+0", "2"), "i64[2]", 1, -1);
    ASSERT_CASE(*state, UNARY("Cast(%0) {to=9}", "f32", "0x1p-1, 0x0p+0", "2"), "bool[2]", 1, 0);
    ASSERT_CASE(*state, UNARY("Cast(%0) {to=3}", "i64", "300, -1", "2"), "i8[2]", 44, -1);
    ASSERT_CASE(*state, UNARY("Cast(%0) {to=7}", "f64", "nan, inf, -inf, 0x1p+63, -0x1p+80", "5"), "i64[5]", 0, 0x1p63,
                -0x1p63, 0x1p63, -0x1p63);
    assert_refused(*state, UNARY("Cast(%0) {to=8}", "f32", "0x0p+0", "1"), "ONNX data type 8");
}

static void selection_broadcasts(void **state)
{
    ASSERT_CASE(*state,
                "const %0 : bool[2,1] = {1, 0}\nconst %1 : i64[2] = {1, 2}\nconst %2 : i64[] = {9}\n"
                "%3 = Where(%0, %1, %2)\noutput %3",
                "i64[2,2]", 1, 2, 9, 9);
    ASSERT_CASE(*state,
                "const %0 : f64[4] = {-0x1p+1, -0x1p+0, 0x1p-1, 0x1.8p+1}\nconst %1 : f64[] = {-0x1p+0}\n"
                "const %2 : f64[] = {0x1p+1}\n%3 = Clip(%0, %1, %2)\noutput %3",
                "f64[4]", -1, -1, 0.5, 2);
}

/* From the definitions in the ONNX operator documentation, at -1.5 and 0.75. */
static void activations_at_two_points(void **state)
{
    const double a = -1.5, b = 0.75;
    const struct {
        const char *op;
        double at_a, at_b;
    } cases[] = {
        {"Relu(%0)", 0, b},
        {"LeakyRelu(%0) {alpha=0x1p-2}", 0.25 * a, b},
        {"ThresholdedRelu(%0)", 0, 0},
        {"Shrink(%0) {lambd=0x1p+0, bias=0x1p-2}", a + 0.25, 0},
        {"Elu(%0) {alpha=0x1p+1}", 2 * (exp(a) - 1), b},
        {"Selu(%0) {alpha=0x1p+1, gamma=0x1.8p+1}", 3 * 2 * (exp(a) - 1), 3 * b},
        {"Celu(%0) {alpha=0x1p+1}", 2 * (exp(a / 2) - 1), b},
        {"HardSigmoid(%0) {alpha=0x1p-1, beta=0x1p-2}", 0, 0.625},
        {"HardSwish(%0)", a * (a / 6 + 0.5), b * (b / 6 + 0.5)},
        {"Softplus(%0)", log(1 + exp(a)), log(1 + exp(b))},
        {"Softsign(%0)", a / 2.5, b / 1.75},
        {"Swish(%0) {alpha=0x1p+1}", a / (1 + exp(-2 * a)), b / (1 + exp(-2 * b))},
        {"Mish(%0)", a * tanh(log(1 + exp(a))), b * tanh(log(1 + exp(b)))},
        {"Gelu(%0)", a / 2 * (1 + erf(a / sqrt(2))), b / 2 * (1 + erf(b / sqrt(2)))},
        {"Gelu(%0) {approximate=\"tanh\"}",
         a / 2 * (1 + tanh(sqrt(2 / 3.141592653589793) * (a + 0.044715 * a * a * a))),
         b / 2 * (1 + tanh(sqrt(2 / 3.141592653589793) * (b + 0.044715 * b * b * b)))},
        {"Sigmoid(%0)", 1 / (1 + exp(-a)), 1 / (1 + exp(-b))},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_case(
            f, arena_printf(f->arena, "const %%0 : f64[2] = {-0x1.8p+0, 0x1.8p-1}\n%%1 = %s\noutput %%1", cases[i].op),
            "f64[2]", 2, (double[]){cases[i].at_a, cases[i].at_b});
    ASSERT_CASE(f, UNARY("Softplus(%0)", "f64", "-0x1p+10, 0x1p+10", "2"), "f64[2]", 0, 1024);
    assert_refused(f, UNARY("Gelu(%0) {approximate=\"fast\"}", "f32", "0x0p+0", "1"), "'approximate' is 'fast'");
}

static void gradients_of_one_operand(void **state)
{
    static const struct {
        const char *op;
        double low, high;
    } cases[] = {
        {"Exp(%0)", -2, 2},
        {"Log(%0)", 0.2, 3},
        {"Sqrt(%0)", 0.2, 3},
        {"Reciprocal(%0)", 0.3, 3},
        {"Square(%0)", -2, 2},
        {"Erf(%0)", -2, 2},
        {"Sin(%0)", -3, 3},
        {"Cos(%0)", -3, 3},
        {"Tan(%0)", -1, 1},
        {"Asin(%0)", -0.9, 0.9},
        {"Acos(%0)", -0.9, 0.9},
        {"Atan(%0)", -3, 3},
        {"Sinh(%0)", -2, 2},
        {"Cosh(%0)", -2, 2},
        {"Asinh(%0)", -2, 2},
        {"Acosh(%0)", 1.3, 4},
        {"Atanh(%0)", -0.9, 0.9},
        {"Tanh(%0)", -2, 2},
        {"Sigmoid(%0)", -4, 4},
        {"Relu(%0)", -2, 2},
        {"LeakyRelu(%0)", -2, 2},
        {"ThresholdedRelu(%0)", -2, 3},
        {"Shrink(%0)", -2, 2},
        {"Elu(%0) {alpha=0x1p+1}", -2, 2},
        {"Selu(%0)", -2, 2},
        {"Celu(%0) {alpha=0x1p+1}", -2, 2},
        {"HardSigmoid(%0)", -4, 4},
        {"HardSwish(%0)", -5, 5},
        {"Softplus(%0)", -4, 4},
        {"Softsign(%0)", -2, 2},
        {"Swish(%0) {alpha=0x1.8p+0}", -3, 3},
        {"Mish(%0)", -3, 3},
        {"Gelu(%0)", -3, 3},
        {"Gelu(%0) {approximate=\"tanh\"}", -3, 3},
        {"Neg(%0)", -2, 2},
        {"Abs(%0)", -2, 2},
        {"Identity(%0)", -2, 2},
        {"Cast(%0) {to=11}", -2, 2},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_gradient(
            f, arena_printf(f->arena, "param %%0 : f64[3,4] = data\n%%1 : f64[3,4] = %s\noutput %%1", cases[i].op),
            cases[i].low, cases[i].high);
}

/* The second operand broadcasts, so that its gradient is a sum. */
static void gradients_of_two_operands(void **state)
{
    static const char *const ops[] = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "PRelu"};
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        check_gradient(f,
                       arena_printf(f->arena,
                                    "param %%0 : f64[2,3,4] = data\nparam %%1 : f64[3,1] = data\n"
                                    "%%2 = %s(%%0, %%1)\noutput %%2",
                                    ops[i]),
                       0.3, 2);
    check_gradient(f, "param %0 : f64[2,3] = data\nparam %1 : f64[3] = data\n%2 = PRelu(%0, %1)\noutput %2", -1, 1);
    check_gradient(f, "param %0 : f64[2,3] = data\nconst %1 : f64[] = {0x1.8p+1}\n%2 = Mod(%0, %1) {fmod=1}\noutput %2",
                   4, 5.5);
    check_gradient(f, "param %0 : f64[2,3] = data\nparam %1 : f64[3] = data\n%2 = Mod(%0, %1) {fmod=1}\noutput %2", 0.7,
                   1);
}

static void gradients_of_selections_and_powers(void **state)
{
    static const char *const exponents[] = {"0x1p+1",  "0x1.8p+1", "0x1p+2", "0x1p-1",   "0x1.8p+0",
                                            "-0x1p+0", "-0x1p-1",  "0x1p+0", "0x1.4p+1", "0x0p+0"};
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++)
        check_gradient(f,
                       arena_printf(f->arena,
                                    "param %%0 : f64[5] = data\nconst %%1 : f64[] = {%s}\n%%2 = Pow(%%0, %%1)\n"
                                    "%%3 = Exp(%%2)\noutput %%3",
                                    exponents[i]),
                       0.5, 1.5);
    check_gradient(f,
                   "const %0 : bool[2,1] = {1, 0}\nparam %1 : f64[3] = data\nparam %2 : f64[2,3] = data\n"
                   "%3 = Where(%0, %1, %2)\noutput %3",
                   -1, 1);
    check_gradient(f,
                   "param %0 : f64[9] = data\nparam %1 : f64[] = data\nconst %2 : f64[] = {0x1.8p-1}\n"
                   "%3 = Clip(%0, %1, %2)\noutput %3",
                   -1, 1);
}

/* At a tie central differences give the mean of both sides: half for Max and Min. At a bound X gets nothing, as beyond
 * it: a bound that learns gets all. */
static void ties_split_and_bounds_take_their_own(void **state)
{
    Fixture *f = *state;
    ASSERT_GRADIENTS(f, "param %0 : f64[2] = {1, 2}\nparam %1 : f64[2] = {1, 1}\n%2 = Max(%0, %1)\noutput %2", 0.5, 1,
                     0.5, 0);
    ASSERT_GRADIENTS(f,
                     "param %0 : f64[5] = {-1, 0, 3, 6, 7}\nconst %1 : f64[] = {0}\nconst %2 : f64[] = {6}\n"
                     "%3 = Clip(%0, %1, %2)\noutput %3",
                     0, 0, 1, 0, 0);
    ASSERT_GRADIENTS(f,
                     "param %0 : f64[5] = {-1, 0, 3, 6, 7}\nparam %1 : f64[] = {0}\nparam %2 : f64[] = {6}\n"
                     "%3 = Clip(%0, %1, %2)\noutput %3",
                     0, 0, 1, 0, 0, 2, 2);
}

/* At their corners the activations have PyTorch's gradients; so do powers at zero. */
static void gradients_at_corners(void **state)
{
    static const struct {
        const char *op;
        double at[5]; /* -3, -0.5, 0, 0.5, 3 */
    } cases[] = {
        {"HardSwish(%0)", {0, 1.0 / 3, 0.5, 2.0 / 3, 1}},
        {"HardSigmoid(%0) {alpha=0x1p-2, beta=0x1p-1}", {0, 0.25, 0.25, 0.25, 0}},
        {"HardSigmoid(%0) {alpha=0x1p+0, beta=0x1p-1}", {0, 0, 1, 0, 0}},
        {"ThresholdedRelu(%0) {alpha=0x1p-1}", {0, 0, 0, 0, 1}},
        {"Shrink(%0) {lambd=0x1p-1, bias=0x1p-1}", {1, 0, 0, 0, 1}},
        {"Relu(%0)", {0, 0, 0, 1, 1}},
        {"LeakyRelu(%0) {alpha=0x1p-2}", {0.25, 0.25, 0.25, 1, 1}},
        {"Abs(%0)", {-1, -1, 0, 1, 1}},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_gradients(f,
                         arena_printf(f->arena,
                                      "param %%0 : f64[5] = {-3, -0x1p-1, 0, 0x1p-1, 3}\n%%1 = %s\noutput %%1",
                                      cases[i].op),
                         cases[i].at);
    ASSERT_GRADIENTS(f, "param %0 : f64[2] = {0, 4}\nconst %1 : f64[] = {0x1.8p+0}\n%2 = Pow(%0, %1)\noutput %2", 0, 3);
    ASSERT_GRADIENTS(f,
                     "const %0 : f64[4] = {5, -5, 5, 7}\nparam %1 : f64[4] = {inf, inf, -inf, 2}\n"
                     "%2 = Mod(%0, %1)\noutput %2",
                     0, 1, 1, -3);
}

static void old_opsets_are_upgraded(void **state)
{
    Fixture *f = *state;
    Graph *graph = row_graph(state);
    Node *clip = build_begin(graph, "Clip", 1, VALUES(PARAM(graph, 1, 4)), 1);
    set_float(graph, clip, "min", -0.25);
    set_float(graph, clip, "max", 0.5);
    assert_true(clip->op->upgrade(graph, clip, 6));
    build_finish(graph, clip);
    assert_int_equal(clip->input_count, 3);
    double bound;
    assert_true(const_operand_float(graph, clip, 2, &bound));
    assert_true(bound == 0.5);
    assert_string_equal(messages(f), "");
}

/* Every function that an expression calls is one that the code generator translates. */
static void expressions_call_listed_functions_only(void **state)
{
    (void)state;
    static const char *const functions[] = {
#define FUNCTION(name, runtime) #name,
        EXPRESSION_FUNCTIONS(FUNCTION)
#undef FUNCTION
    };
    for (int row = 0; row < 2 * op_count(); row++) {
        const Op *op = op_at(row / 2);
        const char *expression = row % 2 ? op->expression_int : op->expression;
        for (const char *call = expression; call && (call = strchr(call, '(')); call++) {
            size_t length = 0;
            while (call - length > expression &&
                   strchr("abcdefghijklmnopqrstuvwxyz0123456789_", call[-1 - (long)length]))
                length++;
            bool listed = length == 0;
            for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
                listed |= strlen(functions[i]) == length && memcmp(functions[i], call - length, length) == 0;
            if (!listed)
                fail_msg("%s calls an unlisted function: %s", op->name, expression);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(arithmetic_over_floats_and_integers),
        TEST_WITH_FIXTURE(integers_at_their_limits),
        TEST_WITH_FIXTURE(shifts_by_any_count),
        TEST_WITH_FIXTURE(remainders_take_the_sign_of_divisor_or_dividend),
        TEST_WITH_FIXTURE(maxima_and_minima_fold_and_let_nan_win),
        TEST_WITH_FIXTURE(constant_exponents_become_products_and_roots),
        TEST_WITH_FIXTURE(comparisons_logic_and_bits),
        TEST_WITH_FIXTURE(casts_truncate_and_test_for_zero),
        TEST_WITH_FIXTURE(selection_broadcasts),
        TEST_WITH_FIXTURE(activations_at_two_points),
        TEST_WITH_FIXTURE(gradients_of_one_operand),
        TEST_WITH_FIXTURE(gradients_of_two_operands),
        TEST_WITH_FIXTURE(gradients_of_selections_and_powers),
        TEST_WITH_FIXTURE(ties_split_and_bounds_take_their_own),
        TEST_WITH_FIXTURE(gradients_at_corners),
        TEST_WITH_FIXTURE(old_opsets_are_upgraded),
        TEST_WITH_FIXTURE(expressions_call_listed_functions_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
