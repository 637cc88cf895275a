/* external_data.c: opening external data files safely, once each. */
#include "frontend/onnx/external_data.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "frontend/onnx/file_view.h"
#include "frontend/onnx/sha1.h"

typedef struct ExternalFile {
    const char *location;
    FileView view;
    char sha1[SHA1_HEX_BYTES]; /* "" until a checksum asks for it */
    struct ExternalFile *next;
} ExternalFile;

struct ExternalFiles {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *folder; /* of the model, with its slash, or "" */
    ExternalFile *first;
    const char **paths;
    int path_count, path_capacity;
};

ExternalFiles *external_files_create(Arena *arena, Diagnostics *diagnostics, const char *model_path)
{
    ExternalFiles *files = NEW(arena, ExternalFiles);
    const char *slash = strrchr(model_path, '/');
    *files = (ExternalFiles){.arena = arena, .diagnostics = diagnostics, .folder = ""};
    if (slash) {
        files->folder = arena_strndup(arena, model_path, (size_t)(slash - model_path) + 1);
    }
    return files;
}

void external_files_close(ExternalFiles *files)
{
    for (ExternalFile *file = files->first; file; file = file->next) {
        file_view_close(&file->view);
    }
    files->first = NULL;
}

int external_files_list(const ExternalFiles *files, const char *const **paths)
{
    *paths = files->paths;
    return files->path_count;
}

/* What openat2 does, one path component at a time, for kernels before 5.6. */
static int open_by_component(int folder, const char *location)
{
    if (*location == '/') {
        errno = EXDEV;
        return -1;
    }
    int directory = dup(folder);
    while (directory >= 0) {
        size_t length = strcspn(location, "/");
        char component[256];
        bool last = location[length] == '\0';
        bool upward = length == 2 && strncmp(location, "..", 2) == 0;
        int descriptor = -1;
        errno = upward ? EXDEV : ENAMETOOLONG;
        if (!upward && length < sizeof component) {
            memcpy(component, location, length);
            component[length] = '\0';
            int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? 0 : O_DIRECTORY);
            descriptor = openat(directory, length ? component : ".", flags);
        }
        int status = errno;
        close(directory);
        errno = status;
        if (last) {
            return descriptor;
        }
        directory = descriptor;
        location += length + 1;
    }
    return -1;
}

static int open_beneath(int folder, const char *location)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int descriptor = (int)syscall(SYS_openat2, folder, location, &how, sizeof how);
    if (descriptor < 0 && (errno == ENOSYS || errno == EPERM)) {
        descriptor = open_by_component(folder, location);
    }
    return descriptor;
}

static const char *open_failure(int status)
{
    switch (status) {
    case EXDEV:
        return "it leads out of the model's folder";
    case ELOOP:
        return "it goes through a symbolic link";
    default:
        return strerror(status);
    }
}

static _Noreturn void refuse(const ExternalFiles *files, Origin origin, const char *location, ExitStatus status,
                             const char *why)
{
    fatal(files->diagnostics, status, origin, "external data file '%s' cannot be used: %s", location, why);
}

/* Takes the view of an open file after checking what kind of file it is; NULL, or why not. */
static const char *view_regular_file(int descriptor, FileView *view)
{
    struct stat status;
    if (fstat(descriptor, &status)) {
        return strerror(errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return "it is not a regular file";
    }
    if (status.st_nlink != 1) {
        return "it has more than one hard link; copy it beside the model";
    }
    int failure = file_view_open(descriptor, view);
    return failure ? strerror(failure) : NULL;
}

static void remember_path(ExternalFiles *files, const char *location)
{
    if (files->path_count == files->path_capacity) {
        int capacity = files->path_capacity ? 2 * files->path_capacity : 4;
        const char **paths = NEW_ARRAY(files->arena, const char *, capacity);
        for (int i = 0; i < files->path_count; i++) {
            paths[i] = files->paths[i];
        }
        files->paths = paths;
        files->path_capacity = capacity;
    }
    files->paths[files->path_count++] = arena_printf(files->arena, "%s%s", files->folder, location);
}

static ExternalFile *open_external(ExternalFiles *files, Origin origin, const char *location)
{
    for (ExternalFile *file = files->first; file; file = file->next) {
        if (strcmp(file->location, location) == 0) {
            return file;
        }
    }
    int folder = open(*files->folder ? files->folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int descriptor = folder < 0 ? -1 : open_beneath(folder, location);
    int failure = errno;
    if (folder >= 0) {
        close(folder);
    }
    if (descriptor < 0) {
        bool hostile = failure == EXDEV || failure == ELOOP;
        refuse(files, origin, location, hostile ? EXIT_STATUS_INPUT : EXIT_STATUS_IO, open_failure(failure));
    }
    FileView view;
    const char *wrong = view_regular_file(descriptor, &view);
    close(descriptor);
    if (wrong) {
        refuse(files, origin, location, EXIT_STATUS_INPUT, wrong);
    }
    ExternalFile *file = NEW(files->arena, ExternalFile);
    *file = (ExternalFile){
        .location = arena_strndup(files->arena, location, strlen(location)), .view = view, .next = files->first};
    files->first = file;
    remember_path(files, location);
    return file;
}

/* A decimal number without sign; false when it is none or passes 2^63. */
static bool parse_size(const char *text, uint64_t *value)
{
    *value = 0;
    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || *value > (INT64_MAX - 9) / 10) {
            return false;
        }
        *value = *value * 10 + (uint64_t)(*text - '0');
    }
    return true;
}

typedef struct Location {
    const char *file, *checksum; /* checksum: NULL when it is not given */
    bool has_length;
    uint64_t offset, length; /* bytes */
} Location;

static Location read_location(const ExternalFiles *files, Origin origin, const Onnx__TensorProto *tensor)
{
    Location location = {0};
    for (size_t i = 0; i < tensor->n_external_data; i++) {
        const char *key = tensor->external_data[i]->key ? tensor->external_data[i]->key : "";
        const char *value = tensor->external_data[i]->value ? tensor->external_data[i]->value : "";
        bool valid = true;
        if (strcmp(key, "location") == 0) {
            location.file = value;
        } else if (strcmp(key, "offset") == 0) {
            valid = parse_size(value, &location.offset);
        } else if (strcmp(key, "length") == 0) {
            valid = location.has_length = parse_size(value, &location.length);
        } else if (strcmp(key, "checksum") == 0) {
            location.checksum = value;
        } else {
            fatal(files->diagnostics, EXIT_STATUS_INPUT, origin,
                  "external data has the key '%s'; only location, offset, length and checksum are defined", key);
        }
        if (!valid) {
            fatal(files->diagnostics, EXIT_STATUS_INPUT, origin,
                  "external data has %s '%s', which is not a number of bytes", key, value);
        }
    }
    if (!location.file || !*location.file) {
        fatal(files->diagnostics, EXIT_STATUS_INPUT, origin, "external data has no location");
    }
    return location;
}

/* ONNX: the SHA1 digest of the whole file. In hexadecimal, as such digests are written; ONNX does not say. */
static void check_digest(const ExternalFiles *files, Origin origin, ExternalFile *file, const char *checksum)
{
    if (!*file->sha1) {
        sha1_hex(file->view.bytes, file->view.size, file->sha1);
    }
    if (strcasecmp(file->sha1, checksum) != 0) {
        fatal(files->diagnostics, EXIT_STATUS_INPUT, origin,
              "external data file '%s' has the SHA1 checksum %s, but the model says '%s': one of them is damaged",
              file->location, file->sha1, checksum);
    }
}

const uint8_t *external_payload(ExternalFiles *files, Origin origin, const Onnx__TensorProto *tensor, size_t bytes)
{
    Location location = read_location(files, origin, tensor);
    if (location.has_length && location.length != bytes) {
        fatal(files->diagnostics, EXIT_STATUS_INPUT, origin,
              "external data has length %" PRIu64 ", but the tensor's type needs %zu bytes", location.length, bytes);
    }
    ExternalFile *file = open_external(files, origin, location.file);
    const FileView *view = &file->view;
    if (location.checksum) {
        check_digest(files, origin, file, location.checksum);
    }
    if (bytes > view->size || location.offset > view->size - bytes) {
        fatal(files->diagnostics, EXIT_STATUS_INPUT, origin,
              "external data file '%s' has %zu bytes, but the tensor needs %zu at offset %" PRIu64, location.file,
              view->size, bytes, location.offset);
    }
    return bytes ? view->bytes + location.offset : (const uint8_t *)"";
}
