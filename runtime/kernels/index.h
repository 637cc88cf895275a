/* index.h: reads and writes through integer indices. A negative index counts from the end; one that is out of range
 * after that reads as 0 and writes nothing.
 *
 *   pcc_gather_T(outer, axis, inner, count, x[outer, axis, inner], index[count], y[outer, count, inner])
 *   pcc_gather_grad_T(outer, axis, inner, count, dy, index, dx)
 *   pcc_gather_elements_T(rank, axis, data_dims, index_dims, x, index, y)
 *   pcc_gather_elements_grad_T(rank, axis, data_dims, index_dims, dy, index, dx)
 *   pcc_scatter_elements_T(rank, axis, data_dims, index_dims, reduction, x, index, updates, y)
 *   pcc_gather_nd_T(rank, data_dims, index_rank, index_dims, batch_dims, x, index, y)
 *   pcc_gather_nd_grad_T(rank, data_dims, index_rank, index_dims, batch_dims, dy, index, dx)
 *   pcc_scatter_nd_T(rank, data_dims, index_rank, index_dims, reduction, x, index, updates, y)
 *   pcc_one_hot_T(outer, depth, inner, index[outer, inner], values {off, on}, y[outer, depth, inner])
 *   pcc_topk_T(outer, n, inner, k, largest, x, values[outer, k, inner], indices): sorted; of equals, the first index
 *       first; NaN is greater than every number
 *
 * The scatters may write over x (y == x); updates of NULL are zeros, which is the gradient of what "none" overwrote.
 * Gradients add in index order, and threads own disjoint parts of the destination: duplicates are summed in the same
 * order whatever the number of threads. */
#ifndef PCC_INDEX_H
#define PCC_INDEX_H

#include "index_lines.h"
#include "typed.h"

#include <string.h>

enum { PCC_SCATTER_NONE, PCC_SCATTER_ADD, PCC_SCATTER_MUL, PCC_SCATTER_MAX, PCC_SCATTER_MIN };

#define PCC_T float
#define PCC_SUFFIX f32
#define PCC_IS_NAN(v) ((v) != (v))
#include "index.inc"
#include "index_elements.inc"
#include "index_nd.inc"
#include "topk.inc"
#undef PCC_T
#undef PCC_SUFFIX

#define PCC_T double
#define PCC_SUFFIX f64
#include "index.inc"
#include "index_elements.inc"
#include "index_nd.inc"
#include "topk.inc"
#undef PCC_T
#undef PCC_SUFFIX
#undef PCC_IS_NAN

#define PCC_T int64_t
#define PCC_SUFFIX i64
#define PCC_IS_NAN(v) ((void)(v), 0)
#include "index.inc"
#include "index_elements.inc"
#include "index_nd.inc"
#include "topk.inc"
#undef PCC_T
#undef PCC_SUFFIX

#define PCC_T int32_t
#define PCC_SUFFIX i32
#include "index.inc"
#include "index_elements.inc"
#include "index_nd.inc"
#include "topk.inc"
#undef PCC_T
#undef PCC_SUFFIX

#define PCC_T uint8_t
#define PCC_SUFFIX u8
#include "index.inc"
#include "index_elements.inc"
#include "index_nd.inc"
#include "topk.inc"
#undef PCC_T
#undef PCC_SUFFIX
#undef PCC_IS_NAN

#endif
