/* optimizer_roots.h: square roots of a block in place.
 *
 * As intrinsics, because a compiler does not vectorise sqrt(), which may set errno. */
#ifndef PCC_OPTIMIZER_ROOTS_H
#define PCC_OPTIMIZER_ROOTS_H

#include "../common/intrinsics.h"
#include "../common/typed.h"

#define PCC_ROOTS 128 /* elements of a block */

#if defined(__AVX512F__)
#    define PCC_ROOT_STEP_f32(x) _mm512_storeu_ps(x, _mm512_sqrt_ps(_mm512_loadu_ps(x)))
#    define PCC_ROOT_STEP_f64(x) _mm512_storeu_pd(x, _mm512_sqrt_pd(_mm512_loadu_pd(x)))
#    define PCC_ROOT_BYTES 64
#elif defined(__AVX__)
#    define PCC_ROOT_STEP_f32(x) _mm256_storeu_ps(x, _mm256_sqrt_ps(_mm256_loadu_ps(x)))
#    define PCC_ROOT_STEP_f64(x) _mm256_storeu_pd(x, _mm256_sqrt_pd(_mm256_loadu_pd(x)))
#    define PCC_ROOT_BYTES 32
#elif defined(__SSE2__)
#    define PCC_ROOT_STEP_f32(x) _mm_storeu_ps(x, _mm_sqrt_ps(_mm_loadu_ps(x)))
#    define PCC_ROOT_STEP_f64(x) _mm_storeu_pd(x, _mm_sqrt_pd(_mm_loadu_pd(x)))
#    define PCC_ROOT_BYTES 16
#else
#    define PCC_ROOT_STEP_f32(x) (*(x) = __builtin_sqrtf(*(x)))
#    define PCC_ROOT_STEP_f64(x) (*(x) = __builtin_sqrt(*(x)))
#    define PCC_ROOT_BYTES sizeof(*x)
#endif

PCC_KERNEL void pcc_roots_f32(float x[PCC_ROOTS])
{
    for (size_t i = 0; i < PCC_ROOTS; i += PCC_ROOT_BYTES / sizeof(*x))
        PCC_ROOT_STEP_f32(x + i);
}

PCC_KERNEL void pcc_roots_f64(double x[PCC_ROOTS])
{
    for (size_t i = 0; i < PCC_ROOTS; i += PCC_ROOT_BYTES / sizeof(*x))
        PCC_ROOT_STEP_f64(x + i);
}

#endif
