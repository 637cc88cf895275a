/* event.cpp: events. Whoever waits for one makes its stream run up to where it was recorded. */
#include "emulator.h"

#include <time.h>

#include <map>

#include "cudart.h"

using Event = std::shared_ptr<CUevent_st>;

static std::map<cudaEvent_t, Event> events;

static Event find_event(cudaEvent_t handle)
{
    const auto found = events.find(handle);
    return found == events.end() ? nullptr : found->second;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static void run_until(const Event &event, int64_t record)
{
    while (event->done < record && find_stream(event->stream) && !event->stream->queue.empty())
        run_next(event->stream);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
    ENTER(ANYWHERE);
    if (!event || (flags & ~(unsigned)(cudaEventBlockingSync | cudaEventDisableTiming)))
        return call.fail(cudaErrorInvalidValue, "no place for the event, or flags of 0x%x", flags);
    const Event made = std::make_shared<CUevent_st>();
    made->has_time = !(flags & cudaEventDisableTiming);
    events[made.get()] = made;
    *event = made.get();
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    ENTER(ANYWHERE);
    if (events.erase(event) == 0)
        return call.fail(cudaErrorInvalidResourceHandle, "no such event");
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    ENTER(ANYWHERE);
    const Event found = find_event(event);
    const cudaStream_t in = find_stream(stream);
    if (!found || !in)
        return call.fail(cudaErrorInvalidResourceHandle, "no such event or stream");
    found->stream = in;
    found->capture = in->capture;
    if (in->capture)
        return cudaSuccess; /* a dependency, no work */
    const int64_t record = ++found->record;
    enqueue(in, [found, record] {
        found->done = record;
        found->time = now_ms();
    });
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    ENTER(NOT_IN_CAPTURE);
    const Event found = find_event(event);
    if (!found)
        return call.fail(cudaErrorInvalidResourceHandle, "no such event");
    if (found->capture)
        return call.fail(cudaErrorCapturedEvent, "the event was recorded in a capture");
    run_until(found, found->record);
    check_red_zones();
    if (find_stream(found->stream))
        count_wait(found->stream);
    return cudaSuccess;
}

/* The first question is always too early: what it asks for runs before the second. */
cudaError_t cudaEventQuery(cudaEvent_t event)
{
    ENTER(NOT_IN_CAPTURE);
    const Event found = find_event(event);
    if (!found)
        return call.fail(cudaErrorInvalidResourceHandle, "no such event");
    if (found->capture)
        return call.fail(cudaErrorCapturedEvent, "the event was recorded in a capture");
    const bool is_first = found->done < found->record && found->asked < found->record;
    found->asked = found->record;
    if (is_first)
        return fail_quietly(cudaErrorNotReady);
    run_until(found, found->record);
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
    ENTER(ANYWHERE);
    const Event from = find_event(start), to = find_event(end);
    if (!ms)
        return call.fail(cudaErrorInvalidValue, "no place for the time");
    if (!from || !to || !from->has_time || !to->has_time || !from->record || !to->record)
        return call.fail(cudaErrorInvalidResourceHandle, "an event that has no time, or was not recorded");
    if (from->done < from->record || to->done < to->record)
        return call.fail(cudaErrorNotReady, "an event was not waited for");
    *ms = (float)(to->time - from->time);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int)
{
    ENTER(ANYWHERE);
    const Event found = find_event(event);
    const cudaStream_t in = find_stream(stream);
    if (!found || !in)
        return call.fail(cudaErrorInvalidResourceHandle, "no such event or stream");
    if (found->capture)
        return join_capture(call, in, found.get());
    if (in->capture && found->record > 0)
        return call.fail(cudaErrorStreamCaptureUnsupported,
                         "a captured stream waits for an event outside of its capture");
    const int64_t record = found->record;
    if (record > 0)
        enqueue(in, [found, record] { run_until(found, record); });
    return cudaSuccess;
}
