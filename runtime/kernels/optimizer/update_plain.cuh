/* update_plain.cuh: the update of parameters whose value, gradient and moments are all T, f32 or f64, without copies:
 * in place, 16 bytes of each a thread. */
#ifndef PCC_UPDATE_PLAIN_CUH
#define PCC_UPDATE_PLAIN_CUH

#include "update_plan.cuh"
#include "update_rules.cuh"

PCC_KERNEL bool pcc_is_plain_param(const PccParam *param)
{
    const PccDtype dtype = param->value.dtype;
    return (dtype == PCC_F32 || dtype == PCC_F64) && param->gradient_dtype == dtype && param->copy_count == 0 &&
           (param->moment_dtype == dtype || param->moment1 == PCC_NONE);
}

/* The chunk's first element in each array; moments are null where there are none. */
template <class T> struct PccPlainChunk {
    T *w, *m, *v;
    const T *g;
    int count;
};

template <class T> PCC_DEVICE T *pcc_elements(char *weights, size_t offset, int64_t first)
{
    return offset == PCC_NONE ? nullptr : (T *)(void *)(weights + offset) + first;
}

template <class T>
PCC_DEVICE PccPlainChunk<T> pcc_plain_chunk(const PccParam *param, PccCudaChunk chunk, const PccStep *step)
{
    char *const weights = step->weights;
    PccPlainChunk<T> at;
    at.w = pcc_elements<T>(weights, param->value.offset, chunk.first);
    at.g = pcc_elements<T>(pcc_gradient(step, param), 0, chunk.first);
    at.m = pcc_elements<T>(weights, param->moment1, chunk.first);
    at.v = pcc_elements<T>(weights, param->moment2, chunk.first);
    at.count = chunk.count;
    return at;
}

template <class Optimizer, int N, class F, class T>
PCC_DEVICE void pcc_update_vector(F f, const PccPlainChunk<T> &at, int i)
{
    const bool has_first = at.m != nullptr;
    PccVector<T, N> w = pcc_load_vector<N>(at.w + i), m = {}, v = {};
    const PccVector<T, N> g = pcc_load_vector<N>(at.g + i);
    if (has_first)
        m = pcc_load_vector<N>(at.m + i);
    if (Optimizer::moments > 1)
        v = pcc_load_vector<N>(at.v + i);
    for (int k = 0; k < N; k++)
        Optimizer::apply(f, w.at[k], g.at[k], m.at[k], v.at[k], has_first);
    pcc_store_vector(at.w + i, w);
    if (has_first)
        pcc_store_vector(at.m + i, m);
    if (Optimizer::moments > 1)
        pcc_store_vector(at.v + i, v);
}

template <class Optimizer, class F, class T> PCC_DEVICE void pcc_update_plain(F f, const PccPlainChunk<T> &at)
{
    constexpr int N = 16 / sizeof(T);
    const bool aligned = pcc_is_aligned<N>(at.w, 0) && pcc_is_aligned<N>(at.g, 0) && pcc_is_aligned<N>(at.m, 0) &&
                         pcc_is_aligned<N>(at.v, 0);
    const int whole = aligned ? at.count & -N : 0;
    for (int i = N * (int)threadIdx.x; i < whole; i += N * (int)blockDim.x)
        pcc_update_vector<Optimizer, N>(f, at, i);
    for (int i = whole + (int)threadIdx.x; i < at.count; i += (int)blockDim.x)
        pcc_update_vector<Optimizer, 1>(f, at, i);
}

/* Every chunk of a plain parameter of T. */
template <class Optimizer, class T>
static __global__ void __launch_bounds__(PCC_BLOCK)
    pcc_update_plain_kernel(const PccParam *params, PccUpdatePlan plan, const PccStep *step)
{
    if (plan.decided->skips)
        return;
    const auto factors = pcc_factors_of(plan.decided, T(0));
    for (int64_t c = blockIdx.x; c < plan.chunks; c += gridDim.x) {
        const PccCudaChunk chunk = plan.chunk[c];
        const PccParam *param = params + chunk.param;
        if (pcc_is_plain_param(param) && (param->value.dtype == PCC_F64) == (sizeof(T) == 8))
            pcc_update_plain<Optimizer>(factors, pcc_plain_chunk<T>(param, chunk, step));
    }
}

#endif
