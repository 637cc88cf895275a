/* step.h: what every kernel may read of the step that it runs in. */
#ifndef PCC_STEP_H
#define PCC_STEP_H

#include <string.h>

#include "../../program.h"

#ifdef _OPENMP
#    include <omp.h>
#endif

static inline int pcc_thread(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

static inline int pcc_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* Threads of the enclosing parallel region. */
static inline int pcc_team(void)
{
#ifdef _OPENMP
    return omp_get_num_threads();
#else
    return 1;
#endif
}

/* Where thread `thread` begins in `count` items that the team of the enclosing parallel region shares evenly, and the
 * thread before it ends. */
static inline int64_t pcc_share(int64_t count, int64_t thread)
{
    return count * thread / pcc_team();
}

/* The calling thread's own PCC_THREAD_SCRATCH bytes, 64-byte aligned. */
static inline char *pcc_thread_scratch(const PccStep *s)
{
    return s->thread_scratch + (size_t)pcc_thread() * PCC_THREAD_SCRATCH;
}

/* At the end of the forward pass of step(). */
static inline void pcc_copy_outputs(const PccStep *s, size_t bytes)
{
    if (s->outputs)
        memcpy(s->outputs, s->arena, bytes);
}

#endif
