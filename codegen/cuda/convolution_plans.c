/* convolution_plans.c: the table of plans, by site. */
#include <string.h>

#include "codegen/cuda/convolution_plans.h"

#ifdef PCC_CUDNN
#    include "codegen/cuda/cudnn_planner.h"

/* A site that was asked for; without a plan its text is NULL. */
struct ConvolutionPlans {
    CudnnPlanner planner;
    PccCudnnPlan *sites;
    int count;
    const char *gpu;
};

ConvolutionPlans *open_convolution_plans(Arena *arena, Diagnostics *diagnostics, const Gpu *gpu, int architecture,
                                         PlanRules rules)
{
    const Gpu *described = described_gpu(gpu, architecture);
    if (!described)
        fatal(diagnostics, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN,
              "--libraries cudnn is not supported for sm_%d by this version: pcc knows no GPU of it that cuDNN could "
              "plan for; give --gpu NAME, or leave cudnn out",
              architecture);
    ConvolutionPlans *plans = NEW(arena, ConvolutionPlans);
    plans->gpu = described->name;
    plans->planner = open_planner(arena, diagnostics, described, rules);
    return plans;
}

void close_convolution_plans(ConvolutionPlans *plans)
{
    if (plans)
        close_planner(&plans->planner);
}

const PccCudnnPlan *convolution_plan(ConvolutionPlans *plans, const PccCudnnSite *site)
{
    for (int i = 0; i < plans->count; i++)
        if (memcmp(&plans->sites[i].site, site, sizeof *site) == 0)
            return plans->sites[i].text ? &plans->sites[i] : NULL;
    PccCudnnPlan made = {.site = *site};
    if (!make_plan(&plans->planner, &made))
        made.text = NULL;
    APPEND(plans->planner.arena, plans->sites, plans->count, made);
    return made.text ? &plans->sites[plans->count - 1] : NULL;
}

int64_t convolution_plans_version(const ConvolutionPlans *plans)
{
    return (int64_t)plans->planner.library.cudnnGetVersion();
}

const char *convolution_plans_gpu(const ConvolutionPlans *plans)
{
    return plans->gpu;
}

#else

ConvolutionPlans *open_convolution_plans(Arena *arena, Diagnostics *diagnostics, const Gpu *gpu, int architecture,
                                         PlanRules rules)
{
    (void)arena, (void)gpu, (void)architecture, (void)rules;
    fatal(
        diagnostics, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN,
        "--libraries cudnn is not supported by this pcc: it was built without cuDNN's headers; build it where cudnn.h "
        "is in $CUDNN_PATH/include or the toolkit's, or leave cudnn out");
    return NULL;
}

void close_convolution_plans(ConvolutionPlans *plans)
{
    (void)plans;
}

/* No plans can be opened, so nobody calls these. */
const PccCudnnPlan *convolution_plan(ConvolutionPlans *plans, const PccCudnnSite *site)
{
    (void)plans, (void)site;
    return NULL;
}

int64_t convolution_plans_version(const ConvolutionPlans *plans)
{
    (void)plans;
    return 0;
}

const char *convolution_plans_gpu(const ConvolutionPlans *plans)
{
    (void)plans;
    return "";
}
#endif
