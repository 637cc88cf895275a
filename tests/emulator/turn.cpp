/* turn.cpp: which thread of a block runs next, and why none can.
 *
 * Warps take turns: a warp goes on until all of its lanes have ended or wait for the block. Within a warp, lanes run
 * until they wait for each other; when none can run, exchanges that are complete let their lanes go on. */
#include "emulator.h"

#include <string.h>

#include "pcc_emulator.h"

static int warp_turns[MOST_THREADS / WARP], warp_turn;

static bool is_in(unsigned lanes, int lane)
{
    return lanes >> lane & 1;
}

static bool is_same_place(const Wait *a, const Wait *b)
{
    return a->line == b->line && strcmp(a->file, b->file) == 0;
}

static const Wait *wait_of(int thread)
{
    return &current.threads[thread].wait;
}

/* Of what is reported, the place is that of this thread. */
static void blame(int thread)
{
    current.running = thread;
    threadIdx = current.threads[thread].index;
}

/* ---- what cannot go on ------------------------------------------------------------------------------------------ */

/* A lane that waits for another, which waits as well, but not for the same. */
static void report_different_waits(const Wait *wait, int lane, const Wait *other_wait, int other)
{
    if (!is_same_place(wait, other_wait))
        fault("%s:%d: lane %d waits here for lane %d, which is at another warp operation: %s:%d", wait->file,
              wait->line, lane, other, other_wait->file, other_wait->line);
    if (wait->mask != other_wait->mask)
        fault("%s:%d: lanes %d and %d name different masks, 0x%08x and 0x%08x", wait->file, wait->line, lane, other,
              wait->mask, other_wait->mask);
}

[[noreturn]] static void report_missing_lanes(int of_warp)
{
    const Warp *warp = &current.warps[of_warp];
    const int first = of_warp * WARP, lane = __builtin_ctz(warp->waiting);
    const Wait *wait = wait_of(first + lane);
    const unsigned missing = wait->mask & warp->existing & ~warp->waiting;
    blame(first + lane);
    if (!is_in(wait->mask, lane))
        fault("%s:%d: lane %d is not in the mask 0x%08x of its own warp operation", wait->file, wait->line, lane,
              wait->mask);
    for (int other = 0; other < WARP; other++)
        if (is_in(wait->mask & warp->waiting, other))
            report_different_waits(wait, lane, wait_of(first + other), other);
    fault("%s:%d: the warp operation of mask 0x%08x misses lanes: 0x%08x have ended, 0x%08x are at a barrier",
          wait->file, wait->line, wait->mask, missing & warp->done, missing & warp->at_barrier);
}

/* All threads that have not ended are at barriers. `first` is one of them; is it the same barrier, and are all there?
 */
static void check_barrier(int first)
{
    for (int i = 0; i < current.thread_count; i++) {
        if (is_in(current.warps[i / WARP].done, i % WARP)) {
            blame(first);
            fault("%s:%d: the barrier is not reached by thread %d, which has ended", wait_of(first)->file,
                  wait_of(first)->line, i);
        }
        if (!is_same_place(wait_of(i), wait_of(first))) {
            blame(i);
            fault("divergent barriers: this thread is at %s:%d, thread %d at %s:%d", wait_of(i)->file, wait_of(i)->line,
                  first, wait_of(first)->file, wait_of(first)->line);
        }
    }
}

/* ---- turns ------------------------------------------------------------------------------------------------------ */

void begin_turns(void)
{
    shuffle(warp_turns, current.warp_count);
    warp_turn = 0;
    begin_lanes();
}

/* Returns false if no thread is at a barrier: the block has ended. */
static bool open_barrier(void)
{
    int first = -1, sum = 0;
    for (int i = 0; i < current.thread_count && first < 0; i++)
        if (is_in(current.warps[i / WARP].at_barrier, i % WARP))
            first = i;
    if (first < 0)
        return false;
    check_barrier(first);
    for (int i = 0; i < current.thread_count; i++)
        sum += current.threads[i].predicate;
    for (int i = 0; i < current.thread_count; i++)
        current.threads[i].predicate = sum;
    for (int i = 0; i < current.warp_count; i++) {
        current.warps[i].ready = current.warps[i].at_barrier;
        current.warps[i].at_barrier = 0;
    }
    begin_turns();
    return true;
}

int next_thread(void)
{
    do {
        while (warp_turn < current.warp_count) {
            const int index = warp_turns[warp_turn];
            const Warp *warp = &current.warps[index];
            if (warp->ready)
                return index * WARP + next_lane(warp->ready);
            if (warp->waiting && !release_lanes(index))
                report_missing_lanes(index);
            warp_turn += warp->ready == 0;
            begin_lanes();
        }
    } while (open_barrier());
    return -1;
}
