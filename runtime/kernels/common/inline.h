/* inline.h: how the functions of kernels are declared: for C compilers, and for CUDA C++ on host and device. */
#ifndef PCC_INLINE_H
#define PCC_INLINE_H

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
#    define PCC_KERNEL static inline __attribute__((always_inline, unused))
/* Shared by all instances in one program: compiled once, and not at all where unused. */
#    define PCC_SHARED static __attribute__((noinline, unused)) PCC_UNCLONED
/* For elementary functions, which are called in vectorised loops. */
#    define PCC_INLINE static inline __attribute__((always_inline))
#endif

/* What an emitted step() calls: inlined into it, functions cost compilers a third of their time and gain nothing. */
#define PCC_NODE_FUNCTION static __attribute__((noinline))

#endif
