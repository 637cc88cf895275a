/* memory.cpp: the device's memory, and the host's that is pinned.
 *
 * Pages around an allocation cannot be accessed. It ends where they begin, up to the alignment that cudaMalloc
 * promises; what is left of its pages is red zone. New memory is poison, released memory cannot be accessed. Where the
 * CPU has protection keys, the host cannot access the device's memory. */
#include "emulator.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <deque>
#include <map>

#include "cudart.h"
#include "pcc_emulator.h"

extern "C" {
void __asan_poison_memory_region(const volatile void *, size_t) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *, size_t) __attribute__((weak));
}

static const size_t ALIGNMENT = 256, PAGE = 4096;
static const size_t GUARD = 16 << 20;        /* on both sides of an allocation nothing can be accessed */
static const size_t MOST_POISONED = 1 << 28; /* larger allocations would take long: they are zero */
static const size_t MOST_RELEASED = 1024;    /* allocations that are remembered */

static std::map<const char *, Allocation> allocations; /* by their first page */
static std::deque<Allocation> released;
static std::map<int, size_t> used; /* by device */

static size_t rounded_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

/* ---- who may access --------------------------------------------------------------------------------------------- */

static int key = -1; /* protection key of the device's memory */
static int depth;    /* of nested DeviceAccess: one thread at a time has one */

__attribute__((constructor)) static void make_key(void)
{
    key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
}

static void allow_device(bool is_allowed)
{
    if (key >= 0)
        pkey_set(key, is_allowed ? 0 : PKEY_DISABLE_ACCESS);
}

DeviceAccess::DeviceAccess()
{
    if (depth++ == 0)
        allow_device(true);
}

DeviceAccess::~DeviceAccess()
{
    if (--depth == 0)
        allow_device(false);
}

HostAccess::HostAccess()
{
    allow_device(false);
}

HostAccess::~HostAccess()
{
    allow_device(depth > 0);
}

int pcc_emulated_locks_out_host(void)
{
    return key >= 0;
}

/* ---- where memory is -------------------------------------------------------------------------------------------- */

size_t device_memory(size_t *in_use)
{
    const char *text = getenv("PCC_EMULATOR_MEMORY");
    if (in_use)
        *in_use = used[current_device()];
    return text && *text ? strtoull(text, nullptr, 10) : (size_t)16 << 30;
}

const Allocation *find_near(const void *pointer)
{
    const char *at = (const char *)pointer;
    const auto next = allocations.upper_bound(at + GUARD);
    if (next == allocations.begin())
        return nullptr;
    const Allocation *found = &std::prev(next)->second;
    return at < found->pages + found->page_bytes + GUARD ? found : nullptr;
}

const Allocation *find_memory(const void *pointer)
{
    const char *at = (const char *)pointer;
    const Allocation *found = find_near(pointer);
    return found && at >= found->begin && at < found->begin + found->bytes ? found : nullptr;
}

const Allocation *find_released(const void *pointer)
{
    const char *at = (const char *)pointer;
    for (const Allocation &a : released)
        if (at >= a.pages && at < a.pages + a.page_bytes)
            return &a;
    return nullptr;
}

void pcc_emulated_check_argument(const char *kernel, int index, const volatile void *pointer)
{
    const char *at = (const char *)pointer;
    const Allocation *a = at ? find_near(at) : nullptr;
    if (at && (!a || at < a->begin || at > a->begin + a->bytes))
        fault("argument %d of kernel %s points at %s", index, kernel,
              find_released(at) ? "memory that was released" : "no memory of the device");
}

/* ---- red zones -------------------------------------------------------------------------------------------------- */

static void fill_red_zones(const Allocation *a)
{
    const DeviceAccess access;
    char *end = a->begin + a->bytes, *pages_end = a->pages + a->page_bytes;
    memset(a->pages, POISON, (size_t)(a->begin - a->pages));
    memset(end, POISON, (size_t)(pages_end - end));
    if (a->bytes <= MOST_POISONED)
        memset(a->begin, POISON, a->bytes);
    if (__asan_poison_memory_region) {
        __asan_poison_memory_region(a->pages, (size_t)(a->begin - a->pages));
        __asan_poison_memory_region(end, (size_t)(pages_end - end));
    }
}

static void check_zone(const Allocation *a, const char *zone, const char *end)
{
    for (; zone < end; zone++)
        if (*(const unsigned char *)zone != POISON)
            fault("a store out of bounds, found afterwards: %td bytes %s an allocation of %zu bytes",
                  zone < a->begin ? a->begin - zone : zone - a->begin - (ptrdiff_t)a->bytes,
                  zone < a->begin ? "before" : "behind the end of", a->bytes);
}

static void check_allocation(const Allocation *a)
{
    const size_t before = (size_t)(a->begin - a->pages);
    if (__asan_poison_memory_region) /* which has seen every access */
        return;
    check_zone(a, a->begin - (before < ALIGNMENT ? before : ALIGNMENT), a->begin);
    check_zone(a, a->begin + a->bytes, a->pages + a->page_bytes);
}

void check_red_zones(void)
{
    const DeviceAccess access;
    for (const auto &entry : allocations)
        check_allocation(&entry.second);
}

/* ---- entry points ----------------------------------------------------------------------------------------------- */

static cudaError_t allocate(Call &call, void **pointer, size_t bytes, bool on_device)
{
    if (!pointer)
        return call.fail(cudaErrorInvalidValue, "no place for the pointer");
    *pointer = nullptr;
    if (bytes == 0)
        return cudaSuccess;
    if (on_device && bytes > device_memory(nullptr) - used[current_device()])
        return fail_quietly(cudaErrorMemoryAllocation);
    const size_t page_bytes = rounded_up(bytes, PAGE);
    char *pages =
        (char *)mmap(nullptr, page_bytes + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        return fail_quietly(cudaErrorMemoryAllocation);
    pages += GUARD;
    if (on_device && key >= 0 ? pkey_mprotect(pages, page_bytes, PROT_READ | PROT_WRITE, key)
                              : mprotect(pages, page_bytes, PROT_READ | PROT_WRITE))
        return fail_quietly(cudaErrorMemoryAllocation);
    const Allocation made = {
        pages + page_bytes - rounded_up(bytes, ALIGNMENT), bytes, pages, page_bytes, on_device, current_device()};
    allocations[pages] = made;
    fill_red_zones(&made);
    used[current_device()] += on_device ? bytes : 0;
    *pointer = made.begin;
    return cudaSuccess;
}

/* Its pages stay, without access, until many more were released. */
static void retire(const Allocation &a)
{
    mmap(a.pages, a.page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    released.push_back(a);
    if (released.size() > MOST_RELEASED) {
        munmap(released.front().pages - GUARD, released.front().page_bytes + 2 * GUARD);
        released.pop_front();
    }
}

static cudaError_t release(Call &call, void *pointer, bool on_device)
{
    if (!pointer)
        return cudaSuccess;
    drain_device();
    const Allocation *found = find_memory(pointer);
    if (!found || found->begin != pointer || found->on_device != on_device)
        return call.fail(cudaErrorInvalidValue, "%p was not allocated so, or was released", pointer);
    const Allocation a = *found;
    if (__asan_unpoison_memory_region)
        __asan_unpoison_memory_region(a.pages, a.page_bytes);
    used[a.device] -= on_device ? a.bytes : 0;
    allocations.erase(a.pages);
    retire(a);
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **devPtr, size_t size)
{
    ENTER(NOT_IN_CAPTURE);
    return allocate(call, devPtr, size, true);
}

cudaError_t cudaFree(void *devPtr)
{
    ENTER(NOT_IN_CAPTURE);
    return release(call, devPtr, true);
}

cudaError_t cudaMallocHost(void **ptr, size_t size)
{
    ENTER(NOT_IN_CAPTURE);
    return allocate(call, ptr, size, false);
}

cudaError_t cudaHostAlloc(void **pHost, size_t size, unsigned int)
{
    ENTER(NOT_IN_CAPTURE);
    return allocate(call, pHost, size, false);
}

cudaError_t cudaFreeHost(void *ptr)
{
    ENTER(NOT_IN_CAPTURE);
    return release(call, ptr, false);
}
