/* kernel_check.h: what the tests of the kernels share: reproducible values, comparison, and runs over several numbers
 * of threads. */
#ifndef KERNEL_CHECK_H
#define KERNEL_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#define CASE(name) PCC_JOIN(name##_, PCC_STORAGE) /* a test's function for PCC_T */
#define EPSILON(T) (sizeof(T) == 4 ? 0x1p-23 : 0x1p-52)

/* In [-1, 1), from a linear congruential generator (Knuth's MMIX constants). */
static inline double next_value(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(state >> 11) * 0x1p-52 - 1;
}

static inline int64_t next_below(int64_t n)
{
    return (int64_t)((next_value() + 1) / 2 * (double)n);
}

static inline void check_close(double got, double want, double tolerance, const char *what, int64_t at)
{
    if (fabs(got - want) <= tolerance || got == want || (isnan(got) && isnan(want)))
        return;
    fail_msg("%s[%lld] is %.17g, not %.17g (tolerance %.3g)", what, (long long)at, got, want, tolerance);
}

/* Runs `run` with 1, 2 and 4 threads; `out` must be the same bytes each time. */
static inline void check_threads(void (*run)(void *context), void *context, void *out, size_t bytes)
{
    char *first = malloc(bytes);
    int before = omp_get_max_threads();
    for (int threads = 1; threads <= 4; threads *= 2) {
        omp_set_num_threads(threads);
        memset(out, 0x5a, bytes);
        run(context);
        if (threads == 1)
            memcpy(first, out, bytes);
        assert_memory_equal(first, out, bytes);
    }
    omp_set_num_threads(before);
    free(first);
}

#endif
