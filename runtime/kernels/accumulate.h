/* accumulate.h: gradients summed over the micro-batches of an update. */
#ifndef PCC_ACCUMULATE_H
#define PCC_ACCUMULATE_H

#include "../program.h"

#define PCC_DEFINE_ACCUMULATE(T, SUFFIX)                                                                             \
    static inline                                                                                                    \
        __attribute__((always_inline)) void pcc_accumulate_##SUFFIX(int64_t n, const T *x, T *sum, const PccStep *s) \
    {                                                                                                                \
        const bool first = s->micro == 0;                                                                            \
        _Pragma("omp parallel for simd schedule(static)") for (int64_t i = 0; i < n; i++) sum[i] =                   \
            first ? x[i] : sum[i] + x[i];                                                                            \
    }

/* sum[n] = x[n] in the first micro-batch (s->micro == 0), sum + x in the others. */
PCC_DEFINE_ACCUMULATE(float, f32)
PCC_DEFINE_ACCUMULATE(double, f64)

#undef PCC_DEFINE_ACCUMULATE

#endif
