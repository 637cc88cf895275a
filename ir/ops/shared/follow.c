/* follow.c: where the axes of operands go in many rows. */
#include "ir/ops/shared/follow.h"

#include "ir/ops/shared/geometry.h"

int follow_broadcast(const Node *node, int i, int axis)
{
    return axis + node->outputs[0]->type.rank - node->inputs[i]->type.rank;
}

int follow_every(const Node *node, int i, int axis)
{
    (void)node;
    return i == 0 ? axis : -1;
}

int follow_others(const Node *node, int i, int axis)
{
    return i == 0 && axis != axis_of(node, node->inputs[0]->type.rank) ? axis : -1;
}

int follow_first(const Node *node, int i, int axis)
{
    (void)node;
    return i == 0 && axis == 0 ? 0 : -1;
}

int follow_channels(const Node *node, int i, int axis)
{
    const Attr *last = find_attr(node, "channels_last");
    int channels = last && last->i ? node->inputs[0]->type.rank - 1 : 1;
    return i == 0 && (axis == 0 || axis == channels) ? axis : -1;
}
