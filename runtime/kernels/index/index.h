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
 * for each of its elements, else NULL. The i16 forms move every dtype of 16 bits.
 *
 * The scatters may write over x (y == x). Duplicates are combined in index order, and threads own disjoint parts of the
 * destination: the same order whatever the number of threads. */
#ifndef PCC_INDEX_H
#define PCC_INDEX_H

#include "index_lines.h"
#include "../common/typed.h"

#include <string.h>

enum { PCC_SCATTER_NONE, PCC_SCATTER_ADD, PCC_SCATTER_MUL, PCC_SCATTER_MAX, PCC_SCATTER_MIN };

#define PCC_IS_NAN(v) ((v) != (v))
#define PCC_SCATTER_END(n, sums, y) ((void)(n)) /* the sums are y */

#define PCC_T float
#define PCC_STORAGE f32
#include "../common/operands_native.inc"
#include "index.inc"
#include "gather_grad.inc"
#include "scatter.inc"
#include "../reduce/topk.inc"
#include "../common/operands_undef.inc"
#undef PCC_T
#undef PCC_STORAGE

#define PCC_T double
#define PCC_STORAGE f64
#include "../common/operands_native.inc"
#include "index.inc"
#include "gather_grad.inc"
#include "scatter.inc"
#include "../reduce/topk.inc"
#include "../common/operands_undef.inc"
#undef PCC_T
#undef PCC_STORAGE
#undef PCC_IS_NAN
#define PCC_IS_NAN(v) ((void)(v), 0)

#define PCC_T int64_t
#define PCC_STORAGE i64
#include "../common/operands_native.inc"
#include "index.inc"
#include "gather_grad.inc"
#include "scatter.inc"
#include "../reduce/topk.inc"
#include "../common/operands_undef.inc"
#undef PCC_T
#undef PCC_STORAGE

#define PCC_T int32_t
#define PCC_STORAGE i32
#include "../common/operands_native.inc"
#include "index.inc"
#include "gather_grad.inc"
#include "scatter.inc"
#include "../reduce/topk.inc"
#include "../common/operands_undef.inc"
#undef PCC_T
#undef PCC_STORAGE

#define PCC_T int16_t
#define PCC_STORAGE i16
#include "../common/operands_native.inc"
#include "index.inc"
#include "gather_grad.inc"
#include "scatter.inc"
#include "../reduce/topk.inc"
#include "../common/operands_undef.inc"
#undef PCC_T
#undef PCC_STORAGE

#define PCC_T uint8_t
#define PCC_STORAGE u8
#include "../common/operands_native.inc"
#include "index.inc"
#include "gather_grad.inc"
#include "scatter.inc"
#include "../reduce/topk.inc"
#include "../common/operands_undef.inc"
#undef PCC_T
#undef PCC_STORAGE

#undef PCC_IS_NAN

#ifdef PCC_MIXED
#    include "../common/storage.h"

/* y[n] = sums[n], rounded. */
PCC_KERNEL void pcc_scatter_end(int64_t n, const float *sums, PccOut y)
{
#    pragma omp parallel for schedule(static) if (n > PCC_GRAIN)
    for (int64_t at = 0; at < n; at += PCC_INDEX_TASK)
        pcc_commit(y, at, pcc_min_i64(n - at, PCC_INDEX_TASK), sums + at);
}

#    undef PCC_SCATTER_END
#    define PCC_SCATTER_END(n, sums, y) pcc_scatter_end((n), (sums), (y))
#    define PCC_IS_NAN(v) ((v) != (v))
#    define PCC_T float
#    define PCC_STORAGE mixed
#    include "../common/operands_mixed.inc"
#    include "gather_grad.inc"
#    include "scatter.inc"
#    include "../reduce/topk.inc"
#    include "../common/operands_undef.inc"
#    undef PCC_T
#    undef PCC_STORAGE
#    undef PCC_IS_NAN
#endif
#undef PCC_SCATTER_END

#endif
