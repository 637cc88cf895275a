/* gemm_operands.h: operands stored in f32, bf16 and f16 for the tests of the matrix kernels. */
#ifndef GEMM_OPERANDS_H
#define GEMM_OPERANDS_H

#include "gemm_check.h"

static const PccDtype dtypes[] = {PCC_F32, PCC_BF16, PCC_F16};
enum { DTYPES = 3 };

/* Of the exact size: overruns are for ASan to see. */
static inline PccIn operand(int64_t size, PccDtype dtype, uint64_t salt)
{
    void *data = malloc((size_t)(size * pcc_stored_bytes(dtype)) + (size == 0));
    assert_non_null(data);
    for (int64_t i = 0; i < size; i++)
        pcc_write_one((PccOut){data, dtype}, i, (float)value((uint64_t)i, salt));
    return (PccIn){data, dtype};
}

static inline void release(PccIn in)
{
    free((void *)(uintptr_t)in.data);
}

#endif
