/* softmax_grad.cuh: gradients of Softmax, dx = y (dy - sum(y dy)), and LogSoftmax, dx = dy - e^y sum(dy), over the
 * middle axis of [outer, width, inner] on a GPU: softmax.h's contract. Rows and lines are assigned to threads as in
 * softmax.cuh. */
#ifndef PCC_SOFTMAX_GRAD_CUH
#define PCC_SOFTMAX_GRAD_CUH

#include "softmax.cuh"

template <bool Logarithm, class T> PCC_DEVICE T pcc_softmax_term(T y, T dy)
{
    return Logarithm ? dy : y * dy;
}

template <bool Logarithm, class D, class T> PCC_DEVICE T pcc_softmax_dx(T y, T dy, T sum)
{
    if constexpr (Logarithm)
        return dy - pcc_power_for<D>(y) * sum;
    else
        return y * (dy - sum);
}

template <int N, bool Logarithm, class T, class X, class G, class D>
PCC_DEVICE void pcc_put_softmax_dx(PccVector<X, N> y, PccVector<G, N> dy, T sum, D *to)
{
    T dx[N];
    for (int j = 0; j < N; j++)
        dx[j] = pcc_softmax_dx<Logarithm, D>((T)pcc_wide(y.at[j]), (T)pcc_wide(dy.at[j]), sum);
    pcc_put_columns(to, N, true, dx);
}

template <int V, bool Logarithm, class T, class X, class G, class D>
__global__ void __launch_bounds__(PCC_SOFTMAX_THREADS, 1)
    pcc_softmax_grad_held_kernel(int64_t rows, int row_width, const X *y, const G *dy, D *dx)
{
    const int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y, start = row * row_width;
    const int width = row < rows ? row_width : 0, first = (int)threadIdx.x * V, apart = (int)blockDim.x * V;
    PccVector<X, V> held_y[PCC_SOFTMAX_HELD];
    PccVector<G, V> held_dy[PCC_SOFTMAX_HELD];
    T sum = 0;
    for (int k = 0; k < PCC_SOFTMAX_HELD; k++)
        if (first + k * apart < width) {
            held_y[k] = pcc_load_vector<V>(y + start + first + k * apart);
            held_dy[k] = pcc_load_vector<V>(dy + start + first + k * apart);
        }
    for (int k = 0; k < PCC_SOFTMAX_HELD; k++)
        if (first + k * apart < width)
            for (int j = 0; j < V; j++)
                sum += pcc_softmax_term<Logarithm>((T)pcc_wide(held_y[k].at[j]), (T)pcc_wide(held_dy[k].at[j]));
    sum = pcc_row_reduce<PccSum>(sum);
    for (int k = 0; k < PCC_SOFTMAX_HELD; k++)
        if (first + k * apart < width)
            pcc_put_softmax_dx<V, Logarithm>(held_y[k], held_dy[k], sum, dx + start + first + k * apart);
}

template <int V, bool Logarithm, class T, class X, class G, class D>
__global__ void __launch_bounds__(PCC_SOFTMAX_THREADS, 1)
    pcc_softmax_grad_rows_kernel(int64_t rows, int64_t row_width, bool aligned, const X *y, const G *dy, D *dx)
{
    const int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y, start = row * row_width;
    const int64_t width = row < rows ? row_width : 0;
    T sum = 0;
    pcc_walk_row<V>(start, width, aligned, [&](auto lanes, int64_t i) {
        T ys[lanes.count], dys[lanes.count];
        pcc_get_columns(y + start + i, lanes.count, true, ys);
        pcc_get_columns(dy + start + i, lanes.count, true, dys);
        for (int j = 0; j < lanes.count; j++)
            sum += pcc_softmax_term<Logarithm>(ys[j], dys[j]);
    });
    sum = pcc_row_reduce<PccSum>(sum);
    pcc_walk_row<V>(start, width, aligned, [&](auto lanes, int64_t i) {
        const auto ys = pcc_load_vector<lanes.count>(y + start + i);
        const auto dys = pcc_load_vector<lanes.count>(dy + start + i);
        pcc_put_softmax_dx<lanes.count, Logarithm>(ys, dys, sum, dx + start + i);
    });
}

template <bool Logarithm, class T, class X, class G, class D>
__global__ void __launch_bounds__(PCC_BLOCK, 1)
    pcc_softmax_grad_lines_kernel(int64_t outer, int64_t line_width, int64_t inner, const X *y, const G *dy, D *dx)
{
    const int64_t line = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const int64_t start = line / inner * line_width * inner + line % inner;
    const int64_t width = line < outer * inner ? line_width : 0;
    T sum = 0;
    for (int64_t i = threadIdx.y; i < width; i += blockDim.y)
        sum += pcc_softmax_term<Logarithm>(pcc_get<T>(y, start + i * inner), pcc_get<T>(dy, start + i * inner));
    sum = pcc_line_reduce<PccSum>(sum);
    for (int64_t i = threadIdx.y; i < width; i += blockDim.y) {
        const int64_t at = start + i * inner;
        pcc_put(dx, at, pcc_softmax_dx<Logarithm, D>(pcc_get<T>(y, at), pcc_get<T>(dy, at), sum));
    }
}

template <bool Logarithm, class T, class X, class G, class D>
static void pcc_softmax_grad_any(int64_t outer, int64_t width, int64_t inner, const X *y, const G *dy, D *dx,
                                 PccStep *s)
{
    constexpr int V = pcc_lanes_of<T, X, G, D>();
    const bool aligned = pcc_is_aligned<V>(y, 0) && pcc_is_aligned<V>(dy, 0) && pcc_is_aligned<V>(dx, 0);
    if (outer * width * inner == 0)
        return;
    if (inner > 1) {
        const dim3 block = pcc_line_block(width);
        PCC_LAUNCH((pcc_softmax_grad_lines_kernel<Logarithm, T, X, G, D>), pcc_blocks(outer * inner, block.x), block, 0,
                   s, outer, width, inner, y, dy, dx);
    } else if (aligned && width % V == 0 && width <= (int64_t)PCC_SOFTMAX_THREADS * PCC_SOFTMAX_HELD * V) {
        const dim3 block = pcc_row_block(width / V, PCC_SOFTMAX_HELD, PCC_SOFTMAX_THREADS);
        PCC_LAUNCH((pcc_softmax_grad_held_kernel<V, Logarithm, T, X, G, D>), pcc_blocks(outer, block.y), block, 0, s,
                   outer, (int)width, y, dy, dx);
    } else {
        const dim3 block = pcc_row_block(pcc_ceil_div(width, V), PCC_SOFTMAX_HELD, PCC_SOFTMAX_THREADS);
        PCC_LAUNCH((pcc_softmax_grad_rows_kernel<V, Logarithm, T, X, G, D>), pcc_blocks(outer, block.y), block, 0, s,
                   outer, width, aligned, y, dy, dx);
    }
}

template <class T, class X, class G, class D>
static void pcc_softmax_grad(int64_t outer, int64_t width, int64_t inner, const X *y, const G *dy, D *dx, PccStep *s)
{
    pcc_softmax_grad_any<false, T>(outer, width, inner, y, dy, dx, s);
}

template <class T, class X, class G, class D>
static void pcc_log_softmax_grad(int64_t outer, int64_t width, int64_t inner, const X *y, const G *dy, D *dx,
                                 PccStep *s)
{
    pcc_softmax_grad_any<true, T>(outer, width, inner, y, dy, dx, s);
}

#endif
