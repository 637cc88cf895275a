/* warp.cpp: exchanges between the lanes of a warp.
 *
 * Lanes are released when none of their warp can run, so that all lanes of the exchange before have read its deposits.
 */
#include "emulator.h"

#include <string.h>

#include "pcc_emulator.h"

enum { DEPOSIT = 64 };

#define POISON_8 POISON, POISON, POISON, POISON, POISON, POISON, POISON, POISON

static char barriers[MOST_THREADS / WARP]; /* what ThreadSanitizer is told of */
static const unsigned char poison[DEPOSIT] = {POISON_8, POISON_8, POISON_8, POISON_8,
                                              POISON_8, POISON_8, POISON_8, POISON_8};
alignas(64) static unsigned char deposits[MOST_THREADS / WARP][WARP * DEPOSIT];
alignas(64) static unsigned char results[MOST_THREADS / WARP][WARP][WARP * DEPOSIT]; /* by an exchange's lowest lane */

static bool is_same_wait(const Wait *a, const Wait *b)
{
    return a->mask == b->mask && a->line == b->line && a->bytes == b->bytes &&
           (a->file == b->file || strcmp(a->file, b->file) == 0);
}

/* Have all lanes that the wait of `lane` names come to the same? */
static bool is_complete(const Warp *warp, const Thread *threads, int lane)
{
    const Wait *wait = &threads[lane].wait;
    const unsigned needed = wait->mask & warp->existing;
    if (!(needed >> lane & 1) || (needed & ~warp->waiting))
        return false;
    for (unsigned rest = needed; rest; rest &= rest - 1)
        if (!is_same_wait(&threads[__builtin_ctz(rest)].wait, wait))
            return false;
    return true;
}

/* As memcpy does, but unseen by ThreadSanitizer, for which it is the wrong lane that copies. */
static inline void copy_bytes(void *to, const void *from, size_t bytes)
{
    if (bytes == 4)
        __builtin_memcpy(to, from, 4);
    else if (bytes == 8)
        __builtin_memcpy(to, from, 8);
    else
        asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static void collect(const Thread *threads, unsigned lanes, size_t bytes, unsigned char *all)
{
    for (int lane = 0; bytes && lane < WARP; lane++)
        copy_bytes(all + (size_t)lane * bytes, lanes >> lane & 1 ? threads[lane].wait.deposit : poison, bytes);
}

/* Leaves what the lanes of the exchange get: all deposits, or what is computed from them. */
static void exchange_deposits(int warp, const Thread *threads, unsigned lanes)
{
    const int first = __builtin_ctz(lanes);
    const Wait *wait = &threads[first].wait;
    if (!wait->compute) {
        collect(threads, lanes, wait->bytes, results[warp][first]);
        return;
    }
    collect(threads, lanes, wait->bytes, deposits[warp]);
    tell_order(__tsan_acquire, &barriers[warp]);
    wait->compute(lanes, deposits[warp], results[warp][first]);
    tell_order(__tsan_release, &barriers[warp]);
}

bool release_lanes(int index)
{
    Warp *warp = &current.warps[index];
    const Thread *threads = &current.threads[index * WARP];
    bool released = false;
    for (unsigned rest = warp->waiting; rest; rest &= rest - 1) {
        const int lane = __builtin_ctz(rest);
        if (!(warp->waiting >> lane & 1) || !is_complete(warp, threads, lane))
            continue;
        const unsigned lanes = threads[lane].wait.mask & warp->existing;
        exchange_deposits(index, threads, lanes);
        warp->waiting &= ~lanes;
        warp->ready |= lanes;
        released = true;
    }
    return released;
}

static const unsigned char *exchange(const Wait *wait)
{
    if (current.running < 0)
        fault("%s:%d: a warp operation outside of kernels", wait->file, wait->line);
    if (wait->bytes > DEPOSIT)
        fault("%s:%d: %zu bytes are too many for an exchange", wait->file, wait->line, wait->bytes);
    const int warp = current.running / WARP;
    tell_order(__tsan_release, &barriers[warp]);
    wait_for_lanes(wait);
    tell_order(__tsan_acquire, &barriers[warp]);
    return results[warp][__builtin_ctz(wait->mask & running_warp()->existing)];
}

const void *pcc_emulated_deposits(unsigned mask, const void *mine, size_t bytes, const char *file, int line)
{
    const Wait wait = {file, line, mask, mine, bytes, nullptr};
    return exchange(&wait);
}

void pcc_emulated_collective(unsigned mask, const void *mine, size_t bytes, void *result, size_t result_bytes,
                             PccCollective *compute, const char *file, int line)
{
    const Wait wait = {file, line, mask, mine, bytes, compute};
    const unsigned char *computed = exchange(&wait);
    copy_bytes(result, computed + running_lane() * result_bytes, result_bytes);
}
