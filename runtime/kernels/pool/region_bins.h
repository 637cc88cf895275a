/* region_bins.h: regions of images that are divided into bins, for both targets. */
#ifndef PCC_REGION_BINS_H
#define PCC_REGION_BINS_H

#include "../common/typed.h"

/* Images [n, c, h, w]; `count` regions, each of rows x columns bins. */
typedef struct PccRegions {
    int64_t n, c, h, w;
    int64_t count, rows, columns;
} PccRegions;

/* Half-open. */
typedef struct PccBin {
    int64_t first, end;
} PccBin;

/* Bin number `bin` of `bins` that share `length` positions from `start` on, those that they have in common included, as
 * far as it lies in [0, extent). */
PCC_KERNEL PccBin pcc_region_bin(int64_t start, int64_t length, int64_t bins, int64_t bin, int64_t extent)
{
    const int64_t first = start + bin * length / bins, end = start + ((bin + 1) * length + bins - 1) / bins;
    return (PccBin){pcc_min_i64(pcc_max_i64(first, 0), extent), pcc_min_i64(pcc_max_i64(end, 0), extent)};
}

#endif
