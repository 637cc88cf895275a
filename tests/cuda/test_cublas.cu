/* test_cublas.cu: products by cuBLASLt, whose stand-in computes them, against sums in double; and the stand-in's own
 * checks, each of which has to find a mistake that is made here. */
#include "gemm_case.cuh"

#include <stdlib.h>

#include <pcc/kernels/gemm/gemm_cublas.cuh>

#include "expect_fault.h"

enum { WORKSPACE = 4 << 20 };
static const PccCublasRules plain = {WORKSPACE, 0, 0}, tf32 = {WORKSPACE, 1, 0}, deterministic = {WORKSPACE, 0, 1};

/* What a plain epilogue is in an emitted program. */
template <class Y> struct Store {
    Y *y0;
    int64_t columns;

    template <class T> __device__ void operator()(int64_t row, int64_t column, T sum) const
    {
        y0[row * columns + column] = pcc_narrowed<Y>(sum);
    }
};

/* A step of a device, with the library's table. */
class LibraryStep : public CudaStep
{
  public:
    LibraryStep()
    {
        host.device = &cuda_;
        pcc_emulated_order("forward");
    }

    ~LibraryStep()
    {
        if (cuda_.cublas.state)
            cuda_.cublas.close(cuda_.cublas.state);
    }

    int sites() const
    {
        return cuda_.cublas.state ? table()->count : 0;
    }

    const PccCublasChoice &site(int i) const
    {
        return table()->choices[i];
    }

    uint32_t reduction(int i) const
    {
        uint32_t scheme = 0;
        size_t written = 0;
        cublasLtMatmulAlgoConfigGetAttribute(&site(i).algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &scheme,
                                             sizeof scheme, &written);
        assert_int_equal(written, sizeof scheme);
        return scheme;
    }

  private:
    const PccCublas *table() const
    {
        return (const PccCublas *)cuda_.cublas.state;
    }

    PccCuda cuda_ = {};
};

/* Its operands, and what it makes of them. */
template <class T, class X, class Y> struct Example {
    Case c;
    Layout la, lb;
    Operand<X> a, b;
    Device<Y> y;
    Device<unsigned char> scratch;

    explicit Example(Case of)
        : c(of), la(layout(c.ta, c.batch, c.m, c.k, c.gap)), lb(layout(c.tb, c.batch, c.k, c.n, c.gap)),
          a(la.size, 1, c.shift), b(lb.size, 2, c.shift), y(c.batch * c.m * c.n),
          scratch((int64_t)std::max<size_t>(WORKSPACE,
                                            pcc_cuda_gemm_batched_scratch_bytes(c.batch, c.m, c.n, c.k, sizeof(T))))
    {
    }

    void run(PccCublasRules rules, PccStep *s)
    {
        pcc_cublas_product<T>(rules, c.batch, c.m, c.n, c.k, a.at(), la.batch, la.row, la.column, b.at(), lb.batch,
                              lb.row, lb.column, c.m * c.n, c.n, scratch.at(), Store<Y>{y.at(), c.n}, s);
    }

    void expect_right() const
    {
        expected(c, a, la, b, lb).template expect<T, Y>(y.read(), c.k, "product");
    }
};

template <class T, class X, class Y> static void check(Case c, PccCublasRules rules)
{
    LibraryStep step;
    Example<T, X, Y> example(c);
    example.run(rules, step.get());
    step.finish();
    assert_int_equal(step.sites(), 1);
    assert_true(step.site(0).is_served);
    assert_int_equal(step.reduction(0), rules.deterministic ? (int)CUBLASLT_REDUCTION_SCHEME_NONE
                                                            : (int)CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
    example.expect_right();
}

static void check_all(Case c, PccCublasRules rules)
{
    check<float, PccBf16, PccBf16>(c, rules);
    check<float, PccBf16, float>(c, rules);
    check<float, PccF16, PccF16>(c, rules);
    check<float, PccF16, float>(c, rules);
    check<float, float, float>(c, rules);
    check<double, double, double>(c, rules);
}

static void test_products(void **)
{
    for (char a : {'n', 't'})
        for (char b : {'n', 't'}) {
            check_all({1, 72, 88, 104, a, b, 0, 0}, plain);
            check_all({1, 72, 88, 104, a, b, 8, 8}, plain);
            check_all({3, 64, 80, 72, a, b, 8, 0}, deterministic);
        }
}

/* One of the operands is the same for the whole batch. */
static void test_broadcast(void **)
{
    LibraryStep step;
    Example<float, PccBf16, float> example({3, 64, 80, 72, 'n', 'n', 0, 0});
    example.lb.batch = 0;
    example.run(plain, step.get());
    step.finish();
    assert_true(step.site(0).is_served);
    example.expect_right();
}

/* Operands of f32 are rounded for it, to 2^-11, and for nothing else. */
static void test_tf32(void **)
{
    const Case c = {1, 64, 64, 96, 'n', 't', 0, 0};
    std::vector<unsigned char> bits[2];
    for (int i = 0; i < 2; i++) {
        LibraryStep step;
        Example<float, float, float> example(c);
        example.run(i ? tf32 : plain, step.get());
        step.finish();
        bits[i] = example.y.bits();
        const Sums sums = expected(c, example.a, example.la, example.b, example.lb);
        const std::vector<double> got = example.y.read();
        for (size_t j = 0; j < got.size(); j++)
            assert_true(fabs(got[j] - sums.sum[j]) <= 0x1.1p-10 * sums.magnitude[j]);
    }
    assert_true(bits[0] != bits[1]);
    check<float, PccBf16, float>(c, tf32);
    check<double, double, double>(c, tf32);
}

/* The heuristic is asked once for a site, whatever it would say later; another product is another site. */
static void test_sites(void **)
{
    LibraryStep step;
    Example<float, PccBf16, PccBf16> one({1, 64, 64, 64, 'n', 'n', 0, 0}), other({1, 64, 64, 64, 't', 'n', 0, 0});
    one.run(plain, step.get());
    step.finish();
    setenv("PCC_EMULATOR_CUBLAS", "none", 1);
    one.run(plain, step.get());
    step.finish();
    assert_int_equal(step.sites(), 1);
    one.expect_right();
    other.run(plain, step.get());
    step.finish();
    unsetenv("PCC_EMULATOR_CUBLAS");
    assert_int_equal(step.sites(), 2);
    assert_false(step.site(1).is_served); /* so the own kernel ran */
    other.expect_right();
}

/* All of it may happen while a stream is captured, and the graph computes it again and again. */
static void test_capture(void **)
{
    LibraryStep step;
    Example<float, PccBf16, float> example({1, 64, 72, 80, 'n', 't', 0, 0});
    const cudaStream_t stream = (cudaStream_t)step.get()->stream;
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "beginning a capture");
    example.run(plain, &step.host);
    must(cudaStreamEndCapture(stream, &graph), "ending a capture");
    must(cudaGraphInstantiate(&executable, graph, 0), "instantiating");
    for (int i = 0; i < 2; i++) {
        must(cudaMemset(example.y.at(), 0xff, (size_t)(example.c.m * example.c.n) * sizeof(float)), "clearing");
        must(cudaDeviceSynchronize(), "clearing");
        must(cudaGraphLaunch(executable, stream), "launching");
        step.finish();
        example.expect_right();
    }
    cudaGraphExecDestroy(executable);
    cudaGraphDestroy(graph);
}

/* What the library refuses is an error with the call and the product: here for an operand that is not aligned. */
static void test_failures(void **)
{
    LibraryStep step;
    Example<float, PccBf16, float> example({1, 64, 72, 80, 'n', 't', 0, 1});
    example.run(plain, step.get());
    assert_non_null(strstr(step.host.failure, "cublasLtMatmul() failed: CUBLAS_STATUS_NOT_SUPPORTED"));
    assert_non_null(strstr(step.host.failure, "64 x 80 by 80 x 72"));
    assert_non_null(strstr(step.host.failure, "--libraries none"));
    step.host.failure[0] = 0;
}

/* ---- which products ---------------------------------------------------------------------------------------------- */

static int wins(int architecture, int64_t batch, int64_t m, int64_t n, int64_t k, size_t bytes, uintptr_t address)
{
    return pcc_cublas_wins(architecture, batch, m, n, k, {address, bytes, m * k, k, 1}, {64, bytes, k * n, 1, k},
                           {64, bytes, m * n, n, 1});
}

static void test_choice(void **)
{
    assert_true(wins(90, 1, 512, 512, 512, 2, 64));
    assert_false(wins(90, 1, 512, 512, 504, 2, 64));
    assert_true(wins(90, 4, 512, 512, 128, 2, 64));
    assert_false(wins(80, 1, 512, 512, 512, 2, 64));
    assert_true(wins(80, 1, 512, 512, 512, 4, 64));
    assert_true(wins(86, 1, 1024, 1024, 1024, 2, 64));
    assert_false(wins(90, 1, 4096, 4096, 4096, 2, 8)); /* not aligned */
    assert_false(wins(90, 1, 4096, 4096, 4100, 2, 64));
    assert_false(wins(90, 1, 1 << 20, 32, 1024, 2, 64));
    assert_int_equal(pcc_cublas_row(90).workspace, 32 << 20);
    assert_int_equal(pcc_cublas_row(89).workspace, 4 << 20);
    assert_int_equal(pcc_cublas_row(121).workspace, 4 << 20);
}

/* ---- the stand-in's checks, by seeded mistakes --------------------------------------------------------------------
 */

static void succeed(cublasStatus_t status)
{
    assert_int_equal(status, CUBLAS_STATUS_SUCCESS);
}

/* D = A B of 64 x 64 matrices of bf16, with one thing wrong. */
class Raw
{
  public:
    cudaDataType_t a = CUDA_R_16BF, d = CUDA_R_32F, scale = CUDA_R_32F;
    cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
    int64_t pitch = 64, depth = 64, shift = 0, end = 64 * 64;
    int32_t batch = 1;
    uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE, alignment = 16;
    size_t given = WORKSPACE;
    bool other = false, captured = false;
    uint32_t scheme = 0;

    cublasStatus_t run()
    {
        LibraryStep step;
        stream = (cudaStream_t)step.get()->stream;
        make_objects();
        if (captured)
            must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "beginning a capture");
        int count = 0;
        cublasLtMatmulHeuristicResult_t chosen;
        cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle, product, left, right, result, result, preference,
                                                               1, &chosen, &count);
        if (captured) {
            cudaGraph_t graph;
            cudaStreamEndCapture(stream, &graph);
        }
        if (!status)
            status = multiply(chosen.algo);
        cudaGetLastError();
        step.finish();
        destroy_objects();
        return status;
    }

  private:
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t left, right, result;
    cublasLtMatmulPreference_t preference;
    cudaStream_t stream;

    template <class Value> void prefer(int attribute, Value value)
    {
        succeed(cublasLtMatmulPreferenceSetAttribute(preference, (cublasLtMatmulPreferenceAttributes_t)attribute,
                                                     &value, sizeof value));
    }

    void make_objects()
    {
        succeed(cublasLtCreate(&handle));
        succeed(cublasLtMatmulDescCreate(&product, compute, scale));
        succeed(cublasLtMatrixLayoutCreate(&left, a, 64, 64, pitch));
        succeed(cublasLtMatrixLayoutCreate(&right, CUDA_R_16BF, (uint64_t)depth, 64, depth));
        succeed(cublasLtMatrixLayoutCreate(&result, d, 64, 64, 64));
        succeed(cublasLtMatrixLayoutSetAttribute(right, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch));
        succeed(cublasLtMatmulPreferenceCreate(&preference));
        prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, (uint64_t)WORKSPACE);
        prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions);
        for (int i = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES; i <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES; i++)
            prefer(i, alignment);
    }

    cublasStatus_t multiply(const cublasLtMatmulAlgo_t &algorithm)
    {
        const float one = 1, zero = 0;
        const cublasOperation_t transposed = CUBLAS_OP_T;
        const Device<PccBf16> x(std::vector<double>((size_t)(64 * 64 + 8), 1.0));
        const Device<PccBf16> w(std::vector<double>((size_t)end, 1.0));
        const Device<float> y(64 * 64);
        const Device<unsigned char> scratch(WORKSPACE);
        cublasLtMatmulAlgoConfigGetAttribute(&algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &scheme, sizeof scheme,
                                             nullptr);
        if (other)
            cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed);
        return cublasLtMatmul(handle, product, &one, x.at() + shift, left, w.at(), right, &zero, y.at(), result, y.at(),
                              result, &algorithm, scratch.at(), given, stream);
    }

    void destroy_objects()
    {
        cublasLtMatmulPreferenceDestroy(preference);
        for (cublasLtMatrixLayout_t layout : {left, right, result})
            cublasLtMatrixLayoutDestroy(layout);
        cublasLtMatmulDescDestroy(product);
        cublasLtDestroy(handle);
    }
};

/* The mistake is made by `spoil`. */
template <class Spoil> static void expect_status(cublasStatus_t status, Spoil spoil)
{
    Raw raw;
    assert_int_equal(raw.run(), CUBLAS_STATUS_SUCCESS);
    spoil(raw);
    assert_int_equal(raw.run(), status);
}

static void test_mistakes(void **)
{
    expect_status(CUBLAS_STATUS_INVALID_VALUE, [](Raw &raw) { raw.pitch = 63; });
    expect_status(CUBLAS_STATUS_INVALID_VALUE, [](Raw &raw) { raw.depth = 56; });
    expect_status(CUBLAS_STATUS_INVALID_VALUE, [](Raw &raw) { raw.batch = 2; });
    expect_status(CUBLAS_STATUS_NOT_SUPPORTED, [](Raw &raw) { raw.a = CUDA_R_16F; });
    expect_status(CUBLAS_STATUS_NOT_SUPPORTED, [](Raw &raw) { raw.d = CUDA_R_16F; });
    expect_status(CUBLAS_STATUS_NOT_SUPPORTED, [](Raw &raw) { raw.compute = CUBLAS_COMPUTE_16F; });
    expect_status(CUBLAS_STATUS_NOT_SUPPORTED, [](Raw &raw) { raw.scale = CUDA_R_64F; });
    expect_status(CUBLAS_STATUS_NOT_SUPPORTED, [](Raw &raw) { raw.shift = 4; });
    expect_status(CUBLAS_STATUS_NOT_SUPPORTED, [](Raw &raw) { raw.other = true; });
    expect_status(CUBLAS_STATUS_EXECUTION_FAILED, [](Raw &raw) { raw.captured = true; });
    expect_status(CUBLAS_STATUS_INVALID_VALUE, [](Raw &raw) {
        raw.reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
        raw.given = 16;
    });
    expect_fault(
        [] {
            Raw raw;
            raw.end = 64 * 64 - 1;
            raw.run();
        },
        "B of cublasLtMatmul ends behind its allocation");
}

/* Without a mask the stand-in takes the scheme that loses the most, which the tests above would see. */
static void test_reduction_schemes(void **)
{
    Raw raw;
    raw.reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
    assert_int_equal(raw.run(), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(raw.scheme, CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE);
}

/* Of all the tests before. */
static void test_release(void **)
{
    assert_int_equal(pcc_emulated_cublas_objects(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products), cmocka_unit_test(test_broadcast), cmocka_unit_test(test_tf32),
        cmocka_unit_test(test_sites),    cmocka_unit_test(test_capture),   cmocka_unit_test(test_failures),
        cmocka_unit_test(test_choice),   cmocka_unit_test(test_mistakes),  cmocka_unit_test(test_reduction_schemes),
        cmocka_unit_test(test_release),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
