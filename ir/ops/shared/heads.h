/* heads.h: what the rows of attention and of what stands around it share. */
#ifndef PCC_OPS_HEADS_H
#define PCC_OPS_HEADS_H

#include "ir/ops/shared/geometry.h"

enum { MASK_OPERAND = 1 << 3 }; /* as_stored: -1e9 would be -inf in f16 */

/* q[B, H, S, D], k[B, H/group, T, D] and v[B, H/group, T, E] of one float dtype. */
bool heads_agree(const Type *q, const Type *k, const Type *v);

/* x[B, T, H·D] as [B, H, T, D]; a 4-D operand is so already. And back. */
Value *build_heads(Graph *graph, Value *x, int64_t heads);
Value *build_joined_heads(Graph *graph, Value *y);
/* k or v[B, heads/group, T, D] with each head repeated for its group of queries' heads. */
Value *build_repeated_heads(Graph *graph, Value *x, int64_t group);

/* Input i, cosines or sines of RotaryEmbedding: false after error() unless a row has an angle for each pair of the
 * `rotated` channels. */
bool check_rotary_cache(Graph *graph, Node *node, int i, int rank, int64_t rotated);

/* Scores with a mask, or NULL: bool, or to be added. */
Value *build_masked_scores(Graph *graph, Value *scores, Value *mask);
/* Softmax over the keys; 0 for a query that sees none. */
Value *build_weights(Graph *graph, Value *scores, bool masked);

/* [batch, heads, sequence, width], or [batch, sequence, heads · width]; masks are broadcast to [batch, heads, ...]. */
int attention_follow_axis(const Node *node, int i, int axis);

#endif
