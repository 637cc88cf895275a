/* test_emulated_runtime.cu: the emulator's stand-ins for cudart: work runs when somebody waits for it and not before,
 * graphs run again what was captured, and wrong calls fail as the real ones do. */
#include "emulated_check.h"
#include "expect_fault.h"

__global__ static void add_kernel(float by, float *x)
{
    x[threadIdx.x] += by;
}

static void add(cudaStream_t stream, float by, float *x, int count)
{
    PccStep step = {};
    step.stream = stream;
    PCC_LAUNCH(add_kernel, 1, (unsigned)count, 0, &step, by, x);
}

/* A call has to fail so; the error is then forgotten. */
#define expect_error(status, call)                    \
    do {                                              \
        assert_int_equal(call, status);               \
        assert_int_equal(cudaGetLastError(), status); \
    } while (0)

/* A stream, 4 floats of the device and 4 pinned ones. */
class Bench
{
  public:
    cudaStream_t stream = nullptr;
    float *device = nullptr, *pinned = nullptr;

    Bench()
    {
        must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
        must(cudaMalloc((void **)&device, 4 * sizeof(float)), "memory");
        must(cudaMallocHost((void **)&pinned, 4 * sizeof(float)), "pinned memory");
        for (int i = 0; i < 4; i++)
            pinned[i] = (float)i;
    }

    ~Bench()
    {
        cudaFree(device);
        cudaFreeHost(pinned);
        cudaStreamDestroy(stream);
    }

    cudaError_t up(cudaStream_t in)
    {
        return cudaMemcpyAsync(device, pinned, 4 * sizeof(float), cudaMemcpyHostToDevice, in);
    }

    cudaError_t down(cudaStream_t in)
    {
        return cudaMemcpyAsync(pinned, device, 4 * sizeof(float), cudaMemcpyDeviceToHost, in);
    }
};

/* ---- when work runs --------------------------------------------------------------------------------------------- */

static void test_nothing_runs_before_somebody_waits(void **)
{
    Bench b;
    must(b.up(b.stream), "up");
    add(b.stream, 10, b.device, 4);
    must(b.down(b.stream), "down");
    assert_true(b.pinned[3] == 3); /* a program that does not wait sees this */
    must(cudaStreamSynchronize(b.stream), "wait");
    assert_true(b.pinned[3] == 13);
}

static void test_pinned_memory_is_read_late(void **)
{
    Bench b;
    must(b.up(b.stream), "up");
    b.pinned[0] = 50; /* too early: the copy has not run */
    must(b.down(b.stream), "down");
    must(cudaStreamSynchronize(b.stream), "wait");
    assert_true(b.pinned[0] == 50);
}

static void test_other_memory_is_read_at_once(void **)
{
    Bench b;
    float x[4] = {1, 2, 3, 4};
    must(cudaMemcpyAsync(b.device, x, sizeof x, cudaMemcpyHostToDevice, b.stream), "up");
    x[0] = 50;
    add(b.stream, 1, b.device, 4);
    must(cudaMemcpyAsync(x, b.device, sizeof x, cudaMemcpyDeviceToHost, b.stream), "down");
    assert_true(x[0] == 2 && x[3] == 5);
}

static void test_streams_do_not_wait_for_each_other(void **)
{
    Bench b;
    float x[4];
    must(cudaMemsetAsync(b.device, 0, sizeof x, b.stream), "fill");
    must(cudaStreamSynchronize(b.stream), "wait");
    add(b.stream, 1, b.device, 4);
    must(cudaMemcpy(x, b.device, sizeof x, cudaMemcpyDeviceToHost), "down"); /* on the default stream */
    assert_true(x[0] == 0);
    must(cudaStreamSynchronize(b.stream), "wait");
    must(cudaMemcpy(x, b.device, sizeof x, cudaMemcpyDeviceToHost), "down");
    assert_true(x[0] == 1);
}

static void test_events(void **)
{
    Bench b;
    cudaStream_t other;
    cudaEvent_t early, late, untimed;
    float ms = -1;
    must(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking), "a stream");
    must(cudaEventCreateWithFlags(&early, cudaEventDefault), "an event");
    must(cudaEventCreateWithFlags(&late, cudaEventDefault), "an event");
    must(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming), "an event");
    must(b.up(b.stream), "up");
    must(cudaEventRecord(early, b.stream), "record");
    must(cudaStreamWaitEvent(other, early, 0), "wait for the event");
    add(other, 5, b.device, 4);
    must(b.down(other), "down");
    must(cudaEventRecord(late, other), "record");
    expect_error(cudaErrorNotReady, cudaEventElapsedTime(&ms, early, late));
    expect_error(cudaErrorNotReady, cudaEventQuery(late));
    assert_true(b.pinned[1] == 1);
    assert_int_equal(cudaEventQuery(late), cudaSuccess);
    assert_true(b.pinned[1] == 6);
    must(cudaEventElapsedTime(&ms, early, late), "time");
    assert_true(ms >= 0);
    expect_error(cudaErrorInvalidResourceHandle, cudaEventElapsedTime(&ms, early, untimed));
    for (cudaEvent_t event : {early, late, untimed})
        must(cudaEventDestroy(event), "no event");
    expect_error(cudaErrorInvalidResourceHandle, cudaEventSynchronize(early));
    must(cudaStreamDestroy(other), "no stream");
    expect_error(cudaErrorInvalidResourceHandle, cudaStreamSynchronize(other));
}

static void count_call(void *calls)
{
    ++*(int *)calls;
    assert_int_equal(cudaDeviceSynchronize(), cudaErrorNotPermitted);
}

static void test_host_functions(void **)
{
    Bench b;
    int calls = 0;
    must(cudaLaunchHostFunc(b.stream, count_call, &calls), "a host function");
    assert_int_equal(calls, 0);
    must(cudaStreamSynchronize(b.stream), "wait");
    assert_int_equal(calls, 1);
    cudaGetLastError();
}

/* ---- graphs ----------------------------------------------------------------------------------------------------- */

static void test_graphs_run_again(void **)
{
    Bench b;
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    must(cudaStreamBeginCapture(b.stream, cudaStreamCaptureModeThreadLocal), "capture");
    must(b.up(b.stream), "up");
    add(b.stream, 1, b.device, 4);
    must(b.down(b.stream), "down");
    must(cudaStreamEndCapture(b.stream, &graph), "end");
    must(cudaGraphInstantiate(&executable, graph, 0), "instantiate");
    must(cudaGraphDestroy(graph), "no graph");
    must(cudaStreamSynchronize(b.stream), "wait");
    assert_true(b.pinned[0] == 0); /* captured work does not run */
    for (int i = 0; i < 3; i++)
        must(cudaGraphLaunch(executable, b.stream), "launch");
    must(cudaStreamSynchronize(b.stream), "wait");
    assert_true(b.pinned[0] == 3);
    must(cudaGraphExecDestroy(executable), "no graph");
    expect_error(cudaErrorInvalidValue, cudaGraphLaunch(executable, b.stream));
}

static void test_captures_forbid_waiting(void **)
{
    Bench b;
    cudaGraph_t graph;
    float *more;
    must(cudaStreamBeginCapture(b.stream, cudaStreamCaptureModeThreadLocal), "capture");
    expect_error(cudaErrorStreamCaptureUnsupported, cudaStreamSynchronize(b.stream));
    expect_error(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(b.stream, &graph));
    must(cudaStreamBeginCapture(b.stream, cudaStreamCaptureModeThreadLocal), "capture");
    expect_error(cudaErrorStreamCaptureUnsupported, cudaMalloc((void **)&more, 4));
    expect_error(cudaErrorIllegalState, cudaStreamBeginCapture(b.stream, cudaStreamCaptureModeThreadLocal));
    expect_error(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(b.stream, &graph));
    expect_error(cudaErrorStreamCaptureUnmatched, cudaStreamEndCapture(b.stream, &graph));
    expect_error(cudaErrorStreamCaptureUnsupported, cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal));
}

static void test_captures_of_two_streams(void **)
{
    for (bool joins : {true, false}) {
        Bench b;
        cudaStream_t other;
        cudaEvent_t fork, join;
        cudaGraph_t graph;
        must(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking), "a stream");
        must(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming), "an event");
        must(cudaEventCreateWithFlags(&join, cudaEventDisableTiming), "an event");
        must(cudaStreamBeginCapture(b.stream, cudaStreamCaptureModeThreadLocal), "capture");
        must(cudaEventRecord(fork, b.stream), "record");
        must(cudaStreamWaitEvent(other, fork, 0), "fork");
        add(other, 1, b.device, 4);
        must(cudaEventRecord(join, other), "record");
        if (joins)
            must(cudaStreamWaitEvent(b.stream, join, 0), "join");
        assert_int_equal(cudaStreamEndCapture(b.stream, &graph), joins ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
        cudaGetLastError();
        cudaEventDestroy(fork);
        cudaEventDestroy(join);
        cudaStreamDestroy(other);
    }
}

/* ---- wrong calls ------------------------------------------------------------------------------------------------ */

static void test_copies_are_checked(void **)
{
    Bench b;
    const size_t bytes = 4 * sizeof(float);
    float x[8] = {};
    const auto copy = [&](void *to, const void *from, size_t count, cudaMemcpyKind kind) {
        return cudaMemcpyAsync(to, from, count, kind, b.stream);
    };
    expect_error(cudaErrorInvalidValue, copy(b.device, x, bytes, cudaMemcpyDeviceToHost));
    expect_error(cudaErrorInvalidValue, copy(x, b.device, bytes, cudaMemcpyHostToDevice));
    expect_error(cudaErrorInvalidValue, copy(x, b.pinned, bytes, cudaMemcpyDeviceToHost));
    expect_error(cudaErrorInvalidValue, copy(b.device, x, bytes + 1, cudaMemcpyHostToDevice));
    expect_error(cudaErrorInvalidValue, copy(x, b.device + 1, bytes, cudaMemcpyDeviceToHost));
    expect_error(cudaErrorInvalidValue, copy(nullptr, b.device, bytes, cudaMemcpyDeviceToHost));
    expect_error(cudaErrorInvalidMemcpyDirection, copy(x, b.device, bytes, (cudaMemcpyKind)7));
    expect_error(cudaErrorInvalidValue, cudaMemsetAsync(x, 0, bytes, b.stream));
    expect_error(cudaErrorInvalidValue, cudaMemsetAsync(b.device, 0, bytes + 4, b.stream));
    assert_int_equal(copy(b.device, x, bytes, cudaMemcpyDefault), cudaSuccess);
    assert_int_equal(copy(nullptr, nullptr, 0, cudaMemcpyHostToDevice), cudaSuccess);
}

static void test_memory_is_limited(void **)
{
    void *block = nullptr;
    size_t available = 0, total = 0, left = 0;
    must(cudaMemGetInfo(&available, &total), "memory");
    expect_error(cudaErrorMemoryAllocation, cudaMalloc(&block, available + 1));
    must(cudaMalloc(&block, available / 2), "half of it"); /* which is not committed */
    must(cudaMemGetInfo(&left, &total), "memory");
    assert_int_equal(left, available - available / 2);
    expect_error(cudaErrorInvalidValue, cudaFreeHost(block));
    expect_error(cudaErrorInvalidValue, cudaFree((char *)block + 8));
    must(cudaFree(block), "no memory");
    expect_error(cudaErrorInvalidValue, cudaFree(block));
}

static void test_devices(void **)
{
    cudaStream_t stream;
    cudaDeviceProp properties;
    PccStep step = {};
    Device<float> x(1);
    int count = 0, value = 0;
    expect_error(cudaErrorInvalidDevice, cudaSetDevice(1));
    setenv("PCC_EMULATOR_DEVICES", "2", 1);
    must(cudaGetDeviceCount(&count), "count");
    assert_int_equal(count, 2);
    must(cudaGetDeviceProperties(&properties, 1), "properties");
    assert_string_equal(properties.name, "emulated H200");
    must(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0), "shared memory");
    assert_int_equal(value, 227 << 10);
    must(cudaSetDevice(1), "the other device");
    must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "its stream");
    must(cudaSetDevice(0), "the device");
    step.stream = stream;
    PCC_LAUNCH(add_kernel, 1, 1, 0, &step, 1.0f, x.at());
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidResourceHandle);
    must(cudaStreamDestroy(stream), "no stream");
    unsetenv("PCC_EMULATOR_DEVICES");
}

__global__ static void store_through(float **at)
{
    **at = 1;
}

static void test_memory_of_the_other_side(void **)
{
    static Bench b;
    must(cudaMemset(b.device, 0, 16), "fill");
    must(cudaDeviceSynchronize(), "wait");
    if (pcc_emulated_locks_out_host())
        expect_fault([] { b.device[0] = 1; }, "the host accesses memory of the device");
    expect_fault(
        [] {
            cudaFree(b.device);
            b.device[0] = 1;
        },
        "memory of 16 bytes that was released");
    expect_fault(
        [] {
            CudaStep step;
            Device<int64_t> at(std::vector<double>{16});
            PCC_LAUNCH(store_through, 1, 1, 0, step.get(), (float **)(void *)at.at());
            step.finish();
        },
        "the kernel accesses memory that does not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_runs_before_somebody_waits),
        cmocka_unit_test(test_pinned_memory_is_read_late),
        cmocka_unit_test(test_other_memory_is_read_at_once),
        cmocka_unit_test(test_streams_do_not_wait_for_each_other),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_host_functions),
        cmocka_unit_test(test_graphs_run_again),
        cmocka_unit_test(test_captures_forbid_waiting),
        cmocka_unit_test(test_captures_of_two_streams),
        cmocka_unit_test(test_copies_are_checked),
        cmocka_unit_test(test_memory_is_limited),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_memory_of_the_other_side),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
