/* block.cpp: runs the blocks of a grid, one after the other, and the threads of a block as fibers.
 *
 * Warps take turns, and within a warp its lanes: a warp goes on until all of its lanes have ended or wait for the
 * block. A lane that has to wait keeps its stack and the next one starts on another; lanes that never wait run one
 * after the other on the same stack, without a switch. */
#include "emulator.h"

#include <stdlib.h>
#include <string.h>

#include "pcc_emulator.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

extern "C" {
void __tsan_acquire(void *) __attribute__((weak));
void __tsan_release(void *) __attribute__((weak));
}

static Fiber host, fibers[MOST_THREADS];
static int idle[MOST_THREADS], idle_count, fiber_count; /* of fibers without a thread */
static Thread threads[MOST_THREADS];
static Warp warps[MOST_THREADS / WARP];
static int warp_count, thread_count;
static int warp_turns[MOST_THREADS / WARP], lane_turns[WARP];
static int warp_turn, lane_turn;
static int running = -1; /* thread */
static const PccEmulatedLaunch *launch;
static char begin_of_block, end_of_block, barrier; /* what ThreadSanitizer is told of */

/* ---- where the emulator is -------------------------------------------------------------------------------------- */

const Thread *running_thread(void)
{
    return running < 0 ? nullptr : &threads[running];
}

int running_lane(void)
{
    return running % WARP;
}

int running_thread_index(void)
{
    return running;
}

int running_warp_index(void)
{
    return running / WARP;
}

Warp *running_warp(void)
{
    return &warps[running / WARP];
}

Thread *thread_of_lane(int lane)
{
    return &threads[warp_turns[warp_turn] * WARP + lane];
}

const char *running_kernel(void)
{
    return launch ? launch->name : nullptr;
}

unsigned pcc_emulated_lane(void)
{
    return (unsigned)running_lane();
}

unsigned pcc_emulated_existing(void)
{
    return running_warp()->existing;
}

static void tell_order(void (*tsan)(void *), char *object)
{
    if (tsan)
        tsan(object);
}

/* ---- which thread is next --------------------------------------------------------------------------------------- */

static bool is_in(unsigned lanes, int lane)
{
    return lanes >> lane & 1;
}

/* The next ready lane of the warp whose turn it is, or -1. */
static int next_lane(const Warp *warp)
{
    while (warp->ready) {
        while (lane_turn < WARP)
            if (is_in(warp->ready, lane_turns[lane_turn++]))
                return lane_turns[lane_turn - 1];
        lane_turn = 0;
        shuffle(lane_turns, WARP);
    }
    return -1;
}

/* Says why the lanes of a warp that wait for each other will not go on. */
[[noreturn]] static void report_missing_lanes(const Warp *warp, int of_warp)
{
    const int lane = __builtin_ctz(warp->waiting);
    running = of_warp * WARP + lane;
    threadIdx = threads[running].index;
    const Wait *wait = &threads[running].wait;
    const unsigned missing = wait->mask & warp->existing & ~warp->waiting;
    if (!is_in(wait->mask, lane))
        fault("%s:%d: lane %d is not in the mask 0x%08x of its own warp operation", wait->file, wait->line, lane,
              wait->mask);
    for (int other = 0; other < WARP; other++)
        if (is_in(wait->mask & warp->waiting, other)) {
            const Wait *at = &threads[of_warp * WARP + other].wait;
            if (at->line != wait->line || strcmp(at->file, wait->file) != 0)
                fault("%s:%d: lane %d waits here for lane %d, which is at another warp operation: %s:%d", wait->file,
                      wait->line, lane, other, at->file, at->line);
            if (at->mask != wait->mask)
                fault("%s:%d: lanes %d and %d name different masks, 0x%08x and 0x%08x", wait->file, wait->line, lane,
                      other, wait->mask, at->mask);
        }
    fault("%s:%d: the warp operation of mask 0x%08x misses lanes 0x%08x: 0x%08x have ended, 0x%08x are at a barrier",
          wait->file, wait->line, wait->mask, missing, missing & warp->done, missing & warp->at_barrier);
}

/* All threads are at the barrier, or have ended. Opens it; false: the block has ended. */
static bool open_barrier(void)
{
    int first = -1, ended = -1, sum = 0;
    for (int i = 0; i < thread_count; i++) {
        if (is_in(warps[i / WARP].done, i % WARP)) {
            ended = i;
            continue;
        }
        first = first < 0 ? i : first;
        running = i;
        threadIdx = threads[i].index;
        const Wait *wait = &threads[i].wait, *other = &threads[first].wait;
        if (wait->line != other->line || strcmp(wait->file, other->file) != 0)
            fault("divergent barriers: this thread is at %s:%d, thread %d at %s:%d", wait->file, wait->line, first,
                  other->file, other->line);
        sum += threads[i].predicate;
    }
    if (first < 0)
        return false;
    if (ended >= 0)
        fault("%s:%d: the barrier is not reached by thread %d, which has ended", threads[first].wait.file,
              threads[first].wait.line, ended);
    for (int i = 0; i < thread_count; i++)
        threads[i].predicate = sum;
    for (int i = 0; i < warp_count; i++) {
        warps[i].ready = warps[i].at_barrier;
        warps[i].at_barrier = 0;
    }
    shuffle(warp_turns, warp_count);
    warp_turn = 0;
    return true;
}

/* The next thread that can run, or -1: the block has ended. */
static int next_thread(void)
{
    for (;;) {
        for (; warp_turn < warp_count; warp_turn++) {
            Warp *warp = &warps[warp_turns[warp_turn]];
            do {
                const int lane = next_lane(warp);
                if (lane >= 0)
                    return warp_turns[warp_turn] * WARP + lane;
                lane_turn = 0;
                shuffle(lane_turns, WARP);
            } while (release_lanes(warp));
            if (warp->waiting)
                report_missing_lanes(warp, warp_turns[warp_turn]);
        }
        if (!open_barrier())
            return -1;
    }
}

/* ---- switches --------------------------------------------------------------------------------------------------- */

static void run_threads(void);

static int idle_fiber(void)
{
    if (idle_count > 0)
        return idle[--idle_count];
    make_fiber(&fibers[fiber_count], fiber_count, run_threads);
    return fiber_count++;
}

static void make_running(int thread)
{
    running = thread;
    threadIdx = threads[thread].index;
}

/* Gives the CPU to the next thread, from a thread that waits on fiber `own`, or from a fiber without one. */
static void go_on_elsewhere(int own, int thread)
{
    int to = threads[thread].fiber;
    if (to == own)
        return;
    if (to < 0)
        to = threads[thread].fiber = idle_fiber();
    switch_fiber(&fibers[own], &fibers[to]);
}

/* Suspends the running thread until it is ready again. */
static void suspend(void)
{
    const int own = running, fiber = threads[own].fiber;
    const int next = next_thread();
    make_running(next);
    go_on_elsewhere(fiber, next);
    make_running(own);
}

/* A fiber's main function: begins threads, one after the other, until it has to resume one that waits. */
static void run_threads(void)
{
    enter_fiber();
    for (;;) {
        const int own = threads[running].fiber;
        tell_order(__tsan_acquire, &begin_of_block);
        launch->thread(launch->arguments.get());
        tell_order(__tsan_release, &end_of_block);
        Warp *warp = running_warp();
        warp->done |= 1u << running_lane();
        warp->ready &= ~(1u << running_lane());
        drop_copies(running);
        const int next = next_thread();
        if (next >= 0)
            make_running(next);
        const bool keeps_stack = next >= 0 && threads[next].fiber < 0 && !__tsan_acquire;
        if (keeps_stack) {
            threads[next].fiber = own;
            continue;
        }
        idle[idle_count++] = own;
        if (next < 0) {
            running = -1;
            switch_fiber(&fibers[own], &host);
        } else {
            go_on_elsewhere(own, next);
        }
    }
}

/* ---- waits ------------------------------------------------------------------------------------------------------ */

void wait_for_lanes(const Wait *wait)
{
    Warp *warp = running_warp();
    const unsigned lane = 1u << running_lane();
    threads[running].wait = *wait;
    warp->ready &= ~lane;
    warp->waiting |= lane;
    suspend();
}

int pcc_emulated_barrier(int predicate, const char *file, int line)
{
    if (running < 0)
        fault("%s:%d: a barrier outside of kernels", file, line);
    Warp *warp = running_warp();
    const unsigned lane = 1u << running_lane();
    Thread *thread = &threads[running];
    thread->wait = {file, line, 0, nullptr, 0, nullptr};
    thread->predicate = predicate;
    warp->ready &= ~lane;
    warp->at_barrier |= lane;
    tell_order(__tsan_release, &barrier);
    suspend();
    tell_order(__tsan_acquire, &barrier);
    return thread->predicate;
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

static void begin_block(void)
{
    for (int i = 0; i < thread_count; i++)
        threads[i].fiber = -1;
    for (int i = 0; i < warp_count; i++) {
        const int lanes = thread_count - i * WARP;
        warps[i] = {};
        warps[i].existing = warps[i].ready = lanes < WARP ? (1u << lanes) - 1 : 0xffffffffu;
    }
    shuffle(warp_turns, warp_count);
    shuffle(lane_turns, WARP);
    warp_turn = lane_turn = 0;
}

static void run_block(void)
{
    begin_block();
    poison_shared();
    tell_order(__tsan_release, &begin_of_block);
    const int first = next_thread();
    threads[first].fiber = idle_fiber();
    make_running(first);
    switch_fiber(&host, &fibers[threads[first].fiber]);
    tell_order(__tsan_acquire, &end_of_block);
    check_shared();
}

void run_grid(const PccEmulatedLaunch *now)
{
    const int64_t blocks = (int64_t)now->grid.x * now->grid.y * now->grid.z;
    launch = now;
    blockDim = now->block;
    gridDim = now->grid;
    thread_count = (int)(blockDim.x * blockDim.y * blockDim.z);
    warp_count = (thread_count + WARP - 1) / WARP;
    for (unsigned i = 0; i < (unsigned)thread_count; i++)
        threads[i].index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y)};
    begin_shared(now);
    for (int64_t turn = 0; turn < blocks; turn++) {
        const int64_t block = block_of_turn(turn, blocks), plane = block / gridDim.x;
        blockIdx = {(unsigned)(block % gridDim.x), (unsigned)(plane % gridDim.y), (unsigned)(plane / gridDim.y)};
        run_block();
    }
    launch = nullptr;
}
