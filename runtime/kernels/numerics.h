/* numerics.h: --check-numerics: which node of a step was the first with a result that is not finite.
 *
 * A program with checks passes every element that it computes to these functions: kernels' results from memory, those
 * of fused loops and epilogues as they are computed. This is slow; it serves to find the origin of a NaN. */
#ifndef PCC_NUMERICS_H
#define PCC_NUMERICS_H

#include <math.h>

#include "common/step.h"
#include "common/storage.h"
#include "numerics_tell.h"

#define PCC_WATCHED_THREADS 256

typedef struct PccWatch {
    PccSeen seen[PCC_WATCHED_THREADS][PCC_WATCHED_NODES];
    bool told; /* a node was reported in this step: later ones follow from it */
} PccWatch;

static PccWatch pcc_watch;

static inline void pcc_see(PccSeen *seen, double x)
{
    if (isnan(x)) {
        seen->nan++;
    } else if (isinf(x)) {
        seen->infinite++;
    } else {
        seen->low = seen->count == seen->nan + seen->infinite || x < seen->low ? x : seen->low;
        seen->high = seen->count == seen->nan + seen->infinite || x > seen->high ? x : seen->high;
        seen->count++;
        return;
    }
    seen->count++;
}

/* Checks one element of node `member` of the running loop. Called from any thread. */
static inline void pcc_watch_element(int member, double x)
{
    pcc_see(&pcc_watch.seen[pcc_thread() % PCC_WATCHED_THREADS][member], x);
}

static inline void pcc_watch_begin(void)
{
    pcc_watch.told = false;
}

static inline void pcc_tell(const PccStep *s, const PccWatched *node, const PccSeen *seen)
{
    if (pcc_watch.told || seen->nan + seen->infinite == 0)
        return;
    pcc_watch.told = true;
    pcc_tell_not_finite(s->update, node, seen);
}

static inline void pcc_merge_seen(PccSeen *into, const PccSeen *from)
{
    const bool none = into->count == into->nan + into->infinite, any = from->count > from->nan + from->infinite;
    if (any && (none || from->low < into->low))
        into->low = from->low;
    if (any && (none || from->high > into->high))
        into->high = from->high;
    into->count += from->count;
    into->nan += from->nan;
    into->infinite += from->infinite;
}

/* After a loop: reports the first of its members with an element that is not finite, and resets the counts. */
static inline void pcc_watch_loop(const PccStep *s, const PccWatched *nodes, int count)
{
    for (int member = 0; member < count; member++) {
        PccSeen all = {0};
        for (int thread = 0; thread < PCC_WATCHED_THREADS; thread++) {
            pcc_merge_seen(&all, &pcc_watch.seen[thread][member]);
            pcc_watch.seen[thread][member] = (PccSeen){0};
        }
        pcc_tell(s, nodes + member, &all);
    }
}

static inline double pcc_any_element(PccDtype dtype, const void *data, int64_t i)
{
    return dtype == PCC_F64 ? ((const double *)data)[i] : (double)pcc_read_one((PccIn){data, dtype}, i);
}

/* After a kernel: checks one of its results, a window of its buffer. */
static inline void pcc_watch_tensor(const PccStep *s, PccWatched node, PccDtype dtype, int rank, const int64_t *dims,
                                    const int64_t *strides, const void *data)
{
    PccSeen seen = {0};
    for (int64_t flat = 0; flat < pcc_product(rank, dims); flat++) {
        int64_t at = 0, rest = flat;
        for (int axis = rank - 1; axis >= 0; axis--) {
            at += rest % dims[axis] * strides[axis];
            rest /= dims[axis];
        }
        pcc_see(&seen, pcc_any_element(dtype, data, at));
    }
    pcc_tell(s, &node, &seen);
}

#endif
