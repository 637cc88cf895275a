/* batch_place.h: where the samples of a batch lie in a value, and where an operator puts them. */
#ifndef PCC_BATCH_PLACE_H
#define PCC_BATCH_PLACE_H

#include "ir/ir.h"

/* The samples of a value of `batch` samples as a digit of its row-major order: element e is of sample
 * e / inner % batch with inner = elements / (outer · batch). Dims do not matter: [T, B, C], [T · B, C] and [T, B · C]
 * have outer = T. */
enum {
    PLACE_NONE = 0,     /* the value does not depend on the samples */
    PLACE_UNKNOWN = -1, /* it does, but not sample by sample, or nobody can tell */
    /* above: outer */
};

/* dims[axis] = major · batch · minor. */
typedef struct Digit {
    int axis;
    int64_t major, minor;
} Digit;

/* The axis that the samples are a part of; false when they are parts of several. */
bool find_digit(const Type *type, int64_t outer, int64_t batch, Digit *digit);
/* Where the batch is an axis of a value. */
int64_t place_on_axis(const Type *type, int axis);
/* The place in `to` when its axis holds, position by position, the axis of `from` that has the samples at `outer`:
 * PLACE_UNKNOWN when the extents differ, or there is no such axis. */
int64_t place_moved(const Type *from, int64_t outer, int64_t batch, const Type *to, int axis);

/* The axis of output `output` that the node's row says holds axis `axis` of operand i (Op.follow_axis); -1: none. */
int followed_axis(const Node *node, int i, int axis, int output);
/* Where output `output` has the samples that operand i has at `outer`, as the row proves it. PLACE_UNKNOWN where an
 * element may depend on several samples, or where the operator may treat samples differently. */
int64_t followed_place(const Node *node, int i, int output, int64_t outer, int64_t batch);

#endif
