/* recompute_kind.h: --recompute and --memory-budget. */
#ifndef PCC_FRONTEND_RECOMPUTE_KIND_H
#define PCC_FRONTEND_RECOMPUTE_KIND_H

#include "frontend/commands/driver.h"

/* Settles c->options.recompute. Without a budget: of `auto` and `all` the kind that takes the least memory, up to the
 * one that --recompute names. With a budget: the first kind with which weights and arena fit, from the named one on, or
 * else of fused, none, auto and all; a fatal error when none does. Leaves c->imported as it is. */
void choose_recompute(Compilation *c);

#endif
