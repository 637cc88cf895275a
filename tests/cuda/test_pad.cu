/* Padding and its adjoint of the CUDA kernels against walks from outside step by step. */
#include "placed_check.h"

#include "runtime/kernels/movement/pad.cuh"

/* Widths before and after each axis of dims. */
struct Widths {
    std::vector<int64_t> dims, before, after;
};

static const Widths paddings[] = {
    {{5}, {2}, {3}},
    {{3, 4}, {1, 2}, {2, 1}},
    {{5, 6}, {-1, 2}, {0, -3}},
    {{2, 7, 6, 3}, {0, 1, 2, 0}, {0, 2, 1, 0}},
    {{2, 9, 11, 32}, {0, 2, 3, 0}, {0, 3, 2, 0}},
    {{4, 2, 9}, {-2, 0, -4}, {1, 1, -4}},
    {{1, 3}, {2, 7}, {2, 8}},
    {{33, 31}, {1, 1}, {1, 1}},
};

/* Where output element `at` comes from, or -1, as the modes' names say. */
static int64_t origin(const Widths &p, int64_t mode, int64_t at)
{
    int64_t offset = 0, stride = 1;
    for (size_t i = p.dims.size(); i-- > 0;) {
        const int64_t n = p.dims[i], extent = n + p.before[i] + p.after[i];
        int64_t k = at % extent - p.before[i];
        at /= extent;
        while (k < 0 || k >= n) {
            if (mode == PCC_PAD_CONSTANT)
                return -1;
            if (mode == PCC_PAD_REFLECT)
                k = n == 1 ? 0 : k < 0 ? -k : 2 * (n - 1) - k;
            else if (mode == PCC_PAD_EDGE)
                k += k < 0 ? 1 : -1;
            else
                k += k < 0 ? n : -n;
        }
        offset += k * stride;
        stride *= n;
    }
    return offset;
}

static int64_t inside(const Widths &p)
{
    int64_t count = 1;
    for (int64_t dim : p.dims)
        count *= dim;
    return count;
}

static int64_t outside(const Widths &p)
{
    return pcc_padded_count((int64_t)p.dims.size(), dims_of(p.dims), dims_of(p.before), dims_of(p.after));
}

template <class T> static void pads(void **)
{
    for (const Widths &p : paddings)
        for (int64_t mode = PCC_PAD_CONSTANT; mode <= PCC_PAD_WRAP; mode++)
            for (int64_t shift = 0; shift < 2; shift++) {
                std::vector<T> x((size_t)inside(p));
                for (T &element : x)
                    element = (T)next_below(100);
                CudaStep step;
                Placed<T> in(x, shift), y(outside(p), shift);
                pcc_pad<T>((int64_t)p.dims.size(), dims_of(p.dims), dims_of(p.before), dims_of(p.after), mode, 7,
                           in.at(), y.at(), step.get());
                const std::vector<T> got = y.elements();
                for (int64_t at = 0; at < outside(p); at++) {
                    const int64_t from = origin(p, mode, at);
                    check_close((double)got[at], from < 0 ? 7 : (double)x[from], 0, "y", at);
                }
            }
}

template <class T, class X, class Y> static void adjoint(void **)
{
    for (const Widths &p : paddings)
        for (int64_t mode = PCC_PAD_CONSTANT; mode <= PCC_PAD_WRAP; mode++) {
            std::vector<X> dy((size_t)outside(p));
            std::vector<double> want((size_t)inside(p)), magnitude((size_t)inside(p));
            for (int64_t at = 0; at < outside(p); at++) {
                const int64_t from = origin(p, mode, at);
                dy[at] = stored<X>(next_value());
                if (from >= 0) {
                    want[from] += value_of(dy[at]);
                    magnitude[from] += fabs(value_of(dy[at]));
                }
            }
            check_orders([&](CudaStep &step) {
                Placed<X> in(dy);
                Placed<Y> dx(inside(p));
                pcc_pad_grad<T>((int64_t)p.dims.size(), dims_of(p.dims), dims_of(p.before), dims_of(p.after), mode,
                                in.at(), dx.at(), step.get());
                const std::vector<Y> got = dx.elements();
                for (int64_t at = 0; at < inside(p); at++)
                    check_close(value_of(got[at]), want[at],
                                32 * epsilon<T>() * magnitude[at] + epsilon<Y>() * fabs(want[at]), "dx", at);
                return dx.bits();
            });
        }
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test((pads<float>)),
        cmocka_unit_test((pads<double>)),
        cmocka_unit_test((pads<int64_t>)),
        cmocka_unit_test((pads<int32_t>)),
        cmocka_unit_test((pads<int16_t>)),
        cmocka_unit_test((pads<uint8_t>)),
        cmocka_unit_test((adjoint<float, float, float>)),
        cmocka_unit_test((adjoint<double, double, double>)),
        cmocka_unit_test((adjoint<float, PccBf16, PccBf16>)),
        cmocka_unit_test((adjoint<float, PccF16, float>)),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
