/* standalone.h: --standalone: the emitted program with its runtime, and nothing else to include. */
#ifndef PCC_FRONTEND_STANDALONE_H
#define PCC_FRONTEND_STANDALONE_H

#include "codegen/codegen.h"

/* A program's source files. */
typedef struct ProgramSource {
    Emitted program;
    const char *runtime; /* a C file beside it, for programs that are not C; NULL: none */
    size_t runtime_length;
} ProgramSource;

/* Headers and kernels come where they are included. The runtime's own sources come before a C program, and into a file
 * beside a CUDA program: they are C that C++ does not take. Fatal with EXIT_STATUS_IO when pcc cannot find or read
 * them. */
ProgramSource make_standalone(Arena *arena, Diagnostics *diagnostics, const Target *target, const EmitOptions *emit,
                              Emitted program);

#endif
