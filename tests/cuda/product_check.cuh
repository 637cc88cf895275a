/* product_check.cuh: what the tests of products share: operands at any alignment, epilogues that count. */
#ifndef PRODUCT_CHECK_CUH
#define PRODUCT_CHECK_CUH

#include "emulated_check.h"

/* Random numbers in memory of the exact size, from `shift` elements behind an aligned address on. */
template <class X> struct Operand {
    std::vector<double> values; /* as the device has them */
    Device<X> memory;
    int64_t shift;

    Operand(int64_t count, uint64_t seed, int64_t behind = 0)
        : values(rounded<X>(random_values(count, seed))), memory(shifted(values, behind)), shift(behind)
    {
    }

    const X *at() const
    {
        return memory.at() + shift;
    }

  private:
    static std::vector<double> shifted(std::vector<double> numbers, int64_t behind)
    {
        numbers.insert(numbers.begin(), (size_t)behind, 0.0);
        return numbers;
    }
};

/* Stores sums and counts how often each element comes. */
template <class T> struct Counting {
    T *y;
    int32_t *times;
    int64_t columns;

    __device__ void operator()(int64_t row, int64_t column, T sum) const
    {
        y[row * columns + column] = sum;
        times[row * columns + column]++;
    }
};

template <class T> struct Result {
    Device<T> y;
    Device<int32_t> times;
    int64_t columns;

    Result(int64_t rows, int64_t width)
        : y(rows * width), times(std::vector<double>((size_t)(rows * width), 0.0)), columns(width)
    {
    }

    Counting<T> epilogue() const
    {
        return {y.at(), times.at(), columns};
    }

    void expect_each_once() const
    {
        for (int32_t n : times.elements())
            assert_int_equal(n, 1);
    }
};

/* Sums of products in double, with what bounds their errors. */
struct Sums {
    std::vector<double> sum, magnitude;

    explicit Sums(int64_t count) : sum((size_t)count, 0.0), magnitude((size_t)count, 0.0)
    {
    }

    void add(int64_t i, double term)
    {
        sum[(size_t)i] += term;
        magnitude[(size_t)i] += fabs(term);
    }

    /* Within the bound of a sum of `terms` products in any order: terms eps sum |a||b|, and a rounding to Y. */
    template <class T, class Y> void expect(const std::vector<double> &got, int64_t terms, const char *what) const
    {
        for (size_t i = 0; i < sum.size(); i++) {
            const double bound = (double)(terms + 1) * 2 * unit<T>() * magnitude[i] + unit<Y>() * fabs(sum[i]);
            if (!(fabs(got[i] - sum[i]) <= bound))
                fail_msg("%s: element %zu is %.17g instead of %.17g, bound %.3g", what, i, got[i], sum[i], bound);
        }
    }
};

#endif
