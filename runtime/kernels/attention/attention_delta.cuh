/* attention_delta.cuh: delta = rowsum(dy y) of every query, before the other kernels of attention_grad.cuh. A warp has
 * a row. */
#ifndef PCC_ATTENTION_DELTA_CUH
#define PCC_ATTENTION_DELTA_CUH

#include "attention_mask.cuh"
#include "../common/block.cuh"

template <class T, class Y, class D>
__global__ __launch_bounds__(PCC_BLOCK) void pcc_attention_delta_kernel(PccAttention shape, const Y *y, const D *dy,
                                                                        T *delta, int64_t rows)
{
    const int lane = threadIdx.x % PCC_WARP, warps = PCC_BLOCK / PCC_WARP;
    for (int64_t row = (int64_t)blockIdx.x * warps + threadIdx.x / PCC_WARP; row < rows;
         row += (int64_t)gridDim.x * warps) {
        const int64_t query = row % shape.queries, head = row / shape.queries % shape.heads;
        const int64_t batch = row / shape.queries / shape.heads;
        const Y *of_y = pcc_attention_row(y, shape.y_stride, batch, head, query);
        const D *of_dy = pcc_attention_row(dy, shape.dy_stride, batch, head, query);
        T sum = T(0);
        for (int64_t d = lane; d < shape.value_width; d += PCC_WARP)
            sum += pcc_get<T>(of_dy, d) * pcc_get<T>(of_y, d);
        sum = pcc_warp_reduce<PccSum>(sum);
        if (lane == 0)
            delta[row] = sum;
    }
}

template <class T, class Y, class D>
static void pcc_attention_delta(PccAttention shape, const Y *y, const D *dy, T *delta, PccStep *s)
{
    const int64_t rows = shape.batch * shape.heads * shape.queries;
    PCC_LAUNCH((pcc_attention_delta_kernel<T, Y, D>), pcc_blocks(rows, PCC_BLOCK / PCC_WARP), PCC_BLOCK, 0, s, shape, y,
               dy, delta, rows);
}

#endif
