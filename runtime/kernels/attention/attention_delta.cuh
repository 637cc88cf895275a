/* attention_delta.cuh: what the other kernels of attention_grad.cuh need first: delta = rowsum(dy y) of every query,
 * and, where dS will be f16, the power of two by which it is scaled.
 *
 * By Cauchy and Schwarz |dS| <= 2 scale |dy row| |v row|; the factor brings the greatest such bound of a batch and key
 * head to 2^15, half of f16's range. Numbers down to 2^-18 of the bound then keep 22 bits as a sum of two f16
 * numbers. */
#ifndef PCC_ATTENTION_DELTA_CUH
#define PCC_ATTENTION_DELTA_CUH

#include "attention_mask.cuh"
#include "../common/block.cuh"

/* One warp for each row. norm: the squared norm of dy's row; may be nullptr. */
template <class T, class Y, class D>
__global__ __launch_bounds__(PCC_BLOCK) void pcc_attention_delta_kernel(PccAttention shape, const Y *y, const D *dy,
                                                                        T *delta, T *norm, int64_t rows)
{
    const int lane = threadIdx.x % PCC_WARP, warps = PCC_BLOCK / PCC_WARP;
    for (int64_t row = (int64_t)blockIdx.x * warps + threadIdx.x / PCC_WARP; row < rows;
         row += (int64_t)gridDim.x * warps) {
        const int64_t query = row % shape.queries, head = row / shape.queries % shape.heads;
        const int64_t batch = row / shape.queries / shape.heads;
        const Y *of_y = pcc_attention_row(y, shape.y_stride, batch, head, query);
        const D *of_dy = pcc_attention_row(dy, shape.dy_stride, batch, head, query);
        T sum = T(0), square = T(0);
        for (int64_t d = lane; d < shape.value_width; d += PCC_WARP) {
            const T g = pcc_get<T>(of_dy, d);
            sum += g * pcc_get<T>(of_y, d);
            square += g * g;
        }
        sum = pcc_warp_reduce<PccSum>(sum);
        square = pcc_warp_reduce<PccSum>(square);
        if (lane == 0)
            delta[row] = sum;
        if (lane == 0 && norm)
            norm[row] = square;
    }
}

template <class T, class Y, class D>
static void pcc_attention_delta(PccAttention shape, const Y *y, const D *dy, T *delta, T *norm, PccStep *s)
{
    const int64_t rows = shape.batch * shape.heads * shape.queries;
    PCC_LAUNCH((pcc_attention_delta_kernel<T, Y, D>), pcc_blocks(rows, PCC_BLOCK / PCC_WARP), PCC_BLOCK, 0, s, shape, y,
               dy, delta, norm, rows);
}

/* 2^15 divided by the least power of two above the bound; 1 where there is none. */
PCC_DEVICE float pcc_attention_factor(float bound)
{
    if (!(bound > 0) || bound > 3e38f)
        return 1;
    const int exponent = (int)(pcc_bits_of_f32(bound) >> 23) - 126;
    return pcc_f32_of_bits((uint32_t)(127 + 15 - max(exponent, -64)) << 23);
}

/* One block for each batch and key head. */
template <class V>
__global__ __launch_bounds__(PCC_BLOCK) void pcc_attention_factor_kernel(PccAttention shape, const V *v,
                                                                         const float *norm, float *factor,
                                                                         int64_t heads)
{
    const int lane = threadIdx.x % PCC_WARP, warps = PCC_BLOCK / PCC_WARP;
    const int64_t kv_heads = shape.heads / shape.kv_group, rows = shape.kv_group * shape.queries;
    for (int64_t head = blockIdx.x; head < heads; head += gridDim.x) {
        float most = 0, most_of_v = 0;
        for (int64_t row = threadIdx.x; row < rows; row += PCC_BLOCK)
            most = PccMax::of(norm[head * rows + row], most);
        for (int64_t key = threadIdx.x / PCC_WARP; key < shape.keys; key += warps) {
            const V *row = pcc_attention_row(v, shape.v_stride, head / kv_heads, head % kv_heads, key);
            float sum = 0;
            for (int64_t d = lane; d < shape.value_width; d += PCC_WARP)
                sum += pcc_get<float>(row, d) * pcc_get<float>(row, d);
            most_of_v = PccMax::of(pcc_warp_reduce<PccSum>(sum), most_of_v);
        }
        most = pcc_block_reduce<PccMax>(most);
        most_of_v = pcc_block_reduce<PccMax>(most_of_v);
        if (threadIdx.x == 0)
            factor[head] = pcc_attention_factor(2 * fabsf((float)shape.scale) * sqrtf(most) * sqrtf(most_of_v));
    }
}

template <class V>
static void pcc_attention_factors(PccAttention shape, const V *v, const float *norm, float *factor, PccStep *s)
{
    const int64_t heads = shape.batch * (shape.heads / shape.kv_group);
    PCC_LAUNCH((pcc_attention_factor_kernel<V>), pcc_blocks(heads, 1), PCC_BLOCK, 0, s, shape, v, norm, factor, heads);
}

#endif
