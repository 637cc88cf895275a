/* optimizer_blocks8.c: what storage in 8 bits leaves of moments (Dettmers, Lewis, Shleifer, Zettlemoyer, "8-bit
 * Optimizers via Block-wise Quantization", ICLR 2022), in double.
 *
 * Each element of a block becomes the nearest entry of the dynamic map times the block's largest magnitude. With a
 * sign, decade i of 0 ... 6, which ends at 10^(i - 6), has 2^i entries, else 2^(i + 1): the midpoints of equal steps;
 * and there are 0 and 1, with a sign also the midpoints' negatives. */
#include "ir/optimizer.h"

#include <math.h>
#include <stdlib.h>

enum { BLOCK = 256, ENTRIES = 256, DECADES = 7 };

/* Magnitudes in ascending order; returns their count. */
static int map_magnitudes(bool with_sign, double entries[ENTRIES])
{
    int count = 0;
    entries[count++] = 0;
    for (int decade = 0; decade < DECADES; decade++) {
        const int steps = 1 << (with_sign ? decade : decade + 1);
        const double end = pow(10, decade - (DECADES - 1));
        for (int i = 0; i < steps; i++)
            entries[count++] = end * (0.1 + 0.9 * (i + 0.5) / steps);
    }
    entries[count++] = 1;
    return count;
}

static double nearest(const double *entries, int count, double x)
{
    int low = 0, high = count - 1;
    if (x >= entries[high])
        return entries[high];
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (entries[middle] <= x)
            low = middle;
        else
            high = middle;
    }
    return x - entries[low] <= entries[high] - x ? entries[low] : entries[high];
}

void round_to_blocks8(int64_t count, bool with_sign, double *moment)
{
    double entries[ENTRIES];
    const int entry_count = map_magnitudes(with_sign, entries);
    for (int64_t first = 0; first < count; first += BLOCK) {
        const int64_t end = first + BLOCK < count ? first + BLOCK : count;
        double largest = 0;
        for (int64_t i = first; i < end; i++)
            largest = fmax(largest, fabs(moment[i]));
        for (int64_t i = first; largest > 0 && i < end; i++) {
            const int known = moment[i] < 0 ? entry_count - 1 : entry_count; /* 1 has no negative */
            moment[i] = copysign(largest * nearest(entries, known, fabs(moment[i]) / largest), moment[i]);
        }
    }
}
