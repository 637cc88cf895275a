/* stream.cpp: streams, and when what is in them runs. */
#include "emulator.h"

#include <set>

#include "cudart.h"

static CUstream_st default_stream = {0, true, {}, nullptr, false};
static std::set<cudaStream_t> streams; /* all others */
static bool in_host_function;

cudaStream_t find_stream(cudaStream_t handle)
{
    if (!handle || handle == cudaStreamLegacy)
        return &default_stream;
    return streams.count(handle) ? handle : nullptr;
}

/* ---- queues ----------------------------------------------------------------------------------------------------- */

void run_next(cudaStream_t stream)
{
    const DeviceAccess access;
    const Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    work();
}

static void run_all(cudaStream_t stream)
{
    const DeviceAccess access;
    while (!stream->queue.empty())
        run_next(stream);
}

static void run_blocking_streams(void)
{
    for (cudaStream_t other : streams)
        if (other->is_blocking)
            run_all(other);
}

void drain(cudaStream_t stream)
{
    if (stream == &default_stream)
        run_blocking_streams();
    run_all(stream);
    check_red_zones();
}

void drain_device(void)
{
    for (cudaStream_t stream : streams)
        run_all(stream);
    drain(&default_stream);
}

/* What is enqueued in the default stream waits for the blocking streams, and they for it. */
void enqueue(cudaStream_t stream, Work work)
{
    if (stream->capture) {
        stream->capture->nodes.push_back(std::move(work));
        return;
    }
    if (stream == &default_stream)
        run_blocking_streams();
    else if (stream->is_blocking)
        run_all(&default_stream);
    stream->queue.push_back(std::move(work));
}

/* ---- host functions --------------------------------------------------------------------------------------------- */

bool is_in_host_function(void)
{
    return in_host_function;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t fn, void *userData)
{
    ENTER(ANYWHERE);
    const cudaStream_t found = find_stream(stream);
    if (!found)
        return call.fail(cudaErrorInvalidResourceHandle, "no such stream");
    if (!fn)
        return call.fail(cudaErrorInvalidValue, "no function");
    enqueue(found, [fn, userData] {
        const HostAccess access;
        in_host_function = true;
        fn(userData);
        in_host_function = false;
    });
    return cudaSuccess;
}

/* ---- entry points ----------------------------------------------------------------------------------------------- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *pStream, unsigned int flags)
{
    ENTER(ANYWHERE);
    if (!pStream || (flags != cudaStreamDefault && flags != cudaStreamNonBlocking))
        return call.fail(cudaErrorInvalidValue, "no place for the stream, or flags of 0x%x", flags);
    *pStream = new CUstream_st{current_device(), flags == cudaStreamDefault, {}, nullptr, false};
    streams.insert(*pStream);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *pStream)
{
    return cudaStreamCreateWithFlags(pStream, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *pStream, unsigned int flags, int)
{
    return cudaStreamCreateWithFlags(pStream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    ENTER(ANYWHERE);
    const cudaStream_t found = find_stream(stream);
    if (!found || found == &default_stream)
        return call.fail(cudaErrorInvalidResourceHandle, "no such stream");
    if (found->capture)
        return call.fail(cudaErrorStreamCaptureUnsupported, "the stream is captured");
    drain(found);
    streams.erase(found);
    delete found;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    ENTER(NOT_IN_CAPTURE);
    const cudaStream_t found = find_stream(stream);
    if (!found)
        return call.fail(cudaErrorInvalidResourceHandle, "no such stream");
    drain(found);
    count_wait(found);
    return cudaSuccess;
}

/* The first question is always too early: what it asks for runs before the second. */
cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    ENTER(NOT_IN_CAPTURE);
    const cudaStream_t found = find_stream(stream);
    if (!found)
        return call.fail(cudaErrorInvalidResourceHandle, "no such stream");
    const bool is_done = found->queue.empty();
    drain(found);
    return is_done ? cudaSuccess : fail_quietly(cudaErrorNotReady);
}

cudaError_t cudaDeviceSynchronize(void)
{
    ENTER(NOT_IN_CAPTURE);
    drain_device();
    return cudaSuccess;
}
