/* graph.cpp: captures of streams, and graphs. A graph's work is kept and run again at every launch. */
#include "emulator.h"

#include <pthread.h>

#include <map>
#include <set>

#include "cudart.h"

struct CUgraphExec_st {
    std::vector<Work> nodes;
};

using Graph = std::shared_ptr<CUgraph_st>;

static std::map<cudaGraph_t, Graph> graphs; /* that captures have ended with */
static std::map<cudaGraphExec_t, std::shared_ptr<CUgraphExec_st>> executables;
static std::map<cudaGraph_t, std::set<cudaStream_t>> captures; /* that go on, and the streams that take part */

/* ---- captures --------------------------------------------------------------------------------------------------- */

/* Of threads that are not in the first mode, cudaStreamCaptureModeGlobal. (Thread-local memory is shared memory.) */
static std::map<pthread_t, cudaStreamCaptureMode> modes;

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode *mode)
{
    ENTER(ANYWHERE);
    if (!mode || (unsigned)*mode > cudaStreamCaptureModeRelaxed)
        return call.fail(cudaErrorInvalidValue, "no such mode");
    std::swap(*mode, modes[pthread_self()]);
    return cudaSuccess;
}

bool invalidate_captures(void)
{
    bool any = false;
    if (modes[pthread_self()] == cudaStreamCaptureModeRelaxed)
        return false;
    for (auto &capture : captures)
        if (capture.first->mode != cudaStreamCaptureModeRelaxed)
            any = capture.first->is_invalid = true;
    return any;
}

/* A stream that waits for an event of a capture takes part in it from then on. */
cudaError_t join_capture(Call &call, cudaStream_t stream, cudaEvent_t event)
{
    const Graph graph = event->capture;
    if (captures.count(graph.get()) == 0)
        return call.fail(cudaErrorInvalidResourceHandle, "the event was recorded in a capture that has ended");
    if (stream->capture && stream->capture != graph)
        return call.fail(cudaErrorStreamCaptureUnsupported, "the stream and the event are in different captures");
    if (!stream->capture && !stream->queue.empty())
        drain(stream); /* it was enqueued before the capture */
    stream->capture = graph;
    stream->is_unjoined = stream != graph->origin;
    captures[graph.get()].insert(stream);
    if (stream == graph->origin)
        event->stream->is_unjoined = false;
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode)
{
    ENTER(ANYWHERE);
    const cudaStream_t found = find_stream(stream);
    if (!found)
        return call.fail(cudaErrorInvalidResourceHandle, "no such stream");
    if (found == find_stream(nullptr))
        return call.fail(cudaErrorStreamCaptureUnsupported, "the default stream cannot be captured");
    if (found->capture)
        return call.fail(cudaErrorIllegalState, "the stream is captured already");
    found->capture = std::make_shared<CUgraph_st>(CUgraph_st{{}, mode, found, false});
    found->is_unjoined = false;
    captures[found->capture.get()] = {found};
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *pGraph)
{
    ENTER(ANYWHERE);
    const cudaStream_t found = find_stream(stream);
    if (!found || !pGraph)
        return call.fail(found ? cudaErrorInvalidValue : cudaErrorInvalidResourceHandle, "no such stream, or no place");
    *pGraph = nullptr;
    if (!found->capture || found->capture->origin != found)
        return call.fail(cudaErrorStreamCaptureUnmatched, "the stream has not begun a capture");
    const Graph graph = found->capture;
    bool is_joined = true;
    for (cudaStream_t part : captures[graph.get()]) {
        is_joined = is_joined && !part->is_unjoined;
        part->capture = nullptr;
        part->is_unjoined = false;
    }
    captures.erase(graph.get());
    if (graph->is_invalid)
        return call.fail(cudaErrorStreamCaptureInvalidated, "a call that is not allowed in a capture was made");
    if (!is_joined)
        return call.fail(cudaErrorStreamCaptureUnjoined, "a stream took part and was not waited for");
    graphs[graph.get()] = graph;
    *pGraph = graph.get();
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *pCaptureStatus)
{
    ENTER(ANYWHERE);
    const cudaStream_t found = find_stream(stream);
    if (!found || !pCaptureStatus)
        return call.fail(found ? cudaErrorInvalidValue : cudaErrorInvalidResourceHandle, "no such stream, or no place");
    *pCaptureStatus = !found->capture              ? cudaStreamCaptureStatusNone
                      : found->capture->is_invalid ? cudaStreamCaptureStatusInvalidated
                                                   : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

/* ---- graphs ----------------------------------------------------------------------------------------------------- */

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *numNodes)
{
    ENTER(ANYWHERE);
    if (graphs.count(graph) == 0 || nodes || !numNodes)
        return call.fail(cudaErrorInvalidValue, "no such graph, or more is asked than the number of its nodes");
    *numNodes = graph->nodes.size();
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *pGraphExec, cudaGraph_t graph, unsigned long long)
{
    ENTER(ANYWHERE);
    if (graphs.count(graph) == 0 || !pGraphExec)
        return call.fail(cudaErrorInvalidValue, "no such graph, or no place for the result");
    const auto made = std::make_shared<CUgraphExec_st>(CUgraphExec_st{graph->nodes});
    executables[made.get()] = made;
    *pGraphExec = made.get();
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *pGraphExec, cudaGraph_t graph, unsigned long long flags)
{
    return cudaGraphInstantiate(pGraphExec, graph, flags);
}

cudaError_t cudaGraphUpload(cudaGraphExec_t graphExec, cudaStream_t stream)
{
    ENTER(ANYWHERE);
    if (executables.count(graphExec) == 0 || !find_stream(stream))
        return call.fail(cudaErrorInvalidValue, "no such graph or stream");
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graphExec, cudaStream_t stream)
{
    ENTER(ANYWHERE);
    const auto found = executables.find(graphExec);
    const cudaStream_t in = find_stream(stream);
    if (found == executables.end() || !in)
        return call.fail(found == executables.end() ? cudaErrorInvalidValue : cudaErrorInvalidResourceHandle,
                         "no such graph or stream");
    const auto graph = found->second;
    enqueue(in, [graph] {
        for (const Work &node : graph->nodes)
            node();
    });
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graphExec)
{
    ENTER(ANYWHERE);
    if (executables.erase(graphExec) == 0)
        return call.fail(cudaErrorInvalidValue, "no such graph");
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    ENTER(ANYWHERE);
    if (graphs.erase(graph) == 0)
        return call.fail(cudaErrorInvalidValue, "no such graph");
    return cudaSuccess;
}
