/* index_rules.h: what integer indices mean, for both targets. */
#ifndef PCC_INDEX_RULES_H
#define PCC_INDEX_RULES_H

#include "../../program.h"
#include "../common/typed.h"

enum { PCC_SCATTER_NONE, PCC_SCATTER_ADD, PCC_SCATTER_MUL, PCC_SCATTER_MAX, PCC_SCATTER_MIN };

/* Converts an index of an axis of extent n to a position; -1 when it is out of range. */
PCC_KERNEL int64_t pcc_wrap_index(int64_t index, int64_t n)
{
    int64_t at = index < 0 ? index + n : index;
    return at >= 0 && at < n ? at : -1;
}

/* Slices of x[batches, extent of the indexed axes, inner] that index tuples refer to. */
typedef struct PccTuples {
    int64_t batches, rows;      /* rows: tuples of one batch */
    int64_t length;             /* of a tuple */
    int64_t dims[PCC_MAX_RANK]; /* of the indexed axes */
    int64_t extent, inner;
} PccTuples;

PCC_KERNEL PccTuples pcc_tuples(int64_t rank, const int64_t *data_dims, int64_t index_rank, const int64_t *index_dims,
                                int64_t batch_dims)
{
    PccTuples t;
    t.length = index_dims[index_rank - 1];
    const int64_t end = batch_dims + t.length;
    t.batches = pcc_product(batch_dims, data_dims);
    t.rows = pcc_product(index_rank - 1 - batch_dims, index_dims + batch_dims);
    for (int64_t i = 0; i < PCC_MAX_RANK; i++)
        t.dims[i] = i < t.length ? data_dims[batch_dims + i] : 0;
    t.extent = pcc_product(t.length, data_dims + batch_dims);
    t.inner = pcc_product(rank - end, data_dims + end);
    return t;
}

/* The slice, below `extent`, that a tuple refers to; -1 when it is out of range. */
PCC_KERNEL int64_t pcc_tuple_slice(const PccTuples *t, const int64_t *tuple)
{
    int64_t slice = 0;
    for (int64_t i = 0; i < t->length; i++) {
        int64_t at = pcc_wrap_index(tuple[i], t->dims[i]);
        if (at < 0)
            return -1;
        slice = slice * t->dims[i] + at;
    }
    return slice;
}

#endif
