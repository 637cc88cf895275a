/* spelt_variance.h: variances that a model computes by elementary operators, which overflow or vanish in 16 bits. */
#ifndef PCC_SPELT_VARIANCE_H
#define PCC_SPELT_VARIANCE_H

#include "passes/passes.h"

/* By the id of a node's first output: does it compute a variance, its root, or what is scaled by that? */
bool *mark_spelt_variances(Graph *graph);

#endif
