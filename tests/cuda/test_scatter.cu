/* Scatters and the adjoints of GatherElements and GatherND of the CUDA kernels against walks over the index arrays. */
#include "index_case.h"

#include "runtime/kernels/index/scatter.cuh"

static double reduced(int64_t reduction, double old, double update)
{
    const double results[] = {update, old + update, old * update, old > update ? old : update,
                              old < update ? old : update};
    return results[reduction];
}

/* `reduction` -1: the adjoint of the gather. In place where the types allow it. */
template <class T, class X, class U, class Y> static void check_elements(const Elements &e, int64_t reduction)
{
    const std::vector<X> x = some_values<X>(product(e.data));
    const std::vector<int64_t> index = some_elements(e);
    std::vector<U> updates = some_values<U>((int64_t)index.size());
    std::vector<double> result;
    for (X value : x)
        result.push_back(reduction < 0 ? 0 : value_of(value));
    for (size_t i = 0; i < index.size(); i++) {
        const int64_t at = element_of(e, index, (int64_t)i);
        if (reduction == PCC_SCATTER_MUL && value_of(updates[i]) > 1)
            updates[i] = stored<U>(1);
        if (at >= 0)
            result[at] =
                reduced(reduction < 0 ? (int64_t)PCC_SCATTER_ADD : reduction, result[at], value_of(updates[i]));
    }
    check_orders([&](CudaStep &step) {
        Placed<X> in(x);
        Placed<U> moved(updates);
        Placed<Y> out(product(e.data));
        Placed<int64_t> places(index);
        Placed<char> scratch((int64_t)pcc_cuda_scatter_elements_scratch_bytes(RANK, e.axis, e.index.data()));
        if (reduction < 0)
            pcc_gather_elements_grad<T>(RANK, e.axis, dims_of(e.data), dims_of(e.index), moved.at(), places.at(),
                                        out.at(), scratch.at(), step.get());
        else
            pcc_scatter_elements<T>(RANK, e.axis, dims_of(e.data), dims_of(e.index), reduction, in.at(), places.at(),
                                    moved.at(), out.at(), scratch.at(), step.get());
        check_same(as_stored<T, Y>(result), out);
        if constexpr (std::is_same<X, Y>::value) {
            if (reduction >= 0) {
                pcc_scatter_elements<T>(RANK, e.axis, dims_of(e.data), dims_of(e.index), reduction, in.at(),
                                        places.at(), moved.at(), in.at(), scratch.at(), step.get());
                check_same(as_stored<T, Y>(result), in);
            }
        }
        return out.bits();
    });
}

template <class T, class X, class U, class Y> static void scatter_elements(void **)
{
    for (const Elements &e : elements)
        for (int64_t reduction = -1; reduction <= PCC_SCATTER_MIN; reduction++)
            check_elements<T, X, U, Y>(e, reduction);
}

/* `reduction` -1: the adjoint of the gather. */
template <class T, class X, class U, class Y> static void check_tuples(const Tuples &t, int64_t reduction)
{
    const int64_t rows = t.index[0] * t.index[1], inner = slice_length(t);
    const std::vector<X> x = some_values<X>(product(t.data));
    const std::vector<U> updates = some_values<U>(rows * inner);
    const std::vector<int64_t> index = some_tuples(t);
    std::vector<double> result;
    for (X value : x)
        result.push_back(reduction < 0 ? 0 : value_of(value));
    for (int64_t i = 0; i < rows * inner; i++) {
        const int64_t at = slice_of(t, index, i / inner) + i % inner;
        if (slice_of(t, index, i / inner) >= 0)
            result[at] =
                reduced(reduction < 0 ? (int64_t)PCC_SCATTER_ADD : reduction, result[at], value_of(updates[i]));
    }
    check_orders([&](CudaStep &step) {
        Placed<X> in(x);
        Placed<U> moved(updates);
        Placed<Y> out(product(t.data));
        Placed<int64_t> places(index);
        Placed<char> scratch((int64_t)pcc_cuda_scatter_nd_scratch_bytes(RANK, t.index.data(), t.batch_dims));
        if (reduction < 0)
            pcc_gather_nd_grad<T>(RANK, dims_of(t.data), RANK, dims_of(t.index), t.batch_dims, moved.at(), places.at(),
                                  out.at(), scratch.at(), step.get());
        else
            pcc_scatter_nd<T>(RANK, dims_of(t.data), RANK, dims_of(t.index), reduction, in.at(), places.at(),
                              moved.at(), out.at(), scratch.at(), step.get());
        check_same(as_stored<T, Y>(result), out);
        return out.bits();
    });
}

template <class T, class X, class U, class Y> static void scatter_nd(void **)
{
    for (const Tuples &t : tuples)
        for (int64_t reduction = -1; reduction <= PCC_SCATTER_MIN; reduction++)
            if (reduction != PCC_SCATTER_MUL && (reduction < 0 || t.batch_dims == 0))
                check_tuples<T, X, U, Y>(t, reduction);
}

/* Sums in index order: each takes the rounding of the one before, and duplicates replace in index order. */
static void in_index_order(void **)
{
    for (int64_t n = 20; n <= 2000; n *= 10) {
        std::vector<float> updates((size_t)n), want = {1, 1};
        for (float &update : updates)
            update = (float)next_value();
        for (int64_t i = 0; i < n; i++) {
            want[0] += updates[i];
            want[1] = updates[i];
        }
        check_orders([&](CudaStep &step) {
            Placed<float> x(std::vector<float>{1, 1}), moved(updates), sum(2), last(2);
            Placed<int64_t> zeros(std::vector<int64_t>((size_t)n, 0));
            Placed<char> scratch((int64_t)pcc_cuda_scatter_elements_scratch_bytes(1, 0, &n));
            pcc_scatter_elements<float>(1, 0, dims_of({2}), dims_of({n}), PCC_SCATTER_ADD, x.at(), zeros.at(),
                                        moved.at(), sum.at(), scratch.at(), step.get());
            pcc_scatter_elements<float>(1, 0, dims_of({2}), dims_of({n}), PCC_SCATTER_NONE, x.at(), zeros.at(),
                                        moved.at(), last.at(), scratch.at(), step.get());
            assert_true(sum.elements()[0] == want[0] && last.elements()[0] == want[1]);
            assert_true(sum.elements()[1] == 1 && last.elements()[1] == 1);
            return sum.bits();
        });
    }
}

static void nan_wins(void **)
{
    for (int64_t reduction = PCC_SCATTER_MAX; reduction <= PCC_SCATTER_MIN; reduction++) {
        CudaStep step;
        const int64_t n = 3;
        Placed<float> x(std::vector<float>{1, NAN}), moved(std::vector<float>{2, NAN, 0}), y(2);
        Placed<int64_t> places(std::vector<int64_t>{0, 0, 1});
        pcc_scatter_elements<float>(1, 0, dims_of({2}), dims_of({n}), reduction, x.at(), places.at(), moved.at(),
                                    y.at(), nullptr, step.get());
        assert_true(isnan(y.elements()[0]) && isnan(y.elements()[1]));
    }
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test((scatter_elements<float, float, float, float>)),
        cmocka_unit_test((scatter_elements<double, double, double, double>)),
        cmocka_unit_test((scatter_elements<float, PccBf16, PccBf16, PccBf16>)),
        cmocka_unit_test((scatter_elements<float, float, PccBf16, PccF16>)),
        cmocka_unit_test((scatter_elements<int16_t, int16_t, int16_t, int16_t>)),
        cmocka_unit_test((scatter_elements<uint8_t, uint8_t, uint8_t, uint8_t>)),
        cmocka_unit_test((scatter_nd<float, float, float, float>)),
        cmocka_unit_test((scatter_nd<double, double, double, double>)),
        cmocka_unit_test((scatter_nd<float, PccBf16, PccF16, PccBf16>)),
        cmocka_unit_test((scatter_nd<int64_t, int64_t, int64_t, int64_t>)),
        cmocka_unit_test(in_index_order),
        cmocka_unit_test(nan_wins),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
