/* Gathers, scatters and one_hot of the CUDA kernels against walks over the index arrays, with negative, repeated and
 * wrong indices. Values are small integers: sums are exact in T, however they are ordered, and are rounded once. */
#include "placed_check.h"

#include "runtime/kernels/index/gather.cuh"
#include "runtime/kernels/index/gather_grad.cuh"
#include "runtime/kernels/index/scatter.cuh"

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

/* ---- Gather ----------------------------------------------------------------------------------------------------- */

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

/* ---- the rest --------------------------------------------------------------------------------------------------- */

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
