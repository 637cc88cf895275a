/* segments.h: processing rows of any length in buffers of a fixed length.
 *
 * A row kernel processes rows in segments: of PCC_SEGMENT_SIZE elements where an operand is widened, whole rows where
 * it is read in place. A row that fits in a segment is widened once, however often the kernel reads it. */
#ifndef PCC_SEGMENTS_H
#define PCC_SEGMENTS_H

#define PCC_SEGMENT_SIZE 4096 /* elements: several buffers fit in a second-level cache, and on any stack */

#ifdef PCC_NARROW
#    include "storage.h"

/* `in` widened to f32 in the buffer if its `count` elements fit, else as it is stored. */
PCC_KERNEL PccIn pcc_staged(PccIn in, int64_t count, float *buffer)
{
    return count <= PCC_SEGMENT_SIZE ? (PccIn){pcc_read(in, 0, count, buffer), PCC_F32} : in;
}

/* `rows` rows of `count` elements that are `stride` apart: in place, or one after the other in the buffer. */
PCC_KERNEL const float *pcc_read_panel(PccIn in, int64_t offset, int64_t rows, int64_t stride, int64_t count,
                                       float *buffer)
{
    if (in.dtype == PCC_F32)
        return pcc_read(in, offset, count, buffer);
    if (stride == count)
        return pcc_read(in, offset, rows * count, buffer);
    for (int64_t row = 0; row < rows; row++)
        pcc_read(in, offset + row * stride, count, buffer + row * count);
    return buffer;
}
#endif

#endif
