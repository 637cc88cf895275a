/* numerics.cuh: numerics.h on a GPU: --check-numerics. Launches of step() pass every element that they compute to
 * pcc_watch_element(), and behind each a kernel of one thread keeps the first node that was not finite in the step's
 * mirror. The runtime tells of it when the function has ended.
 *
 * Sums and extremes do not depend on the order of threads, and so neither does what is told. */
#ifndef PCC_NUMERICS_CUH
#define PCC_NUMERICS_CUH

#include "../device/cuda.cuh"
#include "common/storage.cuh"
#include "numerics_tell.h"

/* Of one node of the running launch. Extremes are kept as keys that are ordered as the numbers are, the lower one's
 * inverted, so that both grow from 0, which is no number's. */
struct PccCudaSeen {
    unsigned long long count, infinite, nan, low, high;
};

static __device__ PccCudaSeen pcc_watch[PCC_WATCHED_NODES];

#define PCC_SIGN_BIT 0x8000000000000000ull

PCC_DEVICE unsigned long long pcc_order_key(unsigned long long bits)
{
    return bits & PCC_SIGN_BIT ? ~bits : bits | PCC_SIGN_BIT;
}

PCC_DEVICE double pcc_of_order_key(unsigned long long key)
{
    return __longlong_as_double((long long)(key & PCC_SIGN_BIT ? key & ~PCC_SIGN_BIT : ~key));
}

/* Checks one element of node `member` of the running launch. */
PCC_DEVICE void pcc_watch_element(int member, double x)
{
    PccCudaSeen *seen = &pcc_watch[member];
    const unsigned long long bits = (unsigned long long)__double_as_longlong(x), infinity = 0x7ff0000000000000ull;
    const unsigned long long magnitude = bits & ~PCC_SIGN_BIT, key = pcc_order_key(bits);
    atomicAdd(&seen->count, 1ull);
    if (magnitude > infinity)
        atomicAdd(&seen->nan, 1ull);
    else if (magnitude == infinity)
        atomicAdd(&seen->infinite, 1ull);
    else {
        atomicMax(&seen->low, ~key);
        atomicMax(&seen->high, key);
    }
}

static __global__ void pcc_keep_seen_kernel(int64_t first, int count, PccStep *step)
{
    for (int member = 0; member < count; member++) {
        const PccCudaSeen seen = pcc_watch[member];
        pcc_watch[member] = {0, 0, 0, 0, 0};
        if (step->seen.count > 0 || seen.nan + seen.infinite == 0) /* what follows the first one follows from it */
            continue;
        step->seen_node = first + member;
        step->seen = {(int64_t)seen.count, (int64_t)seen.infinite, (int64_t)seen.nan, pcc_of_order_key(~seen.low),
                      pcc_of_order_key(seen.high)};
    }
}

template <class X>
__global__ void pcc_watch_kernel(int64_t count, int rank, PCC_PARAMETER PccDims dims, PCC_PARAMETER PccDims strides,
                                 const X *x)
{
    PCC_FOR_ITEMS (flat, count) {
        int64_t at = 0, rest = flat;
        for (int axis = rank - 1; axis >= 0; axis--) {
            at += rest % dims.at[axis] * strides.at[axis];
            rest /= dims.at[axis];
        }
        pcc_watch_element(0, (double)pcc_wide(x[at]));
    }
}

/* Before the first launch of a function: `watched` are the program's nodes by number. */
static inline void pcc_watch_begin(const PccWatched *watched, PccStep *s)
{
    pcc_cuda_of(s)->watched = watched;
}

/* After a loop, or a product with an epilogue: `count` nodes from number `first`, members 0 ... of the launch. */
static inline void pcc_watch_loop(int64_t first, int count, PccStep *s)
{
    PCC_LAUNCH(pcc_keep_seen_kernel, 1, 1, 0, s, first, count, pcc_on_device(s));
}

/* After a kernel: checks one of its results, a window of its buffer. */
template <class X>
static void pcc_watch_tensor(int64_t node, int rank, PccDims dims, PccDims strides, const X *x, PccStep *s)
{
    int64_t count = 1;
    for (int axis = 0; axis < rank; axis++)
        count *= dims.at[axis];
    if (count > 0)
        PCC_LAUNCH((pcc_watch_kernel<X>), pcc_blocks(count, PCC_BLOCK), PCC_BLOCK, 0, s, count, rank, dims, strides, x);
    pcc_watch_loop(node, 1, s);
}

#endif
