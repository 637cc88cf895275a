/* inline.h: how the functions of kernels are declared: for C compilers, and for CUDA C++ on host and device. */
#ifndef PCC_INLINE_H
#define PCC_INLINE_H

/* clang believes that the loop buffers of Zen 3 and later hold 4096 operations, and unrolls every loop by 8 for them,
 * vectorised ones too: that gains nothing and doubles a program's size and the time that it takes to compile. For Zen 2
 * it does not, and schedules otherwise alike. Instructions are still chosen by -march. */
#if defined(__clang__) && (defined(__tune_znver3__) || defined(__tune_znver4__) || defined(__tune_znver5__))
#    define PCC_TUNED __attribute__((target("tune=znver2")))
#else
#    define PCC_TUNED
#endif

/* GCC copies a function for the constants that one of its callers passes, a register tile of 14 KB too. */
#if defined(__GNUC__) && !defined(__clang__)
#    define PCC_UNCLONED __attribute__((noclone))
#else
#    define PCC_UNCLONED
#endif

#ifdef __cplusplus
#    include <cuda_runtime.h> /* __host__, __device__ */
#    ifdef PCC_EMULATED
#        include <pcc_emulator.h> /* which takes their meaning from them */
#    endif
#    define PCC_KERNEL static __host__ __device__ __forceinline__
#    define PCC_SHARED static __host__ __device__ __forceinline__
#    define PCC_INLINE static __host__ __device__ __forceinline__
#else
#    define PCC_KERNEL PCC_TUNED static inline __attribute__((always_inline, unused))
/* Shared by all instances in one program: compiled once, and not at all where unused. */
#    define PCC_SHARED PCC_TUNED static __attribute__((noinline, unused)) PCC_UNCLONED
/* The work of a parallel region. clang makes the region itself a function that PCC_TUNED does not reach. */
#    ifdef __clang__
#        define PCC_REGION PCC_SHARED
#    else
#        define PCC_REGION PCC_KERNEL
#    endif
/* For elementary functions, which are called in vectorised loops. */
#    define PCC_INLINE PCC_TUNED static inline __attribute__((always_inline))
#endif

/* What an emitted step() calls: inlined into it, functions cost compilers a third of their time and gain nothing. */
#define PCC_NODE_FUNCTION PCC_TUNED static __attribute__((noinline))

#endif
