/* gpu_description.c: GPUs as cuDNN reads them in CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION.
 *
 * A plan is refused by a GPU whose architecture, count of multiprocessors, limits of a block or, since 9.28, width of
 * the memory bus differ from what is said here, and by a driver that is older; name, clocks, caches and memory only
 * guide the heuristic. The fields are those of cudaDeviceProp under the names that openxla/xla writes
 * (xla/service/gpu/cudnn_device_properties, BuildDeviceProperties()), and memoryBusWidth. */
#include <stdlib.h>
#include <string.h>

#include "codegen/cuda/convolution_plans.h"

/* Of a GPU: multiprocessors, clocks of these and of the memory in kHz, bits of the memory bus, MiB of L2. From NVIDIA's
 * data sheets and white papers, as those of ir/target/gpu.h. */
typedef struct GpuParts {
    const char *name;
    int multiprocessors, clock, memory_clock, bus, cache;
} GpuParts;

static const GpuParts parts[] = {
    {"t4", 40, 1590000, 5001000, 256, 4},           {"a10", 72, 1695000, 6251000, 384, 6},
    {"a100-40gb", 108, 1410000, 1215000, 5120, 40}, {"a100", 108, 1410000, 1593000, 5120, 40},
    {"l4", 58, 2040000, 6251000, 192, 48},          {"l40s", 142, 2520000, 9001000, 384, 96},
    {"h100", 132, 1980000, 2619000, 5120, 50},      {"h100-pcie", 114, 1755000, 1593000, 5120, 50},
    {"h200", 132, 1980000, 3201000, 6144, 60},      {"b200", 148, 1965000, 3996000, 8192, 126},
    {"rtx3090", 82, 1695000, 9751000, 384, 6},      {"rtx4090", 128, 2520000, 10501000, 384, 72},
    {"rtx5090", 170, 2407000, 14001000, 512, 96},
};

/* Of an architecture: bytes of shared memory that a block may ask for and that the system keeps of it, and threads and
 * blocks of a multiprocessor: CUDA C++ programming guide, "Compute Capabilities". */
typedef struct ArchitectureLimits {
    int architecture, shared, reserved, threads, blocks;
} ArchitectureLimits;

static const ArchitectureLimits limits[] = {
    {75, 65536, 0, 1024, 16},      {80, 166912, 1024, 2048, 32}, {86, 101376, 1024, 1536, 16},
    {89, 101376, 1024, 1536, 24},  {90, 232448, 1024, 2048, 32}, {100, 232448, 1024, 2048, 32},
    {120, 101376, 1024, 1536, 24},
};

static int architecture_of(const Gpu *gpu)
{
    return atoi(gpu->architecture + strlen("sm_"));
}

static const GpuParts *parts_of(const Gpu *gpu)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(parts[i].name, gpu->name) == 0)
            return &parts[i];
    return NULL;
}

static const ArchitectureLimits *limits_of(int architecture)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].architecture == architecture)
            return &limits[i];
    return NULL;
}

const Gpu *described_gpu(const Gpu *gpu, int architecture)
{
    static const char *const names[] = {
#define NAME(NAME, ...) NAME,
        PCC_GPUS(NAME)
#undef NAME
    };
    if (gpu && gpu->name && gpu == find_gpu(gpu->name) && parts_of(gpu) && limits_of(architecture_of(gpu)))
        return gpu;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const Gpu *row = find_gpu(names[i]);
        if (architecture_of(row) == architecture && parts_of(row) && limits_of(architecture))
            return row;
    }
    return NULL;
}

const char *gpu_description(Arena *arena, const Gpu *gpu)
{
    const int architecture = architecture_of(gpu);
    const GpuParts *p = parts_of(gpu);
    const ArchitectureLimits *l = limits_of(architecture);
    return arena_printf(
        arena,
        "{\"deviceName\":\"%s\",\"cudaDeviceId\":0,\"deviceVer\":%d,\"driverVer\":13000,"
        "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,"
        "\"multiProcessorCount\":%d,\"warpSize\":32,\"maxSharedMemoryPerBlock\":49152,"
        "\"maxSharedMemoryPerBlockOptin\":%d,\"reservedSharedMemoryPerBlock\":%d,\"maxRegistersPerSM\":65536,"
        "\"maxCtasPerSM\":%d,\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":%d,\"pciDeviceId\":0,\"isTccDriver\":0,"
        "\"supportCoopLaunch\":1,\"smClockRateKHz\":%d,\"memClockRateKHz\":%d,\"memoryBusWidth\":%d,"
        "\"l2CacheSize\":%d,\"totalGlobalMem\":%lld}",
        gpu->name, 10 * architecture, p->multiprocessors, l->shared, l->reserved, l->blocks, l->threads, p->clock,
        p->memory_clock, p->bus, p->cache << 20, (long long)gpu->memory);
}
