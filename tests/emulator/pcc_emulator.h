/* pcc_emulator.h: CUDA's device side for a C++ compiler, so that kernels run on the CPU under tests.
 *
 * Included behind the real <cuda_runtime.h> where PCC_EMULATED is defined. Threads of a block are fibers of one thread
 * of the CPU; blocks run one after the other. What a GPU leaves undefined ends the program with a message that names
 * kernel, block and thread, and exit code 70. README.md says what is found and what is not.
 *
 * Every function that synchronises remembers its line, so that lanes at different places are told apart. */
#ifndef PCC_EMULATOR_H
#define PCC_EMULATOR_H

#include <cuda_runtime.h>

#include <stddef.h>
#include <stdint.h>

extern "C" {
extern uint3 threadIdx, blockIdx; /* of the thread that runs now */
extern dim3 blockDim, gridDim;
}
static const int warpSize = 32;

/* Static shared memory is the executable's thread-local memory, which nothing else here uses: it can be told from all
 * other memory, and is poisoned before every block. Spell alignment as __align__(16) behind __shared__. */
#undef __shared__
#define __shared__ static thread_local
#ifndef __launch_bounds__
#    define __launch_bounds__(...)
#endif

#define PCC_EMULATED_SHARED(type, name) type *name = (type *)pcc_emulated_shared()

extern "C" {
void *pcc_emulated_shared(void); /* a block's dynamic shared memory, aligned to 128 bytes */

/* Waits for all threads of the block; returns how many of them gave a predicate that is not 0. */
int pcc_emulated_barrier(int predicate, const char *file, int line);

/* Waits for the lanes of `mask`, which deposit `bytes` <= 64 each. Returns 32 deposits, lane 0's first, that are valid
 * until the lane's next warp operation; those of lanes outside of the mask are poison. */
const void *pcc_emulated_deposits(unsigned mask, const void *mine, size_t bytes, const char *file, int line);

/* The same, computed once for the warp: `compute` reads 32 deposits of `bytes` and writes 32 results of
 * `result_bytes` <= 64, of which each lane takes its own. */
typedef void PccCollective(unsigned mask, const void *all, void *results);
void pcc_emulated_collective(unsigned mask, const void *mine, size_t bytes, void *result, size_t result_bytes,
                             PccCollective *compute, const char *file, int line);

/* cp.async: `to`, in shared memory, is poison until a wait for its group performs the copy. The first `bytes` are read
 * from `from`, the others, up to `total`, become 0. */
void pcc_emulated_copy(void *to, const void *from, size_t bytes, size_t total);
void pcc_emulated_copy_commit(void);
void pcc_emulated_copy_wait(int newest); /* all groups but the `newest` ones */

unsigned pcc_emulated_lane(void);
unsigned pcc_emulated_existing(void); /* lanes of the warp that the block has */
[[noreturn]] void pcc_emulated_trap(const char *what);

int pcc_emulated_locks_out_host(void);      /* of the device's memory: where the CPU has protection keys */
int pcc_emulated_cublas_objects(void);      /* of cuBLASLt that were made and not destroyed */
int pcc_emulated_cudnn_objects(void);       /* of cuDNN, likewise */
int pcc_emulated_cudnn_executed(void);      /* plans that were enqueued or captured */
void pcc_emulated_order(const char *order); /* from now on, of blocks, warps and lanes: see order.cpp */
}

static inline void pcc_emulated_exchange(unsigned mask, const void *mine, size_t bytes, void *all /* 32 x bytes */,
                                         const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    __builtin_memcpy(all, pcc_emulated_deposits(mask, mine, bytes, file, line), 32 * bytes);
}

#ifdef PCC_EMULATED_ORDER
extern "C" {
extern const char *const pcc_emulated_default_order;
const char *const pcc_emulated_default_order = PCC_EMULATED_ORDER;
}
#endif

#include "pcc_emulated_launch.h"
#include "pcc_emulated_warp.h"
#include "pcc_emulated_atomic.h"
#include "pcc_emulated_math.h"

#endif
