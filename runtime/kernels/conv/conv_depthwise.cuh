/* conv_depthwise.cuh: depthwise convolutions: instead of a product, each tap is a multiply-add over the channels. */
#ifndef PCC_CONV_DEPTHWISE_CUH
#define PCC_CONV_DEPTHWISE_CUH

#include "conv_weights.cuh"

/* The shape in 32 bits. Backward: dx from dy; positions are those of the input. */
struct PccDepthwise {
    int64_t positions, channels; /* of the result */
    int from[3];                 /* extents of the source */
    int kernel[3], stride[3], dilation[3], pad[3];
    PccConvDivisor grid[3]; /* extents of the result */
    PccConvDivisor chunks;  /* vectors of a position */
};

static inline PccDepthwise pcc_depthwise(const PccConv &c, bool backward, int64_t vector)
{
    const int64_t *result = backward ? c.in : c.out, *from = backward ? c.out : c.in;
    PccDepthwise p = {};
    p.positions = pcc_conv_positions(c.n, result);
    p.channels = c.c;
    p.chunks = pcc_divisor<uint32_t>(pcc_ceil_div(c.c, vector));
    for (int d = 0; d < 3; d++) {
        p.from[d] = (int)from[d];
        p.kernel[d] = (int)c.kernel[d];
        p.stride[d] = (int)c.stride[d];
        p.dilation[d] = (int)c.dilation[d];
        p.pad[d] = (int)c.pad[d];
        p.grid[d] = pcc_divisor<uint32_t>(result[d]);
    }
    return p;
}

/* The coordinate that tap `tap` of position `at` reads along dimension d, or a negative one: pcc_conv_source() in 32
 * bits. */
template <bool Backward> PCC_DEVICE int pcc_depthwise_source(const PccDepthwise &p, int d, int at, int tap)
{
    const int offset = tap * p.dilation[d] - p.pad[d];
    if constexpr (!Backward) {
        const int source = at * p.stride[d] + offset;
        return source < p.from[d] ? source : -1;
    } else {
        const int scaled = at - offset;
        if (p.stride[d] == 1)
            return scaled < p.from[d] ? scaled : -1;
        const int source = scaled / p.stride[d];
        return scaled >= 0 && source * p.stride[d] == scaled && source < p.from[d] ? source : -1;
    }
}

/* Calls take(tap, the pixel's index) for each tap of position `row` that is not in the padding. */
template <bool Backward, class Take> PCC_DEVICE void pcc_depthwise_taps(const PccDepthwise &p, int64_t row, Take take)
{
    uint32_t rest = (uint32_t)row;
    const int w = (int)pcc_coordinate(&rest, p.grid[2]), h = (int)pcc_coordinate(&rest, p.grid[1]);
    const int d = (int)pcc_coordinate(&rest, p.grid[0]);
    for (int i = 0; i < p.kernel[0]; i++) {
        const int z = pcc_depthwise_source<Backward>(p, 0, d, i);
        for (int j = 0; z >= 0 && j < p.kernel[1]; j++) {
            const int y = pcc_depthwise_source<Backward>(p, 1, h, j);
            for (int k = 0; y >= 0 && k < p.kernel[2]; k++) {
                const int x = pcc_depthwise_source<Backward>(p, 2, w, k);
                if (x >= 0)
                    take((i * p.kernel[1] + j) * p.kernel[2] + k,
                         (((int64_t)rest * p.from[0] + z) * p.from[1] + y) * p.from[2] + x);
            }
        }
    }
}

/* Loads V numbers of T from channel c on. */
template <int V, class T, class X> PCC_DEVICE void pcc_load_wide(T (&to)[V], const X *p)
{
    const PccVector<X, V> v = pcc_load_vector<V>(p);
#pragma unroll
    for (int i = 0; i < V; i++)
        to[i] = (T)pcc_wide(v.at[i]);
}

/* result[position, c] = sum over taps of w[tap, c] x[pixel(position, tap), c]: a thread computes V channels of a
 * position. A warp's sums are contiguous in the result; lanes exchange them, so that each stores neighbouring
 * columns. */
template <class T, int V, bool Backward, class X, class W, class E>
__global__ void __launch_bounds__(PCC_BLOCK, 1) pcc_depthwise_kernel(PccDepthwise p, const X *x, const W *w, E epilogue)
{
    __shared__ T of_warps[PCC_BLOCK / 32][32 * V];
    T *const of_warp = of_warps[threadIdx.x / 32];
    const uint32_t items = (uint32_t)p.positions * p.chunks.by, padded = (items + 31) / 32 * 32;
    PCC_FOR_ITEMS_OF (uint32_t, item, padded) {
        T sum[V] = {};
        if (item < items) {
            uint32_t row = item;
            const int64_t c = (int64_t)pcc_coordinate(&row, p.chunks) * V;
            pcc_depthwise_taps<Backward>(p, row, [&](int tap, int64_t pixel) {
                T number[V], weight[V];
                pcc_load_wide(number, x + pixel * p.channels + c);
                pcc_load_wide(weight, w + tap * p.channels + c);
#pragma unroll
                for (int i = 0; i < V; i++)
                    sum[i] += number[i] * weight[i];
            });
        }
        __syncwarp();
#pragma unroll
        for (int i = 0; i < V; i++)
            of_warp[pcc_lane() * V + i] = sum[i];
        __syncwarp();
#pragma unroll
        for (int i = 0; i < V; i++) {
            const int at = i * 32 + pcc_lane();
            uint32_t row = item - (uint32_t)pcc_lane() + (uint32_t)(at / V);
            const bool is_there = row < items;
            const int64_t column = (int64_t)pcc_coordinate(&row, p.chunks) * V + at % V;
            if (is_there)
                epilogue((int64_t)row, column, of_warp[at]);
        }
    }
}

enum { PCC_DEPTHWISE_WARPS = 8 };

/* The offset of tap `tap`'s coordinates from those of the first; out of range where there is no such tap. */
PCC_DEVICE int4 pcc_depthwise_tap(const PccDepthwise &p, int tap)
{
    if (tap >= p.kernel[0] * p.kernel[1] * p.kernel[2])
        return make_int4(INT32_MIN / 2, 0, 0, 0);
    return make_int4(tap / p.kernel[2] / p.kernel[1] * p.dilation[0], tap / p.kernel[2] % p.kernel[1] * p.dilation[1],
                     tap % p.kernel[2] * p.dilation[2], 0);
}

/* sum[i] += dy[row, c] x[pixel(row, tap i), c] */
template <class T, int Taps, class X>
PCC_DEVICE void pcc_depthwise_add(T (&sum)[Taps], const PccDepthwise &p, const int4 *taps, uint32_t row, T cotangent,
                                  const X *x)
{
    const int w = (int)pcc_coordinate(&row, p.grid[2]) * p.stride[2] - p.pad[2];
    const int h = (int)pcc_coordinate(&row, p.grid[1]) * p.stride[1] - p.pad[1];
    const int d = (int)pcc_coordinate(&row, p.grid[0]) * p.stride[0] - p.pad[0];
#pragma unroll
    for (int i = 0; i < Taps; i++) {
        const int4 tap = taps[i];
        const int z = d + tap.x, y = h + tap.y, s = w + tap.z;
        if ((unsigned)z < (unsigned)p.from[0] && (unsigned)y < (unsigned)p.from[1] && (unsigned)s < (unsigned)p.from[2])
            sum[i] += cotangent *
                      pcc_get<T>(x, ((((int64_t)row * p.from[0] + z) * p.from[1] + y) * p.from[2] + s) * p.channels);
    }
}

/* partial[range, tap, c]: a block sums over a range of positions, for 32 channels and Taps taps; its warps process
 * positions in turn. */
template <class T, int Taps, class X, class Y>
__global__ void __launch_bounds__(PCC_DEPTHWISE_WARPS * 32, 1)
    pcc_depthwise_weight(PccDepthwise p, int64_t range, const X *x, const Y *dy, T *partial)
{
    __shared__ T of_warp[PCC_DEPTHWISE_WARPS][Taps][32];
    __shared__ int4 taps[Taps];
    const int all_taps = p.kernel[0] * p.kernel[1] * p.kernel[2], first_tap = (int)blockIdx.y * Taps;
    const int warp = (int)threadIdx.x / 32, lane = pcc_lane();
    const int64_t groups = (p.channels + 31) / 32, c = blockIdx.x % groups * 32 + lane;
    const int64_t first = blockIdx.x / groups * range, last = first + range < p.positions ? first + range : p.positions;
    if ((int)threadIdx.x < Taps)
        taps[threadIdx.x] = pcc_depthwise_tap(p, first_tap + (int)threadIdx.x);
    __syncthreads();
    T sum[Taps] = {};
    if (c < p.channels)
        for (int64_t row = first + warp; row < last; row += PCC_DEPTHWISE_WARPS)
            pcc_depthwise_add(sum, p, taps, (uint32_t)row, pcc_get<T>(dy, row * p.channels + c), x + c);
#pragma unroll
    for (int i = 0; i < Taps; i++)
        of_warp[warp][i][lane] = sum[i];
    __syncthreads();
    for (int i = warp; i < Taps && first_tap + i < all_taps; i += PCC_DEPTHWISE_WARPS) {
        T all = 0;
        for (int other = 0; other < PCC_DEPTHWISE_WARPS; other++)
            all += of_warp[other][i][lane];
        if (c < p.channels)
            partial[(blockIdx.x / groups * all_taps + first_tap + i) * p.channels + c] = all;
    }
}

/* dw[c, tap] = sum over ranges of partial[range, tap, c]. */
template <class T, class W>
__global__ void pcc_depthwise_weight_sum(int64_t ranges, int64_t taps, int64_t channels, const T *partial, W *dw)
{
    const int64_t count = taps * channels;
    PCC_FOR_ITEMS (i, count) {
        T sum = partial[i];
        for (int64_t range = 1; range < ranges; range++)
            sum += partial[range * count + i];
        pcc_put(dw, i % channels * taps + i / channels, sum);
    }
}

/* ---- host functions --------------------------------------------------------------------------------------------- */

template <class T, bool Backward, class X, class W, class E>
static void pcc_run_depthwise(const PccConv &c, const X *x, const W *w, void *scratch, const E &epilogue, PccStep *s)
{
    constexpr int wide = sizeof(T) == 8 ? 2 : 4;
    const int64_t taps = pcc_conv_taps(c), positions = pcc_conv_positions(c.n, Backward ? c.in : c.out);
    const W *weights = w;
    if (positions * c.c == 0)
        return;
    if (taps > 1) {
        pcc_conv_rearrange(1, c.c, taps, w, (W *)scratch, s);
        weights = (const W *)scratch;
    }
    const bool vectors = pcc_is_aligned<wide>(x, c.c) && pcc_is_aligned<wide>(weights, c.c);
    const PccDepthwise p = pcc_depthwise(c, Backward, vectors ? wide : 1);
    if (!pcc_is_short(positions * p.chunks.by))
        return pcc_check_cuda(s, cudaErrorInvalidValue, "a depthwise convolution of 2^30 elements or more");
    const unsigned blocks = pcc_blocks(positions * p.chunks.by, PCC_BLOCK);
    if (vectors)
        PCC_LAUNCH((pcc_depthwise_kernel<T, wide, Backward, X, W, E>), blocks, PCC_BLOCK, 0, s, p, x, weights,
                   epilogue);
    else
        PCC_LAUNCH((pcc_depthwise_kernel<T, 1, Backward, X, W, E>), blocks, PCC_BLOCK, 0, s, p, x, weights, epilogue);
}

template <class T, class X, class Y, class W>
static void pcc_run_depthwise_weight(const PccConv &c, const X *x, const Y *dy, W *dw, void *scratch, PccStep *s)
{
    constexpr int taps_at_once = 9;
    const int64_t taps = pcc_conv_taps(c), ranges = pcc_cuda_depthwise_ranges(c);
    const int64_t range = pcc_max_i64(1, pcc_ceil_div(pcc_conv_positions(c.n, c.out), ranges));
    const dim3 grid((unsigned)(ranges * pcc_ceil_div(c.c, 32)), (unsigned)pcc_ceil_div(taps, taps_at_once));
    PCC_LAUNCH((pcc_depthwise_weight<T, taps_at_once, X, Y>), grid, PCC_DEPTHWISE_WARPS * 32, 0, s,
               pcc_depthwise(c, false, 1), range, x, dy, (T *)scratch);
    PCC_LAUNCH((pcc_depthwise_weight_sum<T, W>), pcc_blocks(taps * c.c, PCC_BLOCK), PCC_BLOCK, 0, s, ranges, taps, c.c,
               (const T *)scratch, dw);
}

#endif
