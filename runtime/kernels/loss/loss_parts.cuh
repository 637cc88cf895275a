/* loss_parts.cuh: reduces the threads' partial sums of a loss. */
#ifndef PCC_LOSS_PARTS_CUH
#define PCC_LOSS_PARTS_CUH

#include "../common/rows.cuh"
#include "loss_cuda.h"

/* Sums over a block of one or two dimensions; every thread gets the same bits. */
PCC_DEVICE PccLossPart pcc_loss_part_of_block(PccLossPart part)
{
    return {pcc_block_reduce<PccSum>(part.loss), pcc_block_reduce<PccSum>(part.weight),
            pcc_block_reduce<PccSum>(part.counted)};
}

/* Adds up all partial sums, in one block. */
PCC_DEVICE PccLossPart pcc_all_loss_parts(int64_t count, const PccLossPart *parts)
{
    PccLossPart sum = {0, 0, 0};
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
        sum.loss += parts[i].loss;
        sum.weight += parts[i].weight;
        sum.counted += parts[i].counted;
    }
    return pcc_loss_part_of_block(sum);
}

#endif
