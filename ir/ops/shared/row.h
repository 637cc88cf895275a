/* row.h: what the rows of the neural families build and share, beyond support.h. */
#ifndef PCC_OPS_ROW_H
#define PCC_OPS_ROW_H

#include "ir/ops/shared/support.h"

#include <inttypes.h>

#define VALUES(...) ((Value *[]){__VA_ARGS__})

static inline bool has_output(const Node *node, int output)
{
    return output < node->output_count && node->outputs[output];
}

/* Elements of a table of indices or coefficients that an expansion may leave in the program. */
enum { MOST_TABLE = 1 << 26 };

/* Output 0 in the dtype of `type`, or in that of attribute `stored`: an ONNX dtype, 0 for none. */
bool set_stored_type(Graph *graph, Node *node, Type type);
/* May an operand of dtype `b` stand beside one of `a`? They are the same or, where the node says what it stores (pass
 * fuse-casts), widen to the same. */
bool dtypes_agree(const Node *node, Dtype a, Dtype b);

/* Output i of a forward node, which its gradient reads; made when the model did not ask for it. */
Value *saved_output(Graph *graph, Node *node, int output);

/* Forgets the outputs from `count` on: those of an older opset that nothing can read. */
void drop_outputs(Graph *graph, Node *node, int count);

/* x reshaped to the dims of `like`. */
Value *build_reshape_as(Graph *graph, Value *x, const Type *like);

/* Operand i, where there is one, is a vector of `count` elements; broadcasts to `to`. False with a message. */
bool check_vector(Graph *graph, const Node *node, int i, const char *name, int64_t count);
bool check_broadcast(Graph *graph, const Node *node, int i, const char *name, const Type *to);
/* A vector [C] as [1, C, 1, ...], to broadcast over activations of rank `rank`. */
Value *build_channel_vector(Graph *graph, Value *vector, int rank);

/* Input i of a node becomes its expansion to `dims`, unless it has them already. */
void expand_input(Graph *graph, Node *node, int i, int rank, const int64_t *dims);

/* x[..., first:last, ...] of one axis. */
Value *build_slice(Graph *graph, Value *x, int axis, int64_t first, int64_t last);

/* The parts joined along an axis; a single one as it is. */
Value *build_concat(Graph *graph, int count, Value *const *parts, int axis);
Value *build_joined(Graph *graph, Value *x, Value *y, int axis);

/* A reduction with keepdims=1 over axes [first, last). */
Value *build_reduce_range(Graph *graph, const char *op, Value *x, int first, int last);

#endif
