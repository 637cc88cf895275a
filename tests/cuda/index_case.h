/* index_case.h: index arrays and what they mean, element by element, for the tests of CUDA's gathers and scatters.
 *
 * There are negative, repeated and wrong indices. Values are small integers: sums are exact in T, however they are
 * ordered, and are rounded once. */
#ifndef PCC_INDEX_CASE_H
#define PCC_INDEX_CASE_H

#include "placed_check.h"

enum { RANK = 3 };

typedef std::vector<int64_t> Dims;

/* Mostly valid indices of an axis of extent n, some from the end, some out of range. */
static int64_t some_index(int64_t n)
{
    const int64_t kind = next_below(20);
    return kind == 0 ? n + next_below(3) : kind == 1 ? -n - 1 : next_below(2 * n) - n;
}

static int64_t resolve(int64_t index, int64_t n)
{
    return index < -n || index >= n ? -1 : (index + n) % n;
}

static int64_t product(const Dims &dims, int64_t first = 0, int64_t end = RANK)
{
    int64_t n = 1;
    for (int64_t i = first; i < end; i++)
        n *= dims[i];
    return n;
}

template <class X> static std::vector<X> some_values(int64_t n)
{
    std::vector<X> values((size_t)n);
    for (X &value : values)
        value = stored<X>((double)next_below(4));
    return values;
}

/* A result, kept in T's range, as Y stores it. */
template <class T, class Y> static std::vector<Y> as_stored(const std::vector<double> &values)
{
    std::vector<Y> kept;
    for (double value : values)
        if constexpr (std::is_integral<T>::value)
            kept.push_back((Y)(T)(int64_t)value); /* it wraps */
        else
            kept.push_back(stored<Y>(value));
    return kept;
}

template <class Y> static void check_same(const std::vector<Y> &want, const Placed<Y> &got)
{
    const std::vector<Y> elements = got.elements();
    for (size_t i = 0; i < want.size(); i++)
        check_close(value_of(elements[i]), value_of(want[i]), 0, "y", (int64_t)i);
}

/* ---- GatherElements and ScatterElements ------------------------------------------------------------------------- */

struct Elements {
    int64_t axis;
    Dims data, index;
};

static const Elements elements[] = {
    {0, {50, 3, 40}, {400, 3, 4}}, {1, {4, 9, 5}, {3, 20, 4}},      {2, {6, 7, 8}, {6, 7, 3}},
    {0, {100, 1, 1}, {999, 1, 1}}, {0, {30, 8, 90}, {70, 7, 11}},   {2, {30, 31, 10}, {30, 29, 12}},
    {1, {4, 9, 5}, {3, 0, 4}},     {1, {300, 300, 1}, {40, 33, 1}},
};

/* Offset in the data of index entry i; -1 when it is out of range. */
static int64_t element_of(const Elements &e, const std::vector<int64_t> &index, int64_t i)
{
    int64_t offset = 0, stride = 1, rest = i;
    for (int64_t d = RANK - 1; d >= 0; d--) {
        const int64_t at = d == e.axis ? resolve(index[i], e.data[d]) : rest % e.index[d];
        if (at < 0)
            return -1;
        offset += at * stride;
        stride *= e.data[d];
        rest /= e.index[d];
    }
    return offset;
}

static std::vector<int64_t> some_elements(const Elements &e)
{
    std::vector<int64_t> index((size_t)product(e.index));
    for (int64_t &i : index)
        i = some_index(e.data[e.axis]);
    return index;
}

/* ---- GatherND and ScatterND ------------------------------------------------------------------------------------- */

struct Tuples {
    int64_t batch_dims;
    Dims data, index; /* index: [.., .., tuple length] */
};

static const Tuples tuples[] = {
    {0, {6, 7, 90}, {5, 8, 2}},   {0, {6, 7, 8}, {5, 8, 3}},    {1, {4, 9, 130}, {4, 50, 1}}, {1, {3, 4, 5}, {3, 7, 2}},
    {0, {50, 3, 100}, {9, 6, 1}}, {0, {3, 5, 4}, {20, 100, 2}}, {0, {5, 2, 6}, {2, 3, 1}},
};

static int64_t slice_length(const Tuples &t)
{
    return product(t.data, t.batch_dims + t.index[RANK - 1]);
}

/* The first element of the slice that index row `row` names; -1 when it is out of range. */
static int64_t slice_of(const Tuples &t, const std::vector<int64_t> &index, int64_t row)
{
    const int64_t length = t.index[RANK - 1];
    int64_t offset = t.batch_dims ? row / t.index[1] : 0;
    for (int64_t i = 0; i < length; i++) {
        const int64_t extent = t.data[t.batch_dims + i], at = resolve(index[row * length + i], extent);
        if (at < 0)
            return -1;
        offset = offset * extent + at;
    }
    return offset * slice_length(t);
}

static std::vector<int64_t> some_tuples(const Tuples &t)
{
    const int64_t length = t.index[RANK - 1];
    std::vector<int64_t> index((size_t)product(t.index));
    for (size_t i = 0; i < index.size(); i++)
        index[i] = some_index(t.data[t.batch_dims + (int64_t)i % length]);
    return index;
}

#endif
