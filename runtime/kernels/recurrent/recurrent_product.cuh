/* recurrent_product.cuh: the products of a step: rows of states, or of gates' cotangents, with R, for all directions at
 * once, by the kernels of gemm/. The partial sums of a split K are left to the cells' kernel. */
#ifndef PCC_RECURRENT_PRODUCT_CUH
#define PCC_RECURRENT_PRODUCT_CUH

#include "recurrent_step.cuh"

/* `units` units a state of step `index` of all[T, B, D, per, H], from unit `from` on. */
template <class T, class X>
static PccMatrix<X> pcc_recurrent_rows(const PccRecurrentStep<T> &step, const X *all, int64_t index, int64_t per,
                                       int64_t from, int64_t units)
{
    const int64_t first = step.place(0, 0, index), second = step.place(step.directions - 1, 0, index);
    const int64_t row = per * step.width;
    return {all + first * row + from * step.width,
            (second - first) * row,
            step.directions * row,
            1,
            step.batch,
            units * step.width};
}

/* All of [D, B, units, H]. */
template <class T, class X>
static PccMatrix<X> pcc_recurrent_states(const PccRecurrentStep<T> &step, const X *all, int64_t units)
{
    const int64_t row = units * step.width;
    return {all, step.batch * row, row, 1, step.batch, row};
}

/* sums = rows times R's rows [from, from + units)·H: forward times their transpose. Backward, `rows` are along those.
 */
template <int Form, bool Backward, class T, class A, class R>
static PccRecurrentSums<T> pcc_recurrent_multiply(PccRecurrent shape, const PccMatrix<A> &rows, const R *r,
                                                  int64_t from, int64_t units, void *sums, PccStep *s)
{
    constexpr int vectors = PCC_PRODUCT_A_ALIGNED + PCC_PRODUCT_B_ALIGNED, product = PccRecurrentForm<Form>::PRODUCT;
    constexpr int plain = PCC_TILE_64x64 + (Backward ? PCC_PRODUCT_B_ACROSS : 0);
    const int64_t width = shape.width, n = Backward ? width : units * width, k = Backward ? units * width : width;
    const int64_t splits = pcc_recurrent_splits(shape, n, k), batch = shape.directions;
    const PccMatrix<R> weights = {
        r + from * width * width, pcc_recurrent_gates(shape) * width * width, width, 1, units * width, width};
    const int form = pcc_recurrent_product_form(shape, Backward, {(uintptr_t)rows.data, sizeof(A), 0, 0, 0},
                                                {(uintptr_t)weights.data, sizeof(R), 0, 0, 0},
                                                pcc_is_tensor_product<A, R>(), sizeof(T));
    const int tile = product == PCC_ANY_FORM ? PCC_TILE_64x64 : product & PCC_PRODUCT_TILE;
    const PccProduct p = pcc_cut_product({batch, shape.batch, n, k, shape.batch, 0}, {tile, splits});
    const PccPartial<T> partial = {(T *)sums, n, batch * shape.batch * n};
    if constexpr (product == PCC_ANY_FORM) {
        if ((form & vectors) == vectors)
            pcc_launch_product<T, plain + vectors>(p, rows, weights, partial, s);
        else
            pcc_launch_product<T, plain>(p, rows, weights, partial, s);
    } else if ((form & product & vectors) != (product & vectors))
        pcc_check_cuda(s, cudaErrorInvalidValue, "a recurrence that was compiled in another form");
    else
        pcc_launch_product<T, product>(p, rows, weights, partial, s);
    return {(const T *)sums, splits, partial.split};
}

#endif
