/* cudnn_objects.h: cuDNN's objects, as the stand-ins for its entry points have them. */
#ifndef PCC_EMULATED_CUDNN_OBJECTS_H
#define PCC_EMULATED_CUDNN_OBJECTS_H

#include <cudnn.h>

#include <string>
#include <vector>

#include "cudart.h"

/* A Call whose failures are cuDNN's. */
#define ENTER_CUDNN(kind)      \
    Call call(__func__, kind); \
    if (call.refused)          \
    return CUDNN_STATUS_EXECUTION_FAILED

#define REFUSE(status, ...) return call.fail(cudaErrorInvalidValue, __VA_ARGS__), status

struct Tensor {
    int64_t name;
    cudnnDataType_t type;
    std::vector<int64_t> dims, strides; /* n, channels, space */
    int64_t alignment;
};

/* What a plan's text says. */
struct Convolution {
    int64_t version, architecture, multiprocessors, driver; /* that it was made for; 900: sm_90 */
    std::string operation, sums;
    Tensor x, w, y;
    std::vector<int64_t> before, stride, dilation;
    int64_t workspace; /* bytes: of texts that tests write; real ones do not say it, and have 0 */
};

struct PlanObject {
    cudnnHandle_t handle;
    std::string text;
    Convolution convolution; /* once it is finalized */
};

struct PackObject {
    std::vector<int64_t> names;
    std::vector<void *> pointers;
    void *workspace;
};

/* A cudnnBackendDescriptor_t points to one. */
struct DescriptorObject {
    cudnnBackendDescriptorType_t type;
    bool is_finalized;
    PlanObject plan;
    PackObject pack;
};

/* cudnn_plan.cpp: reads a plan's text. False: it is not one of a convolution. */
bool read_plan(const std::string &text, Convolution *convolution);
/* cudnn_convolve.cpp: the work, on memory that has been checked. */
void convolve(const Convolution &convolution, const void *x, const void *w, const void *y);
int64_t element_bytes(cudnnDataType_t type);

#endif
