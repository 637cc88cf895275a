/* onnx_control.c: control flow that is known when the model is compiled: If on a constant, Loop and Scan of a static
 * number of iterations, which are unrolled. */
#include <inttypes.h>
#include <string.h>

#include "frontend/import/onnx_control.h"
#include "ir/text/words.h"

static const GraphProto *subgraph(const Control *control, const char *name)
{
    const AttributeProto *attribute = control_attribute(control, name);
    if (!attribute || !attribute->g) {
        fatal(control->import->diagnostics, EXIT_STATUS_INPUT, control->origin, "the attribute '%s' is missing", name);
    }
    return attribute->g;
}

/* Which of a subgraph's results are needed: the first `states` are, the others where the node's output is that they
 * become, from output `output` on. */
static const bool *wanted_results(const Control *control, const GraphProto *graph, size_t states, size_t output)
{
    bool *wanted = NEW_ARRAY(control->import->arena, bool, graph->n_output + 1);
    for (size_t i = 0; i < graph->n_output; i++) {
        wanted[i] = i < states || is_needed(&control->scope->needed, node_output(control->node, output + i - states));
    }
    return wanted;
}

/* Refuses what depends on a value that is not known; an input that it comes from can be bound. */
static bool refuse_unknown(const Control *control, const char *what, const Value *value)
{
    const Import *import = control->import;
    const Value *source = value && !is_poisoned(value) ? feeding_input(import->graph, value) : NULL;
    const char *why = arena_printf(import->arena, "%s not known when the model is compiled", what);
    if (source) {
        why = arena_printf(import->arena, "%s: it depends on the input '%s'; give --bind %s=VALUE", why, source->name,
                           source->name);
    }
    return refuse_control(control, why);
}

/* ---- If ---- */

static bool import_if(const Control *control)
{
    Value *condition = node_input(control->import, control->scope, control->origin, control->node, 0);
    int64_t taken;
    if (!condition || !constant_scalar(control, condition, &taken)) {
        return refuse_unknown(control, "on a condition that is", condition);
    }
    const char *name = taken ? "then_branch" : "else_branch";
    const GraphProto *branch = subgraph(control, name);
    check_signature(control, branch, 0, control->node->n_output);
    Value **results = NEW_ARRAY(control->import->arena, Value *, branch->n_output + 1);
    import_body(control, branch_body(control, name, branch), branch, NULL, wanted_results(control, branch, 0, 0),
                results);
    for (size_t i = 0; i < branch->n_output; i++) {
        define_result(control->import, control->body, control->scope, control->node, i, results[i]);
    }
    return true;
}

/* ---- unrolling -------------------------------------------------------------------------------------------------- */

/* Values stacked or sliced along one axis, one per iteration. */
typedef struct Stack {
    Value **items;
    int count, capacity;
} Stack;

/* Only tensors stack; NULL stands for one that nobody needs. */
static void append(const Control *control, Stack *sequence, Value *value)
{
    Arena *arena = control->import->arena;
    if (value && !is_tensor(value)) {
        fatal(control->import->diagnostics, EXIT_STATUS_INPUT, control->origin,
              "the subgraph's results of each iteration must be tensors, but one is a sequence or an optional");
    }
    if (sequence->count == sequence->capacity) {
        int capacity = sequence->capacity ? 2 * sequence->capacity : 8;
        Value **larger = NEW_ARRAY(arena, Value *, capacity);
        for (int i = 0; i < sequence->count; i++) {
            larger[i] = sequence->items[i];
        }
        *sequence = (Stack){larger, sequence->count, capacity};
    }
    sequence->items[sequence->count++] = value;
}

/* [item 0, item 1, ...] along a new axis, or backwards; NULL where nobody needs it. */
static Value *stack(const Control *control, const Stack *sequence, int64_t axis, bool backwards)
{
    if (!sequence->items[0]) {
        return NULL;
    }
    Graph *graph = control->import->graph;
    Value **rows = NEW_ARRAY(control->import->arena, Value *, sequence->count);
    graph->origin = control->origin;
    for (int i = 0; i < sequence->count; i++) {
        Value *item = sequence->items[backwards ? sequence->count - 1 - i : i];
        Value *operands[] = {item, const_ints(graph, 1, &axis)};
        rows[i] = fold_value(control->import, build(graph, "Unsqueeze", 2, operands));
    }
    Node *concat = build_begin(graph, "Concat", sequence->count, rows, 1);
    set_int(graph, concat, "axis", axis);
    return fold_value(control->import, build_finish(graph, concat));
}

/* Loads the node's inputs from `first` on; false when one is absent. */
static bool load_inputs(const Control *control, size_t first, Value **values)
{
    for (size_t i = first; i < control->node->n_input; i++) {
        values[i - first] = node_input(control->import, control->scope, control->origin, control->node, i);
        if (!values[i - first]) {
            return false;
        }
    }
    return true;
}

static bool define_loop_results(const Control *control, size_t carried_count, Value *const *carried, size_t stack_count,
                                Value *const *stacked)
{
    for (size_t i = 0; i < carried_count; i++) {
        define_result(control->import, control->body, control->scope, control->node, i, carried[i]);
    }
    for (size_t i = 0; i < stack_count; i++) {
        define_result(control->import, control->body, control->scope, control->node, carried_count + i, stacked[i]);
    }
    return true;
}

/* One iteration of Loop: `values` are iteration, condition, carried...; `results` take condition, carried...,
 * scanned... False when one of these was refused. */
static bool iterate(const Control *control, const GraphProto *graph, int64_t iteration, size_t carried, Value **values,
                    Value **results, Stack *sequences)
{
    Arena *arena = control->import->arena;
    values[0] = scalar_constant(control->import, DTYPE_I64, iteration);
    values[1] = scalar_constant(control->import, DTYPE_BOOL, 1);
    spend_iteration(control);
    const char *suffix = arena_printf(arena, "%" PRId64 "/", iteration);
    const bool *wanted = wanted_results(control, graph, 1 + carried, carried);
    if (!import_subgraph(control, graph, suffix, values, wanted, results)) {
        return false;
    }
    for (size_t i = 0; i < carried; i++) {
        values[2 + i] = results[1 + i];
    }
    for (size_t i = 1 + carried; i < graph->n_output; i++) {
        append(control, &sequences[i - 1 - carried], results[i]);
    }
    return true;
}

/* Loop (trip count M?, condition?, carried...) */
static bool import_loop(const Control *control)
{
    const NodeProto *node = control->node;
    Import *import = control->import;
    const GraphProto *graph = subgraph(control, "body");
    size_t carried = node->n_input >= 2 ? node->n_input - 2 : 0;
    if (node->n_output < carried) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, control->origin, "Loop has fewer outputs than carried values");
    }
    size_t scanned = node->n_output - carried;
    check_signature(control, graph, 2 + carried, 1 + node->n_output);
    Value **values = NEW_ARRAY(import->arena, Value *, 2 + carried);
    Value *trips = node_input(import, control->scope, control->origin, node, 0);
    Value *condition = node_input(import, control->scope, control->origin, node, 1);
    int64_t trip_count = INT64_MAX, go_on = 1;
    bool known = (!trips || constant_scalar(control, trips, &trip_count)) &&
                 (!condition || constant_scalar(control, condition, &go_on));
    Stack *sequences = NEW_ARRAY(import->arena, Stack, scanned + 1);
    Value **results = NEW_ARRAY(import->arena, Value *, graph->n_output + 1);
    known = known && load_inputs(control, 2, values + 2);
    Value *unknown = trips && trip_count == INT64_MAX ? trips : condition;
    for (int64_t i = 0; known && go_on && i < trip_count; i++) {
        if (!iterate(control, graph, i, carried, values, results, sequences)) {
            return pass_poison_on(control, graph->n_output, results);
        }
        known = constant_scalar(control, results[0], &go_on);
        unknown = results[0];
    }
    if (!known || (scanned > 0 && sequences[0].count == 0)) {
        return refuse_unknown(control, "whose number of iterations is", unknown);
    }
    Value **stacked = NEW_ARRAY(import->arena, Value *, scanned + 1);
    for (size_t i = 0; i < scanned; i++) {
        stacked[i] = stack(control, &sequences[i], 0, false);
    }
    return define_loop_results(control, carried, values + 2, scanned, stacked);
}

/* Element i of an optional list of ints: axes and directions of Scan. */
static int64_t listed(const Control *control, const char *name, size_t i)
{
    const AttributeProto *attribute = control_attribute(control, name);
    return attribute && i < attribute->n_ints ? attribute->ints[i] : 0;
}

/* x[..., index, ...] along an axis, without it. */
static Value *slice_of(const Control *control, Value *x, int64_t axis, int64_t index)
{
    Graph *graph = control->import->graph;
    graph->origin = control->origin;
    Value *operands[] = {x, scalar_constant(control->import, DTYPE_I64, index)};
    Node *gather = build_begin(graph, "Gather", 2, operands, 1);
    set_int(graph, gather, "axis", axis);
    return fold_value(control->import, build_finish(graph, gather));
}

/* The common extent of the scanned inputs; -1 when they do not agree. */
static int64_t scan_extent(const Control *control, size_t scanned, Value *const *inputs, int64_t *axes)
{
    int64_t extent = -1;
    for (size_t i = 0; i < scanned; i++) {
        int rank = inputs[i]->type.rank;
        axes[i] = listed(control, "scan_input_axes", i);
        axes[i] += axes[i] < 0 ? rank : 0;
        if (axes[i] < 0 || axes[i] >= rank || (i > 0 && inputs[i]->type.dims[axes[i]] != extent)) {
            return -1;
        }
        extent = inputs[i]->type.dims[axes[i]];
    }
    return extent;
}

/* What the iterations have made, along the axes that the node names. */
static Value **stack_scanned(const Control *control, size_t count, const Stack *sequences)
{
    Value **stacked = NEW_ARRAY(control->import->arena, Value *, count + 1);
    for (size_t i = 0; i < count; i++) {
        const Value *item = sequences[i].items[0]; /* NULL: nobody needs it */
        int64_t axis = listed(control, "scan_output_axes", i);
        axis += axis < 0 && item ? item->type.rank + 1 : 0;
        stacked[i] = stack(control, &sequences[i], axis, listed(control, "scan_output_directions", i) == 1);
    }
    return stacked;
}

/* Scan of opset 9 and later: (state..., scanned inputs...) -> (state..., stacked outputs...). */
static bool import_scan(const Control *control)
{
    const NodeProto *node = control->node;
    Import *import = control->import;
    const GraphProto *graph = subgraph(control, "body");
    const AttributeProto *scan_inputs = control_attribute(control, "num_scan_inputs");
    size_t scanned = scan_inputs && scan_inputs->i > 0 ? (size_t)scan_inputs->i : 0;
    if (control->body->opset < 9 || scanned == 0 || scanned > node->n_input ||
        node->n_input - scanned > node->n_output) {
        return refuse_control(control, "of a form that pcc does not have");
    }
    size_t states = node->n_input - scanned, stack_count = node->n_output - states;
    check_signature(control, graph, node->n_input, node->n_output);
    Value **inputs = NEW_ARRAY(import->arena, Value *, node->n_input);
    Value **values = NEW_ARRAY(import->arena, Value *, node->n_input);
    Value **results = NEW_ARRAY(import->arena, Value *, node->n_output + 1);
    int64_t *axes = NEW_ARRAY(import->arena, int64_t, scanned);
    Stack *sequences = NEW_ARRAY(import->arena, Stack, stack_count + 1);
    const bool *wanted = wanted_results(control, graph, states, states);
    bool known = load_inputs(control, 0, inputs);
    int64_t extent = known ? scan_extent(control, scanned, inputs + states, axes) : -1;
    memcpy(values, inputs, states * sizeof *values);
    for (int64_t step = 0; known && step < extent; step++) {
        spend_iteration(control);
        for (size_t i = 0; i < scanned; i++) {
            bool backwards = listed(control, "scan_input_directions", i) == 1;
            values[states + i] = slice_of(control, inputs[states + i], axes[i], backwards ? extent - 1 - step : step);
        }
        const char *suffix = arena_printf(import->arena, "%" PRId64 "/", step);
        if (!import_subgraph(control, graph, suffix, values, wanted, results)) {
            return pass_poison_on(control, graph->n_output, results);
        }
        for (size_t i = 0; i < node->n_output; i++) {
            if (i < states) {
                values[i] = results[i];
            } else {
                append(control, &sequences[i - states], results[i]);
            }
        }
    }
    if (!known || extent <= 0) {
        return refuse_control(control, "whose extent or body pcc does not have");
    }
    return define_loop_results(control, states, values, stack_count, stack_scanned(control, stack_count, sequences));
}

static bool input_is_poisoned(const Control *control)
{
    for (size_t i = 0; i < control->node->n_input; i++) {
        Value *value = node_input(control->import, control->scope, control->origin, control->node, i);
        if (value && is_poisoned(value)) {
            return true;
        }
    }
    return false;
}

static bool import_by_name(const Control *control)
{
    static const struct {
        const char *op;
        bool (*import)(const Control *);
    } rows[] = {{"If", import_if}, {"Loop", import_loop}, {"Scan", import_scan}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(control->origin.op, rows[i].op) == 0) {
            return rows[i].import(control);
        }
    }
    return import_sequence_node(control);
}

/* Operators with subgraphs, and those of sequences and optionals; and what gets one of these. */
static bool is_control(const Scope *scope, const NodeProto *node)
{
    static const char names[] = "If Loop Scan SequenceEmpty SequenceConstruct SequenceInsert SequenceErase SequenceAt "
                                "SequenceLength SplitToSequence ConcatFromSequence SequenceMap Optional "
                                "OptionalGetElement OptionalHasElement";
    if (!*normal_domain(node->domain) && has_word(names, ' ', text_or_empty(node->op_type))) {
        return true;
    }
    for (size_t i = 0; i < node->n_input; i++) {
        const Value *value = find_value(scope, node->input[i]);
        if (value && !is_tensor(value)) {
            return true;
        }
    }
    return false;
}

bool import_control(Import *import, const Body *body, Scope *scope, const NodeProto *node)
{
    const bool is_flex = !strcmp(normal_domain(node->domain), "ai.onnx.preview") &&
                         !strcmp(text_or_empty(node->op_type), "FlexAttention");
    if (!is_flex && !is_control(scope, node)) {
        return false;
    }
    const Control control = {import, body, scope, node, node_origin(import, body, node)};
    if (input_is_poisoned(&control)) {
        return pass_poison_on(&control, 0, NULL);
    }
    return is_flex ? import_flex_attention(&control) : import_by_name(&control);
}
