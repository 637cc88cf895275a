/* interrupt.c: a table of paths that the signal handler may read at any time. */
#include "frontend/files/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_PATHS = 32 }; /* a compile makes fewer than ten */

/* The handler reads these; they change under block_signals() only. */
static const char *paths[MAX_PATHS];
static int path_count;
static pid_t child; /* 0: none */

static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
enum { CAUGHT_COUNT = sizeof caught / sizeof *caught };

/* Async-signal-safe (POSIX.1-2017, 2.4.3): kill, waitpid, unlink, rmdir, signal, raise. */
static void clean_up(int number)
{
    if (child > 0) {
        kill(child, number);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    for (int i = 0; i < path_count; i++)
        unlink(paths[i]);
    for (int i = 0; i < path_count; i++)
        rmdir(paths[i]); /* what unlink() refused */
    signal(number, SIG_DFL);
    raise(number); /* delivered when the handler returns */
}

static sigset_t caught_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < CAUGHT_COUNT; i++)
        sigaddset(&set, caught[i]);
    return set;
}

void interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = clean_up, .sa_mask = caught_set()}, old;
    for (int i = 0; i < CAUGHT_COUNT; i++)
        if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(caught[i], &action, NULL);
}

static sigset_t block_signals(void)
{
    sigset_t set = caught_set(), old;
    sigprocmask(SIG_BLOCK, &set, &old);
    return old;
}

static void add_path(const char *path)
{
    if (path_count < MAX_PATHS)
        paths[path_count++] = path;
}

void interrupt_remove(const char *path)
{
    sigset_t old = block_signals();
    add_path(path);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

void interrupt_forget(void)
{
    sigset_t old = block_signals();
    path_count = 0;
    sigprocmask(SIG_SETMASK, &old, NULL);
}

int interrupt_make_file(char *path_template)
{
    sigset_t old = block_signals();
    int descriptor = mkstemp(path_template);
    if (descriptor >= 0)
        add_path(path_template);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return descriptor;
}

char *interrupt_make_folder(char *path_template)
{
    sigset_t old = block_signals();
    char *folder = mkdtemp(path_template);
    if (folder)
        add_path(folder);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return folder;
}

/* The child must not inherit the blocked signals. */
static int spawn(const char *const *arguments, const sigset_t *mask, pid_t *process)
{
    posix_spawnattr_t attributes;
    int status = posix_spawnattr_init(&attributes);
    if (status)
        return status;
    posix_spawnattr_setsigmask(&attributes, mask);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    status = posix_spawnp(process, arguments[0], NULL, &attributes, (char **)(uintptr_t)arguments, environ);
    posix_spawnattr_destroy(&attributes);
    return status;
}

int interrupt_run(const char *const *arguments)
{
    int status = 0;
    pid_t process = 0;
    fflush(NULL);
    sigset_t old = block_signals();
    bool running = spawn(arguments, &old, &process) == 0;
    child = running ? process : 0;
    sigprocmask(SIG_SETMASK, &old, NULL);
    while (running && waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            running = false;
    child = 0;
    if (!running)
        return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
