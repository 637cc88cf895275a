/* test_emulator.cu: the emulator itself: what kernels may do, and that every fault is reported. */
#include "emulated_check.h"

#include <pcc/kernels/common/block.cuh>

template <class T, class X, class Y> __global__ void sums_kernel(int64_t width, const X *x, Y *y)
{
    T sum = 0;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        sum += pcc_get<T>(x, blockIdx.x * width + i);
    sum = pcc_block_reduce<PccSum>(sum);
    if (threadIdx.x == 0)
        pcc_put(y, blockIdx.x, sum);
}

template <class T, class X, class Y> static void check_sums(int64_t rows, int64_t width)
{
    const std::vector<double> x = rounded<X>(random_values(rows * width, 1));
    std::vector<double> want((size_t)rows);
    for (int64_t i = 0; i < rows * width; i++)
        want[(size_t)(i / width)] += x[(size_t)i];
    check_orders([&](CudaStep &step) {
        Device<X> device_x(x);
        Device<Y> y(rows);
        PCC_LAUNCH((sums_kernel<T, X, Y>), (unsigned)rows, 128, 0, step.get(), width, device_x.at(), y.at());
        expect_close(want, y.read(), tolerance<Y, T>(), "sum", 1);
        return y.bits();
    });
}

static void test_sums(void **)
{
    check_sums<float, float, float>(5, 257);
    check_sums<double, double, double>(5, 257);
    check_sums<float, PccBf16, float>(1, 31);
    check_sums<float, PccF16, PccBf16>(3, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
