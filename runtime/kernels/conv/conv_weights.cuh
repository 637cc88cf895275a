/* conv_weights.cuh: rearranges weights for the products, and their gradient back. */
#ifndef PCC_CONV_WEIGHTS_CUH
#define PCC_CONV_WEIGHTS_CUH

#include "conv_source.cuh"

/* A filter w[o, c, tap] as rearranged[o, tap, c], or, of depthwise convolutions, w[c, tap] as rearranged[tap, c]: rows
 * of `across` numbers change places with their columns, in `matrices` of them. */
template <class W>
__global__ void pcc_conv_transpose(int64_t count, PccDivisor<uint64_t> down, PccDivisor<uint64_t> across, const W *w,
                                   W *rearranged)
{
    PCC_FOR_ITEMS (i, count) {
        uint64_t rest = (uint64_t)i;
        const uint64_t row = pcc_coordinate(&rest, down), column = pcc_coordinate(&rest, across);
        rearranged[i] = w[(rest * down.by + row) * across.by + column];
    }
}

/* Transposes matrices [down, across] to [across, down]. */
template <class W>
static void pcc_conv_rearrange(int64_t matrices, int64_t down, int64_t across, const W *w, W *rearranged, PccStep *s)
{
    const int64_t count = matrices * down * across;
    if (count > 0)
        PCC_LAUNCH((pcc_conv_transpose<W>), pcc_blocks(count, PCC_BLOCK), PCC_BLOCK, 0, s, count,
                   pcc_divisor<uint64_t>(down), pcc_divisor<uint64_t>(across), w, rearranged);
}

/* w[o, c, tap] to rearranged[group, tap of the phase, o of the group, c]. */
struct PccPhaseWeights {
    int64_t taps_of_kernel, channels, filters;
    int64_t kernel[3], last_tap[3], tap_step[3], taps[3];
};

template <class W> __global__ void pcc_conv_phase_weights(int64_t count, PccPhaseWeights p, const W *w, W *rearranged)
{
    PCC_FOR_ITEMS (i, count) {
        const int64_t channel = i % p.channels, filter = i / p.channels % p.filters;
        const int64_t t = i / (p.channels * p.filters), taps = p.taps[0] * p.taps[1] * p.taps[2];
        const int64_t group = t / taps, d = t % taps / p.taps[2] / p.taps[1], h = t % taps / p.taps[2] % p.taps[1];
        const int64_t tap =
            ((p.last_tap[0] - d * p.tap_step[0]) * p.kernel[1] + p.last_tap[1] - h * p.tap_step[1]) * p.kernel[2] +
            p.last_tap[2] - t % p.taps[2] * p.tap_step[2];
        rearranged[i] = w[((group * p.filters + filter) * p.channels + channel) * p.taps_of_kernel + tap];
    }
}

template <class W>
static void pcc_conv_rearrange_phase(const PccConv &c, const PccPhase &phase, const W *w, W *rearranged, PccStep *s)
{
    PccPhaseWeights p = {pcc_conv_taps(c), c.c / c.groups, c.o / c.groups, {}, {}, {}, {}};
    for (int d = 0; d < 3; d++) {
        p.kernel[d] = c.kernel[d];
        p.last_tap[d] = phase.last_tap[d];
        p.tap_step[d] = phase.tap_step[d];
        p.taps[d] = phase.taps[d];
    }
    const int64_t count = c.o * p.channels * p.taps[0] * p.taps[1] * p.taps[2];
    if (count > 0)
        PCC_LAUNCH((pcc_conv_phase_weights<W>), pcc_blocks(count, PCC_BLOCK), PCC_BLOCK, 0, s, count, p, w, rearranged);
}

/* dw[o, c, tap] from columns (tap, c) of row o. */
template <class W> struct PccWeightGradient {
    W *dw;
    int64_t taps;
    PccConvDivisor channels;

    template <class T> __device__ __forceinline__ void operator()(int64_t row, int64_t column, T sum) const
    {
        uint32_t tap = (uint32_t)column;
        const uint32_t channel = pcc_coordinate(&tap, channels);
        pcc_put(dw, (row * channels.by + channel) * taps + tap, sum);
    }
};

#endif
