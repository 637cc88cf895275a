/* pool_place.cuh: how the positions and channels of a pooled tensor are assigned to threads: each has V neighbouring
 * channels of one position, channels fastest. */
#ifndef PCC_POOL_PLACE_CUH
#define PCC_POOL_PLACE_CUH

#include "../common/divide.cuh"
#include "../common/storage.cuh"
#include "pool_shape.h"

typedef PccPoolShape<int32_t> PccPoolShape32;
typedef PccPoolOffsets<int32_t> PccPoolRange32;

/* The parts of some of the samples. */
struct PccPoolWalk {
    uint32_t count;
    int32_t sample; /* the first one */
    PccDivisor<uint32_t> channels, extent[3];
};

/* V channels, the first of which is `channel`; `first` is that element's offset in the tensor. */
struct PccPoolPlace {
    int32_t sample, at[3], channel;
    int64_t first;
};

template <class I> PCC_KERNEL int64_t pcc_pool_plane(const I extent[3])
{
    return (int64_t)extent[0] * extent[1] * extent[2];
}

template <int V>
PCC_DEVICE PccPoolPlace pcc_pool_place(const PccPoolShape32 &p, const int32_t extent[3], const PccPoolWalk &walk,
                                       uint32_t i)
{
    PccPoolPlace place;
    place.first = walk.sample * pcc_pool_plane(extent) * p.c + (int64_t)i * V;
    place.channel = (int32_t)pcc_coordinate(&i, walk.channels) * V;
    for (int axis = 2; axis >= 0; axis--)
        place.at[axis] = (int32_t)pcc_coordinate(&i, walk.extent[axis]);
    place.sample = walk.sample + (int32_t)i;
    return place;
}

template <int V, class T, class X> PCC_DEVICE void pcc_pool_read(const X *p, T x[V])
{
    const PccVector<X, V> v = pcc_load_vector<V>(p);
    for (int k = 0; k < V; k++)
        x[k] = (T)pcc_wide(v.at[k]);
}

template <int V, class T, class Y> PCC_DEVICE void pcc_pool_write(Y *p, const T y[V])
{
    PccVector<Y, V> v;
    for (int k = 0; k < V; k++)
        v.at[k] = pcc_narrowed<Y>(y[k]);
    pcc_store_vector(p, v);
}

/* Channels of a thread: 16 bytes of the narrower type. */
template <class X, class Y> constexpr int pcc_pool_vector()
{
    return (int)(16 / (sizeof(X) < sizeof(Y) ? sizeof(X) : sizeof(Y)));
}

template <int V> struct PccPoolWidth {
    static constexpr int value = V;
};

#define PCC_POOL_MOST (1 << 30) /* bound of numbers in 32-bit arithmetic, so that the sum of two fits */

/* The shape in 32 bits; false where it does not fit. */
static inline bool pcc_pool_narrow(const PccPool &p, PccPoolShape32 *to)
{
    bool fits = p.n < PCC_POOL_MOST && p.c < PCC_POOL_MOST && pcc_pool_plane(p.in) < PCC_POOL_MOST;
    to->n = (int32_t)p.n;
    to->c = (int32_t)p.c;
    to->count_include_pad = p.count_include_pad != 0;
    for (int i = 0; i < 3; i++) {
        const int64_t reach = (p.kernel[i] - 1) * p.dilation[i], stride = pcc_min_i64(p.stride[i], PCC_POOL_MOST - 1);
        fits = fits && reach < PCC_POOL_MOST / 2 && p.pad[i] < PCC_POOL_MOST / 2 && p.dilation[i] < PCC_POOL_MOST &&
               (p.out[i] - 1) * stride < PCC_POOL_MOST;
        to->in[i] = (int32_t)p.in[i];
        to->out[i] = (int32_t)p.out[i];
        to->kernel[i] = (int32_t)p.kernel[i];
        to->stride[i] = (int32_t)stride;
        to->dilation[i] = (int32_t)p.dilation[i];
        to->pad[i] = (int32_t)p.pad[i];
        to->overhang[i] = (int32_t)p.overhang[i];
    }
    return fits;
}

template <int V, class Launch>
static void pcc_pool_launch_width(const PccPoolShape32 &p, const int32_t extent[3], Launch launch)
{
    const int64_t parts = pcc_pool_plane(extent) * (p.c / V), samples = pcc_max_i64(1, PCC_POOL_MOST / parts);
    PccPoolWalk walk;
    walk.channels = pcc_divisor<uint32_t>(p.c / V);
    for (int i = 0; i < 3; i++)
        walk.extent[i] = pcc_divisor<uint32_t>(extent[i]);
    for (int64_t sample = 0; sample < p.n; sample += samples) {
        walk.sample = (int32_t)sample;
        walk.count = (uint32_t)(pcc_min_i64(samples, p.n - sample) * parts);
        launch(PccPoolWidth<V>(), p, walk);
    }
}

/* launch(width, shape, walk) for the positions of shape.in or, of_windows, shape.out: with V channels a thread where
 * all operands are `aligned` to them, else one; in as many launches as 32-bit indices require. */
template <int V, class Launch>
static void pcc_pool_launch(const PccPool &shape, bool of_windows, bool aligned, const PccStep *s, Launch launch)
{
    PccPoolShape32 p;
    const bool fits = pcc_pool_narrow(shape, &p);
    const int32_t *extent = of_windows ? p.out : p.in;
    const bool wide = aligned && p.c % V == 0;
    const int64_t parts = pcc_pool_plane(extent) * (wide ? p.c / V : p.c);
    if (!fits || parts > PCC_POOL_MOST)
        pcc_check_cuda(s, cudaErrorInvalidValue, "pooling samples of 2^30 positions or more");
    else if (parts * p.n == 0)
        return;
    else if (wide)
        pcc_pool_launch_width<V>(p, extent, launch);
    else
        pcc_pool_launch_width<1>(p, extent, launch);
}

#endif
