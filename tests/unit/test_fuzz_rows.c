/* test_fuzz_rows.c: random nodes of every row: what inference accepts must evaluate, and compile with its gradient;
 * what it refuses must say why. FUZZ_SEED and FUZZ_COUNT choose other nodes. */
#include "ir_fixture.h"

#include "codegen/codegen.h"
#include "ir/schema.h"

enum { DEFAULT_COUNT = 12000, MAX_OPERANDS = 12, MAX_ELEMENTS = 4096 };

static uint64_t state_of_generator;

static uint64_t random_bits(void)
{
    uint64_t x = state_of_generator += 0x9e3779b97f4a7c15u; /* SplitMix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int64_t random_below(int64_t count)
{
    return (int64_t)(random_bits() % (uint64_t)count);
}

static bool chance(int percent)
{
    return random_below(100) < percent;
}

static Type random_type(Dtype dtype)
{
    static const int64_t sizes[] = {1, 1, 2, 2, 3, 3, 4, 5, 0};
    Type type = {.dtype = dtype, .rank = (int)random_below(chance(5) ? MAX_RANK + 1 : 5)};
    for (int i = 0; i < type.rank; i++)
        type.dims[i] = sizes[random_below(sizeof sizes / sizeof *sizes)];
    return type;
}

static Dtype random_dtype(char kind)
{
    static const Dtype floats[] = {DTYPE_F32, DTYPE_F32, DTYPE_F64, DTYPE_F16};
    static const Dtype ints[] = {DTYPE_I64, DTYPE_I64, DTYPE_I32, DTYPE_U8};
    if (kind == 'b' || chance(4))
        return DTYPE_BOOL;
    if (kind == 'i' || (kind != 'f' && chance(30)) || chance(3))
        return ints[random_below(4)];
    return floats[kind == 'f' ? 0 : random_below(4)];
}

static int64_t random_integer(void)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MAX, INT32_MAX, -1000000, (int64_t)1 << 40};
    return chance(3) ? extremes[random_below(5)] : random_below(8) - (chance(50) ? 0 : 3);
}

static void *random_contents(Graph *graph, const Type *type)
{
    Tensor tensor = tensor_alloc(graph->arena, *type);
    for (int64_t i = 0, count = element_count(type); i < count; i++)
        if (tensor.f)
            tensor.f[i] = (double)(random_below(2001) - 1000) / 500;
        else
            tensor.i[i] = type->dtype == DTYPE_BOOL ? random_below(2) : random_integer();
    return tensor_to_data(graph->arena, &tensor);
}

/* Most operands have the shape of the first, or nothing would pass inference. */
static Value *random_operand(Graph *graph, const OperandSpec *spec, Type *common)
{
    Dtype dtype = spec->kind == 0 && common->rank >= 0 && chance(80) ? common->dtype : random_dtype(spec->kind);
    Type type = random_type(dtype);
    if (spec->is_static && chance(80))
        type.rank = 1;
    else if (common->rank >= 0 && chance(60))
        type = make_type(dtype, common->rank, common->dims);
    if (common->rank < 0)
        *common = type;
    ValueKind kind = (spec->is_static && chance(97)) || chance(10) ? VALUE_CONST
                     : is_float(dtype)                             ? VALUE_PARAM
                                                                   : VALUE_INPUT;
    Value *value = value_create(graph, kind, type, arena_printf(graph->arena, "v%d", graph->value_count));
    value->data = kind == VALUE_INPUT ? NULL : random_contents(graph, &type);
    if (kind == VALUE_INPUT)
        graph_add_input(graph, value);
    return value;
}

static const char *random_word(Arena *arena, const AttrSpec *spec)
{
    static const char *const words[] = {"linear", "nearest", "cubic",     "constant", "reflect", "edge",  "SAME_UPPER",
                                        "VALID",  "mean",    "sum",       "none",     "add",     "max",   "min",
                                        "mul",    "tanh",    "ij,jk->ik", "DCR",      "CRD",     "floor", ""};
    if (spec->fallback && chance(50))
        return arena_strndup(arena, spec->fallback, (size_t)spec->fallback_length);
    return words[random_below(sizeof words / sizeof *words)];
}

static void random_attribute(Graph *graph, Node *node, const AttrSpec *spec)
{
    const char *name = arena_strndup(graph->arena, spec->name, (size_t)spec->length);
    int count = (int)random_below(5);
    int64_t *ints = NEW_ARRAY(graph->arena, int64_t, count + 1);
    double *floats = NEW_ARRAY(graph->arena, double, count + 1);
    for (int i = 0; i < count; i++) {
        ints[i] = random_integer();
        floats[i] = (double)random_integer() / 2;
    }
    switch (spec->kind) {
    case ATTR_INT:
        set_int(graph, node, name, random_integer());
        break;
    case ATTR_FLOAT:
        set_float(graph, node, name, (double)random_integer() / 2);
        break;
    case ATTR_STRING:
        set_string(graph, node, name, random_word(graph->arena, spec));
        break;
    case ATTR_INTS:
        set_ints(graph, node, name, count, ints);
        break;
    case ATTR_FLOATS:
        set_floats(graph, node, name, count, floats);
        break;
    }
}

static Node *random_node(Graph *graph, const Op *op)
{
    Value *operands[MAX_OPERANDS];
    const char *cursor = op->inputs;
    OperandSpec spec;
    AttrSpec attribute;
    Type common = {.rank = -1};
    int count = 0;
    while (next_operand(&cursor, &spec))
        for (int64_t copies = spec.is_variadic ? 1 + random_below(3) : 1; copies > 0 && count < MAX_OPERANDS;
             copies--) {
            bool absent = spec.optional ? chance(40) : chance(1);
            bool repeated = count > 0 && operands[0] && !spec.is_static && chance(10);
            operands[count] = absent ? NULL : repeated ? operands[0] : random_operand(graph, &spec, &common);
            count++;
        }
    int outputs = operand_spec_count(op->outputs);
    Node *node = node_create(graph, op, count, operands, chance(98) ? outputs : 1);
    cursor = op->attributes;
    while (next_attr(&cursor, &attribute))
        if (attribute.required ? chance(98) : chance(35))
            random_attribute(graph, node, &attribute);
    return node;
}

static bool is_small(const Node *node)
{
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] && element_count(&node->outputs[i]->type) > MAX_ELEMENTS)
            return false;
    return true;
}

static void evaluate(Graph *graph, const Node *node)
{
    Tensor *tensors = NEW_ARRAY(graph->arena, Tensor, graph->value_count);
    for (int i = 0; i < graph->input_count; i++) {
        const Value *value = graph->inputs[i];
        tensors[value->id] = tensor_from_data(graph->arena, &value->type, random_contents(graph, &value->type));
    }
    evaluate_graph(graph, tensors);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i]) {
            Tensor output = evaluated_tensor(graph, tensors, node->outputs[i]);
            if (!same_type(&output.type, &node->outputs[i]->type))
                internal_error(graph->diagnostics, node->origin, "output %d is %s, inferred %s", i,
                               type_text(graph->arena, &output.type), type_text(graph->arena, &node->outputs[i]->type));
        }
}

static Declaration every_initializer_learns(void *context, const char *name)
{
    (void)context, (void)name;
    return (Declaration){DECLARED_PARAMETER, NULL};
}

/* The mean of the node's first float output and a parameter of its own is the loss. */
static void compile(Graph *graph, const Node *node)
{
    static const float one = 1;
    const int64_t axes[] = {0, 1, 2, 3, 4, 5, 6, 7};
    Value *loss = value_create(graph, VALUE_PARAM, scalar_type(DTYPE_F32), "anchor");
    loss->data = &one;
    for (int i = 0; i < node->output_count; i++) {
        Value *output = node->outputs[i];
        if (!output || !is_float(output->type.dtype))
            continue;
        Value *wide = build_cast(graph, output, DTYPE_F32);
        loss = build_add(graph, loss, build_reduce_sum(graph, wide, wide->type.rank, axes, false));
        break;
    }
    graph_add_output(graph, loss);
    graph->output_names[0] = "loss";
    const Options options = {.target = &target_c,
                             .precision = "32-true",
                             .loss = LOSS_OUTPUT,
                             .optimizer = "sgd",
                             .accumulate = 1,
                             .verify = true,
                             .declared = every_initializer_learns};
    const EmitOptions emit = {
        .model_path = "fuzz", .command_line = "", .source_name = "f.c", .weights_name = "f.w", .library = true};
    Program program = run_pipeline(graph, &options);
    assert_non_null(emit_program(&program, &options, &emit).text);
}

typedef enum Outcome { REFUSED, TOO_LARGE, ACCEPTED } Outcome;

/* Internal rows get their operands from pcc and from .ir files: these must not crash either, but nothing compiles. */
static Outcome try_row(Fixture *fixture, const Op *op, const char **text)
{
    Graph *graph = graph_create(fixture->arena, &fixture->diagnostics, "fuzz");
    Node *node = random_node(graph, op);
    *text = printed(fixture, graph, 8);
    if (!infer_node(graph, node))
        return REFUSED;
    if (!is_small(node))
        return TOO_LARGE;
    evaluate(graph, node);
    if (!op->internal && op->kind != OP_STATIC) /* which the importer folds */
        compile(graph, node);
    return ACCEPTED;
}

/* One node in an arena of its own. True when inference took it. */
static bool fuzz_once(uint64_t seed)
{
    void *holder = NULL;
    fixture_setup(&holder);
    Fixture *fixture = holder;
    static const char *text; /* survives the jump back */
    text = NULL;
    volatile Outcome outcome = REFUSED; /* by inference, or by a jump out of a later step */
    state_of_generator = seed * 0x2545f4914f6cdd1du;
    const Op *op = op_at((int)random_below(op_count()));
    fixture->diagnostics.can_recover = true;
    if (setjmp(fixture->diagnostics.recover) == 0)
        outcome = try_row(fixture, op, &text);
    if (fixture->diagnostics.status == EXIT_STATUS_INTERNAL)
        fail_msg("FUZZ_SEED=%llu, %s: %s%s", (unsigned long long)seed, op->name, messages(fixture), text ? text : "");
    if (outcome == REFUSED && messages(fixture)[0] == '\0')
        fail_msg("FUZZ_SEED=%llu, %s: refused without a message: %s", (unsigned long long)seed, op->name, text);
    fixture_teardown(&holder);
    return outcome == ACCEPTED;
}

static uint64_t from_environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : fallback;
}

static void random_nodes_never_crash(void **state)
{
    (void)state;
    uint64_t first = from_environment("FUZZ_SEED", 1), count = from_environment("FUZZ_COUNT", DEFAULT_COUNT);
    uint64_t accepted = 0;
    for (uint64_t i = 0; i < count; i++)
        accepted += fuzz_once(first + i);
    if (count >= DEFAULT_COUNT)
        assert_true(accepted > count / 10); /* else the generator tests nothing but messages */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_nodes_never_crash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
