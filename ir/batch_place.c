/* batch_place.c: where the samples of a batch lie in a value, and where an operator puts them, by what its row says of
 * its axes (Op.keeps_order, Op.follow_axis). */
#include "ir/batch_place.h"

int64_t place_on_axis(const Type *type, int axis)
{
    return dims_product(type, 0, axis);
}

bool find_digit(const Type *type, int64_t outer, int64_t batch, Digit *digit)
{
    int64_t before = 1;
    for (int axis = 0; axis < type->rank; axis++) {
        int64_t dim = type->dims[axis];
        if (before > 0 && outer % before == 0 && dim > 0 && dim % (outer / before) == 0 &&
            dim / (outer / before) % batch == 0) {
            *digit = (Digit){axis, outer / before, dim / (outer / before) / batch};
            return true;
        }
        before *= dim;
    }
    return false;
}

int64_t place_moved(const Type *from, int64_t outer, int64_t batch, const Type *to, int axis)
{
    Digit digit;
    if (axis < 0 || axis >= to->rank || !find_digit(from, outer, batch, &digit) ||
        to->dims[axis] != from->dims[digit.axis])
        return PLACE_UNKNOWN;
    return place_on_axis(to, axis) * digit.major;
}

int followed_axis(const Node *node, int i, int axis, int output)
{
    const Op *op = node->op;
    const Value *first = node->outputs[0], *to = node->outputs[output];
    if (op->follow_axis_to)
        return op->follow_axis_to(node, i, axis, output);
    if (!first || to->type.rank != first->type.rank)
        return -1;
    int followed = op->follow_axis              ? op->follow_axis(node, i, axis)
                   : op->kind == OP_ELEMENTWISE ? axis + to->type.rank - node->inputs[i]->type.rank
                                                : -1;
    return followed < to->type.rank ? followed : -1;
}

int64_t followed_place(const Node *node, int i, int output, int64_t outer, int64_t batch)
{
    const Type *from = &node->inputs[i]->type, *to = &node->outputs[output]->type;
    Digit digit;
    if (node->op->keeps_order && i == 0 && output == 0 && element_count(from) == element_count(to))
        return outer;
    if (!find_digit(from, outer, batch, &digit))
        return PLACE_UNKNOWN;
    return place_moved(from, outer, batch, to, followed_axis(node, i, digit.axis, output));
}
