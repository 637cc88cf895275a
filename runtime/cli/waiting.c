/* waiting.c: GCC's OpenMP lets a thread spin for some milliseconds before it sleeps, as long as there are no more
 * threads than cores. Where other processes want the cores too, it spins away the time that the thread it waits for
 * would need: a step of many short loops takes 50 times as long. A tenth of a millisecond costs nothing on idle cores.
 *
 * The library reads GOMP_SPINCOUNT before main() runs, hence the second start. LLVM's, which has these symbols as well,
 * is left alone: its least wait above none is a millisecond. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "waiting.h"

#define PCC_SPINS "10000"

extern void GOMP_parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags) __attribute__((weak));
extern void __kmpc_fork_call(void *location, int count, void (*microtask)(void), ...) __attribute__((weak));

/* The inode of the file that is mapped at an address; 0: none is known. */
static uintmax_t waiting_inode_at(const void *address)
{
    uintptr_t first, end;
    uintmax_t inode, found = 0;
    char line[4352];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && !found && fgets(line, sizeof line, maps))
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %" SCNuMAX, &first, &end, &inode) == 3 &&
            (uintptr_t)address >= first && (uintptr_t)address < end)
            found = inode;
    if (maps)
        fclose(maps);
    return found;
}

/* The path of the program's file. False where the link leads elsewhere: to the dynamic loader that was told to start
 * the program, or, its file having been deleted, to another of the name that the link then has. Emulators answer
 * readlink() with the program's path, and open themselves where the link is opened. */
static int waiting_find_program(const void *inside, char *path, size_t room)
{
    struct stat file;
    const ssize_t length = readlink("/proc/self/exe", path, room - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return stat(path, &file) == 0 && (uintmax_t)file.st_ino == waiting_inode_at(inside);
}

void pcc_wait_briefly(char **argv, const void *inside)
{
    char path[4096];
    const int is_gcc = GOMP_parallel && !__kmpc_fork_call;
    if (!is_gcc || getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") ||
        !waiting_find_program(inside, path, sizeof path) || setenv("GOMP_SPINCOUNT", PCC_SPINS, 0) != 0)
        return;
    execv(path, argv); /* returns only where it fails */
}
