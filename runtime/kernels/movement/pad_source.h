/* pad_source.h: the source positions of padding, for both targets. */
#ifndef PCC_PAD_SOURCE_H
#define PCC_PAD_SOURCE_H

#include "../common/scratch.h"

enum { PCC_PAD_CONSTANT, PCC_PAD_REFLECT, PCC_PAD_EDGE, PCC_PAD_WRAP };

/* Source position of output position i of an axis of extent n; -1 in constant padding. */
PCC_KERNEL int64_t pcc_pad_source(int64_t mode, int64_t n, int64_t before, int64_t i)
{
    int64_t at = i - before, period = pcc_max_i64(2 * (n - 1), 1);
    if (at >= 0 && at < n)
        return at;
    switch (mode) {
    case PCC_PAD_REFLECT:
        at = (at % period + period) % period;
        return at < n ? at : period - at;
    case PCC_PAD_EDGE:
        return at < 0 ? 0 : n - 1;
    case PCC_PAD_WRAP:
        return (at % n + n) % n;
    default:
        return -1;
    }
}

/* The output positions that read one source position: two arithmetic progressions with the same step. */
typedef struct PccPadReaders {
    int64_t first[2], count[2], step;
} PccPadReaders;

/* first + k * step for 0 <= k < count are the positions of [0, extent) that are congruent to at. */
PCC_KERNEL void pcc_pad_progression(int64_t at, int64_t step, int64_t extent, int64_t *first, int64_t *count)
{
    *first = (at % step + step) % step;
    *count = *first < extent ? (extent - 1 - *first) / step + 1 : 0;
}

/* The inverse of pcc_pad_source() for source position `at`, of `extent` output positions. */
PCC_KERNEL PccPadReaders pcc_pad_readers(int64_t mode, int64_t n, int64_t before, int64_t extent, int64_t at)
{
    PccPadReaders r = {{at + before, 0}, {0, 0}, 1};
    const int64_t period = pcc_max_i64(2 * (n - 1), 1);
    switch (mode) {
    case PCC_PAD_REFLECT:
        r.step = period;
        pcc_pad_progression(before + at, period, extent, &r.first[0], &r.count[0]);
        if (2 * at % period != 0)
            pcc_pad_progression(before - at, period, extent, &r.first[1], &r.count[1]);
        return r;
    case PCC_PAD_WRAP:
        r.step = n;
        pcc_pad_progression(before + at, n, extent, &r.first[0], &r.count[0]);
        return r;
    default: { /* a run, which PCC_PAD_EDGE extends to the output's ends at x's first and last positions */
        const int64_t low = mode == PCC_PAD_EDGE && at == 0 ? 0 : pcc_max_i64(at + before, 0);
        const int64_t high = mode == PCC_PAD_EDGE && at == n - 1 ? extent : pcc_min_i64(at + before + 1, extent);
        r.first[0] = low;
        r.count[0] = pcc_max_i64(high - low, 0);
        return r;
    }
    }
}

#endif
