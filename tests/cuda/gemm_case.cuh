/* gemm_case.cuh: what the tests of matrix products share: cases, layouts of operands, sums in double. */
#ifndef GEMM_CASE_CUH
#define GEMM_CASE_CUH

#include "product_check.cuh"

#include <pcc/kernels/gemm/gemm.cuh>

/* batch products. ta, tb: which index is contiguous: 'n' the last, 't' the first, 's' neither. Rows of an operand are
 * `gap` elements longer than they need to be, and it begins `shift` elements behind an aligned address. */
struct Case {
    int64_t batch, m, n, k;
    char ta, tb;
    int64_t gap, shift;
};

struct Layout {
    int64_t batch, row, column, size;
};

static Layout layout(char kind, int64_t batch, int64_t rows, int64_t columns, int64_t gap)
{
    Layout l = {rows * (columns + gap), columns + gap, 1, 0};
    if (kind == 't')
        l = {columns * (rows + gap), 1, rows + gap, 0};
    else if (kind == 's')
        l = {2 * rows * (columns + gap), 2 * (columns + gap), 2, 0};
    l.size = batch * l.batch;
    return l;
}

template <class A, class B> static Sums expected(Case c, const Operand<A> &a, Layout la, const Operand<B> &b, Layout lb)
{
    Sums sums(c.batch * c.m * c.n);
    for (int64_t i = 0; i < c.batch * c.m; i++)
        for (int64_t j = 0; j < c.n; j++) {
            const int64_t batch = i / c.m, row = i % c.m;
            for (int64_t p = 0; p < c.k; p++)
                sums.add(i * c.n + j, a.values[(size_t)(batch * la.batch + row * la.row + p * la.column)] *
                                          b.values[(size_t)(batch * lb.batch + p * lb.row + j * lb.column)]);
        }
    return sums;
}

#endif
