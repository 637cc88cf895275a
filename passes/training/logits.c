/* logits.c: the logits behind an output of probabilities.
 *
 * The losses of classes take logits and normalise them themselves, in a form that cannot overflow. Many models end in
 * the Softmax or Sigmoid that makes probabilities of them. Read as logits, those would be normalised twice: the loss of
 * three classes never gets below 0.55. Exporters put reshapes, transposes and casts behind the activation, and
 * decompose it into e^LogSoftmax(z), log(Softmax(z)), e^z / sum(e^z) or 1 / (1 + e^-z). */
#include <string.h>

#include "passes/training/logits.h"
#include "ir/ops/shared/geometry.h"
#include "passes/match.h"

enum { MAX_BEHIND = 16 };

typedef enum Kind { KIND_NONE, KIND_SOFTMAX, KIND_LOG_SOFTMAX, KIND_SIGMOID } Kind;

static const char *const kind_names[] = {
    [KIND_SOFTMAX] = "Softmax", [KIND_LOG_SOFTMAX] = "LogSoftmax", [KIND_SIGMOID] = "Sigmoid"};

typedef struct Walk {
    Graph *graph;
    Node *behind[MAX_BEHIND]; /* what stands between the activation and the output, from the output on */
    int count;
    int axis;            /* that of the classes in `value`; -1: no axis, or no longer one */
    Value *value;        /* where the walk has come to */
    const Node *wrapper; /* Exp or Log of the activation, or NULL */
    const Node *activation;
} Walk;

/* ---- between the activation and the output -------------------------------------------------------------------------
 */

/* The axis of `from` with the elements of an axis of `to`, both in one row-major order. */
static int same_axis(const Type *from, const Type *to, int axis)
{
    for (int i = 0; axis >= 0 && i < from->rank; i++)
        if (from->dims[i] == to->dims[axis] && dims_product(from, 0, i) == dims_product(to, 0, axis))
            return i;
    return -1;
}

static bool step_behind(Walk *walk, Node *node)
{
    const Value *x = node->inputs[0];
    int permutation[MAX_RANK];
    if (is_op(node, "Transpose")) {
        permutation_of(node, permutation);
        walk->axis = walk->axis >= 0 ? permutation[walk->axis] : -1;
    } else if (node->op->keeps_order) {
        walk->axis = same_axis(&x->type, &node->outputs[0]->type, walk->axis);
    } else if (!is_op(node, "Cast") || !is_float(x->type.dtype)) {
        return false;
    }
    if (walk->count == MAX_BEHIND)
        return false;
    walk->behind[walk->count++] = node;
    walk->value = node->inputs[0];
    return true;
}

/* The same from x on. */
static Value *replay(const Walk *walk, Value *x)
{
    for (int i = walk->count - 1; i >= 0; i--) {
        const Node *node = walk->behind[i];
        if (is_op(node, "Identity"))
            continue;
        Value **inputs = NEW_ARRAY(walk->graph->arena, Value *, node->input_count);
        memcpy(inputs, node->inputs, (size_t)node->input_count * sizeof *inputs);
        inputs[0] = x;
        Node *again = node_create(walk->graph, node->op, node->input_count, inputs, 1);
        copy_attrs(walk->graph, again, node);
        x = build_finish(walk->graph, again);
    }
    return x;
}

/* ---- the activation ------------------------------------------------------------------------------------------------
 */

/* z of 1 / (1 + e^-z). */
static Value *sigmoid_operand(Graph *graph, const Node *node)
{
    if (is_op(node, "Sigmoid"))
        return node->inputs[0];
    Value *sum = is_op(node, "Reciprocal")                                      ? node->inputs[0]
                 : is_op(node, "Div") && is_constant(graph, node->inputs[0], 1) ? node->inputs[1]
                                                                                : NULL;
    Node *add = producer_if(sum, "Add");
    Value *power = add ? other_than_constant(graph, add, 1) : NULL;
    if (!producer_if(power, "Exp"))
        return NULL;
    Product exponent = flatten_product(graph, power->producer->inputs[0]);
    Value *z = exponent.count == 1 && exponent.constant == -1 ? exponent.factors[0] : NULL;
    return z && same_dims(&z->type, &node->outputs[0]->type) ? z : NULL;
}

/* z of e^z / sum(e^z), and the axis of the sum. */
static Value *quotient_operand(Graph *graph, const Node *node, int *axis)
{
    const Node *power = is_op(node, "Div") ? producer_if(node->inputs[0], "Exp") : NULL;
    const Node *sum = power ? producer_if(node->inputs[1], "ReduceSum") : NULL;
    int count = 0;
    const int64_t *axes = NULL;
    if (!sum || sum->inputs[0] != node->inputs[0] || !attr_int(sum, "keepdims") ||
        !const_operand_ints(graph, sum, 1, &count, &axes) || count != 1)
        return NULL;
    *axis = (int)(axes[0] < 0 ? axes[0] + node->outputs[0]->type.rank : axes[0]);
    return power->inputs[0];
}

/* What the node is normalised over, in *axis: the only one of several that is longer than 1, -1 where there is none. */
static Value *softmax_operand(Graph *graph, const Node *node, Kind *kind, int *axis)
{
    const Type *type = &node->outputs[0]->type;
    *kind = is_op(node, "LogSoftmax") ? KIND_LOG_SOFTMAX : KIND_SOFTMAX;
    if (*kind == KIND_SOFTMAX && !is_op(node, "Softmax"))
        return quotient_operand(graph, node, axis);
    int first = (int)attr_int(node, "axis"), longer = 0;
    first += first < 0 ? type->rank : 0;
    for (int i = first; i < first + (int)attr_int(node, "axes"); i++)
        if (type->dims[i] > 1) {
            *axis = i;
            longer++;
        }
    *axis = longer == 1 ? *axis : -1;
    return node->inputs[0];
}

static Value *activation_operand(Graph *graph, const Node *node, Kind *kind, int *axis)
{
    Value *z = sigmoid_operand(graph, node);
    *kind = KIND_SIGMOID;
    *axis = -1;
    return z ? z : softmax_operand(graph, node, kind, axis);
}

/* From the output to the activation; its operand, NULL when there is none. */
static Value *walk_to_activation(Walk *walk, Kind *kind, int *axis)
{
    for (Node *node; (node = walk->value->producer);) {
        Value *z = activation_operand(walk->graph, node, kind, axis);
        if (z) {
            walk->activation = node;
            return z;
        }
        if (!walk->wrapper && (is_op(node, "Exp") || is_op(node, "Log"))) {
            walk->wrapper = node;
            walk->value = node->inputs[0];
        } else if (!step_behind(walk, node)) {
            return NULL;
        }
    }
    return NULL;
}

/* ---- */

/* Are the values what the loss makes of its logits, or the logarithm of that? */
static bool matches_loss(const Walk *walk, Kind kind, int axis, LossKind loss)
{
    if (loss == LOSS_BCE_WITH_LOGITS)
        return kind == KIND_SIGMOID && !walk->wrapper;
    if (kind == KIND_SIGMOID || axis < 0 || axis != walk->axis)
        return false;
    return !walk->wrapper || is_op(walk->wrapper, kind == KIND_SOFTMAX ? "Log" : "Exp");
}

static void warn_of_probabilities(const Walk *walk, Kind kind, int axis, LossKind loss, const char *output)
{
    const char *remedy = "name the logits with --output";
    if (kind == KIND_SIGMOID && loss != LOSS_BCE_WITH_LOGITS)
        remedy = "use --loss bce-with-logits, or name the logits with --output";
    else if (loss == LOSS_BCE_WITH_LOGITS && kind != KIND_SIGMOID)
        remedy = "use --loss cross-entropy, or name the logits with --output";
    else if (axis >= 0 && axis != walk->axis)
        remedy = "its classes are on another axis than it is normalised over; name another output with --output";
    warning(walk->graph->diagnostics, walk->activation->origin, "loss-of-probabilities",
            "--loss %s takes logits, but output '%s' is made by %s, whose results are probabilities already; %s",
            loss_names[loss], output, kind_names[kind], remedy);
}

Value *logits_behind(Graph *graph, Value *value, const char *output, LossKind loss, int class_axis)
{
    Walk walk = {.graph = graph, .axis = class_axis, .value = value};
    Kind kind = KIND_NONE;
    int axis = -1;
    Value *z = walk_to_activation(&walk, &kind, &axis);
    /* e^x and log(x) of something else are no probabilities. */
    if (!z || (walk.wrapper && is_op(walk.wrapper, "Exp") && kind != KIND_LOG_SOFTMAX))
        return value;
    if (!matches_loss(&walk, kind, axis, loss)) {
        warn_of_probabilities(&walk, kind, axis, loss, output);
        return value;
    }
    while (is_op(z->producer, "Identity"))
        z = z->producer->inputs[0];
    Value *logits = replay(&walk, z);
    if (!logits->name)
        logits->name = arena_printf(graph->arena, "%s/logits", output);
    note(graph->diagnostics, walk.activation->origin,
         "--loss %s takes logits: it reads '%s', of which %s makes output '%s'", loss_names[loss], logits->name,
         kind_names[kind], output);
    return logits;
}
