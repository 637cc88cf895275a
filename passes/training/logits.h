/* logits.h: the logits behind an output of probabilities. */
#ifndef PCC_LOGITS_H
#define PCC_LOGITS_H

#include "passes/passes.h"

/* What a loss on logits reads of graph output `output`, whose classes lie on class_axis (-1: every element is a logit
 * of its own). Where the output is the Softmax, LogSoftmax or Sigmoid that goes with the loss, through reshapes,
 * transposes and casts, the logits that it is made of, in the output's shape, with a note; else the value itself, after
 * a warning where it is another activation's result. */
Value *logits_behind(Graph *graph, Value *value, const char *output, LossKind loss, int class_axis);

#endif
