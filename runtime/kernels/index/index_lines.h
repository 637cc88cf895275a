/* index_lines.h: how the index kernels divide their work into tasks that write to disjoint elements. */
#ifndef PCC_INDEX_LINES_H
#define PCC_INDEX_LINES_H

#include "../../program.h"
#include "../common/typed.h"
#include "index_rules.h"

#define PCC_INDEX_TILE 128  /* neighbouring elements that one task of a scatter owns */
#define PCC_INDEX_TASK 4096 /* elements, about, of one task of a gather's adjoint or of a copy */
#define PCC_INDEX_TASKS 16  /* tasks that are enough */

/* For each position of an axis the list, in order, of the entries of an index array that refer to it: first[place],
 * then next[entry], ended by -1. */
typedef struct PccReaders {
    const int64_t *first, *next;
} PccReaders;

/* Bytes of scratch that the lists need; the compiler uses it too. */
PCC_KERNEL size_t pcc_readers_bytes(int64_t axis, int64_t count)
{
    return (size_t)(axis + count) * sizeof(int64_t);
}

PCC_KERNEL PccReaders pcc_readers(int64_t axis, int64_t count, const int64_t *index, void *scratch)
{
    int64_t *first = scratch, *next = first + axis;
    for (int64_t at = 0; at < axis; at++)
        first[at] = -1;
    for (int64_t entry = count - 1; entry >= 0; entry--) {
        int64_t at = pcc_wrap_index(index[entry], axis);
        if (at < 0)
            continue;
        next[entry] = first[at];
        first[at] = entry;
    }
    return (PccReaders){first, next};
}

/* An indexed axis, with the index array viewed as [before, count, after]. The lines along the axis are independent; a
 * tile is PCC_INDEX_TILE neighbouring lines, of which line i has its elements at data + offset[i], `step` apart. */
typedef struct PccLines {
    int64_t rank, axis;
    const int64_t *data_dims, *index_dims;
    int64_t before, count, after, tiles;
    int64_t extent, step; /* of the axis in the data */
} PccLines;

typedef struct PccLineTile {
    int64_t width, index; /* lines; the first one's first element in the index array, count elements `after` apart */
    int64_t offset[PCC_INDEX_TILE];
} PccLineTile;

PCC_KERNEL PccLines pcc_lines(int64_t rank, int64_t axis, const int64_t *data_dims, const int64_t *index_dims)
{
    int64_t after = pcc_product(rank - axis - 1, index_dims + axis + 1);
    return (PccLines){
        .rank = rank,
        .axis = axis,
        .data_dims = data_dims,
        .index_dims = index_dims,
        .before = pcc_product(axis, index_dims),
        .count = index_dims[axis],
        .after = after,
        .tiles = pcc_ceil_div(after, PCC_INDEX_TILE),
        .extent = data_dims[axis],
        .step = pcc_product(rank - axis - 1, data_dims + axis + 1),
    };
}

/* Offset in the data of position `at` of axes [first, end) of the index array; strides start from `stride`. */
PCC_KERNEL int64_t pcc_line_offset(const PccLines *l, int64_t first, int64_t end, int64_t stride, int64_t at)
{
    int64_t offset = 0;
    for (int64_t i = end - 1; i >= first; i--) {
        offset += at % l->index_dims[i] * stride;
        at /= l->index_dims[i];
        stride *= l->data_dims[i];
    }
    return offset;
}

/* Tile number `task` of before * tiles. */
PCC_KERNEL PccLineTile pcc_line_tile(const PccLines *l, int64_t task)
{
    PccLineTile tile;
    int64_t b = task / l->tiles, a = task % l->tiles * PCC_INDEX_TILE;
    int64_t base = pcc_line_offset(l, 0, l->axis, l->step * l->extent, b);
    tile.width = pcc_min_i64(l->after - a, PCC_INDEX_TILE);
    tile.index = b * l->count * l->after + a;
    for (int64_t i = 0; i < tile.width; i++)
        tile.offset[i] = base + pcc_line_offset(l, l->axis + 1, l->rank, 1, a + i);
    return tile;
}

#endif
