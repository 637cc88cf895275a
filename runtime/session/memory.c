/* memory.c: allocates large blocks directly from the system, which zeroes them. */
#include <stdint.h>
#include <sys/mman.h>

#include "memory.h"

#define MEMORY_HUGE_PAGE ((size_t)2 << 20)

static size_t memory_round(size_t bytes)
{
    return bytes ? (bytes + MEMORY_HUGE_PAGE - 1) / MEMORY_HUGE_PAGE * MEMORY_HUGE_PAGE : MEMORY_HUGE_PAGE;
}

void *pcc_allocate_block(size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    size_t length = memory_round(bytes);
    char *reserved = mmap(NULL, length + MEMORY_HUGE_PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED)
        return NULL;
    /* Unmap all but the aligned part of the reservation. */
    size_t before = (MEMORY_HUGE_PAGE - (uintptr_t)reserved % MEMORY_HUGE_PAGE) % MEMORY_HUGE_PAGE;
    char *block = reserved + before;
    if (before > 0)
        munmap(reserved, before);
    if (before < MEMORY_HUGE_PAGE)
        munmap(block + length, MEMORY_HUGE_PAGE - before);
    if (bytes >= MEMORY_HUGE_PAGE)
        madvise(block, length, MADV_HUGEPAGE); /* a hint: without huge pages the block is only slower */
    return block;
}

void pcc_free_block(void *block, size_t bytes)
{
    if (block)
        munmap(block, memory_round(bytes));
}
