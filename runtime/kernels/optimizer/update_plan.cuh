/* update_plan.cuh: which block updates which elements, and the scalars of an update.
 *
 * An update is four launches whose shapes depend on the parameters only: the table of chunks, the gradients' norm over
 * it, one block that computes the scalars (update_decide.cuh), and the pass over the weights. Nothing is copied to the
 * host in between. */
#ifndef PCC_UPDATE_PLAN_CUH
#define PCC_UPDATE_PLAN_CUH

#include "../common/block.cuh"
#include "optimizer_cuda.h"
#include "optimizer_gradient.h"

static_assert(sizeof(PccCudaUpdate) <= PCC_CUDA_UPDATE_HEAD, "the chunks begin behind it");

/* The update's scratch. */
struct PccUpdatePlan {
    int64_t chunks;
    PccCudaUpdate *decided;
    PccCudaChunk *chunk;     /* [chunks] */
    PccCudaSquares *squares; /* [chunks] */
};

static inline PccUpdatePlan pcc_update_plan(const PccParam *params, int64_t count, void *scratch)
{
    PccUpdatePlan plan;
    plan.chunks = pcc_cuda_update_all_chunks(params, count);
    plan.decided = (PccCudaUpdate *)scratch;
    plan.chunk = (PccCudaChunk *)(void *)((char *)scratch + PCC_CUDA_UPDATE_HEAD);
    plan.squares = (PccCudaSquares *)(void *)(plan.chunk + plan.chunks);
    return plan;
}

/* The factors of T. */
PCC_DEVICE PccFactors_f32 pcc_factors_of(const PccCudaUpdate *decided, float)
{
    return decided->f32;
}

PCC_DEVICE PccFactors_f64 pcc_factors_of(const PccCudaUpdate *decided, double)
{
    return decided->f64;
}

/* Writes the chunks of parameter blockIdx.x, which follow those of the parameters before it. */
static __global__ void pcc_update_plan_kernel(const PccParam *params, PccUpdatePlan plan)
{
    const int64_t param = blockIdx.x;
    int64_t before = 0;
    for (int64_t p = threadIdx.x; p < param; p += blockDim.x)
        before += pcc_cuda_update_chunks(pcc_param_elements(params + p));
    before = pcc_block_reduce<PccSum>(before);
    const int64_t elements = pcc_param_elements(params + param), own = pcc_cuda_update_chunks(elements);
    for (int64_t c = threadIdx.x; c < own; c += blockDim.x) {
        PccCudaChunk chunk;
        chunk.first = c * PCC_CUDA_UPDATE_CHUNK;
        chunk.param = (int32_t)param;
        chunk.count = (int32_t)pcc_min_i64(PCC_CUDA_UPDATE_CHUNK, elements - chunk.first);
        plan.chunk[before + c] = chunk;
    }
}

#endif
