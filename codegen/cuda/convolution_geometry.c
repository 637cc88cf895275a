/* convolution_geometry.c: where the elements of a convolution lie, in the words of cuDNN. */
#include "codegen/cuda/convolution_plans.h"

/* A depth of 1 that no window moves along is left out: most convolutions are of two dimensions. */
static bool is_flat(const PccConv *c)
{
    return c->in[0] == 1 && c->out[0] == 1 && c->kernel[0] == 1 && c->pad[0] == 0;
}

/* [n, channels, space] with the channels last in memory. */
static void set_channels_last(int64_t *dims, int64_t *strides, int space)
{
    int64_t stride = dims[1];
    strides[1] = 1;
    for (int d = space + 1; d >= 2; d--) {
        strides[d] = stride;
        stride *= dims[d];
    }
    strides[0] = stride;
}

static void set_dense(const int64_t *dims, int64_t *strides, int rank)
{
    int64_t stride = 1;
    for (int d = rank - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= dims[d];
    }
}

/* As much as before, if the output is the same then, for which there are more algorithms; else what it reads. */
static int64_t padding_after(const PccConv *c, int d)
{
    const int64_t reach = c->dilation[d] * (c->kernel[d] - 1) + 1, free = c->in[d] + 2 * c->pad[d] - reach;
    const int64_t read = (c->out[d] - 1) * c->stride[d] + reach - c->in[d] - c->pad[d];
    if (free >= 0 && free / c->stride[d] + 1 == c->out[d])
        return c->pad[d];
    return read > 0 ? read : 0;
}

ConvolutionGeometry convolution_geometry(const PccConv *c)
{
    const int first = is_flat(c), space = 3 - first;
    ConvolutionGeometry g = {.rank = space + 2, .space = space};
    const int64_t outer[3][2] = {{c->n, c->c}, {c->o, c->c / c->groups}, {c->n, c->o}};
    for (int i = 0; i < 3; i++) {
        g.dims[i][0] = outer[i][0];
        g.dims[i][1] = outer[i][1];
    }
    for (int d = 0; d < space; d++) {
        g.dims[0][d + 2] = c->in[first + d];
        g.dims[1][d + 2] = c->kernel[first + d];
        g.dims[2][d + 2] = c->out[first + d];
        g.before[d] = c->pad[first + d];
        g.after[d] = padding_after(c, first + d);
        g.stride[d] = c->stride[first + d];
        g.dilation[d] = c->dilation[first + d];
    }
    set_channels_last(g.dims[0], g.strides[0], space);
    set_dense(g.dims[1], g.strides[1], g.rank);
    set_channels_last(g.dims[2], g.strides[2], space);
    return g;
}
