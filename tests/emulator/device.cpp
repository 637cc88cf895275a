/* device.cpp: which devices there are: PCC_EMULATOR_DEVICES (1) of PCC_EMULATOR_MEMORY bytes (16 GiB), with the name
 * PCC_EMULATOR_NAME. In all else they are an H200. */
#include "emulator.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cudart.h"

static const int RUNTIME_VERSION = 13000;

static pthread_key_t device_of_thread;

__attribute__((constructor)) static void begin(void)
{
    pthread_key_create(&device_of_thread, nullptr);
}

int current_device(void)
{
    return (int)(intptr_t)pthread_getspecific(device_of_thread);
}

int device_count(void)
{
    const char *text = getenv("PCC_EMULATOR_DEVICES");
    return text && *text ? atoi(text) : 1;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    ENTER(ANYWHERE);
    if (!count)
        return call.fail(cudaErrorInvalidValue, "no place for the count");
    *count = device_count();
    return *count > 0 ? cudaSuccess : call.fail(cudaErrorNoDevice, "PCC_EMULATOR_DEVICES is 0");
}

cudaError_t cudaSetDevice(int device)
{
    ENTER(ANYWHERE);
    if (device < 0 || device >= device_count())
        return call.fail(cudaErrorInvalidDevice, "device %d of %d", device, device_count());
    pthread_setspecific(device_of_thread, (const void *)(intptr_t)device);
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device)
{
    ENTER(ANYWHERE);
    if (!device)
        return call.fail(cudaErrorInvalidValue, "no place for the device");
    *device = current_device();
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total)
{
    ENTER(ANYWHERE);
    size_t used;
    if (!free || !total)
        return call.fail(cudaErrorInvalidValue, "no place for the sizes");
    *total = device_memory(&used);
    *free = *total - used;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *runtimeVersion)
{
    *runtimeVersion = RUNTIME_VERSION;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *driverVersion)
{
    *driverVersion = RUNTIME_VERSION;
    return cudaSuccess;
}

/* ---- what a device is ------------------------------------------------------------------------------------------- */

static const struct {
    cudaDeviceAttr attribute;
    int value;
} attributes[] = {
    {cudaDevAttrMaxThreadsPerBlock, MOST_THREADS},
    {cudaDevAttrMaxBlockDimX, 1024},
    {cudaDevAttrMaxBlockDimY, 1024},
    {cudaDevAttrMaxBlockDimZ, 64},
    {cudaDevAttrMaxGridDimX, INT32_MAX},
    {cudaDevAttrMaxGridDimY, 65535},
    {cudaDevAttrMaxGridDimZ, 65535},
    {cudaDevAttrMaxSharedMemoryPerBlock, 48 << 10},
    {cudaDevAttrMaxSharedMemoryPerBlockOptin, MOST_SHARED},
    {cudaDevAttrMaxSharedMemoryPerMultiprocessor, 228 << 10},
    {cudaDevAttrReservedSharedMemoryPerBlock, 1 << 10},
    {cudaDevAttrTotalConstantMemory, 64 << 10},
    {cudaDevAttrWarpSize, WARP},
    {cudaDevAttrMaxRegistersPerBlock, 64 << 10},
    {cudaDevAttrMaxRegistersPerMultiprocessor, 64 << 10},
    {cudaDevAttrMaxThreadsPerMultiProcessor, 2048},
    {cudaDevAttrMaxBlocksPerMultiprocessor, 32},
    {cudaDevAttrMultiProcessorCount, 132},
    {cudaDevAttrClockRate, 1980000},
    {cudaDevAttrMemoryClockRate, 3201000},
    {cudaDevAttrGlobalMemoryBusWidth, 6144},
    {cudaDevAttrL2CacheSize, 60 << 20},
    {cudaDevAttrComputeCapabilityMajor, 9},
    {cudaDevAttrComputeCapabilityMinor, 0},
    {cudaDevAttrConcurrentKernels, 1},
    {cudaDevAttrAsyncEngineCount, 3},
    {cudaDevAttrUnifiedAddressing, 1},
    {cudaDevAttrCanMapHostMemory, 1},
    {cudaDevAttrEccEnabled, 1},
    {cudaDevAttrCooperativeLaunch, 1},
};

static int attribute_value(cudaDeviceAttr attribute)
{
    for (const auto &known : attributes)
        if (known.attribute == attribute)
            return known.value;
    return -1;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attr, int device)
{
    ENTER(ANYWHERE);
    if (device < 0 || device >= device_count())
        return call.fail(cudaErrorInvalidDevice, "device %d of %d", device, device_count());
    const int found = attribute_value(attr);
    if (!value || found < 0)
        return call.fail(cudaErrorInvalidValue, "attribute %d is not emulated", (int)attr);
    *value = found;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int device)
{
    ENTER(ANYWHERE);
    const char *name = getenv("PCC_EMULATOR_NAME");
    if (!prop)
        return call.fail(cudaErrorInvalidValue, "no place for the properties");
    if (device < 0 || device >= device_count())
        return call.fail(cudaErrorInvalidDevice, "device %d of %d", device, device_count());
    *prop = {};
    snprintf(prop->name, sizeof prop->name, "%s", name && *name ? name : "emulated H200");
    prop->totalGlobalMem = device_memory(nullptr);
    prop->sharedMemPerBlock = (size_t)attribute_value(cudaDevAttrMaxSharedMemoryPerBlock);
    prop->sharedMemPerBlockOptin = MOST_SHARED;
    prop->sharedMemPerMultiprocessor = (size_t)attribute_value(cudaDevAttrMaxSharedMemoryPerMultiprocessor);
    prop->reservedSharedMemPerBlock = (size_t)attribute_value(cudaDevAttrReservedSharedMemoryPerBlock);
    prop->totalConstMem = (size_t)attribute_value(cudaDevAttrTotalConstantMemory);
    prop->regsPerBlock = attribute_value(cudaDevAttrMaxRegistersPerBlock);
    prop->regsPerMultiprocessor = attribute_value(cudaDevAttrMaxRegistersPerMultiprocessor);
    prop->warpSize = WARP;
    prop->maxThreadsPerBlock = MOST_THREADS;
    prop->maxThreadsPerMultiProcessor = attribute_value(cudaDevAttrMaxThreadsPerMultiProcessor);
    prop->maxBlocksPerMultiProcessor = attribute_value(cudaDevAttrMaxBlocksPerMultiprocessor);
    for (int i = 0; i < 3; i++) {
        prop->maxThreadsDim[i] = i < 2 ? 1024 : 64;
        prop->maxGridSize[i] = i < 1 ? INT32_MAX : 65535;
    }
    prop->major = attribute_value(cudaDevAttrComputeCapabilityMajor);
    prop->minor = attribute_value(cudaDevAttrComputeCapabilityMinor);
    prop->multiProcessorCount = attribute_value(cudaDevAttrMultiProcessorCount);
    prop->l2CacheSize = attribute_value(cudaDevAttrL2CacheSize);
    prop->memoryBusWidth = attribute_value(cudaDevAttrGlobalMemoryBusWidth);
    prop->asyncEngineCount = attribute_value(cudaDevAttrAsyncEngineCount);
    prop->concurrentKernels = prop->unifiedAddressing = prop->canMapHostMemory = prop->ECCEnabled = 1;
    prop->cooperativeLaunch = 1;
    return cudaSuccess;
}
