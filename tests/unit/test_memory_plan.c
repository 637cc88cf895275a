/* test_memory_plan.c: no two values of a step lie in the same bytes while both are needed.
 *
 * The schedule is walked as the program would run it, with a note at every byte of the arena of whose it is: what a
 * node reads must still be there, and it may write over one of its own inputs only where its kernel may. Nothing here
 * knows of the planner's intervals. */
#include "ir_fixture.h"

#include "frontend/commands/driver.h"
#include "passes/view.h"

enum { GARBAGE = -1, NOBODY = -2 };

typedef struct Byte {
    int owner;         /* the id of the value whose buffer it is */
    int read, written; /* the last positions at which a node did */
    uint64_t operands; /* that read it at position `read`: bit i for input i */
} Byte;

typedef struct Walk {
    Graph *graph;
    const MemoryPlan *plan;
    Byte *bytes;
    int64_t count;
    int position; /* of the present node, from 1 */
    const char *problem;
    const Node *at; /* where the problem is */
} Walk;

static void complain(Walk *walk, const Node *node, const char *problem)
{
    if (!walk->problem)
        walk->problem = problem, walk->at = node;
}

/* Calls visit for the bytes of every element of the value's window, where that lies in the arena. */
static void each_element(Walk *walk, const Node *node, Value *value, int operand,
                         void (*visit)(Walk *walk, const Node *node, int root, int64_t first, int64_t bytes,
                                       int operand))
{
    const View window = window_of(value);
    const int64_t base = walk->plan->offset[window.base->id], width = dtype_info[value->type.dtype].bytes;
    int64_t index[MAX_RANK] = {0};
    for (int64_t i = 0, count = base < 0 ? 0 : element_count(&value->type); i < count; i++) {
        int64_t element = window.offset;
        for (int axis = 0; axis < value->type.rank; axis++)
            element += index[axis] * window.strides[axis];
        const int64_t first = base + element * width;
        if (first < 0 || first + width > walk->count)
            complain(walk, node, "an element lies outside the arena");
        else
            visit(walk, node, window.base->id, first, width, operand);
        for (int axis = value->type.rank - 1; axis >= 0 && ++index[axis] == value->type.dims[axis]; axis--)
            index[axis] = 0;
    }
}

static void read_bytes(Walk *walk, const Node *node, int root, int64_t first, int64_t bytes, int operand)
{
    for (int64_t i = first; i < first + bytes; i++) {
        Byte *byte = &walk->bytes[i];
        if (byte->owner != root)
            complain(walk, node, "an input is gone before it is read");
        byte->operands = (byte->read == walk->position ? byte->operands : 0) | (uint64_t)1 << operand;
        byte->read = walk->position;
    }
}

/* `operand`: the input that this output may lie on, -1: none. */
static void write_bytes(Walk *walk, const Node *node, int root, int64_t first, int64_t bytes, int operand)
{
    for (int64_t i = first; i < first + bytes; i++) {
        Byte *byte = &walk->bytes[i];
        if (byte->written == walk->position)
            complain(walk, node, "two results lie in one place");
        if (byte->read == walk->position && (operand < 0 || byte->operands != (uint64_t)1 << operand))
            complain(walk, node, "a result lies on an input that is still read");
        byte->owner = root;
        byte->written = walk->position;
    }
}

static void use_scratch(Walk *walk, const Node *node)
{
    const int64_t first = walk->plan->scratch_offset[node->id], bytes = node_scratch_bytes(&target_c, node);
    for (int64_t i = first; bytes > 0 && i < first + bytes; i++) {
        if (i < 0 || i >= walk->count) {
            complain(walk, node, "scratch lies outside the arena");
            return;
        }
        if (walk->bytes[i].read == walk->position || walk->bytes[i].written == walk->position)
            complain(walk, node, "scratch lies on an operand");
        walk->bytes[i].owner = GARBAGE;
    }
}

/* Loops and epilogues read an element before they write the same one; kernels say so in their row. */
static bool may_lie_on(const Node *node, int operand, const Value *output)
{
    Value *in = node->inputs[operand];
    const View window = window_of(in);
    if (!is_dense(&in->type, window.strides) || type_bytes(&in->type) != type_bytes(&output->type))
        return false;
    if (strcmp(node->op->name, "Fused") == 0)
        return same_type(&in->type, &output->type);
    if (node->body && operand >= node->input_count - (node->body->input_count - 1))
        return same_type(&in->type, &output->type);
    return output == node->outputs[0] && kernel_aliases(&target_c, node, operand);
}

static int64_t arena_start(const Walk *walk, Value *value)
{
    const View window = window_of(value);
    const int64_t base = walk->plan->offset[window.base->id];
    return base < 0 ? -1 : base + window.offset * dtype_info[value->type.dtype].bytes;
}

static int operand_beneath(const Walk *walk, const Node *node, Value *output)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && arena_start(walk, output) >= 0 &&
            arena_start(walk, node->inputs[i]) == arena_start(walk, output) && may_lie_on(node, i, output))
            return i;
    return -1;
}

static void run_node(Walk *walk, const Node *node)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            each_element(walk, node, node->inputs[i], i, read_bytes);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            each_element(walk, node, node->outputs[i], operand_beneath(walk, node, node->outputs[i]), write_bytes);
    use_scratch(walk, node);
}

/* Behind the node. */
static void read_outputs(Walk *walk, const Node *node)
{
    walk->position++;
    for (int i = 0; i < walk->graph->output_count; i++)
        each_element(walk, node, walk->graph->outputs[i], 0, read_bytes);
    walk->position--;
}

/* The problem, or NULL. */
static const char *find_overlap(Graph *graph, const MemoryPlan *plan)
{
    Walk walk = {.graph = graph, .plan = plan, .count = plan->arena_bytes};
    walk.bytes = test_calloc((size_t)walk.count + 1, sizeof *walk.bytes);
    for (int64_t i = 0; i < walk.count; i++)
        walk.bytes[i].owner = NOBODY;
    for (Node *node = graph->first; node; node = node->next) {
        walk.position++;
        if (!is_view_node(node)) /* nothing runs: the output is a window of what is there */
            run_node(&walk, node);
        if (walk.position - 1 == plan->outputs_made)
            read_outputs(&walk, node);
    }
    if (plan->outputs_made < 0)
        read_outputs(&walk, graph->last);
    walk.position++;
    if (graph->loss)
        each_element(&walk, graph->last, graph->loss, 0, read_bytes);
    test_free(walk.bytes);
    if (walk.problem)
        return arena_printf(graph->arena, "node '%s' (%s), %%%d: %s", walk.at->origin.node ? walk.at->origin.node : "",
                            walk.at->op->name, walk.at->outputs[0] ? walk.at->outputs[0]->id : -1, walk.problem);
    return NULL;
}

/* ---- over the models ----------------------------------------------------------------------------------------------
 */

static const char *const models[][4] = {
    {"bert"},        {"cnn_bn"},    {"gcn"},  {"gpt2", "--loss", "causal-lm"}, {"mlp", "--batch", "3"},
    {"resnet_eval"}, {"resnet_ts"}, {"unet"}, {"vit_dynamo", "--batch", "2"},  {"vit_loss"},
    {"vit_ts"},
};

static const char *const modes[][5] = {
    {"--precision", "32-true"},
    {"--precision", "bf16-mixed"},
    {"--precision", "16-true", "--recompute", "all"},
    {"--precision", "32-true", "--accumulate", "2"},
};

enum { MODELS = sizeof models / sizeof *models, MODES = sizeof modes / sizeof *modes };

typedef struct Checked {
    Compilation compilation; /* first: the body is given its address */
    void (*check)(Compilation *c, Graph *graph, MemoryPlan *plan);
} Checked;

static void compile_and_check(Compilation *c)
{
    parse_command_line(c->arena, &c->diagnostics, COMMAND_COMPILE, c->argc, c->argv, &c->line);
    import_model(c);
    run_passes(c);
    Graph *const graphs[] = {c->program.train, c->program.evaluate};
    for (int i = 0; i < 2; i++) {
        MemoryPlan plan = plan_memory(graphs[i], &target_c);
        ((Checked *)c)->check(c, graphs[i], &plan);
    }
}

static void check_model(int model, int mode, void (*check)(Compilation *c, Graph *graph, MemoryPlan *plan))
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/model.onnx", PCC_MODEL_DATA, models[model][0]);
    char *argv[16] = {"pcc", path};
    Checked checked = {.compilation = {.argc = 2, .argv = argv}, .check = check};
    int *argc = &checked.compilation.argc;
    for (int i = 1; i < 4 && models[model][i]; i++)
        argv[(*argc)++] = (char *)(uintptr_t)models[model][i];
    for (int i = 0; i < 5 && modes[mode][i]; i++)
        argv[(*argc)++] = (char *)(uintptr_t)modes[mode][i];
    assert_int_equal(run_compilation(&checked.compilation, compile_and_check), EXIT_STATUS_OK);
}

static void fail_on_overlap(Compilation *c, Graph *graph, MemoryPlan *plan)
{
    const char *problem = find_overlap(graph, plan);
    if (problem)
        fail_msg("%s at %s, %s: %s", c->line.model, c->line.precision, graph == c->program.train ? "train" : "evaluate",
                 problem);
}

static void test_no_live_buffers_overlap(void **state)
{
    (void)state;
    for (int model = 0; model < MODELS; model++)
        for (int mode = 0; mode < MODES; mode++)
            check_model(model, mode, fail_on_overlap);
}

/* ---- the check itself ---------------------------------------------------------------------------------------------
 */

static bool is_buffer(const Graph *graph, const MemoryPlan *plan, int id)
{
    const Value *value = graph->values[id];
    return value && !value->view.base && plan->offset[id] >= 0 && plan->first_use[id] >= 0;
}

/* The output lies at 0 while it is in use: nothing that is in use then may lie there as well. */
static void find_every_move(Compilation *c, Graph *graph, MemoryPlan *plan)
{
    (void)c;
    int moved = 0;
    const int output = window_of(graph->outputs[0]).base->id;
    assert_int_equal(plan->offset[output], 0);
    for (int id = 0; id < graph->value_count; id++) {
        if (!is_buffer(graph, plan, id) || id == output || plan->last_use[id] < plan->first_use[output] ||
            plan->first_use[id] >= plan->last_use[output])
            continue;
        const int64_t right = plan->offset[id];
        plan->offset[id] = 0;
        if (!find_overlap(graph, plan))
            fail_msg("%%%d lies on the output, and that is not seen", id);
        plan->offset[id] = right;
        moved++;
    }
    assert_true(moved > 0);
    assert_null(find_overlap(graph, plan));
}

static void test_a_buffer_on_another_is_found(void **state)
{
    (void)state;
    check_model(4, 0, find_every_move); /* the mlp */
    check_model(1, 1, find_every_move); /* the cnn, with a kernel that needs scratch */
}

static void find_scratch(Compilation *c, Graph *graph, MemoryPlan *plan)
{
    int moved = 0;
    for (const Node *node = graph->first; node; node = node->next) {
        const Value *output = node->outputs[0];
        if (plan->scratch_offset[node->id] < 0 || !output || plan->offset[output->id] < 0)
            continue;
        const int64_t right = plan->scratch_offset[node->id];
        plan->scratch_offset[node->id] = plan->offset[output->id];
        assert_non_null(find_overlap(graph, plan));
        plan->scratch_offset[node->id] = right;
        moved++;
    }
    assert_true(moved > 0 || graph == c->program.evaluate);
}

static void test_scratch_on_a_result_is_found(void **state)
{
    (void)state;
    check_model(0, 0, find_scratch); /* bert: attention */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_live_buffers_overlap),
        cmocka_unit_test(test_a_buffer_on_another_is_found),
        cmocka_unit_test(test_scratch_on_a_result_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
