/* gemm_cublas.h: which products go to cuBLASLt, as a pure function of their shape, and the library's workspace.
 *
 * Plain C11 and C++17: the compiler makes the choice with it. A row for each architecture, as the faster one differs:
 * pcc's own kernels multiply by mma.sync, which reaches the library's speed on sm_80, 86, 89 and 120 but not on sm_90
 * and 100, which have additional instructions for groups of warps. The least sizes are estimates, from the library's
 * fixed cost and its advantage in throughput. Workspaces are those that NVIDIA recommends (cublasSetWorkspace() in the
 * cuBLAS manual). */
#ifndef PCC_GEMM_CUBLAS_H
#define PCC_GEMM_CUBLAS_H

#include "gemm_cuda.h"

/* The alignment in bytes that the library's algorithms for tensor cores require of operands. */
enum { PCC_CUBLAS_ALIGNMENT = 16, PCC_CUBLAS_LEAST_EXTENT = 64 };

typedef struct PccCublasRow {
    int architecture;         /* 90: sm_90; a row also holds for later architectures, up to the next row */
    int64_t workspace;        /* bytes */
    int64_t least16, least32; /* multiplications from which the library is faster: 16-bit operands, wider ones */
} PccCublasRow;

static inline PccCublasRow pcc_cublas_row(int architecture)
{
    static const PccCublasRow rows[] = {
        {75, 4 << 20, 1 << 29, 1 << 27},   {80, 4 << 20, 1 << 30, 1 << 27},  {90, 32 << 20, 1 << 27, 1 << 27},
        {100, 32 << 20, 1 << 27, 1 << 27}, {120, 4 << 20, 1 << 30, 1 << 27},
    };
    PccCublasRow found = rows[0];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].architecture <= architecture)
            found = rows[i];
    return found;
}

/* Rows or columns are contiguous, do not overlap, and are aligned as required. */
static inline int pcc_cublas_takes(PccFormOperand m, int64_t rows, int64_t columns)
{
    const int64_t across = m.col == 1 ? m.row : m.col, unit = PCC_CUBLAS_ALIGNMENT / (int64_t)m.element_bytes;
    return (m.col == 1 || m.row == 1) && across >= (m.col == 1 ? columns : rows) && across % unit == 0 &&
           m.batch % unit == 0 && m.address % PCC_CUBLAS_ALIGNMENT == 0;
}

/* y[batch, m, n] = a[batch, m, k] b[batch, k, n], rows of y dense. */
static inline int pcc_cublas_wins(int architecture, int64_t batch, int64_t m, int64_t n, int64_t k, PccFormOperand a,
                                  PccFormOperand b, PccFormOperand y)
{
    const PccCublasRow row = pcc_cublas_row(architecture);
    const int64_t least = a.element_bytes == 2 ? row.least16 : row.least32;
    const int64_t extent = pcc_min_i64(pcc_min_i64(m, n), k);
    if (extent < PCC_CUBLAS_LEAST_EXTENT || m > INT32_MAX || n > INT32_MAX || k > INT32_MAX || batch > INT32_MAX)
        return 0;
    if (!pcc_cublas_takes(a, m, k) || !pcc_cublas_takes(b, k, n) || !pcc_cublas_takes(y, m, n) || y.col != 1)
        return 0;
    return (double)batch * (double)m * (double)n * (double)k >= (double)least;
}

#endif
