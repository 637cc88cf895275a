/* intrinsics.h: the processor's own operations, as far as the compiler's options allow them. What is left out here costs
 * a program more to compile than all of its kernels: headers of AVX-512 come with those of AVX. */
#ifndef PCC_INTRINSICS_H
#define PCC_INTRINSICS_H

#if defined(__AVX__)
#    include <immintrin.h>
#elif defined(__SSE2__)
#    include <emmintrin.h>
#elif defined(__aarch64__)
#    include <arm_neon.h>
#endif

#endif
