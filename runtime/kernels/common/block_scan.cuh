/* block_scan.cuh: exclusive prefix sums over the threads of a block. */
#ifndef PCC_BLOCK_SCAN_CUH
#define PCC_BLOCK_SCAN_CUH

#include "block.cuh"

/* In a block of PCC_BLOCK threads: the sum of x over the threads before this one; *all: over all. All threads call
 * this. */
PCC_DEVICE uint32_t pcc_block_scan(uint32_t x, uint32_t *all)
{
    __shared__ uint32_t of_warp[PCC_BLOCK / PCC_WARP];
    const int warp = (int)threadIdx.x / PCC_WARP, lane = (int)threadIdx.x % PCC_WARP;
    uint32_t sum = x, before = 0;
    *all = 0;
    for (int by = 1; by < PCC_WARP; by *= 2) {
        const uint32_t other = __shfl_up_sync(0xffffffffu, sum, by);
        sum += lane >= by ? other : 0;
    }
    __syncthreads(); /* the previous call's values may still be read */
    if (lane == PCC_WARP - 1)
        of_warp[warp] = sum;
    __syncthreads();
    for (int w = 0; w < PCC_BLOCK / PCC_WARP; w++) {
        before += w < warp ? of_warp[w] : 0;
        *all += of_warp[w];
    }
    return before + sum - x;
}

#endif
