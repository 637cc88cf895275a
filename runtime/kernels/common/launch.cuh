/* launch.cuh: declarations for CUDA kernels, and how they are launched.
 *
 * A kernel family has one host function for each kernel of its contract header: the same name without the suffix, the
 * same arguments in the same order, and the step as the last. T, the type of the computation, is its first template
 * parameter; the operands' types are deduced. It enqueues work on the step's stream and returns; device code that needs
 * the step (s->valid, s->seed ...) gets pcc_on_device(s).
 *
 * Everything also compiles as C++ for the emulator of the tests (PCC_EMULATED), so launches and dynamic shared memory
 * are written with macros:
 *
 *     template <class T, class X> __global__ void pcc_scale_kernel(int64_t n, T factor, X *x);
 *     PCC_LAUNCH((pcc_scale_kernel<T, X>), grid, block, shared_bytes, s, n, factor, x);
 *     PCC_DYNAMIC_SHARED(float, tile); */
#ifndef PCC_LAUNCH_CUH
#define PCC_LAUNCH_CUH

#include <cuda_runtime.h>

#include <stdint.h>
#include <stdio.h>

#include "../../program.h"
#include "inline.h" /* under PCC_EMULATED: PCC_EMULATE_LAUNCH, PCC_EMULATED_SHARED, threadIdx, __syncthreads ... */

#define PCC_DEVICE static __device__ __forceinline__

/* An absent optional operand, of any type: pointers are deduced as those of float. */
#define PCC_ABSENT ((float *)nullptr)

/* Literal extents or strides, by value; unused ones are 0. */
struct PccDims {
    int64_t at[PCC_MAX_RANK];
};

/* The step as device code may read it: the fields that do not point to the host's memory. */
static inline PccStep *pcc_on_device(const PccStep *s)
{
    return s->mirror;
}

static inline cudaStream_t pcc_stream(const PccStep *s)
{
    return (cudaStream_t)s->stream;
}

/* Records the first failing call of a step; later failures follow from it. */
static inline void pcc_check_cuda(const PccStep *s, cudaError_t status, const char *what)
{
    if (status != cudaSuccess && s->failure && s->failure[0] == 0)
        snprintf(s->failure, PCC_FAILURE_ROOM, "%s: %s (%s)", what, cudaGetErrorString(status),
                 cudaGetErrorName(status));
}

#ifdef PCC_EMULATED
#    define PCC_LAUNCH(kernel, grid, block, shared, s, ...) \
        PCC_EMULATE_LAUNCH(kernel, grid, block, shared, pcc_stream(s), __VA_ARGS__)
#    define PCC_DYNAMIC_SHARED(type, name) PCC_EMULATED_SHARED(type, name)
#else
#    define PCC_LAUNCH(kernel, grid, block, shared, s, ...)                      \
        do {                                                                     \
            (kernel)<<<(grid), (block), (shared), pcc_stream(s)>>>(__VA_ARGS__); \
            pcc_check_cuda((s), cudaPeekAtLastError(), "launching " #kernel);    \
        } while (0)
/* One object for all kernels: CUDA requires one type for each name. */
extern __shared__ __align__(128) unsigned char pcc_dynamic_shared[];
#    define PCC_DYNAMIC_SHARED(type, name) type *name = (type *)(void *)pcc_dynamic_shared
#endif

/* More than 48 KiB of dynamic shared memory has to be requested, once for each kernel. */
#define PCC_ALLOW_SHARED(kernel, bytes, s)                                                                         \
    pcc_check_cuda((s), cudaFuncSetAttribute((kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, (int)(bytes)), \
                   "shared memory of " #kernel)

/* For a kernel's parameter whose arrays are indexed: it is read from constant memory, not copied to local memory
 * first. */
#ifdef PCC_EMULATED
#    define PCC_PARAMETER const
#else
#    define PCC_PARAMETER const __grid_constant__
#endif

#define PCC_BLOCK 256 /* threads of a block, by default */

/* Blocks for `items`, `each` of them a block; at most the limit of a grid's first dimension, so kernels stride over the
 * rest. */
static inline unsigned pcc_blocks(int64_t items, int64_t each)
{
    const int64_t blocks = (items + each - 1) / each;
    return (unsigned)(blocks < 1 ? 1 : blocks > INT32_MAX ? INT32_MAX : blocks);
}

/* PCC_FOR_ITEMS(i, count): every item once, over all threads of a grid. */
#define PCC_FOR_ITEMS(i, count) \
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += (int64_t)gridDim.x * blockDim.x)

/* A loop over independent items. */
#define PCC_LOOP(kernel, items, s, ...) PCC_LAUNCH(kernel, pcc_blocks(items, PCC_BLOCK), PCC_BLOCK, 0, s, __VA_ARGS__)

#endif
