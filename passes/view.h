/* view.h: what the data-movement operators do to a strided window. */
#ifndef PCC_VIEW_H
#define PCC_VIEW_H

#include "passes/passes.h"

/* The window of `value` itself: its view, or the dense buffer that it owns. */
View window_of(Value *value);
bool is_view_node(const Node *node);
/* Does the view node lay its operands side by side in one window (Concat)? The others show their first operand. */
bool joins_operands(const Node *node);
/* Do these strides walk a dense row-major block of `type`'s dims? Strides of dims of size 1 do not matter. */
bool is_dense(const Type *type, const int64_t strides[MAX_RANK]);
bool has_dense_rows(const Type *type, const int64_t strides[MAX_RANK]); /* the last dim's stride is 1 */

/* The window in which output `index` of a view node appears, given the window of its input; false when no strided
 * window can show it. */
bool view_forward(const Node *node, int index, const View *in, View *out);
/* The window in which input `index` must be written so that the output appears in `out`; false when there is none. */
bool view_backward(const Node *node, int index, const View *out, View *in);
/* From the window of part `index` of a Concat or Split to that of the next one, which lies behind it. */
void view_next_part(const Node *node, int index, View *window);

#endif
