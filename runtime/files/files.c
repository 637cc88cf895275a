/* files.c: atomic output files, mappings, folders. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

enum { FILES_BUFFER = 1 << 20, FILES_NAME_TRIES = 100 };

char *pcc_join_path(const char *directory, const char *name)
{
    size_t length = strlen(directory) + strlen(name) + 2;
    char *path = malloc(length);
    if (path)
        snprintf(path, length, "%s%s%s", directory, *directory && directory[strlen(directory) - 1] != '/' ? "/" : "",
                 name);
    return path;
}

bool pcc_file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

/* The folder that holds path, in new memory. */
static char *files_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Creates ".NAME.PID.N" beside path. Not mkstemp, whose files other users cannot read. */
static int files_create_temporary(PccOutput *output, PccError *error)
{
    const char *slash = strrchr(output->path, '/');
    size_t directory = slash ? (size_t)(slash - output->path) + 1 : 0;
    size_t length = strlen(output->path) + 48;
    output->temporary = malloc(length);
    if (!output->temporary)
        return pcc_fail_memory(error);
    for (int i = 0; i < FILES_NAME_TRIES && output->fd < 0; i++) {
        snprintf(output->temporary, length, "%.*s.%s.%ld.%d", (int)directory, output->path, output->path + directory,
                 (long)getpid(), i);
        output->fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (output->fd < 0 && errno != EEXIST)
            break;
    }
    if (output->fd >= 0)
        return PCC_OK;
    int status = pcc_fail_errno(error, "cannot create %s beside its final name", output->path);
    free(output->temporary); /* not ours to unlink */
    output->temporary = NULL;
    return status;
}

static int files_open_target(PccOutput *output, const char *path, PccError *error)
{
    struct stat status;
    bool exists = stat(path, &status) == 0;
    output->path = exists ? realpath(path, NULL) : strdup(path);
    output->buffer = malloc(FILES_BUFFER);
    if (!output->path || !output->buffer)
        return pcc_fail_memory(error);
    if (!exists || S_ISREG(status.st_mode))
        return files_create_temporary(output, error);
    if (S_ISDIR(status.st_mode))
        return pcc_fail(error, PCC_ERR_IO, "cannot write %s: it is a folder; give a file name", path);
    output->fd = open(path, O_WRONLY | O_CLOEXEC);
    return output->fd < 0 ? pcc_fail_errno(error, "cannot write %s", path) : PCC_OK;
}

int pcc_output_open(PccOutput *output, const char *path, PccError *error)
{
    *output = (PccOutput){.fd = -1};
    int status = files_open_target(output, path, error);
    if (status)
        pcc_output_abandon(output);
    return status;
}

void pcc_output_abandon(PccOutput *output)
{
    if (output->fd >= 0)
        close(output->fd);
    if (output->temporary)
        unlink(output->temporary);
    free(output->temporary);
    free(output->path);
    free(output->buffer);
    *output = (PccOutput){.fd = -1};
}

int pcc_write_all(int fd, const void *data, size_t size, const char *path, PccError *error)
{
    const char *bytes = data;
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return pcc_fail_errno(error, "cannot write %s", path);
        bytes += written;
        size -= (size_t)written;
    }
    return PCC_OK;
}

int pcc_append(int fd, const void *data, size_t size, const char *path, PccError *error)
{
    off_t start = lseek(fd, 0, SEEK_END);
    int status = pcc_write_all(fd, data, size, path, error);
    if (status && start >= 0 && ftruncate(fd, start))
        return status; /* the incomplete record stays; the failure is reported anyway */
    return status;
}

static int files_flush(PccOutput *output, PccError *error)
{
    int status = pcc_write_all(output->fd, output->buffer, output->used, output->path, error);
    output->used = 0;
    return status;
}

int pcc_output_write(PccOutput *output, const void *data, size_t size, PccError *error)
{
    int status = PCC_OK;
    if (size > FILES_BUFFER - output->used)
        status = files_flush(output, error);
    if (!status && size > FILES_BUFFER) {
        status = pcc_write_all(output->fd, data, size, output->path, error);
    } else if (!status && size > 0) {
        memcpy(output->buffer + output->used, data, size);
        output->used += size;
    }
    if (status)
        pcc_output_abandon(output);
    return status;
}

static int files_sync_directory(const char *path, PccError *error)
{
    char *directory = files_directory_of(path);
    if (!directory)
        return pcc_fail_memory(error);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = PCC_OK;
    /* Some file systems cannot sync a folder (EINVAL): there the rename is all that can be done. */
    if (fd < 0 || (fsync(fd) && errno != EINVAL))
        status = pcc_fail_errno(error, "cannot sync the folder %s", directory);
    if (fd >= 0)
        close(fd);
    free(directory);
    return status;
}

static int files_finish(PccOutput *output, PccError *error)
{
    int status = files_flush(output, error);
    if (status)
        return status;
    if (output->temporary && fsync(output->fd))
        return pcc_fail_errno(error, "cannot write %s", output->path);
    int fd = output->fd;
    output->fd = -1;
    if (close(fd))
        return pcc_fail_errno(error, "cannot write %s", output->path);
    if (!output->temporary)
        return PCC_OK;
    if (rename(output->temporary, output->path))
        return pcc_fail_errno(error, "cannot rename the new file to %s", output->path);
    free(output->temporary);
    output->temporary = NULL;
    return files_sync_directory(output->path, error);
}

int pcc_output_commit(PccOutput *output, PccError *error)
{
    int status = files_finish(output, error);
    pcc_output_abandon(output);
    return status;
}

int pcc_can_write(const char *path, PccError *error)
{
    PccOutput output;
    int status = pcc_output_open(&output, path, error);
    if (!status)
        pcc_output_abandon(&output);
    return status;
}

int pcc_write_file(const char *path, const void *data, size_t size, PccError *error)
{
    PccOutput output;
    int status = pcc_output_open(&output, path, error);
    if (!status)
        status = pcc_output_write(&output, data, size, error);
    return status ? status : pcc_output_commit(&output, error);
}

int pcc_map_file(PccMapping *mapping, const char *path, PccError *error)
{
    *mapping = (PccMapping){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat file;
    if (fd < 0 || fstat(fd, &file)) {
        int status = pcc_fail_errno(error, "cannot open %s", path);
        if (fd >= 0)
            close(fd);
        return status;
    }
    int status = PCC_OK;
    if (!S_ISREG(file.st_mode)) {
        status = pcc_fail(error, PCC_ERR_INPUT, "%s is not a regular file", path);
    } else if (file.st_size > 0) {
        void *data = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = pcc_fail_errno(error, "cannot map %s", path);
        else
            *mapping = (PccMapping){data, (size_t)file.st_size};
    }
    close(fd);
    return status;
}

void pcc_unmap_file(PccMapping *mapping)
{
    if (mapping->data)
        munmap((void *)mapping->data, mapping->size);
    *mapping = (PccMapping){0};
}

int pcc_make_directory(const char *path, PccError *error)
{
    char *copy = strdup(path);
    if (!copy)
        return pcc_fail_memory(error);
    for (char *slash = copy + 1; *copy && *slash; slash++) {
        if (*slash != '/')
            continue;
        *slash = '\0';
        mkdir(copy, 0777); /* a failure shows in the last mkdir */
        *slash = '/';
    }
    free(copy);
    struct stat status;
    if (mkdir(path, 0777) && (errno != EEXIST || stat(path, &status) || !S_ISDIR(status.st_mode)))
        return pcc_fail_errno(error, "cannot create the folder %s", path);
    return PCC_OK;
}
