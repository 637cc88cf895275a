/* cudart.cpp: first stand-ins. */
#include "emulator.h"

#include <stdio.h>
#include <string.h>

#include <map>
#include <string>

#include "pcc_emulator.h"

static cudaError_t last;
static std::map<const void *, size_t> allowed;

cudaError_t failed(cudaError_t status)
{
    if (status != cudaSuccess)
        last = status;
    return status;
}

cudaError_t cudaFuncSetAttribute(const void *func, cudaFuncAttribute attr, int value)
{
    if (!func || attr != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 || value > MOST_SHARED)
        return failed(cudaErrorInvalidValue);
    allowed[func] = (size_t)value;
    return cudaSuccess;
}

void pcc_emulated_enqueue(cudaStream_t, const PccEmulatedLaunch &launch)
{
    static bool ready;
    if (!ready) {
        read_order();
        catch_signals();
        ready = true;
    }
    const dim3 g = launch.grid, b = launch.block;
    const auto found = allowed.find(launch.function);
    const size_t most = found == allowed.end() ? 48 << 10 : found->second;
    if (b.x == 0 || b.y == 0 || b.z == 0 || b.x > 1024 || b.y > 1024 || b.z > 64 ||
        (uint64_t)b.x * b.y * b.z > MOST_THREADS)
        fault("kernel %s is launched with blocks of (%u, %u, %u) threads: at most 1024", launch.name, b.x, b.y, b.z);
    if (g.x == 0 || g.y == 0 || g.z == 0 || g.x > INT32_MAX || g.y > 65535 || g.z > 65535)
        fault("kernel %s is launched with a grid of (%u, %u, %u) blocks: at least 1, at most 2^31 - 1, 65535, 65535",
              launch.name, g.x, g.y, g.z);
    if (launch.shared > most)
        fault("kernel %s is launched with %zu bytes of dynamic shared memory: more than %zu%s", launch.name,
              launch.shared, most, found == allowed.end() ? ", and cudaFuncSetAttribute was not called" : "");
    run_grid(&launch);
}

cudaError_t cudaMalloc(void **p, size_t n)
{
    return allocate(p, n, true);
}
cudaError_t cudaFree(void *p)
{
    return release(p, true);
}
cudaError_t cudaMallocHost(void **p, size_t n)
{
    return allocate(p, n, false);
}
cudaError_t cudaFreeHost(void *p)
{
    return release(p, false);
}
cudaError_t cudaMemcpyAsync(void *d, const void *s, size_t n, cudaMemcpyKind, cudaStream_t)
{
    memcpy(d, s, n);
    return cudaSuccess;
}
cudaError_t cudaMemcpy(void *d, const void *s, size_t n, cudaMemcpyKind)
{
    memcpy(d, s, n);
    return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void *d, int v, size_t n, cudaStream_t)
{
    memset(d, v, n);
    return cudaSuccess;
}
cudaError_t cudaMemset(void *d, int v, size_t n)
{
    memset(d, v, n);
    return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    *s = (cudaStream_t)8;
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t)
{
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    check_red_zones();
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize(void)
{
    check_red_zones();
    return cudaSuccess;
}
cudaError_t cudaGetLastError(void)
{
    cudaError_t e = last;
    last = cudaSuccess;
    return e;
}
cudaError_t cudaPeekAtLastError(void)
{
    return last;
}
const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaSuccess ? "no error" : "error";
}
const char *cudaGetErrorName(cudaError_t e)
{
    return e == cudaSuccess ? "cudaSuccess" : "cudaError";
}
