/* matmul.c: matrix products: gemm, and gemm_batched where the matrices of a stack are not one with more rows. */
#include <assert.h>

#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

/* The stride of dims [0, count) taken as one; false when they do not lie evenly. */
static bool collapse(int count, const int64_t *dims, const int64_t *strides, int64_t *stride)
{
    int64_t extent = 0;
    *stride = 0;
    for (int i = count - 1; i >= 0; i--) {
        if (dims[i] == 1)
            continue;
        if (extent == 0)
            *stride = strides[i];
        else if (strides[i] != extent)
            return false;
        extent = strides[i] * dims[i];
    }
    return true;
}

/* A's matrices are one with more rows when each begins where the one before it ends. */
static bool rows_continue(const Matrices *a)
{
    int64_t dims[MAX_RANK], strides[MAX_RANK], stride;
    int rank = a->batch.rank;
    for (int i = 0; i < rank; i++) {
        dims[i] = a->batch.dims[i];
        strides[i] = a->batch_strides[i];
    }
    dims[rank] = a->rows;
    strides[rank] = a->row_stride;
    return collapse(rank + 1, dims, strides, &stride) && (a->rows == 1 || stride == a->row_stride);
}

/* gemm(rows, columns, depth, a, row stride, column stride, b, row stride, column stride, scratch, store, ...) */
static void call_gemm(KernelCall *call, const Matrices *a, const Matrices *b)
{
    int64_t rows = a->rows * element_count(&a->batch), stride = a->row_stride;
    if (a->rows == 1)
        collapse(a->batch.rank, a->batch.dims, a->batch_strides, &stride);
    call_int(call, rows);
    call_int(call, b->columns);
    call_int(call, a->columns);
    call_following(call, 0, rows == 1 ? a->columns : stride);
    call_following(call, 0, a->column_stride);
    call_following(call, 1, b->row_stride);
    call_following(call, 1, b->column_stride);
}

/* gemm_batched(batch, rows, columns, depth, a, batch stride, row stride, column stride, b, ..., scratch, store, ...) */
static void call_gemm_batched(KernelCall *call, const Matrices *a, const Matrices *b, int64_t batch)
{
    const Matrices *operands[] = {a, b};
    call->kernel = "gemm_batched";
    call_int(call, batch);
    call_int(call, a->rows);
    call_int(call, b->columns);
    call_int(call, a->columns);
    for (int i = 0; i < 2; i++) {
        const Matrices *m = operands[i];
        int64_t stride, own = element_count(&m->batch);
        bool even = collapse(m->batch.rank, m->batch.dims, m->batch_strides, &stride);
        assert(even && (own == 1 || own == batch));
        (void)even;
        call_following(call, i, own == 1 ? 0 : stride);
        call_following(call, i, m->row_stride);
        call_following(call, i, m->column_stride);
    }
}

void call_matmul(const Node *node, KernelCall *call)
{
    Matrices a = operand_matrices(node, 0), b = operand_matrices(node, 1);
    Type batch;
    broadcast_dims(&a.batch, &b.batch, &batch);
    call->needs_step = true;
    if (element_count(&b.batch) == 1 && rows_continue(&a))
        call_gemm(call, &a, &b);
    else
        call_gemm_batched(call, &a, &b, element_count(&batch));
}
