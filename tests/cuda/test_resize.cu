/* CUDA's Resize along one axis beside an independent dense matrix, and its adjoint beside that matrix's transpose. */
#include <pcc/kernels/pool/resize.cuh>

#include "emulated_check.h"
#include "tests/unit/resize_axes.inc"

/* y = M x and dx = M^T dy for each of `outer` planes. */
struct Product {
    std::vector<double> y, dx;
};

static Product product_of(const PccResizeAxis &a, int64_t outer, int64_t inner, const std::vector<double> &x,
                          const std::vector<double> &dy)
{
    Product product = {std::vector<double>((size_t)(outer * a.out * inner)),
                       std::vector<double>((size_t)(outer * a.in * inner))};
    std::vector<double> row((size_t)a.in);
    for (int64_t k = 0; k < a.out; k++) {
        matrix_row(&a, k, row.data());
        for (int64_t o = 0; o < outer; o++)
            for (int64_t p = 0; p < a.in; p++)
                for (int64_t i = 0; i < inner; i++) {
                    const size_t in = (size_t)((o * a.in + p) * inner + i), out = (size_t)((o * a.out + k) * inner + i);
                    product.y[out] += row[(size_t)p] * x[in];
                    product.dx[in] += row[(size_t)p] * dy[out];
                }
    }
    return product;
}

template <class T, class X, class Y> static void check_axis(const PccResizeAxis &a, int64_t outer, int64_t inner)
{
    const std::vector<double> x = rounded<X>(random_values(outer * a.in * inner, 1));
    const std::vector<double> dy = rounded<X>(random_values(outer * a.out * inner, 2));
    const Product want = product_of(a, outer, inner, x, dy);
    const size_t scratch_bytes =
        pcc_cuda_resize_axis_scratch_bytes(outer, a.in, inner, a.out, a.mode, a.coordinates, a.rounding,
                                           a.exclude_outside, a.antialias, a.scale, a.cubic, sizeof(T));
    check_orders([&](CudaStep &step) {
        Device<X> device_x(x), device_dy(dy);
        Device<Y> y((int64_t)want.y.size()), dx((int64_t)want.dx.size());
        Device<char> scratch((int64_t)scratch_bytes);
        pcc_resize_axis<T>(outer, a.in, inner, a.out, a.mode, a.coordinates, a.rounding, a.exclude_outside, a.antialias,
                           a.scale, a.cubic, device_x.at(), y.at(), scratch.at(), step.get());
        pcc_resize_axis_grad<T>(outer, a.in, inner, a.out, a.mode, a.coordinates, a.rounding, a.exclude_outside,
                                a.antialias, a.scale, a.cubic, device_dy.at(), dx.at(), scratch.at(), step.get());
        expect_close(want.y, y.read(), tolerance<Y, T>(32), "y", 1);
        expect_close(want.dx, dx.read(), tolerance<Y, T>(32), "dx", 1);
        std::vector<unsigned char> bits = y.bits();
        append(bits, dx.bits());
        return bits;
    });
}

template <class T, class X, class Y> static void check_axes()
{
    for (const PccResizeAxis &a : axes)
        for (int64_t inner : {1, 3, 40}) /* 40: whole vectors */
            if (a.out < 100 || inner < 40)
                check_axis<T, X, Y>(a, 2, inner);
}

static void native(void **)
{
    check_axes<float, float, float>();
    check_axes<double, double, double>();
}

static void narrow(void **)
{
    check_axes<float, PccBf16, PccBf16>();
    check_axes<float, PccF16, float>();
    check_axes<float, float, PccF16>();
}

/* More input positions than output positions read: their gradients are 0. */
static void unread_positions(void **)
{
    const PccResizeAxis nearest = {70, 3, PCC_RESIZE_NEAREST, PCC_ASYMMETRIC, PCC_FLOOR, 0, 0, 3.0 / 70, 0};
    const PccResizeAxis linear = {70, 3, PCC_RESIZE_LINEAR, PCC_HALF_PIXEL, 0, 0, 0, 3.0 / 70, 0};
    check_axis<float, float, float>(nearest, 3, 8);
    check_axis<float, float, float>(linear, 3, 8);
}

/* A position that is not read does not matter, whatever it is. */
static void infinite_neighbours(void **)
{
    CudaStep step;
    Device<float> x({1, (double)INFINITY, 3, (double)NAN}), y(2);
    Device<char> scratch((int64_t)pcc_cuda_resize_axis_scratch_bytes(1, 4, 1, 2, PCC_RESIZE_LINEAR, PCC_ASYMMETRIC, 0,
                                                                     0, 0, 0.5, 0, sizeof(float)));
    pcc_resize_axis<float>(1, 4, 1, 2, PCC_RESIZE_LINEAR, PCC_ASYMMETRIC, 0, 0, 0, 0.5, 0, x.at(), y.at(), scratch.at(),
                           step.get());
    expect_close({1, 3}, y.read(), 0, "y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native),
        cmocka_unit_test(narrow),
        cmocka_unit_test(unread_positions),
        cmocka_unit_test(infinite_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
