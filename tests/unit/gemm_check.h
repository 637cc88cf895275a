/* gemm_check.h: what the tests of the matrix products share: thread scratch, values, layouts of operands. */
#ifndef GEMM_CHECK_H
#define GEMM_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/gemm/gemm.h"

enum { MAX_THREADS = 4 };
static PccStep step;

static inline int set_up(void **state)
{
    (void)state;
    step.thread_scratch = aligned_alloc(64, MAX_THREADS * PCC_THREAD_SCRATCH);
    return step.thread_scratch == NULL;
}

static inline int tear_down(void **state)
{
    (void)state;
    free(step.thread_scratch);
    return 0;
}

static inline void set_threads(int threads)
{
#ifdef _OPENMP
    omp_set_num_threads(threads);
#else
    (void)threads;
#endif
}

/* In [-1, 1), the same for every run; operands differ by their salt. */
static inline double value(uint64_t index, uint64_t salt)
{
    uint64_t x = (index + 1) * 0x9e3779b97f4a7c15u + salt * 0xd1b54a32d192ed03u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return (double)(x >> 11) * 0x1p-52 - 1;
}

/* batch products; strides in elements. ta, tb: which index is contiguous: 'n' the last, 't' the first, 's' neither. */
typedef struct Case {
    int64_t batch, m, n, k;
    char ta, tb;
} Case;

typedef struct Layout {
    int64_t row, column, batch, size;
} Layout;

static inline Layout layout(char kind, int64_t batch, int64_t rows, int64_t columns)
{
    const int64_t gap = 3; /* leading dimensions exceed the extents */
    Layout l = {.row = columns + gap, .column = 1, .batch = rows * (columns + gap)};
    if (kind == 't')
        l = (Layout){.row = 1, .column = rows + gap, .batch = columns * (rows + gap)};
    else if (kind == 's')
        l = (Layout){.row = 2 * (columns + gap), .column = 2, .batch = 2 * rows * (columns + gap)};
    l.size = batch * l.batch;
    return l;
}

#endif
