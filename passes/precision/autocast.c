/* autocast.c: decides which dtype each float value is stored in, and puts Casts between those that differ.
 *
 * The policy says an operator's class; the mode says what a class means (docs/precision.md). In the mixed modes an L
 * node takes and gives the low dtype, a K node f32, a P node the widest of its operands', an F node its first one's.
 * In the true modes parameters and activations are low, whatever the class: K kernels compute in f32 inside and round
 * once, and only rules keep a node in f32. Some values are never low: running statistics, losses, saved statistics of
 * norms (their rows say so), and literals, which are computed in f32 beside 16-bit operands. */
#include <string.h>

#include "passes/precision/autocast.h"
#include "passes/match.h"
#include "passes/precision/policy_tables.h"
#include "passes/precision/decomposed_variance.h"

typedef struct Autocast {
    Graph *graph;
    const PrecisionMode *mode;
    Policy *policy;
    Value **made[DTYPE_COUNT]; /* by value id: its Cast to that dtype, if there is one */
    int value_count;           /* of the ids that `made` has */
    bool *in_variance;         /* by the id of a node's first output; NULL where the policy lowers norms */
    PrecisionReport *report;
} Autocast;

/* ---- casts ------------------------------------------------------------------------------------------------------ */

static Value *cast_to(Autocast *a, Value *value, Dtype dtype)
{
    if (value->type.dtype == dtype)
        return value;
    const Node *producer = value->producer;
    bool lossless = is_op(producer, "Cast") && producer->inputs[0]->type.dtype == dtype && is_narrow(dtype);
    if (lossless) /* it was widened */
        return producer->inputs[0];
    if (value->id >= a->value_count)
        return build_cast(a->graph, value, dtype);
    Value **made = &a->made[dtype][value->id];
    if (!*made)
        *made = build_cast(a->graph, value, dtype);
    return *made;
}

/* ---- decisions -------------------------------------------------------------------------------------------------- */

/* An Add of a parameter to what a product gives is the bias of a linear layer, which autocast's lists mean by
 * "linear" and "addmm". */
static bool is_bias(const Node *node)
{
    if (!is_op(node, "Add"))
        return false;
    for (int i = 0; i < 2; i++) {
        const Value *product = node->inputs[i], *bias = node->inputs[1 - i];
        while (producer_if(product, "Cast") || producer_if(product, "Reshape"))
            product = product->producer->inputs[0];
        bool vector = bias->kind == VALUE_PARAM && bias->type.rank > 0 &&
                      element_count(&bias->type) == bias->type.dims[bias->type.rank - 1];
        if (vector && producer_if(product, "MatMul") && is_narrow(product->type.dtype) &&
            same_dims(&node->outputs[0]->type, &node->inputs[i]->type))
            return true;
    }
    return false;
}

static bool is_in_variance(const Autocast *a, const Node *node)
{
    const Value *output = node->outputs[0];
    return a->in_variance && output && output->id < a->value_count && a->in_variance[output->id];
}

static Ruling decide(Autocast *a, const Node *node)
{
    Ruling ruling = policy_rule_node(a->policy, node), tensor;
    if (!ruling.by_rule && is_in_variance(a, node))
        ruling = (Ruling){CLASS_KEEP, "a decomposed variance computes in f32, as the norms do", true};
    if (!ruling.by_rule && ruling.precision != CLASS_KEEP && is_bias(node))
        ruling = (Ruling){CLASS_LOWER, "the bias of a linear layer goes with its product", false};
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] && policy_rule_tensor(a->policy, node->outputs[i], &tensor))
            ruling = tensor;
    return ruling;
}

static bool taken_as_stored(const Node *node, int i)
{
    return i < MAX_ROW_OPERANDS && (node->op->as_stored >> i & 1);
}

/* Operands that stay as they are stored: what is read at compile time, integers, literals, running statistics, and what
 * the operator takes in any dtype. */
static bool is_exempt(const Node *node, int i)
{
    const Value *operand = node->inputs[i];
    if (!operand || !is_float(operand->type.dtype) || operand_is_static(node->op, i) || operand->kind == VALUE_STATE)
        return true;
    if (node->op->kind == OP_ELEMENTWISE && operand->kind == VALUE_CONST && operand->type.rank == 0)
        return true;
    return taken_as_stored(node, i);
}

/* Constants take the dtype of what they meet. */
static bool is_weak(const Value *operand)
{
    return operand->kind == VALUE_CONST && element_count(&operand->type) == 1;
}

/* An operand's dtype; the 16 bits of a Cast that --honour-casts keeps, which pass precision has widened again. */
static Dtype stored_dtype(const Value *operand)
{
    const Node *back = producer_if(operand, "Cast");
    const bool honoured = back && is_narrow(back->inputs[0]->type.dtype) && producer_if(back->inputs[0], "Cast");
    return honoured ? back->inputs[0]->type.dtype : operand->type.dtype;
}

/* The first operand's dtype, or the widest; `wide` where there is none. */
static Dtype operands_dtype(const Node *node, bool widest, Dtype wide)
{
    bool found = false, strong = false;
    Dtype dtype = wide;
    for (int i = 0; i < node->input_count; i++) {
        if (is_exempt(node, i))
            continue;
        const Value *operand = node->inputs[i];
        bool replaces = !found || (!strong && !is_weak(operand)) ||
                        (widest && strong && !is_weak(operand) && !is_narrow(stored_dtype(operand)));
        if (replaces)
            dtype = stored_dtype(operand);
        strong |= !is_weak(operand);
        found = true;
    }
    return dtype;
}

static Dtype target_dtype(const Autocast *a, const Node *node, const Ruling *ruling)
{
    const PrecisionMode *mode = a->mode;
    if (mode->low_weights)
        return ruling->by_rule && ruling->precision == CLASS_KEEP ? mode->wide : mode->low;
    switch (ruling->precision) {
    case CLASS_LOWER:
        return mode->low;
    case CLASS_KEEP:
        return mode->wide;
    case CLASS_FOLLOW:
        return operands_dtype(node, false, mode->wide);
    case CLASS_PROMOTE:
    case CLASS_NONE:
        break;
    }
    return operands_dtype(node, true, mode->wide);
}

/* ---- nodes ------------------------------------------------------------------------------------------------------ */

/* Of the first output that is there. */
static Dtype output_dtype(const Node *node)
{
    int i = 0;
    while (!node->outputs[i])
        i++;
    return node->outputs[i]->type.dtype;
}

/* Once the operands have their dtype. Products compute on 16-bit operands (and accumulate in f32), all else in f32. */
static void record(Autocast *a, const Node *node, const Dtype *inputs, int input_count, Dtype dtype, const char *rule)
{
    PrecisionReport *report = a->report;
    PrecisionDecision decision = {.node = node->origin.node,
                                  .op = onnx_name(node->op),
                                  .input_count = input_count,
                                  .compute = node->op->precision == CLASS_LOWER ? dtype : a->mode->wide,
                                  .output = output_dtype(node),
                                  .rule = rule};
    memcpy(decision.inputs, inputs, sizeof(decision.inputs));
    APPEND(a->graph->arena, report->decisions, report->decision_count, decision);
}

static void convert_operands(Autocast *a, Node *node, Dtype dtype)
{
    a->graph->cursor = node;
    a->graph->origin = node->origin;
    for (int i = 0; i < node->input_count; i++)
        if (!is_exempt(node, i))
            node->inputs[i] = cast_to(a, node->inputs[i], dtype);
    if (!infer_node(a->graph, node))
        leave(a->graph->diagnostics);
}

/* Every reader of the float outputs reads their Cast to `dtype` instead. */
static void convert_outputs(Autocast *a, Node *node, Dtype dtype)
{
    a->graph->cursor = node->next;
    for (int i = 0; i < node->output_count; i++) {
        Value *output = node->outputs[i];
        if (!output || !is_float(output->type.dtype) || output->type.dtype == dtype)
            continue;
        Value *rounded = build_cast(a->graph, output, dtype);
        replace_value(a->graph, output, rounded);
        rounded->producer->inputs[0] = output;
    }
}

/* A K operator that is decomposed later would round between its parts: it computes in f32, and rounds its result. */
static bool rounds_inside(const Node *node, const Ruling *ruling, Dtype dtype)
{
    return ruling->precision == CLASS_KEEP && node->op->kind == OP_EXPAND && !node->op->expands_after_gradient &&
           is_narrow(dtype) && is_narrow(output_dtype(node));
}

static bool has_float(const Node *node)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && is_float(node->inputs[i]->type.dtype) && !operand_is_static(node->op, i))
            return true;
    return false;
}

static void autocast_node(Autocast *a, Node *node)
{
    if (!has_float(node) || is_op(node, "Cast"))
        return;
    Dtype inputs[MAX_REPORTED_INPUTS] = {0};
    int count = 0;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && is_float(node->inputs[i]->type.dtype) && !operand_is_static(node->op, i) &&
            count < MAX_REPORTED_INPUTS)
            inputs[count++] = stored_dtype(node->inputs[i]);
    Ruling ruling = decide(a, node);
    Dtype dtype = target_dtype(a, node, &ruling);
    convert_operands(a, node, dtype);
    record(a, node, inputs, count, dtype, ruling.rule);
    if (rounds_inside(node, &ruling, dtype)) {
        convert_operands(a, node, a->mode->wide);
        convert_outputs(a, node, dtype);
    }
}

/* ---- parameters of the true modes ------------------------------------------------------------------------------- */

/* Parameters that a tensor: rule or the keep rules of all their readers leave in f32, and BatchNormalization's scale
 * and bias where that is not lowered whole: they cost nothing, and in 16 bits they alone move maxima and signs. */
static bool *mark_kept(Autocast *a)
{
    Graph *graph = a->graph;
    bool *kept = NEW_ARRAY(graph->arena, bool, graph->value_count), *lowered = NULL;
    lowered = NEW_ARRAY(graph->arena, bool, graph->value_count);
    for (const Node *node = graph->first; node; node = node->next) {
        Ruling ruling = decide(a, node);
        for (int i = 0; i < node->input_count; i++) {
            bool keeps = taken_as_stored(node, i) ? ruling.precision != CLASS_LOWER
                                                  : ruling.by_rule && ruling.precision == CLASS_KEEP;
            if (node->inputs[i])
                *(keeps ? &kept[node->inputs[i]->id] : &lowered[node->inputs[i]->id]) = true;
        }
    }
    for (int i = 0; i < graph->value_count; i++) {
        Ruling ruling;
        kept[i] = kept[i] && !lowered[i];
        if (graph->values[i] && policy_rule_tensor(a->policy, graph->values[i], &ruling))
            kept[i] = ruling.precision == CLASS_KEEP;
    }
    return kept;
}

/* The f32 parameter in 16 bits; not through a Tensor, which would take four times the memory of what comes out. */
static void round_parameter(Graph *graph, Value *param, Dtype low)
{
    const int64_t count = element_count(&param->type);
    const float *x = param->data;
    uint16_t *rounded = NEW_ARRAY(graph->arena, uint16_t, count);
    for (int64_t i = 0; i < count; i++)
        rounded[i] = low == DTYPE_F16 ? f16_from_f64((double)x[i]) : bf16_from_f64((double)x[i]);
    param->unrounded = x;
    param->data = rounded;
    param->type.dtype = low;
}

static void lower_parameters(Autocast *a)
{
    Graph *graph = a->graph;
    const bool *kept = mark_kept(a);
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        if (!value || value->kind != VALUE_PARAM || kept[i] || !value->data)
            continue;
        round_parameter(graph, value, a->mode->low);
    }
}

void autocast(Graph *graph, const Options *options)
{
    Autocast a = {.graph = graph, .mode = find_precision_mode(options->precision), .value_count = graph->value_count};
    if (a.mode->low == a.mode->wide)
        return;
    a.policy = policy_create(graph, options);
    if (policy_keeps_norms(a.policy))
        a.in_variance = mark_decomposed_variances(graph);
    a.report = graph->precision = NEW(graph->arena, PrecisionReport);
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        if (is_float((Dtype)dtype))
            a.made[dtype] = NEW_ARRAY(graph->arena, Value *, a.value_count + 1);
    if (a.mode->low_weights)
        lower_parameters(&a);
    for (Node *node = graph->first; node; node = node->next)
        autocast_node(&a, node);
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
    if (graph->loss)
        graph->loss = cast_to(&a, graph->loss, a.mode->wide);
    policy_finish(a.policy, graph);
}
