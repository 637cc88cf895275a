/* device_check.h: what the tests of CUDA kernels share: arrays in device memory, values of every stored type, and
 * comparison with plain loops in double. */
#ifndef DEVICE_CHECK_H
#define DEVICE_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <type_traits>
#include <vector>

#include "runtime/kernels/common/storage.cuh"

extern "C" {
#include <cmocka.h>
}

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

template <class X> static inline X stored(double x)
{
    return pcc_narrowed<X>((typename std::conditional<std::is_same<X, double>::value, double, float>::type)x);
}

template <class X> static inline double value_of(X x)
{
    return (double)pcc_wide(x);
}

/* What rounding to X may change in a value of magnitude 1. */
template <class X> static inline double epsilon()
{
    return std::is_same<X, double>::value    ? 0x1p-52
           : std::is_same<X, PccF16>::value  ? 0x1p-10
           : std::is_same<X, PccBf16>::value ? 0x1p-7
                                             : 0x1p-23;
}

static inline void check_close(double got, double want, double tolerance, const char *what, int64_t at)
{
    if (fabs(got - want) <= tolerance || got == want || (isnan(got) && isnan(want)))
        return;
    fail_msg("%s[%lld] is %.17g, not %.17g (tolerance %.3g)", what, (long long)at, got, want, tolerance);
}

static inline void must(cudaError_t status)
{
    if (status != cudaSuccess)
        fail_msg("CUDA: error %d", (int)status);
}

/* An array in device memory; `shift` elements in front of it unalign it. */
template <class X> class Device
{
  public:
    explicit Device(int64_t count, int64_t shift = 0) : count_(count), shift_(shift)
    {
        must(cudaMalloc((void **)&memory_, (size_t)(count + shift + 1) * sizeof(X)));
        must(cudaMemset(memory_, 0x5a, (size_t)(count + shift + 1) * sizeof(X)));
    }
    explicit Device(const std::vector<X> &values, int64_t shift = 0) : Device((int64_t)values.size(), shift)
    {
        set(values);
    }
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;
    ~Device()
    {
        (void)cudaFree(memory_);
    }
    X *get() const
    {
        return memory_ + shift_;
    }
    void set(const std::vector<X> &values)
    {
        if (count_ > 0)
            must(cudaMemcpy(get(), values.data(), (size_t)count_ * sizeof(X), cudaMemcpyHostToDevice));
    }
    std::vector<X> back() const
    {
        std::vector<X> values((size_t)count_);
        if (count_ > 0)
            must(cudaMemcpy(values.data(), get(), (size_t)count_ * sizeof(X), cudaMemcpyDeviceToHost));
        return values;
    }

  private:
    X *memory_ = nullptr;
    int64_t count_, shift_;
};

/* A step whose device copy holds the same. */
class Step
{
  public:
    explicit Step(const PccStep &s) : host(s), mirror_(1)
    {
        host.mirror = mirror_.get();
        host.failure = failure_;
        mirror_.set({host});
    }
    Step() : Step(PccStep{})
    {
    }
    PccStep *operator&()
    {
        return &host;
    }
    /* All that was launched has run, and nothing failed. */
    void finish()
    {
        must(cudaStreamSynchronize((cudaStream_t)host.stream));
        if (failure_[0])
            fail_msg("%s", failure_);
    }
    PccStep host;

  private:
    Device<PccStep> mirror_;
    char failure_[PCC_FAILURE_ROOM] = "";
};

static inline PccDims dims_of(const std::vector<int64_t> &dims)
{
    PccDims d = {};
    for (size_t i = 0; i < dims.size(); i++)
        d.at[i] = dims[i];
    return d;
}

#endif
