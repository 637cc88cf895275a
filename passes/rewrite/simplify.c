/* simplify.c: algebra, constant folding, common subexpressions, dead code; to a fixed point.
 *
 * Each rewrite looks at one node and says which value its output equals, or NULL. Rewrites only make the graph
 * smaller or move a node towards the normal form, so the sweeps end. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ops/shared/geometry.h"
#include "passes/match.h"

enum { MAX_SWEEPS = 20 };
#define MAX_FOLDED_BYTES ((int64_t)16 << 20)

typedef struct Rewrite {
    const char *op;
    Value *(*apply)(Graph *graph, Node *node); /* the value that replaces outputs[0], or NULL */
} Rewrite;

static bool is_scalar_constant(Graph *graph, const Node *node, int index, double expected)
{
    double value;
    return const_operand_float(graph, node, index, &value) && value == expected;
}

/* x, when it already has the type of the node's output: broadcasting did nothing. */
static Value *unless_broadcast(const Node *node, Value *x)
{
    return same_type(&x->type, &node->outputs[0]->type) ? x : NULL;
}

static Value *rewrite_identity(Graph *graph, Node *node)
{
    (void)graph;
    return unless_broadcast(node, node->inputs[0]);
}

static Value *rewrite_add(Graph *graph, Node *node)
{
    if (is_scalar_constant(graph, node, 1, 0))
        return unless_broadcast(node, node->inputs[0]);
    if (is_scalar_constant(graph, node, 0, 0))
        return unless_broadcast(node, node->inputs[1]);
    return NULL;
}

static Value *rewrite_sub(Graph *graph, Node *node)
{
    return is_scalar_constant(graph, node, 1, 0) ? unless_broadcast(node, node->inputs[0]) : NULL;
}

/* (x * inner) * factor, both constant scalars: gets their product. */
static bool is_scaled_twice(Graph *graph, const Node *node, double *product)
{
    double factor, inner;
    const Node *producer = node->inputs[0]->producer;
    if (!const_operand_float(graph, node, 1, &factor) || !is_op(producer, "Mul") ||
        !const_operand_float(graph, producer, 1, &inner) || node->inputs[1]->type.rank != 0 ||
        !same_type(&producer->inputs[0]->type, &node->outputs[0]->type))
        return false;
    *product = factor * inner;
    return true;
}

static Value *rewrite_mul(Graph *graph, Node *node)
{
    double product;
    if (is_scalar_constant(graph, node, 1, 1))
        return unless_broadcast(node, node->inputs[0]);
    if (is_scalar_constant(graph, node, 0, 1))
        return unless_broadcast(node, node->inputs[1]);
    return is_scaled_twice(graph, node, &product) ? build_scale(graph, node->inputs[0]->producer->inputs[0], product)
                                                  : NULL;
}

static Value *rewrite_div(Graph *graph, Node *node)
{
    return is_scalar_constant(graph, node, 1, 1) ? unless_broadcast(node, node->inputs[0]) : NULL;
}

/* For a reshape that only splits axes: how many of the new axes each old axis becomes. */
static bool splits_axes(const Type *from, const Type *to, int pieces[MAX_RANK])
{
    int j = 0;
    for (int i = 0; i < from->rank; i++) {
        int64_t product = 1;
        pieces[i] = 0;
        while (j < to->rank && (product < from->dims[i] || (pieces[i] == 0 && from->dims[i] == 1))) {
            product *= to->dims[j++];
            pieces[i]++;
        }
        if (product != from->dims[i])
            return false;
    }
    return j == to->rank;
}

/* Reshape(Transpose(Reshape(x))) where the outer one splits axes: Transpose(Reshape(x)), so that merging heads into
 * the batch and taking them apart again cancels. */
static Value *split_before_transpose(Graph *graph, Value *transposed, const Type *to)
{
    Node *transpose = producer_if(transposed, "Transpose");
    int pieces[MAX_RANK], permutation[MAX_RANK], first[MAX_RANK], moved[MAX_RANK], rank = 0, out = 0;
    if (!transpose || !producer_if(transpose->inputs[0], "Reshape") || !splits_axes(&transposed->type, to, pieces))
        return NULL;
    permutation_of(transpose, permutation);
    int64_t dims[MAX_RANK];
    int old_rank = transposed->type.rank;
    for (int source = 0; source < old_rank; source++)
        for (int i = 0, start = 0; i < old_rank; start += pieces[i++])
            if (permutation[i] == source) {
                first[source] = rank;
                for (int piece = 0; piece < pieces[i]; piece++)
                    dims[rank++] = to->dims[start + piece];
            }
    for (int i = 0; i < old_rank; i++)
        for (int piece = 0; piece < pieces[i]; piece++)
            moved[out++] = first[permutation[i]] + piece;
    return build_transpose(graph, build_reshape(graph, transpose->inputs[0], rank, dims), moved);
}

/* Squeeze, Unsqueeze, Flatten, Reshape: one Reshape of the first value that is not itself a reshape. */
static Value *rewrite_reshape(Graph *graph, Node *node)
{
    Value *source = node->inputs[0];
    const Type *to = &node->outputs[0]->type;
    while (is_op(source->producer, "Reshape"))
        source = source->producer->inputs[0];
    if (same_type(&source->type, to))
        return source;
    Value *split = split_before_transpose(graph, source, to);
    if (split)
        return split;
    if (source == node->inputs[0] && is_op(node, "Reshape"))
        return NULL;
    return build_reshape(graph, source, to->rank, to->dims);
}

/* A permutation that only moves axes of size 1 is a Reshape; two permutations are one. */
static Value *rewrite_transpose(Graph *graph, Node *node)
{
    Value *x = node->inputs[0];
    int outer[MAX_RANK], inner[MAX_RANK], last = -1;
    bool ordered = true;
    permutation_of(node, outer);
    for (int i = 0; i < x->type.rank; i++) {
        if (x->type.dims[outer[i]] == 1)
            continue;
        ordered &= outer[i] > last;
        last = outer[i];
    }
    if (ordered)
        return build_reshape(graph, x, x->type.rank, node->outputs[0]->type.dims);
    if (!is_op(x->producer, "Transpose"))
        return NULL;
    permutation_of(x->producer, inner);
    for (int i = 0; i < x->type.rank; i++)
        outer[i] = inner[outer[i]];
    return build_transpose(graph, x->producer->inputs[0], outer);
}

static Value *rewrite_cast(Graph *graph, Node *node)
{
    (void)graph;
    return unless_broadcast(node, node->inputs[0]);
}

/* Does `value` come from a Transpose of its last two dims alone? Then what was transposed. */
static Value *swapped_source(const Value *value)
{
    int permutation[MAX_RANK], rank = value->type.rank;
    if (!is_op(value->producer, "Transpose") || rank < 2)
        return NULL;
    permutation_of(value->producer, permutation);
    for (int i = 0; i < rank - 2; i++)
        if (permutation[i] != i)
            return NULL;
    return permutation[rank - 2] == rank - 1 ? value->producer->inputs[0] : NULL;
}

static Value *rewrite_matmul(Graph *graph, Node *node)
{
    Value *a = swapped_source(node->inputs[0]), *b = swapped_source(node->inputs[1]);
    if ((!a && !b) || node->body)
        return NULL;
    bool trans_a = attr_int(node, "trans_a") != (a != NULL), trans_b = attr_int(node, "trans_b") != (b != NULL);
    Value *product = build_matmul(graph, a ? a : node->inputs[0], trans_a, b ? b : node->inputs[1], trans_b);
    return product;
}

/* Dropout that is switched off. */
static Value *rewrite_dropout(Graph *graph, Node *node)
{
    int count;
    const int64_t *mode;
    bool active = const_operand_ints(graph, node, 2, &count, &mode) && mode[0] != 0;
    return active || (input(node, 2) && input(node, 2)->kind != VALUE_CONST) ? NULL : node->inputs[0];
}

/* A constant scalar index takes a slice: a view, not a gather. */
static Value *rewrite_gather(Graph *graph, Node *node)
{
    const Type *type = &node->inputs[0]->type;
    int count;
    const int64_t *index;
    if (!node->inputs[1] || node->inputs[1]->type.rank > 1 || !const_operand_ints(graph, node, 1, &count, &index) ||
        count != 1)
        return NULL;
    int64_t axis = attr_int(node, "axis");
    axis = axis < 0 ? axis + type->rank : axis;
    int64_t start = index[0] < 0 ? index[0] + type->dims[axis] : index[0], end = start + 1;
    Value *operands[] = {node->inputs[0], const_ints(graph, 1, &start), const_ints(graph, 1, &end),
                         const_ints(graph, 1, &axis)};
    Value *slice = build(graph, "Slice", 4, operands);
    return build_reshape(graph, slice, node->outputs[0]->type.rank, node->outputs[0]->type.dims);
}

/* Expand whose only readers broadcast anyway is not needed; others keep it. */
static Value *rewrite_expand(Graph *graph, Node *node)
{
    (void)graph;
    return unless_broadcast(node, node->inputs[0]);
}

static Value *rewrite_concat(Graph *graph, Node *node)
{
    (void)graph;
    return node->input_count == 1 ? node->inputs[0] : NULL;
}

static const Rewrite rewrites[] = {
    {"Identity", rewrite_identity}, {"Add", rewrite_add},
    {"Sub", rewrite_sub},           {"Mul", rewrite_mul},
    {"Div", rewrite_div},           {"Reshape", rewrite_reshape},
    {"Squeeze", rewrite_reshape},   {"Unsqueeze", rewrite_reshape},
    {"Flatten", rewrite_reshape},   {"Transpose", rewrite_transpose},
    {"Cast", rewrite_cast},         {"MatMul", rewrite_matmul},
    {"Gather", rewrite_gather},     {"Expand", rewrite_expand},
    {"Concat", rewrite_concat},     {"Dropout", rewrite_dropout},
};

static void replace_node(Forwarding *forwarding, Node *node, Value *with)
{
    Value *old = node->outputs[0];
    if (!with->name && with->kind == VALUE_TEMP)
        with->name = old->name;
    forward_value(forwarding, old, with);
    node_remove(forwarding->graph, node);
}

/* Before pass `precision` a model of f32 has f32 constants; in 64-true what is computed from them must not be rounded.
 */
static bool computes_in_f64(const Options *options)
{
    return options->precision && strcmp(options->precision, "64-true") == 0;
}

static bool would_be_rounded(Dtype dtype, double x)
{
    return dtype == DTYPE_F32 && isfinite(x) && (double)(float)x != x;
}

/* What the row's rewrite makes of the node: NULL when that is nothing new. */
static Value *rewritten(Graph *graph, Node *node, const Options *options)
{
    double product;
    if (computes_in_f64(options) && is_op(node, "Mul") && is_scaled_twice(graph, node, &product) &&
        would_be_rounded(node->outputs[0]->type.dtype, product))
        return NULL;
    for (size_t i = 0; i < sizeof(rewrites) / sizeof(*rewrites); i++) {
        if (!is_op(node, rewrites[i].op) || (node->output_count > 1 && node->outputs[1]))
            continue;
        graph->cursor = node;
        graph->origin = node->origin;
        Value *with = rewrites[i].apply(graph, node);
        graph->cursor = NULL;
        graph->origin = NO_ORIGIN;
        return with != node->outputs[0] ? with : NULL;
    }
    return NULL;
}

static bool apply_rewrites(Graph *graph, const Options *options)
{
    bool changed = false;
    Forwarding forwarding = {.graph = graph};
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        forward_inputs(&forwarding, node);
        Value *with = rewritten(graph, node, options);
        if (with) {
            replace_node(&forwarding, node, with);
            changed = true;
        }
    }
    forward_results(&forwarding);
    return changed;
}

/* The rows of a product with one matrix, [B·T, N], taken apart into [B, T, N]: the product itself can have them, and
 * then loops over [B, T, N] can be its epilogue. */
static Value *product_with_dims(Graph *graph, Value *rows, const Type *to)
{
    Node *product = producer_if(rows, "MatMul");
    if (!product || product->body || rows->type.rank != 2 || to->rank < 3 || attr_int(product, "trans_a") ||
        product->inputs[0]->type.rank != 2 || product->inputs[1]->type.rank != 2 ||
        to->dims[to->rank - 1] != rows->type.dims[1] || swapped_source(product->inputs[0]))
        return NULL;
    int64_t dims[MAX_RANK];
    for (int i = 0; i < to->rank; i++)
        dims[i] = i < to->rank - 1 ? to->dims[i] : product->inputs[0]->type.dims[1];
    return build_matmul(graph, build_reshape(graph, product->inputs[0], to->rank, dims), false, product->inputs[1],
                        attr_int(product, "trans_b"));
}

/* Only where the rows have no other reader: the product must not run twice. */
static bool give_products_dims(Graph *graph)
{
    bool changed = false;
    const int *uses = count_uses(graph);
    const int value_count = graph->value_count;
    Forwarding forwarding = {.graph = graph};
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        forward_inputs(&forwarding, node);
        const Value *rows = input(node, 0);
        if (!is_op(node, "Reshape") || rows->id >= value_count || uses[rows->id] != 1)
            continue;
        graph->cursor = node;
        graph->origin = node->origin;
        Value *product = product_with_dims(graph, node->inputs[0], &node->outputs[0]->type);
        graph->cursor = NULL;
        graph->origin = NO_ORIGIN;
        if (product) {
            replace_node(&forwarding, node, product);
            changed = true;
        }
    }
    forward_results(&forwarding);
    return changed;
}

static bool is_foldable(const Node *node)
{
    int64_t bytes = 0;
    if (node->op->is_random || node->op->kind == OP_EXPAND || node->body)
        return false;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && (node->inputs[i]->kind != VALUE_CONST || !node->inputs[i]->data))
            return false;
    for (int i = 0; i < node->output_count; i++)
        bytes += node->outputs[i] ? type_bytes(&node->outputs[i]->type) : 0;
    /* a broadcast constant stays a small one */
    return bytes <= MAX_FOLDED_BYTES && !is_op(node, "Expand") && !is_op(node, "Tile");
}

static bool loses_digits(const Tensor *tensor)
{
    for (int64_t i = 0, count = tensor->f ? element_count(&tensor->type) : 0; i < count; i++)
        if (would_be_rounded(tensor->type.dtype, tensor->f[i]))
            return true;
    return false;
}

static bool any_loses_digits(const Node *node, const Tensor *outputs)
{
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] && loses_digits(&outputs[i]))
            return true;
    return false;
}

static bool fold_constants(Graph *graph, const Options *options)
{
    bool changed = false;
    Forwarding forwarding = {.graph = graph};
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        forward_inputs(&forwarding, node);
        if (!is_foldable(node))
            continue;
        Tensor *inputs = NEW_ARRAY(graph->arena, Tensor, node->input_count + 1);
        Tensor *outputs = NEW_ARRAY(graph->arena, Tensor, node->output_count + 1);
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i])
                inputs[i] = tensor_from_data(graph->arena, &node->inputs[i]->type, node->inputs[i]->data);
        evaluate_node(graph, node, inputs, outputs);
        if (computes_in_f64(options) && any_loses_digits(node, outputs))
            continue;
        for (int i = 0; i < node->output_count; i++)
            if (node->outputs[i])
                forward_value(&forwarding, node->outputs[i], const_tensor(graph, &outputs[i]));
        node_remove(graph, node);
        changed = true;
    }
    forward_results(&forwarding);
    return changed;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * 0x9e3779b97f4a7c15u ^ hash >> 29;
}

static uint64_t hash_node(const Node *node)
{
    uint64_t hash = mix((uint64_t)(uintptr_t)node->op, (uint64_t)node->input_count);
    for (int i = 0; i < node->input_count; i++)
        hash = mix(hash, node->inputs[i] ? (uint64_t)node->inputs[i]->id + 1 : 0);
    return hash;
}

static bool same_attr(const Attr *a, const Attr *b)
{
    if (!b || a->kind != b->kind || a->i != b->i || a->count != b->count || memcmp(&a->f, &b->f, sizeof(a->f)) != 0 ||
        (a->s != NULL) != (b->s != NULL) || (a->s && strcmp(a->s, b->s) != 0))
        return false;
    for (int i = 0; i < a->count; i++)
        if ((a->ints && a->ints[i] != b->ints[i]) || (a->floats && a->floats[i] != b->floats[i]))
            return false;
    return true;
}

static bool same_computation(const Node *a, const Node *b)
{
    if (a->op != b->op || a->input_count != b->input_count || a->output_count != b->output_count ||
        a->attr_count != b->attr_count || a->body || b->body || a->op->is_random)
        return false;
    for (int i = 0; i < a->input_count; i++)
        if (a->inputs[i] != b->inputs[i])
            return false;
    for (int i = 0; i < a->output_count; i++)
        if ((a->outputs[i] != NULL) != (b->outputs[i] != NULL) ||
            (a->outputs[i] && !same_type(&a->outputs[i]->type, &b->outputs[i]->type)))
            return false;
    for (int i = 0; i < a->attr_count; i++)
        if (!same_attr(&a->attrs[i], find_attr(b, a->attrs[i].name)))
            return false;
    return true;
}

/* The capacity of an open-addressing table that `count` entries fill by half at most: a power of two. */
static size_t table_capacity(int count)
{
    size_t capacity = 64;
    while (capacity < 2 * (size_t)(count + 1))
        capacity *= 2;
    return capacity;
}

static uint64_t hash_constant(const Value *value)
{
    const unsigned char *bytes = value->data;
    uint64_t hash = mix((uint64_t)value->type.dtype, (uint64_t)value->type.rank);
    for (int64_t i = 0; i < type_bytes(&value->type); i++)
        hash = mix(hash, bytes[i]);
    return hash;
}

static bool same_constant(const Value *a, const Value *b)
{
    return same_type(&a->type, &b->type) && memcmp(a->data, b->data, (size_t)type_bytes(&a->type)) == 0;
}

/* Small constants of equal type and bytes are one, so that nodes that read them compare equal. */
static void merge_constants(Graph *graph)
{
    enum { MERGED_BYTES = 256 };
    const size_t capacity = table_capacity(graph->value_count);
    Value **table = NEW_ARRAY(graph->arena, Value *, capacity);
    Forwarding forwarding = {.graph = graph};
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        if (!value || value->kind != VALUE_CONST || !value->data || type_bytes(&value->type) > MERGED_BYTES)
            continue;
        size_t slot = hash_constant(value) & (capacity - 1);
        while (table[slot] && !same_constant(table[slot], value))
            slot = (slot + 1) & (capacity - 1);
        if (table[slot])
            forward_value(&forwarding, value, table[slot]);
        else
            table[slot] = value;
    }
    forward_all(&forwarding);
}

/* Inputs are forwarded before a node is looked up, so that what reads merged values compares equal in the same walk. */
static bool merge_common_subexpressions(Graph *graph)
{
    bool changed = false;
    const size_t capacity = table_capacity(graph->node_count);
    Node **table = NEW_ARRAY(graph->arena, Node *, capacity);
    Forwarding forwarding = {.graph = graph};
    for (Node *node = graph->first, *next; node; node = next) {
        next = node->next;
        forward_inputs(&forwarding, node);
        size_t slot = hash_node(node) & (capacity - 1);
        while (table[slot] && !same_computation(table[slot], node))
            slot = (slot + 1) & (capacity - 1);
        if (!table[slot]) {
            table[slot] = node;
            continue;
        }
        for (int i = 0; i < node->output_count; i++)
            if (node->outputs[i])
                forward_value(&forwarding, node->outputs[i], table[slot]->outputs[i]);
        node_remove(graph, node);
        changed = true;
    }
    forward_results(&forwarding);
    return changed;
}

void simplify(Graph *graph, const Options *options)
{
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
        bool changed = give_products_dims(graph); /* before a chain of reshapes becomes two readers of the product */
        changed |= apply_rewrites(graph, options);
        changed |= fold_constants(graph, options);
        merge_constants(graph);
        changed |= merge_common_subexpressions(graph);
        remove_dead_nodes(graph);
        if (!changed)
            break;
    }
}
