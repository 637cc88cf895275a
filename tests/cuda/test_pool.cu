/* CUDA's pools beside a walk over every window and channel in double. */
#include <pcc/kernels/pool/pool.cuh>
#include <pcc/kernels/pool/region.cuh>

#include "emulated_check.h"
#include "tests/unit/pool_shapes.inc"

static int64_t elements(const PccPool &p, const int64_t extent[3])
{
    return p.n * p.c * pcc_product(3, extent);
}

/* The positions in the plane that a window covers, in order, and what it divides by. */
struct Window {
    std::vector<int64_t> positions;
    int64_t divisor;
};

/* Window number `out` of a plane. */
static Window window_of(const PccPool &p, int64_t out)
{
    const int64_t at[3] = {out / (p.out[1] * p.out[2]), out / p.out[2] % p.out[1], out % p.out[2]};
    Window window;
    int64_t padded = 0;
    for (int64_t tap = 0; tap < pcc_product(3, p.kernel); tap++) {
        const int64_t k[3] = {tap / (p.kernel[1] * p.kernel[2]), tap / p.kernel[2] % p.kernel[1], tap % p.kernel[2]};
        int64_t position = 0;
        bool inside = true, counts = true;
        for (int i = 0; i < 3; i++) {
            const int64_t x = at[i] * p.stride[i] - p.pad[i] + k[i] * p.dilation[i];
            const int64_t last = (p.out[i] - 1) * p.stride[i] - p.pad[i] + (p.kernel[i] - 1) * p.dilation[i];
            inside = inside && x >= 0 && x < p.in[i];
            counts = counts && x <= last - p.overhang[i];
            position = position * p.in[i] + x;
        }
        padded += counts;
        if (inside)
            window.positions.push_back(position);
    }
    window.divisor = std::max<int64_t>(1, p.count_include_pad ? padded : (int64_t)window.positions.size());
    return window;
}

/* Calls each(y's element, its window, the offset of its channel of its sample in x). */
template <class Each> static void each_output(const PccPool &p, Each each)
{
    const int64_t in = pcc_product(3, p.in), out = pcc_product(3, p.out);
    for (int64_t n = 0; n < p.n; n++)
        for (int64_t o = 0; o < out; o++) {
            const Window window = window_of(p, o);
            for (int64_t c = 0; c < p.c; c++)
                each((n * out + o) * p.c + c, window, n * in * p.c + c);
        }
}

/* Elements that lie behind `shift` others, so that they are not aligned. */
template <class X> class Shifted
{
  public:
    Shifted(std::vector<double> values, int64_t shift) : all_(padded(values, shift)), shift_(shift)
    {
    }
    X *at() const
    {
        return all_.at() + shift_;
    }
    std::vector<double> read() const
    {
        const std::vector<double> values = all_.read();
        return std::vector<double>(values.begin() + shift_, values.end());
    }

  private:
    static std::vector<double> padded(std::vector<double> values, int64_t shift)
    {
        values.insert(values.begin(), (size_t)shift, 0);
        return values;
    }
    Device<X> all_;
    int64_t shift_;
};

static std::vector<double> nothing(int64_t count)
{
    return std::vector<double>((size_t)count, 99);
}

/* ---- maximum ---------------------------------------------------------------------------------------------------- */

/* Small integers and halves, so that there are ties and all types are exact. */
struct Normal {
    bool given;
    std::vector<double> mean, gain, offset;
};

static Normal normal_of(const PccPool &p, bool given)
{
    Normal normal = {given, random_integers(p.c, 3, 0, 5), random_integers(p.c, 4, 0, 7),
                     random_integers(p.c, 5, 0, 9)};
    for (double &gain : normal.gain)
        gain = gain / 2 - 1; /* negative ones swap the order */
    return normal;
}

struct Maximum {
    std::vector<double> y, index, dx;
};

static Maximum maximum_of(const PccPool &p, const Normal &normal, const std::vector<double> &x,
                          const std::vector<double> &dy)
{
    Maximum want = {nothing(elements(p, p.out)), nothing(elements(p, p.out)),
                    std::vector<double>((size_t)elements(p, p.in), 0)};
    each_output(p, [&](int64_t at, const Window &window, int64_t origin) {
        const size_t c = (size_t)(at % p.c);
        int64_t winner = -1;
        double best = -INFINITY;
        for (int64_t position : window.positions) {
            double value = x[(size_t)(origin + position * p.c)];
            if (normal.given)
                value = (value - normal.mean[c]) * normal.gain[c] + normal.offset[c];
            if (winner < 0 || value > best) {
                best = value;
                winner = position;
            }
        }
        want.y[(size_t)at] = best;
        want.index[(size_t)at] = (double)winner;
        if (winner >= 0)
            want.dx[(size_t)(origin + winner * p.c)] += dy[(size_t)at];
    });
    return want;
}

template <class T, class X, class Y> static void check_max(const PccPool &p, bool normalises, int64_t shift)
{
    const Normal normal = normal_of(p, normalises);
    const std::vector<double> x = random_integers(elements(p, p.in), 1, 0, 7);
    const std::vector<double> dy = rounded<X>(random_values(elements(p, p.out), 2));
    const Maximum want = maximum_of(p, normal, x, dy);
    check_orders([&](CudaStep &step) {
        Shifted<X> device_x(x, shift), device_dy(dy, shift);
        Shifted<Y> y(nothing(elements(p, p.out)), shift), dx(nothing(elements(p, p.in)), shift);
        Shifted<int32_t> index(nothing(elements(p, p.out)), shift);
        Device<float> mean(normal.mean), gain(normal.gain);
        Device<Y> offset(normal.offset);
        if (normalises)
            pcc_max_pool<T>(p, device_x.at(), mean.at(), gain.at(), offset.at(), y.at(), index.at(), step.get());
        else
            pcc_max_pool<T>(p, device_x.at(), PCC_ABSENT, PCC_ABSENT, PCC_ABSENT, y.at(), index.at(), step.get());
        pcc_max_pool_grad<T>(p, device_dy.at(), index.at(), dx.at(), step.get());
        expect_close(want.y, y.read(), 0, "y");
        expect_close(want.index, index.read(), 0, "index");
        expect_close(want.dx, dx.read(), tolerance<Y, T>(16), "dx", 1);
        return std::vector<unsigned char>();
    });
}

template <class T, class X, class Y> static void check_max_of_all()
{
    for (const PccPool &p : pools)
        for (int64_t shift = 0; shift < 2; shift++)
            check_max<T, X, Y>(p, shift == 1, shift);
}

static void max_native(void **)
{
    check_max_of_all<float, float, float>();
    check_max_of_all<double, double, double>();
}

static void max_narrow(void **)
{
    check_max_of_all<float, PccBf16, PccBf16>();
    check_max_of_all<float, PccF16, float>();
    check_max_of_all<float, float, PccF16>();
    check_max<float, PccBf16, PccBf16>(pools[1], true, 0);
}

/* Without an index, of NaNs, of infinities, and of a window that lies in the padding. */
static void max_specials(void **)
{
    const PccPool p = {1, 1, {1, 1, 4}, {1, 1, 3}, {1, 1, 2}, {1, 1, 3}, {1, 1, 1}, {0, 0, 2}, 0, {0}};
    CudaStep step;
    Device<float> x({(double)NAN, 2, (double)NAN, -(double)INFINITY}), y(3), alone(3);
    Device<int32_t> index(3);
    pcc_max_pool<float>(p, x.at(), PCC_ABSENT, PCC_ABSENT, PCC_ABSENT, y.at(), index.at(), step.get());
    pcc_max_pool<float>(p, x.at(), PCC_ABSENT, PCC_ABSENT, PCC_ABSENT, alone.at(), PCC_ABSENT, step.get());
    expect_close({-(double)INFINITY, (double)NAN, 0}, {y.read()[0], y.read()[1], 0}, 0, "y");
    expect_close({-1, 2}, {index.read()[0], index.read()[1]}, 0, "index");
    assert_true(y.bits() == alone.bits());
    const PccPool infinite = {1, 1, {1, 1, 2}, {1, 1, 1}, {1, 1, 2}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, 0, {0}};
    Device<float> low({-(double)INFINITY, -(double)INFINITY});
    pcc_max_pool<float>(infinite, low.at(), PCC_ABSENT, PCC_ABSENT, PCC_ABSENT, y.at(), index.at(), step.get());
    assert_int_equal(index.elements()[0], 0);
}

/* ---- average ---------------------------------------------------------------------------------------------------- */

template <class T, class X, class Y> static void check_average(const PccPool &p, int64_t shift)
{
    const std::vector<double> x = rounded<X>(random_values(elements(p, p.in), 1));
    const std::vector<double> dy = rounded<X>(random_values(elements(p, p.out), 2));
    std::vector<double> want_y = nothing(elements(p, p.out)), want_dx((size_t)elements(p, p.in), 0);
    each_output(p, [&](int64_t at, const Window &window, int64_t origin) {
        double sum = 0;
        for (int64_t position : window.positions) {
            sum += x[(size_t)(origin + position * p.c)];
            want_dx[(size_t)(origin + position * p.c)] += dy[(size_t)at] / (double)window.divisor;
        }
        want_y[(size_t)at] = sum / (double)window.divisor;
    });
    check_orders([&](CudaStep &step) {
        Shifted<X> device_x(x, shift), device_dy(dy, shift);
        Shifted<Y> y(nothing(elements(p, p.out)), shift), dx(nothing(elements(p, p.in)), shift);
        pcc_average_pool<T>(p, device_x.at(), y.at(), step.get());
        pcc_average_pool_grad<T>(p, device_dy.at(), dx.at(), step.get());
        expect_close(want_y, y.read(), tolerance<Y, T>(16), "y", 0.5);
        expect_close(want_dx, dx.read(), tolerance<Y, T>(16), "dx", 0.5);
        return std::vector<unsigned char>();
    });
}

template <class T, class X, class Y> static void check_average_of_all()
{
    for (const PccPool &p : pools)
        for (int64_t shift = 0; shift < 2; shift++)
            check_average<T, X, Y>(p, shift);
}

static void average_native(void **)
{
    check_average_of_all<float, float, float>();
    check_average_of_all<double, double, double>();
}

static void average_narrow(void **)
{
    check_average_of_all<float, PccBf16, PccBf16>();
    check_average_of_all<float, PccF16, float>();
    check_average_of_all<float, float, PccF16>();
}

/* ---- regions ---- */

/* Where the maxima of this region's bins are, in every channel. */
static void maxima_of_region(const PccRegions &r, const std::vector<double> &x, const double region[5],
                             std::vector<double> &want)
{
    for (int64_t c = 0; c < r.c; c++)
        for (int64_t i = 0; i < r.rows; i++)
            for (int64_t j = 0; j < r.columns; j++) {
                const double height = region[3] / (double)r.rows, width = region[4] / (double)r.columns;
                double winner = -1;
                for (int64_t p = 0; p < r.h * r.w && region[0] >= 0 && region[0] < (double)r.n; p++) {
                    const double row = (double)(p / r.w) - region[1], column = (double)(p % r.w) - region[2];
                    const int64_t at = ((int64_t)region[0] * r.c + c) * r.h * r.w + p;
                    if (row >= std::floor((double)i * height) && row < std::ceil((double)(i + 1) * height) &&
                        column >= std::floor((double)j * width) && column < std::ceil((double)(j + 1) * width) &&
                        (winner < 0 || x[(size_t)at] > x[(size_t)winner]))
                        winner = (double)at;
                }
                want.push_back(winner);
            }
}

template <class T, class X> static void check_regions()
{
    const PccRegions r = {2, 3, 9, 11, 5, 2, 4};
    const double regions[] = {0, 0, 0, 9, 11, 1, 3, 2, 4, 4, 0, -2, 5, 6, 20, 2, 0, 0, 3, 3, 1, 30, 0, 2, 8};
    const std::vector<double> x = random_integers(r.n * r.c * r.h * r.w, 1, 0, 7);
    std::vector<double> want;
    for (int64_t i = 0; i < r.count; i++)
        maxima_of_region(r, x, regions + 5 * i, want);
    check_orders([&](CudaStep &step) {
        Device<X> device_x(x);
        Device<int64_t> region(std::vector<double>(regions, regions + 25)), y(nothing((int64_t)want.size()));
        pcc_region_argmax<T>(r, device_x.at(), region.at(), y.at(), step.get());
        expect_close(want, y.read(), 0, "y");
        return std::vector<unsigned char>();
    });
}

static void maxima_of_regions(void **)
{
    check_regions<float, float>();
    check_regions<double, double>();
    check_regions<float, PccBf16>();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_native),     cmocka_unit_test(max_narrow),     cmocka_unit_test(max_specials),
        cmocka_unit_test(average_native), cmocka_unit_test(average_narrow), cmocka_unit_test(maxima_of_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
