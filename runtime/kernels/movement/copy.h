/* copy.h: movement: strided copies, fills and paddings.
 *
 *   pcc_copy_T(rank, dims, x_strides, y_strides, x, y)   strides in elements; any sign, x's may be 0 (expand)
 *   pcc_fill_T(n, value, y)
 *   pcc_pad_T(rank, dims of x, before, after, mode, value, x, y), mode as in PccPadMode; negative widths crop
 *   pcc_pad_grad_T(rank, dims of x, before, after, mode, dy, dx, scratch)   its adjoint; scratch is that of 16-bit dx:
 *       a float for each of its elements
 *
 * The i16 forms serve every dtype of 16 bits; a pad's value is then the integer of the same bits. */
#ifndef PCC_COPY_H
#define PCC_COPY_H

#include "copy_nest.h"
#include "pad_source.h"
#include "../common/storage.h"
#include "../common/typed.h"

#include <string.h>

#define PCC_COPY_SEGMENT 4096 /* elements, about, of one task of a copy */
#define PCC_COPY_TILE 64      /* rows and columns of one task of a transposition */
#define PCC_COPY_BLOCK 16     /* side of a tile that is transposed at once: a cache line of f32 */
#define PCC_PAD_RANGES 16     /* tasks of padding's adjoint: each adds to its own range of the first axis */

/* The edges of a transposition: clang unrolls them into tens of kilobytes where they are inlined, gcc makes better use
 * of the literals there. */
#ifdef __clang__
#    define PCC_EDGE PCC_SHARED
#else
#    define PCC_EDGE PCC_KERNEL
#endif

/* Offset in x of the line that output line `line` reads; -1 when it is constant padding. */
PCC_KERNEL int64_t pcc_pad_line(int64_t rank, const int64_t *dims, const int64_t *before, const int64_t *after,
                                int64_t mode, int64_t line)
{
    int64_t offset = 0, stride = dims[rank - 1];
    for (int64_t i = rank - 2; i >= 0; i--) {
        int64_t extent = dims[i] + before[i] + after[i];
        int64_t at = pcc_pad_source(mode, dims[i], before[i], line % extent);
        if (at < 0)
            return -1;
        offset += at * stride;
        stride *= dims[i];
        line /= extent;
    }
    return offset;
}

#define PCC_TEMPLATE "../movement/copy.inc"
#include "../common/for_floats.inc"
#include "../common/for_integers.inc"
#undef PCC_TEMPLATE

#define PCC_TEMPLATE "../movement/pad.inc"
#include "../common/for_floats.inc"
#include "../common/for_integers.inc"
#undef PCC_TEMPLATE

#define PCC_TEMPLATE "../movement/pad_grad.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
