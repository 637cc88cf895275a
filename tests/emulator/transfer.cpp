/* transfer.cpp: copies between the host and the device, and fills.
 *
 * Copies from and to memory that is not pinned go through a buffer of the driver's: the host's bytes are read before
 * the call returns, and written before it returns. Pinned memory is touched when the stream comes to the copy. */
#include "emulator.h"

#include <string.h>

#include "cudart.h"

enum Place { PAGEABLE, PINNED, DEVICE };

static Place place_of(const void *pointer)
{
    const Allocation *found = find_memory(pointer);
    if (!found)
        return is_registered(pointer) ? PINNED : PAGEABLE;
    return found->on_device ? DEVICE : PINNED;
}

/* Is the end of a copy outside of the allocation that it begins in? */
static cudaError_t check_end(Call &call, const void *pointer, size_t bytes, const char *which)
{
    const Allocation *found = find_memory(pointer);
    const size_t left = found ? found->bytes - (size_t)((const char *)pointer - found->begin) : bytes;
    if (bytes > left)
        return call.fail(cudaErrorInvalidValue, "%zu bytes %s an allocation that has %zu left there", bytes, which,
                         left);
    return cudaSuccess;
}

static cudaError_t check_copy(Call &call, const void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    const bool to_device = place_of(to) == DEVICE, from_device = place_of(from) == DEVICE;
    static const struct {
        const char *name;
        bool to_device, from_device;
    } kinds[] = {{"host to host", false, false},
                 {"host to device", true, false},
                 {"device to host", false, true},
                 {"device to device", true, true}};
    if (!to || !from)
        return call.fail(cudaErrorInvalidValue, "a copy from or to NULL");
    if ((unsigned)kind > cudaMemcpyDefault)
        return call.fail(cudaErrorInvalidMemcpyDirection, "direction %d", (int)kind);
    if (kind != cudaMemcpyDefault && (kinds[kind].to_device != to_device || kinds[kind].from_device != from_device))
        return call.fail(cudaErrorInvalidValue, "a copy %s, to memory of the %s from memory of the %s",
                         kinds[kind].name, to_device ? "device" : "host", from_device ? "device" : "host");
    const cudaError_t status = check_end(call, from, bytes, "from");
    return status ? status : check_end(call, to, bytes, "to");
}

static cudaError_t copy(Call &call, void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    const cudaStream_t in = find_stream(stream);
    if (!in)
        return call.fail(cudaErrorInvalidResourceHandle, "no such stream");
    if (bytes == 0)
        return cudaSuccess;
    const cudaError_t status = check_copy(call, to, from, bytes, kind);
    if (status)
        return status;
    if (place_of(from) == PAGEABLE && !in->capture) {
        const std::vector<char> kept((const char *)from, (const char *)from + bytes);
        enqueue(in, [to, kept] { memcpy(to, kept.data(), kept.size()); });
    } else {
        enqueue(in, [to, from, bytes] { memmove(to, from, bytes); });
    }
    if (place_of(to) == PAGEABLE && !in->capture) {
        drain(in);
        count_wait(in);
    }
    return cudaSuccess;
}

static cudaError_t fill(Call &call, void *to, int value, size_t bytes, cudaStream_t stream)
{
    const cudaStream_t in = find_stream(stream);
    if (!in)
        return call.fail(cudaErrorInvalidResourceHandle, "no such stream");
    if (bytes == 0)
        return cudaSuccess;
    if (place_of(to) != DEVICE)
        return call.fail(cudaErrorInvalidValue, "%p is no memory of the device", to);
    const cudaError_t status = check_end(call, to, bytes, "of");
    if (status)
        return status;
    enqueue(in, [to, value, bytes] { memset(to, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t count, cudaMemcpyKind kind, cudaStream_t stream)
{
    ENTER(ANYWHERE);
    return copy(call, dst, src, count, kind, stream);
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t count, cudaMemcpyKind kind)
{
    ENTER(NOT_IN_CAPTURE);
    const cudaError_t status = copy(call, dst, src, count, kind, nullptr);
    if (!status)
        drain(find_stream(nullptr));
    return status;
}

cudaError_t cudaMemsetAsync(void *devPtr, int value, size_t count, cudaStream_t stream)
{
    ENTER(ANYWHERE);
    return fill(call, devPtr, value, count, stream);
}

cudaError_t cudaMemset(void *devPtr, int value, size_t count)
{
    ENTER(NOT_IN_CAPTURE);
    return fill(call, devPtr, value, count, nullptr);
}
