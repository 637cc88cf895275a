/* random_in_c.c: see random_in_c.h. */
#define PCC_NARROW
#include "random_in_c.h"

#include "runtime/kernels/random/dropout.h"

void c_dropout_f32(int64_t n, double ratio, int64_t node, const float *x, float *y, uint8_t *mask, PccStep *s)
{
    pcc_dropout_f32(n, ratio, node, x, y, mask, s);
}

void c_dropout_f64(int64_t n, double ratio, int64_t node, const double *x, double *y, uint8_t *mask, PccStep *s)
{
    pcc_dropout_f64(n, ratio, node, x, y, mask, s);
}

void c_random_uniform_f32(int64_t n, double low, double high, int64_t node, float *y, PccStep *s)
{
    pcc_random_uniform_f32(n, low, high, node, y, s);
}

void c_random_uniform_f64(int64_t n, double low, double high, int64_t node, double *y, PccStep *s)
{
    pcc_random_uniform_f64(n, low, high, node, y, s);
}

void c_random_uniform_narrow(int64_t n, double low, double high, int64_t node, void *y, PccDtype dtype, PccStep *s)
{
    pcc_random_uniform_narrow(n, low, high, node, (PccOut){y, dtype}, s);
}

void c_random_normal_f32(int64_t n, double mean, double scale, int64_t node, float *y, PccStep *s)
{
    pcc_random_normal_f32(n, mean, scale, node, y, s);
}

void c_random_normal_f64(int64_t n, double mean, double scale, int64_t node, double *y, PccStep *s)
{
    pcc_random_normal_f64(n, mean, scale, node, y, s);
}
