/* waiting.c: GCC's OpenMP lets a thread spin for some milliseconds before it sleeps, as long as there are no more
 * threads than cores. Where other processes want the cores too, it spins away the time that the thread it waits for
 * would need: a step of many short loops takes 50 times as long. A tenth of a millisecond costs nothing on idle cores.
 *
 * The library reads GOMP_SPINCOUNT before main() runs, hence the second start. LLVM's, which has these symbols as well,
 * is left alone: its least wait above none is a millisecond. */
#include <stdlib.h>
#include <unistd.h>

#include "waiting.h"

#define PCC_SPINS "10000"

extern void GOMP_parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags) __attribute__((weak));
extern void __kmpc_fork_call(void *location, int count, void (*microtask)(void), ...) __attribute__((weak));

void pcc_wait_briefly(char **argv)
{
    const int is_gcc = GOMP_parallel && !__kmpc_fork_call;
    if (!is_gcc || getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") || setenv("GOMP_SPINCOUNT", PCC_SPINS, 0) != 0)
        return;
    char path[4096]; /* emulators give the program's path here, and their own where the link itself is opened */
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return;
    path[length] = 0;
    execv(path, argv); /* returns only where it fails */
}
