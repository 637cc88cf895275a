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

/* ---- block.cpp: a block's threads ------------------------------------------------------------------------------- */

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

/* Lanes of a warp, as sets. A lane is in one of them. */
struct Warp {
    unsigned existing, ready, waiting, at_barrier, done;
};

int running_thread_index(void);
void run_grid(const PccEmulatedLaunch *launch);
const Thread *running_thread(void); /* NULL outside of kernels */
int running_lane(void);
int running_warp_index(void);
Warp *running_warp(void);
Thread *thread_of_lane(int lane); /* of the warp whose turn it is */
const char *running_kernel(void);
void wait_for_lanes(const Wait *wait); /* returns when all lanes of the wait's mask have come to it */

/* ---- warp.cpp --------------------------------------------------------------------------------------------------- */

/* Gives the deposits of lanes that all have come to the same operation to them, and makes them ready. Is there one? */
bool release_lanes(Warp *warp);

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
    char *pages; /* what is mapped for it */
    size_t page_bytes;
    bool on_device;
};

const Allocation *find_allocation(const void *pointer); /* in whose pages, or the page behind or before, it is */
void check_red_zones(void);
cudaError_t allocate(void **pointer, size_t bytes, bool on_device);
cudaError_t release(void *pointer, bool on_device);
size_t device_memory(size_t *used);

/* ---- stream.cpp ------------------------------------------------------------------------------------------------- */

cudaError_t finish(cudaStream_t stream);
cudaError_t failed(cudaError_t status); /* remembers it for cudaGetLastError */

/* ---- order.cpp: PCC_EMULATOR_ORDER ------------------------------------------------------------------------------ */

void read_order(void);
void shuffle(int *order, int count); /* 0 … count - 1, in the order that the environment asks for */
int64_t block_of_turn(int64_t turn, int64_t blocks);

#endif
