/* cudnn_library.h: cuDNN's entry points, found at run time. Only where pcc is built with its headers. */
#ifndef PCC_CODEGEN_CUDNN_LIBRARY_H
#define PCC_CODEGEN_CUDNN_LIBRARY_H

#include <cudnn.h>

#include "ir/ir.h"

/* The first version that plans for a GPU which is described to it. */
enum { PCC_CUDNN_LEAST_VERSION = 90800 };

#define CUDNN_ENTRIES(ENTRY)             \
    ENTRY(cudnnGetVersion)               \
    ENTRY(cudnnGetErrorString)           \
    ENTRY(cudnnBackendCreateDescriptor)  \
    ENTRY(cudnnBackendDestroyDescriptor) \
    ENTRY(cudnnBackendSetAttribute)      \
    ENTRY(cudnnBackendGetAttribute)      \
    ENTRY(cudnnBackendFinalize)

typedef struct CudnnLibrary {
#define ENTRY(name) __typeof__(name) *name;
    CUDNN_ENTRIES(ENTRY)
#undef ENTRY
} CudnnLibrary;

/* Fatal where it is not found, or is too old. */
CudnnLibrary open_cudnn(Arena *arena, Diagnostics *diagnostics);

#endif
