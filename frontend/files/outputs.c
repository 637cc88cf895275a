/* outputs.c: temporary files beside their targets, renamed when all of them are complete. */
#include "frontend/files/outputs.h"

#include "frontend/files/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void fail(Outputs *outputs, const char *action, const char *path)
{
    fatal(outputs->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot %s '%s': %s", action, path, strerror(errno));
}

static mode_t process_umask(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return mask;
}

const char *outputs_stage(Outputs *outputs, const char *path)
{
    Arena *arena = outputs->arena;
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (outputs->count == MAX_OUTPUTS)
        internal_error(outputs->diagnostics, NO_ORIGIN, "more than %d outputs", MAX_OUTPUTS);
    if (exists && S_ISDIR(status.st_mode))
        fatal(outputs->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot write '%s': it is a folder", path);
    if (exists && !S_ISREG(status.st_mode)) {
        outputs->files[outputs->count].path = outputs->files[outputs->count].temporary = path;
        outputs->count++;
        return path;
    }
    char resolved[PATH_MAX]; /* a link stays, what it points to is replaced */
    const char *target = exists && realpath(path, resolved) ? resolved : path;
    char *temporary = arena_printf(arena, "%s.XXXXXX", target);
    int descriptor = interrupt_make_file(temporary);
    if (descriptor < 0)
        fail(outputs, "create", path);
    outputs->files[outputs->count].path = arena_strndup(arena, target, strlen(target));
    outputs->files[outputs->count++].temporary = temporary;
    if (fchmod(descriptor, 0666 & ~process_umask())) /* mkstemp makes it 0600 */
        fail(outputs, "create", path);
    close(descriptor);
    return temporary;
}

static void write_all(Outputs *outputs, int descriptor, const char *path, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            fail(outputs, "write", path);
        bytes += written;
        size -= (size_t)written;
    }
}

void outputs_write(Outputs *outputs, const char *path, const void *bytes, size_t size)
{
    if (strcmp(path, "-") == 0) {
        write_all(outputs, STDOUT_FILENO, "the standard output", bytes, size);
        return;
    }
    const char *temporary = outputs_stage(outputs, path);
    int descriptor = open(temporary, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (descriptor < 0)
        fail(outputs, "write", path);
    write_all(outputs, descriptor, path, bytes, size);
    /* Pipes and some devices cannot sync (EINVAL); a full disk may show only here or in close(). */
    if ((fsync(descriptor) && errno != EINVAL && errno != EROFS) || close(descriptor))
        fail(outputs, "write", path);
}

void outputs_make_executable(Outputs *outputs, const char *temporary)
{
    if (chmod(temporary, 0777 & ~process_umask()))
        fail(outputs, "create", temporary);
}

/* Without this a crash may lose the rename. Some file systems cannot sync a folder: nothing more can be done there. */
static void sync_folder(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? arena_strndup(arena, path, (size_t)(slash - path) + 1) : ".";
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
}

void outputs_commit(Outputs *outputs)
{
    while (outputs->count > 0) {
        const char *path = outputs->files[0].path, *temporary = outputs->files[0].temporary;
        if (temporary != path && rename(temporary, path))
            fail(outputs, "write", path);
        outputs->count--;
        memmove(&outputs->files[0], &outputs->files[1], (size_t)outputs->count * sizeof outputs->files[0]);
        if (temporary != path && outputs->count == 0)
            sync_folder(outputs->arena, path);
    }
}

void outputs_abandon(Outputs *outputs)
{
    for (int i = 0; i < outputs->count; i++)
        if (outputs->files[i].temporary != outputs->files[i].path)
            unlink(outputs->files[i].temporary);
    outputs->count = 0;
}
