/* row.c: what the rows of the neural families build and share. */
#include "ir/ops/shared/geometry.h"

#include <string.h>

bool set_stored_type(Graph *graph, Node *node, Type type)
{
    int64_t stored = attr_int(node, "stored");
    if (stored && (!dtype_from_onnx(stored, &type.dtype) || !is_float(type.dtype)))
        return REJECT(graph, node, "attribute 'stored' is %" PRId64 "; it must be the number of a float dtype", stored);
    return set_output_type(graph, node, 0, type);
}

bool dtypes_agree(const Node *node, Dtype a, Dtype b)
{
    return a == b || (attr_int(node, "stored") && is_float(a) && is_float(b) && wide_dtype(a) == wide_dtype(b));
}

Value *saved_output(Graph *graph, Node *node, int output)
{
    if (output >= node->output_count) {
        Value **outputs = NEW_ARRAY(graph->arena, Value *, output + 1);
        memcpy(outputs, node->outputs, (size_t)node->output_count * sizeof *outputs);
        node->outputs = outputs;
        node->output_count = output + 1;
    }
    if (!node->outputs[output]) {
        node->outputs[output] = value_create(graph, VALUE_TEMP, node->inputs[0]->type, NULL);
        node->outputs[output]->producer = node;
        infer_node(graph, node);
    }
    return node->outputs[output];
}

void drop_outputs(Graph *graph, Node *node, int count)
{
    for (int i = count; i < node->output_count; i++)
        if (node->outputs[i])
            graph->values[node->outputs[i]->id] = NULL;
    if (node->output_count > count)
        node->output_count = count;
}

Value *build_reshape_as(Graph *graph, Value *x, const Type *like)
{
    return build_reshape(graph, x, like->rank, like->dims);
}

bool check_vector(Graph *graph, const Node *node, int i, const char *name, int64_t count)
{
    const Type *type = input(node, i) ? &node->inputs[i]->type : NULL;
    return !type || (type->rank == 1 && type->dims[0] == count) ||
           REJECT(graph, node, "input %d, %s, is %s; it must be a vector of %" PRId64 " elements", i, name,
                  type_text(graph->arena, type), count);
}

bool check_broadcast(Graph *graph, const Node *node, int i, const char *name, const Type *to)
{
    Type joint;
    const Type *type = input(node, i) ? &node->inputs[i]->type : NULL;
    return !type || (broadcast_dims(type, to, &joint) && same_dims(&joint, to)) ||
           REJECT(graph, node, "input %d, %s, is %s; it must broadcast to %s", i, name, type_text(graph->arena, type),
                  type_text(graph->arena, to));
}

Value *build_channel_vector(Graph *graph, Value *vector, int rank)
{
    int64_t dims[MAX_RANK];
    for (int i = 0; i < rank; i++)
        dims[i] = i == 1 ? element_count(&vector->type) : 1;
    return build_reshape(graph, vector, rank, dims);
}

void expand_input(Graph *graph, Node *node, int i, int rank, const int64_t *dims)
{
    Type wanted = make_type(node->inputs[i]->type.dtype, rank, dims);
    if (same_dims(&node->inputs[i]->type, &wanted))
        return;
    Node *cursor = graph->cursor;
    graph->cursor = node;
    node->inputs[i] = build_expand(graph, node->inputs[i], rank, dims);
    graph->cursor = cursor;
}

Value *build_slice(Graph *graph, Value *x, int axis, int64_t first, int64_t last)
{
    if (first == 0 && last == x->type.dims[axis])
        return x;
    int64_t position = axis, step = 1;
    return build(graph, "Slice", 5,
                 VALUES(x, const_ints(graph, 1, &first), const_ints(graph, 1, &last), const_ints(graph, 1, &position),
                        const_ints(graph, 1, &step)));
}

Value *build_concat(Graph *graph, int count, Value *const *parts, int axis)
{
    if (count == 1)
        return parts[0];
    Node *node = build_begin(graph, "Concat", count, parts, 1);
    set_int(graph, node, "axis", axis);
    return build_finish(graph, node);
}

Value *build_joined(Graph *graph, Value *x, Value *y, int axis)
{
    return build_concat(graph, 2, VALUES(x, y), axis);
}

Value *build_reduce_range(Graph *graph, const char *op, Value *x, int first, int last)
{
    int64_t axes[MAX_RANK];
    for (int i = first; i < last; i++)
        axes[i - first] = i;
    Node *node = build_begin(graph, op, 2, VALUES(x, const_ints(graph, last - first, axes)), 1);
    set_int(graph, node, "keepdims", 1);
    return build_finish(graph, node);
}

int64_t samples_of(const Node *node, const Type *x)
{
    int64_t batch = attr_int(node, "batch");
    return batch ? batch : x->dims[0];
}
