/* update_norm.cuh: the gradients' global norm, and whether all of them are finite.
 *
 * Each chunk's squares are summed by a block, the threads' sums in a fixed order; the chunks' sums are added in order
 * by the block of update_decide.cuh. Gradients of 32 and 16 bits are summed in f32, which their squares can overflow or
 * underflow: those beyond 2^50 and below 2^-50 are scaled and summed separately (Blue, "A portable Fortran program to
 * find the Euclidean norm of a vector", ACM TOMS 4(1), 1978), so that a sum is infinite or NaN if and only if an
 * element is. */
#ifndef PCC_UPDATE_NORM_CUH
#define PCC_UPDATE_NORM_CUH

#include "update_plan.cuh"

/* Sums of squares of elements times 2^80, 1 and 2^-80. */
struct PccSquaresF32 {
    float low = 0, middle = 0, high = 0;
};

PCC_DEVICE void pcc_add_square(PccSquaresF32 &sum, float x)
{
    const float magnitude = fabsf(x);
    const bool is_low = magnitude < 0x1p-50f, is_middle = !is_low && magnitude < 0x1p50f; /* otherwise high, also NaN */
    const float scaled = x * (is_low ? 0x1p80f : is_middle ? 1.0f : 0x1p-80f), square = scaled * scaled;
    sum.low += is_low ? square : 0;
    sum.middle += is_middle ? square : 0;
    sum.high += is_low || is_middle ? 0 : square;
}

/* Four elements at once. Where their squares' sum is neither huge nor tiny, none of them is huge, and tiny ones are
 * negligible. */
PCC_DEVICE void pcc_add_four_squares(PccSquaresF32 &sum, const float x[4])
{
    const float squares = (x[0] * x[0] + x[1] * x[1]) + (x[2] * x[2] + x[3] * x[3]);
    if (squares > 0x1p-80f && squares < 0x1p100f) {
        sum.middle += squares;
        return;
    }
    for (int k = 0; k < 4; k++)
        pcc_add_square(sum, x[k]);
}

/* The calling thread's part of a chunk of f32, bf16 or f16. */
template <class X> PCC_DEVICE PccCudaSquares pcc_thread_squares(const X *g, int count)
{
    PccSquaresF32 sum;
    constexpr int N = 16 / sizeof(X);
    const int whole = pcc_is_aligned<N>(g, 0) ? count & -N : 0;
    for (int i = N * (int)threadIdx.x; i < whole; i += N * (int)blockDim.x) {
        const PccVector<X, N> v = pcc_load_vector<N>(g + i);
        for (int k = 0; k < N; k += 4) {
            const float x[4] = {pcc_wide(v.at[k]), pcc_wide(v.at[k + 1]), pcc_wide(v.at[k + 2]), pcc_wide(v.at[k + 3])};
            pcc_add_four_squares(sum, x);
        }
    }
    for (int i = whole + (int)threadIdx.x; i < count; i += (int)blockDim.x)
        pcc_add_square(sum, pcc_wide(g[i]));
    PccCudaSquares own;
    own.sum = (double)sum.middle + ((double)sum.low * 0x1p-160 + (double)sum.high * 0x1p160);
    own.overflows = !(own.sum - own.sum == 0);
    return own;
}

/* In double, squares of finite elements may overflow. */
PCC_DEVICE PccCudaSquares pcc_thread_squares(const double *g, int count)
{
    PccCudaSquares own = {0, 0};
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x) {
        own.sum += g[i] * g[i];
        own.overflows |= !(g[i] - g[i] == 0);
    }
    return own;
}

PCC_DEVICE PccCudaSquares pcc_chunk_squares(const char *gradient, PccDtype dtype, PccCudaChunk chunk)
{
    const void *g = gradient;
    if (dtype == PCC_F64)
        return pcc_thread_squares((const double *)g + chunk.first, chunk.count);
    if (dtype == PCC_BF16)
        return pcc_thread_squares((const PccBf16 *)g + chunk.first, chunk.count);
    if (dtype == PCC_F16)
        return pcc_thread_squares((const PccF16 *)g + chunk.first, chunk.count);
    return pcc_thread_squares((const float *)g + chunk.first, chunk.count);
}

PCC_DEVICE bool pcc_needs_norm(const PccStep *step)
{
    return step->clip_norm > 0 || step->check_gradients;
}

static __global__ void __launch_bounds__(PCC_BLOCK)
    pcc_update_norm_kernel(const PccParam *params, PccUpdatePlan plan, const PccStep *step)
{
    if (!pcc_needs_norm(step))
        return;
    for (int64_t c = blockIdx.x; c < plan.chunks; c += gridDim.x) {
        const PccCudaChunk chunk = plan.chunk[c];
        const PccParam *param = params + chunk.param;
        const PccCudaSquares own = pcc_chunk_squares(pcc_gradient(step, param), param->gradient_dtype, chunk);
        PccCudaSquares all;
        all.sum = pcc_block_reduce<PccSum>(own.sum);
        all.overflows = pcc_block_reduce<PccSum>(own.overflows) != 0;
        if (threadIdx.x == 0)
            plan.squares[c] = all;
    }
}

#endif
