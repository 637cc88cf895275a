/* follow.h: where the axes of operands go in many rows: see Op.follow_axis. */
#ifndef PCC_OPS_FOLLOW_H
#define PCC_OPS_FOLLOW_H

#include "ir/ir.h"

/* Operands are broadcast, element by element. */
int follow_broadcast(const Node *node, int i, int axis);
/* Operand 0's axes stay, position by position. */
int follow_every(const Node *node, int i, int axis);
/* Those but the one of attribute `axis`, along which the node works. */
int follow_others(const Node *node, int i, int axis);
/* Operand 0's axis 0 stays: [N, C, ...] whose channels and spatial axes mix, or are no longer the same. */
int follow_first(const Node *node, int i, int axis);
/* Operand 0's [N, C, spatial...], or [N, spatial..., C] with channels_last: its axes N and C stay. */
int follow_channels(const Node *node, int i, int axis);

#endif
