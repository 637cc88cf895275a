/* view.h: how the data-movement operators address: the fields view_forward and view_backward of their rows. */
#ifndef PCC_OPS_VIEW_H
#define PCC_OPS_VIEW_H

#include "ir/ir.h"

typedef bool ViewForward(const Node *node, int index, const View *in, View *out);
typedef bool ViewBackward(const Node *node, int index, const View *out, View *in);

ViewForward view_reshape, view_transpose, view_expand, view_split, view_slice;
ViewBackward view_before_reshape, view_before_transpose, view_part_of_concat;

#endif
