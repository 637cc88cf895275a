/* copy_nest.h: simplifies the loop nest of a strided copy. */
#ifndef PCC_COPY_NEST_H
#define PCC_COPY_NEST_H

#include "../../program.h"
#include "../common/typed.h"

/* Loops outermost first, by descending stride of y; strides in elements. */
typedef struct PccNest {
    int64_t rank;
    int64_t dims[PCC_MAX_RANK], x[PCC_MAX_RANK], y[PCC_MAX_RANK];
} PccNest;

PCC_KERNEL int64_t pcc_magnitude(int64_t a)
{
    return a < 0 ? -a : a;
}

/* Inserts a loop after those whose y stride is at least as large. */
PCC_KERNEL void pcc_nest_insert(PccNest *nest, int64_t dim, int64_t x, int64_t y)
{
    int64_t i = nest->rank++;
    for (; i > 0 && pcc_magnitude(nest->y[i - 1]) < pcc_magnitude(y); i--) {
        nest->dims[i] = nest->dims[i - 1];
        nest->x[i] = nest->x[i - 1];
        nest->y[i] = nest->y[i - 1];
    }
    nest->dims[i] = dim;
    nest->x[i] = x;
    nest->y[i] = y;
}

/* Removes loops of extent 1, sorts by y's stride, and merges neighbours that are one loop in both arrays. Rank is at
 * least 1. */
PCC_KERNEL PccNest pcc_nest(int64_t rank, const int64_t *dims, const int64_t *x_strides, const int64_t *y_strides)
{
    PccNest sorted, nest;
    sorted.rank = nest.rank = 0;
    for (int64_t i = 0; i < rank; i++)
        if (dims[i] != 1)
            pcc_nest_insert(&sorted, dims[i], x_strides[i], y_strides[i]);
    if (sorted.rank == 0)
        pcc_nest_insert(&sorted, 1, 1, 1);
    for (int64_t i = 0; i < sorted.rank; i++) {
        int64_t last = nest.rank - 1, dim = sorted.dims[i];
        if (nest.rank > 0 && nest.x[last] == sorted.x[i] * dim && nest.y[last] == sorted.y[i] * dim)
            dim *= nest.dims[last];
        else
            last = nest.rank++;
        nest.dims[last] = dim;
        nest.x[last] = sorted.x[i];
        nest.y[last] = sorted.y[i];
    }
    return nest;
}

/* Moves loop `from` to the last place. */
PCC_KERNEL void pcc_nest_rotate(PccNest *nest, int64_t from)
{
    int64_t dim = nest->dims[from], x = nest->x[from], y = nest->y[from];
    for (int64_t i = from; i + 1 < nest->rank; i++) {
        nest->dims[i] = nest->dims[i + 1];
        nest->x[i] = nest->x[i + 1];
        nest->y[i] = nest->y[i + 1];
    }
    nest->dims[nest->rank - 1] = dim;
    nest->x[nest->rank - 1] = x;
    nest->y[nest->rank - 1] = y;
}

/* Offsets of the first element of iteration `row` of the nest's outer `loops` loops. */
PCC_KERNEL void pcc_nest_offsets(const PccNest *nest, int64_t loops, int64_t row, int64_t *x, int64_t *y)
{
    *x = *y = 0;
    for (int64_t i = loops - 1; i >= 0; i--) {
        int64_t at = row % nest->dims[i];
        row /= nest->dims[i];
        *x += at * nest->x[i];
        *y += at * nest->y[i];
    }
}

#endif
