/* gemm_cublas.cuh: large plain products by cuBLASLt.
 *
 *   pcc_cublas_gemm<T, Form>(batch, m, n, k, a, a_batch, a_row, a_col, b, b_batch, b_row, b_col, y_batch, y_row,
 *                            scratch, epilogue, s)
 *
 * The arguments are those of pcc_gemm_batched(), and the strides of the result: the epilogue only stores, through its
 * pointer y0. gemm_cublas.h says which products these are. The program defines before it includes this:
 *   PCC_CUBLAS_WORKSPACE      bytes of scratch that the library may use: those of the memory plan
 *   PCC_CUBLAS_TF32           1: operands of f32 are rounded to TF32 (--tf32)
 *   PCC_CUBLAS_DETERMINISTIC  1: the bits are the same from run to run (--deterministic)
 *
 * A site is a product as the library sees it. The library's heuristic is queried once, when the site first runs,
 * because its answer depends on free memory and may change; the chosen algorithm is kept with the device until that is
 * closed. Where there is no algorithm, pcc's own kernel runs. The library is column-major: it computes the transposed
 * product of swapped operands. */
#ifndef PCC_GEMM_CUBLAS_CUH
#define PCC_GEMM_CUBLAS_CUH

#include <cublasLt.h>

#include <stdlib.h>
#include <string.h>

#include "../../device/cuda.cuh"
#include "gemm.cuh"
#include "gemm_cublas.h"

#ifndef PCC_CUBLAS_WORKSPACE
#    define PCC_CUBLAS_WORKSPACE (32 << 20)
#endif
#ifndef PCC_CUBLAS_TF32
#    define PCC_CUBLAS_TF32 0
#endif
#ifndef PCC_CUBLAS_DETERMINISTIC
#    define PCC_CUBLAS_DETERMINISTIC 0
#endif

/* How the library may compute. */
struct PccCublasRules {
    uint64_t workspace;
    int64_t tf32, deterministic;
};

/* A column-major matrix: columns of `rows` numbers, so many elements apart. */
struct PccCublasLayout {
    int64_t rows, columns, pitch, batch;
    int64_t type; /* cudaDataType_t */
};

/* A site: left and right are the library's A and B, with their `is_transposed`. Compared as bytes, so every field has 8
 * and there is no padding. */
struct PccCublasSite {
    int64_t batch, m, n, k; /* the product's shape as in the program */
    int64_t left_transposed, right_transposed;
    PccCublasLayout left, right, result;
    PccCublasRules rules;
};

/* The library's descriptors and algorithm for a site. */
struct PccCublasChoice {
    PccCublasSite site;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t left, right, result;
    cublasLtMatmulAlgo_t algorithm;
    bool is_served; /* else it has no algorithm */
};

struct PccCublas {
    cublasLtHandle_t handle;
    PccCublasChoice *choices;
    int count;
};

/* ---- failures --------------------------------------------------------------------------------------------------- */

/* Like pcc_check_cuda(), with the call and the site in the message. Did it succeed? */
static bool pcc_check_cublas(const PccStep *s, cublasStatus_t status, const char *call, const PccCublasSite &site)
{
    if (status != CUBLAS_STATUS_SUCCESS && s->failure && s->failure[0] == 0)
        snprintf(
            s->failure, PCC_FAILURE_ROOM,
            "%.60s failed: %s, for %lld product%s of %lld x %lld by %lld x %lld; compile with --libraries none to do "
            "without cuBLASLt",
            call, cublasLtGetStatusName(status), (long long)site.batch, site.batch == 1 ? "" : "s", (long long)site.m,
            (long long)site.k, (long long)site.k, (long long)site.n);
    return status == CUBLAS_STATUS_SUCCESS;
}

#define PCC_CUBLAS_TRY(call) pcc_check_cublas(s, (call), #call, site)

/* ---- descriptors and heuristic ---------------------------------------------------------------------------------- */

template <class X> constexpr cudaDataType_t pcc_cublas_type()
{
    return std::is_same<X, PccBf16>::value  ? CUDA_R_16BF
           : std::is_same<X, PccF16>::value ? CUDA_R_16F
           : std::is_same<X, float>::value  ? CUDA_R_32F
                                            : CUDA_R_64F;
}

/* Sums are f32 for all operands but f64. */
static bool pcc_make_product(PccStep *s, const PccCublasSite &site, cublasLtMatmulDesc_t *product)
{
    const bool is_double = site.left.type == CUDA_R_64F, is_tf32 = site.left.type == CUDA_R_32F && site.rules.tf32;
    const cublasComputeType_t compute = is_double ? CUBLAS_COMPUTE_64F
                                        : is_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                  : CUBLAS_COMPUTE_32F;
    const cublasOperation_t left = site.left_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t right = site.right_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    return PCC_CUBLAS_TRY(cublasLtMatmulDescCreate(product, compute, is_double ? CUDA_R_64F : CUDA_R_32F)) &&
           PCC_CUBLAS_TRY(cublasLtMatmulDescSetAttribute(*product, CUBLASLT_MATMUL_DESC_TRANSA, &left, sizeof left)) &&
           PCC_CUBLAS_TRY(cublasLtMatmulDescSetAttribute(*product, CUBLASLT_MATMUL_DESC_TRANSB, &right, sizeof right));
}

static bool pcc_make_layout(PccStep *s, const PccCublasSite &site, const PccCublasLayout &of,
                            cublasLtMatrixLayout_t *layout)
{
    const int32_t batch = (int32_t)site.batch;
    return PCC_CUBLAS_TRY(cublasLtMatrixLayoutCreate(layout, (cudaDataType_t)of.type, (uint64_t)of.rows,
                                                     (uint64_t)of.columns, of.pitch)) &&
           PCC_CUBLAS_TRY(
               cublasLtMatrixLayoutSetAttribute(*layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch)) &&
           PCC_CUBLAS_TRY(cublasLtMatrixLayoutSetAttribute(*layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                                           &of.batch, sizeof of.batch));
}

/* Where K is split, partial sums are kept in the type of the computation, never in 16 bits. */
static bool pcc_make_preference(PccStep *s, const PccCublasSite &site, cublasLtMatmulPreference_t *preference)
{
    static const cublasLtMatmulPreferenceAttributes_t aligned[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const uint32_t reductions =
        site.rules.deterministic ? CUBLASLT_REDUCTION_SCHEME_NONE : CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const uint32_t alignment = PCC_CUBLAS_ALIGNMENT;
    bool ok = PCC_CUBLAS_TRY(cublasLtMatmulPreferenceCreate(preference)) &&
              PCC_CUBLAS_TRY(cublasLtMatmulPreferenceSetAttribute(*preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                                  &site.rules.workspace, sizeof(uint64_t))) &&
              PCC_CUBLAS_TRY(cublasLtMatmulPreferenceSetAttribute(
                  *preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions));
    for (int i = 0; ok && i < 4; i++)
        ok =
            PCC_CUBLAS_TRY(cublasLtMatmulPreferenceSetAttribute(*preference, aligned[i], &alignment, sizeof alignment));
    return ok;
}

static bool pcc_ask_heuristic(PccStep *s, PccCublas *cublas, PccCublasChoice *choice)
{
    const PccCublasSite &site = choice->site;
    cublasLtMatmulPreference_t preference = NULL;
    cublasLtMatmulHeuristicResult_t result;
    int count = 0;
    bool ok = pcc_make_preference(s, site, &preference);
    if (ok) {
        const cublasStatus_t status =
            cublasLtMatmulAlgoGetHeuristic(cublas->handle, choice->product, choice->left, choice->right, choice->result,
                                           choice->result, preference, 1, &result, &count);
        choice->is_served = status == CUBLAS_STATUS_SUCCESS && count > 0 && result.state == CUBLAS_STATUS_SUCCESS &&
                            result.workspaceSize <= site.rules.workspace;
        if (choice->is_served)
            choice->algorithm = result.algo;
        ok = status == CUBLAS_STATUS_NOT_SUPPORTED ||
             pcc_check_cublas(s, status, "cublasLtMatmulAlgoGetHeuristic()", site);
    }
    if (preference)
        cublasLtMatmulPreferenceDestroy(preference);
    return ok;
}

/* ---- the table of sites ----------------------------------------------------------------------------------------- */

static void pcc_release_choice(PccCublasChoice *choice)
{
    for (cublasLtMatrixLayout_t layout : {choice->left, choice->right, choice->result})
        if (layout)
            cublasLtMatrixLayoutDestroy(layout);
    if (choice->product)
        cublasLtMatmulDescDestroy(choice->product);
}

static void pcc_close_cublas(void *state)
{
    PccCublas *cublas = (PccCublas *)state;
    for (int i = 0; i < cublas->count; i++)
        pcc_release_choice(&cublas->choices[i]);
    if (cublas->handle)
        cublasLtDestroy(cublas->handle);
    free(cublas->choices);
    free(cublas);
}

/* The step's device keeps it. NULL: s->failure says why. */
static PccCublas *pcc_cublas_of(PccStep *s, const PccCublasSite &site)
{
    PccCudaLibrary *library = &pcc_cuda_of(s)->cublas;
    if (!library->state) {
        library->state = calloc(1, sizeof(PccCublas));
        library->close = pcc_close_cublas;
    }
    PccCublas *cublas = (PccCublas *)library->state;
    if (!cublas)
        pcc_check_cuda(s, cudaErrorMemoryAllocation, "cuBLASLt's table of products");
    if (!cublas || cublas->handle || PCC_CUBLAS_TRY(cublasLtCreate(&cublas->handle)))
        return cublas;
    cublas->handle = NULL;
    return NULL;
}

static PccCublasChoice *pcc_add_choice(PccStep *s, PccCublas *cublas, const PccCublasSite &site)
{
    PccCublasChoice made = {};
    made.site = site;
    void *choices = realloc(cublas->choices, (size_t)(cublas->count + 1) * sizeof made);
    if (!choices)
        pcc_check_cuda(s, cudaErrorMemoryAllocation, "cuBLASLt's table of products");
    else
        cublas->choices = (PccCublasChoice *)choices;
    if (choices && pcc_make_product(s, site, &made.product) && pcc_make_layout(s, site, site.left, &made.left) &&
        pcc_make_layout(s, site, site.right, &made.right) && pcc_make_layout(s, site, site.result, &made.result) &&
        pcc_ask_heuristic(s, cublas, &made)) {
        cublas->choices[cublas->count] = made;
        return &cublas->choices[cublas->count++];
    }
    pcc_release_choice(&made);
    return NULL;
}

/* NULL: s->failure says why. */
static PccCublasChoice *pcc_find_choice(PccStep *s, PccCublas *cublas, const PccCublasSite &site)
{
    for (int i = 0; i < cublas->count; i++)
        if (memcmp(&cublas->choices[i].site, &site, sizeof site) == 0)
            return &cublas->choices[i];
    return pcc_add_choice(s, cublas, site);
}

/* ---- products --------------------------------------------------------------------------------------------------- */

/* The column-major view of an operand [rows, columns]: its transpose where its rows are dense, as the library wants it;
 * else the operand itself, which then has to be transposed. */
template <class X>
static PccCublasLayout pcc_cublas_layout(int64_t rows, int64_t columns, int64_t batch, int64_t row, int64_t col)
{
    if (col == 1)
        return {columns, rows, row, batch, pcc_cublas_type<X>()};
    return {rows, columns, col, batch, pcc_cublas_type<X>()};
}

/* False: the library has no algorithm, and nothing was enqueued. */
template <class A, class B, class Y>
static bool pcc_run_cublas(PccStep *s, PccCublas *cublas, const PccCublasSite &site, const A *a, const B *b, Y *y,
                           void *scratch)
{
    const float one = 1, zero = 0;
    const double one_double = 1, zero_double = 0;
    const bool is_double = site.left.type == CUDA_R_64F;
    const void *alpha = is_double ? (const void *)&one_double : &one;
    const void *beta = is_double ? (const void *)&zero_double : &zero;
    const PccCublasChoice *choice = pcc_find_choice(s, cublas, site);
    if (!choice || !choice->is_served)
        return choice == NULL; /* a failure ends the step */
    pcc_check_cublas(s,
                     cublasLtMatmul(cublas->handle, choice->product, alpha, b, choice->left, a, choice->right, beta, y,
                                    choice->result, y, choice->result, &choice->algorithm, scratch,
                                    site.rules.workspace, pcc_stream(s)),
                     "cublasLtMatmul()", site);
    return true;
}

template <class T, int Form = PCC_ANY_FORM, class A, class B, class E>
static void pcc_cublas_product(PccCublasRules rules, int64_t batch, int64_t m, int64_t n, int64_t k, const A *a,
                               int64_t a_batch, int64_t a_row, int64_t a_col, const B *b, int64_t b_batch,
                               int64_t b_row, int64_t b_col, int64_t y_batch, int64_t y_row, void *scratch, E epilogue,
                               PccStep *s)
{
    typedef typename std::remove_pointer<decltype(epilogue.y0)>::type Y;
    const PccCublasSite site = {batch,
                                m,
                                n,
                                k,
                                b_col != 1,
                                a_col != 1,
                                pcc_cublas_layout<B>(k, n, b_batch, b_row, b_col),
                                pcc_cublas_layout<A>(m, k, a_batch, a_row, a_col),
                                {n, m, y_row, y_batch, pcc_cublas_type<Y>()},
                                rules};
    /* Allows the library to allocate memory and load kernels while a graph is captured. */
    cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    pcc_check_cuda(s, cudaThreadExchangeStreamCaptureMode(&mode), "cudaThreadExchangeStreamCaptureMode()");
    PccCublas *cublas = pcc_cublas_of(s, site);
    const bool is_done = !cublas || pcc_run_cublas(s, cublas, site, a, b, epilogue.y0, scratch);
    pcc_check_cuda(s, cudaThreadExchangeStreamCaptureMode(&mode), "cudaThreadExchangeStreamCaptureMode()");
    if (!is_done)
        pcc_gemm_batched<T, Form>(batch, m, n, k, a, a_batch, a_row, a_col, b, b_batch, b_row, b_col, scratch, epilogue,
                                  s);
}

template <class T, int Form = PCC_ANY_FORM, class A, class B, class E>
static void pcc_cublas_gemm(int64_t batch, int64_t m, int64_t n, int64_t k, const A *a, int64_t a_batch, int64_t a_row,
                            int64_t a_col, const B *b, int64_t b_batch, int64_t b_row, int64_t b_col, int64_t y_batch,
                            int64_t y_row, void *scratch, E epilogue, PccStep *s)
{
    const PccCublasRules rules = {PCC_CUBLAS_WORKSPACE, PCC_CUBLAS_TF32, PCC_CUBLAS_DETERMINISTIC};
    pcc_cublas_product<T, Form>(rules, batch, m, n, k, a, a_batch, a_row, a_col, b, b_batch, b_row, b_col, y_batch,
                                y_row, scratch, epilogue, s);
}

#endif
