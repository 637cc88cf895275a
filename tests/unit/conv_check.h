/* conv_check.h: what the tests of the convolutions share: shapes, and sums in double. */
#ifndef CONV_CHECK_H
#define CONV_CHECK_H

#include "runtime/kernels/conv/conv.h"

#include "gemm_check.h"

/* Sums of the three results in double, and of the magnitudes of their terms for the error bound. */
typedef struct Expected {
    double *y, *dx, *dw, *y_bound, *dx_bound, *dw_bound;
} Expected;

static inline double *zeros(int64_t count)
{
    double *data = calloc((size_t)count + 1, sizeof(double));
    assert_non_null(data);
    return data;
}

static inline int64_t y_size(PccConv c)
{
    return pcc_conv_positions(c.n, c.out) * c.o;
}

static inline int64_t x_size(PccConv c)
{
    return pcc_conv_positions(c.n, c.in) * c.c;
}

static inline int64_t w_size(PccConv c)
{
    return c.o * (c.c / c.groups) * pcc_conv_taps(c);
}

/* The input position that tap `tap` of output position `out` (sample included) reads, or -1 for padding. */
static inline int64_t input_position(PccConv c, int64_t out, int64_t tap)
{
    int64_t at[3], t[3];
    for (int d = 2; d >= 0; d--) {
        t[d] = tap % c.kernel[d];
        tap /= c.kernel[d];
        at[d] = out % c.out[d] * c.stride[d] + t[d] * c.dilation[d] - c.pad[d];
        out /= c.out[d];
        if (at[d] < 0 || at[d] >= c.in[d])
            return -1;
    }
    return ((out * c.in[0] + at[0]) * c.in[1] + at[1]) * c.in[2] + at[2];
}

static inline void add(double *sum, double *bound, double term)
{
    *sum += term;
    *bound += fabs(term);
}

/* Where no output extent is given, ONNX's with equal padding on both sides. */
static inline PccConv with_output(PccConv c)
{
    for (int d = 0; d < 3; d++) {
        if (c.out[d] == 0)
            c.out[d] = (c.in[d] + 2 * c.pad[d] - c.dilation[d] * (c.kernel[d] - 1) - 1) / c.stride[d] + 1;
        assert_true(c.out[d] > 0);
    }
    return c;
}

/* Minimal filtering mixes results that are neighbours: an error is relative to the largest of their sums. */
static inline void allow_mixing(PccConv c, size_t element_size, double *bound, int64_t count)
{
    double most = 0;
    if (!pcc_conv_by_winograd(c, c.out, 0, element_size)) /* whatever the dtypes */
        return;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, bound[i]);
    for (int64_t i = 0; i < count; i++)
        bound[i] = most;
}

static inline PccConv conv2d(int64_t n, int64_t c, int64_t o, int64_t groups, int64_t in, int64_t kernel)
{
    return (PccConv){.n = n,
                     .c = c,
                     .o = o,
                     .groups = groups,
                     .in = {1, in, in + 2},
                     .kernel = {1, kernel, kernel},
                     .stride = {1, 1, 1},
                     .dilation = {1, 1, 1}};
}

static inline PccConv with(PccConv c, int64_t stride, int64_t dilation, int64_t pad)
{
    for (int d = 1; d < 3; d++) {
        c.stride[d] = stride;
        c.dilation[d] = dilation;
        c.pad[d] = pad;
    }
    return c;
}

#endif
