/* memory.cpp: the device's memory, and the host's that is pinned.
 *
 * An allocation ends at a page that cannot be accessed, up to the alignment that cudaMalloc promises; the page before
 * it cannot be accessed either. What is left of its pages is red zone. New memory is poison. */
#include "emulator.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <map>

#include "pcc_emulator.h"

static const size_t ALIGNMENT = 256, PAGE = 4096, MOST_POISONED = 1 << 28 /* more would take long: it stays zero */;

extern "C" {
void __asan_poison_memory_region(const volatile void *, size_t) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *, size_t) __attribute__((weak));
}

static std::map<const char *, Allocation> allocations; /* by their first page */
static size_t used;

static size_t rounded_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

size_t device_memory(size_t *in_use)
{
    static const char *text = getenv("PCC_EMULATOR_MEMORY");
    if (in_use)
        *in_use = used;
    return text && *text ? strtoull(text, nullptr, 10) : (size_t)16 << 30;
}

const Allocation *find_allocation(const void *pointer)
{
    const char *at = (const char *)pointer;
    auto next = allocations.upper_bound(at + PAGE);
    if (next == allocations.begin())
        return nullptr;
    const Allocation *found = &std::prev(next)->second;
    return at < found->pages + found->page_bytes + PAGE ? found : nullptr;
}

static void fill_red_zones(const Allocation *a)
{
    const char *end = a->begin + a->bytes, *pages_end = a->pages + a->page_bytes;
    memset(a->pages, POISON, (size_t)(a->begin - a->pages));
    memset((char *)end, POISON, (size_t)(pages_end - end));
    if (a->bytes <= MOST_POISONED)
        memset(a->begin, POISON, a->bytes);
    if (__asan_poison_memory_region) {
        __asan_poison_memory_region(a->pages, (size_t)(a->begin - a->pages));
        __asan_poison_memory_region(end, (size_t)(pages_end - end));
    }
}

cudaError_t allocate(void **pointer, size_t bytes, bool on_device)
{
    if (!pointer)
        return failed(cudaErrorInvalidValue);
    *pointer = nullptr;
    if (bytes == 0)
        return cudaSuccess;
    if (on_device && bytes > device_memory(nullptr) - used)
        return failed(cudaErrorMemoryAllocation);
    const size_t page_bytes = rounded_up(bytes, PAGE);
    char *pages =
        (char *)mmap(nullptr, page_bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + PAGE, page_bytes, PROT_READ | PROT_WRITE) != 0)
        return failed(cudaErrorMemoryAllocation);
    pages += PAGE;
    char *begin = pages + page_bytes - rounded_up(bytes, ALIGNMENT);
    const Allocation made = {begin, bytes, pages, page_bytes, on_device};
    allocations[pages] = made;
    fill_red_zones(&made);
    used += on_device ? bytes : 0;
    *pointer = begin;
    return cudaSuccess;
}

static void check_zone(const Allocation *a, const char *zone, const char *end)
{
    for (; zone < end; zone++)
        if (*(const unsigned char *)zone != POISON)
            fault("a store %td bytes %s an allocation of %zu bytes, found afterwards",
                  zone < a->begin ? a->begin - zone : zone - a->begin - a->bytes,
                  zone < a->begin ? "before" : "behind the end of", a->bytes);
}

static void check_allocation(const Allocation *a)
{
    if (__asan_poison_memory_region)
        return;
    const size_t before = (size_t)(a->begin - a->pages);
    check_zone(a, a->begin - (before < ALIGNMENT ? before : ALIGNMENT), a->begin);
    check_zone(a, a->begin + a->bytes, a->pages + a->page_bytes);
}

void check_red_zones(void)
{
    for (const auto &entry : allocations)
        check_allocation(&entry.second);
}

cudaError_t release(void *pointer, bool on_device)
{
    if (!pointer)
        return cudaSuccess;
    const Allocation *a = find_allocation(pointer);
    if (!a || a->begin != pointer || a->on_device != on_device)
        return failed(cudaErrorInvalidValue);
    check_allocation(a);
    if (__asan_unpoison_memory_region)
        __asan_unpoison_memory_region(a->pages, a->page_bytes);
    used -= on_device ? a->bytes : 0;
    munmap(a->pages - PAGE, a->page_bytes + 2 * PAGE);
    allocations.erase(a->pages);
    return cudaSuccess;
}

void pcc_emulated_check_argument(const char *kernel, int index, const volatile void *pointer)
{
    const char *at = (const char *)pointer;
    const Allocation *a = at ? find_allocation(at) : nullptr;
    if (at && (!a || at < a->begin || at > a->begin + a->bytes))
        fault("argument %d of kernel %s points at no memory of the device", index, kernel);
}
