/* resize.cuh: ONNX Resize, one axis at a time, for CUDA: y[outer, out, inner] from x[outer, in, inner].
 *
 *   pcc_resize_axis<T>(outer, in, inner, out, mode, coordinates, rounding, exclude_outside, antialias, scale, cubic,
 *       x, y, scratch, s)
 *   pcc_resize_axis_grad<T>(same literals, dy, dx, scratch, s)   its adjoint
 *       scratch of pcc_cuda_resize_axis_scratch_bytes() (pool_cuda.h)
 *
 * Positions and weights depend on literals only: a small kernel tabulates them, in double because positions in float
 * could select the wrong neighbour. Output positions read neighbouring input positions in ascending order, so that the
 * readers of an input position are a range, over which the adjoint gathers in the C target's order. */
#ifndef PCC_RESIZE_CUH
#define PCC_RESIZE_CUH

#include "../common/divide.cuh"
#include "../common/storage.cuh"
#include "pool_cuda.h"

/* An input position, clamped to the input, and its weight; 0: it is not read. */
template <class T> struct PccResizeTap {
    typename std::conditional<sizeof(T) == 4, int32_t, int64_t>::type position;
    T weight;
};

struct PccResizeReaders {
    int32_t first, end;
};

template <class T> struct PccResizeTable {
    PccResizeTap<T> *tap;      /* [out, taps] */
    PccResizeReaders *readers; /* [in] */
    int32_t in, out, taps;
};

template <class T> static inline PccResizeTable<T> pcc_resize_table(const PccResizeAxis &axis, void *scratch)
{
    PccResizeTable<T> table;
    table.in = (int32_t)axis.in;
    table.out = (int32_t)axis.out;
    table.taps = (int32_t)pcc_cuda_resize_taps(axis.mode, axis.antialias, axis.scale);
    table.tap = (PccResizeTap<T> *)scratch;
    table.readers = (PccResizeReaders *)(void *)(table.tap + axis.out * table.taps);
    return table;
}

template <class T>
PCC_DEVICE void pcc_resize_tabulate(const PccResizeAxis &axis, const PccResizeTable<T> &table, int32_t i)
{
    const PccResizeTaps taps = pcc_resize_taps(&axis, i);
    for (int32_t k = 0; k < table.taps; k++) {
        const int64_t position = taps.first + k;
        PccResizeTap<T> tap;
        tap.position = (decltype(tap.position))pcc_resize_clamp(&axis, position);
        tap.weight = position < taps.end ? (T)pcc_resize_weight(&axis, &taps, position) : T(0);
        table.tap[(int64_t)i * table.taps + k] = tap;
    }
}

/* The first output position whose last (or first) tap is at or after `position`; the number of output positions if
 * there is none. */
PCC_DEVICE int32_t pcc_resize_search(const PccResizeAxis &axis, int64_t position, bool by_last)
{
    int64_t low = 0, high = axis.out;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        const PccResizeTaps taps = pcc_resize_taps(&axis, middle);
        if (pcc_resize_clamp(&axis, by_last ? taps.end - 1 : taps.first) >= position)
            high = middle;
        else
            low = middle + 1;
    }
    return (int32_t)low;
}

template <class T> static __global__ void pcc_resize_table_kernel(const PccResizeAxis axis, PccResizeTable<T> table)
{
    PCC_FOR_ITEMS (i, pcc_max_i64(axis.in, axis.out)) {
        if (i < axis.out)
            pcc_resize_tabulate(axis, table, (int32_t)i);
        if (i < axis.in) {
            table.readers[i].first = pcc_resize_search(axis, i, true);
            table.readers[i].end = pcc_resize_search(axis, i + 1, false);
        }
    }
}

/* ---- lines ------------------------------------------------------------------------------------------------------ */

/* V elements of `inner` at a position of the axis. */
struct PccResizeWalk {
    int64_t count;
    PccDivisor<uint32_t> vectors, positions; /* of a line of inner; of the axis */
};

struct PccResizePlace {
    uint32_t column, position;
    int64_t outer;
};

PCC_DEVICE PccResizePlace pcc_resize_place(const PccResizeWalk &walk, int64_t first, uint32_t i, int v)
{
    PccResizePlace place;
    place.column = pcc_coordinate(&i, walk.vectors) * (uint32_t)v;
    place.position = pcc_coordinate(&i, walk.positions);
    place.outer = first + i;
    return place;
}

template <int V, class T, class X> PCC_DEVICE void pcc_resize_add(T weight, const X *x, T sum[V])
{
    const PccVector<X, V> v = pcc_load_vector<V>(x);
    for (int k = 0; k < V; k++)
        sum[k] += weight * (T)pcc_wide(v.at[k]);
}

template <int V, class T, class Y> PCC_DEVICE void pcc_resize_write(Y *y, const T sum[V])
{
    PccVector<Y, V> v;
    for (int k = 0; k < V; k++)
        v.at[k] = pcc_narrowed<Y>(sum[k]);
    pcc_store_vector(y, v);
}

/* Planes from `outer` on, as many as 32-bit indices can address. */
template <class T, int V, class X, class Y>
static __global__ void __launch_bounds__(PCC_BLOCK, 4)
    pcc_resize_axis_kernel(PccResizeTable<T> table, PccResizeWalk walk, int64_t outer, int64_t inner, const X *x, Y *y)
{
    PCC_FOR_ITEMS_OF (uint32_t, i, walk.count) {
        const PccResizePlace place = pcc_resize_place(walk, outer, i, V);
        const PccResizeTap<T> *tap = table.tap + (int64_t)place.position * table.taps;
        const X *plane = x + place.outer * table.in * inner + place.column;
        T sum[V] = {};
        for (int32_t k = 0; k < table.taps; k++)
            if (tap[k].weight != 0)
                pcc_resize_add<V>(tap[k].weight, plane + tap[k].position * inner, sum);
        pcc_resize_write<V>(y + (place.outer * table.out + place.position) * inner + place.column, sum);
    }
}

template <class T, int V, class X, class Y>
static __global__ void __launch_bounds__(PCC_BLOCK, 4)
    pcc_resize_axis_grad_kernel(PccResizeTable<T> table, PccResizeWalk walk, int64_t outer, int64_t inner, const X *dy,
                                Y *dx)
{
    PCC_FOR_ITEMS_OF (uint32_t, i, walk.count) {
        const PccResizePlace place = pcc_resize_place(walk, outer, i, V);
        const PccResizeReaders readers = table.readers[place.position];
        const X *plane = dy + place.outer * table.out * inner + place.column;
        T sum[V] = {};
        for (int32_t reader = readers.first; reader < readers.end; reader++) {
            const PccResizeTap<T> *tap = table.tap + (int64_t)reader * table.taps;
            for (int32_t k = 0; k < table.taps; k++)
                if (tap[k].position == (int32_t)place.position && tap[k].weight != 0)
                    pcc_resize_add<V>(tap[k].weight, plane + reader * inner, sum);
        }
        pcc_resize_write<V>(dx + (place.outer * table.in + place.position) * inner + place.column, sum);
    }
}

/* ---- host ------------------------------------------------------------------------------------------------------- */

template <int V> struct PccResizeWidth {
    static constexpr int value = V;
};

/* launch(width, walk, outer) for planes [positions, inner / V], in one part or more. */
template <int V, class Launch>
static void pcc_resize_launch_width(int64_t outer, int64_t positions, int64_t inner, Launch launch)
{
    const int64_t plane = positions * (inner / V), planes = pcc_max_i64(1, ((int64_t)1 << 30) / plane);
    PccResizeWalk walk;
    walk.vectors = pcc_divisor<uint32_t>(inner / V);
    walk.positions = pcc_divisor<uint32_t>(positions);
    for (int64_t first = 0; first < outer; first += planes) {
        walk.count = pcc_min_i64(planes, outer - first) * plane;
        launch(PccResizeWidth<V>(), walk, first);
    }
}

template <int V, class Launch>
static void pcc_resize_launch(int64_t outer, int64_t positions, int64_t inner, bool aligned, const PccStep *s,
                              Launch launch)
{
    if (positions * inner > (int64_t)1 << 30)
        pcc_check_cuda(s, cudaErrorInvalidValue, "resizing planes of more than 2^30 elements");
    else if (outer * positions * inner > 0 && aligned && inner % V == 0)
        pcc_resize_launch_width<V>(outer, positions, inner, launch);
    else if (outer * positions * inner > 0)
        pcc_resize_launch_width<1>(outer, positions, inner, launch);
}

template <class T>
static PccResizeTable<T> pcc_resize_make_table(const PccResizeAxis &axis, void *scratch, const PccStep *s)
{
    const PccResizeTable<T> table = pcc_resize_table<T>(axis, scratch);
    PCC_LAUNCH(pcc_resize_table_kernel<T>, pcc_blocks(pcc_max_i64(axis.in, axis.out), PCC_BLOCK), PCC_BLOCK, 0, s, axis,
               table);
    return table;
}

template <class T, class X, class Y>
static void pcc_resize_axis(int64_t outer, int64_t in, int64_t inner, int64_t out, int64_t mode, int64_t coordinates,
                            int64_t rounding, int64_t exclude_outside, int64_t antialias, double scale, double cubic,
                            const X *x, Y *y, void *scratch, PccStep *s)
{
    constexpr int V = (int)(16 / (sizeof(X) < sizeof(Y) ? sizeof(X) : sizeof(Y)));
    const PccResizeAxis axis = {in, out, mode, coordinates, rounding, exclude_outside, antialias, scale, cubic};
    const PccResizeTable<T> table = pcc_resize_make_table<T>(axis, scratch, s);
    auto launch = [&](auto width, const PccResizeWalk &walk, int64_t first) {
        PCC_LAUNCH((pcc_resize_axis_kernel<T, decltype(width)::value, X, Y>), pcc_blocks(walk.count, PCC_BLOCK),
                   PCC_BLOCK, 0, s, table, walk, first, inner, x, y);
    };
    pcc_resize_launch<V>(outer, out, inner, pcc_is_aligned<V>(x, 0) && pcc_is_aligned<V>(y, 0), s, launch);
}

template <class T, class X, class Y>
static void pcc_resize_axis_grad(int64_t outer, int64_t in, int64_t inner, int64_t out, int64_t mode,
                                 int64_t coordinates, int64_t rounding, int64_t exclude_outside, int64_t antialias,
                                 double scale, double cubic, const X *dy, Y *dx, void *scratch, PccStep *s)
{
    constexpr int V = (int)(16 / (sizeof(X) < sizeof(Y) ? sizeof(X) : sizeof(Y)));
    const PccResizeAxis axis = {in, out, mode, coordinates, rounding, exclude_outside, antialias, scale, cubic};
    const PccResizeTable<T> table = pcc_resize_make_table<T>(axis, scratch, s);
    auto launch = [&](auto width, const PccResizeWalk &walk, int64_t first) {
        PCC_LAUNCH((pcc_resize_axis_grad_kernel<T, decltype(width)::value, X, Y>), pcc_blocks(walk.count, PCC_BLOCK),
                   PCC_BLOCK, 0, s, table, walk, first, inner, dy, dx);
    };
    pcc_resize_launch<V>(outer, in, inner, pcc_is_aligned<V>(dy, 0) && pcc_is_aligned<V>(dx, 0), s, launch);
}

#endif
