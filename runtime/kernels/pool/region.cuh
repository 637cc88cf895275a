/* region.cuh: region.h for CUDA, a thread a bin.
 *
 *   pcc_region_argmax<T>(shape, x[n, c, h, w], region[count, 5], y[count, c, rows, columns], s) */
#ifndef PCC_REGION_CUH
#define PCC_REGION_CUH

#include "../common/launch.cuh"
#include "../common/storage.cuh"
#include "region_bins.h"

template <class T, class X>
__global__ void pcc_region_argmax_kernel(PccRegions r, const X *x, const int64_t *region, int64_t *y)
{
    const int64_t bins = r.rows * r.columns;
    PCC_FOR_ITEMS (i, r.count * r.c * bins) {
        const int64_t line = i / bins, bin = i % bins, *at = region + line / r.c * 5;
        const PccBin rows = pcc_region_bin(at[1], at[3], r.rows, bin / r.columns, r.h);
        const PccBin columns = pcc_region_bin(at[2], at[4], r.columns, bin % r.columns, r.w);
        const bool is_there = at[0] >= 0 && at[0] < r.n;
        const int64_t plane = is_there ? (at[0] * r.c + line % r.c) * r.h * r.w : 0;
        int64_t winner = -1;
        T most = T(0);
        for (int64_t row = rows.first; is_there && row < rows.end; row++)
            for (int64_t column = columns.first; column < columns.end; column++) {
                const int64_t place = plane + row * r.w + column;
                const T v = pcc_get<T>(x, place);
                if (winner < 0 || v > most || (v != v && most == most)) {
                    most = v;
                    winner = place;
                }
            }
        y[i] = winner;
    }
}

template <class T, class X>
static void pcc_region_argmax(const PccRegions &r, const X *x, const int64_t *region, int64_t *y, PccStep *s)
{
    const int64_t bins = r.count * r.c * r.rows * r.columns;
    if (bins > 0)
        PCC_LAUNCH((pcc_region_argmax_kernel<T, X>), pcc_blocks(bins, PCC_BLOCK), PCC_BLOCK, 0, s, r, x, region, y);
}

#endif
