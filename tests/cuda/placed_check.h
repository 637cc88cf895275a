/* placed_check.h: emulated_check.h for tests that keep elements as they are stored, and that place arrays off their
 * alignment. */
#ifndef PCC_PLACED_CHECK_H
#define PCC_PLACED_CHECK_H

#include "emulated_check.h"

/* In [-1, 1), from a linear congruential generator (Knuth's MMIX constants). */
static inline double next_value()
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(state >> 11) * 0x1p-52 - 1;
}

static inline int64_t next_below(int64_t n)
{
    return (int64_t)((next_value() + 1) / 2 * (double)n);
}

template <class X> static inline double value_of(X x)
{
    return (double)pcc_wide(x);
}

/* The difference of neighbouring numbers of magnitude 1. */
template <class X> static inline double epsilon()
{
    return 2 * unit<X>();
}

static inline void check_close(double got, double want, double tolerance, const char *what, int64_t at)
{
    if (fabs(got - want) <= tolerance || got == want || (isnan(got) && isnan(want)))
        return;
    fail_msg("%s[%lld] is %.17g, not %.17g (tolerance %.3g)", what, (long long)at, got, want, tolerance);
}

/* An array in device memory behind `shift` other elements, which unalign it. */
template <class X> class Placed
{
  public:
    explicit Placed(int64_t count, int64_t shift = 0) : count_((size_t)count), shift_(shift)
    {
        must(cudaMalloc((void **)&memory_, (count_ + (size_t)shift + (count_ + (size_t)shift == 0)) * sizeof(X)),
             "allocating on the device");
    }
    explicit Placed(const std::vector<X> &values, int64_t shift = 0) : Placed((int64_t)values.size(), shift)
    {
        if (count_)
            must(cudaMemcpy(at(), values.data(), count_ * sizeof(X), cudaMemcpyHostToDevice), "copying to the device");
    }
    Placed(const Placed &) = delete;
    Placed &operator=(const Placed &) = delete;
    ~Placed()
    {
        cudaDeviceSynchronize();
        cudaFree(memory_);
    }
    X *at() const
    {
        return memory_ + shift_;
    }
    std::vector<X> elements() const
    {
        std::vector<X> values(count_);
        must(cudaDeviceSynchronize(), "waiting for the device");
        if (count_)
            must(cudaMemcpy(values.data(), at(), count_ * sizeof(X), cudaMemcpyDeviceToHost),
                 "copying from the device");
        return values;
    }
    std::vector<unsigned char> bits() const
    {
        const std::vector<X> values = elements();
        const unsigned char *first = (const unsigned char *)values.data();
        return std::vector<unsigned char>(first, first + count_ * sizeof(X));
    }

  private:
    X *memory_ = nullptr;
    size_t count_;
    int64_t shift_;
};

static inline PccDims dims_of(const std::vector<int64_t> &dims)
{
    PccDims d = {};
    for (size_t i = 0; i < dims.size(); i++)
        d.at[i] = dims[i];
    return d;
}

#endif
