/* casts.c: where the Casts of the training step happen: in the optimizer's write, in a kernel's loads and stores, or,
 * as what is left, in elementwise loops (pass fuse) or as passes of their own. */
#include <string.h>

#include "ir/schema.h"
#include "passes/precision/autocast.h"
#include "passes/match.h"

/* ---- the report ------------------------------------------------------------------------------------------------- */

/* The ONNX name of what is converted, or of the node that it belongs to. */
static const char *name_of(const Value *value, Origin origin)
{
    if (!value->name && value->producer)
        origin = value->producer->origin;
    return value->name ? value->name : origin.node;
}

static void report_cast(Graph *graph, const Value *value, Dtype from, Dtype to, int64_t bytes, Origin origin,
                        const char *where)
{
    PrecisionReport *report = graph->precision;
    if (!report)
        return;
    PrecisionCast cast = {.value = name_of(value, origin), .from = from, .to = to, .bytes = bytes, .where = where};
    APPEND(graph->arena, report->casts, report->cast_count, cast);
}

/* The Casts of one loop or epilogue; a loop of Casts alone is a pass over memory. */
static void report_body(Graph *graph, const Node *node)
{
    bool pass = !has_epilogue(node);
    for (const Node *member = node->body->first; member; member = member->next)
        pass &= is_op(member, "Cast");
    for (const Node *member = node->body->first; member; member = member->next) {
        if (!is_op(member, "Cast") || !is_float(member->inputs[0]->type.dtype))
            continue;
        const Type *from = &member->inputs[0]->type, *to = &member->outputs[0]->type;
        if (is_float(to->dtype) && (is_narrow(from->dtype) || is_narrow(to->dtype)))
            report_cast(graph, member->outputs[0], from->dtype, to->dtype, pass ? type_bytes(from) + type_bytes(to) : 0,
                        member->origin, pass ? "pass" : "fused");
    }
}

void report_casts(Graph *graph, const Options *options)
{
    (void)options;
    for (int i = 0; graph->precision && i < graph->value_count; i++) {
        const Value *copy = graph->values[i];
        if (copy && copy->kind == VALUE_COPY)
            report_cast(graph, copy, copy->copy_of->type.dtype, copy->type.dtype, type_bytes(&copy->type), NO_ORIGIN,
                        "weights");
    }
    for (const Node *node = graph->first; graph->precision && node; node = node->next)
        if (node->body)
            report_body(graph, node);
}

/* ---- of parameters ---------------------------------------------------------------------------------------------- */

static bool is_view(const Node *node)
{
    return is_op(node, "Reshape") || is_op(node, "Transpose");
}

/* count_uses() of the graph before the pass: of the values that it had. */
typedef struct Uses {
    const int *of;
    int value_count;
} Uses;

/* May a Cast of the value move in front of the view that makes it? Where nothing else reads the view, or where its
 * operand is a parameter: next to what computes that, the Cast may become part of it. */
static bool casts_before_view(const Value *value, Uses uses)
{
    const bool read_once = value->id < uses.value_count && uses.of[value->id] == 1;
    const Value *root = value;
    while (root->producer && is_view(root->producer))
        root = root->producer->inputs[0];
    return value->producer && is_view(value->producer) && (root->kind == VALUE_PARAM || read_once);
}

/* The value in `dtype`, with the Cast in front of as many views as may be. */
static Value *build_early_cast(Graph *graph, Value *value, Dtype dtype, Uses uses)
{
    if (!casts_before_view(value, uses))
        return build_cast(graph, value, dtype);
    const Node *view = value->producer;
    Value *operands[2] = {build_early_cast(graph, view->inputs[0], dtype, uses), input(view, 1)};
    Node *moved = build_begin(graph, view->op->name, view->input_count, operands, 1);
    copy_attrs(graph, moved, view);
    return build_finish(graph, moved);
}

/* Cast(View(x)) becomes View(Cast(x)). */
static void move_casts(Graph *graph)
{
    const Uses uses = {count_uses(graph), graph->value_count};
    Forwarding forwarding = {.graph = graph};
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        forward_inputs(&forwarding, node);
        if ((!narrows(node) && !widens(node)) || !casts_before_view(node->inputs[0], uses))
            continue;
        graph->cursor = node;
        graph->origin = node->origin;
        forward_value(&forwarding, node->outputs[0],
                      build_early_cast(graph, node->inputs[0], node->outputs[0]->type.dtype, uses));
        node_remove(graph, node);
    }
    forward_results(&forwarding);
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
    remove_dead_nodes(graph);
}

/* The parameter's copy in `dtype`; copies: by dtype and parameter's id, what was made. */
static Value *copy_of(Graph *graph, Value **copies[DTYPE_COUNT], Value *param, Dtype dtype)
{
    Value **copy = &copies[dtype][param->id];
    if (*copy)
        return *copy;
    Type type = param->type;
    type.dtype = dtype;
    *copy = value_create(graph, VALUE_COPY, type, param->name);
    (*copy)->copy_of = param;
    return *copy;
}

void hoist_casts(Graph *graph, const Options *options)
{
    (void)options;
    move_casts(graph);
    Value **copies[DTYPE_COUNT] = {[DTYPE_F16] = NEW_ARRAY(graph->arena, Value *, graph->value_count + 1),
                                   [DTYPE_BF16] = NEW_ARRAY(graph->arena, Value *, graph->value_count + 1)};
    Forwarding forwarding = {.graph = graph};
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        forward_inputs(&forwarding, node);
        if (!narrows(node) || node->inputs[0]->kind != VALUE_PARAM)
            continue;
        forward_value(&forwarding, node->outputs[0],
                      copy_of(graph, copies, node->inputs[0], node->outputs[0]->type.dtype));
        node_remove(graph, node);
    }
    forward_results(&forwarding);
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
    remove_dead_nodes(graph);
}

/* ---- of kernels' operands --------------------------------------------------------------------------------------- */

static bool outputs_are(const Node *node, const Type *types)
{
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] && !same_type(&node->outputs[i]->type, &types[i]))
            return false;
    return true;
}

/* Would the row accept its present operands and give outputs of the types that they have? Messages are not heard. */
static bool keeps_types(Graph *graph, Node *node)
{
    Type *types = NEW_ARRAY(graph->arena, Type, node->output_count);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            types[i] = node->outputs[i]->type;
    Diagnostics *heard = graph->diagnostics, unheard = {.quiet = true, .muted = true};
    graph->diagnostics = &unheard;
    bool kept = infer_node(graph, node) && outputs_are(node, types);
    graph->diagnostics = heard;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            node->outputs[i]->type = types[i];
    return kept;
}

/* Do the node's results have their types with its new operands too? An operator with pcc's attribute `stored`, the
 * dtype of result 0, is told to store it so where that takes it. */
static bool keeps_stored_types(Graph *graph, Node *node)
{
    AttrSpec stored;
    if (keeps_types(graph, node))
        return true;
    if (has_attr(node, "stored") || !find_attr_spec(node->op, "stored", &stored) || !node->outputs[0])
        return false;
    set_int(graph, node, "stored", dtype_info[node->outputs[0]->type.dtype].onnx);
    if (keeps_types(graph, node))
        return true;
    remove_attr(node, "stored");
    return false;
}

/* Operand i comes widened: the kernel widens it itself. */
static void fuse_load(Graph *graph, Node *node, int i)
{
    Value *wide = node->inputs[i];
    if (!wide || !widens(wide->producer))
        return;
    node->inputs[i] = wide->producer->inputs[0];
    if (keeps_stored_types(graph, node))
        report_cast(graph, wide, node->inputs[i]->type.dtype, wide->type.dtype, 0, node->origin, "fused");
    else
        node->inputs[i] = wide;
}

typedef struct CastFusion {
    Graph *graph;
    const Target *target;
    Node ***users;   /* by value id */
    bool *is_result; /* by value id: leaves the graph */
} CastFusion;

/* Does the kernel give what it gives when it reads operand `value`, of 16 bits, as f32? */
static bool may_read_wide(const CastFusion *f, Node *node, Value *value)
{
    const Dtype narrow = value->type.dtype;
    if (!kernel_is_stored16(f->target, node) || has_attr(node, "stored"))
        return false;
    value->type.dtype = DTYPE_F32;
    const bool may = keeps_stored_types(f->graph, node);
    if (has_attr(node, "stored"))
        remove_attr(node, "stored");
    value->type.dtype = narrow;
    return may;
}

/* May every reader, behind views or not? A result of the graph has to be what it is. */
static bool all_may_read_wide(const CastFusion *f, Value *value)
{
    bool may = !f->is_result[value->id];
    for (Node **reader = f->users[value->id]; reader && *reader && may; reader++)
        may = is_view(*reader) ? all_may_read_wide(f, (*reader)->outputs[0]) : may_read_wide(f, *reader, value);
    return may;
}

/* Views of the value have its dtype; what kernels make of it keeps its own. */
static void widen_views(const CastFusion *f, Value *value)
{
    value->type.dtype = DTYPE_F32;
    for (Node **reader = f->users[value->id]; reader && *reader; reader++) {
        if (is_view(*reader))
            widen_views(f, (*reader)->outputs[0]);
        else
            keeps_stored_types(f->graph, *reader);
    }
}

/* Kernels widen f16 to f32 before they compute. What the caller gives in f32 they read as it is: rounding it first
 * would cost a pass over memory and lose bits for nothing. bf16 is another matter: it is multiplied as bf16. */
static void read_input_wide(const CastFusion *f, Node *cast)
{
    Value *given = cast->inputs[0], *rounded = cast->outputs[0];
    if (given->kind != VALUE_INPUT || given->type.dtype != DTYPE_F32 || rounded->type.dtype != DTYPE_F16 ||
        !all_may_read_wide(f, rounded))
        return;
    widen_views(f, rounded);
    report_cast(f->graph, given, DTYPE_F32, DTYPE_F16, 0, cast->origin, "fused");
    replace_value(f->graph, rounded, given);
}

static Node *sole_reader(Node *const *readers)
{
    return readers && readers[0] && !readers[1] ? readers[0] : NULL;
}

/* Is it the gradient of an f32 parameter, perhaps reshaped? Then rounding it to 16 bits on the way would be in vain. */
static bool becomes_gradient(const CastFusion *f, const Value *value)
{
    for (const Node *reader = sole_reader(f->users[value->id]); reader && is_op(reader, "Reshape");
         reader = sole_reader(f->users[value->id]))
        value = reader->outputs[0];
    for (int i = 0; i < f->graph->gradient_count; i++)
        if (f->graph->gradients[i].value == value)
            return true;
    return false;
}

/* The only reader of output 0 converts it: the kernel stores it so. */
static void fuse_store(const CastFusion *f, Node *node)
{
    Graph *graph = f->graph;
    Value *computed = node->outputs[0];
    Node *reader = sole_reader(f->users[computed->id]);
    if (!reader || f->is_result[computed->id] ||
        !(narrows(reader) || (widens(reader) && becomes_gradient(f, reader->outputs[0]))))
        return;
    Value *stored = reader->outputs[0];
    const bool was_told = has_attr(node, "stored");
    const int64_t told = was_told ? attr_int(node, "stored") : 0;
    set_int(graph, node, "stored", dtype_info[stored->type.dtype].onnx);
    node->outputs[0] = stored;
    stored->producer = node;
    reader->outputs[0] = computed;
    computed->producer = reader;
    if (keeps_types(graph, node)) {
        reader->inputs[0] = stored; /* its own result is read by nobody now, so that it is dead */
        report_cast(graph, stored, computed->type.dtype, stored->type.dtype, 0, node->origin, "fused");
        return;
    }
    reader->outputs[0] = stored;
    stored->producer = reader;
    node->outputs[0] = computed;
    computed->producer = node;
    if (was_told)
        set_int(graph, node, "stored", told);
    else
        remove_attr(node, "stored");
}

void fuse_casts(Graph *graph, const Options *options)
{
    const int value_count = graph->value_count;
    CastFusion f = {.graph = graph,
                    .target = options->target,
                    .users = collect_users(graph),
                    .is_result = NEW_ARRAY(graph->arena, bool, value_count + 1)};
    mark_graph_results(graph, f.is_result);
    for (Node *node = graph->first; node; node = node->next)
        if (narrows(node))
            read_input_wide(&f, node);
    AttrSpec stored;
    for (Node *node = graph->first; node; node = node->next) {
        if (!kernel_is_stored16(f.target, node))
            continue;
        if (find_attr_spec(node->op, "stored", &stored) && node->outputs[0] && node->outputs[0]->id < value_count)
            fuse_store(&f, node);
        for (int i = 0; i < node->input_count; i++)
            fuse_load(graph, node, i);
    }
    remove_dead_nodes(graph);
}

/* ---- kernels without 16-bit operands ---------------------------------------------------------------------------- */

static bool touches_low(const Node *node)
{
    for (int i = 0; i < node->input_count + node->output_count; i++) {
        const Value *v = i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
        if (v && is_narrow(v->type.dtype))
            return true;
    }
    return false;
}

/* Of each 16-bit value one f32 copy, made before its first such reader. */
static Value *widened(Graph *graph, Value **wide, int count, Value *value)
{
    if (value->id >= count)
        return build_cast(graph, value, DTYPE_F32);
    if (!wide[value->id])
        wide[value->id] = build_cast(graph, value, DTYPE_F32);
    return wide[value->id];
}

static void legalise_node(Graph *graph, Node *node, Value **wide, int count)
{
    graph->origin = node->origin;
    graph->cursor = node;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && is_narrow(node->inputs[i]->type.dtype))
            node->inputs[i] = widened(graph, wide, count, node->inputs[i]);
    Dtype *stored = NEW_ARRAY(graph->arena, Dtype, node->output_count);
    for (int i = 0; i < node->output_count; i++)
        stored[i] = node->outputs[i] ? node->outputs[i]->type.dtype : DTYPE_F32;
    if (!infer_node(graph, node))
        leave(graph->diagnostics);
    graph->cursor = node->next;
    for (int i = 0; i < node->output_count; i++) {
        Value *output = node->outputs[i];
        if (!output || output->type.dtype == stored[i])
            continue;
        Value *low = build_cast(graph, output, stored[i]);
        replace_value(graph, output, low);
        low->producer->inputs[0] = output;
    }
}

void legalise(Graph *graph, const Options *options)
{
    const int count = graph->value_count;
    Value **wide = NEW_ARRAY(graph->arena, Value *, count + 1);
    for (Node *node = graph->first; node; node = node->next)
        if (node->op->kind == OP_KERNEL && !kernel_is_stored16(options->target, node) && touches_low(node))
            legalise_node(graph, node, wide, count);
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
    remove_dead_nodes(graph);
}

/* ---- of loops' operands ----------------------------------------------------------------------------------------- */

/* Every loop that reads a 16-bit value widens it as it loads it, so that no f32 copy of it is stored: each elementwise
 * reader gets a Cast of its own, which `fuse` puts beside it. */
void widen_at_readers(Graph *graph, const Options *options)
{
    (void)options;
    for (Node *node = graph->first; node; node = node->next) {
        graph->cursor = node;
        graph->origin = node->origin;
        for (int i = 0; node->op->kind == OP_ELEMENTWISE && i < node->input_count; i++) {
            const Node *cast = node->inputs[i] ? node->inputs[i]->producer : NULL;
            if (widens(cast) && same_dims(&cast->outputs[0]->type, &node->outputs[0]->type))
                node->inputs[i] = build_cast(graph, cast->inputs[0], DTYPE_F32);
        }
    }
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
    remove_dead_nodes(graph);
}
