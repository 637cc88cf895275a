/* warp.cpp: exchanges between the lanes of a warp.
 *
 * Lanes are released when none of their warp can run, so that all lanes of the exchange before have read its deposits.
 */
#include "emulator.h"

#include <string.h>

#include "pcc_emulator.h"

enum { DEPOSIT = 64 };

extern "C" {
void __tsan_acquire(void *) __attribute__((weak));
void __tsan_release(void *) __attribute__((weak));
}

static char barriers[MOST_THREADS / WARP];          /* what ThreadSanitizer is told of */
static unsigned char results[WARP][WARP * DEPOSIT]; /* of exchanges, by their lowest lane */

static bool is_same_wait(const Wait *a, const Wait *b)
{
    return a->mask == b->mask && a->line == b->line && a->bytes == b->bytes && strcmp(a->file, b->file) == 0;
}

/* Have all lanes that the wait of `lane` names come to the same? */
static bool is_complete(const Warp *warp, int lane)
{
    const Wait *wait = &thread_of_lane(lane)->wait;
    const unsigned needed = wait->mask & warp->existing;
    if (!(needed >> lane & 1) || (needed & ~warp->waiting))
        return false;
    for (unsigned rest = needed; rest; rest &= rest - 1)
        if (!is_same_wait(&thread_of_lane(__builtin_ctz(rest))->wait, wait))
            return false;
    return true;
}

/* Leaves what the lanes of the exchange get: all deposits, or what is computed from them. */
static void collect(const Warp *warp, int first)
{
    static unsigned char deposits[WARP * DEPOSIT];
    const Wait *wait = &thread_of_lane(first)->wait;
    const unsigned needed = wait->mask & warp->existing;
    unsigned char *all = wait->compute ? deposits : results[first];
    for (int lane = 0; wait->bytes && lane < WARP; lane++) {
        unsigned char *place = all + lane * wait->bytes;
        if (needed >> lane & 1)
            memcpy(place, thread_of_lane(lane)->wait.deposit, wait->bytes);
        else
            memset(place, POISON, wait->bytes);
    }
    if (wait->compute)
        wait->compute(needed, deposits, results[first]);
}

bool release_lanes(Warp *warp)
{
    bool released = false;
    for (unsigned rest = warp->waiting; rest; rest &= rest - 1) {
        const int lane = __builtin_ctz(rest);
        if (!(warp->waiting >> lane & 1) || !is_complete(warp, lane))
            continue;
        const unsigned lanes = thread_of_lane(lane)->wait.mask & warp->existing;
        collect(warp, __builtin_ctz(lanes));
        warp->waiting &= ~lanes;
        warp->ready |= lanes;
        released = true;
    }
    return released;
}

static const unsigned char *exchange(const Wait *wait)
{
    if (!running_thread())
        fault("%s:%d: a warp operation outside of kernels", wait->file, wait->line);
    if (wait->bytes > DEPOSIT)
        fault("%s:%d: %zu bytes are too many for an exchange", wait->file, wait->line, wait->bytes);
    char *barrier = &barriers[running_warp_index()];
    if (__tsan_release)
        __tsan_release(barrier);
    wait_for_lanes(wait);
    if (__tsan_acquire)
        __tsan_acquire(barrier);
    return results[__builtin_ctz(wait->mask & running_warp()->existing)];
}

void pcc_emulated_gather(unsigned mask, const void *mine, size_t bytes, void *all, const char *file, int line)
{
    const Wait wait = {file, line, mask, mine, bytes, nullptr};
    const unsigned char *deposits = exchange(&wait);
    if (bytes)
        memcpy(all, deposits, bytes * WARP);
}

void pcc_emulated_collective(unsigned mask, const void *mine, size_t bytes, void *result, size_t result_bytes,
                             PccCollective *compute, const char *file, int line)
{
    const Wait wait = {file, line, mask, mine, bytes, compute};
    const unsigned char *computed = exchange(&wait);
    memcpy(result, computed + (size_t)running_lane() * result_bytes, result_bytes);
}
