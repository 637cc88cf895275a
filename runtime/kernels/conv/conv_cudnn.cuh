/* conv_cudnn.cuh: convolutions by cuDNN, of which the program brings the plans.
 *
 *   pcc_cudnn_conv<T, Form>(shape, x, w, scratch, epilogue, s)
 *   pcc_cudnn_conv_grad_input<T, Form>(shape, dy, w, scratch, epilogue, s)
 *   pcc_cudnn_conv_grad_weight<T, Form>(shape, x, dy, dw, scratch, s)
 *
 * The arguments are those of conv.cuh's, and scratch has room for the plan's workspace too; the epilogue does nothing
 * but store, through its pointer y0. The program defines `pcc_cudnn_plans`, a PccCudnnPlans, before it includes this.
 *
 * Each plan is read when its site is run first, and stays with the device until that is closed. A plan holds for the
 * version of cuDNN and the GPU that it was made for: where the library is another or refuses it, the own kernel runs,
 * and a note says so once. No heuristic is asked here: what runs is what was planned, or own. */
#ifndef PCC_CONV_CUDNN_CUH
#define PCC_CONV_CUDNN_CUH

#include <cudnn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../device/cuda.cuh"
#include "conv.cuh"
#include "conv_cudnn.h"

/* What the library made of a plan's text. */
struct PccCudnnLoaded {
    cudnnBackendDescriptor_t plan; /* NULL: it is not read yet, or refused */
    bool is_refused;
};

struct PccCudnn {
    cudnnHandle_t handle;
    PccCudnnLoaded *loaded; /* one for each plan of the program */
    int count;
    bool is_noted; /* the note was printed */
};

/* ---- failures --------------------------------------------------------------------------------------------------- */

static const char *pcc_cudnn_kind(const PccCudnnSite &site)
{
    return site.kind == PCC_CUDNN_FORWARD      ? "a convolution"
           : site.kind == PCC_CUDNN_GRAD_INPUT ? "an input's gradient"
                                               : "a filter's gradient";
}

/* As pcc_check_cuda(), with the call and the site. Did it succeed? */
static bool pcc_check_cudnn(const PccStep *s, cudnnStatus_t status, const char *call, const PccCudnnSite &site)
{
    const PccConv &c = site.shape;
    if (status != CUDNN_STATUS_SUCCESS && s->failure && s->failure[0] == 0)
        snprintf(
            s->failure, PCC_FAILURE_ROOM,
            "%.60s failed: %s, for %s of %lld x %lld x %lld x %lld channels to %lld; compile with --libraries none "
            "to do without cuDNN",
            call, cudnnGetErrorString(status), pcc_cudnn_kind(site), (long long)c.n, (long long)(c.in[0] * c.in[1]),
            (long long)c.in[2], (long long)c.c, (long long)c.o);
    return status == CUDNN_STATUS_SUCCESS;
}

#define PCC_CUDNN_TRY(call) pcc_check_cudnn(s, (call), #call, site)

/* Once a device: why planned convolutions are computed by own kernels. */
static void pcc_note_cudnn(PccCudnn *cudnn, const PccCudnnPlans &plans, const char *why)
{
    if (!cudnn->is_noted)
        fprintf(stderr,
                "note: cuDNN's plans are of version %lld for a GPU as %s, but %s: own kernels run where they would; "
                "compile for what is here\n",
                (long long)plans.version, plans.gpu, why);
    cudnn->is_noted = true;
}

/* ---- plans ------------------------------------------------------------------------------------------------------ */

static void pcc_close_cudnn(void *state)
{
    PccCudnn *cudnn = (PccCudnn *)state;
    for (int i = 0; i < cudnn->count; i++)
        if (cudnn->loaded[i].plan)
            cudnnBackendDestroyDescriptor(cudnn->loaded[i].plan);
    if (cudnn->handle)
        cudnnDestroy(cudnn->handle);
    free(cudnn->loaded);
    free(cudnn);
}

static PccCudnn *pcc_make_cudnn(const PccCudnnPlans &plans)
{
    PccCudnn *cudnn = (PccCudnn *)calloc(1, sizeof *cudnn);
    if (cudnn)
        cudnn->loaded = (PccCudnnLoaded *)calloc((size_t)plans.count + 1, sizeof *cudnn->loaded);
    if (cudnn && cudnn->loaded) {
        cudnn->count = plans.count;
        return cudnn;
    }
    free(cudnn);
    return NULL;
}

/* The step's device keeps it. NULL: s->failure says why. */
static PccCudnn *pcc_cudnn_of(PccStep *s, const PccCudnnPlans &plans, const PccCudnnSite &site)
{
    PccCudaLibrary *library = &pcc_cuda_of(s)->cudnn;
    if (!library->state) {
        library->state = pcc_make_cudnn(plans);
        library->close = pcc_close_cudnn;
    }
    PccCudnn *cudnn = (PccCudnn *)library->state;
    if (!cudnn)
        pcc_check_cuda(s, cudaErrorMemoryAllocation, "cuDNN's table of plans");
    if (!cudnn || cudnn->handle || PCC_CUDNN_TRY(cudnnCreate(&cudnn->handle)))
        return cudnn;
    cudnn->handle = NULL;
    return NULL;
}

/* Is it the plan's text, and does its workspace fit? Else `status` or the size says why not. */
static cudnnStatus_t pcc_read_plan(PccCudnn *cudnn, const PccCudnnPlan &row, cudnnBackendDescriptor_t plan,
                                   int64_t *workspace)
{
    int64_t count = 0;
    cudnnStatus_t status =
        cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &cudnn->handle);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                          (int64_t)strlen(row.text), row.text);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnnBackendFinalize(plan);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count,
                                          workspace);
    return status;
}

/* The text is of another version or GPU; another status is a failure of this call, and of it the step ends. */
static bool pcc_is_refusal(cudnnStatus_t status)
{
    const int category = CUDNN_STATUS_CATEGORY((int)status);
    return category == CUDNN_STATUS_BAD_PARAM || category == CUDNN_STATUS_NOT_SUPPORTED;
}

static void pcc_load_plan(PccStep *s, PccCudnn *cudnn, const PccCudnnPlans &plans, int i)
{
    const PccCudnnPlan &row = plans.plans[i];
    const PccCudnnSite &site = row.site;
    cudnnBackendDescriptor_t plan = NULL;
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    char why[120] = "";
    int64_t workspace = 0;
    if ((int64_t)cudnnGetVersion() != plans.version)
        snprintf(why, sizeof why, "this is version %lld", (long long)cudnnGetVersion());
    else if (PCC_CUDNN_TRY(cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan))) {
        status = pcc_read_plan(cudnn, row, plan, &workspace);
        if (pcc_is_refusal(status))
            snprintf(why, sizeof why, "it refuses one with %s", cudnnGetErrorString(status));
        else if (pcc_check_cudnn(s, status, "reading a plan", site) && workspace > row.workspace)
            snprintf(why, sizeof why, "one takes %lld bytes of workspace now", (long long)workspace);
    }
    const bool is_refused = why[0] != 0;
    if (plan && (is_refused || status != CUDNN_STATUS_SUCCESS)) {
        cudnnBackendDestroyDescriptor(plan);
        plan = NULL;
    }
    cudnn->loaded[i] = {plan, is_refused};
    if (is_refused)
        pcc_note_cudnn(cudnn, plans, why);
}

/* Its number; -1: the site has none. */
static int pcc_find_plan(const PccCudnnPlans &plans, const PccCudnnSite &site)
{
    for (int i = 0; i < plans.count; i++)
        if (memcmp(&plans.plans[i].site, &site, sizeof site) == 0)
            return i;
    return -1;
}

/* ---- convolutions ----------------------------------------------------------------------------------------------- */

static bool pcc_execute_plan(PccStep *s, PccCudnn *cudnn, cudnnBackendDescriptor_t plan, const PccCudnnSite &site,
                             const void *const tensors[3], void *workspace)
{
    const int64_t names[] = {PCC_CUDNN_X, PCC_CUDNN_W, PCC_CUDNN_Y};
    cudnnBackendDescriptor_t pack = NULL;
    const bool ok =
        PCC_CUDNN_TRY(cudnnSetStream(cudnn->handle, pcc_stream(s))) &&
        PCC_CUDNN_TRY(cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack)) &&
        PCC_CUDNN_TRY(cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, names)) &&
        PCC_CUDNN_TRY(
            cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, tensors)) &&
        PCC_CUDNN_TRY(
            cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace)) &&
        PCC_CUDNN_TRY(cudnnBackendFinalize(pack)) && PCC_CUDNN_TRY(cudnnBackendExecute(cudnn->handle, plan, pack));
    if (pack)
        cudnnBackendDestroyDescriptor(pack);
    return ok;
}

/* False: there is no plan, and nothing was enqueued. Of a failure the step ends. */
static bool pcc_run_plan(PccStep *s, const PccCudnnPlans &plans, const PccCudnnSite &site, const void *x, const void *w,
                         const void *y, void *workspace)
{
    const int i = pcc_find_plan(plans, site);
    PccCudnn *cudnn = i >= 0 ? pcc_cudnn_of(s, plans, site) : NULL;
    if (!cudnn)
        return i >= 0;
    PccCudnnLoaded *loaded = &cudnn->loaded[i];
    if (!loaded->plan && !loaded->is_refused)
        pcc_load_plan(s, cudnn, plans, i);
    if (!loaded->plan)
        return !loaded->is_refused;
    const void *const tensors[] = {x, w, y};
    pcc_execute_plan(s, cudnn, loaded->plan, site, tensors, workspace);
    return true;
}

/* While a graph is captured, the library may allocate and load its kernels all the same. */
static bool pcc_cudnn_runs(PccStep *s, const PccCudnnPlans &plans, const PccCudnnSite &site, const void *x,
                           const void *w, const void *y, void *workspace)
{
    cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    pcc_check_cuda(s, cudaThreadExchangeStreamCaptureMode(&mode), "cudaThreadExchangeStreamCaptureMode()");
    const bool is_done = pcc_run_plan(s, plans, site, x, w, y, workspace);
    pcc_check_cuda(s, cudaThreadExchangeStreamCaptureMode(&mode), "cudaThreadExchangeStreamCaptureMode()");
    return is_done;
}

/* Of one dtype all three, else there is no plan. */
template <class A, class B, class Y> static PccCudnnSite pcc_cudnn_site(int kind, const PccConv &shape)
{
    constexpr bool is_one = std::is_same<A, B>::value && std::is_same<B, Y>::value;
    constexpr int dtype = std::is_same<A, PccBf16>::value  ? PCC_BF16
                          : std::is_same<A, PccF16>::value ? PCC_F16
                          : std::is_same<A, float>::value  ? PCC_F32
                                                           : PCC_F64;
    return {kind, is_one ? dtype : -1, shape};
}

template <class T, int Form = PCC_ANY_FORM, class X, class W, class E>
static void pcc_cudnn_conv(PccConv shape, const X *x, const W *w, void *scratch, E epilogue, PccStep *s)
{
    typedef typename std::remove_pointer<decltype(epilogue.y0)>::type Y;
    const PccCudnnSite site = pcc_cudnn_site<X, W, Y>(PCC_CUDNN_FORWARD, shape);
    if (!pcc_cudnn_runs(s, pcc_cudnn_plans, site, x, w, epilogue.y0, scratch))
        pcc_conv<T, Form>(shape, x, w, scratch, epilogue, s);
}

template <class T, int Form = PCC_ANY_FORM, class Y, class W, class E>
static void pcc_cudnn_conv_grad_input(PccConv shape, const Y *dy, const W *w, void *scratch, E epilogue, PccStep *s)
{
    typedef typename std::remove_pointer<decltype(epilogue.y0)>::type X;
    const PccCudnnSite site = pcc_cudnn_site<Y, W, X>(PCC_CUDNN_GRAD_INPUT, shape);
    if (!pcc_cudnn_runs(s, pcc_cudnn_plans, site, epilogue.y0, w, dy, scratch))
        pcc_conv_grad_input<T, Form>(shape, dy, w, scratch, epilogue, s);
}

template <class T, int Form = PCC_ANY_FORM, class X, class Y, class W>
static void pcc_cudnn_conv_grad_weight(PccConv shape, const X *x, const Y *dy, W *dw, void *scratch, PccStep *s)
{
    const PccCudnnSite site = pcc_cudnn_site<X, Y, W>(PCC_CUDNN_GRAD_WEIGHT, shape);
    if (!pcc_cudnn_runs(s, pcc_cudnn_plans, site, x, dw, dy, scratch))
        pcc_conv_grad_weight<T, Form>(shape, x, dy, dw, scratch, s);
}

#endif
