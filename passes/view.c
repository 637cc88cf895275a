/* view.c: windows of values, and what the rows of data-movement operators do to them. */
#include "passes/view.h"

View window_of(Value *value)
{
    if (value->view.base)
        return value->view;
    View window = {.base = value};
    dense_strides(&value->type, window.strides);
    return window;
}

bool is_view_node(const Node *node)
{
    return node->op->kind == OP_VIEW;
}

bool is_dense(const Type *type, const int64_t strides[MAX_RANK])
{
    int64_t expected = 1;
    for (int axis = type->rank - 1; axis >= 0; axis--) {
        if (type->dims[axis] != 1 && strides[axis] != expected)
            return false;
        expected *= type->dims[axis];
    }
    return true;
}

bool has_dense_rows(const Type *type, const int64_t strides[MAX_RANK])
{
    int last = type->rank - 1;
    return last < 0 || type->dims[last] == 1 || strides[last] == 1;
}

bool joins_operands(const Node *node)
{
    return node->op->kind == OP_VIEW && !node->op->view_forward;
}

bool view_forward(const Node *node, int index, const View *in, View *out)
{
    return node->op->view_forward && node->op->view_forward(node, index, in, out);
}

bool view_backward(const Node *node, int index, const View *out, View *in)
{
    return node->op->view_backward && node->op->view_backward(node, index, out, in);
}

void view_next_part(const Node *node, int index, View *window)
{
    const Type *part = &(joins_operands(node) ? node->inputs : node->outputs)[index]->type;
    const int64_t axis = attr_int(node, "axis") + (attr_int(node, "axis") < 0 ? part->rank : 0);
    window->offset += part->dims[axis] * window->strides[axis];
}
