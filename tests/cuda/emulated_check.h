/* emulated_check.h: what tests of CUDA kernels share: values on the device, a step, comparisons.
 *
 * A test keeps its numbers as doubles; the device has them in a storage type X (float, double, PccBf16, PccF16, an
 * integer). References are computed from rounded<X>(values), what the device really has.
 *
 *     const std::vector<double> x = rounded<X>(random_values(rows * width, 1));
 *     check_orders([&](CudaStep &step) {
 *         Device<X> device_x(x);
 *         Device<Y> y(rows * width);
 *         pcc_softmax<float>(rows, width, device_x.at(), y.at(), step.get());
 *         expect_close(want, y.read(), tolerance<Y>(), "softmax");
 *         return y.bits();
 *     });
 */
#ifndef PCC_EMULATED_CHECK_H
#define PCC_EMULATED_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include <cuda_runtime.h>

#include <pcc/kernels/common/storage.cuh>

#include <pcc_emulator.h>

extern "C" {
#include <cmocka.h>
}

/* Of expect_fault(): there a failed check must not return to the other tests. */
static inline bool &is_child(void)
{
    static bool is;
    return is;
}

static inline void must(cudaError_t status, const char *what)
{
    if (status != cudaSuccess && is_child())
        _exit(1);
    if (status != cudaSuccess)
        fail_msg("%s: %s (%s)", what, cudaGetErrorString(status), cudaGetErrorName(status));
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

template <class X> static inline X stored(double x)
{
    if constexpr (std::is_same<X, PccBf16>::value || std::is_same<X, PccF16>::value)
        return pcc_narrowed<X>((float)x);
    else
        return (X)x;
}

template <class X> static inline std::vector<double> rounded(std::vector<double> values)
{
    for (double &x : values)
        x = (double)pcc_wide(stored<X>(x));
    return values;
}

/* Uniform in [low, high). */
static inline std::vector<double> random_values(int64_t count, uint64_t seed, double low = -1, double high = 1)
{
    std::vector<double> values((size_t)count);
    uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
    for (double &x : values) {
        state = state * 6364136223846793005 + 1442695040888963407;
        x = low + (high - low) * (double)(state >> 11) * 0x1p-53;
    }
    return values;
}

/* Integers of [low, high). */
static inline std::vector<double> random_integers(int64_t count, uint64_t seed, int64_t low, int64_t high)
{
    std::vector<double> values = random_values(count, seed, (double)low, (double)high);
    for (double &x : values)
        x = floor(x);
    return values;
}

/* The largest relative error of a rounding to X. */
template <class X> static inline double unit()
{
    return std::is_same<X, PccBf16>::value  ? 0x1p-8
           : std::is_same<X, PccF16>::value ? 0x1p-11
           : std::is_same<X, float>::value  ? 0x1p-24
           : std::is_same<X, double>::value ? 0x1p-53
                                            : 0;
}

/* For a result in X that is computed in T by so many roundings. */
template <class X, class T = float> static inline double tolerance(double roundings = 32)
{
    return unit<X>() + roundings * unit<T>();
}

/* ---- memory of the device --------------------------------------------------------------------------------------- */

template <class X> class Device
{
  public:
    explicit Device(int64_t count) : count_((size_t)count) /* poison */
    {
        allocate();
    }

    explicit Device(const std::vector<double> &values) : count_(values.size())
    {
        std::vector<X> kept(count_);
        for (size_t i = 0; i < count_; i++)
            kept[i] = stored<X>(values[i]);
        allocate();
        if (count_)
            must(cudaMemcpy(at_, kept.data(), count_ * sizeof(X), cudaMemcpyHostToDevice), "copying to the device");
    }

    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;

    ~Device()
    {
        cudaDeviceSynchronize();
        cudaFree(at_);
    }

    X *at() const
    {
        return at_;
    }

    /* What is there when all work that was enqueued is done. */
    std::vector<X> elements() const
    {
        std::vector<X> kept(count_);
        must(cudaDeviceSynchronize(), "waiting for the device");
        if (count_)
            must(cudaMemcpy(kept.data(), at_, count_ * sizeof(X), cudaMemcpyDeviceToHost), "copying from the device");
        return kept;
    }

    std::vector<double> read() const
    {
        std::vector<double> values;
        for (X x : elements())
            values.push_back((double)pcc_wide(x));
        return values;
    }

    std::vector<unsigned char> bits() const
    {
        const std::vector<X> kept = elements();
        std::vector<unsigned char> bytes(count_ * sizeof(X));
        if (count_)
            memcpy(bytes.data(), (const void *)kept.data(), bytes.size());
        return bytes;
    }

  private:
    void allocate()
    {
        must(cudaMalloc((void **)&at_, std::max<size_t>(count_, 1) * sizeof(X)), "allocating on the device");
    }

    X *at_ = nullptr;
    size_t count_;
};

static inline void append(std::vector<unsigned char> &to, const std::vector<unsigned char> &bytes)
{
    to.insert(to.end(), bytes.begin(), bytes.end());
}

/* ---- the step --------------------------------------------------------------------------------------------------- */

/* A step and its mirror on the device. Set fields of `host`, then get() it; read() brings the device's copy back. */
class CudaStep
{
  public:
    PccStep host = {};

    CudaStep()
    {
        host.valid = 1;
        host.loss_scale = 1;
        host.failure = failure_;
        must(cudaStreamCreateWithFlags((cudaStream_t *)&host.stream, cudaStreamNonBlocking), "making a stream");
        must(cudaMalloc((void **)&host.mirror, sizeof host), "allocating the step");
    }

    CudaStep(const CudaStep &) = delete;
    CudaStep &operator=(const CudaStep &) = delete;

    ~CudaStep()
    {
        cudaStreamSynchronize((cudaStream_t)host.stream);
        cudaFree(host.mirror);
        cudaStreamDestroy((cudaStream_t)host.stream);
    }

    PccStep *get()
    {
        finish(); /* kernels before may read it */
        must(cudaMemcpy(host.mirror, &host, sizeof host, cudaMemcpyHostToDevice), "copying the step");
        return &host;
    }

    PccStep read()
    {
        PccStep of_device;
        finish();
        must(cudaMemcpy(&of_device, host.mirror, sizeof of_device, cudaMemcpyDeviceToHost), "reading the step");
        return of_device;
    }

    void finish()
    {
        must(cudaStreamSynchronize((cudaStream_t)host.stream), "waiting for the step");
        assert_string_equal(host.failure, "");
    }

  private:
    char failure_[PCC_FAILURE_ROOM] = "";
};

/* ---- comparisons ------------------------------------------------------------------------------------------------ */

/* Within `relative` of the wanted value, or of `scale` where values cancel; NaN where NaN is wanted. */
static inline void expect_close(const std::vector<double> &want, const std::vector<double> &got, double relative,
                                const char *what, double scale = 1e-3)
{
    assert_int_equal(want.size(), got.size());
    for (size_t i = 0; i < want.size(); i++) {
        const bool same = want[i] == got[i] || (isnan(want[i]) && isnan(got[i]));
        if (!same && !(fabs(want[i] - got[i]) <= relative * std::max(fabs(want[i]), scale)))
            fail_msg("%s: element %zu is %.17g instead of %.17g, tolerance %.3g", what, i, got[i], want[i], relative);
    }
}

/* Runs a case in several orders of blocks, warps and lanes; it returns its results' bits, which have to be the same. */
template <class Run> static inline void check_orders(Run run)
{
    std::vector<unsigned char> first;
    for (const char *order : {"forward", "reverse", "random:1"}) {
        CudaStep step;
        pcc_emulated_order(order);
        const std::vector<unsigned char> bits = run(step);
        step.finish();
        if (strcmp(order, "forward") == 0)
            first = bits;
        else if (bits != first)
            fail_msg("the bits of order %s are not those of order forward", order);
    }
    pcc_emulated_order("forward");
}

#endif
