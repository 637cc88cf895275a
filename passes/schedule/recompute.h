/* recompute.h: what the backward pass finds in memory, and what it computes again (--recompute). */
#ifndef PCC_PASSES_RECOMPUTE_H
#define PCC_PASSES_RECOMPUTE_H

#include "passes/schedule/forward_pass.h"

/* By value id: the activations that stay in memory until the backward pass has read them. What it reads of the others,
 * and what these are computed from, it computes again. */
bool *choose_kept(const Forward *forward, RecomputeKind kind);

#endif
