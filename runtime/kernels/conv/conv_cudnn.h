/* conv_cudnn.h: convolutions that cuDNN computes: how a program and its plans name them, and which these may be, as a
 * pure function of shape and operands. Plain C11 and C++17: the compiler decides with it.
 *
 * A site is a convolution as the library sees it: x[n, c, in], channels last; w[o, c / groups, kernel] as ONNX has it;
 * y[n, o, out], channels last; or their gradients in these places. A plan is what the library made of a site when the
 * program was compiled: for one version of itself and one GPU, as text that it reads again. */
#ifndef PCC_CONV_CUDNN_H
#define PCC_CONV_CUDNN_H

#include "conv_cuda.h"

enum { PCC_CUDNN_FORWARD, PCC_CUDNN_GRAD_INPUT, PCC_CUDNN_GRAD_WEIGHT }; /* which of x, y, w is computed: y, x, w */
enum { PCC_CUDNN_X = 1, PCC_CUDNN_W, PCC_CUDNN_Y };                      /* what plans call the three tensors */

/* Bytes that divide the address of each tensor, and what a plan may take of the arena for one call. */
enum { PCC_CUDNN_ALIGNMENT = 16, PCC_CUDNN_MOST_WORKSPACE = 256 << 20 };

/* Compared as bytes, so all is of 8. */
typedef struct PccCudnnSite {
    int64_t kind, dtype; /* PccDtype: of all three */
    PccConv shape;
} PccCudnnSite;

typedef struct PccCudnnPlan {
    PccCudnnSite site;
    int64_t workspace; /* bytes */
    const char *text;  /* JSON */
} PccCudnnPlan;

/* The plans of a program. */
typedef struct PccCudnnPlans {
    int64_t version; /* 92801: cuDNN 9.28.1 */
    const char *gpu; /* that they were made for */
    const PccCudnnPlan *plans;
    int count;
} PccCudnnPlans;

/* Depthwise ones are direct here. */
static inline int pcc_cudnn_takes(PccConv c, uintptr_t x, uintptr_t w, uintptr_t y)
{
    return !pcc_conv_is_depthwise(c) && pcc_conv_positions(c.n, c.in) * c.c > 0 &&
           pcc_conv_positions(c.n, c.out) * c.o > 0 && (x | w | y) % PCC_CUDNN_ALIGNMENT == 0;
}

#endif
