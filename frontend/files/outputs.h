/* outputs.h: the files of one compile, which appear together or not at all. */
#ifndef PCC_FRONTEND_OUTPUTS_H
#define PCC_FRONTEND_OUTPUTS_H

#include "ir/ir.h"

enum { MAX_OUTPUTS = 5 };

typedef struct Outputs {
    Arena *arena;
    Diagnostics *diagnostics;
    struct {
        const char *path, *temporary; /* temporary == path for a device or pipe, which is written directly */
    } files[MAX_OUTPUTS];
    int count;
} Outputs;

/* Makes an empty temporary file in the folder of `path` and returns its name, for the caller to fill. Failures of all
 * of these are fatal with EXIT_STATUS_IO; the caller of the compile then calls outputs_abandon(). */
const char *outputs_stage(Outputs *outputs, const char *path);
void outputs_write(Outputs *outputs, const char *path, const void *bytes, size_t size); /* "-": the standard output */
void outputs_make_executable(Outputs *outputs, const char *temporary);
/* Renames every staged file to its path, in the order in which they were staged. */
void outputs_commit(Outputs *outputs);
/* Removes what was staged and not committed. */
void outputs_abandon(Outputs *outputs);

#endif
