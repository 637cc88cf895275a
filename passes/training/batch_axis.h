/* batch_axis.h: where the samples of a batch lie in a value, and values with the samples first. */
#ifndef PCC_BATCH_AXIS_H
#define PCC_BATCH_AXIS_H

#include "ir/batch_place.h"
#include "passes/passes.h"

/* The place of every value, by id: from the inputs and the target through each operator. */
const int64_t *follow_batch(const Graph *graph, int64_t batch);

/* ---- batch.c ---- */

/* Sets graph->batch: how many samples there are, of which the loss reads what `scores` has; NULL: its own scalar. */
void find_batch(Graph *graph, const Value *scores, const char *output);

/* ---- batch_first.c ---- */

/* `value`, whose samples lie at `outer`, with the samples first: [T, B, C] becomes [B, T, C], [T · B, C] becomes
 * [B · T, C]. The value itself where they are first already. NULL when they are parts of several axes.
 * build_batch_back() is the inverse, for the value that build_batch_first(like) has become. */
Value *build_batch_first(Graph *graph, Value *value, int64_t outer, int64_t batch);
Value *build_batch_back(Graph *graph, Value *value, const Type *like, int64_t outer, int64_t batch);
/* What the loss reads, with the samples first where there are several: the value itself or one that is named
 * OUTPUT/batch_first. class_axis: of the value, -1 for none. */
Value *scores_batch_first(Graph *graph, Value *scores, const char *output, int class_axis);

#endif
