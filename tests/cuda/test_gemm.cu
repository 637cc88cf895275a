/* test_gemm.cu: products of every layout, dtype, alignment and size against sums in double. */
#include "gemm_case.cuh"

template <class T, class A, class B, int Form = PCC_ANY_FORM> static void check(Case c)
{
    const Layout la = layout(c.ta, c.batch, c.m, c.k, c.gap), lb = layout(c.tb, c.batch, c.k, c.n, c.gap);
    const Operand<A> a(la.size, 1, c.shift);
    const Operand<B> b(lb.size, 2, c.shift);
    const size_t bytes = pcc_cuda_gemm_batched_scratch_bytes(c.batch, c.m, c.n, c.k, sizeof(T));
    Device<unsigned char> scratch((int64_t)bytes);
    Result<T> result(c.batch * c.m, c.n);
    CudaStep step;
    pcc_gemm_batched<T, Form>(c.batch, c.m, c.n, c.k, a.at(), la.batch, la.row, la.column, b.at(), lb.batch, lb.row,
                              lb.column, bytes ? scratch.at() : nullptr, result.epilogue(), step.get());
    step.finish();
    result.expect_each_once();
    expected(c, a, la, b, lb).template expect<T, T>(result.y.read(), c.k, "product");
}

/* The dtypes that tensor cores multiply, those that they do not, and double. */
static void check_all(Case c)
{
    check<float, PccBf16, PccBf16>(c);
    check<float, PccF16, PccF16>(c);
    check<float, float, float>(c);
    check<double, double, double>(c);
}

static void test_transpositions(void **)
{
    static const char kinds[] = "nts";
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) {
            check_all({1, 67, 71, 53, kinds[a], kinds[b], 3, 0});
            check_all({1, 96, 136, 64, kinds[a], kinds[b], 8, 0});
            check_all({1, 40, 24, 72, kinds[a], kinds[b], 0, 1});
        }
}

static void test_mixtures(void **)
{
    for (int64_t gap = 0; gap < 2; gap++) {
        const Case c = {1, 72, 80, 48, 'n', 't', gap, 0};
        check<float, PccBf16, PccF16>(c);
        check<float, PccF16, PccBf16>(c);
        check<float, float, PccBf16>(c);
        check<float, PccBf16, float>(c);
        check<float, PccF16, float>(c);
    }
}

static void test_edges(void **)
{
    static const int64_t sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65};
    for (int64_t size : sizes) {
        check_all({1, size, 37, 19, 'n', 'n', 0, 0});
        check_all({1, 37, size, 19, 't', 't', 0, 0});
        check_all({1, 13, 33, size, 'n', 't', 0, 0});
        check_all({1, 13, 33, size, 't', 'n', 0, 0});
        check_all({1, 16, 40, size, 'n', 'n', (8 - size % 8) % 8, 0}); /* aligned, with a tail along K */
    }
}

static void test_empty(void **)
{
    check_all({1, 5, 7, 0, 'n', 'n', 0, 0});
    check_all({1, 0, 7, 5, 'n', 'n', 0, 0});
    check_all({1, 5, 0, 5, 'n', 'n', 0, 0});
    check_all({0, 5, 7, 5, 'n', 'n', 0, 0});
}

static void test_batched(void **)
{
    check_all({6, 65, 65, 64, 'n', 't', 0, 0});
    check_all({6, 65, 64, 65, 'n', 'n', 0, 0});
    check_all({9, 17, 5, 33, 't', 't', 3, 0});
    check_all({3, 16, 8, 32, 't', 'n', 0, 0});
}

static void test_split_depth(void **)
{
    assert_true(pcc_product_plan(1, 10, 9, 9001).splits > 1);
    check_all({1, 10, 9, 9001, 't', 'n', 0, 0});
    check_all({1, 64, 72, 4000, 't', 'n', 0, 0});
    check_all({3, 10, 40, 4001, 'n', 't', 0, 0});
}

/* A program that was compiled for one form runs that, and refuses another. */
static void test_forms(void **)
{
    enum { FORM = PCC_TILE_64x64 + PCC_PRODUCT_A_ALIGNED + PCC_PRODUCT_B_ALIGNED + PCC_PRODUCT_B_ACROSS };
    const Case c = {1, 40, 56, 48, 'n', 'n', 0, 0};
    check<float, PccBf16, PccBf16, FORM>(c);
    check<float, PccBf16, PccBf16, PCC_TILE_128x64 + PCC_PRODUCT_B_ACROSS>(c); /* for operands of unknown addresses */
    const Operand<PccBf16> a(c.m * c.k, 1, 1), b(c.k * c.n, 2);
    Result<float> result(c.m, c.n);
    CudaStep step;
    pcc_gemm<float, FORM>(c.m, c.n, c.k, a.at(), c.k, 1, b.at(), c.n, 1, nullptr, result.epilogue(), step.get());
    assert_non_null(strstr(step.host.failure, "another form"));
    step.host.failure[0] = 0;
    step.finish();
    assert_int_equal(result.times.elements()[0], 0);
}

/* The same bits in every order of threads, split or not. */
static void test_orders(void **)
{
    for (int64_t k : {70, 3000})
        check_orders([&](CudaStep &step) {
            const Operand<PccF16> a(66 * k, 1), b(k * 80, 2);
            const size_t bytes = pcc_cuda_gemm_scratch_bytes(66, 80, k, sizeof(float));
            Device<unsigned char> scratch((int64_t)bytes);
            Result<float> result(66, 80);
            pcc_gemm<float>(66, 80, k, a.at(), 1, 66, b.at(), 80, 1, bytes ? scratch.at() : nullptr, result.epilogue(),
                            step.get());
            return result.y.bits();
        });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transpositions), cmocka_unit_test(test_mixtures), cmocka_unit_test(test_edges),
        cmocka_unit_test(test_empty),          cmocka_unit_test(test_batched),  cmocka_unit_test(test_split_depth),
        cmocka_unit_test(test_forms),          cmocka_unit_test(test_orders),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
