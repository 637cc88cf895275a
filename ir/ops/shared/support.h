/* support.h: what the rows of several families share: messages, axes, static operands, operands made in upgrades. */
#ifndef PCC_OPS_SUPPORT_H
#define PCC_OPS_SUPPORT_H

#include <string.h>

#include "ir/ir.h"

/* Ends an `infer` or `upgrade` with a message about the node; their value is false. */
#define REJECT(graph, node, ...) (error((graph)->diagnostics, EXIT_STATUS_INPUT, (node)->origin, __VA_ARGS__), false)
#define REJECT_UNSUPPORTED(graph, node, ...) \
    (error((graph)->diagnostics, EXIT_STATUS_UNSUPPORTED, (node)->origin, __VA_ARGS__), false)

static inline bool set_output_type(Graph *graph, Node *node, int i, Type type)
{
    if (type.rank > MAX_RANK)
        return REJECT(graph, node, "output %d would have rank %d; %d is the most", i, type.rank, MAX_RANK);
    if (!type_is_valid(&type))
        return REJECT(graph, node, "output %d would be %s, which is impossible or too large", i,
                      type_text(graph->arena, &type));
    if (i < node->output_count && node->outputs[i])
        node->outputs[i]->type = type;
    return true;
}

static inline bool infer_like_first(Graph *graph, Node *node)
{
    return set_output_type(graph, node, 0, node->inputs[0]->type);
}

/* `axis` counted from the front; false with a message when it is outside [-rank, rank). */
static inline bool resolve_axis(Graph *graph, const Node *node, int64_t axis, int rank, int *resolved)
{
    if (axis < -rank || axis >= rank)
        return REJECT(graph, node, "axis is %lld, but the operand has rank %d", (long long)axis, rank);
    *resolved = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

/* Attribute `axis` of a node that infer has accepted. */
static inline int axis_of(const Node *node, int rank)
{
    int64_t axis = attr_int(node, "axis");
    return (int)(axis < 0 ? axis + rank : axis);
}

/* Op.index_count where operand 1 indexes that axis of operand 0. */
static inline int64_t indexed_along_axis(const Node *node, int i)
{
    const Type *x = &node->inputs[0]->type;
    return i == 1 ? x->dims[axis_of(node, x->rank)] : -1;
}

/* A set of axes from an optional list; false with a message on an axis that is out of range or repeated. */
static inline bool resolve_axes(Graph *graph, const Node *node, int count, const int64_t *axes, int rank,
                                bool chosen[MAX_RANK])
{
    memset(chosen, 0, MAX_RANK * sizeof(*chosen));
    for (int i = 0; i < count; i++) {
        int axis;
        if (!resolve_axis(graph, node, axes[i], rank, &axis))
            return false;
        if (chosen[axis])
            return REJECT(graph, node, "axis %d is given twice", axis);
        chosen[axis] = true;
    }
    return true;
}

/* Element i of an integer constant, which static operands are. */
static inline int64_t const_int_at(const Value *constant, int64_t i)
{
    switch (constant->type.dtype) {
    case DTYPE_I32:
        return ((const int32_t *)constant->data)[i];
    case DTYPE_U32:
        return ((const uint32_t *)constant->data)[i];
    case DTYPE_I16:
        return ((const int16_t *)constant->data)[i];
    case DTYPE_U16:
        return ((const uint16_t *)constant->data)[i];
    case DTYPE_I8:
        return ((const int8_t *)constant->data)[i];
    case DTYPE_U8:
    case DTYPE_BOOL:
        return ((const uint8_t *)constant->data)[i];
    default:
        return ((const int64_t *)constant->data)[i];
    }
}

static inline void set_operand(Graph *graph, Node *node, int i, Value *value)
{
    if (i >= node->input_count) {
        Value **inputs = NEW_ARRAY(graph->arena, Value *, i + 1);
        if (node->input_count)
            memcpy(inputs, node->inputs, (size_t)node->input_count * sizeof(*inputs));
        node->inputs = inputs;
        node->input_count = i + 1;
    }
    node->inputs[i] = value;
}

/* Upgrades: an attribute of an old opset becomes operand i of the new one. */
static inline void ints_to_operand(Graph *graph, Node *node, const char *attribute, int i)
{
    const int64_t *values;
    if (!has_attr(node, attribute))
        return;
    int count = attr_ints(node, attribute, &values);
    set_operand(graph, node, i, const_ints(graph, count, values));
    remove_attr(node, attribute);
}

/* Of Squeeze, Unsqueeze and ReduceSum. */
static inline bool upgrade_axes(Graph *graph, Node *node, int opset)
{
    if (opset < 13)
        ints_to_operand(graph, node, "axes", 1);
    return true;
}

static inline void float_to_operand(Graph *graph, Node *node, const char *attribute, int i, Dtype dtype)
{
    if (!has_attr(node, attribute))
        return;
    set_operand(graph, node, i, const_float(graph, dtype, find_attr(node, attribute)->f));
    remove_attr(node, attribute);
}

/* For upgrades: operand i in the dtype that the node's kernel reads. A constant is converted, anything else cast just
 * before the node. */
static inline void convert_operand(Graph *graph, Node *node, int i, Dtype dtype)
{
    Value *operand = input(node, i);
    if (!operand || operand->type.dtype == dtype)
        return;
    Node *cursor = graph->cursor;
    graph->cursor = node;
    node->inputs[i] = build_cast(graph, operand, dtype);
    if (operand->kind == VALUE_CONST && operand->data) {
        Node *cast = node->inputs[i]->producer;
        Tensor from = tensor_from_data(graph->arena, &operand->type, operand->data), to;
        evaluate_node(graph, cast, &from, &to);
        node->inputs[i] = const_tensor(graph, &to);
        node_remove(graph, cast);
    }
    graph->cursor = cursor;
}

/* A value of `dims` that is zero everywhere; it takes no memory until something needs it dense. */
static inline Value *build_zeros(Graph *graph, const Type *type)
{
    Value *zero = build_cast(graph, const_float(graph, type->dtype, 0), type->dtype);
    return build_expand(graph, zero, type->rank, type->dims);
}

/* Row-major counting: steps `index` through `dims`; false after the last position. */
static inline bool next_index(int rank, const int64_t *dims, int64_t *index)
{
    for (int axis = rank - 1; axis >= 0; axis--) {
        if (++index[axis] < dims[axis])
            return true;
        index[axis] = 0;
    }
    return false;
}

/* The dot product of an index and strides. */
static inline int64_t offset_of(int rank, const int64_t *index, const int64_t *strides)
{
    int64_t offset = 0;
    for (int axis = 0; axis < rank; axis++)
        offset += index[axis] * strides[axis];
    return offset;
}

static inline Value *build_widened(Graph *graph, Value *x)
{
    return is_narrow(x->type.dtype) ? build_cast(graph, x, DTYPE_F32) : x;
}

/* Copies one element of whatever kind; both tensors are floats or both are not. */
static inline void copy_element(Tensor *to, int64_t to_index, const Tensor *from, int64_t from_index)
{
    if (to->f)
        to->f[to_index] = from->f[from_index];
    else
        to->i[to_index] = from->i[from_index];
}

static inline void copy_elements(Tensor *to, const Tensor *from)
{
    size_t count = (size_t)element_count(&to->type);
    if (to->f)
        memcpy(to->f, from->f, count * sizeof(*to->f));
    else
        memcpy(to->i, from->i, count * sizeof(*to->i));
}

#endif
