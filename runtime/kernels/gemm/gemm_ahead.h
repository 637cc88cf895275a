/* gemm_ahead.h: prefetches what will be packed next, a few cache lines at a time: a core has at most about 16 misses in
 * flight, and more would stall it. */
#ifndef PCC_GEMM_AHEAD_H
#define PCC_GEMM_AHEAD_H

#include "gemm_simd.h"

/* Steps of depth between two small batches of prefetches. */
#define PCC_GEMM_FETCH_STEPS 48

/* Rows of `lines` cache lines, `pitch` bytes apart; `left` lines are not fetched yet. */
typedef struct PccAhead {
    const char *data;
    int64_t pitch, lines, line, left;
} PccAhead;

/* The memory that packing with the same arguments will read (PccPack). */
typedef PccAhead PccAheadOf(const void *operand, int64_t batch, int64_t first, int64_t count, int64_t p0,
                            int64_t depth);

PCC_KERNEL void pcc_fetch(PccAhead *a, int64_t lines)
{
    for (; lines > 0 && a->left > 0; lines--, a->left--) {
        __builtin_prefetch(a->data + 64 * a->line, 0, 2);
        if (++a->line == a->lines) {
            a->line = 0;
            a->data += a->pitch;
        }
    }
}

/* The parts of A and of B that are packed next, after the current group of rows and after `groups` of them, and how
 * many lines of each are fetched at a time. */
typedef struct PccFetches {
    PccAhead a, b;
    int64_t groups, a_lines, b_lines;
} PccFetches;

/* Called before a group of rows meets a panel of B: `left` of `all` panels remain, each with `steps` opportunities to
 * prefetch. */
PCC_KERNEL void pcc_fetch_plan(PccFetches *f, int64_t left, int64_t all, int64_t steps)
{
    f->a_lines = pcc_ceil_div(f->a.left, pcc_max_i64(1, left * steps));
    f->b_lines = pcc_ceil_div(f->b.left, pcc_max_i64(1, ((f->groups - 1) * all + left) * steps));
}

PCC_KERNEL void pcc_fetch_next(PccFetches *f)
{
    pcc_fetch(&f->a, f->a_lines);
    pcc_fetch(&f->b, f->b_lines);
}

#endif
