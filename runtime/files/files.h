/* files.h: reading and writing whole files. A written file is either complete or not there: everything goes to a
 * temporary name in the same folder, is synced, renamed over the target, and the folder is synced. */
#ifndef PCC_FILES_H
#define PCC_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "../error.h"

typedef struct PccOutput {
    int fd;
    char *path;      /* as given, symbolic links resolved */
    char *temporary; /* NULL when the target is a device or pipe, which is written directly */
    unsigned char *buffer;
    size_t used;
} PccOutput;

/* After a failure of any of these the output is removed: nothing to close, no temporary file left. */
int pcc_output_open(PccOutput *output, const char *path, PccError *error);
int pcc_output_write(PccOutput *output, const void *data, size_t size, PccError *error);
int pcc_output_commit(PccOutput *output, PccError *error);
void pcc_output_abandon(PccOutput *output);

/* Whether a file of that name can be created; creates none. */
int pcc_can_write(const char *path, PccError *error);

/* A whole file at once. */
int pcc_write_file(const char *path, const void *data, size_t size, PccError *error);

/* Writes all of data to an open descriptor; errors name path. */
int pcc_write_all(int fd, const void *data, size_t size, const char *path, PccError *error);

/* Appends a record to a file: on failure the record is truncated where the file allows it, so that a full disk leaves
 * only whole records. */
int pcc_append(int fd, const void *data, size_t size, const char *path, PccError *error);

/* A read-only mapping of a regular file; data is NULL when the file is empty. */
typedef struct PccMapping {
    const unsigned char *data;
    size_t size;
} PccMapping;

int pcc_map_file(PccMapping *mapping, const char *path, PccError *error);
void pcc_unmap_file(PccMapping *mapping);

/* mkdir -p */
int pcc_make_directory(const char *path, PccError *error);

/* "directory/name" in new memory, NULL when there is none. */
char *pcc_join_path(const char *directory, const char *name);
bool pcc_file_exists(const char *path);

#endif
