/* update_decide.cuh: the scalars of an update, by one block: norm, clipping, whether it is skipped, bias correction;
 * and the step's next update number and loss scale. */
#ifndef PCC_UPDATE_DECIDE_CUH
#define PCC_UPDATE_DECIDE_CUH

#include "optimizer_scale.h"
#include "update_norm.cuh"
#include "update_rules.cuh"

struct PccLeast {
    static __device__ __forceinline__ int64_t of(int64_t a, int64_t b)
    {
        return a < b ? a : b;
    }
    template <class T> static __device__ __forceinline__ T none()
    {
        return INT64_MAX;
    }
};

/* The norm times the loss scale, squared, and the first parameter that overflows, or -1.*/
PCC_DEVICE double pcc_all_squares(const PccUpdatePlan &plan, int64_t *first_overflow)
{
    double sum = 0;
    int64_t first = INT64_MAX;
    for (int64_t c = threadIdx.x; c < plan.chunks; c += blockDim.x) {
        sum += plan.squares[c].sum;
        if (plan.squares[c].overflows)
            first = pcc_min_i64(first, plan.chunk[c].param);
    }
    first = pcc_block_reduce<PccLeast>(first);
    *first_overflow = first == INT64_MAX ? -1 : first;
    return pcc_block_reduce<PccSum>(sum);
}

/* Copied from the launch's arguments, whose memory is slow where threads read different addresses. */
PCC_DEVICE void pcc_keep_maps(const PccMaps8 &maps, PccMaps8 *to)
{
    const uint32_t *from = (const uint32_t *)(const void *)&maps;
    for (unsigned i = threadIdx.x; i < sizeof maps / sizeof *from; i += blockDim.x)
        ((uint32_t *)(void *)to)[i] = from[i];
}

PCC_DEVICE void pcc_keep_maps(PccNoMaps, PccMaps8 *)
{
}

/* Saves the step's fields that the pass over the weights needs, as the step itself changes. */
template <class Optimizer>
PCC_DEVICE void pcc_decide(PccCudaUpdate *decided, PccScaling scaling, const PccUpdate *done, PccLossScale *loss_scale,
                           PccStep *step)
{
    const bool skips = done->first_overflow >= 0;
    PccUpdateTerms terms = Optimizer::terms(step);
    terms.gradient_scale = 1 / step->loss_scale * pcc_clip_factor(step->clip_norm, done->gradient_norm);
    decided->f32 = pcc_factors_f32(&terms);
    decided->f64 = pcc_factors_f64(&terms);
    decided->seed = step->seed;
    decided->update = step->update;
    decided->skips = skips;
    if (step->at_once) /* the step goes on and reads these fields; the runtime sets them behind it */
        return;
    step->micro = 0;
    step->update += !skips;
    pcc_loss_scale_next(loss_scale, &scaling, skips);
    step->loss_scale = loss_scale->scale;
}

enum { PCC_DECIDE_BLOCK = 1024 }; /* threads of the one block, which adds the chunks' sums */

template <class Optimizer, class Maps>
static __global__ void __launch_bounds__(PCC_DECIDE_BLOCK)
    pcc_update_decide_kernel(PccUpdatePlan plan, const Maps maps, PccScaling scaling, PccUpdate *done,
                             PccLossScale *loss_scale, PccStep *step)
{
    pcc_keep_maps(maps, &plan.decided->maps);
    PccUpdate result = {0, -1, 0, 0};
    if (pcc_needs_norm(step))
        result.gradient_norm = sqrt(pcc_all_squares(plan, &result.first_overflow)) / step->loss_scale;
    __syncthreads(); /* the step changes below */
    if (threadIdx.x != 0)
        return;
    if (step->ahead > 0 && done->first_overflow >= 0) /* of the update before this one */
        step->hyper.lr = step->lr_if_skipped;
    *done = result;
    pcc_decide<Optimizer>(plan.decided, scaling, done, loss_scale, step);
}

#endif
