/* Strided copies, fills and accumulated gradients of the CUDA kernels against element-by-element walks. */
#include "placed_check.h"

#include "runtime/kernels/movement/copy.cuh"
#include "runtime/kernels/optimizer/accumulate.cuh"

/* A copy of dims through strides of both sides. */
struct Walk {
    std::vector<int64_t> dims, x, y;
};

static const Walk walks[] = {
    {{2, 3, 4, 5}, {60, 20, 5, 1}, {60, 20, 5, 1}},               /* contiguous */
    {{7, 3, 64}, {256, 64, 1}, {192, 64, 1}},                     /* rows of whole vectors */
    {{7, 3, 6}, {20, 6, 1}, {18, 6, 1}},                          /* rows of 2 elements' units */
    {{2, 3, 50, 70}, {10500, 1, 210, 3}, {10500, 3500, 70, 1}},   /* channels last to channels first */
    {{129, 67}, {1, 129}, {67, 1}},                               /* transposition with ragged tiles */
    {{4, 130, 3, 70}, {27300, 1, 130, 390}, {27300, 210, 70, 1}}, /* transposition, a loop between */
    {{2, 3, 1, 7}, {0, 1, 0, 0}, {21, 7, 7, 1}},                  /* expand */
    {{5, 33}, {1, 0}, {33, 1}},                                   /* expand along the last axis */
    {{40, 50, 30}, {-3000, 60, -2}, {1500, 30, 1}},               /* slice with negative steps */
    {{3, 4, 5, 6}, {120, 30, 6, 1}, {500, -100, 10, -1}},         /* into a part, backwards */
    {{1, 1}, {0, 0}, {0, 0}},                                     /* one element */
    {{2, 0, 3, 4}, {12, 12, 4, 1}, {12, 12, 4, 1}},               /* none */
    {{100000}, {1}, {1}},                                         /* one long line */
    {{3, 20000}, {20000, 1}, {1, 3}},                             /* interleaved destination */
    {{2, 2, 2, 3, 2, 3, 2, 5}, {720, 1, 360, 2, 6, 12, 36, 72}, {720, 360, 180, 60, 30, 10, 5, 1}}, /* all axes */
};

/* Elements from the lowest to the highest that strides reach; *zero is where the pointer is in them. */
static int64_t span(const std::vector<int64_t> &dims, const std::vector<int64_t> &strides, int64_t *zero)
{
    int64_t low = 0, high = 0;
    for (size_t i = 0; i < dims.size(); i++)
        (strides[i] < 0 ? low : high) += (dims[i] - 1) * strides[i];
    *zero = -low;
    return high - low < 0 ? 1 : high - low + 1;
}

template <class T> static void copies(void **)
{
    for (const Walk &w : walks)
        for (int64_t shift = 0; shift < 2; shift++) {
            int64_t x_zero, y_zero, count = 1;
            std::vector<T> x((size_t)span(w.dims, w.x, &x_zero)), want((size_t)span(w.dims, w.y, &y_zero));
            for (T &element : x)
                element = (T)next_below(251);
            memset((void *)want.data(), 0x5a, want.size() * sizeof(T)); /* what the copy does not touch */
            const std::vector<T> before = want;
            for (int64_t dim : w.dims)
                count *= dim;
            for (int64_t i = 0; i < count; i++) {
                int64_t at = i, from = x_zero, to = y_zero;
                for (size_t k = w.dims.size(); k-- > 0; at /= w.dims[k]) {
                    from += at % w.dims[k] * w.x[k];
                    to += at % w.dims[k] * w.y[k];
                }
                want[to] = x[from];
            }
            CudaStep step;
            Placed<T> in(x, shift), out(before, shift);
            pcc_copy<T>((int64_t)w.dims.size(), dims_of(w.dims), dims_of(w.x), dims_of(w.y), in.at() + x_zero,
                        out.at() + y_zero, step.get());
            assert_memory_equal(want.data(), out.elements().data(), want.size() * sizeof(T));
        }
}

template <class T> static void fills(void **)
{
    CudaStep step;
    Placed<T> y(1000);
    pcc_fill<T>(1000, (T)7, y.at(), step.get());
    pcc_fill<T>(0, (T)8, y.at(), step.get());
    for (T element : y.elements())
        assert_true(element == (T)7);
}

/* The first micro-batch writes, whatever the sum holds; the others add, rounding once. */
template <class T, class X, class Y> static void accumulates(void **)
{
    const int64_t sizes[] = {0, 1, 7, 8, 257, 4096};
    for (int64_t n : sizes)
        for (int64_t shift = 0; shift < 2; shift++)
            for (uint64_t micro = 0; micro < 3; micro += 2) {
                std::vector<X> x((size_t)n);
                std::vector<Y> sum((size_t)n);
                for (int64_t i = 0; i < n; i++)
                    x[i] = stored<X>(next_value()), sum[i] = stored<Y>(micro ? next_value() : NAN);
                CudaStep step;
                step.host.micro = micro;
                PccStep *s = step.get();
                s->micro = 1 - micro; /* only the device's copy counts */
                Placed<X> in(x, shift);
                Placed<Y> out(sum, shift);
                pcc_accumulate<T>(n, in.at(), out.at(), s);
                const std::vector<Y> got = out.elements();
                for (int64_t i = 0; i < n; i++) {
                    const T added = (T)value_of(x[i]);
                    const Y want = stored<Y>((double)(micro ? (T)((T)value_of(sum[i]) + added) : added));
                    assert_memory_equal(&want, &got[i], sizeof want);
                }
            }
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test((copies<float>)),
        cmocka_unit_test((copies<double>)),
        cmocka_unit_test((copies<int64_t>)),
        cmocka_unit_test((copies<int32_t>)),
        cmocka_unit_test((copies<int16_t>)),
        cmocka_unit_test((copies<uint8_t>)),
        cmocka_unit_test((fills<double>)),
        cmocka_unit_test((fills<int16_t>)),
        cmocka_unit_test((accumulates<float, float, float>)),
        cmocka_unit_test((accumulates<double, double, double>)),
        cmocka_unit_test((accumulates<float, PccBf16, PccBf16>)),
        cmocka_unit_test((accumulates<float, PccF16, float>)),
        cmocka_unit_test((accumulates<float, float, PccF16>)),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
