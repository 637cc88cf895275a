/* numerics_tell.h: --check-numerics: what a program says of a node whose result is not finite. */
#ifndef PCC_NUMERICS_TELL_H
#define PCC_NUMERICS_TELL_H

#include <stdio.h>

#include "../program.h"

#define PCC_WATCHED_NODES 128 /* of one loop: its product, at most 48 nodes and as many stores */

/* A node as the model calls it; type is text: "f16[128,64]". */
typedef struct PccWatched {
    const char *node, *op, *type;
} PccWatched;

/* update: PccStep.update of the step. Adding 0 makes -0 a 0: which one was seen first depends on the order. */
static inline void pcc_tell_not_finite(uint64_t update, const PccWatched *node, const PccSeen *seen)
{
    fprintf(stderr, "check-numerics: step %llu: node '%s' (%s), %s: ", (unsigned long long)update + 1, node->node,
            node->op, node->type);
    fprintf(stderr, "%lld infinite and %lld NaN of %lld elements", (long long)seen->infinite, (long long)seen->nan,
            (long long)seen->count);
    if (seen->count > seen->infinite + seen->nan)
        fprintf(stderr, "; the others lie in [%g, %g]", seen->low + 0, seen->high + 0);
    fputc('\n', stderr);
}

#endif
