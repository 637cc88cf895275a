/* conv.cuh: convolutions and their gradients on the GPU; the contract is conv.h's.
 *
 *   pcc_conv<T, Form>(shape, x, w, scratch, epilogue, s)              y: rows are n * out positions, columns o
 *   pcc_conv_grad_input<T, Form>(shape, dy, w, scratch, epilogue, s)  dx: rows are n * in positions, columns c
 *   pcc_conv_grad_weight<T, Form>(shape, x, dy, dw, scratch, s)       dw[o, c / groups, kernel]
 *
 * Implicit GEMM: gemm's kernels with the patches as a source (conv_source.cuh), a product for each group, on tensor
 * cores where both operands have the same 16-bit dtype. The input's gradient is a product for each phase of the stride
 * (conv_phase.h); depthwise convolutions are direct. Form and scratch: conv_cuda.h's pcc_NAME_form() and
 * pcc_cuda_NAME_scratch_bytes(). */
#ifndef PCC_CONV_CUH
#define PCC_CONV_CUH

#include "../gemm/gemm_run.cuh"
#include "conv_depthwise.cuh"

/* Positions and columns are counted in 32 bits. */
static inline bool pcc_conv_is_too_large(const PccConv &c, PccStep *s)
{
    const int64_t depth = pcc_conv_taps(c) * (c.c > c.o ? c.c : c.o);
    const int64_t most = pcc_max_i64(pcc_conv_positions(c.n, c.in), pcc_conv_positions(c.n, c.out));
    const bool is = most >= INT32_MAX / 2 || depth >= INT32_MAX / 2;
    if (is)
        pcc_check_cuda(s, cudaErrorInvalidValue, "a convolution of 2^30 positions or more");
    return is;
}

/* A product for each group; where no form is given, in one of the forms with these bits. */
template <class T, int Form, int Bits, class A, class B, class E>
static void pcc_run_conv(int form, const PccExtents &extents, const A &a, const B &b, void *scratch, const E &epilogue,
                         PccStep *s)
{
    constexpr int vectors = PCC_PRODUCT_A_ALIGNED + PCC_PRODUCT_B_ALIGNED;
    pcc_run_product<T, Form, Bits, Bits + vectors, Bits + PCC_PRODUCT_SPLIT, Bits + vectors + PCC_PRODUCT_SPLIT>(
        form, extents, a, b, scratch, epilogue, s);
}

template <class T, int Form = PCC_ANY_FORM, class X, class W, class E>
static void pcc_conv(PccConv shape, const X *x, const W *w, void *scratch, E epilogue, PccStep *s)
{
    constexpr bool any = Form == PCC_ANY_FORM;
    const PccConvExtents e = pcc_conv_forward_extents(shape);
    const int form = pcc_conv_form(shape, {(uintptr_t)x, sizeof(X)}, {(uintptr_t)w, sizeof(W)},
                                   pcc_is_tensor_product<X, W>(), sizeof(T));
    if (pcc_conv_is_too_large(shape, s))
        return;
    if constexpr (any || Form == PCC_CONV_DEPTHWISE)
        if (form == PCC_CONV_DEPTHWISE)
            return pcc_run_depthwise<T, false>(shape, x, w, scratch, epilogue, s);
    if constexpr (Form != PCC_CONV_DEPTHWISE) {
        const W *weights = w;
        if (pcc_conv_taps(shape) > 1) {
            pcc_conv_rearrange(shape.o, shape.c / shape.groups, pcc_conv_taps(shape), w, (W *)scratch, s);
            weights = (const W *)scratch;
        }
        const PccPatches<X> patches = pcc_patches(pcc_conv_gather(&shape), x);
        const PccMatrix<W> filters = {weights, e.n * e.k, e.k, 1, e.n, e.k};
        pcc_run_conv<T, Form, PCC_TILE_64x64>(form, {shape.groups, e.m, e.n, e.k, 0, e.n}, patches, filters,
                                              (char *)scratch + pcc_conv_rearranged_bytes(shape, sizeof(T)), epilogue,
                                              s);
    }
}

/* Computes the positions of one phase. */
template <class T, int Form, class Y, class W, class E>
static void pcc_run_phase(int form, const PccConv &c, const int64_t first[3], const Y *dy, const W *w, W *rearranged,
                          const E &epilogue, PccStep *s)
{
    PccPhase phase;
    const PccGather gather = pcc_conv_gather_phase(&c, first, &phase);
    const int64_t channels = c.c / c.groups, depth = phase.taps[0] * phase.taps[1] * phase.taps[2] * gather.channels;
    const W *weights = w;
    if (pcc_conv_taps(c) > 1) {
        pcc_conv_rearrange_phase(c, phase, w, rearranged, s);
        weights = rearranged;
    }
    const PccMatrix<W> filters = {weights, depth * channels, channels, 1, depth, channels};
    pcc_run_conv<T, Form, PCC_TILE_64x64 + PCC_PRODUCT_B_ACROSS>(
        form, {c.groups, gather.rows, channels, depth, 0, channels}, pcc_patches(gather, dy), filters, nullptr,
        pcc_phase_epilogue(phase, epilogue), s);
}

template <class T, int Form = PCC_ANY_FORM, class Y, class W, class E>
static void pcc_conv_grad_input(PccConv shape, const Y *dy, const W *w, void *scratch, E epilogue, PccStep *s)
{
    constexpr bool any = Form == PCC_ANY_FORM;
    const int form = pcc_conv_grad_input_form(shape, {(uintptr_t)dy, sizeof(Y)}, {(uintptr_t)w, sizeof(W)},
                                              pcc_is_tensor_product<Y, W>(), sizeof(T));
    if (pcc_conv_is_too_large(shape, s))
        return;
    if constexpr (any || Form == PCC_CONV_DEPTHWISE)
        if (form == PCC_CONV_DEPTHWISE)
            return pcc_run_depthwise<T, true>(shape, dy, w, scratch, epilogue, s);
    if constexpr (Form != PCC_CONV_DEPTHWISE) {
        int64_t first[3];
        for (first[0] = 0; first[0] < pcc_conv_phases(&shape, 0); first[0]++)
            for (first[1] = 0; first[1] < pcc_conv_phases(&shape, 1); first[1]++)
                for (first[2] = 0; first[2] < pcc_conv_phases(&shape, 2); first[2]++)
                    pcc_run_phase<T, Form>(form, shape, first, dy, w, (W *)scratch, epilogue, s);
    }
}

template <class T, int Form = PCC_ANY_FORM, class X, class Y, class W>
static void pcc_conv_grad_weight(PccConv shape, const X *x, const Y *dy, W *dw, void *scratch, PccStep *s)
{
    constexpr bool any = Form == PCC_ANY_FORM;
    const PccConvExtents e = pcc_conv_weight_extents(shape);
    const int form = pcc_conv_grad_weight_form(shape, {(uintptr_t)x, sizeof(X)}, {(uintptr_t)dy, sizeof(Y)},
                                               pcc_is_tensor_product<X, Y>(), sizeof(T));
    if (pcc_conv_is_too_large(shape, s))
        return;
    if constexpr (any || Form == PCC_CONV_DEPTHWISE)
        if (form == PCC_CONV_DEPTHWISE)
            return pcc_run_depthwise_weight<T>(shape, x, dy, dw, scratch, s);
    if constexpr (Form != PCC_CONV_DEPTHWISE) {
        const PccMatrix<Y> cotangents = {dy, e.m, shape.o, 1, e.k, e.m};
        const PccPatches<X> patches = pcc_patches(pcc_conv_gather(&shape), x);
        const PccWeightGradient<W> to = {dw, pcc_conv_taps(shape), pcc_divisor<uint32_t>(shape.c / shape.groups)};
        pcc_run_conv<T, Form, PCC_TILE_64x64 + PCC_PRODUCT_A_ACROSS + PCC_PRODUCT_B_ACROSS>(
            form, {shape.groups, e.m, e.n, e.k, e.m, 0}, cotangents, patches, scratch, to, s);
    }
}

#endif
