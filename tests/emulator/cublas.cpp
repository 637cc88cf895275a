/* cublas.cpp: stand-ins for cuBLASLt's entry points, which check what they are given as the real ones do.
 *
 * The heuristic splits K where it may: by 2, with partial sums of the least precise kind that the caller's mask lets
 * through, so that a program that forgets the mask has other results. PCC_EMULATOR_CUBLAS=none: it has no algorithm. */
#if __has_include(<cublasLt.h>)

#    include "emulator.h"

#    include <stdlib.h>
#    include <string.h>

#    include "cublas.h"
#    include "pcc_emulator.h"

struct cublasLtContext {
    int device;
};

static int objects; /* that were made and not destroyed */

int pcc_emulated_cublas_objects(void)
{
    return objects;
}

template <class Object, class Handle> static Object *make(Handle *handle, const Object &value)
{
    Object *made = new Object(value);
    *handle = (Handle)made;
    objects++;
    return made;
}

template <class Object, class Handle> static cublasStatus_t destroy(Handle handle)
{
    objects -= handle != nullptr;
    delete (Object *)handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *lightHandle)
{
    ENTER_CUBLAS(NOT_IN_CAPTURE); /* it allocates */
    make(lightHandle, cublasLtContext{current_device()});
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t lightHandle)
{
    ENTER_CUBLAS(NOT_IN_CAPTURE);
    return destroy<cublasLtContext>(lightHandle);
}

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_SUCCESS            ? "CUBLAS_STATUS_SUCCESS"
           : status == CUBLAS_STATUS_INVALID_VALUE    ? "CUBLAS_STATUS_INVALID_VALUE"
           : status == CUBLAS_STATUS_NOT_SUPPORTED    ? "CUBLAS_STATUS_NOT_SUPPORTED"
           : status == CUBLAS_STATUS_EXECUTION_FAILED ? "CUBLAS_STATUS_EXECUTION_FAILED"
                                                      : "CUBLAS_STATUS_INTERNAL_ERROR";
}

/* ---- objects ---------------------------------------------------------------------------------------------------- */

/* An attribute of exactly the field's size. */
template <class Field>
static cublasStatus_t set(Call &call, Field *field, const void *buffer, size_t bytes, const char *name)
{
    if (!buffer || bytes != sizeof *field)
        REFUSE(CUBLAS_STATUS_INVALID_VALUE, "%s has %zu bytes, not %zu", name, sizeof *field, bytes);
    memcpy(field, buffer, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *matmulDesc, cublasComputeType_t computeType,
                                        cudaDataType_t scaleType)
{
    ENTER_CUBLAS(ANYWHERE);
    make(matmulDesc, Product{computeType, scaleType, CUBLAS_OP_N, CUBLAS_OP_N});
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t matmulDesc)
{
    return destroy<Product>(matmulDesc);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t matmulDesc, cublasLtMatmulDescAttributes_t attr,
                                              const void *buf, size_t sizeInBytes)
{
    ENTER_CUBLAS(ANYWHERE);
    Product *product = (Product *)matmulDesc;
    if (attr == CUBLASLT_MATMUL_DESC_TRANSA)
        return set(call, &product->left, buf, sizeInBytes, "TRANSA");
    if (attr == CUBLASLT_MATMUL_DESC_TRANSB)
        return set(call, &product->right, buf, sizeInBytes, "TRANSB");
    REFUSE(CUBLAS_STATUS_INVALID_VALUE, "attribute %d has no stand-in", (int)attr);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *matLayout, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld)
{
    ENTER_CUBLAS(ANYWHERE);
    make(matLayout, Layout{type, (int64_t)rows, (int64_t)cols, ld, 0, 1});
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t matLayout)
{
    return destroy<Layout>(matLayout);
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t matLayout, cublasLtMatrixLayoutAttribute_t attr,
                                                const void *buf, size_t sizeInBytes)
{
    ENTER_CUBLAS(ANYWHERE);
    Layout *layout = (Layout *)matLayout;
    if (attr == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT)
        return set(call, &layout->batch, buf, sizeInBytes, "BATCH_COUNT");
    if (attr == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET)
        return set(call, &layout->batch_stride, buf, sizeInBytes, "STRIDED_BATCH_OFFSET");
    REFUSE(CUBLAS_STATUS_INVALID_VALUE, "attribute %d has no stand-in", (int)attr);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *pref)
{
    ENTER_CUBLAS(ANYWHERE);
    make(pref, Preference{0, CUBLASLT_REDUCTION_SCHEME_MASK, {256, 256, 256, 256}});
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t pref)
{
    return destroy<Preference>(pref);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref,
                                                    cublasLtMatmulPreferenceAttributes_t attr, const void *buf,
                                                    size_t sizeInBytes)
{
    ENTER_CUBLAS(ANYWHERE);
    Preference *preference = (Preference *)pref;
    if (attr == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        return set(call, &preference->workspace, buf, sizeInBytes, "MAX_WORKSPACE_BYTES");
    if (attr == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
        return set(call, &preference->reductions, buf, sizeInBytes, "REDUCTION_SCHEME_MASK");
    if (attr >= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES && attr <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES)
        return set(call, &preference->alignment[attr - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], buf, sizeInBytes,
                   "MIN_ALIGNMENT_BYTES");
    REFUSE(CUBLAS_STATUS_INVALID_VALUE, "attribute %d has no stand-in", (int)attr);
}

/* ---- the heuristic ---------------------------------------------------------------------------------------------- */

/* The least precise scheme of the mask that the workspace has room for, in C's type or in that of sums. */
static Algorithm choose(const Request &r, const Preference &preference)
{
    static const cublasLtReductionScheme_t schemes[] = {CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE,
                                                        CUBLASLT_REDUCTION_SCHEME_INPLACE,
                                                        CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE};
    Algorithm chosen = {hash_request(r), CUBLASLT_REDUCTION_SCHEME_NONE, 1, {}, 0};
    const uint64_t sums = 2 * sizeof(double) * (uint64_t)(r.d.batch * r.d.rows * r.d.columns);
    memcpy(chosen.alignment, preference.alignment, sizeof chosen.alignment);
    for (cublasLtReductionScheme_t scheme : schemes)
        if (chosen.splits == 1 && (preference.reductions & scheme) && sums <= preference.workspace) {
            chosen.reduction = scheme;
            chosen.splits = 2;
            chosen.workspace = sums;
        }
    return chosen;
}

static Request request_of(cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                          cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d)
{
    return {*(const Product *)product, *(const Layout *)a, *(const Layout *)b, *(const Layout *)c, *(const Layout *)d};
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operationDesc,
                                              cublasLtMatrixLayout_t Adesc, cublasLtMatrixLayout_t Bdesc,
                                              cublasLtMatrixLayout_t Cdesc, cublasLtMatrixLayout_t Ddesc,
                                              cublasLtMatmulPreference_t preference, int requestedAlgoCount,
                                              cublasLtMatmulHeuristicResult_t heuristicResultsArray[],
                                              int *returnAlgoCount)
{
    ENTER_CUBLAS(NOT_IN_CAPTURE); /* it may load its kernels */
    const char *mode = getenv("PCC_EMULATOR_CUBLAS");
    const Request request = request_of(operationDesc, Adesc, Bdesc, Cdesc, Ddesc);
    *returnAlgoCount = 0;
    if (requestedAlgoCount < 1)
        REFUSE(CUBLAS_STATUS_INVALID_VALUE, "%d algorithms", requestedAlgoCount);
    if (mode && strcmp(mode, "none") == 0)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    const cublasStatus_t status = check_request(call, request);
    if (status)
        return status;
    const Algorithm chosen = choose(request, *(const Preference *)preference);
    cublasLtMatmulHeuristicResult_t *result = &heuristicResultsArray[0];
    memset((void *)result, 0, sizeof *result);
    memcpy(&result->algo, &chosen, sizeof chosen);
    result->workspaceSize = chosen.workspace;
    result->state = CUBLAS_STATUS_SUCCESS;
    *returnAlgoCount = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t attr, void *buf,
                                                    size_t sizeInBytes, size_t *sizeWritten)
{
    ENTER_CUBLAS(ANYWHERE);
    const Algorithm *of = (const Algorithm *)algo;
    if ((attr != CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME && attr != CUBLASLT_ALGO_CONFIG_SPLITK_NUM) ||
        sizeInBytes != sizeof of->reduction)
        REFUSE(CUBLAS_STATUS_INVALID_VALUE, "attribute %d of %zu bytes has no stand-in", (int)attr, sizeInBytes);
    memcpy(buf, attr == CUBLASLT_ALGO_CONFIG_SPLITK_NUM ? &of->splits : &of->reduction, sizeInBytes);
    if (sizeWritten)
        *sizeWritten = sizeInBytes;
    return CUBLAS_STATUS_SUCCESS;
}

/* ---- products --------------------------------------------------------------------------------------------------- */

static int64_t element_bytes(cudaDataType_t type)
{
    return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2;
}

/* A real product reads and writes what it was told to: what does not exist is found here. */
static void check_memory(const Layout &l, const void *at, const char *name)
{
    const Allocation *found = find_memory(at);
    const int64_t end = (l.batch - 1) * l.batch_stride + (l.columns - 1) * l.pitch + l.rows;
    if (!found || !found->on_device)
        fault("%s of cublasLtMatmul points at no memory of the device", name);
    if ((const char *)at + end * element_bytes(l.type) > found->begin + found->bytes)
        fault("%s of cublasLtMatmul ends behind its allocation of %zu bytes", name, found->bytes);
}

static cublasStatus_t check_alignment(Call &call, const Algorithm &algorithm, int i, const void *at)
{
    if ((uintptr_t)at % algorithm.alignment[i])
        REFUSE(CUBLAS_STATUS_NOT_SUPPORTED, "%c is not aligned to %u bytes, as the heuristic was told", "ABCD"[i],
               algorithm.alignment[i]);
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t check_workspace(Call &call, const Algorithm &algorithm, const void *workspace, size_t bytes)
{
    if (bytes < algorithm.workspace)
        REFUSE(CUBLAS_STATUS_INVALID_VALUE, "the algorithm needs a workspace of %zu bytes, not %zu",
               (size_t)algorithm.workspace, bytes);
    if (bytes == 0)
        return CUBLAS_STATUS_SUCCESS;
    if ((uintptr_t)workspace % 16)
        REFUSE(CUBLAS_STATUS_INVALID_VALUE, "the workspace is not aligned to 16 bytes");
    check_memory({CUDA_R_16F, (int64_t)bytes / 2, 1, (int64_t)bytes / 2, 0, 1}, workspace, "the workspace");
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t computeDesc, const void *alpha,
                              const void *A, cublasLtMatrixLayout_t Adesc, const void *B, cublasLtMatrixLayout_t Bdesc,
                              const void *beta, const void *C, cublasLtMatrixLayout_t Cdesc, void *D,
                              cublasLtMatrixLayout_t Ddesc, const cublasLtMatmulAlgo_t *algo, void *workspace,
                              size_t workspaceSizeInBytes, cudaStream_t stream)
{
    ENTER_CUBLAS(ANYWHERE);
    const Request request = request_of(computeDesc, Adesc, Bdesc, Cdesc, Ddesc);
    const cudaStream_t in = find_stream(stream);
    const bool is_double = request.product.scale == CUDA_R_64F;
    if (!lightHandle || lightHandle->device != current_device() || !in || !algo)
        REFUSE(CUBLAS_STATUS_INVALID_VALUE, "no handle of this device, no stream, or no algorithm");
    Algorithm algorithm;
    memcpy(&algorithm, algo, sizeof algorithm);
    cublasStatus_t status = check_request(call, request);
    if (!status && algorithm.asked != hash_request(request))
        REFUSE(CUBLAS_STATUS_NOT_SUPPORTED, "the algorithm was chosen for another product");
    const void *const operands[] = {A, B, C, D};
    for (int i = 0; i < 4 && !status; i++)
        status = check_alignment(call, algorithm, i, operands[i]);
    if (!status)
        status = check_workspace(call, algorithm, workspace, workspaceSizeInBytes);
    if (status)
        return status;
    check_memory(request.a, A, "A");
    check_memory(request.b, B, "B");
    check_memory(request.d, D, "D");
    if (is_double ? *(const double *)beta != 0 : *(const float *)beta != 0)
        REFUSE(CUBLAS_STATUS_NOT_SUPPORTED, "beta other than 0 has no stand-in");
    const double factor = is_double ? *(const double *)alpha : (double)*(const float *)alpha;
    enqueue(in, [=] {
        if (algorithm.workspace)
            memset(workspace, POISON, algorithm.workspace);
        multiply(request, algorithm, factor, A, B, D);
    });
    return CUBLAS_STATUS_SUCCESS;
}

#endif
