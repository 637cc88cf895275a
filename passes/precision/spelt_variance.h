/* spelt_variance.h: deviations that a model spells out, which 16 bits would ruin. */
#ifndef PCC_SPELT_VARIANCE_H
#define PCC_SPELT_VARIANCE_H

#include "passes/passes.h"

/* By the id of a node's first output: does it compute a variance, its root, or what is scaled by that? */
bool *mark_spelt_variances(Graph *graph);

#endif
