/* gemm.cuh: matrix products on the GPU; the contract is gemm.h's.
 *
 *   pcc_gemm<T, Form>(m, n, k, a, a_row, a_col, b, b_row, b_col, scratch, epilogue, s)
 *   pcc_gemm_batched<T, Form>(batch, m, n, k, a, a_batch, a_row, a_col, b, b_batch, b_row, b_col, scratch, epilogue, s)
 *
 * Two operands of bf16, or two of f16, are multiplied on tensor cores (gemm_tensor.cuh), all others in T
 * (gemm_scalar.cuh); sums are of type T, and each final one is passed to epilogue(row, column, sum) once. How C is
 * tiled and K is split follows from the shape (gemm_cuda.h), so a product's bits depend on nothing else. Form, where
 * given, is pcc_product_form() of the call: the program compiles only that kernel; without it 16 kernels, all with the
 * smallest tile. scratch: pcc_cuda_gemm_scratch_bytes() or pcc_cuda_gemm_batched_scratch_bytes() of the literals and
 * sizeof(T). */
#ifndef PCC_GEMM_CUH
#define PCC_GEMM_CUH

#include <utility>

#include "gemm_run.cuh"

/* All layouts, aligned or not, split or not. */
template <class T, int Form, int... Kinds, class A, class B, class E>
static void pcc_run_gemm(std::integer_sequence<int, Kinds...>, int form, const PccExtents &extents, const A &a,
                         const B &b, void *scratch, const E &epilogue, PccStep *s)
{
    constexpr int vectors = PCC_PRODUCT_A_ALIGNED + PCC_PRODUCT_B_ALIGNED;
    pcc_run_product<T, Form,
                    (PCC_TILE_64x64 + (Kinds & 3) * PCC_PRODUCT_A_ACROSS + (Kinds & 4 ? vectors : 0) +
                     (Kinds & 8 ? PCC_PRODUCT_SPLIT : 0))...>(form, extents, a, b, scratch, epilogue, s);
}

template <class T, int Form = PCC_ANY_FORM, class A, class B, class E>
static void pcc_gemm_batched(int64_t batch, int64_t m, int64_t n, int64_t k, const A *a, int64_t a_batch, int64_t a_row,
                             int64_t a_col, const B *b, int64_t b_batch, int64_t b_row, int64_t b_col, void *scratch,
                             E epilogue, PccStep *s)
{
    const int form =
        pcc_product_form(batch, m, n, k, {(uintptr_t)a, sizeof(A), a_batch, a_row, a_col},
                         {(uintptr_t)b, sizeof(B), b_batch, b_row, b_col}, pcc_is_tensor_product<A, B>(), sizeof(T));
    PccMatrix<A> left = {a, a_batch, a_row, a_col, m, k};
    PccMatrix<B> right = {b, b_batch, b_col, b_row, n, k};
    if (form & PCC_PRODUCT_A_ACROSS)
        left = {a, a_batch, a_col, a_row, k, m};
    if (form & PCC_PRODUCT_B_ACROSS)
        right = {b, b_batch, b_row, b_col, k, n};
    pcc_run_gemm<T, Form>(std::make_integer_sequence<int, 16>(), form, {batch, m, n, k, m, 0}, left, right, scratch,
                          epilogue, s);
}

template <class T, int Form = PCC_ANY_FORM, class A, class B, class E>
static void pcc_gemm(int64_t m, int64_t n, int64_t k, const A *a, int64_t a_row, int64_t a_col, const B *b,
                     int64_t b_row, int64_t b_col, void *scratch, E epilogue, PccStep *s)
{
    pcc_gemm_batched<T, Form>(1, m, n, k, a, 0, a_row, a_col, b, 0, b_row, b_col, scratch, epilogue, s);
}

#endif
