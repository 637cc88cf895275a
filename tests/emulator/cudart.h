/* cudart.h: streams, events and graphs of the emulated runtime library.
 *
 * Nothing runs when it is enqueued: work waits in its stream's queue until somebody waits for it, so that a program
 * that forgets to wait sees old values. Calls are made one at a time, by any thread. */
#ifndef PCC_EMULATED_CUDART_H
#define PCC_EMULATED_CUDART_H

#include <cuda_runtime_api.h>

#include <deque>
#include <functional>
#include <memory>
#include <vector>

using Work = std::function<void()>;

struct CUgraph_st {
    std::vector<Work> nodes; /* in the order of the calls, which respects every dependency */
    cudaStreamCaptureMode mode;
    cudaStream_t origin;
    bool is_invalid; /* a call was made that a capture forbids */
};

struct CUstream_st {
    int device;
    bool is_blocking; /* it and the default stream wait for each other */
    std::deque<Work> queue;
    std::shared_ptr<CUgraph_st> capture;
    bool is_unjoined; /* drawn into the capture of another stream, which has not waited for its last work */
};

/* Records are counted, so that an old one is not taken for a new one. */
struct CUevent_st {
    bool has_time;
    int64_t record, done, asked; /* the last one: that was enqueued, that has run, and that somebody asked for */
    double time;                 /* of the last one that has run, ms */
    cudaStream_t stream;         /* of the last record */
    std::shared_ptr<CUgraph_st> capture; /* that the last record is part of; it has no time then */
};

/* ---- calls ------------------------------------------------------------------------------------------------------ */

enum CallKind { ANYWHERE, NOT_IN_CAPTURE };

/* An entry point makes one, and returns `refused` if it is a failure. */
class Call
{
  public:
    Call(const char *name, CallKind kind);
    ~Call();
    Call(const Call &) = delete;
    Call &operator=(const Call &) = delete;

    cudaError_t fail(cudaError_t status, const char *why, ...) __attribute__((format(printf, 3, 4)));

    cudaError_t refused;

  private:
    const char *name_;
};

#define ENTER(kind)            \
    Call call(__func__, kind); \
    if (call.refused)          \
    return call.refused

cudaError_t fail_quietly(cudaError_t status);

/* ---- device.cpp ------------------------------------------------------------------------------------------------- */

int current_device(void);
int device_count(void);

/* ---- stream.cpp ------------------------------------------------------------------------------------------------- */

cudaStream_t find_stream(cudaStream_t handle); /* NULL: there is none; the default stream has one too */
void enqueue(cudaStream_t stream, Work work);
void run_next(cudaStream_t stream); /* of its queue, which is not empty */
void drain(cudaStream_t stream);    /* runs all that is in it */
void drain_device(void);
bool is_in_host_function(void);

/* ---- idle.cpp --------------------------------------------------------------------------------------------------- */

void count_wait(cudaStream_t stream); /* the host has waited for it */

/* ---- pinned.cpp ------------------------------------------------------------------------------------------------- */

bool is_registered(const void *pointer);

/* ---- graph.cpp -------------------------------------------------------------------------------------------------- */

bool invalidate_captures(void); /* if there are any that forbid what is not safe in one */
cudaError_t join_capture(Call &call, cudaStream_t stream, cudaEvent_t event); /* the stream waits for the event */

#endif
