/* cuda.cuh: the device of CUDA programs (device.h): one GPU, a stream of functions and one of uploads, and one CUDA
 * graph for each of the program's functions, two for step().
 *
 * A function's launches never change between steps: values that do (the number of valid samples, the learning rate, the
 * loss scale ...) are read from the step's mirror, which begin() writes first. So the first run captures the launches
 * into a graph, and every later one replays it; where capture is impossible they are launched one by one. */
#ifndef PCC_DEVICE_CUDA_CUH
#define PCC_DEVICE_CUDA_CUH

#include <cuda_runtime.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "../kernels/numerics_tell.h"
#include "device.h"

#define PCC_CUDA_GRAPHS 8 /* step in four ways; evaluate and update, before there are outputs to keep and after */

/* A function of the program and the graph of its launches. */
struct PccCudaGraph {
    void (*function)(PccStep *);
    bool at_once;          /* the step's: its launches are others */
    const char *outputs;   /* likewise: where they are copied to */
    cudaGraphExec_t graph; /* NULL: it could not be captured */
};

/* A function in flight: the step as copied to the device and as copied back, in pinned memory. */
struct PccCudaRun {
    PccStep *exchange;
    cudaEvent_t finished;
};

/* A kernel library's state for this device: created by its first kernel, destroyed by close(). */
struct PccCudaLibrary {
    void *state;
    void (*close)(void *state);
};

struct PccCuda {
    int number;                  /* the GPU's number */
    cudaStream_t stream, copies; /* for functions; for uploads */
    cudaEvent_t uploaded, taken; /* the last upload; the last take() */
    PccCudaRun runs[PCC_IN_FLIGHT];
    int64_t begun, done; /* functions so far */
    char failure[PCC_FAILURE_ROOM];
    PccCudaGraph graphs[PCC_CUDA_GRAPHS];
    int graph_count;
    PccCudaLibrary cublas;     /* kernels/gemm/gemm_cublas.cuh */
    PccCudaLibrary cudnn;      /* kernels/conv/conv_cudnn.cuh */
    const PccWatched *watched; /* kernels/numerics.cuh: the program's nodes; NULL without --check-numerics */
};

static int pcc_cuda_fail(cudaError_t status, const char *call, const char *advice, PccError *error)
{
    return pcc_fail(error, PCC_ERR_INTERNAL, "%s failed: %s (%s)%s%s", call, cudaGetErrorString(status),
                    cudaGetErrorName(status), *advice ? "; " : "", advice);
}

/* status = PCC_TRY(call, error): calls CUDA and returns a status of the runtime. */
#define PCC_TRY(call, error) pcc_cuda_status((call), #call, (error))

static int pcc_cuda_status(cudaError_t status, const char *call, PccError *error)
{
    return status == cudaSuccess ? PCC_OK : pcc_cuda_fail(status, call, "", error);
}

static PccCuda *pcc_cuda_of(PccStep *step)
{
    return (PccCuda *)step->device;
}

/* Makes the session's GPU the calling thread's current device during its lifetime: a process may have sessions on
 * several GPUs, and use each from any thread. */
struct PccCudaCurrent {
    int before;
    explicit PccCudaCurrent(PccStep *step)
    {
        const PccCuda *cuda = pcc_cuda_of(step);
        if (cudaGetDevice(&before) != cudaSuccess)
            before = 0;
        if (cuda && cuda->number != before)
            cudaSetDevice(cuda->number);
        cudaGetLastError(); /* clears an earlier call's error */
    }
    ~PccCudaCurrent()
    {
        cudaSetDevice(before);
    }
};

static int pcc_cuda_choose(int number, PccError *error)
{
    int count = 0;
    cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess || count == 0)
        return pcc_fail(error, PCC_ERR_IO, "no CUDA device: %s; the program needs an NVIDIA GPU and its driver",
                        status != cudaSuccess ? cudaGetErrorString(status) : "the driver has none");
    if (number >= count)
        return pcc_fail(error, PCC_ERR_USAGE, "--device %d: there %s %d CUDA device%s, counted from 0", number,
                        count == 1 ? "is" : "are", count, count == 1 ? "" : "s");
    return PCC_TRY(cudaSetDevice(number), error);
}

static int pcc_cuda_make_event(cudaEvent_t *event, PccError *error)
{
    return PCC_TRY(cudaEventCreateWithFlags(event, cudaEventDisableTiming), error);
}

static int pcc_cuda_make_runs(PccCuda *cuda, PccError *error)
{
    int status = PCC_OK;
    for (int i = 0; i < PCC_IN_FLIGHT && !status; i++) {
        PccCudaRun *run = &cuda->runs[i];
        status = PCC_TRY(cudaMallocHost((void **)&run->exchange, sizeof *run->exchange), error);
        if (!status)
            status = pcc_cuda_make_event(&run->finished, error);
    }
    return status;
}

static int pcc_cuda_open(PccStep *step, int number, PccError *error)
{
    int status = pcc_cuda_choose(number, error);
    if (status)
        return status;
    PccCuda *cuda = (PccCuda *)calloc(1, sizeof *cuda);
    if (!cuda)
        return pcc_fail_memory(error);
    cuda->number = number;
    step->device = cuda;
    step->failure = cuda->failure;
    status = PCC_TRY(cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking), error);
    if (!status)
        status = PCC_TRY(cudaStreamCreateWithFlags(&cuda->copies, cudaStreamNonBlocking), error);
    if (!status)
        status = pcc_cuda_make_event(&cuda->uploaded, error);
    if (!status)
        status = pcc_cuda_make_event(&cuda->taken, error);
    if (!status)
        status = pcc_cuda_make_runs(cuda, error);
    if (!status)
        status = PCC_TRY(cudaMalloc((void **)&step->mirror, sizeof *step->mirror), error);
    step->stream = cuda->stream;
    return status;
}

static void pcc_cuda_close_library(const PccCudaLibrary *library)
{
    if (library->state)
        library->close(library->state);
}

static void pcc_cuda_close(PccStep *step)
{
    const PccCudaCurrent current(step);
    PccCuda *cuda = pcc_cuda_of(step);
    if (!cuda)
        return;
    for (int i = 0; i < cuda->graph_count; i++)
        if (cuda->graphs[i].graph)
            cudaGraphExecDestroy(cuda->graphs[i].graph);
    pcc_cuda_close_library(&cuda->cublas);
    pcc_cuda_close_library(&cuda->cudnn);
    for (int i = 0; i < PCC_IN_FLIGHT; i++) {
        cudaFreeHost(cuda->runs[i].exchange);
        if (cuda->runs[i].finished)
            cudaEventDestroy(cuda->runs[i].finished);
    }
    cudaFree(step->mirror);
    if (cuda->uploaded)
        cudaEventDestroy(cuda->uploaded);
    if (cuda->taken)
        cudaEventDestroy(cuda->taken);
    if (cuda->stream)
        cudaStreamDestroy(cuda->stream);
    if (cuda->copies)
        cudaStreamDestroy(cuda->copies);
    free(cuda);
    step->device = NULL;
}

static void pcc_cuda_memory(PccStep *step, size_t *available, size_t *total)
{
    const PccCudaCurrent current(step);
    if (cudaMemGetInfo(available, total) != cudaSuccess)
        *available = *total = 0;
}

static void *pcc_cuda_allocate(PccStep *step, size_t bytes, PccError *error)
{
    const PccCudaCurrent current(step);
    void *block = NULL;
    cudaError_t status = cudaMalloc(&block, bytes ? bytes : 1);
    if (status == cudaSuccess)
        status = cudaMemsetAsync(block, 0, bytes, pcc_cuda_of(step)->stream);
    if (status == cudaSuccess)
        return block;
    cudaGetLastError(); /* an allocation that failed is not sticky */
    cudaFree(block);
    pcc_fail(error, PCC_ERR_INTERNAL, "cudaMalloc of %.1f MiB failed: %s", (double)bytes / 0x1p20,
             cudaGetErrorString(status));
    return NULL;
}

static void pcc_cuda_release(PccStep *step, void *block)
{
    const PccCudaCurrent current(step);
    cudaFree(block);
}

static int pcc_cuda_wait(PccStep *step, PccError *error)
{
    PccCuda *cuda = pcc_cuda_of(step);
    cudaError_t status = cudaStreamSynchronize(cuda->stream);
    if (cuda->failure[0])
        return pcc_fail(error, PCC_ERR_INTERNAL, "%s", cuda->failure);
    return status == cudaSuccess ? PCC_OK : pcc_cuda_fail(status, "a kernel of the step", "", error);
}

static int pcc_cuda_write(PccStep *step, void *to, const void *from, size_t bytes, PccError *error)
{
    const PccCudaCurrent current(step);
    int status = PCC_TRY(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, pcc_cuda_of(step)->stream), error);
    return status ? status : pcc_cuda_wait(step, error);
}

static int pcc_cuda_read(PccStep *step, void *to, const void *from, size_t bytes, PccError *error)
{
    const PccCudaCurrent current(step);
    int status = PCC_TRY(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, pcc_cuda_of(step)->stream), error);
    return status ? status : pcc_cuda_wait(step, error);
}

static bool pcc_cuda_is_graph_of(const PccCudaGraph *graph, const PccStep *step, void (*function)(PccStep *))
{
    return graph->function == function && graph->at_once == step->at_once && graph->outputs == step->outputs;
}

/* The graph of a function, made when it runs for the first time in the step's way. */
static PccCudaGraph *pcc_cuda_graph(PccStep *step, void (*function)(PccStep *))
{
    PccCuda *cuda = pcc_cuda_of(step);
    for (int i = 0; i < cuda->graph_count; i++)
        if (pcc_cuda_is_graph_of(&cuda->graphs[i], step, function))
            return &cuda->graphs[i];
    PccCudaGraph *made = &cuda->graphs[cuda->graph_count++];
    cudaGraph_t captured = NULL;
    *made = {function, step->at_once, step->outputs, NULL};
    cudaError_t status = cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeRelaxed);
    if (status == cudaSuccess) {
        function(step);
        status = cudaStreamEndCapture(cuda->stream, &captured);
    }
    if (status == cudaSuccess && !cuda->failure[0])
        status = cudaGraphInstantiate(&made->graph, captured, 0);
    if (captured)
        cudaGraphDestroy(captured);
    if (status != cudaSuccess || cuda->failure[0]) { /* begin() then launches without a graph, and reports failures */
        fprintf(stderr, "note: no CUDA graph could be made (%s): every kernel is launched by itself\n",
                cuda->failure[0] ? cuda->failure : cudaGetErrorString(status));
        cudaGetLastError();
        made->graph = NULL;
        cuda->failure[0] = 0;
    }
    return made;
}

/* Copies the step to where the function will be read from; returns how many bytes of it the device takes. The host
 * knows what updates change when none is under way, or when those that are cannot be skipped. */
static size_t pcc_cuda_send(const PccCuda *cuda, const PccStep *step, PccStep *exchange)
{
    *exchange = *step;
    exchange->update += step->ahead;
    return cuda->begun == cuda->done || step->at_once ? sizeof *step : offsetof(PccStep, update);
}

static int pcc_cuda_begin(PccStep *step, void (*function)(PccStep *), PccError *error)
{
    const PccCudaCurrent current(step);
    PccCuda *cuda = pcc_cuda_of(step);
    const PccCudaGraph *graph = pcc_cuda_graph(step, function);
    const PccCudaRun *run = &cuda->runs[cuda->begun % PCC_IN_FLIGHT];
    const size_t sent = pcc_cuda_send(cuda, step, run->exchange);
    int status =
        PCC_TRY(cudaMemcpyAsync(step->mirror, run->exchange, sent, cudaMemcpyHostToDevice, cuda->stream), error);
    if (!status && graph->graph)
        status = PCC_TRY(cudaGraphLaunch(graph->graph, cuda->stream), error);
    else if (!status)
        function(step);
    if (!status)
        status = PCC_TRY(
            cudaMemcpyAsync(run->exchange, step->mirror, sizeof *step, cudaMemcpyDeviceToHost, cuda->stream), error);
    if (!status)
        status = PCC_TRY(cudaEventRecord(run->finished, cuda->stream), error);
    cuda->begun += !status;
    return status;
}

static int pcc_cuda_finish(PccStep *step, PccError *error)
{
    const PccCudaCurrent current(step);
    PccCuda *cuda = pcc_cuda_of(step);
    const PccCudaRun *run = &cuda->runs[cuda->done++ % PCC_IN_FLIGHT];
    cudaError_t status = cudaEventSynchronize(run->finished);
    step->loss = run->exchange->loss;
    step->counted = run->exchange->counted;
    step->done = run->exchange->done;
    if (cuda->watched && run->exchange->seen.count > 0)
        pcc_tell_not_finite(run->exchange->update, &cuda->watched[run->exchange->seen_node], &run->exchange->seen);
    if (cuda->failure[0])
        return pcc_fail(error, PCC_ERR_INTERNAL, "%s", cuda->failure);
    return status == cudaSuccess ? PCC_OK : pcc_cuda_fail(status, "a kernel of the step", "", error);
}

/* ---- uploads that overlap functions ----------------------------------------------------------------------------- */

static int pcc_cuda_upload(PccStep *step, void *to, const void *from, size_t bytes, PccError *error)
{
    const PccCudaCurrent current(step);
    PccCuda *cuda = pcc_cuda_of(step);
    int status = PCC_TRY(cudaStreamWaitEvent(cuda->copies, cuda->taken, 0), error);
    if (!status)
        status = PCC_TRY(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, cuda->copies), error);
    return status ? status : PCC_TRY(cudaEventRecord(cuda->uploaded, cuda->copies), error);
}

static int pcc_cuda_take(PccStep *step, void *to, const void *from, size_t bytes, PccError *error)
{
    const PccCudaCurrent current(step);
    PccCuda *cuda = pcc_cuda_of(step);
    int status = PCC_TRY(cudaStreamWaitEvent(cuda->stream, cuda->uploaded, 0), error);
    if (!status)
        status = PCC_TRY(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda->stream), error);
    return status ? status : PCC_TRY(cudaEventRecord(cuda->taken, cuda->stream), error);
}

static void pcc_cuda_pin(PccStep *step, void *memory, size_t bytes)
{
    const PccCudaCurrent current(step);
    if (cudaHostRegister(memory, bytes, cudaHostRegisterDefault) != cudaSuccess)
        cudaGetLastError();
}

static void pcc_cuda_unpin(PccStep *step, void *memory)
{
    const PccCudaCurrent current(step);
    cudaStreamSynchronize(pcc_cuda_of(step)->copies); /* the last function may still read it */
    if (cudaHostUnregister(memory) != cudaSuccess)
        cudaGetLastError();
}

static const PccDevice pcc_cuda_device = {
    "cuda",           pcc_cuda_open,  pcc_cuda_close, pcc_cuda_memory, pcc_cuda_allocate,
    pcc_cuda_release, pcc_cuda_write, pcc_cuda_read,  pcc_cuda_upload, pcc_cuda_take,
    pcc_cuda_pin,     pcc_cuda_unpin, pcc_cuda_begin, pcc_cuda_finish,
};

#endif
