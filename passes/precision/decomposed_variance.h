/* decomposed_variance.h: variances that a model computes with primitive operators, which overflow or vanish in 16
 * bits. */
#ifndef PCC_DECOMPOSED_VARIANCE_H
#define PCC_DECOMPOSED_VARIANCE_H

#include "passes/passes.h"

/* By the id of a node's first output: does it compute a variance, its root, or what is scaled by that? */
bool *mark_decomposed_variances(Graph *graph);

#endif
