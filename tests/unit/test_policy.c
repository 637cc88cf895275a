/* Precision modes, built-in policies, rules, policy files, and what 16 bits would do to a graph's numbers. */
#include "ir_fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "passes/precision/policy.h"
#include "passes/precision/policy_tables.h"
#include "passes/precision/precision_warnings.h"

static const char model[] = "graph \"g\" stage \"loss\"\n"
                            "input %0 \"x\" : f32[2,8]\n"
                            "param %1 \"encoder.w\" : f32[8,8] = data\n"
                            "const %2 : i64[1] = {1}\n"
                            "%3 \"h\" : f32[2,8] = MatMul(%0, %1) @ \"/encoder/product\" \"MatMul\"\n"
                            "%4 : f32[2,8] = Softmax(%3) {axis=1} @ \"/encoder/softmax\" \"Softmax\"\n"
                            "%5 : f32[2,8] = GeluErf(%4) @ \"/head/gelu\" \"Mul\"\n"
                            "%6 \"y\" : f32[2,8] = Relu(%5) @ \"/head/relu\" \"Relu\"\n"
                            "output %6\n";

static const Node *node_of(const Graph *graph, const char *op)
{
    const Node *node = graph->first;
    while (node && strcmp(node->op->name, op) != 0)
        node = node->next;
    assert_non_null(node);
    return node;
}

/* A temporary file of this text; the test unlinks it. */
typedef struct TextFile {
    char path[64];
} TextFile;

static TextFile file_of(const char *text)
{
    TextFile file = {"/tmp/pcc-policy-XXXXXX"};
    int descriptor = mkstemp(file.path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
    close(descriptor);
    return file;
}

/* ---- modes and tables ---- */

static void modes_have_the_dtypes_of_the_specification(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        Dtype wide, low, moment;
        bool low_weights;
        double scale;
    } want[] = {{"64-true", DTYPE_F64, DTYPE_F64, DTYPE_F64, false, 1},
                {"32-true", DTYPE_F32, DTYPE_F32, DTYPE_F32, false, 1},
                {"16-mixed", DTYPE_F32, DTYPE_F16, DTYPE_F32, false, LOSS_SCALE_DYNAMIC},
                {"bf16-mixed", DTYPE_F32, DTYPE_BF16, DTYPE_F32, false, 1},
                {"16-true", DTYPE_F32, DTYPE_F16, DTYPE_F32, true, LOSS_SCALE_DYNAMIC},
                {"bf16-true", DTYPE_F32, DTYPE_BF16, DTYPE_BF16, true, 1}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const PrecisionMode *mode = find_precision_mode(want[i].name);
        assert_non_null(mode);
        assert_int_equal(mode->wide, want[i].wide);
        assert_int_equal(mode->low, want[i].low);
        assert_int_equal(mode->moment, want[i].moment);
        assert_int_equal(mode->low_weights, want[i].low_weights);
        assert_true(mode->loss_scale == want[i].scale);
        assert_int_equal(mode->update != NULL, want[i].low_weights);
    }
    assert_null(find_precision_mode("bf16"));
}

/* A name that no row has would never match, and say nothing. */
static void lists_name_operators_that_exist(void **state)
{
    (void)state;
    for (const PolicyTable *table = policy_tables; table->name; table++) {
        const char *const lists[] = {table->lower, table->keep, table->promote};
        for (int list = 0; list < 3; list++)
            for (const char *word = lists[list]; word && *word; word += strspn(word, " ")) {
                const size_t length = strcspn(word, " ");
                const Op *op = find_op(word, length);
                if (!op)
                    fail_msg("%s lists %.*s, which is no operator", table->name, (int)length, word);
                assert_string_equal(onnx_name(op), op->name); /* else its ONNX name is what lists are asked for */
                word += length;
            }
    }
}

static PrecisionClass class_of(const char *policy, const char *op)
{
    return table_class(find_policy_table(policy), find_op(op, strlen(op)));
}

static void policies_give_the_classes_of_their_originals(void **state)
{
    (void)state;
    static const char *const policies[] = {"pcc",     "torch-cuda", "torch-cpu", "apex-O0",
                                           "apex-O1", "apex-O2",    "apex-O3"};
    enum { POLICIES = sizeof policies / sizeof *policies };
    assert_null(policy_tables[POLICIES].name);
    /* a letter a policy: Lower, Keep, Promote, Follow, - none */
    static const struct {
        const char *op, *classes;
    } want[] = {{"MatMul", "LLLKLLL"},
                {"Conv", "LLLKLLL"},
                {"PRelu", "LLLKLLL"},
                {"ScaledDotProductAttention", "LLLKLLL"},
                {"Softmax", "KKFKKLL"},
                {"LayerNormalization", "KKFKKLL"},
                {"BatchNormalization", "FFFKFKL"},
                {"Exp", "KKFKKLL"},
                {"Pow", "KKFKKLL"},
                {"ReduceSum", "KKFKKLL"},
                {"ReduceProd", "KKKKKLL"},
                {"ReduceMean", "FFFKFLL"},
                {"GeluErf", "FFFKKLL"},
                {"Relu", "FFFKFLL"},
                {"Sin", "KFFKFLL"},
                {"Resize", "FKFKKLL"},
                {"Add", "PPPKPLL"},
                {"Concat", "PPPKPLL"},
                {"ScatterElements", "KPPKFLL"},
                {"CrossEntropy", "KKKKKKK"},
                {"MeanSquaredError", "KKKKKKK"},
                {"BceWithLogits", "KKKKKKK"},
                {"Shape", "-------"},
                {"Equal", "-------"}};
    static const char letters[] = {
        [CLASS_LOWER] = 'L', [CLASS_KEEP] = 'K', [CLASS_PROMOTE] = 'P', [CLASS_FOLLOW] = 'F', [CLASS_NONE] = '-'};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        for (int p = 0; p < POLICIES; p++)
            if (letters[class_of(policies[p], want[i].op)] != want[i].classes[p])
                fail_msg("%s under %s is %c, not %c", want[i].op, policies[p],
                         letters[class_of(policies[p], want[i].op)], want[i].classes[p]);
}

static void the_option_wins_over_the_policy_and_that_over_the_mode(void **state)
{
    (void)state;
    assert_true(policy_loss_scale(&(Options){.precision = "16-mixed"}) == LOSS_SCALE_DYNAMIC);
    assert_true(policy_loss_scale(&(Options){.precision = "bf16-mixed"}) == 1);
    assert_true(policy_loss_scale(&(Options){.precision = "16-mixed", .policy = "apex-O3"}) == 1);
    assert_true(policy_loss_scale(&(Options){.precision = "bf16-mixed", .policy = "apex-O1"}) == LOSS_SCALE_DYNAMIC);
    assert_true(policy_loss_scale(&(Options){.precision = "32-true", .policy = "apex-O1"}) == 1);
    assert_true(policy_loss_scale(&(Options){.precision = "16-true", .policy = "apex-O3", .loss_scale = 8}) == 8);
    assert_null(policy_update(&(Options){.precision = "bf16-mixed", .update = "kahan"}));
    assert_string_equal(policy_update(&(Options){.precision = "bf16-true"}), "stochastic");
    assert_string_equal(policy_update(&(Options){.precision = "16-true", .policy = "apex-O2"}), "master");
    assert_string_equal(policy_update(&(Options){.precision = "16-true", .policy = "apex-O2", .update = "kahan"}),
                        "kahan");
    assert_int_equal(policy_moments(&(Options){.precision = "16-true"}), DTYPE_F32);
    assert_int_equal(policy_moments(&(Options){.precision = "16-true", .loss_scale = 1}), DTYPE_F16);
    assert_int_equal(policy_moments(&(Options){.precision = "16-true", .policy = "apex-O3"}), DTYPE_F16);
    assert_int_equal(policy_moments(&(Options){.precision = "16-true", .loss_scale = 1, .moments = "f32"}), DTYPE_F32);
    assert_int_equal(policy_moments(&(Options){.precision = "16-true", .loss_scale = 1, .update = "master"}),
                     DTYPE_F32);
    assert_int_equal(policy_moments(&(Options){.precision = "bf16-true"}), DTYPE_BF16);
    assert_int_equal(policy_moments(&(Options){.precision = "bf16-true", .moments = "f32"}), DTYPE_F32);
    assert_int_equal(policy_moments(&(Options){.precision = "16-true", .moments = "weights"}), DTYPE_F16);
    assert_int_equal(policy_moments(&(Options){.precision = "16-mixed", .moments = "weights"}), DTYPE_F32);
}

/* ---- rules ---- */

static void the_last_rule_that_matches_decides(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, model);
    const char *const rules[] = {"lower op:Soft*", "keep node:/encoder/*", "lower op:Gelu", "keep op:MatMul",
                                 "lower node:/encoder/product"};
    Policy *policy = policy_create(
        graph, &(Options){.precision = "bf16-mixed", .precision_rules = rules, .precision_rule_count = 5});
    Ruling ruling = policy_rule_node(policy, node_of(graph, "MatMul"));
    assert_int_equal(ruling.precision, CLASS_LOWER);
    assert_string_equal(ruling.rule, "--lower node:/encoder/product");
    assert_true(ruling.by_rule);
    ruling = policy_rule_node(policy, node_of(graph, "Softmax"));
    assert_int_equal(ruling.precision, CLASS_KEEP);
    assert_string_equal(ruling.rule, "--keep-fp32 node:/encoder/*");
    ruling = policy_rule_node(policy, node_of(graph, "GeluErf")); /* by its ONNX name */
    assert_int_equal(ruling.precision, CLASS_LOWER);
    ruling = policy_rule_node(policy, node_of(graph, "Relu"));
    assert_int_equal(ruling.precision, CLASS_FOLLOW);
    assert_string_equal(ruling.rule, "policy pcc: Relu follows its input");
    assert_false(ruling.by_rule);
    policy_finish(policy, graph);
    assert_string_equal(messages(fixture), "");
}

static void tensors_answer_to_their_names_and_outputs_to_theirs(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, model);
    const char *const rules[] = {"keep tensor:encoder.*", "lower tensor:logits"};
    Policy *policy = policy_create(
        graph, &(Options){.precision = "bf16-mixed", .precision_rules = rules, .precision_rule_count = 2});
    Ruling ruling;
    graph->output_names[0] = "logits";
    assert_true(policy_rule_tensor(policy, graph->values[1], &ruling));
    assert_int_equal(ruling.precision, CLASS_KEEP);
    assert_true(policy_rule_tensor(policy, graph->values[6], &ruling));
    assert_int_equal(ruling.precision, CLASS_LOWER);
    assert_string_equal(ruling.rule, "--lower tensor:logits");
    assert_false(policy_rule_tensor(policy, graph->values[3], &ruling));
}

static void a_rule_that_matches_nothing_names_the_nearest(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, model);
    const char *const rules[] = {"keep op:Softmx", "lower node:/head/rel", "keep tensor:encoder.v",
                                 "keep tensor:encoder.w", "keep op:NothingLikeIt"};
    Policy *policy = policy_create(
        graph, &(Options){.precision = "bf16-mixed", .precision_rules = rules, .precision_rule_count = 5});
    for (const Node *node = graph->first; node; node = node->next)
        policy_rule_node(policy, node);
    policy_finish(policy, graph);
    assert_message(fixture, "--keep-fp32 op:Softmx matches nothing; did you mean 'Softmax'? [-Wrule-matches-nothing]");
    assert_also(fixture, "--lower node:/head/rel matches nothing; did you mean '/head/relu'?");
    assert_also(fixture, "--keep-fp32 tensor:encoder.v matches nothing; did you mean 'encoder.w'?");
    assert_also(fixture, "--keep-fp32 op:NothingLikeIt matches nothing; the model has MatMul Softmax Gelu Relu [");
    assert_int_equal(fixture->diagnostics.warning_count, 4);
}

/* ---- files ---- */

static void a_file_has_a_policy_beneath_its_rules_and_the_command_line_above(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, model);
    TextFile inner = file_of("lower op:Relu\n");
    TextFile file = file_of(arena_printf(fixture->arena,
                                         "# softmax as on the CPU\n\ninclude torch-cpu\r\n"
                                         "\tkeep  node:/head/#1  # a name with a hash, and one with blanks\n"
                                         "keep node:the last layer\n"
                                         "include %s\nkeep op:Gelu",
                                         strrchr(inner.path, '/') + 1)); /* beside this file */
    const char *const rules[] = {"lower op:Gelu"};
    graph->last->origin.node = "/head/#1";
    Policy *policy = policy_create(graph, &(Options){.precision = "bf16-mixed",
                                                     .policy = file.path,
                                                     .precision_rules = rules,
                                                     .precision_rule_count = 1});
    unlink(file.path);
    unlink(inner.path);
    assert_string_equal(policy_rule_node(policy, node_of(graph, "Softmax")).rule,
                        "policy torch-cpu: Softmax follows its input");
    assert_string_equal(policy_rule_node(policy, node_of(graph, "GeluErf")).rule, "--lower op:Gelu");
    Ruling relu = policy_rule_node(policy, node_of(graph, "Relu"));
    assert_int_equal(relu.precision, CLASS_LOWER);
    assert_string_equal(relu.rule, arena_printf(fixture->arena, "%s:1: lower op:Relu", inner.path));
    graph->last->origin.node = "the last layer";
    relu = policy_rule_node(policy, node_of(graph, "Relu"));
    assert_int_equal(relu.precision, CLASS_LOWER); /* the included file comes later */
    policy_finish(policy, graph);
    assert_string_equal(messages(fixture), "");
}

/* message: what follows the file's path. */
static void assert_refused(Fixture *fixture, const char *text, const char *message)
{
    TextFile file = file_of(text);
    Graph *graph = parsed(fixture, model);
    fixture->diagnostics.error_count = 0;
    ASSERT_LEAVES(fixture, EXIT_STATUS_USAGE,
                  policy_create(graph, &(Options){.precision = "bf16-mixed", .policy = file.path}));
    unlink(file.path);
    assert_message(fixture, arena_printf(fixture->arena, "%s%s", file.path, message));
}

static void wrong_files_are_told_with_their_line(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"\n\nkep op:Softmax", ":3: 'kep' is no rule; did you mean 'keep'? It is one of keep lower include"},
        {"keep", ":1: 'keep' needs an operand: op:GLOB, node:GLOB or tensor:GLOB"},
        {"lower Softmax", ":1: 'Softmax' is not op:GLOB, node:GLOB or tensor:GLOB, as in op:Softmax"},
        {"lower op:", ":1: 'op:' is not op:GLOB"},
        {"include torch-cdua", ":1: no policy 'torch-cdua'; did you mean 'torch-cuda'?"},
        {"keep op:Relu\ninclude apex-O1", ":2: include apex-O1 would overrule what stands before it"},
        {"include pcc\ninclude apex-O1", ":2: include apex-O1 would overrule"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(*state, cases[i].text, cases[i].message);
}

static void files_that_cannot_be_read_or_include_themselves_end(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, model);
    ASSERT_LEAVES(fixture, EXIT_STATUS_IO,
                  policy_create(graph, &(Options){.precision = "bf16-mixed", .policy = "/no/such.rules"}));
    assert_message(fixture, "cannot read the policy file '/no/such.rules'");
    fixture->diagnostics.error_count = 0;
    ASSERT_LEAVES(fixture, EXIT_STATUS_IO, policy_create(graph, &(Options){.precision = "16-true", .policy = "/tmp"}));
    TextFile file = file_of("");
    FILE *stream = fopen(file.path, "w");
    fprintf(stream, "include %s\n", file.path);
    fclose(stream);
    fixture->diagnostics.error_count = 0;
    ASSERT_LEAVES(fixture, EXIT_STATUS_USAGE,
                  policy_create(graph, &(Options){.precision = "bf16-mixed", .policy = file.path}));
    unlink(file.path);
    assert_message(fixture, "policy files include each other more than 16 deep");
}

/* ---- warnings ---- */

static const char *warnings_of(Fixture *fixture, const char *text, const Options *options)
{
    const size_t before = strlen(messages(fixture));
    precision_warnings(parsed(fixture, text), options);
    return messages(fixture) + before;
}

static void constants_are_held_against_the_range_of_f16(void **state)
{
    Fixture *fixture = *state;
    static const char form[] = "graph \"g\" stage \"autocast\"\n"
                               "const %%0 \"mask\" : f32[4] = {0x0p+0, %s, %s, 0x1p+0}\n"
                               "%%1 : %s[4] = Cast(%%0) {to=%d} @ \"/mask\" \"Add\"\n"
                               "output %%1\n";
    const Options options = {.precision = "16-mixed", .optimizer = "adamw"};
    /* 65519 rounds to 65504, 65520 to infinity; 2^-25 to 0, what is above it to 2^-24 */
    assert_string_equal(
        warnings_of(fixture, arena_printf(fixture->arena, form, "0x1.ffdep+15", "0x1.000002p-25", "f16", 10), &options),
        "");
    assert_non_null(
        strstr(warnings_of(fixture, arena_printf(fixture->arena, form, "-0x1.ffep+15", "inf", "f16", 10), &options),
               "node '/mask' (Add): 1 of the 4 elements of constant 'mask', such as -65520, become infinite in f16 "
               "[-Wf16-constant-overflow]"));
    assert_non_null(
        strstr(warnings_of(fixture, arena_printf(fixture->arena, form, "-0x1p-25", "0x1p-30", "f16", 10), &options),
               "2 of the 4 elements of constant 'mask', such as -2.98023e-08, become 0 in f16"));
    assert_string_equal(
        warnings_of(fixture, arena_printf(fixture->arena, form, "-0x1p+30", "0x1p-30", "bf16", 16), &options), "");
    static const char weight[] = "graph \"g\" stage \"autocast\"\n"
                                 "param %0 \"w\" : f32[2] = {0x1p+17, 0x1p-30}\n"
                                 "%1 : f16[2] = Cast(%0) {to=10}\n"
                                 "output %1\n";
    const char *got = warnings_of(fixture, weight, &options);
    assert_non_null(strstr(got, "1 of the 2 elements of parameter 'w', such as 131072, become infinite in f16"));
    assert_null(strstr(got, "vanishes"));
    /* a literal is read in f32, and what it is added to is rounded */
    static const char literal[] = "graph \"g\" stage \"autocast\"\n"
                                  "input %%0 \"x\" : f16[2]\n"
                                  "const %%1 : f32[] = {%s}\n"
                                  "%%2 : f16[2] = %s(%%0, %%1)\n"
                                  "output %%2\n";
    assert_non_null(strstr(warnings_of(fixture, arena_printf(fixture->arena, literal, "0x1p-30", "Add"), &options),
                           "the result is stored in f16, where 9.31323e-10 becomes 0 [-Wf16-constant-vanishes]"));
    assert_string_equal(warnings_of(fixture, arena_printf(fixture->arena, literal, "0x1p+30", "Mul"), &options), "");
}

static void sums_are_held_against_the_significand(void **state)
{
    Fixture *fixture = *state;
    static const char form[] = "graph \"g\" stage \"autocast\"\n"
                               "input %%0 \"x\" : %s[3,%d]\n"
                               "const %%1 : i64[1] = {1}\n"
                               "%%2 : %s[3,1] = ReduceSum(%%0, %%1) {keepdims=1} @ \"/sum\" \"ReduceSum\"\n"
                               "output %%2\n";
    const Options options = {.precision = "bf16-mixed", .optimizer = "adamw"};
    static const struct {
        const char *dtype;
        int count;
        bool warns;
    } cases[] = {
        {"bf16", 256, false}, {"bf16", 257, true}, {"f16", 2048, false}, {"f16", 2049, true}, {"f32", 4096, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = arena_printf(fixture->arena, form, cases[i].dtype, cases[i].count, cases[i].dtype);
        const char *got = warnings_of(fixture, text, &options);
        assert_int_equal(strstr(got, "sum-of-many-16-bit") != NULL, cases[i].warns);
    }
    /* rounded by the sum itself, or for a reader of it */
    static const char rounded[] = "graph \"g\" stage \"autocast\"\n"
                                  "input %%0 \"x\" : f32[3,4096]\n"
                                  "const %%1 : i64[1] = {1}\n"
                                  "%%2 : f32[3,1] = ReduceSum(%%0, %%1) {keepdims=1} @ \"/sum\" \"ReduceSum\"\n"
                                  "%%3 : bf16[3,1] = Cast(%%2) {to=16} @ \"%s\" \"ReduceSum\"\n"
                                  "output %%3\n";
    assert_non_null(strstr(warnings_of(fixture, arena_printf(fixture->arena, rounded, "/sum"), &options),
                           "the sum of 4096 elements is stored in bf16"));
    assert_string_equal(warnings_of(fixture, arena_printf(fixture->arena, rounded, "/product"), &options), "");
}

/* bf16: half an ulp of [0.5, 1) is 2^-9 = 0.00195, of [0.25, 0.5) 2^-10 < 0.001. */
static void updates_are_held_against_the_weights(void **state)
{
    Fixture *fixture = *state;
    static const char form[] = "graph \"g\" stage \"autocast\"\n"
                               "param %%0 \"w\" : bf16[4] = {%s, %s, 0x0p+0, 0x1p-3}\n"
                               "%%1 : bf16[4] = Relu(%%0)\n"
                               "output %%1\n";
    Options options = {.precision = "bf16-true", .optimizer = "adamw", .update = "nearest"};
    const char *stuck = arena_printf(fixture->arena, form, "-0x1p-1", "0x1.fp+3");
    assert_non_null(strstr(warnings_of(fixture, stuck, &options),
                           "a step of 0.001 rounds to nothing in 50.0 % of the weights; choose --update stochastic"));
    assert_string_equal(warnings_of(fixture, arena_printf(fixture->arena, form, "0x1.fp-2", "-0x1p-2"), &options), "");
    options.update = "stochastic";
    assert_string_equal(warnings_of(fixture, stuck, &options), "");
    options.update = "nearest";
    options.optimizer = "sgd"; /* its step is as large as the gradient */
    assert_string_equal(warnings_of(fixture, stuck, &options), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_have_the_dtypes_of_the_specification),
        cmocka_unit_test(lists_name_operators_that_exist),
        cmocka_unit_test(policies_give_the_classes_of_their_originals),
        cmocka_unit_test(the_option_wins_over_the_policy_and_that_over_the_mode),
        TEST_WITH_FIXTURE(the_last_rule_that_matches_decides),
        TEST_WITH_FIXTURE(tensors_answer_to_their_names_and_outputs_to_theirs),
        TEST_WITH_FIXTURE(a_rule_that_matches_nothing_names_the_nearest),
        TEST_WITH_FIXTURE(a_file_has_a_policy_beneath_its_rules_and_the_command_line_above),
        TEST_WITH_FIXTURE(wrong_files_are_told_with_their_line),
        TEST_WITH_FIXTURE(files_that_cannot_be_read_or_include_themselves_end),
        TEST_WITH_FIXTURE(constants_are_held_against_the_range_of_f16),
        TEST_WITH_FIXTURE(sums_are_held_against_the_significand),
        TEST_WITH_FIXTURE(updates_are_held_against_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
