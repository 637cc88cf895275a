/* cudnn.cpp: stand-ins for cuDNN's entry points that plans are run by, which check what they are given as the real ones
 * do: of these, statuses that need no GPU were observed with 9.28. Nothing plans here: programs bring their plans.
 *
 * PCC_EMULATOR_CUDNN=refuse: no plan is taken, as of another GPU; =fail: none can be loaded. */
#if __has_include(<cudnn.h>)

#    include "emulator.h"

#    include <stdlib.h>
#    include <string.h>

#    include "cudnn_objects.h"
#    include "pcc_emulator.h"

struct cudnnContext {
    int device;
    cudaStream_t stream; /* NULL: the default one */
};

static int objects; /* that were made and not destroyed */
static int executed;

int pcc_emulated_cudnn_objects(void)
{
    return objects;
}

int pcc_emulated_cudnn_executed(void)
{
    return executed;
}

size_t cudnnGetVersion(void)
{
    return CUDNN_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_SUCCESS                        ? "CUDNN_STATUS_SUCCESS"
           : status == CUDNN_STATUS_NOT_INITIALIZED              ? "CUDNN_STATUS_NOT_INITIALIZED"
           : status == CUDNN_STATUS_BAD_PARAM                    ? "CUDNN_STATUS_BAD_PARAM"
           : status == CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE     ? "CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE"
           : status == CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER ? "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER"
           : status == CUDNN_STATUS_BAD_PARAM_NULL_POINTER       ? "CUDNN_STATUS_BAD_PARAM_NULL_POINTER"
           : status == CUDNN_STATUS_NOT_SUPPORTED                ? "CUDNN_STATUS_NOT_SUPPORTED"
           : status == CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH  ? "CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH"
           : status == CUDNN_STATUS_EXECUTION_FAILED             ? "CUDNN_STATUS_EXECUTION_FAILED"
                                                                 : "CUDNN_STATUS_INTERNAL_ERROR";
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    ENTER_CUDNN(NOT_IN_CAPTURE); /* it allocates */
    *handle = new cudnnContext{current_device(), nullptr};
    objects++;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    ENTER_CUDNN(NOT_IN_CAPTURE);
    objects -= handle != nullptr;
    delete handle;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t streamId)
{
    ENTER_CUDNN(ANYWHERE);
    const cudaStream_t found = find_stream(streamId);
    if (!handle || !found || found->device != handle->device)
        REFUSE(CUDNN_STATUS_BAD_PARAM, "no handle, or no stream of its device");
    handle->stream = streamId;
    return CUDNN_STATUS_SUCCESS;
}

/* ---- descriptors ------------------------------------------------------------------------------------------------ */

static bool is_plan(const DescriptorObject *d)
{
    return d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t descriptorType,
                                           cudnnBackendDescriptor_t *descriptor)
{
    ENTER_CUDNN(ANYWHERE);
    if (descriptorType != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR &&
        descriptorType != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
        REFUSE(CUDNN_STATUS_NOT_SUPPORTED, "descriptors of type %d have no stand-in", (int)descriptorType);
    *descriptor = new DescriptorObject{descriptorType, false, {}, {}};
    objects++;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor)
{
    objects -= descriptor != nullptr;
    delete (DescriptorObject *)descriptor;
    return CUDNN_STATUS_SUCCESS;
}

/* The attributes that have a stand-in: whose they are, their type, and how many values at most. */
static const struct Attribute {
    cudnnBackendAttributeName_t name;
    cudnnBackendDescriptorType_t of;
    cudnnBackendAttributeType_t type;
    int64_t most;
    bool is_read; /* by cudnnBackendGetAttribute() */
} attributes[] = {
    {CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_TYPE_HANDLE, 1, false},
    {CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_TYPE_CHAR, 1 << 20,
     false},
    {CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_TYPE_INT64, 1, true},
    {CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_TYPE_INT64, 64, false},
    {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_TYPE_VOID_PTR, 64, false},
    {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_TYPE_VOID_PTR, 1, false},
};

static cudnnStatus_t check_attribute(Call &call, const DescriptorObject *d, cudnnBackendAttributeName_t name,
                                     cudnnBackendAttributeType_t type, int64_t count, bool is_read)
{
    for (const Attribute &a : attributes) {
        if (a.name != name || !d || a.of != d->type || a.is_read != is_read)
            continue;
        if (type != a.type)
            REFUSE(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "attribute %d is of type %d, not %d", (int)name, (int)a.type,
                   (int)type);
        if (count < 1 || count > a.most)
            REFUSE(CUDNN_STATUS_BAD_PARAM, "attribute %d has 1 to %lld values, not %lld", (int)name, (long long)a.most,
                   (long long)count);
        return CUDNN_STATUS_SUCCESS;
    }
    REFUSE(CUDNN_STATUS_NOT_SUPPORTED, "attribute %d has no stand-in for this descriptor", (int)name);
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t attributeName,
                                       cudnnBackendAttributeType_t attributeType, int64_t elementCount,
                                       const void *arrayOfElements)
{
    ENTER_CUDNN(ANYWHERE);
    DescriptorObject *d = (DescriptorObject *)descriptor;
    const cudnnStatus_t status = check_attribute(call, d, attributeName, attributeType, elementCount, false);
    if (status)
        return status;
    if (d->is_finalized)
        REFUSE(CUDNN_STATUS_BAD_PARAM, "attribute %d is set, but the descriptor is finalized", (int)attributeName);
    if (attributeName == CUDNN_ATTR_EXECUTION_PLAN_HANDLE)
        d->plan.handle = *(const cudnnHandle_t *)arrayOfElements;
    else if (attributeName == CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION)
        d->plan.text.assign((const char *)arrayOfElements, (size_t)elementCount);
    else if (attributeName == CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS)
        d->pack.names.assign((const int64_t *)arrayOfElements, (const int64_t *)arrayOfElements + elementCount);
    else if (attributeName == CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS)
        d->pack.pointers.assign((void *const *)arrayOfElements, (void *const *)arrayOfElements + elementCount);
    else
        d->pack.workspace = *(void *const *)arrayOfElements;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor,
                                       cudnnBackendAttributeName_t attributeName,
                                       cudnnBackendAttributeType_t attributeType, int64_t requestedElementCount,
                                       int64_t *elementCount, void *arrayOfElements)
{
    ENTER_CUDNN(ANYWHERE);
    const DescriptorObject *d = (const DescriptorObject *)descriptor;
    const cudnnStatus_t status = check_attribute(call, d, attributeName, attributeType, requestedElementCount, true);
    if (status)
        return status;
    if (!d->is_finalized)
        REFUSE(CUDNN_STATUS_NOT_INITIALIZED, "attribute %d is read, but the descriptor is not finalized",
               (int)attributeName);
    *(int64_t *)arrayOfElements = d->plan.convolution.workspace;
    if (elementCount)
        *elementCount = 1;
    return CUDNN_STATUS_SUCCESS;
}

/* ---- plans ------------------------------------------------------------------------------------------------------ */

/* What of a GPU a plan depends on. */
static cudnnStatus_t check_device(Call &call, const Convolution &c, int device)
{
    const char *mode = getenv("PCC_EMULATOR_CUDNN");
    int major = 0, minor = 0, multiprocessors = 0, driver = 0;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
    cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
    cudaDriverGetVersion(&driver);
    if (mode && strcmp(mode, "refuse") == 0)
        return CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH;
    if (mode && strcmp(mode, "fail") == 0)
        return CUDNN_STATUS_EXECUTION_FAILED;
    if (c.version != (int64_t)cudnnGetVersion())
        REFUSE(CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH, "the plan is of version %lld, not %zu", (long long)c.version,
               cudnnGetVersion());
    if (c.architecture != 100 * major + 10 * minor || c.multiprocessors != multiprocessors || c.driver > driver)
        REFUSE(CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH,
               "the plan is for version %lld with %lld multiprocessors and driver %lld, not for %d%d0 with %d and %d",
               (long long)c.architecture, (long long)c.multiprocessors, (long long)c.driver, major, minor,
               multiprocessors, driver);
    return CUDNN_STATUS_SUCCESS;
}

/* Of one type, with channels that groups divide, and windows that lie in the padded input. */
static cudnnStatus_t check_convolution(Call &call, const Convolution &c)
{
    const std::vector<int64_t> &x = c.x.dims, &w = c.w.dims, &y = c.y.dims;
    if (c.sums != "CUDNN_DATA_FLOAT" || c.x.type != c.w.type || c.w.type != c.y.type)
        REFUSE(CUDNN_STATUS_NOT_SUPPORTED, "tensors of types %d, %d, %d with sums in %s", (int)c.x.type, (int)c.w.type,
               (int)c.y.type, c.sums.c_str());
    if (x[0] != y[0] || w[0] != y[1] || w[1] < 1 || x[1] % w[1] || y[1] % (x[1] / w[1]))
        REFUSE(CUDNN_STATUS_BAD_PARAM, "%lld x %lld of x and %lld x %lld of w do not make %lld x %lld of y",
               (long long)x[0], (long long)x[1], (long long)w[0], (long long)w[1], (long long)y[0], (long long)y[1]);
    for (size_t d = 0; d < c.before.size(); d++)
        if ((y[d + 2] - 1) * c.stride[d] - c.before[d] >= x[d + 2])
            REFUSE(CUDNN_STATUS_BAD_PARAM, "the last window of axis %zu begins behind x", d);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_plan(Call &call, PlanObject *plan)
{
    if (!plan->handle || plan->text.empty()) /* the real one crashes */
        fault("cudnnBackendFinalize of a plan without a handle or without its text");
    if (!read_plan(plan->text, &plan->convolution))
        REFUSE(CUDNN_STATUS_BAD_PARAM, "the text is no plan of a convolution");
    const cudnnStatus_t status = check_device(call, plan->convolution, plan->handle->device);
    return status ? status : check_convolution(call, plan->convolution);
}

static cudnnStatus_t finalize_pack(Call &call, const PackObject &pack)
{
    if (pack.names.empty() || pack.names.size() != pack.pointers.size())
        REFUSE(CUDNN_STATUS_BAD_PARAM, "%zu unique ids and %zu pointers", pack.names.size(), pack.pointers.size());
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
    ENTER_CUDNN(NOT_IN_CAPTURE); /* a plan may load its kernels */
    DescriptorObject *d = (DescriptorObject *)descriptor;
    if (!d || d->is_finalized)
        REFUSE(CUDNN_STATUS_BAD_PARAM, "no descriptor, or one that is finalized");
    const cudnnStatus_t status = is_plan(d) ? finalize_plan(call, &d->plan) : finalize_pack(call, d->pack);
    d->is_finalized = status == CUDNN_STATUS_SUCCESS;
    return status;
}

/* ---- execution -------------------------------------------------------------------------------------------------- */

/* A real plan reads and writes what it was told to: what does not exist is found here. */
static void check_memory(const void *at, int64_t bytes, const char *name)
{
    const Allocation *found = find_memory(at);
    if (!found || !found->on_device)
        fault("%s of cudnnBackendExecute points at no memory of the device", name);
    if ((const char *)at + bytes > found->begin + found->bytes)
        fault("%s of cudnnBackendExecute ends behind its allocation of %zu bytes", name, found->bytes);
}

/* The pointer of a tensor, checked. */
static cudnnStatus_t find_pointer(Call &call, const Tensor &t, const PackObject &pack, const char *name, void **pointer)
{
    int64_t last = 0;
    *pointer = nullptr;
    for (size_t i = 0; i < pack.names.size(); i++)
        if (pack.names[i] == t.name)
            *pointer = pack.pointers[i];
    if (!*pointer)
        REFUSE(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no pointer has the unique id %lld of %s", (long long)t.name, name);
    if ((uintptr_t)*pointer % (uintptr_t)t.alignment)
        REFUSE(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "%s is not aligned to %lld bytes, as the plan has it", name,
               (long long)t.alignment);
    for (size_t d = 0; d < t.dims.size(); d++)
        last += (t.dims[d] - 1) * t.strides[d];
    check_memory(*pointer, (last + 1) * element_bytes(t.type), name);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_workspace(Call &call, int64_t bytes, const void *workspace)
{
    if (bytes == 0)
        return CUDNN_STATUS_SUCCESS;
    if (!workspace)
        REFUSE(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no workspace, of which the plan takes %lld bytes",
               (long long)bytes);
    check_memory(workspace, bytes, "the workspace");
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t executionPlan,
                                  cudnnBackendDescriptor_t variantPack)
{
    ENTER_CUDNN(ANYWHERE);
    const DescriptorObject *plan = (const DescriptorObject *)executionPlan,
                           *pack = (const DescriptorObject *)variantPack;
    void *pointers[3];
    if (!handle || handle->device != current_device() || !find_stream(handle->stream))
        REFUSE(CUDNN_STATUS_BAD_PARAM, "no handle of this device, or its stream is gone");
    if (!plan || !is_plan(plan) || !plan->is_finalized || !pack || is_plan(pack) || !pack->is_finalized)
        REFUSE(CUDNN_STATUS_BAD_PARAM, "no plan or no pack, or one that is not finalized");
    if (plan->plan.handle != handle)
        REFUSE(CUDNN_STATUS_BAD_PARAM, "the plan is of another handle");
    const Convolution c = plan->plan.convolution;
    const Tensor *const tensors[] = {&c.x, &c.w, &c.y};
    cudnnStatus_t status = check_workspace(call, c.workspace, pack->pack.workspace);
    for (int i = 0; i < 3 && !status; i++)
        status = find_pointer(call, *tensors[i], pack->pack, i == 0 ? "x" : i == 1 ? "w" : "y", &pointers[i]);
    if (status)
        return status;
    void *x = pointers[0], *w = pointers[1], *y = pointers[2], *workspace = pack->pack.workspace;
    enqueue(find_stream(handle->stream), [=] {
        if (c.workspace)
            memset(workspace, POISON, (size_t)c.workspace);
        convolve(c, x, w, y);
    });
    executed++;
    return CUDNN_STATUS_SUCCESS;
}

#endif
