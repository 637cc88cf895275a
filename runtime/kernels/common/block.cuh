/* block.cuh: sums and extremes over the threads of a warp or a block, always in the same order. */
#ifndef PCC_BLOCK_CUH
#define PCC_BLOCK_CUH

#include "storage.cuh"

enum { PCC_WARP = 32, PCC_MOST_WARPS = 32 };

struct PccSum {
    template <class T> static __device__ __forceinline__ T of(T a, T b)
    {
        return a + b;
    }
    template <class T> static __device__ __forceinline__ T none()
    {
        return T(0);
    }
};

/* NaN propagates. */
struct PccMax {
    template <class T> static __device__ __forceinline__ T of(T a, T b)
    {
        return a > b || a != a ? a : b;
    }
    template <class T> static __device__ __forceinline__ T none()
    {
        return -T(INFINITY);
    }
};

/* Reductions over a warp's lanes by butterfly shuffles: every lane gets the same bits. All lanes call this. */
template <class Op, class T> PCC_DEVICE T pcc_warp_reduce(T x)
{
    for (int lane = PCC_WARP / 2; lane > 0; lane /= 2)
        x = Op::of(x, __shfl_xor_sync(0xffffffffu, x, lane));
    return x;
}

/* A thread's number in a block of one or two dimensions. */
PCC_DEVICE int pcc_thread_of_block()
{
    return (int)(threadIdx.y * blockDim.x + threadIdx.x);
}

/* Reductions over a block of whole warps; every thread gets the same bits. All threads call this. */
template <class Op, class T> PCC_DEVICE T pcc_block_reduce(T x)
{
    __shared__ T of_warp[PCC_MOST_WARPS];
    const int warp = pcc_thread_of_block() / PCC_WARP, lane = pcc_thread_of_block() % PCC_WARP;
    x = pcc_warp_reduce<Op>(x);
    __syncthreads(); /* the previous call's values may still be read */
    if (lane == 0)
        of_warp[warp] = x;
    __syncthreads();
    x = lane < (int)(blockDim.x * blockDim.y) / PCC_WARP ? of_warp[lane] : Op::template none<T>();
    return pcc_warp_reduce<Op>(x);
}

#endif
