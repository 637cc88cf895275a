/* gpu.c: the tables of GPUs and of their libraries. */
#include "ir/target/gpu.h"

#include <string.h>

static const Gpu gpus[] = {
#define GPU_ROW(NAME, ARCHITECTURE, GIB, GBPS, F64, F32, TF32, F16, BF16, HELP) \
    {NAME,       ARCHITECTURE, (int64_t)(GIB) << 30, (GBPS)*1e9, (F64)*1e12,    \
     (F32)*1e12, (TF32)*1e12,  (F16)*1e12,           (BF16)*1e12},
    PCC_GPUS(GPU_ROW)
#undef GPU_ROW
};

const Gpu *find_gpu(const char *name)
{
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++)
        if (strcmp(gpus[i].name, name) == 0)
            return &gpus[i];
    return NULL;
}

double gpu_product_rate(const Gpu *gpu, Dtype dtype)
{
    const double narrow = dtype == DTYPE_F16 ? gpu->f16 : dtype == DTYPE_BF16 ? gpu->bf16 : 0;
    return narrow > 0 ? narrow : dtype == DTYPE_F64 ? gpu->f64 : gpu->f32;
}

static const struct {
    const char *name;
    unsigned libraries;
} library_sets[] = {
#define LIBRARY_ROW(NAME, LIBRARIES, HELP) {NAME, LIBRARIES},
    PCC_LIBRARIES(LIBRARY_ROW)
#undef LIBRARY_ROW
};
enum { LIBRARY_SETS = sizeof library_sets / sizeof *library_sets };

unsigned find_libraries(const char *name)
{
    for (int i = 0; i < LIBRARY_SETS && name; i++)
        if (strcmp(library_sets[i].name, name) == 0)
            return library_sets[i].libraries;
    return LIBRARY_CUBLASLT;
}

const char *libraries_name(unsigned libraries)
{
    for (int i = 0; i < LIBRARY_SETS; i++)
        if (library_sets[i].libraries == libraries)
            return library_sets[i].name;
    return NULL;
}
