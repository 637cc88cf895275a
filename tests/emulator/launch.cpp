/* launch.cpp: the limits of a launch. */
#include "emulator.h"

#include <map>

#include "cudart.h"
#include "pcc_emulator.h"

static std::map<const void *, size_t> allowed; /* dynamic shared memory of kernels that have asked for more */

static const size_t SHARED_UNASKED = 48 << 10;

cudaError_t cudaFuncSetAttribute(const void *func, cudaFuncAttribute attr, int value)
{
    ENTER(ANYWHERE);
    if (!func || attr != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 || value > MOST_SHARED)
        return call.fail(cudaErrorInvalidValue, "attribute %d of %d: shared memory has at most %d bytes", (int)attr,
                         value, (int)MOST_SHARED);
    allowed[func] = (size_t)value;
    return cudaSuccess;
}

static void check_limits(const PccEmulatedLaunch &launch)
{
    const dim3 g = launch.grid, b = launch.block;
    const auto found = allowed.find(launch.function);
    const size_t most = found == allowed.end() || found->second < SHARED_UNASKED ? SHARED_UNASKED : found->second;
    if (b.x == 0 || b.y == 0 || b.z == 0 || b.x > 1024 || b.y > 1024 || b.z > 64 ||
        (uint64_t)b.x * b.y * b.z > MOST_THREADS)
        fault("kernel %s is launched with blocks of (%u, %u, %u) threads: at most 1024", launch.name, b.x, b.y, b.z);
    if (g.x == 0 || g.y == 0 || g.z == 0 || g.x > INT32_MAX || g.y > 65535 || g.z > 65535)
        fault("kernel %s is launched with a grid of (%u, %u, %u) blocks: at least 1, at most 2^31 - 1, 65535, 65535",
              launch.name, g.x, g.y, g.z);
    if (launch.shared > most)
        fault("kernel %s is launched with %zu bytes of dynamic shared memory: cudaFuncSetAttribute has allowed %zu",
              launch.name, launch.shared, most);
}

void pcc_emulated_enqueue(cudaStream_t stream, const PccEmulatedLaunch &launch)
{
    Call call("a launch", ANYWHERE);
    const cudaStream_t in = find_stream(stream);
    if (call.refused)
        return;
    check_limits(launch);
    if (!in || in->device != current_device()) {
        call.fail(cudaErrorInvalidResourceHandle, "kernel %s: %s", launch.name,
                  in ? "the stream is another device's" : "no such stream");
        return;
    }
    enqueue(in, [launch] { run_grid(&launch); });
}
