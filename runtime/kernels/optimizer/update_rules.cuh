/* update_rules.cuh: the optimizers as types: their terms, and their rules for one element of either width. */
#ifndef PCC_UPDATE_RULES_CUH
#define PCC_UPDATE_RULES_CUH

#include "optimizer_terms.h"
#include "../common/launch.cuh"

/* Takes the place of PccMaps8 where there are no 8-bit moments. */
struct PccNoMaps {
};

PCC_DEVICE float pcc_root(float x)
{
    return sqrtf(x);
}

PCC_DEVICE double pcc_root(double x)
{
    return sqrt(x);
}

/* optimizer_rules.inc's functions, overloaded by their operands' type. has_momentum: there is a buffer m. */
#define PCC_DEFINE_RULES(T, suffix)                                                                   \
    PCC_DEVICE void pcc_apply_sgd(PccFactors_##suffix f, T &w, T g, T &m, bool has_momentum)          \
    {                                                                                                 \
        const bool keeps = has_momentum && f.momentum != 0;                                           \
        const T step = keeps ? pcc_sgd_momentum_##suffix(f, w, g, m) : pcc_decayed_##suffix(f, w, g); \
        m = keeps ? step : m;                                                                         \
        w -= f.lr * step;                                                                             \
    }                                                                                                 \
    PCC_DEVICE void pcc_apply_adam(PccFactors_##suffix f, T &w, T g, T &m, T &v)                      \
    {                                                                                                 \
        pcc_adam_moments_##suffix(f, w, g, &m, &v);                                                   \
        w = pcc_adam_weight_##suffix(f, w, m, pcc_root(v));                                           \
    }                                                                                                 \
    PCC_DEVICE void pcc_apply_lion(PccFactors_##suffix f, T &w, T g, T &m)                            \
    {                                                                                                 \
        w = pcc_lion_weight_##suffix(f, w, g, &m);                                                    \
    }
PCC_DEFINE_RULES(float, f32)
PCC_DEFINE_RULES(double, f64)
#undef PCC_DEFINE_RULES

struct PccSgd {
    static constexpr int moments = 1;
    PCC_KERNEL PccUpdateTerms terms(const PccStep *s)
    {
        return pcc_sgd_terms(s);
    }
    template <class F, class T> static __device__ __forceinline__ void apply(F f, T &w, T g, T &m, T &, bool has_moment)
    {
        pcc_apply_sgd(f, w, g, m, has_moment);
    }
};

struct PccAdam {
    static constexpr int moments = 2;
    PCC_KERNEL PccUpdateTerms terms(const PccStep *s)
    {
        return pcc_adam_terms(s);
    }
    template <class F, class T> static __device__ __forceinline__ void apply(F f, T &w, T g, T &m, T &v, bool)
    {
        pcc_apply_adam(f, w, g, m, v);
    }
};

struct PccAdamw : PccAdam {
    PCC_KERNEL PccUpdateTerms terms(const PccStep *s)
    {
        return pcc_adamw_terms(s);
    }
};

struct PccLion {
    static constexpr int moments = 1;
    PCC_KERNEL PccUpdateTerms terms(const PccStep *s)
    {
        return pcc_lion_terms(s);
    }
    template <class F, class T> static __device__ __forceinline__ void apply(F f, T &w, T g, T &m, T &, bool)
    {
        pcc_apply_lion(f, w, g, m);
    }
};

#endif
