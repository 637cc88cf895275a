/* cudnn_convolve.cpp: what cuDNN's convolutions compute, with sums in double that are rounded to f32 and then stored.
 */
#if __has_include(<cudnn.h>)

#    include <cuda_bf16.h>
#    include <cuda_fp16.h>

#    include "cudnn_objects.h"

int64_t element_bytes(cudnnDataType_t type)
{
    return type == CUDNN_DATA_FLOAT ? 4 : 2;
}

static double read(cudnnDataType_t type, const void *from, int64_t i)
{
    if (type == CUDNN_DATA_BFLOAT16)
        return (double)__bfloat162float(((const __nv_bfloat16 *)from)[i]);
    if (type == CUDNN_DATA_HALF)
        return (double)__half2float(((const __half *)from)[i]);
    return (double)((const float *)from)[i];
}

static void write(cudnnDataType_t type, void *to, int64_t i, double x)
{
    if (type == CUDNN_DATA_BFLOAT16)
        ((__nv_bfloat16 *)to)[i] = __float2bfloat16_rn((float)x);
    else if (type == CUDNN_DATA_HALF)
        ((__half *)to)[i] = __float2half_rn((float)x);
    else
        ((float *)to)[i] = (float)x;
}

/* One of the three, as doubles in the order of its dims. */
class Numbers
{
  public:
    explicit Numbers(const Tensor &tensor) : tensor_(tensor), numbers_(1)
    {
        size_t count = 1;
        for (int64_t dim : tensor.dims)
            count *= (size_t)dim;
        numbers_.assign(count, 0.0);
    }

    void load(const void *from)
    {
        for_each([&](int64_t place, double &number) { number = read(tensor_.type, from, place); });
    }

    void store(void *to)
    {
        for_each([&](int64_t place, double &number) { write(tensor_.type, to, place, number); });
    }

    double &at(int64_t outer, int64_t channel, const std::vector<int64_t> &position)
    {
        int64_t i = outer * tensor_.dims[1] + channel;
        for (size_t d = 0; d < position.size(); d++)
            i = i * tensor_.dims[d + 2] + position[d];
        return numbers_[(size_t)i];
    }

  private:
    const Tensor &tensor_;
    std::vector<double> numbers_;

    template <class Visit> void for_each(Visit visit)
    {
        std::vector<int64_t> index(tensor_.dims.size(), 0);
        for (double &number : numbers_) {
            int64_t place = 0;
            for (size_t d = 0; d < index.size(); d++)
                place += index[d] * tensor_.strides[d];
            visit(place, number);
            for (size_t d = index.size(); d-- > 0 && ++index[d] == tensor_.dims[d];)
                index[d] = 0;
        }
    }
};

/* The next position of a grid; false: there is none. */
static bool next(std::vector<int64_t> &position, const int64_t *dims)
{
    for (size_t d = position.size(); d-- > 0;) {
        if (++position[d] < dims[d])
            return true;
        position[d] = 0;
    }
    return false;
}

static bool find_source(const Convolution &c, const std::vector<int64_t> &out, const std::vector<int64_t> &tap,
                        std::vector<int64_t> &in)
{
    bool is_inside = true;
    for (size_t d = 0; d < in.size(); d++) {
        in[d] = out[d] * c.stride[d] + tap[d] * c.dilation[d] - c.before[d];
        is_inside &= in[d] >= 0 && in[d] < c.x.dims[d + 2];
    }
    return is_inside;
}

/* Visits all products x[n, i, in] w[o, i of the group, tap] of y[n, o, out]. */
template <class Visit> static void for_each_product(const Convolution &c, Visit visit)
{
    const int64_t channels = c.w.dims[1], filters = c.w.dims[0] / (c.x.dims[1] / channels);
    std::vector<int64_t> out(c.before.size(), 0), tap(out), in(out);
    do
        do
            if (find_source(c, out, tap, in))
                for (int64_t n = 0; n < c.y.dims[0]; n++)
                    for (int64_t o = 0; o < c.y.dims[1]; o++)
                        for (int64_t i = 0; i < channels; i++)
                            visit(n, o, o / filters * channels + i, i, out, tap, in);
        while (next(tap, &c.w.dims[2]));
    while (next(out, &c.y.dims[2]));
}

void convolve(const Convolution &c, const void *x, const void *w, const void *y)
{
    typedef const std::vector<int64_t> &Place;
    Numbers in(c.x), weights(c.w), out(c.y);
    const bool is_input = c.operation.find("BACKWARD_DATA") != std::string::npos;
    const bool is_weight = c.operation.find("BACKWARD_FILTER") != std::string::npos;
    if (!is_input)
        in.load(x);
    if (!is_weight)
        weights.load(w);
    if (is_input || is_weight)
        out.load(y);
    for_each_product(c, [&](int64_t n, int64_t o, int64_t channel, int64_t i, Place at, Place tap, Place source) {
        double &a = in.at(n, channel, source), &b = weights.at(o, i, tap), &sum = out.at(n, o, at);
        if (is_input)
            a += sum * b;
        else if (is_weight)
            b += sum * a;
        else
            sum += a * b;
    });
    Numbers &result = is_input ? in : is_weight ? weights : out;
    result.store((void *)(is_input ? x : is_weight ? w : y));
}

#endif
