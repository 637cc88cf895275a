/* conv_case.cuh: what the tests of convolutions share: shapes, sums in double, all three kernels on one shape. */
#ifndef CONV_CASE_CUH
#define CONV_CASE_CUH

#include "product_check.cuh"

#include <pcc/kernels/conv/conv.cuh>

/* ONNX's output extent with equal padding on both sides. */
static PccConv with_output(PccConv c)
{
    for (int d = 0; d < 3; d++) {
        const int64_t reach = c.in[d] + 2 * c.pad[d] - c.dilation[d] * (c.kernel[d] - 1) - 1;
        c.out[d] = reach < 0 ? 0 : reach / c.stride[d] + 1;
    }
    return c;
}

static PccConv conv2d(int64_t n, int64_t channels, int64_t filters, int64_t groups, int64_t size, int64_t kernel)
{
    return {n, channels, filters, groups, {1, size, size + 1}, {}, {1, kernel, kernel}, {}, {}, {}};
}

static PccConv with(PccConv c, int64_t stride, int64_t dilation, int64_t pad)
{
    for (int d = 0; d < 3; d++) {
        c.stride[d] = d ? stride : 1;
        c.dilation[d] = d ? dilation : 1;
        c.pad[d] = d ? pad : 0;
    }
    return with_output(c);
}

static int64_t x_size(PccConv c)
{
    return pcc_conv_positions(c.n, c.in) * c.c;
}

static int64_t y_size(PccConv c)
{
    return pcc_conv_positions(c.n, c.out) * c.o;
}

static int64_t w_size(PccConv c)
{
    return c.o * (c.c / c.groups) * pcc_conv_taps(c);
}

/* The input position that tap `tap` of output position `out` (sample included) reads, or -1 for padding. */
static int64_t input_position(PccConv c, int64_t out, int64_t tap)
{
    int64_t at[3];
    for (int d = 2; d >= 0; d--) {
        at[d] = out % c.out[d] * c.stride[d] + tap % c.kernel[d] * c.dilation[d] - c.pad[d];
        tap /= c.kernel[d];
        out /= c.out[d];
        if (at[d] < 0 || at[d] >= c.in[d])
            return -1;
    }
    return ((out * c.in[0] + at[0]) * c.in[1] + at[1]) * c.in[2] + at[2];
}

struct ConvSums {
    Sums y, dx, dw;

    ConvSums(PccConv c, const std::vector<double> &x, const std::vector<double> &w, const std::vector<double> &dy)
        : y(y_size(c)), dx(x_size(c)), dw(w_size(c))
    {
        const int64_t channels = c.c / c.groups, filters = c.o / c.groups, taps = pcc_conv_taps(c);
        for (int64_t p = 0; p < pcc_conv_positions(c.n, c.out); p++)
            for (int64_t tap = 0; tap < taps; tap++) {
                const int64_t q = input_position(c, p, tap);
                for (int64_t o = 0; q >= 0 && o < c.o; o++)
                    for (int64_t i = 0; i < channels; i++) {
                        const int64_t at = q * c.c + o / filters * channels + i, to = p * c.o + o;
                        const int64_t weight = (o * channels + i) * taps + tap;
                        y.add(to, x[(size_t)at] * w[(size_t)weight]);
                        dx.add(at, dy[(size_t)to] * w[(size_t)weight]);
                        dw.add(weight, dy[(size_t)to] * x[(size_t)at]);
                    }
            }
    }
};

/* All three kernels on one shape; activations are X's, weights W's. */
template <class T, class X, class W = X> struct Computed {
    Operand<X> x, dy;
    Operand<W> w;
    Result<T> y, dx;
    Device<W> dw;

    Computed(PccConv c, CudaStep &step)
        : x(x_size(c), 1), dy(y_size(c), 3), w(w_size(c), 2), y(pcc_conv_positions(c.n, c.out), c.o),
          dx(pcc_conv_positions(c.n, c.in), c.c), dw(w_size(c))
    {
        const size_t forward = pcc_cuda_conv_scratch_bytes(c, sizeof(T));
        const size_t input = pcc_cuda_conv_grad_input_scratch_bytes(c, sizeof(T));
        const size_t weight = pcc_cuda_conv_grad_weight_scratch_bytes(c, sizeof(T));
        Device<unsigned char> a((int64_t)forward), b((int64_t)input), d((int64_t)weight);
        pcc_conv<T>(c, x.at(), w.at(), forward ? a.at() : nullptr, y.epilogue(), step.get());
        pcc_conv_grad_input<T>(c, dy.at(), w.at(), input ? b.at() : nullptr, dx.epilogue(), step.get());
        pcc_conv_grad_weight<T>(c, x.at(), dy.at(), dw.at(), weight ? d.at() : nullptr, step.get());
        step.finish();
    }

    std::vector<unsigned char> bits() const
    {
        std::vector<unsigned char> all = y.y.bits();
        append(all, dx.y.bits());
        append(all, dw.bits());
        return all;
    }
};

template <class T, class X, class W = X> static void check(PccConv c)
{
    CudaStep step;
    const Computed<T, X, W> got(c, step);
    const ConvSums want(c, got.x.values, got.w.values, got.dy.values);
    got.y.expect_each_once();
    got.dx.expect_each_once();
    const int64_t taps = pcc_conv_taps(c);
    want.y.expect<T, T>(got.y.y.read(), taps * c.c / c.groups, "y");
    want.dx.expect<T, T>(got.dx.y.read(), taps * c.o / c.groups, "dx");
    want.dw.expect<T, W>(got.dw.read(), pcc_conv_positions(c.n, c.out), "dw");
}

static inline void check_all(PccConv c)
{
    check<float, PccBf16>(c);
    check<float, PccBf16, float>(c);
    check<double, double>(c);
}

#endif
