/* gpu.h: what NVIDIA's GPUs have: for what fits (--print memory) and what is the least time (--print roofline); and
 * what a program for one is built for. */
#ifndef PCC_IR_GPU_H
#define PCC_IR_GPU_H

#include "ir/ir.h"

/* A row a GPU: name, architecture, GiB of memory, GB/s; TFLOP/s of f64, f32, TF32, f16 and bf16; what it is.
 *
 * From NVIDIA's data sheets of T4, A10, A100, L4, L40S, H100, H200 and HGX B200, and from its white papers of Turing,
 * of the GA102, Ada and RTX Blackwell architectures. Products of 16 bits are those that add in f32, dense: data sheets
 * may print twice that, for sparse operands. f64 and f32 are without tensor cores, as pcc's kernels compute. 0: the GPU
 * has none. Memory as data sheets say it, of which some hundred MiB are the driver's; of T4 less what ECC takes. */
#define PCC_GPUS(ROW)                                                                            \
    ROW("t4", "sm_75", 15, 320, 0.25, 8.1, 0, 65, 0, "T4, 16 GB")                                \
    ROW("a10", "sm_86", 24, 600, 0.488, 31.2, 62.5, 125, 125, "A10, 24 GB")                      \
    ROW("a100-40gb", "sm_80", 40, 1555, 9.7, 19.5, 156, 312, 312, "A100 SXM, 40 GB")             \
    ROW("a100", "sm_80", 80, 2039, 9.7, 19.5, 156, 312, 312, "A100 SXM, 80 GB")                  \
    ROW("l4", "sm_89", 24, 300, 0.473, 30.3, 60, 121, 121, "L4, 24 GB")                          \
    ROW("l40s", "sm_89", 48, 864, 1.43, 91.6, 183, 362, 362, "L40S, 48 GB")                      \
    ROW("h100", "sm_90", 80, 3350, 34, 67, 494.7, 989.4, 989.4, "H100 SXM, 80 GB")               \
    ROW("h100-pcie", "sm_90", 80, 2000, 26, 51, 378, 756, 756, "H100 PCIe, 80 GB")               \
    ROW("h200", "sm_90", 141, 4800, 34, 67, 494.7, 989.4, 989.4, "H200 SXM, 141 GB")             \
    ROW("b200", "sm_100", 180, 8000, 37, 75, 1100, 2250, 2250, "B200 SXM, 180 GB")               \
    ROW("rtx3090", "sm_86", 24, 936, 0.556, 35.6, 35.6, 71.2, 71.2, "GeForce RTX 3090, 24 GB")   \
    ROW("rtx4090", "sm_89", 24, 1008, 1.29, 82.6, 82.6, 165.2, 165.2, "GeForce RTX 4090, 24 GB") \
    ROW("rtx5090", "sm_120", 32, 1792, 1.64, 104.8, 104.8, 209.5, 209.5, "GeForce RTX 5090, 32 GB")

typedef struct Gpu {
    const char *name, *architecture;  /* "h200", "sm_90" */
    int64_t memory;                   /* bytes */
    double bandwidth;                 /* bytes a second */
    double f64, f32, tf32, f16, bf16; /* FLOP a second; 0: it has none */
} Gpu;

typedef enum Library { LIBRARY_CUBLASLT = 1, LIBRARY_CUDNN = 2 } Library;

/* A row a set of libraries, as --libraries names it: name, bits of Library, what they are for. */
#define PCC_LIBRARIES(ROW)                                                                            \
    ROW("none", 0, "own kernels only")                                                                \
    ROW("cublaslt", LIBRARY_CUBLASLT, "cuBLASLt for large plain products")                            \
    ROW("cudnn", LIBRARY_CUDNN, "cuDNN for plain convolutions, by plans that it makes when pcc runs") \
    ROW("all", LIBRARY_CUBLASLT | LIBRARY_CUDNN, "both")

/* What a program is built for, and what it may call. */
typedef struct GpuBuild {
    int architecture;                           /* 90: sm_90 */
    unsigned libraries;                         /* bits of Library: that kernels may call */
    bool tf32;                                  /* libraries may round operands of f32 to TF32 */
    bool deterministic;                         /* libraries may not add in an order of their own */
    struct ConvolutionPlans *convolution_plans; /* of LIBRARY_CUDNN; else NULL */
} GpuBuild;

const Gpu *find_gpu(const char *name); /* NULL when unknown */
/* FLOP a second of products of `dtype`; in f32 where the GPU has no tensor cores for it. */
double gpu_product_rate(const Gpu *gpu, Dtype dtype);
/* Of PCC_LIBRARIES; LIBRARY_CUBLASLT where no name is given or it is unknown. */
unsigned find_libraries(const char *name);
const char *libraries_name(unsigned libraries);

#endif
