/* conv_cuda.h: how the CUDA target computes a convolution and its gradients, as pure functions of the shape: the
 * products that they become, their forms, and their scratch. Plain C11 and C++17, like gemm_cuda.h. */
#ifndef PCC_CONV_CUDA_H
#define PCC_CONV_CUDA_H

#include "../gemm/gemm_cuda.h"
#include "conv_phase.h"

/* The product that computes a convolution or one of its gradients, one for each group. */
typedef struct PccConvExtents {
    int64_t m, n, k;
} PccConvExtents;

/* y[positions, o] */
static inline PccConvExtents pcc_conv_forward_extents(PccConv c)
{
    const PccConvExtents e = {pcc_conv_positions(c.n, c.out), c.o / c.groups, pcc_conv_taps(c) * (c.c / c.groups)};
    return e;
}

/* dx[positions of a phase, c]: of the first phase, which has the most positions; all phases use its tiling. */
static inline PccConvExtents pcc_conv_input_extents(PccConv c)
{
    const int64_t first[3] = {0, 0, 0};
    PccPhase phase;
    const PccGather g = pcc_conv_gather_phase(&c, first, &phase);
    const PccConvExtents e = {g.rows, c.c / c.groups, phase.taps[0] * phase.taps[1] * phase.taps[2] * (c.o / c.groups)};
    return e;
}

/* dw[o, (tap, c)] */
static inline PccConvExtents pcc_conv_weight_extents(PccConv c)
{
    const PccConvExtents e = {c.o / c.groups, pcc_conv_taps(c) * (c.c / c.groups), pcc_conv_positions(c.n, c.out)};
    return e;
}

/* ---- depthwise -------------------------------------------------------------------------------------------------- */

/* The number of ranges of positions with their own partial sums of a depthwise weight gradient; these are added in
 * order. */
enum { PCC_DEPTHWISE_RANGE = 512, PCC_DEPTHWISE_MOST_RANGES = 256 };

static inline int64_t pcc_cuda_depthwise_ranges(PccConv c)
{
    const int64_t ranges = pcc_ceil_div(pcc_conv_positions(c.n, c.out), PCC_DEPTHWISE_RANGE);
    return pcc_max_i64(1, pcc_min_i64(ranges, PCC_DEPTHWISE_MOST_RANGES));
}

/* ---- scratch ---------------------------------------------------------------------------------------------------- */

static inline size_t pcc_align256(size_t bytes)
{
    return (bytes + 255) & ~(size_t)255;
}

/* Bytes of the rearranged weights: 0 where there is one tap. */
static inline size_t pcc_conv_rearranged_bytes(PccConv c, size_t compute_bytes)
{
    const int64_t taps = pcc_conv_taps(c);
    return taps == 1 ? 0 : pcc_align256((size_t)(c.o * (c.c / c.groups) * taps) * compute_bytes);
}

static inline size_t pcc_cuda_conv_scratch_bytes(PccConv c, size_t compute_bytes)
{
    const PccConvExtents e = pcc_conv_forward_extents(c);
    const size_t weights = pcc_conv_rearranged_bytes(c, compute_bytes);
    return pcc_conv_is_depthwise(c) ? weights
                                    : weights + pcc_cuda_product_bytes(c.groups, e.m, e.n, e.k, compute_bytes);
}

static inline size_t pcc_cuda_conv_grad_input_scratch_bytes(PccConv c, size_t compute_bytes)
{
    return pcc_conv_rearranged_bytes(c, compute_bytes);
}

static inline size_t pcc_cuda_conv_grad_weight_scratch_bytes(PccConv c, size_t compute_bytes)
{
    const PccConvExtents e = pcc_conv_weight_extents(c);
    if (pcc_conv_is_depthwise(c))
        return (size_t)(pcc_cuda_depthwise_ranges(c) * pcc_conv_taps(c) * c.c) * compute_bytes;
    return pcc_cuda_product_bytes(c.groups, e.m, e.n, e.k, compute_bytes);
}

/* ---- forms ------------------------------------------------------------------------------------------------------ */

/* In addition to those of gemm_cuda.h: a depthwise convolution, which is no product. */
enum { PCC_CONV_DEPTHWISE = 2 * PCC_PRODUCT_SPLIT };

/* Can lines of `channels` numbers at `address`, `pixel` apart, be read as vectors? */
static inline int pcc_conv_is_vectors(uintptr_t address, size_t element_bytes, int64_t vector, int64_t channels,
                                      int64_t pixel)
{
    return address % (element_bytes * (size_t)vector) == 0 && channels % vector == 0 && pixel % vector == 0;
}

/* An activation, x or dy: its address, or the largest power of two known to divide it, and the size of an element. */
typedef struct PccConvOperand {
    uintptr_t address;
    size_t element_bytes;
} PccConvOperand;

/* splits: may K be split? */
static inline int pcc_conv_product_form(PccConv c, PccConvExtents e, int operands, int splits)
{
    PccProductPlan plan = pcc_product_plan(c.groups, e.m, e.n, e.k);
    if (!splits)
        plan.splits = 1;
    return operands + pcc_plan_form(plan, operands);
}

/* Rearranged weights lie at the beginning of scratch, so that their alignment follows from the shape; others at w. */
static inline int pcc_conv_form(PccConv c, PccConvOperand x, PccConvOperand w, int tensor, size_t compute_bytes)
{
    const int64_t vector = pcc_product_vector(tensor, compute_bytes), taps = pcc_conv_taps(c);
    int form = 0;
    if (pcc_conv_is_depthwise(c))
        return PCC_CONV_DEPTHWISE;
    if (pcc_conv_is_vectors(x.address, x.element_bytes, vector, c.c / c.groups, c.c))
        form += PCC_PRODUCT_A_ALIGNED;
    if (pcc_conv_is_vectors(taps > 1 ? 0 : w.address, w.element_bytes, vector, taps * (c.c / c.groups), 0))
        form += PCC_PRODUCT_B_ALIGNED;
    return pcc_conv_product_form(c, pcc_conv_forward_extents(c), form, 1);
}

static inline int pcc_conv_grad_input_form(PccConv c, PccConvOperand dy, PccConvOperand w, int tensor,
                                           size_t compute_bytes)
{
    const int64_t vector = pcc_product_vector(tensor, compute_bytes);
    int form = PCC_PRODUCT_B_ACROSS;
    if (pcc_conv_is_depthwise(c))
        return PCC_CONV_DEPTHWISE;
    if (pcc_conv_is_vectors(dy.address, dy.element_bytes, vector, c.o / c.groups, c.o))
        form += PCC_PRODUCT_A_ALIGNED;
    if (pcc_conv_is_vectors(pcc_conv_taps(c) > 1 ? 0 : w.address, w.element_bytes, vector, c.c / c.groups, 0))
        form += PCC_PRODUCT_B_ALIGNED;
    return pcc_conv_product_form(c, pcc_conv_input_extents(c), form, 0);
}

static inline int pcc_conv_grad_weight_form(PccConv c, PccConvOperand x, PccConvOperand dy, int tensor,
                                            size_t compute_bytes)
{
    const int64_t vector = pcc_product_vector(tensor, compute_bytes);
    int form = PCC_PRODUCT_A_ACROSS + PCC_PRODUCT_B_ACROSS;
    if (pcc_conv_is_depthwise(c))
        return PCC_CONV_DEPTHWISE;
    if (pcc_conv_is_vectors(dy.address, dy.element_bytes, vector, c.o / c.groups, c.o))
        form += PCC_PRODUCT_A_ALIGNED;
    if (pcc_conv_is_vectors(x.address, x.element_bytes, vector, c.c / c.groups, c.c))
        form += PCC_PRODUCT_B_ALIGNED;
    return pcc_conv_product_form(c, pcc_conv_weight_extents(c), form, 1);
}

#endif
