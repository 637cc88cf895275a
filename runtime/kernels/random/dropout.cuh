/* dropout.cuh: the kernels of dropout.h for CUDA, with the C target's random bits.
 *
 *   pcc_dropout<T>(n, ratio, node, x, y, mask, s)
 *   pcc_dropout_grad<T>(n, ratio, dy, mask, dx, s)
 *   pcc_random_uniform<T>(n, low, high, node, y, s)
 *   pcc_random_normal<T>(n, mean, scale, node, y, s)
 *
 * A thread encrypts the counters of 4 neighbouring lanes of a group, whose words belong to 4 runs of 4 neighbouring
 * elements (philox.h), each loaded and stored as a vector. */
#ifndef PCC_DROPOUT_CUH
#define PCC_DROPOUT_CUH

#include "../common/storage.cuh"
#include "../math/math.h"
#include "dropout_terms.h"
#include "philox.h"

enum { PCC_RUN = 4, PCC_RUNS = PCC_RANDOM_GROUP / PCC_PHILOX_LANES, PCC_RANDOM_THREADS = PCC_PHILOX_LANES / PCC_RUN };

/* A thread's words: [r][i] is that of element first + r * PCC_PHILOX_LANES + i. */
struct PccRuns {
    int64_t first;
    uint32_t word[PCC_RUNS][PCC_RUN];
};

PCC_DEVICE PccRuns pcc_random_runs(const PccStep *s, int64_t node, int64_t thread)
{
    PccRuns runs;
    const int64_t group = thread / PCC_RANDOM_THREADS;
    const int32_t lane = (int32_t)(thread % PCC_RANDOM_THREADS) * PCC_RUN;
    const uint64_t seed = s->seed, update = s->update, micro = s->micro;
    runs.first = group * PCC_RANDOM_GROUP + lane;
    for (int i = 0; i < PCC_RUN; i++) {
        const PccPhiloxWords words = pcc_random_lane(seed, node, update, micro, group, lane + i);
        for (int r = 0; r < PCC_RUNS; r++)
            runs.word[r][i] = words.word[r];
    }
    return runs;
}

static inline int64_t pcc_random_threads(int64_t n)
{
    return (n + PCC_RANDOM_GROUP - 1) / PCC_RANDOM_GROUP * PCC_RANDOM_THREADS;
}

/* ---- Dropout ---------------------------------------------------------------------------------------------------- */

/* y and mask at [at, at + PCC_RUN), of which elements from n on do not exist. */
template <class T, bool ALIGNED, class X, class Y>
PCC_DEVICE void pcc_drop_run(int64_t at, int64_t n, const uint32_t *word, uint64_t threshold, T scale, const X *x, Y *y,
                             uint8_t *mask)
{
    PccVector<X, PCC_RUN> in = {};
    PccVector<Y, PCC_RUN> out;
    PccVector<uint8_t, PCC_RUN> kept;
    const bool whole = ALIGNED && at + PCC_RUN <= n;
    if (whole)
        in = pcc_load_vector<PCC_RUN>(x + at);
    for (int i = 0; i < PCC_RUN; i++) {
        if (!whole && at + i < n)
            in.at[i] = x[at + i];
        kept.at[i] = word[i] >= threshold;
        out.at[i] = pcc_narrowed<Y>((T)pcc_wide(in.at[i]) * ((T)kept.at[i] * scale));
    }
    if (whole) {
        pcc_store_vector(y + at, out);
        pcc_store_vector(mask + at, kept);
        return;
    }
    for (int i = 0; i < PCC_RUN; i++)
        if (at + i < n) {
            y[at + i] = out.at[i];
            mask[at + i] = kept.at[i];
        }
}

template <class T, bool ALIGNED, class X, class Y>
__global__ void pcc_dropout_kernel(int64_t n, double ratio, int64_t node, const X *x, Y *y, uint8_t *mask,
                                   const PccStep *s)
{
    const T scale = (T)pcc_dropout_factor(ratio, s->deterministic);
    const uint64_t threshold = s->deterministic ? 0 : pcc_dropout_threshold(ratio);
    PCC_FOR_ITEMS (thread, (n + PCC_RANDOM_GROUP - 1) / PCC_RANDOM_GROUP * PCC_RANDOM_THREADS) {
        const PccRuns runs = pcc_random_runs(s, node, thread);
        for (int r = 0; r < PCC_RUNS; r++)
            pcc_drop_run<T, ALIGNED>(runs.first + r * PCC_PHILOX_LANES, n, runs.word[r], threshold, scale, x, y, mask);
    }
}

template <class T, class X, class Y>
static void pcc_dropout(int64_t n, double ratio, int64_t node, const X *x, Y *y, uint8_t *mask, PccStep *s)
{
    const int64_t threads = pcc_random_threads(n);
    if (n <= 0)
        return;
    if (pcc_is_aligned<PCC_RUN>(x, 0) && pcc_is_aligned<PCC_RUN>(y, 0) && pcc_is_aligned<PCC_RUN>(mask, 0))
        PCC_LAUNCH((pcc_dropout_kernel<T, true, X, Y>), pcc_blocks(threads, PCC_BLOCK), PCC_BLOCK, 0, s, n, ratio, node,
                   x, y, mask, pcc_on_device(s));
    else
        PCC_LAUNCH((pcc_dropout_kernel<T, false, X, Y>), pcc_blocks(threads, PCC_BLOCK), PCC_BLOCK, 0, s, n, ratio,
                   node, x, y, mask, pcc_on_device(s));
}

template <class T, int V, class X, class Y>
__global__ void pcc_dropout_grad_kernel(int64_t n, double ratio, const X *dy, const uint8_t *mask, Y *dx,
                                        const PccStep *s)
{
    const T scale = (T)pcc_dropout_factor(ratio, s->deterministic);
    PCC_FOR_ITEMS (i, n / V) {
        const PccVector<X, V> in = pcc_load_vector<V>(dy + i * V);
        const PccVector<uint8_t, V> kept = pcc_load_vector<V>(mask + i * V);
        PccVector<Y, V> out;
        for (int v = 0; v < V; v++)
            out.at[v] = pcc_narrowed<Y>((T)pcc_wide(in.at[v]) * ((T)kept.at[v] * scale));
        pcc_store_vector(dx + i * V, out);
    }
    PCC_FOR_ITEMS (rest, n % V) {
        const int64_t i = n - n % V + rest;
        pcc_put(dx, i, pcc_get<T>(dy, i) * ((T)mask[i] * scale));
    }
}

template <class T, class X, class Y>
static void pcc_dropout_grad(int64_t n, double ratio, const X *dy, const uint8_t *mask, Y *dx, PccStep *s)
{
    enum { V = 16 / (sizeof(X) > sizeof(Y) ? sizeof(X) : sizeof(Y)) };
    if (n <= 0)
        return;
    if (pcc_is_aligned<V>(dy, 0) && pcc_is_aligned<V>(dx, 0) && pcc_is_aligned<V>(mask, 0))
        PCC_LAUNCH((pcc_dropout_grad_kernel<T, V, X, Y>), pcc_blocks(n, PCC_BLOCK * V), PCC_BLOCK, 0, s, n, ratio, dy,
                   mask, dx, pcc_on_device(s));
    else
        PCC_LAUNCH((pcc_dropout_grad_kernel<T, 1, X, Y>), pcc_blocks(n, PCC_BLOCK), PCC_BLOCK, 0, s, n, ratio, dy, mask,
                   dx, pcc_on_device(s));
}

/* ---- random tensors --------------------------------------------------------------------------------------------- */

/* From the upper 24 bits, so that neither width rounds up to 1. */
template <class T> PCC_DEVICE T pcc_unit_interval(uint32_t word)
{
    return (T)(int32_t)(word >> 8) * (T)0x1p-24;
}

template <class Y> constexpr PccDtype pcc_float_dtype()
{
    return std::is_same<Y, PccBf16>::value  ? PCC_BF16
           : std::is_same<Y, PccF16>::value ? PCC_F16
           : sizeof(Y) == 8                 ? PCC_F64
                                            : PCC_F32;
}

/* Words to numbers of [low, low + extent). */
template <class T> struct PccUniform {
    T low, extent;
    uint32_t kept; /* rounding to y's type could reach the upper end */
    __device__ void operator()(const uint32_t *word, T *drawn) const
    {
        for (int r = 0; r < PCC_RUNS; r++)
            drawn[r] = low + extent * pcc_unit_interval<T>(word[r] & kept);
    }
};

/* radius and angle, a fraction of a turn, as a point */
PCC_DEVICE void pcc_turned(float radius, float turns, float *x, float *y)
{
    const float angle = 6.28318530717958647692528676655900577f * turns;
    *x = radius * pcc_cos_f32(angle);
    *y = radius * pcc_sin_f32(angle);
}

PCC_DEVICE void pcc_turned(double radius, double turns, double *x, double *y)
{
    double sine, cosine;
#ifdef __CUDA_ARCH__
    sincospi(2 * turns, &sine, &cosine); /* sin and cos have a code path for large angles that needs local memory */
#else
    const double angle = 6.28318530717958647692528676655900577 * turns;
    sine = pcc_sin_f64(angle);
    cosine = pcc_cos_f64(angle);
#endif
    *x = radius * cosine;
    *y = radius * sine;
}

PCC_DEVICE float pcc_normal_radius(float open)
{
    return pcc_sqrt_f32(-2.0f * pcc_log_f32(open));
}

PCC_DEVICE double pcc_normal_radius(double open)
{
    return pcc_sqrt_f64(-2.0 * pcc_log_f64(open));
}

/* Box and Muller (1958): two words give two independent normals, in their places: words 0 and 1, words 2 and 3. */
template <class T> struct PccNormal {
    T mean, scale;
    __device__ void operator()(const uint32_t *word, T *drawn) const
    {
        for (int r = 0; r < PCC_RUNS; r += 2) {
            const T open = pcc_unit_interval<T>(word[r]) + (T)0x1p-25; /* never 0 */
            T a, b;
            pcc_turned(pcc_normal_radius(open), pcc_unit_interval<T>(word[r + 1]), &a, &b);
            drawn[r] = mean + scale * a;
            drawn[r + 1] = mean + scale * b;
        }
    }
};

/* A thread draws for one lane of a group: y is written only. */
template <class T, class Y, class Draw>
__global__ void pcc_random_kernel(int64_t n, Draw draw, int64_t node, Y *y, const PccStep *s)
{
    const uint64_t seed = s->seed, update = s->update, micro = s->micro;
    PCC_FOR_ITEMS (thread, (n + PCC_RANDOM_GROUP - 1) / PCC_RANDOM_GROUP * PCC_PHILOX_LANES) {
        const int64_t group = thread / PCC_PHILOX_LANES;
        const int32_t lane = (int32_t)(thread % PCC_PHILOX_LANES);
        const PccPhiloxWords words = pcc_random_lane(seed, node, update, micro, group, lane);
        T drawn[PCC_RUNS];
        draw(words.word, drawn);
        for (int r = 0; r < PCC_RUNS; r++) {
            const int64_t at = group * PCC_RANDOM_GROUP + r * PCC_PHILOX_LANES + lane;
            if (at < n)
                pcc_put(y, at, drawn[r]);
        }
    }
}

template <class T, class Draw, class Y> static void pcc_random(int64_t n, Draw draw, int64_t node, Y *y, PccStep *s)
{
    const int64_t threads = (n + PCC_RANDOM_GROUP - 1) / PCC_RANDOM_GROUP * PCC_PHILOX_LANES;
    if (n > 0)
        PCC_LAUNCH((pcc_random_kernel<T, Y, Draw>), pcc_blocks(threads, PCC_BLOCK), PCC_BLOCK, 0, s, n, draw, node, y,
                   pcc_on_device(s));
}

template <class T, class Y>
static void pcc_random_uniform(int64_t n, double low, double high, int64_t node, Y *y, PccStep *s)
{
    const uint32_t kept = ~0u << (32 - pcc_uniform_digits(pcc_float_dtype<Y>()));
    pcc_random<T>(n, PccUniform<T>{(T)low, (T)(high - low), kept}, node, y, s);
}

template <class T, class Y>
static void pcc_random_normal(int64_t n, double mean, double scale, int64_t node, Y *y, PccStep *s)
{
    pcc_random<T>(n, PccNormal<T>{(T)mean, (T)scale}, node, y, s);
}

#endif
