/* conv.h: convolutions of one, two or three spatial dimensions, and their gradients.
 *
 * Activations are channels-last, x[n, in, c] and y[n, out, o]; weights are ONNX's w[o, c / groups, kernel]. PccConv,
 * the shape, and pcc_conv_scratch_bytes(), the scratch of all three, are in conv_scratch.h.
 *
 *   pcc_conv_T(shape, x, w, scratch, store, context, s)              y: rows are n * out positions, columns o
 *   pcc_conv_grad_input_T(shape, dy, w, scratch, store, context, s)  dx: rows are n * in positions, columns c
 *   pcc_conv_grad_weight_T(shape, x, dy, dw, scratch, s)             dw[o, c / groups, kernel]
 * and their _narrow forms, with PccIn, PccOut and PccStore_f32.
 *
 * Implicit GEMM: the packers of gemm.h gather from the activations (conv_gather.inc), so the matrix of patches is never
 * materialised. Groups are a batch of products; depthwise convolutions and those of few input channels
 * (pcc_conv_by_direct(), where that measured faster) are direct. Those of 3 x 3 taps in f32 go by minimal filtering
 * (winograd/winograd.h) where pcc_conv_by_winograd(). */
#ifndef PCC_CONV_H
#define PCC_CONV_H

#include "conv_phase.h"
#include "winograd/winograd.h"
#include "../gemm/gemm.h"

/* Channels of a depthwise convolution that are accumulated together. */
#define PCC_CONV_SEGMENT 4096

/* Products with at most so many columns read the source's rows in place; with more, packing is faster. */
#define PCC_CONV_LIST_COLUMNS 192

/* paired: bf16 would be multiplied in pairs along K, which is faster where K is long enough to pack it. */
PCC_KERNEL int pcc_conv_by_direct(PccConv c, int paired)
{
    return pcc_conv_is_direct(c) && (!paired || pcc_conv_taps(c) * c.c < 96);
}

#define PCC_TEMPLATE "../conv/conv_core.inc"
#include "../common/for_floats.inc"
#undef PCC_TEMPLATE

#define PCC_TEMPLATE "../conv/conv_moves.inc"
#include "../common/for_floats.inc"
#ifdef PCC_NARROW
#    define PCC_T uint16_t /* 16-bit floats as bits */
#    define PCC_STORAGE u16
#    include "../common/operands_native.inc"
#endif
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#if PCC_PAIRS
#    include "conv_pairs.h"
#endif

#define PCC_TEMPLATE "../conv/conv_operands.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
