/* scan.cuh: the scans of reduce.h for CUDA.
 *
 *   pcc_cumsum<T>, pcc_cumprod<T>(outer, n, inner, exclusive, reverse, x, y, s)
 *
 * A thread scans a line. For sums of few and long lines, a block does, with 4 elements a thread and shared memory;
 * never for products, because partial products can overflow where no running product does. A running sum is an
 * unevaluated pair, sum + error (Knuth's two-sum, renormalised), so that a long scan loses no digits. */
#ifndef PCC_SCAN_CUH
#define PCC_SCAN_CUH

#include "../common/block.cuh"

template <class T> struct PccRunningSum {
    T sum, error;
    static __device__ PccRunningSum none()
    {
        return {T(0), T(0)};
    }
    __device__ T value() const
    {
        return sum;
    }
    __device__ PccRunningSum with(PccRunningSum other) const
    {
        const T next = sum + other.sum, seen = next - sum;
        const T lost = (sum - (next - seen)) + (other.sum - seen); /* NaN after an infinity: no error term */
        const T low = error + other.error + (lost - lost == 0 ? lost : 0), both = next + low;
        return {both, next - next == 0 ? low - (both - next) : 0};
    }
    __device__ PccRunningSum with(T x) const
    {
        return with(PccRunningSum{x, T(0)});
    }
};

template <class T> struct PccRunningProduct {
    T product;
    static __device__ PccRunningProduct none()
    {
        return {T(1)};
    }
    __device__ T value() const
    {
        return product;
    }
    __device__ PccRunningProduct with(T x) const
    {
        return {product * x};
    }
};

struct PccScan {
    int64_t lines, n, inner;
    bool exclusive, reverse;
};

/* The offset of step k of a line. */
PCC_DEVICE int64_t pcc_scan_at(const PccScan &c, int64_t line, int64_t k)
{
    return (line / c.inner * c.n + (c.reverse ? c.n - 1 - k : k)) * c.inner + line % c.inner;
}

template <class Running, class T, class X, class Y> __global__ void pcc_scan_lines_kernel(PccScan c, const X *x, Y *y)
{
    PCC_FOR_ITEMS (line, c.lines) {
        const int64_t first = pcc_scan_at(c, line, 0), step = c.reverse ? -c.inner : c.inner;
        Running running = Running::none();
        for (int64_t k = 0; k < c.n; k++) {
            const Running before = running;
            running = running.with(pcc_get<T>(x, first + k * step));
            pcc_put(y, first + k * step, (c.exclusive ? before : running).value());
        }
    }
}

enum { PCC_SCAN_EACH = 4, PCC_SCAN_WIDTH = PCC_BLOCK * PCC_SCAN_EACH };

/* A block for each line. */
template <class T, class X, class Y> __global__ void pcc_cumsum_kernel(PccScan c, const X *x, Y *y)
{
    typedef PccRunningSum<T> Running;
    __shared__ T sums[PCC_BLOCK], errors[PCC_BLOCK];
    const int thread = (int)threadIdx.x;
    Running carry = Running::none();
    for (int64_t first = 0; first < c.n; first += PCC_SCAN_WIDTH) {
        const int64_t own = first + thread * PCC_SCAN_EACH;
        T in[PCC_SCAN_EACH];
        Running running = Running::none();
        for (int i = 0; i < PCC_SCAN_EACH; i++) {
            in[i] = own + i < c.n ? pcc_get<T>(x, pcc_scan_at(c, blockIdx.x, own + i)) : T(0);
            running = running.with(in[i]);
        }
        for (int by = 1; by < PCC_BLOCK; by *= 2) { /* inclusive scan over the threads (Hillis and Steele) */
            sums[thread] = running.sum;
            errors[thread] = running.error;
            __syncthreads();
            if (thread >= by)
                running = Running{sums[thread - by], errors[thread - by]}.with(running);
            __syncthreads();
        }
        sums[thread] = running.sum;
        errors[thread] = running.error;
        __syncthreads();
        running = thread > 0 ? carry.with(Running{sums[thread - 1], errors[thread - 1]}) : carry;
        carry = carry.with(Running{sums[PCC_BLOCK - 1], errors[PCC_BLOCK - 1]});
        __syncthreads();
        for (int i = 0; i < PCC_SCAN_EACH; i++) {
            const Running before = running;
            running = running.with(in[i]);
            if (own + i < c.n)
                pcc_put(y, pcc_scan_at(c, blockIdx.x, own + i), (c.exclusive ? before : running).value());
        }
    }
}

template <class T, class X, class Y>
static void pcc_cumsum(int64_t outer, int64_t n, int64_t inner, int64_t exclusive, int64_t reverse, const X *x, Y *y,
                       PccStep *s)
{
    const PccScan c = {outer * inner, n, inner, exclusive != 0, reverse != 0};
    if (c.lines * n == 0)
        return;
    if (n >= PCC_SCAN_WIDTH / 2 && c.lines < 4096)
        PCC_LAUNCH((pcc_cumsum_kernel<T, X, Y>), (unsigned)c.lines, PCC_BLOCK, 0, s, c, x, y);
    else
        PCC_LAUNCH((pcc_scan_lines_kernel<PccRunningSum<T>, T, X, Y>), pcc_blocks(c.lines, PCC_BLOCK), PCC_BLOCK, 0, s,
                   c, x, y);
}

template <class T, class X, class Y>
static void pcc_cumprod(int64_t outer, int64_t n, int64_t inner, int64_t exclusive, int64_t reverse, const X *x, Y *y,
                        PccStep *s)
{
    const PccScan c = {outer * inner, n, inner, exclusive != 0, reverse != 0};
    if (c.lines * n > 0)
        PCC_LAUNCH((pcc_scan_lines_kernel<PccRunningProduct<T>, T, X, Y>), pcc_blocks(c.lines, PCC_WARP), PCC_WARP, 0,
                   s, c, x, y);
}

#endif
