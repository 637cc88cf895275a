/* toolchain.h: the system's C compiler and the runtime that emitted programs are built with. */
#ifndef PCC_FRONTEND_TOOLCHAIN_H
#define PCC_FRONTEND_TOOLCHAIN_H

#include "ir/ir.h"

/* Where pcc's own files are: beside the executable in a build tree, under its prefix once installed. NULL: not found.
 */
typedef struct RuntimeFiles {
    const char *include; /* holds pcc/pcc.h */
    const char *library; /* libpcc-runtime.a */
    const char *sources; /* the runtime's .c and .h files, for --standalone */
} RuntimeFiles;

RuntimeFiles find_runtime(Arena *arena);

typedef enum Product { PRODUCT_EXECUTABLE, PRODUCT_ARCHIVE, PRODUCT_SHARED } Product;

typedef struct BuildRequest {
    const char *source, *output;
    const char *runtime_source; /* a C file that belongs to it; NULL: none */
    Product product;
    bool standalone;       /* the sources hold the runtime */
    bool verbose;          /* print the commands */
    bool cuda;             /* the source is CUDA C++ */
    bool emulated;         /* of cuda: a program for the CPU, under the emulator */
    const char *gpu_arch;  /* of cuda: "sm_80,sm_90"; NULL: sm_90 */
    const char *libraries; /* linked besides the runtime: "-lcublasLt"; NULL: none */
} BuildRequest;

/* Runs $CC (cc) -O3 -march=native -fopenmp $CFLAGS or, for CUDA, $NVCC (nvcc) -O3 -std=c++17 -gencode ... $NVCCFLAGS.
 * The compiler's messages go to stderr. A compiler that is missing is EXIT_STATUS_IO, one that fails
 * EXIT_STATUS_INTERNAL. */
void build_program(Arena *arena, Diagnostics *diagnostics, const BuildRequest *request);

#endif
