/* onnx_batch.c: a file whose batch is fixed at 1, read with another.
 *
 * The file is imported twice: as it is, which tells the type of every result, and with N samples. In the second import
 * each value that depends on an input has an axis of N times the file's size: the samples one after another (major), or
 * element by element in turns (minor, as when [time, batch, ...] is reshaped to [time · batch, ...]). A node keeps that
 * so, by a rule of its operator, or the import ends: samples must never mix. Where the file spells the 1 out, in
 * Reshape's shape, in the sizes of a Resize, in a class token beside the patches, N is read instead. */
#include <inttypes.h>
#include <string.h>

#include "frontend/import/onnx_model.h"

/* What Rebatch.places holds: the same for all samples, or MAJOR + 2 · axis, or MINOR + 2 · axis. */
enum { UNKNOWN = 0, SHARED = 1, MAJOR = 2, MINOR = 3 };

struct Rebatch {
    int64_t batch;
    NameTable file_types; /* Type of the results of operators, by prefixed name */
    bool is_recording;    /* the first import */
    int *places;          /* by value id */
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

static int place_of(const Rebatch *rebatch, const Value *value)
{
    int place = value->id < rebatch->place_count ? rebatch->places[value->id] : UNKNOWN;
    return place == UNKNOWN && value->kind != VALUE_TEMP ? SHARED : place;
}

static void set_place(Import *import, const Value *value, int place)
{
    while (import->rebatch->place_count <= value->id) {
        APPEND(import->arena, import->rebatch->places, import->rebatch->place_count, UNKNOWN);
    }
    import->rebatch->places[value->id] = place;
}

void rebatch_input(Import *import, const Value *value)
{
    if (rebatch_size(import->rebatch)) {
        set_place(import, value, value->type.rank > 0 ? MAJOR : SHARED);
    }
}

/* The axis of operand i; -1 when it is shared or absent. */
static int axis_of(const Import *import, const Node *node, int i)
{
    int place = input(node, i) ? place_of(import->rebatch, node->inputs[i]) : SHARED;
    return place < MAJOR ? -1 : (place - MAJOR) / 2;
}

static bool is_minor(const Import *import, const Value *value)
{
    int place = place_of(import->rebatch, value);
    return place >= MAJOR && place % 2 == MINOR % 2;
}

static int64_t prefix(const Type *type, int axis)
{
    return dims_product(type, 0, axis);
}

/* How many elements of one sample lie before the samples part, in row-major order. */
static int64_t part(const Import *import, const Value *value, int axis)
{
    int64_t own = value->type.dims[axis] / import->rebatch->batch;
    return prefix(&value->type, axis) * (is_minor(import, value) ? own : 1);
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

/* ---- the operators' rules ----------------------------------------------------------------------------------------
 * Given that the result has one stretched axis, `to`: is it the samples' axis, in their order, and is every element of
 * one sample only? */

typedef bool Rule(const Import *import, const Node *node, int to);

/* Element by element, broadcast. */
static bool is_aligned(const Import *import, const Node *node, int to)
{
    for (int i = 0; i < node->input_count; i++) {
        int axis = axis_of(import, node, i);
        if (axis >= 0 && axis - node->inputs[i]->type.rank != to - node->outputs[0]->type.rank) {
            return false;
        }
    }
    return true;
}

/* [N, C, ...] to [N, ...]: convolutions, pools, norms over channels. */
static bool is_first(const Import *import, const Node *node, int to)
{
    bool first = to == 0;
    for (int i = 0; i < node->input_count; i++) {
        first &= axis_of(import, node, i) <= 0 && !(node->inputs[i] && is_minor(import, node->inputs[i]));
    }
    return first;
}

/* Operands that bring samples have them in one order. */
static bool has_one_order(const Import *import, const Node *node)
{
    int orders[2] = {0};
    for (int i = 0; i < node->input_count; i++) {
        if (axis_of(import, node, i) >= 0) {
            orders[is_minor(import, node->inputs[i])]++;
        }
    }
    return orders[0] == 0 || orders[1] == 0;
}

/* The type alone tells: what works along the samples' axis does not leave it stretched. */
static bool is_told_by_type(const Import *import, const Node *node, int to)
{
    (void)to;
    return axis_of(import, node, 0) >= 0;
}

static bool is_reshaped(const Import *import, const Node *node, int to)
{
    int axis = axis_of(import, node, 0);
    int64_t before = axis >= 0 ? part(import, node->inputs[0], axis) : -1, first = prefix(&node->outputs[0]->type, to);
    return before == first || before == first * (node->outputs[0]->type.dims[to] / import->rebatch->batch);
}

static int normal_axis(const Node *node)
{
    int64_t axis = attr_int(node, "axis");
    return (int)(axis < 0 ? axis + node->inputs[0]->type.rank : axis);
}

/* Along `axis`, which is not the samples'. */
static bool is_along_another(const Import *import, const Node *node, int to)
{
    bool same = true;
    for (int i = 0; i < node->input_count; i++) {
        int axis = axis_of(import, node, i);
        same &= axis < 0 || axis == to;
    }
    return same && to != normal_axis(node);
}

/* Softmax over `axes` axes from `axis` on, norms over all behind it. */
static bool is_normalised(const Import *import, const Node *node, int to)
{
    int first = normal_axis(node);
    bool to_the_end = strstr(node->op->attributes, "axes:int") == NULL;
    int64_t last = to_the_end ? node->inputs[0]->type.rank : first + attr_int(node, "axes");
    return is_along_another(import, node, to) && axis_of(import, node, 0) == to && (to < first || to >= last);
}

static bool is_gathered(const Import *import, const Node *node, int to)
{
    int data = axis_of(import, node, 0), indices = axis_of(import, node, 1), axis = normal_axis(node);
    (void)to;
    return data < 0 || (indices < 0 && data != axis);
}

static bool is_sliced(const Import *import, const Node *node, int to)
{
    int count = 0;
    const int64_t *steps = NULL;
    bool forward = !input(node, 4) || const_operand_ints(import->graph, node, 4, &count, &steps);
    for (int i = 0; i < count; i++) {
        forward &= steps[i] > 0;
    }
    return forward && axis_of(import, node, 0) == to &&
           node->inputs[0]->type.dims[to] == node->outputs[0]->type.dims[to];
}

static bool is_padded(const Import *import, const Node *node, int to)
{
    int count = 0, rank = node->inputs[0]->type.rank;
    const int64_t *pads;
    return !input(node, 3) && const_operand_ints(import->graph, node, 1, &count, &pads) && count == 2 * rank &&
           pads[to] == 0 && pads[rank + to] == 0 && axis_of(import, node, 0) == to;
}

/* Rows, columns or batch dims; not along the contracted axis. */
static bool is_product(const Import *import, const Node *node, int to)
{
    int a = axis_of(import, node, 0), b = axis_of(import, node, 1);
    int a_rank = node->inputs[0]->type.rank, b_rank = node->inputs[1]->type.rank;
    bool both = a >= 0 && b >= 0;
    (void)to;
    return a_rank >= 2 && b_rank >= 2 && a != a_rank - 1 && b != b_rank - 2 &&
           (!both || (a - a_rank == b - b_rank && a - a_rank < -2));
}

static bool is_gemm(const Import *import, const Node *node, int to)
{
    int a = axis_of(import, node, 0), addend = axis_of(import, node, 2);
    return a == (attr_int(node, "transA") ? 1 : 0) && axis_of(import, node, 1) < 0 && to == 0 &&
           (addend < 0 || addend - node->inputs[2]->type.rank == -2);
}

static Rule *rule_of(const Op *op)
{
    static const struct {
        Rule *rule;
        const char *ops; /* for is_word_of() */
    } rules[] = {
        {is_aligned, " BitShift CastLike Clip Dropout Expand Gelu Identity Max Mean Min Mod Pow Sum "},
        {is_first, " Attention AveragePool BatchNormalization Conv ConvTranspose DepthToSpace GlobalAveragePool "
                   "GlobalLpPool GlobalMaxPool GroupNormalization InstanceNormalization LRN LpPool MaxPool Resize "
                   "SpaceToDepth Upsample "},
        {is_told_by_type, " ArgMax ArgMin OneHot ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean "
                          "ReduceMin ReduceProd ReduceSum ReduceSumSquare TopK Transpose "},
        {is_reshaped, " Flatten Reshape Squeeze Unsqueeze "},
        {is_along_another, " Concat Split "},
        {is_normalised, " Hardmax LayerNormalization LogSoftmax LpNormalization RMSNormalization Softmax "},
        {is_gathered, " Gather "},
        {is_sliced, " Slice "},
        {is_padded, " Pad "},
        {is_product, " MatMul "},
        {is_gemm, " Gemm "},
    };
    if (op->kind == OP_ELEMENTWISE) {
        return is_aligned;
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (is_word_of(rules[i].ops, op->name)) {
            return rules[i].rule;
        }
    }
    return NULL;
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
        if (node->inputs[i] && place_of(import->rebatch, node->inputs[i]) != SHARED) {
            return true;
        }
    }
    return false;
}

static void place_result(Import *import, const Node *node, const Value *result, const Type *file)
{
    Rule *rule = rule_of(node->op);
    const int to = stretched_axis(file, &result->type, import->rebatch->batch);
    for (int i = 0; i < node->input_count; i++) {
        if (node->inputs[i] && place_of(import->rebatch, node->inputs[i]) == UNKNOWN) {
            rebatch_refuse(import, node->origin, "where the samples of its operand are is not known");
        }
    }
    if (!rule || to < 0 || !has_one_order(import, node) || !rule(import, node, to)) {
        rebatch_refuse(import, node->origin, "this node would not compute the same of each sample");
    }
    bool minor = false;
    for (int i = 0; i < node->input_count; i++) {
        minor |= node->inputs[i] && is_minor(import, node->inputs[i]);
    }
    if (rule == is_reshaped) {
        minor = part(import, node->inputs[0], axis_of(import, node, 0)) != prefix(&result->type, to);
    }
    set_place(import, result, (minor && file->dims[to] > 1 ? MINOR : MAJOR) + 2 * to);
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
            place_result(import, node, results[i], file);
        } else if (same_dims(file, &results[i]->type)) {
            set_place(import, results[i], SHARED);
        } else if (strcmp(node->op->name, "ConstantOfShape") == 0 || strcmp(node->op->name, "Expand") == 0) {
            int axis = stretched_axis(file, &results[i]->type, import->rebatch->batch);
            set_place(import, results[i], axis < 0 ? UNKNOWN : MAJOR + 2 * axis);
        } else {
            rebatch_refuse(import, node->origin, "its dims change, though no sample reaches this node");
        }
    }
}

/* A loss finds the samples of an output on the first axis, or on one that is all theirs ([time, batch, ...]). */
void rebatch_output(Import *import, const char *name, const Value *value)
{
    const int64_t batch = rebatch_size(import->rebatch);
    const int place = batch ? place_of(import->rebatch, value) : SHARED, axis = (place - MAJOR) / 2;
    if (place == UNKNOWN ||
        (place >= MAJOR && (place % 2 == MINOR % 2 || (axis > 0 && value->type.dims[axis] != batch)))) {
        const char *why = arena_printf(import->arena, "output '%s' would have them side by side", name);
        rebatch_refuse(import, NO_ORIGIN, why);
    }
}

/* ---- where the file spells the batch out ---------------------------------------------------------------------------
 */

/* Where the samples go in a result of the file's type that has `before` elements of a sample before they part: to the
 * front of an axis, or behind the one before it where that would break up the last axis, the features. -1: nowhere. */
static int reshaped_axis(const Type *file, int64_t before, int axis)
{
    int to = -1;
    for (int i = 0; i < file->rank; i++) {
        bool fits = prefix(file, i) == before;
        to = fits && (to < 0 || i == axis) ? i : to;
    }
    return to > 0 && to == file->rank - 1 && file->dims[to] > 1             ? to - 1
           : to < 0 && file->rank > 0 && prefix(file, file->rank) == before ? file->rank - 1
                                                                            : to;
}

/* Reshape: the file's dims, of which the samples' takes N. */
static void rebatch_reshape(Import *import, Node *node, const Type *file)
{
    const int axis = axis_of(import, node, 0);
    const int to = axis < 0 ? -1 : reshaped_axis(file, part(import, node->inputs[0], axis), axis);
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
    if (axis_of(import, node, 0) == 0 && const_operand_ints(import->graph, node, 3, &count, &sizes) &&
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
        axis = axis_of(import, node, i) > axis ? axis_of(import, node, i) : axis;
    }
    for (int i = 0; axis >= 0 && i < node->input_count; i++) {
        Value *x = node->inputs[i];
        if (!x || axis_of(import, node, i) >= 0 || axis >= x->type.rank || x->type.dims[axis] != 1) {
            continue;
        }
        Type wide = x->type;
        wide.dims[axis] = import->rebatch->batch;
        node->inputs[i] = build_expand(import->graph, x, wide.rank, wide.dims);
        set_place(import, node->inputs[i], MAJOR + 2 * axis);
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
