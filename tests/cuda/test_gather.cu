/* Gathers, one_hot and the adjoint of Gather of the CUDA kernels against walks over the index arrays. */
#include "index_case.h"

#include "runtime/kernels/index/gather.cuh"
#include "runtime/kernels/index/gather_grad.cuh"

/* outer, axis, inner, count: one place, many readers, rows of whole and of broken vectors, several passes of the sort
 */
static const int64_t gathers[][4] = {{1, 1000, 64, 300}, {3, 7, 1, 5},    {2, 9, 70, 40},
                                     {1, 5, 3, 2500},    {40, 6, 100, 9}, {1, 70000, 2, 50},
                                     {2, 3, 136, 900},   {1, 4, 8, 0},    {1, 300, 24, 4100}};

template <class T> static void gather(void **)
{
    for (const int64_t *g : gathers)
        for (int64_t shift = 0; shift < 2; shift++) {
            const int64_t outer = g[0], axis = g[1], inner = g[2], count = g[3];
            const std::vector<T> x = some_values<T>(outer * axis * inner);
            std::vector<int64_t> index((size_t)count);
            std::vector<T> want((size_t)(outer * count * inner));
            for (int64_t &i : index)
                i = some_index(axis);
            for (int64_t i = 0; i < outer * count * inner; i++) {
                const int64_t at = resolve(index[i / inner % count], axis);
                want[i] = at < 0 ? (T)0 : x[(i / inner / count * axis + at) * inner + i % inner];
            }
            CudaStep step;
            Placed<T> in(x, shift), y(outer * count * inner, shift);
            Placed<int64_t> places(index);
            pcc_gather<T>(outer, axis, inner, count, in.at(), places.at(), y.at(), step.get());
            check_same(want, y);
        }
}

template <class T, class X, class Y> static void gather_grad(void **)
{
    for (const int64_t *g : gathers)
        for (int64_t shift = 0; shift < 2; shift++) {
            const int64_t outer = g[0], axis = g[1], inner = g[2], count = g[3];
            const std::vector<X> dy = some_values<X>(outer * count * inner);
            std::vector<int64_t> index((size_t)count);
            std::vector<double> sums((size_t)(outer * axis * inner));
            for (int64_t &i : index)
                i = next_below(3) == 0 ? 1 : some_index(axis); /* a place of many readers */
            for (int64_t i = 0; i < outer * count * inner; i++) {
                const int64_t at = resolve(index[i / inner % count], axis);
                if (at >= 0)
                    sums[(i / inner / count * axis + at) * inner + i % inner] += value_of(dy[i]);
            }
            check_orders([&](CudaStep &step) {
                Placed<X> in(dy, shift);
                Placed<Y> dx(outer * axis * inner, shift);
                Placed<int64_t> places(index);
                Placed<char> scratch((int64_t)pcc_cuda_gather_grad_scratch_bytes(axis, count));
                pcc_gather_grad<T>(outer, axis, inner, count, in.at(), places.at(), dx.at(), scratch.at(), step.get());
                check_same(as_stored<T, Y>(sums), dx);
                return dx.bits();
            });
        }
}

template <class T> static void gather_elements(void **)
{
    for (const Elements &e : elements) {
        const std::vector<T> x = some_values<T>(product(e.data));
        const std::vector<int64_t> index = some_elements(e);
        std::vector<T> want;
        for (size_t i = 0; i < index.size(); i++) {
            const int64_t at = element_of(e, index, (int64_t)i);
            want.push_back(at < 0 ? (T)0 : x[at]);
        }
        CudaStep step;
        Placed<T> in(x), y((int64_t)index.size());
        Placed<int64_t> places(index);
        pcc_gather_elements<T>(RANK, e.axis, dims_of(e.data), dims_of(e.index), in.at(), places.at(), y.at(),
                               step.get());
        check_same(want, y);
    }
}

template <class T> static void gather_nd(void **)
{
    for (const Tuples &t : tuples) {
        const std::vector<T> x = some_values<T>(product(t.data));
        const std::vector<int64_t> index = some_tuples(t);
        const int64_t rows = t.index[0] * t.index[1], inner = slice_length(t);
        std::vector<T> want;
        for (int64_t i = 0; i < rows * inner; i++) {
            const int64_t at = slice_of(t, index, i / inner);
            want.push_back(at < 0 ? (T)0 : x[at + i % inner]);
        }
        CudaStep step;
        Placed<T> in(x), y(rows * inner);
        Placed<int64_t> places(index);
        pcc_gather_nd<T>(RANK, dims_of(t.data), RANK, dims_of(t.index), t.batch_dims, in.at(), places.at(), y.at(),
                         step.get());
        check_same(want, y);
    }
}

template <class T> static void one_hot(void **)
{
    enum { OUTER = 30, DEPTH = 40, INNER = 20 };
    std::vector<int64_t> index(OUTER * INNER);
    for (int64_t &i : index)
        i = some_index(DEPTH);
    CudaStep step;
    Placed<int64_t> places(index);
    Placed<T> values(std::vector<T>{(T)3, (T)7}), y(OUTER * DEPTH * INNER);
    pcc_one_hot<T>(OUTER, DEPTH, INNER, places.at(), values.at(), y.at(), step.get());
    const std::vector<T> got = y.elements();
    for (int64_t i = 0; i < OUTER * DEPTH * INNER; i++) {
        const int64_t hot = resolve(index[i / INNER / DEPTH * INNER + i % INNER], DEPTH);
        assert_true(got[i] == (T)(hot == i / INNER % DEPTH ? 7 : 3));
    }
}

#define ALL_TYPES(name)                                                                                   \
    cmocka_unit_test((name<float>)), cmocka_unit_test((name<double>)), cmocka_unit_test((name<int64_t>)), \
        cmocka_unit_test((name<int32_t>)), cmocka_unit_test((name<int16_t>)), cmocka_unit_test((name<uint8_t>))

int main()
{
    const struct CMUnitTest tests[] = {
        ALL_TYPES(gather),
        ALL_TYPES(gather_elements),
        ALL_TYPES(gather_nd),
        ALL_TYPES(one_hot),
        cmocka_unit_test((gather_grad<float, float, float>)),
        cmocka_unit_test((gather_grad<double, double, double>)),
        cmocka_unit_test((gather_grad<float, PccBf16, PccBf16>)),
        cmocka_unit_test((gather_grad<float, PccF16, float>)),
        cmocka_unit_test((gather_grad<int64_t, int64_t, int64_t>)),
        cmocka_unit_test((gather_grad<uint8_t, uint8_t, uint8_t>)),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
