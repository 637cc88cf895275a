/* gemm_source.cuh: what the tiles of a product are read from.
 *
 * A source is an operand as lines of numbers that lie next to each other: along K (line i is row i of A, column j of
 * B), or across it (line p is K p). A product asks for V numbers of line i from position j on, through Line line(i),
 * Place place(j)        what is to be known of a line and of a position, computed once for many const X *find(line,
 * place, &count)  where they lie, and how many there are: the others are 0, as in padding X one(line, place, v) number
 * v, where they need not lie together PccMatrix is a matrix in memory; conv_source.cuh has the patches of a
 * convolution. */
#ifndef PCC_GEMM_SOURCE_CUH
#define PCC_GEMM_SOURCE_CUH

#include "../common/storage.cuh"
#include "gemm_cuda.h"

template <class X> struct PccMatrix {
    typedef X Element;
    const X *data;
    int64_t batch;       /* from one matrix to the next */
    int64_t line_stride; /* in elements, as all strides */
    int64_t stride;      /* along a line; 1 where vectors are read */
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

    __device__ __forceinline__ X one(const Line &line, const Place &place, int v) const
    {
        return line.data && v < place.count ? line.data[(place.at + v) * stride] : X{};
    }
};

/* V numbers at once, where Aligned says that those that lie together are a vector. */
template <int V, bool Aligned, class Source>
PCC_DEVICE PccVector<typename Source::Element, V> pcc_fetch(const Source &source, const typename Source::Line &line,
                                                            const typename Source::Place &place)
{
    typedef typename Source::Element X;
    PccVector<X, V> all = {};
    if constexpr (Aligned) {
        int count;
        const X *p = source.find(line, place, &count);
        if (count >= V)
            return pcc_load_vector<V>(p);
#pragma unroll
        for (int v = 0; v < V; v++)
            if (v < count)
                all.at[v] = p[v];
    } else {
#pragma unroll
        for (int v = 0; v < V; v++)
            all.at[v] = source.one(line, place, v);
    }
    return all;
}

#endif
