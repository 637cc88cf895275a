/* convolution_plans.h: plans that cuDNN makes when a program is compiled, for a GPU that is only described to it.
 *
 * cuDNN is loaded when it is asked for, never linked: pcc runs without it, and is built without its headers too. */
#ifndef PCC_CODEGEN_CONVOLUTION_PLANS_H
#define PCC_CODEGEN_CONVOLUTION_PLANS_H

#include "ir/target/gpu.h"
#include "runtime/kernels/conv/conv_cudnn.h"

typedef struct ConvolutionPlans ConvolutionPlans;

/* What plans may do. */
typedef struct PlanRules {
    bool tf32;          /* round operands of f32 to TF32 */
    bool deterministic; /* only what gives the same bits from run to run */
} PlanRules;

/* For `gpu`, or where it is NULL or no row of the table, for the first row of sm_`architecture`. Fatal where there is
 * no cuDNN, or none that knows such a GPU. */
ConvolutionPlans *open_convolution_plans(Arena *arena, Diagnostics *diagnostics, const Gpu *gpu, int architecture,
                                         PlanRules rules);
void close_convolution_plans(ConvolutionPlans *plans); /* NULL: nothing */

/* Made once for each site. NULL: the library has none that the rules allow. */
const PccCudnnPlan *convolution_plan(ConvolutionPlans *plans, const PccCudnnSite *site);
/* cuDNN's version, 92801, and what the plans are for, "h200". */
int64_t convolution_plans_version(const ConvolutionPlans *plans);
const char *convolution_plans_gpu(const ConvolutionPlans *plans);

/* ---- inside ----------------------------------------------------------------------------------------------------- */

/* gpu_description.c: a row of the table as cuDNN wants to have it; NULL: there is none. */
const Gpu *described_gpu(const Gpu *gpu, int architecture);
const char *gpu_description(Arena *arena, const Gpu *gpu);

/* convolution_geometry.c: a site's tensors and its windows, dims and strides in cuDNN's order: n, channels, space. */
typedef struct ConvolutionGeometry {
    int rank, space;                   /* of tensors, of windows */
    int64_t dims[3][5], strides[3][5]; /* of x, w, y */
    int64_t before[3], after[3], stride[3], dilation[3];
} ConvolutionGeometry;

ConvolutionGeometry convolution_geometry(const PccConv *shape);

#endif
