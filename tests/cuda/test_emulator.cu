/* test_emulator.cu: what kernels may do under the emulator, and that every fault is reported.
 *
 * Faults are seeded in child processes, which have to end with exit code 70 and a message. The file is compiled three
 * times: as it is, with AddressSanitizer and with ThreadSanitizer. */
#include "emulated_check.h"
#include "expect_fault.h"

#include <pcc/kernels/common/block.cuh>

/* ---- kernels without faults ------------------------------------------------------------------------------------- */

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

/* Every warp operation, by 48 threads: the second warp has 16 lanes. */
__global__ static void warp_kernel(int64_t *y)
{
    const int lane = (int)threadIdx.x % 32, lanes = threadIdx.x < 32 ? 32 : 16;
    int64_t *own = y + threadIdx.x * 12;
    own[0] = __shfl_sync(0xffffffffu, lane, 3);
    own[1] = (int64_t)__shfl_xor_sync(0xffffffffu, (double)lane, 1);
    own[2] = __shfl_down_sync(0xffffffffu, (long long)lane, 2, 8);
    own[3] = __shfl_up_sync(0xffffffffu, lane, 1, 4);
    own[4] = __ballot_sync(0xffffffffu, lane % 2);
    own[5] = __any_sync(0xffffffffu, lane == 5) * 2 + __all_sync(0xffffffffu, lane < lanes);
    own[6] = __reduce_add_sync(0xffffffffu, lane);
    own[7] = __reduce_max_sync(0xffffffffu, (unsigned)lane);
    own[8] = __match_any_sync(0xffffffffu, lane / 4);
    own[9] = lane < 4 ? __shfl_sync(0xfu, lane, 2) : -1;
    own[10] = __syncthreads_count(lane == 0);
    own[11] = __activemask() >> lane & 1;
}

static void test_warp_operations(void **)
{
    std::vector<double> want;
    for (int i = 0; i < 48; i++) {
        const int lane = i % 32, lanes = i < 32 ? 32 : 16;
        const unsigned all = i < 32 ? 0xffffffffu : 0xffffu;
        for (double x :
             {3., (double)(lane ^ 1), (double)(lane % 8 + 2 < 8 ? lane + 2 : lane),
              (double)(lane % 4 ? lane - 1 : lane), (double)(0xaaaaaaaau & all), 3., lanes * (lanes - 1) / 2.,
              lanes - 1., (double)(0xfu << lane / 4 * 4), lane < 4 ? 2. : -1., 2., 1.})
            want.push_back(x);
    }
    check_orders([&](CudaStep &step) {
        Device<int64_t> y(48 * 12);
        PCC_LAUNCH(warp_kernel, 1, 48, 0, step.get(), y.at());
        expect_close(want, y.read(), 0, "warp operations");
        return y.bits();
    });
}

__global__ static void atomic_kernel(unsigned *x)
{
    atomicAdd(&x[0], 2u);
    atomicMax(&x[1], threadIdx.x);
    atomicMin(&x[2], threadIdx.x + 7);
    atomicCAS(&x[3], 5u, 9u);
}

static void test_atomics(void **)
{
    check_orders([&](CudaStep &step) {
        Device<unsigned> x({0, 0, 1000, 5});
        PCC_LAUNCH(atomic_kernel, 4, 64, 0, step.get(), x.at());
        expect_close({512, 63, 7, 9}, x.read(), 0, "atomics");
        return x.bits();
    });
}

/* Sums over lanes by one computation for the warp. */
static void sum_deposits(unsigned mask, const void *all, void *results)
{
    int sum = 0;
    for (int lane = 0; lane < 32; lane++)
        sum += mask >> lane & 1 ? ((const int *)all)[lane] : 0;
    for (int lane = 0; lane < 32; lane++)
        ((int *)results)[lane] = sum + lane;
}

__global__ static void collective_kernel(int *y)
{
    const int lane = (int)threadIdx.x;
    int all[32];
    pcc_emulated_exchange(0xffffffffu, &lane, sizeof lane, all);
    pcc_emulated_collective(0xffffffffu, &all[31 - lane], sizeof(int), &y[lane], sizeof(int), sum_deposits, __FILE__,
                            __LINE__);
}

static void test_collective(void **)
{
    CudaStep step;
    Device<int> y(32);
    std::vector<double> want;
    for (int lane = 0; lane < 32; lane++)
        want.push_back(496 + lane);
    PCC_LAUNCH(collective_kernel, 1, 32, 0, step.get(), y.at());
    expect_close(want, y.read(), 0, "collective");
}

/* Two stages of copies: `waits` is how many of the newest may still be on their way when the oldest is read. */
__global__ static void pipeline_kernel(int waits, const float *x, float *y)
{
    PCC_DYNAMIC_SHARED(float, tile);
    for (int stage = 0; stage < 2; stage++) {
        pcc_emulated_copy(&tile[stage * 32 + threadIdx.x], &x[stage * 32 + threadIdx.x], 4, 4);
        pcc_emulated_copy_commit();
    }
    pcc_emulated_copy_wait(waits);
    __syncthreads();
    y[threadIdx.x] = tile[31 - threadIdx.x];
    __syncthreads();
    pcc_emulated_copy_wait(0);
    __syncthreads();
    y[32 + threadIdx.x] = tile[63 - threadIdx.x];
}

static std::vector<double> run_pipeline(int waits)
{
    CudaStep step;
    Device<float> x(random_integers(64, 1, 0, 100)), y(64);
    PCC_LAUNCH(pipeline_kernel, 1, 32, 256, step.get(), waits, x.at(), y.at());
    return y.read();
}

static void test_copies_are_done_when_waited_for(void **)
{
    const std::vector<double> x = random_integers(64, 1, 0, 100), y = run_pipeline(1), early = run_pipeline(2);
    for (int i = 0; i < 32; i++) {
        assert_true(y[(size_t)i] == x[(size_t)(31 - i)] && y[(size_t)(32 + i)] == x[(size_t)(63 - i)]);
        assert_true(isnan(early[(size_t)i])); /* nobody has waited for the first stage */
    }
}

/* ---- faults of threads ------------------------------------------------------------------------------------------ */

enum Fault {
    BARRIER_MISSES_ENDED_THREAD,
    DIVERGENT_BARRIERS,
    WARP_MISSES_LANES,
    WARP_MASKS_DIFFER,
    WARP_LACKS_OWN_LANE,
    WARP_PLACES_DIFFER,
    TRAP,
};

__global__ static void wrong_kernel(Fault what, int *y)
{
    const unsigned lane = threadIdx.x % 32;
    if (what == BARRIER_MISSES_ENDED_THREAD && threadIdx.x == 5)
        return;
    if (what == DIVERGENT_BARRIERS && threadIdx.x >= 32)
        __syncthreads();
    else
        __syncthreads();
    if (what == WARP_MISSES_LANES && lane < 8)
        y[0] = __shfl_sync(0xffffffffu, y[0], 0);
    if (what == WARP_MASKS_DIFFER)
        __syncwarp(lane < 16 ? 0xffffffffu : 0xffffff00u);
    if (what == WARP_LACKS_OWN_LANE)
        __syncwarp(0xfffffff0u);
    if (what == WARP_PLACES_DIFFER && lane < 16)
        __syncwarp();
    else if (what == WARP_PLACES_DIFFER)
        __syncwarp();
    if (what == TRAP && threadIdx.x == 33)
        __trap();
}

static void run_wrong(Fault what)
{
    CudaStep step;
    Device<int> y(1);
    PCC_LAUNCH(wrong_kernel, 2, 64, 0, step.get(), what, y.at());
    step.finish();
}

static void test_faults_of_threads(void **)
{
    expect_fault([] { run_wrong(BARRIER_MISSES_ENDED_THREAD); }, "the barrier is not reached by thread 5");
    expect_fault([] { run_wrong(DIVERGENT_BARRIERS); }, "divergent barriers");
    expect_fault([] { run_wrong(WARP_MISSES_LANES); }, "misses lanes");
    expect_fault([] { run_wrong(WARP_MASKS_DIFFER); }, "name different masks");
    expect_fault([] { run_wrong(WARP_LACKS_OWN_LANE); }, "is not in the mask");
    expect_fault([] { run_wrong(WARP_PLACES_DIFFER); }, "at another warp operation");
    expect_fault([] { run_wrong(TRAP); }, "block (0, 0, 0), thread (33, 0, 0)");
}

/* ---- faults of memory ------------------------------------------------------------------------------------------- */

__global__ static void store_kernel(int64_t at, float *y)
{
    if (threadIdx.x == 3)
        y[at] = 1;
}

/* Into an allocation of 100 floats. */
static void store(int64_t at)
{
    CudaStep step;
    Device<float> y(100);
    PCC_LAUNCH(store_kernel, 1, 32, 0, step.get(), at, y.at());
    step.finish();
}

static void test_stores_out_of_bounds(void **)
{
    expect_fault([] { store(100); }, "kernel store_kernel");
    expect_fault([] { store(-1); }, "kernel store_kernel");
    expect_fault([] { store(1000); }, "kernel store_kernel");
    expect_fault([] { store(1000000); }, "kernel store_kernel");
    store(99);
}

__global__ static void shared_kernel(int64_t at, float *y)
{
    PCC_DYNAMIC_SHARED(float, tile);
    __shared__ float early[32];
    if (threadIdx.x == 0)
        tile[at] = 1;
    y[threadIdx.x] = early[threadIdx.x] + tile[threadIdx.x];
    early[threadIdx.x] = tile[threadIdx.x] = 0;
}

/* In 33 floats of dynamic shared memory, by 2 blocks. */
static std::vector<double> share(int64_t at, size_t bytes = 132)
{
    CudaStep step;
    Device<float> y(32);
    PCC_LAUNCH(shared_kernel, 2, 32, bytes, step.get(), at, y.at());
    return y.read();
}

static void test_shared_memory(void **)
{
    expect_fault([] { share(33); }, "kernel shared_kernel");
    expect_fault([] { share(-1); }, "kernel shared_kernel");
    expect_fault([] { share(1000); }, "kernel shared_kernel");
    expect_fault([] { share(0, 0); }, "dynamic shared memory in a launch that has none");
    for (double y : share(32)) /* is poison in the second block too */
        assert_true(isnan(y));
}

static void test_arguments(void **)
{
    expect_fault(
        [] {
            CudaStep step;
            float y[32];
            PCC_LAUNCH(store_kernel, 1, 32, 0, step.get(), 0, y);
        },
        "argument 1 of kernel store_kernel points at no memory of the device");
    expect_fault(
        [] {
            CudaStep step;
            float *y;
            cudaMalloc((void **)&y, 128);
            PCC_LAUNCH(store_kernel, 1, 32, 0, step.get(), 0, y);
            cudaFree(y);
            PCC_LAUNCH(store_kernel, 1, 32, 0, step.get(), 0, y);
        },
        "memory that was released");
}

static void test_limits_of_launches(void **)
{
    static CudaStep step;
    static Device<float> y(128);
    step.get();
    expect_fault([] { PCC_LAUNCH(store_kernel, 1, 1056, 0, &step.host, 0, y.at()); }, "1056");
    expect_fault([] { PCC_LAUNCH(store_kernel, dim3(1, 65536), 32, 0, &step.host, 0, y.at()); }, "65535");
    expect_fault([] { PCC_LAUNCH(store_kernel, 0, 32, 0, &step.host, 0, y.at()); }, "grid of (0, 1, 1)");
    expect_fault([] { PCC_LAUNCH(store_kernel, 1, 32, 50000, &step.host, 0, y.at()); }, "has allowed 49152");
    PCC_ALLOW_SHARED(store_kernel, 50000, &step.host);
    PCC_LAUNCH(store_kernel, 1, 32, 50000, &step.host, 0, y.at());
    assert_int_equal(cudaFuncSetAttribute(store_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 300000),
                     cudaErrorInvalidValue);
    cudaGetLastError();
    step.finish();
}

/* ---- what sanitizers see ---------------------------------------------------------------------------------------- */

__global__ static void racing_kernel(bool waits, float *y)
{
    __shared__ float tile[64];
    tile[threadIdx.x] = (float)threadIdx.x;
    if (waits)
        __syncthreads();
    y[threadIdx.x] = tile[63 - threadIdx.x];
}

__global__ static void racing_warp_kernel(bool waits, float *y)
{
    y[threadIdx.x] = 1;
    if (waits)
        __syncwarp();
    y[32 + threadIdx.x] = y[threadIdx.x ^ 1];
}

__global__ static void misaligned_kernel(int64_t at, float *y)
{
    if (threadIdx.x == 0)
        pcc_store_vector(y + at, PccVector<float, 4>{{1, 2, 3, 4}});
}

template <class A> static void run_on_floats(void (*kernel)(A, float *), A argument)
{
    CudaStep step;
    Device<float> y(64);
    PCC_LAUNCH(kernel, 2, 32, 0, step.get(), argument, y.at());
    step.finish();
}

static void run_race(bool waits)
{
    CudaStep step;
    Device<float> y(64);
    PCC_LAUNCH(racing_kernel, 2, 64, 0, step.get(), waits, y.at());
    step.finish();
}

static void test_sanitizers(void **)
{
    run_race(true);
    run_on_floats(racing_warp_kernel, true);
    run_on_floats(misaligned_kernel, (int64_t)4);
#ifdef __SANITIZE_THREAD__
    expect_fault([] { run_race(false); }, "data race");
    expect_fault([] { run_on_floats(racing_warp_kernel, false); }, "kernel kernel");
#elif defined(__SANITIZE_ADDRESS__)
    expect_fault([] { run_on_floats(misaligned_kernel, (int64_t)1); }, "misaligned address");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_warp_operations),
        cmocka_unit_test(test_atomics),
        cmocka_unit_test(test_collective),
        cmocka_unit_test(test_copies_are_done_when_waited_for),
        cmocka_unit_test(test_faults_of_threads),
        cmocka_unit_test(test_stores_out_of_bounds),
        cmocka_unit_test(test_shared_memory),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_limits_of_launches),
        cmocka_unit_test(test_sanitizers),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
