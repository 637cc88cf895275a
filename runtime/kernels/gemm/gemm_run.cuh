/* gemm_run.cuh: launches a product of any two sources: its kernel, and the sum over the ranges of a split K. */
#ifndef PCC_GEMM_RUN_CUH
#define PCC_GEMM_RUN_CUH

#include "gemm_scalar.cuh"
#include "gemm_tensor.cuh"

/* Are two operands of X and Y multiplied by tensor cores? */
template <class X, class Y> constexpr bool pcc_is_tensor_product()
{
    return std::is_same<X, Y>::value && sizeof(X) == 2;
}

/* Division of 32 bits where they suffice: it is several times as fast. */
PCC_DEVICE int64_t pcc_divide(int64_t n, int64_t by)
{
    return ((n | by) >> 32) == 0 ? (int64_t)((uint32_t)n / (uint32_t)by) : n / by;
}

/* C from partial sums [splits, batch, m, n], added in their order. */
template <class T, class E> __global__ void pcc_sum_splits(PccProduct p, const T *partial, E epilogue)
{
    const int64_t matrix = p.m * p.n, count = p.batch * matrix;
    PCC_FOR_ITEMS (i, count) {
        T sum = partial[i];
#pragma unroll 4
        for (int64_t split = 1; split < p.splits; split++)
            sum += partial[split * count + i];
        const int64_t batch = i / matrix, at = i % matrix;
        epilogue(batch * p.row_batch + at / p.n, batch * p.column_batch + at % p.n, sum);
    }
}

template <class T, int Form, class A, class B, class E>
static void pcc_launch_product(const PccProduct &p, const A &a, const B &b, const E &epilogue, PccStep *s)
{
    constexpr bool a_across = (Form & PCC_PRODUCT_A_ACROSS) != 0, b_across = (Form & PCC_PRODUCT_B_ACROSS) != 0;
    constexpr bool a_aligned = (Form & PCC_PRODUCT_A_ALIGNED) != 0, b_aligned = (Form & PCC_PRODUCT_B_ALIGNED) != 0;
    const unsigned blocks = (unsigned)(p.batch * p.splits * p.row_tiles * p.column_tiles);
    if constexpr (pcc_is_tensor_product<typename A::Element, typename B::Element>()) {
        typedef PccTensorTiles<Form & PCC_PRODUCT_TILE> Tile;
        PCC_LAUNCH((pcc_tensor_product<Tile, a_across, b_across, a_aligned, b_aligned, A, B, E>), blocks, Tile::THREADS,
                   Tile::SHARED_BYTES, s, p, a, b, epilogue);
    } else {
        typedef PccScalarTiles<T, Form & PCC_PRODUCT_TILE> Tile;
        PCC_LAUNCH((pcc_scalar_product<T, Tile, a_across, b_across, a_aligned, b_aligned, A, B, E>), blocks,
                   Tile::THREADS, Tile::SHARED_BYTES, s, p, a, b, epilogue);
    }
}

/* Launches p, whose form is Form. */
template <class T, int Form, class A, class B, class E>
static void pcc_run_form(PccProduct p, const A &a, const B &b, void *scratch, const E &epilogue, PccStep *s)
{
    if constexpr ((Form & PCC_PRODUCT_SPLIT) != 0) {
        const int64_t count = p.batch * p.m * p.n;
        PccProduct ranges = p;
        ranges.row_batch = p.m;
        ranges.column_batch = 0;
        pcc_launch_product<T, Form>(ranges, a, b, PccPartial<T>{(T *)scratch, p.n, count}, s);
        PCC_LAUNCH((pcc_sum_splits<T, E>), pcc_blocks(count, PCC_BLOCK), PCC_BLOCK, 0, s, p, (const T *)scratch,
                   epilogue);
    } else
        pcc_launch_product<T, Form>(p, a, b, epilogue, s);
}

/* Runs a product whose operands have `form` as Form: the operands may be better aligned than Form requires, and the
 * tile is Form's. If Form is PCC_ANY_FORM, the matching one of Forms is chosen, all of which have the smallest tile and
 * both operands aligned or neither. */
template <class T, int Form, int... Forms, class A, class B, class E>
static void pcc_run_product(int form, const PccExtents &extents, const A &a, const B &b, void *scratch,
                            const E &epilogue, PccStep *s)
{
    constexpr int vectors = PCC_PRODUCT_A_ALIGNED + PCC_PRODUCT_B_ALIGNED, loose = vectors + PCC_PRODUCT_TILE;
    constexpr int tile = Form == PCC_ANY_FORM ? (int)PCC_TILE_64x64 : Form & PCC_PRODUCT_TILE;
    if (extents.batch * extents.m * extents.n == 0)
        return;
    PccProductPlan plan = {tile, 1};
    if (form & PCC_PRODUCT_SPLIT)
        plan.splits = pcc_product_plan(extents.batch, extents.m, extents.n, extents.k).splits;
    const PccProduct p = pcc_cut_product(extents, plan);
    if constexpr (Form == PCC_ANY_FORM) {
        form = (form & ~loose) + tile + ((form & vectors) == vectors ? vectors : 0);
        (void)((form == Forms && (pcc_run_form<T, Forms>(p, a, b, scratch, epilogue, s), true)) || ...);
    } else if ((form & Form & vectors) != (Form & vectors) || ((form ^ Form) & ~loose) != 0)
        pcc_check_cuda(s, cudaErrorInvalidValue, "a product that was compiled in another form");
    else
        pcc_run_form<T, Form>(p, a, b, scratch, epilogue, s);
}

#endif
