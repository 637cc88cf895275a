/* Arg-reductions, scans and top-k of the CUDA kernels against plain loops. */
#include "placed_check.h"

#include "runtime/kernels/reduce/arg.cuh"
#include "runtime/kernels/reduce/scan.cuh"
#include "runtime/kernels/reduce/topk.cuh"

/* ---- arg-reductions --------------------------------------------------------------------------------------------- */

static const int64_t shapes[][3] = {{1, 1, 1},   {3, 5, 1},    {7, 70, 1},   {257, 31, 1}, {1, 3000, 1}, {4, 9, 3},
                                    {1, 17, 80}, {2, 33, 257}, {70, 130, 5}, {5, 0, 3},    {0, 3, 4}};

/* Few distinct values, so that there are ties, and some NaN: the first or the last of them. */
template <class T, class X> static void positions(void **)
{
    for (const int64_t *d : shapes)
        for (int last = 0; last < 2; last++)
            for (int low = 0; low < 2; low++) {
                std::vector<X> x((size_t)(d[0] * d[1] * d[2]));
                for (X &element : x)
                    element = stored<X>(next_below(60) == 0 ? NAN : (double)next_below(5));
                CudaStep step;
                Placed<X> in(x);
                Placed<int64_t> y(d[0] * d[2]);
                (low ? pcc_argmin<T, X> : pcc_argmax<T, X>)(d[0], d[1], d[2], last, in.at(), y.at(), step.get());
                const std::vector<int64_t> got = y.elements();
                for (int64_t line = 0; line < d[0] * d[2]; line++) {
                    int64_t best = 0;
                    double value = 0;
                    for (int64_t k = 0; k < d[1]; k++) {
                        const double v = value_of(x[(line / d[2] * d[1] + k) * d[2] + line % d[2]]);
                        const bool same = v == value || (isnan(v) && isnan(value));
                        const bool better = isnan(value) ? false : isnan(v) || (low ? v < value : v > value);
                        if (k == 0 || better || (last && same))
                            best = k, value = v;
                    }
                    assert_int_equal(got[line], best);
                }
            }
}

/* ---- scans ------------------------------------------------------------------------------------------------------ */

/* Of values near 1: running sums to 2 roundings, running products to one for each factor. */
template <class T, class X, class Y> static void check_scan(const int64_t *d, int flags)
{
    const int64_t elements = d[0] * d[1] * d[2];
    std::vector<X> x((size_t)elements);
    for (X &element : x)
        element = stored<X>(1 + next_value() / 64);
    check_orders([&](CudaStep &step) {
        Placed<X> in(x);
        Placed<Y> sums(elements), products(elements);
        pcc_cumsum<T>(d[0], d[1], d[2], flags & 1, flags >> 1, in.at(), sums.at(), step.get());
        pcc_cumprod<T>(d[0], d[1], d[2], flags & 1, flags >> 1, in.at(), products.at(), step.get());
        const std::vector<Y> sum_of = sums.elements(), product_of = products.elements();
        for (int64_t line = 0; line < d[0] * d[2]; line++) {
            long double sum = 0, product = 1;
            for (int64_t k = 0; k < d[1]; k++) {
                const int64_t place = flags >> 1 ? d[1] - 1 - k : k;
                const int64_t at = (line / d[2] * d[1] + place) * d[2] + line % d[2];
                const long double v = value_of(x[at]), sum_with = sum + v, product_with = product * v;
                const double want_sum = (double)(flags & 1 ? sum : sum_with);
                const double want_product = (double)(flags & 1 ? product : product_with);
                check_close(value_of(sum_of[at]), want_sum, (2 * unit<T>() + epsilon<Y>()) * want_sum, "cumsum", at);
                check_close(value_of(product_of[at]), want_product,
                            ((double)(k + 2) * epsilon<T>() + epsilon<Y>()) * want_product, "cumprod", at);
                sum = sum_with;
                product = product_with;
            }
        }
        std::vector<unsigned char> bits = sums.bits();
        append(bits, products.bits());
        return bits;
    });
}

template <class T, class X, class Y> static void scans(void **)
{
    const int64_t scanned[][3] = {{1, 7, 1}, {3, 50, 4}, {2, 9, 130}, {1, 1025, 3}, {2, 600, 1}, {3, 0, 2}};
    for (const int64_t *d : scanned)
        for (int flags = 0; flags < 4; flags++)
            check_scan<T, X, Y>(d, flags);
}

template <class T> static void long_scan(void **)
{
    const int64_t n = 200000;
    CudaStep step;
    Placed<T> x(std::vector<T>((size_t)n, (T)0.1)), y(n);
    pcc_cumsum<T>(1, n, 1, 0, 0, x.at(), y.at(), step.get());
    const std::vector<T> got = y.elements();
    for (int64_t i = 0; i < n; i++)
        check_close((double)got[i], (double)((long double)(T)0.1 * (i + 1)), epsilon<T>() * (double)got[i], "cumsum",
                    i);
}

/* Infinities stay, opposite ones are NaN; a product that has become 0 stays 0. */
static void special_scans(void **)
{
    for (int64_t n = 5; n < 2000; n += 1500) {
        std::vector<float> x((size_t)n, 1);
        x[1] = INFINITY;
        x[3] = -INFINITY;
        CudaStep step;
        Placed<float> in(x), y(n), z(n);
        pcc_cumsum<float>(1, n, 1, 0, 0, in.at(), y.at(), step.get());
        for (int64_t i = 0; i < n; i++)
            check_close(y.elements()[i], i < 1 ? 1 : i < 3 ? INFINITY : NAN, 0, "cumsum", i);
        std::vector<float> factors((size_t)n, 1e-30f);
        for (int64_t i = n / 2; i < n; i++)
            factors[i] = 1e30f;
        Placed<float> by(factors);
        pcc_cumprod<float>(1, n, 1, 0, 0, by.at(), z.at(), step.get());
        check_close(z.elements()[n - 1], 0, 0, "cumprod", n);
    }
}

/* ---- top-k ------------------------------------------------------------------------------------------------------ */

/* outer, n, inner, k */
static const int64_t tops[][4] = {{3, 50, 1, 5},  {2, 20, 3, 20},  {1, 1, 1, 1},     {4, 300, 20, 7},   {2, 9, 2, 0},
                                  {700, 8, 1, 2}, {1, 1024, 1, 9}, {2, 1500, 2, 37}, {1, 1100, 1, 1100}};

template <class T, class X> static void topk(void **)
{
    for (const int64_t *d : tops)
        for (int largest = 0; largest < 2; largest++) {
            const int64_t outer = d[0], n = d[1], inner = d[2], k = d[3];
            std::vector<X> x((size_t)(outer * n * inner));
            for (X &element : x)
                element = stored<X>((double)(next_below(n / 2 < 100 ? n / 2 + 1 : 100) - 3)); /* ties */
            check_orders([&](CudaStep &step) {
                Placed<X> in(x), values(outer * k * inner);
                Placed<int64_t> indices(outer * k * inner);
                pcc_topk<T>(outer, n, inner, k, largest, in.at(), values.at(), indices.at(), step.get());
                const std::vector<X> value = values.elements();
                const std::vector<int64_t> index = indices.elements();
                for (int64_t at = 0; at < outer * n * inner; at++) {
                    const int64_t o = at / inner / n, i = at / inner % n, c = at % inner;
                    const double own = value_of(x[at]);
                    int64_t rank = 0;
                    for (int64_t j = 0; j < n; j++) {
                        const double other = value_of(x[(o * n + j) * inner + c]);
                        rank += (largest ? other > own : other < own) || (other == own && j < i);
                    }
                    if (rank < k) {
                        assert_int_equal(index[(o * k + rank) * inner + c], i);
                        assert_true(value_of(value[(o * k + rank) * inner + c]) == own);
                    }
                }
                return indices.bits();
            });
        }
}

template <class T, class X> static void nan_is_largest(void **)
{
    const int64_t n = 5, descending[5] = {1, 3, 2, 0, 4}, ascending[5] = {4, 0, 2, 1, 3};
    const double x[5] = {1, NAN, 3, NAN, -INFINITY};
    for (int64_t length = n; length < 2000; length += 1500) {
        std::vector<X> padded((size_t)length, stored<X>(2));
        for (int64_t i = 0; i < n; i++)
            padded[i] = stored<X>(x[i]);
        CudaStep step;
        Placed<X> in(padded), values(n);
        Placed<int64_t> indices(n);
        pcc_topk<T>(1, length, 1, n, 1, in.at(), values.at(), indices.at(), step.get());
        for (int64_t i = 0; i < (length == n ? n : 3); i++)
            assert_int_equal(indices.elements()[i], descending[i]);
        pcc_topk<T>(1, length, 1, n, 0, in.at(), values.at(), indices.at(), step.get());
        for (int64_t i = 0; i < (length == n ? n : 2); i++)
            assert_int_equal(indices.elements()[i], ascending[i]);
    }
}

/* -0 equals 0: the first index comes first. */
static void zeros_are_equal(void **)
{
    CudaStep step;
    Placed<float> x(std::vector<float>{-0.0f, 0.0f, -0.0f}), values(3);
    Placed<int64_t> indices(3);
    for (int64_t largest = 0; largest < 2; largest++) {
        pcc_topk<float>(1, 3, 1, 3, largest, x.at(), values.at(), indices.at(), step.get());
        for (int64_t i = 0; i < 3; i++)
            assert_int_equal(indices.elements()[i], i);
    }
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test((positions<float, float>)),
        cmocka_unit_test((positions<double, double>)),
        cmocka_unit_test((positions<float, PccBf16>)),
        cmocka_unit_test((positions<float, PccF16>)),
        cmocka_unit_test((scans<float, float, float>)),
        cmocka_unit_test((scans<double, double, double>)),
        cmocka_unit_test((scans<float, PccBf16, float>)),
        cmocka_unit_test((scans<float, PccF16, PccBf16>)),
        cmocka_unit_test((long_scan<float>)),
        cmocka_unit_test((long_scan<double>)),
        cmocka_unit_test(special_scans),
        cmocka_unit_test((topk<float, float>)),
        cmocka_unit_test((topk<double, double>)),
        cmocka_unit_test((topk<float, PccBf16>)),
        cmocka_unit_test((topk<int64_t, int64_t>)),
        cmocka_unit_test((topk<int32_t, int32_t>)),
        cmocka_unit_test((topk<int16_t, int16_t>)),
        cmocka_unit_test((nan_is_largest<float, float>)),
        cmocka_unit_test((nan_is_largest<float, PccF16>)),
        cmocka_unit_test((nan_is_largest<double, double>)),
        cmocka_unit_test(zeros_are_equal),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
