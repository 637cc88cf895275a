/* pinned.cpp: memory of the host's that is pinned after the fact: copies from it are late, as from pinned memory. */
#include "emulator.h"

#include <map>

#include "cudart.h"

static std::map<const char *, size_t> registered; /* bytes by address */

static std::map<const char *, size_t>::iterator find_range(const void *pointer)
{
    const char *at = (const char *)pointer;
    auto range = registered.upper_bound(at);
    if (range == registered.begin())
        return registered.end();
    --range;
    return at < range->first + range->second ? range : registered.end();
}

bool is_registered(const void *pointer)
{
    return find_range(pointer) != registered.end();
}

cudaError_t cudaHostRegister(void *ptr, size_t size, unsigned int)
{
    ENTER(NOT_IN_CAPTURE);
    if (!ptr || size == 0 || find_memory(ptr))
        return call.fail(cudaErrorInvalidValue, "%zu bytes at %p are not pageable memory of the host", size, ptr);
    if (is_registered(ptr) || is_registered((const char *)ptr + size - 1))
        return call.fail(cudaErrorHostMemoryAlreadyRegistered, "a part of %p is registered already", ptr);
    registered[(const char *)ptr] = size;
    return cudaSuccess;
}

/* What was enqueued from the memory has to be over: it may be freed now. */
cudaError_t cudaHostUnregister(void *ptr)
{
    ENTER(NOT_IN_CAPTURE);
    if (registered.count((const char *)ptr) == 0)
        return call.fail(cudaErrorHostMemoryNotRegistered, "%p is not what was registered", ptr);
    drain_device();
    registered.erase((const char *)ptr);
    return cudaSuccess;
}
