/* reduce.h: reductions, arg-reductions and scans over one axis of x[outer, reduced, inner].
 *
 *   pcc_reduce_{sum,mean,max,min,prod}_T(outer, reduced, inner, x, y[outer, inner], scratch)
 *       scratch has pcc_reduce_scratch_bytes(outer, reduced, inner, sizeof(T)) bytes, NULL when that is 0; the narrow
 *       forms' T is float
 *   pcc_argmax_T, pcc_argmin_T(outer, reduced, inner, select_last, x, int64_t y[outer, inner])
 *   pcc_cumsum_T, pcc_cumprod_T(outer, n, inner, exclusive, reverse, x, y)
 *
 * NaN propagates in every maximum and minimum. Sums go through a tree of fixed shape (lanes, groups of 8 rows, blocks
 * of 256 rows, chunks), whose error is a few ulp of the sum of magnitudes for all practical lengths. */
#ifndef PCC_REDUCE_H
#define PCC_REDUCE_H

#include "reduce_scratch.h"
#include "../common/segments.h"
#include "../common/storage.h"
#include "../common/typed.h"

#define PCC_SCAN_TILE 64 /* columns of one task of a scan */

#define PCC_TEMPLATE "../reduce/reduce.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
