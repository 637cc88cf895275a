/* block.cpp: runs the blocks of a grid, one after the other, and the threads of a block as fibers.
 *
 * A thread that has to wait keeps its stack, and the next one starts on another; threads that never wait run one after
 * the other on the same stack, without a switch. */
#include "emulator.h"

#include "pcc_emulator.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
Block current = {nullptr, -1, 0, 0, {}, {}};

static Fiber host, fibers[MOST_THREADS];
static int idle[MOST_THREADS], idle_count, fiber_count; /* of fibers without a thread */
static char begin_of_block, end_of_block, barrier;      /* what ThreadSanitizer is told of */

/* ---- switches --------------------------------------------------------------------------------------------------- */

static void run_threads(void);

/* ThreadSanitizer takes a fiber for a thread: it wants one for each thread of a block. */
static bool has_own_fibers(void)
{
    return __tsan_acquire != nullptr;
}

/* For a thread that begins. */
static int fiber_for(int thread)
{
    if (!has_own_fibers() && idle_count > 0)
        return idle[--idle_count];
    const int fiber = has_own_fibers() ? thread : fiber_count++;
    if (!fibers[fiber].stack)
        make_fiber(&fibers[fiber], fiber, run_threads);
    return fiber;
}

static void make_running(int thread)
{
    current.running = thread;
    threadIdx = current.threads[thread].index;
}

/* From fiber `own` to a thread's, which is made if it has not begun. */
static void switch_to_thread(int own, int thread)
{
    Thread *to = &current.threads[thread];
    if (to->fiber < 0)
        to->fiber = fiber_for(thread);
    if (to->fiber != own)
        switch_fiber(&fibers[own], &fibers[to->fiber]);
}

/* The running thread waits, until it is ready again. */
static void suspend(void)
{
    const int own = current.running, next = next_thread();
    make_running(next);
    switch_to_thread(current.threads[own].fiber, next);
    make_running(own);
}

static void run_thread(void)
{
    tell_order(__tsan_acquire, &begin_of_block);
    current.launch->thread(current.launch->arguments.get());
    tell_order(__tsan_release, &end_of_block);
    drop_copies(current.running);
    running_warp()->done |= 1u << running_lane();
    running_warp()->ready &= ~(1u << running_lane());
}

/* A fiber's main function: begins threads, one after the other. Its thread has ended when it is idle: the next one
 * begins on the same stack, unless it waits on one of its own. */
static void run_threads(void)
{
    enter_fiber();
    for (;;) {
        const int own = current.threads[current.running].fiber;
        run_thread();
        idle[idle_count] = own;
        idle_count += !has_own_fibers();
        const int next = next_thread();
        if (next < 0) {
            current.running = -1;
            switch_fiber(&fibers[own], &host);
        } else {
            make_running(next);
            switch_to_thread(own, next);
        }
    }
}

/* ---- waits ------------------------------------------------------------------------------------------------------ */

void wait_for_lanes(const Wait *wait)
{
    const unsigned lane = 1u << running_lane();
    current.threads[current.running].wait = *wait;
    running_warp()->ready &= ~lane;
    running_warp()->waiting |= lane;
    suspend();
}

int pcc_emulated_barrier(int predicate, const char *file, int line)
{
    if (current.running < 0)
        fault("%s:%d: a barrier outside of kernels", file, line);
    const unsigned lane = 1u << running_lane();
    Thread *thread = &current.threads[current.running];
    thread->wait = {file, line, 0, nullptr, 0, nullptr};
    thread->predicate = predicate;
    running_warp()->ready &= ~lane;
    running_warp()->at_barrier |= lane;
    tell_order(__tsan_release, &barrier);
    suspend();
    tell_order(__tsan_acquire, &barrier);
    return thread->predicate;
}

unsigned pcc_emulated_lane(void)
{
    return running_lane();
}

unsigned pcc_emulated_existing(void)
{
    return running_warp()->existing;
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

static void begin_grid(const PccEmulatedLaunch *launch)
{
    blockDim = launch->block;
    gridDim = launch->grid;
    current.launch = launch;
    current.thread_count = (int)(blockDim.x * blockDim.y * blockDim.z);
    current.warp_count = (current.thread_count + WARP - 1) / WARP;
    for (unsigned i = 0; i < (unsigned)current.thread_count; i++)
        current.threads[i].index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y)};
    begin_shared(launch);
}

static void run_block(void)
{
    for (int i = 0; i < current.thread_count; i++)
        current.threads[i].fiber = -1;
    for (int i = 0; i < current.warp_count; i++) {
        const int lanes = current.thread_count - i * WARP;
        const unsigned existing = lanes < WARP ? (1u << lanes) - 1 : 0xffffffffu;
        current.warps[i] = {existing, existing, 0, 0, 0};
    }
    poison_shared();
    begin_turns();
    tell_order(__tsan_release, &begin_of_block);
    make_running(next_thread());
    current.threads[current.running].fiber = fiber_for(current.running);
    switch_fiber(&host, &fibers[current.threads[current.running].fiber]);
    tell_order(__tsan_acquire, &end_of_block);
    check_shared();
}

void run_grid(const PccEmulatedLaunch *launch)
{
    const int64_t blocks = (int64_t)launch->grid.x * launch->grid.y * launch->grid.z;
    begin_grid(launch);
    for (int64_t turn = 0; turn < blocks; turn++) {
        const int64_t now = block_of_turn(turn, blocks), plane = now / gridDim.x;
        blockIdx = {(unsigned)(now % gridDim.x), (unsigned)(plane % gridDim.y), (unsigned)(plane / gridDim.y)};
        run_block();
    }
    check_red_zones();
    current.launch = nullptr;
}
