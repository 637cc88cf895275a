/* random_in_c.h: the C target's kernels of dropout.h, for tests in C++ that compare with them. */
#ifndef PCC_RANDOM_IN_C_H
#define PCC_RANDOM_IN_C_H

#include "runtime/program.h"

#ifdef __cplusplus
extern "C" {
#endif

void c_dropout_f32(int64_t n, double ratio, int64_t node, const float *x, float *y, uint8_t *mask, PccStep *s);
void c_dropout_f64(int64_t n, double ratio, int64_t node, const double *x, double *y, uint8_t *mask, PccStep *s);
void c_random_uniform_f32(int64_t n, double low, double high, int64_t node, float *y, PccStep *s);
void c_random_uniform_f64(int64_t n, double low, double high, int64_t node, double *y, PccStep *s);
/* y is stored as dtype, which is PCC_BF16 or PCC_F16. */
void c_random_uniform_narrow(int64_t n, double low, double high, int64_t node, void *y, PccDtype dtype, PccStep *s);
void c_random_normal_f32(int64_t n, double mean, double scale, int64_t node, float *y, PccStep *s);
void c_random_normal_f64(int64_t n, double mean, double scale, int64_t node, double *y, PccStep *s);

#ifdef __cplusplus
}
#endif

#endif
