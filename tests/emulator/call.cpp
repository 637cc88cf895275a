/* call.cpp: what every call of the emulated runtime library begins and ends with, and errors. */
#include "emulator.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "cudart.h"

static cudaError_t last;
static pthread_mutex_t one_at_a_time;

__attribute__((constructor)) static void begin(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&one_at_a_time, &attributes);
    read_order();
}

cudaError_t fail_quietly(cudaError_t status)
{
    if (status != cudaSuccess)
        last = status;
    return status;
}

Call::Call(const char *name, CallKind kind) : refused(cudaSuccess), name_(name)
{
    pthread_mutex_lock(&one_at_a_time);
    catch_signals(); /* a test's own handlers may have been set meanwhile */
    if (current.running >= 0)
        fault("%s is called by a kernel", name);
    if (is_in_host_function())
        refused = fail(cudaErrorNotPermitted, "called by a host function of a stream");
    else if (kind == NOT_IN_CAPTURE && invalidate_captures())
        refused = fail(cudaErrorStreamCaptureUnsupported, "not allowed while a stream is captured");
}

Call::~Call()
{
    pthread_mutex_unlock(&one_at_a_time);
}

cudaError_t Call::fail(cudaError_t status, const char *why, ...)
{
    va_list arguments;
    fprintf(stderr, "emulator: %s: ", name_);
    va_start(arguments, why);
    vfprintf(stderr, why, arguments);
    va_end(arguments);
    fprintf(stderr, " (%s)\n", cudaGetErrorName(status));
    return fail_quietly(status);
}

cudaError_t cudaGetLastError(void)
{
    const cudaError_t status = last;
    last = cudaSuccess;
    return status;
}

cudaError_t cudaPeekAtLastError(void)
{
    return last;
}

/* ---- what errors are called ------------------------------------------------------------------------------------- */

struct Error {
    cudaError_t status;
    const char *name, *text;
};

#define ERROR(status, text)   \
    {                         \
        status, #status, text \
    }
static const Error errors[] = {
    ERROR(cudaSuccess, "no error"),
    ERROR(cudaErrorInvalidValue, "invalid argument"),
    ERROR(cudaErrorMemoryAllocation, "out of memory"),
    ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    ERROR(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    ERROR(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    ERROR(cudaErrorNotReady, "device not ready"),
    ERROR(cudaErrorNotSupported, "operation not supported"),
    ERROR(cudaErrorNotPermitted, "operation not permitted"),
    ERROR(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    ERROR(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture"),
    ERROR(cudaErrorStreamCaptureUnmatched, "operation cannot be performed as the stream is not capturing"),
    ERROR(cudaErrorStreamCaptureUnjoined, "operation failed due to work that was not joined to the capture"),
    ERROR(cudaErrorStreamCaptureImplicit, "operation would make the legacy stream depend on a capturing stream"),
    ERROR(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream"),
};
#undef ERROR

static const Error *find_error(cudaError_t status)
{
    for (const Error &error : errors)
        if (error.status == status)
            return &error;
    return nullptr;
}

const char *cudaGetErrorName(cudaError_t error)
{
    const Error *found = find_error(error);
    return found ? found->name : "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    const Error *found = find_error(error);
    return found ? found->text : "unrecognized error code";
}
