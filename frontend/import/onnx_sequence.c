/* onnx_sequence.c: sequences and optionals. A sequence has a length that is known when the model is compiled, and never
 * becomes a value of the graph. */
#include <inttypes.h>
#include <string.h>

#include "frontend/import/onnx_control.h"

/* ---- operands ---------------------------------------------------------------------------------------------------- */

static Value *operand(const Control *control, size_t i)
{
    return node_input(control->import, control->scope, control->origin, control->node, i);
}

static int64_t int_attribute(const Control *control, const char *name, int64_t otherwise)
{
    const AttributeProto *attribute = control_attribute(control, name);
    if (attribute && (attribute->has_f || attribute->has_s)) {
        fatal(control->import->diagnostics, EXIT_STATUS_INPUT, control->origin, "attribute '%s' must be an integer",
              name);
    }
    return attribute ? attribute->i : otherwise;
}

static bool define(const Control *control, Value *value)
{
    define_result(control->import, control->body, control->scope, control->node, 0, value);
    return true;
}

static bool sequence_operand(const Control *control, size_t i, Value ***items, int *count)
{
    Value *value = operand(control, i);
    if (!value || !is_sequence(value)) {
        return false;
    }
    *count = sequence_items(value, items);
    return true;
}

/* Input i as a position among `count`, `otherwise` where it is absent. */
static bool position_operand(const Control *control, size_t i, int count, int64_t otherwise, int64_t *position)
{
    Value *value = operand(control, i);
    *position = otherwise;
    if (value && (!is_tensor(value) || !constant_scalar(control, value, position))) {
        return false;
    }
    *position += *position < 0 ? count : 0;
    return *position >= 0 && *position <= count;
}

static const char unknown_position[] = "at a position that is out of range, or not known when the model is compiled";

/* ---- sequences --------------------------------------------------------------------------------------------------- */

static bool import_construct(const Control *control)
{
    Value **items = NEW_ARRAY(control->import->arena, Value *, control->node->n_input + 1);
    for (size_t i = 0; i < control->node->n_input; i++) {
        items[i] = operand(control, i);
        if (!items[i] || !is_tensor(items[i])) {
            return refuse_control(control, "of what is no tensor");
        }
    }
    return define(control, sequence_create(control->import, (int)control->node->n_input, items));
}

static bool import_insert(const Control *control)
{
    Value **items = NULL, *item = operand(control, 1);
    int64_t at;
    int count;
    if (!sequence_operand(control, 0, &items, &count) || !item || !is_tensor(item)) {
        return refuse_control(control, "of what is no sequence");
    }
    if (!position_operand(control, 2, count, count, &at)) {
        return refuse_control(control, unknown_position);
    }
    spend_iteration(control);
    Value **longer = NEW_ARRAY(control->import->arena, Value *, count + 1);
    for (int i = 0; i <= count; i++) {
        longer[i] = i < at ? items[i] : i == at ? item : items[i - 1];
    }
    return define(control, sequence_create(control->import, count + 1, longer));
}

static bool import_erase(const Control *control)
{
    Value **items = NULL;
    int64_t at;
    int count;
    if (!sequence_operand(control, 0, &items, &count)) {
        return refuse_control(control, "of what is no sequence");
    }
    if (!position_operand(control, 1, count, count - 1, &at) || at >= count) {
        return refuse_control(control, unknown_position);
    }
    Value **shorter = NEW_ARRAY(control->import->arena, Value *, count);
    for (int i = 0; i + 1 < count; i++) {
        shorter[i] = items[i < at ? i : i + 1];
    }
    return define(control, sequence_create(control->import, count - 1, shorter));
}

/* A constant as one of its own, since a result takes the name that the file gives it; anything else as it is. */
static bool define_item(const Control *control, Value *item)
{
    if (is_tensor(item) && item->kind == VALUE_CONST) {
        item = const_create(control->import->graph, item->type, item->data, NULL);
    }
    return define(control, item);
}

static bool import_at(const Control *control)
{
    Value **items = NULL;
    int64_t at;
    int count;
    if (!operand(control, 1)) {
        fatal(control->import->diagnostics, EXIT_STATUS_INPUT, control->origin,
              "input 1, the position, is missing; it says which tensor of the sequence is meant");
    }
    if (!sequence_operand(control, 0, &items, &count)) {
        return refuse_control(control, "of what is no sequence");
    }
    if (!position_operand(control, 1, count, -1, &at) || at >= count) {
        return refuse_control(control, unknown_position);
    }
    return define_item(control, items[at]);
}

static bool import_length(const Control *control)
{
    Value **items = NULL;
    int count;
    if (!sequence_operand(control, 0, &items, &count)) {
        return refuse_control(control, "of what is no sequence");
    }
    return define(control, scalar_constant(control->import, DTYPE_I64, count));
}

/* x[..., first:last, ...] along an axis, without it where it is dropped. */
static Value *part_of(const Control *control, Value *x, int64_t axis, int64_t first, int64_t last, bool dropped)
{
    Graph *graph = control->import->graph;
    Value *operands[] = {x, const_ints(graph, 1, &first), const_ints(graph, 1, &last), const_ints(graph, 1, &axis)};
    Value *part = fold_value(control->import, build(graph, "Slice", 4, operands));
    if (!dropped) {
        return part;
    }
    return fold_value(control->import, build(graph, "Squeeze", 2, (Value *[]){part, const_ints(graph, 1, &axis)}));
}

/* The lengths of the parts of an axis: each 1 without a split, all alike, or as listed. */
static bool split_lengths(const Control *control, int64_t extent, int64_t **lengths, int *count)
{
    Value *split = operand(control, 1);
    int64_t each = 1, sum = 0;
    if (split && (!is_tensor(split) || split->kind != VALUE_CONST || is_float(split->type.dtype))) {
        return false;
    }
    if (split && split->type.rank == 1) {
        *lengths = tensor_from_data(control->import->arena, &split->type, split->data).i;
        *count = (int)split->type.dims[0];
    } else {
        if ((split && !constant_scalar(control, split, &each)) || each < 1 ||
            extent / each >= control->import->node_budget) {
            return false;
        }
        *count = (int)(extent / each + (extent % each != 0));
        *lengths = NEW_ARRAY(control->import->arena, int64_t, *count + 1);
        for (int i = 0; i < *count; i++) {
            (*lengths)[i] = i + 1 < *count ? each : extent - (int64_t)i * each;
        }
    }
    for (int i = 0; i < *count; i++) {
        if ((*lengths)[i] < 0 || __builtin_add_overflow(sum, (*lengths)[i], &sum)) {
            return false;
        }
    }
    return sum == extent;
}

static bool import_split(const Control *control)
{
    Value *x = operand(control, 0);
    int64_t axis = int_attribute(control, "axis", 0), *lengths = NULL;
    const bool dropped = !operand(control, 1) && !int_attribute(control, "keepdims", 1);
    int count = 0;
    if (!x || !is_tensor(x)) {
        return refuse_control(control, "of what is no tensor");
    }
    axis += axis < 0 ? x->type.rank : 0;
    if (axis < 0 || axis >= x->type.rank || !split_lengths(control, x->type.dims[axis], &lengths, &count)) {
        return refuse_control(control, "into parts that are too many, or not known when the model is compiled");
    }
    Value **parts = NEW_ARRAY(control->import->arena, Value *, count + 1);
    int64_t at = 0;
    control->import->graph->origin = control->origin;
    for (int i = 0; i < count; i++) {
        spend_iteration(control);
        parts[i] = part_of(control, x, axis, at, at + lengths[i], dropped);
        at += lengths[i];
    }
    return define(control, sequence_create(control->import, count, parts));
}

/* Items joined along an axis, which with new_axis is one of their own. */
static bool import_concat(const Control *control)
{
    Value **items = NULL;
    int64_t axis = int_attribute(control, "axis", 0);
    const bool stacked = int_attribute(control, "new_axis", 0);
    int count = 0;
    Graph *graph = control->import->graph;
    if (!control_attribute(control, "axis")) {
        fatal(control->import->diagnostics, EXIT_STATUS_INPUT, control->origin,
              "the attribute 'axis' is missing; it says along which axis the tensors are joined");
    }
    if (!sequence_operand(control, 0, &items, &count) || count == 0) {
        return refuse_control(control, "of what is no sequence, or an empty one");
    }
    const int rank = items[0]->type.rank + stacked;
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank) {
        return refuse_control(control, "along an axis that the items do not have");
    }
    graph->origin = control->origin;
    Value **rows = NEW_ARRAY(control->import->arena, Value *, count);
    for (int i = 0; i < count; i++) {
        Value *operands[] = {items[i], const_ints(graph, 1, &axis)};
        rows[i] = stacked ? fold_value(control->import, build(graph, "Unsqueeze", 2, operands)) : items[i];
    }
    Node *concat = build_begin(graph, "Concat", count, rows, 1);
    set_int(graph, concat, "axis", axis);
    return define(control, fold_value(control->import, build_finish(graph, concat)));
}

/* The body for each item of the first sequence, with the items of the others beside it, and whole tensors. */
static bool import_map(const Control *control)
{
    const AttributeProto *body = control_attribute(control, "body");
    Value **items = NULL, ***columns = NULL;
    int count = 0;
    if (!body || !body->g || !sequence_operand(control, 0, &items, &count)) {
        return refuse_control(control, "of what is no sequence");
    }
    Arena *arena = control->import->arena;
    const size_t inputs = control->node->n_input, outputs = control->node->n_output;
    check_signature(control, body->g, inputs, outputs);
    Value **given = NEW_ARRAY(arena, Value *, inputs + 1), **results = NEW_ARRAY(arena, Value *, outputs + 1);
    bool *wanted = NEW_ARRAY(arena, bool, outputs + 1);
    columns = NEW_ARRAY(arena, Value **, outputs + 1);
    for (size_t i = 0; i < outputs; i++) {
        columns[i] = NEW_ARRAY(arena, Value *, count + 1);
        wanted[i] = true;
    }
    for (int k = 0; k < count; k++) {
        for (size_t i = 0; i < inputs; i++) {
            Value *value = operand(control, i), **others = NULL;
            if (!value || (!is_tensor(value) && sequence_items(value, &others) != count)) {
                return refuse_control(control, "of sequences of several lengths");
            }
            given[i] = others ? others[k] : value;
        }
        spend_iteration(control);
        if (!import_subgraph(control, body->g, arena_printf(arena, "%d/", k), given, wanted, results)) {
            return pass_poison_on(control, outputs, results);
        }
        for (size_t i = 0; i < outputs; i++) {
            if (!is_tensor(results[i])) {
                return refuse_control(control, "whose body makes what is no tensor");
            }
            columns[i][k] = results[i];
        }
    }
    for (size_t i = 0; i < outputs; i++) {
        Value *sequence = sequence_create(control->import, count, columns[i]);
        define_result(control->import, control->body, control->scope, control->node, i, sequence);
    }
    return true;
}

/* ---- optionals --------------------------------------------------------------------------------------------------- */

static bool import_optional(const Control *control)
{
    Value *value = operand(control, 0);
    return value ? define_item(control, value) : define(control, nothing_create(control->import));
}

static bool import_get_element(const Control *control)
{
    Value *value = operand(control, 0);
    if (!value || is_nothing(value)) {
        return refuse_control(control, "of an optional that has none");
    }
    return define_item(control, value);
}

static bool import_has_element(const Control *control)
{
    const Value *value = operand(control, 0);
    return define(control, scalar_constant(control->import, DTYPE_BOOL, value && !is_nothing(value)));
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static bool has_stand_in(const Control *control)
{
    for (size_t i = 0; i < control->node->n_input; i++) {
        const Value *value = operand(control, i);
        if (value && !is_tensor(value)) {
            return true;
        }
    }
    return false;
}

bool import_sequence_node(const Control *control)
{
    static const struct {
        const char *op;
        bool (*import)(const Control *);
    } rows[] = {
        {"SequenceEmpty", import_construct},
        {"SequenceConstruct", import_construct},
        {"SequenceInsert", import_insert},
        {"SequenceErase", import_erase},
        {"SequenceAt", import_at},
        {"SequenceLength", import_length},
        {"SplitToSequence", import_split},
        {"ConcatFromSequence", import_concat},
        {"SequenceMap", import_map},
        {"Optional", import_optional},
        {"OptionalGetElement", import_get_element},
        {"OptionalHasElement", import_has_element},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(control->origin.op, rows[i].op) == 0) {
            return rows[i].import(control);
        }
    }
    if (!has_stand_in(control)) {
        return false;
    }
    if (strcmp(control->origin.op, "Identity") == 0) {
        return define(control, operand(control, 0));
    }
    return refuse_control(control, "of a sequence");
}
