/* index.h: reads and writes through integer indices. A negative index counts from the end; one that is out of range
 * after that reads as 0 and writes nothing.
 *
 *   pcc_gather_T(outer, axis, inner, count, x[outer, axis, inner], index[count], y[outer, count, inner])
 *   pcc_gather_grad_T(outer, axis, inner, count, dy, index, dx, scratch)
 *   pcc_gather_elements_T(rank, axis, data_dims, index_dims, x, index, y)
 *   pcc_gather_elements_grad_T(rank, axis, data_dims, index_dims, dy, index, dx, scratch)
 *   pcc_scatter_elements_T(rank, axis, data_dims, index_dims, reduction, x, index, updates, y, scratch)
 *   pcc_gather_nd_T(rank, data_dims, index_rank, index_dims, batch_dims, x, index, y)
 *   pcc_gather_nd_grad_T(rank, data_dims, index_rank, index_dims, batch_dims, dy, index, dx, scratch)
 *   pcc_scatter_nd_T(rank, data_dims, index_rank, index_dims, reduction, x, index, updates, y, scratch)
 *   pcc_one_hot_T(outer, depth, inner, index[outer, inner], values {off, on}, y[outer, depth, inner])
 *   pcc_topk_T(outer, n, inner, k, largest, x, values[outer, k, inner], indices): sorted; of equals, the first index
 *       first; NaN is greater than every number
 *
 * Scratch: pcc_gather_grad has pcc_readers_bytes(axis, count); the others, where y or dx is stored in 16 bits, a float
 * for each of its elements, else NULL. The i16 forms serve every dtype of 16 bits.
 *
 * The scatters may write over x (y == x). Duplicates are combined in index order, and threads own disjoint parts of the
 * destination: the same order whatever the number of threads. */
#ifndef PCC_INDEX_H
#define PCC_INDEX_H

#include "index_lines.h"
#include "../common/storage.h"
#include "../common/typed.h"

#include <string.h>

#define PCC_IS_NAN(v) ((v) != (v)) /* never of integers */

#define PCC_TEMPLATE "../index/index.inc"
#include "../common/for_floats.inc"
#include "../common/for_integers.inc"
#undef PCC_TEMPLATE

#define PCC_TEMPLATE "../index/gather_grad.inc"
#include "../common/for_floats.inc"
#include "../common/for_integers.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#define PCC_TEMPLATE "../index/scatter.inc"
#include "../common/for_floats.inc"
#include "../common/for_integers.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#define PCC_TEMPLATE "../reduce/topk.inc"
#include "../common/for_floats.inc"
#include "../common/for_integers.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#undef PCC_IS_NAN

#endif
