/* output_file.h: a file that appears whole or not at all. */
#ifndef PCC_FRONTEND_OUTPUT_FILE_H
#define PCC_FRONTEND_OUTPUT_FILE_H

#include "ir/ir.h"

typedef struct OutputFile OutputFile;

/* Opens a temporary file in the folder of `path`. Failures of all three are fatal with EXIT_STATUS_IO, and remove it.
 */
OutputFile *output_file_create(Arena *arena, Diagnostics *diagnostics, const char *path);
void output_file_write(OutputFile *file, const void *bytes, size_t size);
/* Syncs, closes and renames to `path`, then syncs the folder. */
void output_file_commit(OutputFile *file);

#endif
