/* gemm_source.cuh: the sources from which the tiles of a product are read.
 *
 * A source presents an operand as lines of contiguous numbers: along K (line i is row i of A, or column i of B), or
 * across it (line p is position p of K). A product asks for V numbers of line i from position j on, through Line
 * line(i), Place place(j) what is to be known of a line and of a position, computed once for many const X *find(line,
 * place, &count) where they lie, and how many there are: the others are 0, as in padding X one(line, place, v) number
 * v, where they need not lie together PccMatrix is a matrix in memory; conv_source.cuh has the patches of a
 * convolution. */
#ifndef PCC_GEMM_SOURCE_CUH
#define PCC_GEMM_SOURCE_CUH

#include "../common/storage.cuh"
#include "gemm_cuda.h"

/* 16 bytes from `shift` bytes after `from` on, a multiple of 2, combined from two aligned vectors. */
template <class X> PCC_DEVICE PccVector<X, 16 / sizeof(X)> pcc_shifted(const PccVector<uint32_t, 4> *from, int shift)
{
    const PccVector<uint32_t, 4> low = from[0], high = from[1];
    uint32_t word[8] = {low.at[0], low.at[1], low.at[2], low.at[3], high.at[0], high.at[1], high.at[2], high.at[3]};
    union {
        uint32_t word[4];
        PccVector<X, 16 / sizeof(X)> all;
    } shifted;
#pragma unroll
    for (int i = 0; i < 6; i++)
        word[i] = shift & 8 ? word[i + 2] : word[i];
#pragma unroll
    for (int i = 0; i < 5; i++)
        word[i] = shift & 4 ? word[i + 1] : word[i];
#pragma unroll
    for (int i = 0; i < 4; i++)
        shifted.word[i] = (uint32_t)(((uint64_t)word[i + 1] << 32 | word[i]) >> (shift & 2) * 8);
    return shifted.all;
}

template <class X> struct PccMatrix {
    typedef X Element;
    const X *data;
    int64_t batch;       /* from one matrix to the next */
    int64_t line_stride; /* in elements, as all strides */
    int64_t stride;      /* stride along a line; 1 where vectors are read */
    int64_t lines, length;

    struct Line {
        const X *data; /* null: there is none */
    };
    struct Place {
        int64_t at;
        int count;
    };

    __device__ __forceinline__ PccMatrix of_batch(int64_t i) const
    {
        PccMatrix moved = *this;
        moved.data += i * batch;
        return moved;
    }

    __device__ __forceinline__ Line line(int64_t i) const
    {
        return {i < lines ? data + i * line_stride : nullptr};
    }

    __device__ __forceinline__ Place place(int64_t j) const
    {
        const int64_t left = length - j;
        return {j, left < 0 ? 0 : left > 16 ? 16 : (int)left};
    }

    __device__ __forceinline__ const X *find(const Line &line, const Place &place, int *count) const
    {
        *count = line.data ? place.count : 0;
        return *count > 0 ? line.data + place.at : data;
    }

    template <int V> __device__ __forceinline__ PccVector<X, V> gather(const Line &line, const Place &place) const
    {
        if constexpr (V * sizeof(X) == 16)
            if (line.data && place.count >= V && stride == 1) {
                const uintptr_t at = (uintptr_t)(line.data + place.at), first = at & ~(uintptr_t)15;
                const uintptr_t end = (uintptr_t)(data + (lines - 1) * line_stride + length);
                if (first >= (uintptr_t)data && first + 32 <= end)
                    return pcc_shifted<X>((const PccVector<uint32_t, 4> *)first, (int)(at - first));
            }
        PccVector<X, V> all = {};
#pragma unroll
        for (int v = 0; v < V; v++)
            if (line.data && v < place.count)
                all.at[v] = line.data[(place.at + v) * stride];
        return all;
    }
};

/* Reads V numbers at once; Aligned: contiguous ones are an aligned vector. */
template <int V, bool Aligned, class Source>
PCC_DEVICE PccVector<typename Source::Element, V> pcc_fetch(const Source &source, const typename Source::Line &line,
                                                            const typename Source::Place &place)
{
    typedef typename Source::Element X;
    if constexpr (Aligned) {
        PccVector<X, V> all = {};
        int count;
        const X *p = source.find(line, place, &count);
        if (count >= V)
            return pcc_load_vector<V>(p);
#pragma unroll
        for (int v = 0; v < V; v++)
            if (v < count)
                all.at[v] = p[v];
        return all;
    } else
        return source.template gather<V>(line, place);
}

#endif
