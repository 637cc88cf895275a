/* topk.cuh: the k first elements of a line in sorted order, for CUDA.
 *
 *   pcc_topk<T>(outer, n, inner, k, largest, x[outer, n, inner], values[outer, k, inner], indices[outer, k, inner], s)
 *
 * of equals, the first index first; NaN is greater than every number. Elements are mapped to integer keys of the same
 * order. In a short line the position of each element is the number of those before it. In a long one a block finds the
 * k-th key bit by bit, collects the elements up to it, and sorts them in the output by a bitonic network. */
#ifndef PCC_TOPK_CUH
#define PCC_TOPK_CUH

#include "../common/block_scan.cuh"

enum { PCC_TOPK_SHORT = 1024 }; /* elements of a line whose keys fit in shared memory */

template <class T> using PccKey = typename std::conditional<sizeof(T) == 8, uint64_t, uint32_t>::type;

/* Keys have the order of the elements; all NaN have the same, greatest key. */
PCC_DEVICE uint32_t pcc_key_of(float a)
{
    const uint32_t bits = pcc_bits_of_f32(a == 0 ? 0.0f : a);
    return a != a ? 0xffffffffu : bits >> 31 ? ~bits : bits | 0x80000000u;
}

PCC_DEVICE uint64_t pcc_key_of(double a)
{
    const double plain = a == 0 ? 0.0 : a;
    uint64_t bits;
    memcpy(&bits, &plain, sizeof bits);
    return a != a ? ~(uint64_t)0 : bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

PCC_DEVICE uint64_t pcc_key_of(int64_t a)
{
    return (uint64_t)a ^ (uint64_t)1 << 63;
}

PCC_DEVICE uint32_t pcc_key_of(int32_t a)
{
    return (uint32_t)a ^ 0x80000000u;
}

struct PccTopk {
    int64_t lines, n, inner, k;
    bool largest;
    int each; /* lines of a block that has several */
};

/* The key of element i of a line; smaller keys come first. */
template <class T, class X> PCC_DEVICE PccKey<T> pcc_topk_key(const PccTopk &c, const X *line, int64_t i)
{
    typedef typename std::conditional<(sizeof(T) < 4), int32_t, T>::type Wide;
    const PccKey<T> key = pcc_key_of((Wide)pcc_get<T>(line, i * c.inner));
    return c.largest ? (PccKey<T>)~key : key;
}

/* A line's first element among `length` elements of each line. */
PCC_DEVICE int64_t pcc_topk_first(const PccTopk &c, int64_t line, int64_t length)
{
    return line / c.inner * length * c.inner + line % c.inner;
}

template <class T, class X, class Y>
__global__ void pcc_topk_short_kernel(PccTopk c, const X *x, Y *values, int64_t *indices)
{
    PCC_DYNAMIC_SHARED(PccKey<T>, keys); /* [each, n] */
    for (int64_t first = (int64_t)blockIdx.x * c.each; first < c.lines; first += (int64_t)gridDim.x * c.each) {
        const int n = (int)c.n, elements = (int)(c.lines - first < c.each ? c.lines - first : c.each) * n;
        for (int e = (int)threadIdx.x; e < elements; e += PCC_BLOCK)
            keys[e] = pcc_topk_key<T>(c, x + pcc_topk_first(c, first + e / n, n), e % n);
        __syncthreads();
        for (int e = (int)threadIdx.x; e < elements; e += PCC_BLOCK) {
            const int i = e % n;
            const PccKey<T> *line = keys + (e - i), key = line[i];
            int place = 0;
            for (int j = 0; j < n; j++)
                place += line[j] < key || (line[j] == key && j < i);
            if (place >= c.k)
                continue;
            const int64_t to = pcc_topk_first(c, first + e / n, c.k) + place * c.inner;
            values[to] = pcc_narrowed<Y>(pcc_get<T>(x, pcc_topk_first(c, first + e / n, n) + i * c.inner));
            indices[to] = i;
        }
        __syncthreads();
    }
}

/* The number of a line's keys that are at most `most`. */
template <class T, class X> PCC_DEVICE int64_t pcc_topk_count(const PccTopk &c, const X *line, PccKey<T> most)
{
    uint32_t own = 0, all;
    for (int64_t i = threadIdx.x; i < c.n; i += PCC_BLOCK)
        own += pcc_topk_key<T>(c, line, i) <= most;
    pcc_block_scan(own, &all);
    return all;
}

/* The k-th key: the least key with at least k keys not above it. */
template <class T, class X> PCC_DEVICE PccKey<T> pcc_topk_last(const PccTopk &c, const X *line)
{
    PccKey<T> last = 0;
    for (int bit = 8 * (int)sizeof last - 1; bit >= 0; bit--) {
        const PccKey<T> mask = (PccKey<T>)1 << bit;
        if (pcc_topk_count<T>(c, line, last | (mask - 1)) < c.k)
            last |= mask;
    }
    return last;
}

/* The positions of the k elements, in index order; of those equal to the last, the first ones. */
template <class T, class X>
PCC_DEVICE void pcc_topk_collect(const PccTopk &c, const X *line, PccKey<T> last, int64_t *to)
{
    uint32_t ties = last == 0 ? 0 : (uint32_t)pcc_topk_count<T>(c, line, last - 1), taken = 0, all;
    ties = (uint32_t)c.k - ties; /* to be taken */
    for (int64_t first = 0; first < c.n; first += PCC_BLOCK) {
        const int64_t i = first + threadIdx.x;
        const PccKey<T> key = i < c.n ? pcc_topk_key<T>(c, line, i) : (PccKey<T>)0;
        const bool tie = i < c.n && key == last;
        const uint32_t earlier = pcc_block_scan(tie, &all);
        const bool takes = i < c.n && (key < last || (tie && earlier < ties));
        ties -= all < ties ? all : ties;
        const uint32_t slot = taken + pcc_block_scan(takes, &all);
        taken += all;
        if (takes)
            to[slot * c.inner] = i;
    }
    __syncthreads();
}

template <class T, class X> PCC_DEVICE bool pcc_topk_before(const PccTopk &c, const X *line, int64_t a, int64_t b)
{
    const PccKey<T> key_a = pcc_topk_key<T>(c, line, a), key_b = pcc_topk_key<T>(c, line, b);
    return key_a < key_b || (key_a == key_b && a < b);
}

/* Sorts the positions by a bitonic network whose comparators all have the same direction, so that k need not be a power
 * of two. */
template <class T, class X> PCC_DEVICE void pcc_topk_order(const PccTopk &c, const X *line, int64_t *places)
{
    for (int64_t size = 2; size < 2 * c.k; size *= 2)
        for (int64_t step = size / 2; step > 0; step /= 2) {
            for (int64_t pair = threadIdx.x; pair < (c.k + size) / 2; pair += PCC_BLOCK) {
                const int64_t low = pair / step * 2 * step + pair % step;
                const int64_t high = step == size / 2 ? low / size * size + size - 1 - low % size : low + step;
                if (high >= c.k)
                    continue;
                const int64_t a = places[low * c.inner], b = places[high * c.inner];
                if (pcc_topk_before<T>(c, line, b, a)) {
                    places[low * c.inner] = b;
                    places[high * c.inner] = a;
                }
            }
            __syncthreads();
        }
}

/* A block for each line. */
template <class T, class X, class Y>
__global__ void pcc_topk_long_kernel(PccTopk c, const X *x, Y *values, int64_t *indices)
{
    for (int64_t line = blockIdx.x; line < c.lines; line += gridDim.x) {
        const X *from = x + pcc_topk_first(c, line, c.n);
        const int64_t to = pcc_topk_first(c, line, c.k);
        pcc_topk_collect<T>(c, from, pcc_topk_last<T>(c, from), indices + to);
        pcc_topk_order<T>(c, from, indices + to);
        for (int64_t i = threadIdx.x; i < c.k; i += PCC_BLOCK)
            pcc_put(values, to + i * c.inner, pcc_get<T>(from, indices[to + i * c.inner] * c.inner));
    }
}

template <class T, class X, class Y>
static void pcc_topk(int64_t outer, int64_t n, int64_t inner, int64_t k, int64_t largest, const X *x, Y *values,
                     int64_t *indices, PccStep *s)
{
    PccTopk c = {outer * inner, n, inner, k, largest != 0, 1};
    if (c.lines * k == 0)
        return;
    if (n > PCC_TOPK_SHORT) {
        PCC_LAUNCH((pcc_topk_long_kernel<T, X, Y>), pcc_blocks(c.lines, 1), PCC_BLOCK, 0, s, c, x, values, indices);
        return;
    }
    c.each = (int)(PCC_BLOCK / n < 1 ? 1 : PCC_BLOCK / n);
    PCC_LAUNCH((pcc_topk_short_kernel<T, X, Y>), pcc_blocks(c.lines, c.each), PCC_BLOCK,
               (size_t)(c.each * n) * sizeof(PccKey<T>), s, c, x, values, indices);
}

#endif
