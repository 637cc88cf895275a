/* conv_source.cuh: the patches of a convolution as a source of a product's tiles (gemm_source.cuh): line r is the patch
 * at position r of a grid, with elements (tap depth, height, width, channel), as in conv_gather.h.
 *
 * Positions and coordinates have 32 bits. Vectors are read where the number of channels is a multiple of the vector's
 * length, so that none crosses a tap; else each number is read separately. */
#ifndef PCC_CONV_SOURCE_CUH
#define PCC_CONV_SOURCE_CUH

#include "../common/divide.cuh"
#include "../gemm/gemm_source.cuh"
#include "conv_cuda.h"

typedef PccDivisor<uint32_t> PccConvDivisor;

template <class X> struct PccPatches {
    typedef X Element;
    const X *data;
    int64_t batch; /* from the first channel of a group to that of the next */
    int64_t pixel;
    int rows, columns;
    int source[3], start[3], advance[3], spacing[3];
    PccConvDivisor grid[3], taps[3], channels;

    struct Line {
        const X *at; /* the index that the first tap reads, if inside the source */
        int d, h, w; /* its coordinates */
    };
    struct Place {
        int column;
        int d, h, w; /* the tap's coordinates, from the first one's */
        int64_t delta;
    };

    __device__ __forceinline__ PccPatches of_batch(int64_t i) const
    {
        PccPatches moved = *this;
        moved.data += i * batch;
        return moved;
    }

    __device__ __forceinline__ int64_t offset(int d, int h, int w) const
    {
        return (((int64_t)d * source[1] + h) * source[2] + w) * pixel;
    }

    __device__ __forceinline__ Line line(int64_t i) const
    {
        uint32_t rest = (uint32_t)i;
        Line l;
        l.w = start[2] + advance[2] * (int)pcc_coordinate(&rest, grid[2]);
        l.h = start[1] + advance[1] * (int)pcc_coordinate(&rest, grid[1]);
        l.d = start[0] + advance[0] * (int)pcc_coordinate(&rest, grid[0]);
        l.at = data + (int64_t)rest * source[0] * offset(1, 0, 0) + offset(l.d, l.h, l.w);
        l.w = i < rows ? l.w : INT32_MIN / 2; /* padding */
        return l;
    }

    __device__ __forceinline__ Place place(int64_t j) const
    {
        uint32_t rest = (uint32_t)j;
        Place p;
        p.column = (int)j;
        const int channel = (int)pcc_coordinate(&rest, channels);
        p.w = spacing[2] * (int)pcc_coordinate(&rest, taps[2]);
        p.h = spacing[1] * (int)pcc_coordinate(&rest, taps[1]);
        p.d = spacing[0] * (int)rest;
        p.delta = offset(p.d, p.h, p.w) + channel;
        return p;
    }

    __device__ __forceinline__ bool is_there(const Line &l, const Place &p) const
    {
        return (unsigned)(l.d + p.d) < (unsigned)source[0] && (unsigned)(l.h + p.h) < (unsigned)source[1] &&
               (unsigned)(l.w + p.w) < (unsigned)source[2] && p.column < columns;
    }

    __device__ __forceinline__ const X *find(const Line &l, const Place &p, int *count) const
    {
        const bool there = is_there(l, p);
        *count = there ? 16 : 0;
        return there ? l.at + p.delta : data;
    }

    template <int V> __device__ __forceinline__ PccVector<X, V> gather(const Line &l, const Place &p) const
    {
        PccVector<X, V> all = {};
#pragma unroll
        for (int v = 0; v < V; v++) {
            const Place own = v == 0 ? p : place((int64_t)p.column + v);
            if (is_there(l, own))
                all.at[v] = l.at[own.delta];
        }
        return all;
    }
};

template <class X> static PccPatches<X> pcc_patches(const PccGather &g, const X *data)
{
    PccPatches<X> p = {};
    p.data = data;
    p.batch = g.channels;
    p.pixel = g.pixel;
    p.rows = (int)g.rows;
    p.columns = (int)(g.taps[0] * g.taps[1] * g.taps[2] * g.channels);
    p.channels = pcc_divisor<uint32_t>(g.channels);
    for (int d = 0; d < 3; d++) {
        p.source[d] = (int)g.source[d];
        p.start[d] = (int)g.start[d];
        p.advance[d] = (int)g.advance[d];
        p.spacing[d] = (int)g.spacing[d];
        p.grid[d] = pcc_divisor<uint32_t>(g.grid[d]);
        p.taps[d] = pcc_divisor<uint32_t>(g.taps[d]);
    }
    return p;
}

/* Maps the rows of a phase to rows of dx (conv_phase.h). */
template <class E> struct PccPhaseEpilogue {
    E epilogue;
    bool same; /* they are the same */
    PccConvDivisor grid[3];
    int in[3], first[3], step[3];

    template <class T> __device__ __forceinline__ void operator()(int64_t row, int64_t column, T sum) const
    {
        if (!same) {
            uint32_t rest = (uint32_t)row;
            const int w = first[2] + step[2] * (int)pcc_coordinate(&rest, grid[2]);
            const int h = first[1] + step[1] * (int)pcc_coordinate(&rest, grid[1]);
            const int d = first[0] + step[0] * (int)pcc_coordinate(&rest, grid[0]);
            row = (((int64_t)rest * in[0] + d) * in[1] + h) * in[2] + w;
        }
        epilogue(row, column, sum);
    }
};

template <class E> static PccPhaseEpilogue<E> pcc_phase_epilogue(const PccPhase &p, const E &epilogue)
{
    PccPhaseEpilogue<E> e = {epilogue, true, {}, {}, {}, {}};
    for (int d = 0; d < 3; d++) {
        e.same = e.same && p.step[d] == 1;
        e.grid[d] = pcc_divisor<uint32_t>(p.grid[d]);
        e.in[d] = (int)p.in[d];
        e.first[d] = (int)p.first[d];
        e.step[d] = (int)p.step[d];
    }
    return e;
}

#endif
