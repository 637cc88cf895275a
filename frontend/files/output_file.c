/* output_file.c: temporary file, fsync, rename, fsync of the folder. */
#include "frontend/files/output_file.h"

#include "frontend/files/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct OutputFile {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *path;
    char *temporary;
    int descriptor;
};

static _Noreturn void fail(OutputFile *file, const char *action)
{
    int status = errno;
    if (file->descriptor >= 0) {
        close(file->descriptor);
        unlink(file->temporary);
    }
    fatal(file->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot %s '%s': %s", action, file->path, strerror(status));
}

OutputFile *output_file_create(Arena *arena, Diagnostics *diagnostics, const char *path)
{
    OutputFile *file = NEW(arena, OutputFile);
    *file = (OutputFile){.arena = arena, .diagnostics = diagnostics};
    file->path = arena_strndup(arena, path, strlen(path));
    file->temporary = arena_printf(arena, "%s.XXXXXX", path);
    file->descriptor = interrupt_make_file(file->temporary);
    mode_t mask = umask(0);
    umask(mask);
    if (file->descriptor < 0 || fchmod(file->descriptor, 0666 & ~mask)) { /* mkstemp makes it 0600 */
        fail(file, "create");
    }
    return file;
}

void output_file_write(OutputFile *file, const void *bytes, size_t size)
{
    const char *next = bytes;
    while (size > 0) {
        ssize_t written = write(file->descriptor, next, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            fail(file, "write");
        }
        next += written;
        size -= (size_t)written;
    }
}

/* Without this a crash may lose the rename. Some file systems cannot sync a folder: nothing more can be done there. */
static void sync_folder(const OutputFile *file)
{
    const char *slash = strrchr(file->path, '/');
    const char *folder = slash ? arena_strndup(file->arena, file->path, (size_t)(slash - file->path) + 1) : ".";
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
}

void output_file_commit(OutputFile *file)
{
    if (fsync(file->descriptor) || rename(file->temporary, file->path)) {
        fail(file, "write");
    }
    close(file->descriptor);
    sync_folder(file);
}
