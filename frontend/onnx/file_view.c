/* file_view.c: mapping regular files, reading the others. */
#include "frontend/onnx/file_view.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t max_stream_bytes = (size_t)2 << 30;

static int map_file(int descriptor, size_t size, FileView *view)
{
    *view = (FileView){.size = size, .mapped = true};
    if (size == 0) {
        return 0;
    }
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED) {
        view->size = 0;
        return errno;
    }
    view->bytes = bytes;
    return 0;
}

static int read_stream(int descriptor, FileView *view)
{
    uint8_t *bytes = NULL;
    size_t size = 0, capacity = 0;
    for (;;) {
        if (size == capacity) {
            capacity = capacity ? capacity * 2 : 1 << 16;
            uint8_t *larger = capacity > max_stream_bytes ? NULL : realloc(bytes, capacity);
            if (!larger) {
                free(bytes);
                return EFBIG;
            }
            bytes = larger;
        }
        ssize_t count = read(descriptor, bytes + size, capacity - size);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            int status = count < 0 ? errno : 0;
            *view = (FileView){.bytes = bytes, .size = size};
            if (status) {
                file_view_close(view);
            }
            return status;
        }
        size += (size_t)count;
    }
}

int file_view_open(int descriptor, FileView *view)
{
    *view = (FileView){0};
    struct stat status;
    if (fstat(descriptor, &status)) {
        return errno;
    }
    if (S_ISREG(status.st_mode)) {
        return map_file(descriptor, (size_t)status.st_size, view);
    }
    return read_stream(descriptor, view);
}

void file_view_close(FileView *view)
{
    if (view->mapped && view->bytes) {
        munmap((void *)(uintptr_t)view->bytes, view->size);
    } else if (!view->mapped) {
        free((void *)(uintptr_t)view->bytes);
    }
    *view = (FileView){0};
}
