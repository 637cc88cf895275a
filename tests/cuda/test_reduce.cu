/* Reductions, arg-reductions and scans of the CUDA kernels against plain loops in double. */
#include "placed_check.h"

#include "runtime/kernels/reduce/reduce.cuh"

/* Lines, columns, small and large, whole and ragged vectors, and shapes that are cut into chunks. */
static const int64_t shapes[][3] = {{1, 1, 1},     {3, 5, 1},     {7, 70, 1},   {257, 31, 1},  {1, 100003, 1},
                                    {2, 40000, 1}, {3, 1024, 1},  {4, 9, 3},    {1, 17, 80},   {2, 33, 700},
                                    {1, 6400, 96}, {1, 3000, 33}, {70, 130, 5}, {1, 2000, 24}, {5, 0, 3},
                                    {4, 0, 1},     {0, 3, 4},     {2, 257, 256}};

enum Operation { SUM, MEAN, MAX, MIN, PROD };

template <class T, class X, class Y>
static void reduce(Operation operation, const int64_t *d, const X *x, Y *y, void *scratch, PccStep *s)
{
    if (operation == SUM)
        pcc_reduce_sum<T>(d[0], d[1], d[2], x, y, scratch, s);
    else if (operation == MEAN)
        pcc_reduce_mean<T>(d[0], d[1], d[2], x, y, scratch, s);
    else if (operation == MAX)
        pcc_reduce_max<T>(d[0], d[1], d[2], x, y, scratch, s);
    else if (operation == MIN)
        pcc_reduce_min<T>(d[0], d[1], d[2], x, y, scratch, s);
    else
        pcc_reduce_prod<T>(d[0], d[1], d[2], x, y, scratch, s);
}

struct Expected {
    double value, magnitude;
};

/* The result of one line of `reduced` elements, `inner` apart, and the sum or product of their magnitudes. */
template <class X> static Expected expect(Operation operation, int64_t reduced, int64_t inner, const X *x)
{
    double sum = 0, magnitude = 0, product = 1, most = -INFINITY, least = INFINITY;
    for (int64_t k = 0; k < reduced; k++) {
        const double v = value_of(x[k * inner]);
        sum += v;
        magnitude += fabs(v);
        product *= v;
        most = v > most || isnan(v) ? v : most;
        least = v < least || isnan(v) ? v : least;
    }
    switch (operation) {
    case SUM:
        return {sum, magnitude};
    case MEAN:
        return {sum / (double)reduced, magnitude / (double)reduced};
    case MAX:
        return {most, 0};
    case MIN:
        return {least, 0};
    default:
        return {product, fabs(product) * sqrt((double)reduced + 16) / 2};
    }
}

template <class T, class X, class Y> static void check(Operation operation, const int64_t *d, int64_t shift)
{
    std::vector<X> x((size_t)(d[0] * d[1] * d[2]));
    for (X &element : x)
        element = stored<X>(operation == PROD ? exp2(next_value() / 256) : next_value());
    check_orders([&](CudaStep &step) {
        Placed<X> in(x, shift);
        Placed<Y> out(d[0] * d[2], shift);
        Placed<char> scratch((int64_t)pcc_cuda_reduce_scratch_bytes(d[0], d[1], d[2], sizeof(T)));
        reduce<T>(operation, d, in.at(), out.at(), scratch.at(), step.get());
        const std::vector<Y> y = out.elements();
        for (int64_t line = 0; line < d[0] * d[2]; line++) {
            const X *first = x.data() + line / d[2] * d[1] * d[2] + line % d[2];
            const Expected want = expect(operation, d[1], d[2], first);
            const double rounding = std::is_same<Y, T>::value ? 0 : epsilon<Y>() / 2 * fabs(want.value);
            check_close(value_of(y[line]), want.value, 4 * epsilon<T>() * want.magnitude + rounding, "y", line);
        }
        return out.bits();
    });
}

template <class T, class X, class Y> static void reductions(void **)
{
    for (const int64_t *d : shapes)
        for (int operation = SUM; operation <= PROD; operation++)
            check<T, X, Y>((Operation)operation, d, d[0] % 2);
}

/* A million positive elements, whose sum grows steadily, to 4 ulp. The values are multiples of 2^-20: the reference,
 * an integer, is exact. */
template <class T> static void long_sum(void **)
{
    std::vector<T> x(1000000);
    int64_t exact = 0;
    for (T &element : x) {
        const int64_t v = next_below(1 << 20);
        element = (T)v * (T)0x1p-20;
        exact += v;
    }
    const int64_t views[][3] = {{1, 1000000, 1}, {1, 500000, 2}};
    for (const int64_t *d : views) {
        CudaStep step;
        Placed<T> in(x), out(d[2]);
        Placed<char> scratch((int64_t)pcc_cuda_reduce_scratch_bytes(d[0], d[1], d[2], sizeof(T)));
        pcc_reduce_sum<T>(d[0], d[1], d[2], in.at(), out.at(), scratch.at(), step.get());
        double sum = 0;
        for (T part : out.elements())
            sum += (double)part;
        check_close(sum, (double)exact * 0x1p-20, 4 * epsilon<T>() * (double)exact * 0x1p-20, "sum", d[2]);
    }
}

template <class T, class X> static void nan_wins(void **)
{
    for (int64_t inner = 1; inner < 40; inner += 38) {
        std::vector<X> x((size_t)(200 * inner));
        for (size_t i = 0; i < x.size(); i++)
            x[i] = stored<X>((double)(i / inner));
        for (int64_t at = 77; at < 200; at += 73)
            for (int64_t i = 0; i < inner; i += 2)
                x[at * inner + i] = stored<X>(NAN);
        CudaStep step;
        Placed<X> in(x), most(inner), least(inner);
        pcc_reduce_max<T>(1, 200, inner, in.at(), most.at(), nullptr, step.get());
        pcc_reduce_min<T>(1, 200, inner, in.at(), least.at(), nullptr, step.get());
        for (int64_t i = 0; i < inner; i++) {
            check_close(value_of(most.elements()[i]), i % 2 ? 199 : NAN, 0, "max", i);
            check_close(value_of(least.elements()[i]), i % 2 ? 0 : NAN, 0, "min", i);
        }
    }
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test((reductions<float, float, float>)),
        cmocka_unit_test((reductions<double, double, double>)),
        cmocka_unit_test((reductions<float, PccBf16, float>)),
        cmocka_unit_test((reductions<float, PccF16, PccBf16>)),
        cmocka_unit_test((reductions<float, float, PccF16>)),
        cmocka_unit_test((long_sum<float>)),
        cmocka_unit_test((long_sum<double>)),
        cmocka_unit_test((nan_wins<float, float>)),
        cmocka_unit_test((nan_wins<float, PccBf16>)),
        cmocka_unit_test((nan_wins<double, double>)),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
