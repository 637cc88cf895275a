/* shared.cpp: a block's shared memory, static and dynamic, poisoned before every block.
 *
 * Dynamic shared memory ends at a page that cannot be accessed, up to its alignment; a red zone fills the rest. */
#include "emulator.h"

#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "pcc_emulator.h"

enum { ALIGNMENT = 128, PAGE = 4096, ROOM = (MOST_SHARED + PAGE - 1) / PAGE * PAGE };

extern "C" {
void __asan_poison_memory_region(const volatile void *, size_t) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *, size_t) __attribute__((weak));
}

static unsigned char *room;     /* ROOM bytes and a page behind them */
static unsigned char *dynamic_; /* this launch's */
static size_t dynamic_bytes;
static unsigned char *static_; /* the executable's thread-local memory */
static size_t static_bytes;

static int find_static(struct dl_phdr_info *info, size_t, void *)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS && info->dlpi_tls_data) {
            static_ = (unsigned char *)info->dlpi_tls_data;
            static_bytes = info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the first is the executable */
}

static void make_room(void)
{
    room = (unsigned char *)mmap(nullptr, ROOM + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED || mprotect(room + ROOM, PAGE, PROT_NONE) != 0)
        fault("no memory for a block's shared memory");
    dl_iterate_phdr(find_static, nullptr);
}

void begin_shared(const PccEmulatedLaunch *launch)
{
    if (!room)
        make_room();
    if (__asan_unpoison_memory_region)
        __asan_unpoison_memory_region(room, ROOM);
    dynamic_bytes = launch->shared;
    dynamic_ = room + ROOM - (dynamic_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memset(room, POISON, ROOM);
    if (__asan_poison_memory_region) {
        __asan_poison_memory_region(room, (size_t)(dynamic_ - room));
        __asan_poison_memory_region(dynamic_ + dynamic_bytes, (size_t)(room + ROOM - dynamic_ - dynamic_bytes));
    }
}

void poison_shared(void)
{
    memset(dynamic_, POISON, dynamic_bytes);
    memset(static_, POISON, static_bytes);
}

static void check_zone(const unsigned char *zone, const unsigned char *end)
{
    for (; !__asan_poison_memory_region && zone < end; zone++)
        if (*zone != POISON)
            fault("a store %td bytes %s dynamic shared memory of %zu bytes",
                  zone < dynamic_ ? dynamic_ - zone : zone - dynamic_ - dynamic_bytes,
                  zone < dynamic_ ? "before" : "behind the end of", dynamic_bytes);
}

void check_shared(void)
{
    const unsigned char *end = dynamic_ + dynamic_bytes;
    check_zone(dynamic_ - room >= ALIGNMENT ? dynamic_ - ALIGNMENT : room, dynamic_);
    check_zone(end, room + ROOM);
}

void *pcc_emulated_shared(void)
{
    if (dynamic_bytes == 0)
        fault("dynamic shared memory in a launch that has none");
    return dynamic_;
}
