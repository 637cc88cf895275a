/* onnx_batch.c: a file whose batch is fixed at 1, read with another.
 *
 * The file is imported twice: as it is, which tells the type of every result, and with N samples. In the second import
 * the samples of each value that depends on an input have a place (ir/batch_place.h), in an axis of N times the file's
 * size. The row of a node proves where they go, or the import ends: samples must never mix. Where the file contains the
 * 1 as a constant, as in Reshape's shape, in the sizes of a Resize, in a class token beside the patches, N is read
 * instead. */
#include <inttypes.h>
#include <string.h>

#include "frontend/import/onnx_model.h"
#include "ir/batch_place.h"

struct Rebatch {
    int64_t batch;
    NameTable file_types; /* Type of the results of operators, by prefixed name */
    bool is_recording;    /* the first import */
    int64_t *places;      /* by value id */
    int place_count;
};

Rebatch *rebatch_create(Arena *arena, int64_t batch)
{
    Rebatch *rebatch = NEW(arena, Rebatch);
    *rebatch = (Rebatch){.batch = batch, .is_recording = true};
    return rebatch;
}

void rebatch_begin(Rebatch *rebatch)
{
    rebatch->is_recording = false;
}

int64_t rebatch_size(const Rebatch *rebatch)
{
    return rebatch && !rebatch->is_recording ? rebatch->batch : 0;
}

/* ---- where the samples of a value are ---------------------------------------------------------------------------- */

static int64_t place_of(const Rebatch *rebatch, const Value *value)
{
    int64_t place = value->id < rebatch->place_count ? rebatch->places[value->id] : PLACE_UNKNOWN;
    return place == PLACE_UNKNOWN && value->kind != VALUE_TEMP ? PLACE_NONE : place;
}

static void set_place(Import *import, const Value *value, int64_t place)
{
    while (import->rebatch->place_count <= value->id) {
        APPEND(import->arena, import->rebatch->places, import->rebatch->place_count, PLACE_UNKNOWN);
    }
    import->rebatch->places[value->id] = place;
}

void rebatch_input(Import *import, const Value *value)
{
    if (rebatch_size(import->rebatch)) {
        set_place(import, value, value->type.rank > 0 ? place_on_axis(&value->type, 0) : PLACE_NONE);
    }
}

static int64_t operand_place(const Import *import, const Node *node, int i)
{
    return input(node, i) ? place_of(import->rebatch, node->inputs[i]) : PLACE_NONE;
}

/* The axis of operand i that has the samples; -1 when none has. */
static int samples_axis(const Import *import, const Node *node, int i)
{
    const int64_t place = operand_place(import, node, i);
    Digit digit;
    return place > 0 && find_digit(&node->inputs[i]->type, place, import->rebatch->batch, &digit) ? digit.axis : -1;
}

/* The one axis that has N times the file's size; -1 when that is not the difference. */
static int stretched_axis(const Type *file, const Type *type, int64_t batch)
{
    int found = -1;
    for (int i = 0; i < type->rank; i++) {
        if (file->rank != type->rank || (file->dims[i] != type->dims[i] && found >= 0)) {
            return -1;
        }
        found = file->dims[i] != type->dims[i] ? i : found;
    }
    return found >= 0 && type->dims[found] == batch * file->dims[found] ? found : -1;
}

/* ---- checking the results ---------------------------------------------------------------------------------------- */

void rebatch_refuse(Import *import, Origin origin, const char *why)
{
    const int64_t batch = import->rebatch->batch;
    fatal(import->diagnostics, EXIT_STATUS_UNSUPPORTED, origin,
          "the file's batch of 1 is part of the graph, which cannot be read with %" PRId64
          " samples: %s; export the model with a dynamic batch axis, or keep the file's batch, where --accumulate "
          "%" PRId64 " trains with %" PRId64 " samples an update",
          batch, why, batch, batch);
}

static const char *key_of(Import *import, const Body *body, const char *name)
{
    return arena_printf(import->arena, "%s%s", body->prefix, name);
}

/* What the result is in the file; NULL when it has none. */
static const Type *file_type(Import *import, const Body *body, const NodeProto *from, int i)
{
    const char *name = node_output(from, (size_t)i);
    return name ? name_table_find(&import->rebatch->file_types, key_of(import, body, name)) : NULL;
}

bool rebatch_knew(Import *import, const Body *body, const NodeProto *from)
{
    for (int i = 0; rebatch_size(import->rebatch) && i < (int)from->n_output; i++) {
        if (file_type(import, body, from, i)) {
            return true;
        }
    }
    return false;
}

static bool depends_on_samples(const Import *import, const Node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        if (operand_place(import, node, i) != PLACE_NONE) {
            return true;
        }
    }
    return false;
}

/* Where the operands that have samples agree to put them. */
static int64_t agreed_place(const Import *import, const Node *node, int output)
{
    int64_t agreed = PLACE_NONE;
    for (int i = 0; i < node->input_count; i++) {
        int64_t place = operand_place(import, node, i);
        if (place == PLACE_NONE) {
            continue;
        }
        place = followed_place(node, i, output, place, import->rebatch->batch);
        if (place <= 0 || (agreed != PLACE_NONE && place != agreed)) {
            return PLACE_UNKNOWN;
        }
        agreed = place;
    }
    return agreed;
}

/* Does an operand that all samples share hold something else for each position of the samples' axis? */
static bool tells_samples_apart(const Import *import, const Node *node, int output, int samples)
{
    for (int i = 0; i < node->input_count; i++) {
        const bool shared = node->inputs[i] && operand_place(import, node, i) == PLACE_NONE;
        for (int axis = 0; shared && axis < node->inputs[i]->type.rank; axis++) {
            if (node->inputs[i]->type.dims[axis] > 1 && followed_axis(node, i, axis, output) == samples) {
                return true;
            }
        }
    }
    return false;
}

/* The result has the file's dims but for the samples' axis, and every element is of one sample only. */
static void place_result(Import *import, const Node *node, int output, const Type *file)
{
    const Type *type = &node->outputs[output]->type;
    Digit digit;
    for (int i = 0; i < node->input_count; i++) {
        if (operand_place(import, node, i) == PLACE_UNKNOWN) {
            rebatch_refuse(import, node->origin, "where the samples of its operand are is not known");
        }
    }
    const int64_t place = agreed_place(import, node, output);
    if (place <= 0 || !find_digit(type, place, import->rebatch->batch, &digit) ||
        digit.axis != stretched_axis(file, type, import->rebatch->batch) ||
        tells_samples_apart(import, node, output, digit.axis)) {
        rebatch_refuse(import, node->origin, "this node would not compute the same of each sample");
    }
    set_place(import, node->outputs[output], place);
}

void rebatch_results(Import *import, const Body *body, const NodeProto *from, const Node *node, Value *const *results)
{
    if (!import->rebatch) {
        return;
    }
    for (int i = 0; i < node->output_count; i++) {
        const char *name = node_output(from, (size_t)i);
        if (!results[i] || !name) {
            continue;
        }
        const Type *file = file_type(import, body, from, i);
        if (import->rebatch->is_recording) {
            Type *type = NEW(import->arena, Type);
            *type = results[i]->type;
            name_table_set(&import->rebatch->file_types, import->arena, key_of(import, body, name), type);
        } else if (!file) {
            rebatch_refuse(import, node->origin, "the file's own batch does not tell this node's type");
        } else if (results[i]->kind == VALUE_TEMP && depends_on_samples(import, node)) {
            place_result(import, node, i, file);
        } else if (same_dims(file, &results[i]->type)) {
            set_place(import, results[i], PLACE_NONE);
        } else if (strcmp(node->op->name, "ConstantOfShape") == 0 || strcmp(node->op->name, "Expand") == 0) {
            int axis = stretched_axis(file, &results[i]->type, import->rebatch->batch);
            set_place(import, results[i], axis < 0 ? PLACE_UNKNOWN : place_on_axis(&results[i]->type, axis));
        } else {
            rebatch_refuse(import, node->origin, "its dims change, though no sample reaches this node");
        }
    }
}

void rebatch_shared(Import *import, const Value *value)
{
    if (rebatch_size(import->rebatch)) {
        set_place(import, value, PLACE_NONE);
    }
}

/* A loss finds the samples of an output on the first axis, or on one that is all theirs ([time, batch, ...]). */
void rebatch_output(Import *import, const char *name, const Value *value)
{
    const int64_t batch = rebatch_size(import->rebatch), place = batch ? place_of(import->rebatch, value) : PLACE_NONE;
    Digit digit;
    if (place == PLACE_NONE) {
        return;
    }
    if (place < 0 || !find_digit(&value->type, place, batch, &digit) ||
        ((digit.axis > 0 || digit.major > 1) && value->type.dims[digit.axis] != batch)) {
        const char *why = arena_printf(import->arena, "output '%s' would have them side by side", name);
        rebatch_refuse(import, NO_ORIGIN, why);
    }
}

/* ---- constants of the file that contain the batch --------------------------------------------------------------- */

/* Where the samples go in a result of the file's type that has `before` elements of a sample before they part: to the
 * front of an axis, or behind the one before it where that would break up the last axis, the features. -1: nowhere. */
static int reshaped_axis(const Type *file, int64_t before, int axis)
{
    int to = -1;
    for (int i = 0; i < file->rank; i++) {
        bool fits = place_on_axis(file, i) == before;
        to = fits && (to < 0 || i == axis) ? i : to;
    }
    return to > 0 && to == file->rank - 1 && file->dims[to] > 1                    ? to - 1
           : to < 0 && file->rank > 0 && place_on_axis(file, file->rank) == before ? file->rank - 1
                                                                                   : to;
}

/* Reshape: the file's dims, of which the samples' takes N. */
static void rebatch_reshape(Import *import, Node *node, const Type *file)
{
    const int axis = samples_axis(import, node, 0);
    const int to = axis < 0 ? -1 : reshaped_axis(file, operand_place(import, node, 0), axis);
    Type target = *file;
    if (to >= 0 && input(node, 1) && node->inputs[1]->kind == VALUE_CONST) {
        target.dims[to] *= import->rebatch->batch;
        node->inputs[1] = const_ints(import->graph, target.rank, target.dims);
    }
}

static void rebatch_sizes(Import *import, Node *node)
{
    int count;
    const int64_t *sizes;
    if (samples_axis(import, node, 0) == 0 && const_operand_ints(import->graph, node, 3, &count, &sizes) &&
        count == node->inputs[0]->type.rank && sizes[0] == 1) {
        Type target = make_type(DTYPE_I64, count, sizes);
        target.dims[0] = import->rebatch->batch;
        node->inputs[3] = const_ints(import->graph, count, target.dims);
    }
}

/* Concat of a class token [1, 1, D] with patches [N, P, D]: every sample has the token. */
static void rebatch_concat(Import *import, Node *node)
{
    int axis = -1;
    for (int i = 0; i < node->input_count; i++) {
        axis = samples_axis(import, node, i) > axis ? samples_axis(import, node, i) : axis;
    }
    for (int i = 0; axis >= 0 && i < node->input_count; i++) {
        Value *x = node->inputs[i];
        if (!x || samples_axis(import, node, i) >= 0 || axis >= x->type.rank || x->type.dims[axis] != 1) {
            continue;
        }
        Type wide = x->type;
        wide.dims[axis] = import->rebatch->batch;
        node->inputs[i] = build_expand(import->graph, x, wide.rank, wide.dims);
        set_place(import, node->inputs[i], place_on_axis(&wide, axis));
    }
}

void rebatch_operands(Import *import, const Body *body, const NodeProto *from, Node *node)
{
    const Type *file = rebatch_size(import->rebatch) ? file_type(import, body, from, 0) : NULL;
    if (!file || node->input_count == 0 || !node->inputs[0]) {
        return;
    }
    import->graph->cursor = node;
    if (strcmp(node->op->name, "Reshape") == 0) {
        rebatch_reshape(import, node, file);
    } else if (strcmp(node->op->name, "Resize") == 0) {
        rebatch_sizes(import, node);
    } else if (strcmp(node->op->name, "Concat") == 0) {
        rebatch_concat(import, node);
    }
    import->graph->cursor = NULL;
}
