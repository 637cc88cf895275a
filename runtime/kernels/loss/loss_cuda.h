/* loss_cuda.h: the scratch of the CUDA kernels of loss/: the blocks' partial sums, which are added in block order.
 *
 * Shared with the compiler, which plans the arena: formulas of the literal shapes only. Sizes are in bytes. */
#ifndef PCC_LOSS_CUDA_H
#define PCC_LOSS_CUDA_H

#include "../common/scratch.h"
#include "loss_rows.h"

#define PCC_CUDA_LOSS_PARTS 4096 /* at most */

/* Blocks of a loss over `rows` rows. */
PCC_KERNEL int64_t pcc_cuda_loss_parts(int64_t rows)
{
    return pcc_max_i64(1, pcc_min_i64(rows, PCC_CUDA_LOSS_PARTS));
}

PCC_KERNEL size_t pcc_cuda_cross_entropy_scratch_bytes(int64_t outer, int64_t inner)
{
    return pcc_align64((size_t)pcc_cuda_loss_parts(outer * inner) * sizeof(PccLossPart));
}

/* Blocks of a mean over n elements. */
PCC_KERNEL int64_t pcc_cuda_mean_parts(int64_t n)
{
    return pcc_max_i64(1, pcc_min_i64(pcc_ceil_div(n, 8192), 1024));
}

PCC_KERNEL size_t pcc_cuda_mse_scratch_bytes(int64_t batch, int64_t per_sample)
{
    return pcc_align64((size_t)pcc_cuda_mean_parts(batch * per_sample) * sizeof(PccLossPart));
}

PCC_KERNEL size_t pcc_cuda_bce_with_logits_scratch_bytes(int64_t batch, int64_t per_sample)
{
    return pcc_cuda_mse_scratch_bytes(batch, per_sample);
}

#endif
