/* emulator.h: what the emulator's files know of each other.
 *
 * None of them is compiled with a sanitizer: they tell the sanitizers of a program, if it has any, what they do. */
#ifndef PCC_EMULATOR_INTERNAL_H
#define PCC_EMULATOR_INTERNAL_H

#include <cuda_runtime_api.h>

#include <stddef.h>
#include <stdint.h>

struct PccEmulatedLaunch;

enum { EXIT_FAULT = 70, WARP = 32, MOST_THREADS = 1024, MOST_SHARED = 227 << 10, POISON = 0xff };

/* ---- fault.cpp: messages ---------------------------------------------------------------------------------------- */

[[noreturn]] void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));
void catch_signals(void); /* an access of memory that does not exist becomes a fault */

/* ---- fiber.cpp: stacks and what runs on them -------------------------------------------------------------------- */

struct Fiber {
    void *stack_pointer;
    char *stack; /* its lowest byte */
    void *tsan, *asan;
};

enum { STACK_BYTES = 256 << 10 };

void make_fiber(Fiber *fiber, int index, void (*main)(void));
void switch_fiber(Fiber *from, const Fiber *to);
void enter_fiber(void); /* first of all on a fiber that was switched to for the first time */

/* ---- ThreadSanitizer: what happens before what ------------------------------------------------------------------ */

extern "C" {
void __tsan_acquire(void *) __attribute__((weak));
void __tsan_release(void *) __attribute__((weak));
}

static inline void tell_order(void (*acquire_or_release)(void *), void *object)
{
    if (acquire_or_release)
        acquire_or_release(object);
}

/* ---- block.cpp: the blocks of a grid, and the threads of a block ------------------------------------------------- */

/* What a thread waits for. */
struct Wait {
    const char *file;
    int line;
    unsigned mask;
    const void *deposit;
    size_t bytes;
    void (*compute)(unsigned mask, const void *all, void *results); /* NULL: every lane gets all deposits */
};

struct Thread {
    uint3 index;
    int fiber; /* whose stack it is suspended on; -1: it has not begun */
    Wait wait;
    int predicate;
};

/* Lanes of a warp, as sets. A lane is in one of the latter four. */
struct Warp {
    unsigned existing, ready, waiting, at_barrier, done;
};

struct Block {
    const PccEmulatedLaunch *launch; /* NULL outside of kernels */
    int running;                     /* thread; -1: none */
    int thread_count, warp_count;
    Thread threads[MOST_THREADS];
    Warp warps[MOST_THREADS / WARP];
};

extern Block current;

void run_grid(const PccEmulatedLaunch *launch);
void wait_for_lanes(const Wait *wait); /* returns when all lanes of the wait's mask have come to it */

static inline Warp *running_warp(void)
{
    return &current.warps[current.running / WARP];
}

static inline unsigned running_lane(void)
{
    return (unsigned)current.running % WARP;
}

/* ---- turn.cpp: which thread is next ----------------------------------------------------------------------------- */

void begin_turns(void);
int next_thread(void); /* -1: all have ended */

/* ---- warp.cpp --------------------------------------------------------------------------------------------------- */

/* Gives the deposits of lanes that all have come to the same operation to them, and makes them ready. Is there one? */
bool release_lanes(int warp);

/* ---- shared.cpp ------------------------------------------------------------------------------------------------- */

void begin_shared(const PccEmulatedLaunch *launch);
void poison_shared(void); /* before every block */
void check_shared(void);  /* after every block */

/* ---- copy.cpp --------------------------------------------------------------------------------------------------- */

void drop_copies(int thread); /* that it did not wait for */

/* ---- memory.cpp ------------------------------------------------------------------------------------------------- */

struct Allocation {
    char *begin; /* what cudaMalloc returned */
    size_t bytes;
    char *pages; /* what is mapped for it; the page behind and the one before cannot be accessed */
    size_t page_bytes;
    bool on_device;
    int device;
};

const Allocation *find_memory(const void *pointer);   /* that it points into */
const Allocation *find_near(const void *pointer);     /* or at its red zones */
const Allocation *find_released(const void *pointer); /* or that it pointed into once */
void check_red_zones(void);
size_t device_memory(size_t *used);

/* While one lives, this thread is the device: it may access the device's memory. */
class DeviceAccess
{
  public:
    DeviceAccess();
    ~DeviceAccess();
};

/* While one lives within, it is the host again. */
class HostAccess
{
  public:
    HostAccess();
    ~HostAccess();
};

/* ---- order.cpp: PCC_EMULATOR_ORDER ------------------------------------------------------------------------------ */

void read_order(void);
void shuffle(int *order, int count);                 /* 0 … count - 1, in the order that the environment asks for */
int64_t block_of_turn(int64_t turn, int64_t blocks); /* which one is run as the `turn`th */
void begin_lanes(void);
int next_lane(unsigned ready); /* of those that are, since begin_lanes() */

#endif
