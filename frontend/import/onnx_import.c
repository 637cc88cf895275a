/* onnx_import.c: the walk from a ModelProto to a Graph, and how a node is imported. */
#include <inttypes.h>
#include <string.h>

#include "frontend/import/onnx_model.h"
#include "ir/schema.h"
#include "ir/text/words.h"

/* ---- one node --------------------------------------------------------------------------------------------------- */

/* The operator that a misspelt one may have been; NULL when none is near, or when it is no slip. */
static const char *nearest_operator(Import *import, const char *type)
{
    if (is_standard_operator(type)) {
        return NULL;
    }
    if (!import->operators) {
        import->operators = NEW_ARRAY(import->arena, const char *, op_count() + 1);
        for (int i = 0; i < op_count(); i++) {
            import->operators[import->operator_count] = op_at(i)->name;
            import->operator_count += !op_at(i)->internal;
        }
    }
    return did_you_mean(type, import->operators, import->operator_count);
}

/* com.microsoft has names of its own, some of ONNX's with another meaning (the rows Microsoft...), and some with the
 * same. */
static const Op *find_row(Arena *arena, const char *domain, const char *type)
{
    static const char same[] = "DequantizeLinear Gelu QuantizeLinear";
    const Op *op = NULL;
    if (!*domain) {
        op = find_op(type, strlen(type));
        return op && !op->internal && !op->domain ? op : NULL;
    }
    if (strcmp(domain, "com.microsoft") != 0) {
        return NULL;
    }
    const char *other = arena_printf(arena, "Microsoft%s", type);
    op = find_op(other, strlen(other));
    op = op ? op : find_op(type, strlen(type));
    return op && !op->internal && (op->domain || has_word(same, ' ', type)) ? op : NULL;
}

/* The row of a node; NULL after unsupported(). */
static const Op *row_of(Import *import, const Body *body, Origin origin, const NodeProto *node)
{
    const char *domain = normal_domain(node->domain), *type = text_or_empty(node->op_type);
    const Op *op = find_row(import->arena, domain, type);
    if (!op) {
        const char *near = *domain ? NULL : nearest_operator(import, type);
        unsupported(import, origin, "%s, domain %s%s%s%s", type, *domain ? domain : "ai.onnx",
                    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        return NULL;
    }
    if (body->opset == 0) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, origin, "the model imports no opset for the domain ai.onnx");
    }
    if (op->until && body->opset > op->until) {
        unsupported(import, origin, "%s of opset %d; pcc has it up to opset %d", type, body->opset, op->until);
        return NULL;
    }
    return op;
}

/* How many names there are up to the last one that is not empty. */
static size_t trimmed(size_t count, char *const *names)
{
    while (count > 0 && !*names[count - 1]) {
        count--;
    }
    return count;
}

/* The node's operands, which tensor attributes may add to; false when one of them is poisoned. */
static bool operands_of(Import *import, const Body *body, Scope *scope, Origin origin, const NodeProto *node,
                        const Op *op, int *count, Value ***operands)
{
    Value *tensors[MAX_TENSOR_OPERANDS] = {NULL};
    size_t given = trimmed(node->n_input, node->input);
    size_t added = (size_t)tensor_operands(import, body, origin, node, op, tensors);
    size_t total = given > added ? given : added;
    *count = (int)total;
    *operands = NEW_ARRAY(import->arena, Value *, total + 1);
    for (size_t i = 0; i < total; i++) {
        Value *value = node_input(import, scope, origin, node, i);
        if (value && is_poisoned(value)) {
            return false;
        }
        (*operands)[i] = value || i >= added ? value : tensors[i];
    }
    return true;
}

/* Of Split's parts one without a name is a part like the others, which nobody reads. */
static int count_outputs(const Op *op, const NodeProto *from)
{
    return (int)(begins_variadic(op->outputs) ? from->n_output : trimmed(from->n_output, from->output));
}

static void drop_output(Import *import, Node *node, int i)
{
    if (node->outputs[i]) {
        import->graph->values[node->outputs[i]->id] = NULL;
        node->outputs[i] = NULL;
    }
}

static void name_outputs(Import *import, const Body *body, const NodeProto *from, Node *node)
{
    for (int i = 0; i < node->output_count; i++) {
        const char *name = node_output(from, (size_t)i);
        if (name) {
            node->outputs[i]->name = arena_printf(import->arena, "%s%s", body->prefix, name);
        } else if (!begins_variadic(node->op->outputs)) {
            drop_output(import, node, i);
        }
    }
}

/* Indices of a pool, a mask of Dropout: optional outputs that nobody reads. */
static void drop_unread_outputs(Import *import, const Scope *scope, const NodeProto *from, Node *node)
{
    OperandSpec spec;
    for (int i = 0; i < node->output_count; i++) {
        bool may_lack = find_operand(node->op->outputs, i, &spec) && spec.optional;
        if (may_lack && !is_needed(&scope->needed, node_output(from, (size_t)i))) {
            drop_output(import, node, i);
        }
    }
    while (node->output_count > 1 && !node->outputs[node->output_count - 1]) {
        node->output_count--;
    }
}

/* Upgrades may read every operand that is not optional; static ones were attributes once. False after an error. */
static bool has_operands(Import *import, const Node *node)
{
    const char *cursor = node->op->inputs;
    OperandSpec spec;
    for (int i = 0; next_operand(&cursor, &spec); i++) {
        if (!input(node, i) && !spec.optional && !spec.is_static) {
            error(import->diagnostics, EXIT_STATUS_INPUT, node->origin, "%s needs its input %d, '%.*s'", node->op->name,
                  i, spec.length, spec.name);
            return false;
        }
    }
    return true;
}

/* Brings the node to the form that its row has, and types its outputs. */
static bool normalise(Import *import, const Body *body, const Scope *scope, const NodeProto *from, Node *node)
{
    Graph *graph = import->graph;
    Node *before = node->previous;
    if (!import_attributes(import, body, from, node) || !has_operands(import, node)) {
        return false;
    }
    widen_attributes(import, node);
    graph->cursor = node;
    bool upgraded = !node->op->upgrade || node->op->upgrade(graph, node, body->opset);
    graph->cursor = NULL;
    if (!upgraded) {
        return false;
    }
    drop_unread_outputs(import, scope, from, node); /* an upgrade may read a meaning in how many there are */
    fold_helpers(import, before, node);
    fold_static_operands(import, node);
    rebatch_operands(import, body, from, node);
    return infer_node(graph, node);
}

/* The node's results, constants where it folds; false after error() or unsupported(). */
static bool fold_outputs(Import *import, const Body *body, Node *node, Value ***results)
{
    Value **constants = NEW_ARRAY(import->arena, Value *, node->output_count);
    *results = node->outputs;
    if (!train_integers(import, node)) {
        return false;
    }
    if (!reads_trained_integers(import, node) && fold_results(import, node, constants)) {
        *results = constants;
        note_filling(import, body, node, constants[0]);
        note_folded_view(import, body, node, constants[0]);
    } else if (node->op->kind == OP_STATIC) {
        unsupported(import, node->origin, "%s, whose result is too large for a constant", node->op->name);
        return false;
    } else {
        mark_weights(import, node);
        mark_states(import, node);
    }
    note_moved_integers(import, node, (*results)[0]);
    return true;
}

/* Nodes behind `last`, newest first: of a node that was refused, and what its upgrade put before it. */
static void remove_nodes_behind(Graph *graph, const Node *last)
{
    while (graph->last != last) {
        node_remove(graph, graph->last);
    }
}

/* NULL after error() or unsupported(). */
static Node *import_row(Import *import, const Body *body, Scope *scope, const NodeProto *from, const Op *op,
                        Value ***results)
{
    Origin origin = node_origin(import, body, from);
    int input_count = 0;
    Value **operands = NULL;
    if (!operands_of(import, body, scope, origin, from, op, &input_count, &operands)) {
        return NULL;
    }
    import->graph->origin = origin;
    Node *node = node_create(import->graph, op, input_count, operands, count_outputs(op, from));
    name_outputs(import, body, from, node);
    note_integer_readers(import, node);
    bool imported = normalise(import, body, scope, from, node) && fold_outputs(import, body, node, results);
    return imported ? node : NULL;
}

static void import_operator(Import *import, const Body *body, Scope *scope, const NodeProto *from)
{
    Node *last = import->graph->last, *node = NULL;
    Value **results = NULL;
    Attempt attempt = begin_attempt(import);
    const Op *op = row_of(import, body, node_origin(import, body, from), from);
    node = op ? import_row(import, body, scope, from, op, &results) : NULL;
    if (!end_attempt(import, &attempt) || !node) {
        if (attempt.first < import->refusal_count && rebatch_knew(import, body, from)) {
            rebatch_refuse(import, node_origin(import, body, from), last_refusal(import));
        }
        remove_nodes_behind(import->graph, last);
        poison_outputs(import, body, scope, from, attempt.first, 0, NULL);
        return;
    }
    rebatch_results(import, body, from, node, results);
    for (int i = 0; i < node->output_count; i++) {
        if (results[i] && node_output(from, (size_t)i)) {
            define_value(import, scope, node->origin, from->output[i], results[i]);
        }
    }
}

static void import_constant_node(Import *import, const Body *body, Scope *scope, const NodeProto *node)
{
    Attempt attempt = begin_attempt(import);
    Value *constant = import_constant(import, body, node);
    if (end_attempt(import, &attempt)) {
        define_result(import, body, scope, node, 0, constant);
    } else {
        poison_outputs(import, body, scope, node, attempt.first, 0, NULL);
    }
}

static void import_node(Import *import, const Body *body, Scope *scope, const NodeProto *node)
{
    if (--import->node_budget < 0) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, node_origin(import, body, node),
              "the model has more than %d nodes once functions and loops are expanded", MAX_IMPORTED_NODES);
    }
    const FunctionProto *function = find_function(import, node);
    if (function) {
        inline_function(import, body, scope, node, function);
    } else if (!*normal_domain(node->domain) && !strcmp(text_or_empty(node->op_type), "Constant")) {
        import_constant_node(import, body, scope, node);
    } else if (!import_control(import, body, scope, node)) {
        import_operator(import, body, scope, node);
    }
}

static void import_nodes(Import *import, const Body *body, Scope *scope, size_t count, NodeProto *const *nodes)
{
    scope->nodes = nodes;
    scope->node_count = count;
    for (size_t i = 0; i < count; i++) {
        if (node_is_needed(&scope->needed, nodes[i])) {
            import_node(import, body, scope, nodes[i]);
        }
    }
}

/* ---- the graph -------------------------------------------------------------------------------------------------- */

static Graph *import_graph(OnnxModel *model, const ImportOptions *options, Rebatch *rebatch)
{
    const ModelProto *proto = model->proto;
    const char *name = text_or_empty(proto->graph->name);
    Import *import = NEW(model->arena, Import);
    *import = (Import){.arena = model->arena,
                       .diagnostics = model->diagnostics,
                       .model = model,
                       .options = options,
                       .rebatch = rebatch,
                       .import_nodes = import_nodes,
                       .node_budget = MAX_IMPORTED_NODES};
    import->graph = graph_create(import->arena, import->diagnostics, arena_strndup(import->arena, name, strlen(name)));
    import->graph->stage = "import";
    Body body = {.opset = default_opset(import, proto->n_opset_import, proto->opset_import), .prefix = "", .place = ""};
    Scope scope = {0};
    model->branches = (NameTable){0};
    index_functions(import);
    need_outputs(import, &scope);
    import_initializers(import, &body, &scope, proto->graph);
    bind_inputs(import, &scope);
    import_nodes(import, &body, &scope, proto->graph->n_node, proto->graph->node);
    import_outputs(import, &scope);
    declare_axes(import, proto->graph);
    unfold_weights(import);
    finish_integers(import);
    separate_statistics(import);
    import->graph->origin = NO_ORIGIN;
    return import->graph;
}

Graph *onnx_import(Arena *arena, Diagnostics *diagnostics, const char *path, const ImportOptions *options,
                   OnnxModel **model)
{
    onnx_read(arena, diagnostics, path, model);
    const int64_t batch = wanted_batch(*model, options);
    if (!batch) {
        return import_graph(*model, options, NULL);
    }
    const Hush before = diagnostics_hush(diagnostics);
    const ImportOptions file_options = file_batch_options(arena, options);
    Rebatch *rebatch = rebatch_create(arena, batch);
    import_graph(*model, &file_options, rebatch);
    diagnostics_restore(diagnostics, before);
    rebatch_begin(rebatch);
    return import_graph(*model, options, rebatch);
}
