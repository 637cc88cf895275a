/* pcc_emulated_math.h: device functions that the host's C library lacks. Approximate ones are computed well. */
#ifndef PCC_EMULATED_MATH_H
#define PCC_EMULATED_MATH_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <type_traits>

template <class To, class From> static inline To pcc_emulated_bits(From x)
{
    static_assert(sizeof(To) == sizeof(From), "the same bits");
    To y;
    memcpy(&y, &x, sizeof y);
    return y;
}

/* ---- least and greatest: of floats, the one that is a number ---------------------------------------------------- */

template <class A, class B>
static inline std::enable_if_t<std::is_arithmetic<A>::value && std::is_arithmetic<B>::value, std::common_type_t<A, B>>
min(A a, B b)
{
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point<T>::value)
        return std::fmin((T)a, (T)b);
    else
        return (T)b < (T)a ? (T)b : (T)a;
}

template <class A, class B>
static inline std::enable_if_t<std::is_arithmetic<A>::value && std::is_arithmetic<B>::value, std::common_type_t<A, B>>
max(A a, B b)
{
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point<T>::value)
        return std::fmax((T)a, (T)b);
    else
        return (T)a < (T)b ? (T)b : (T)a;
}

/* ---- floats ----------------------------------------------------------------------------------------------------- */

#define PCC_MATH(type, name, parameters, result) \
    static inline type name parameters           \
    {                                            \
        return result;                           \
    }
PCC_MATH(float, rsqrtf, (float x), 1.0f / sqrtf(x))
PCC_MATH(double, rsqrt, (double x), 1.0 / sqrt(x))
PCC_MATH(float, rsqrt, (float x), rsqrtf(x))
PCC_MATH(float, rcbrtf, (float x), 1.0f / cbrtf(x))
PCC_MATH(float, __saturatef, (float x), x > 0 ? (x < 1 ? x : 1) : 0)
PCC_MATH(float, __fdividef, (float x, float y), x / y)
PCC_MATH(float, __frcp_rn, (float x), 1 / x)
PCC_MATH(float, __fsqrt_rn, (float x), sqrtf(x))
PCC_MATH(float, __frsqrt_rn, (float x), (float)(1 / sqrt((double)x)))
PCC_MATH(float, __fadd_rn, (float x, float y), x + y)
PCC_MATH(float, __fsub_rn, (float x, float y), x - y)
PCC_MATH(float, __fmul_rn, (float x, float y), x *y)
PCC_MATH(float, __fdiv_rn, (float x, float y), x / y)
PCC_MATH(float, __fmaf_rn, (float x, float y, float z), fmaf(x, y, z))
PCC_MATH(double, __dadd_rn, (double x, double y), x + y)
PCC_MATH(double, __dsub_rn, (double x, double y), x - y)
PCC_MATH(double, __dmul_rn, (double x, double y), x *y)
PCC_MATH(double, __ddiv_rn, (double x, double y), x / y)
PCC_MATH(double, __dsqrt_rn, (double x), sqrt(x))
PCC_MATH(double, __fma_rn, (double x, double y, double z), fma(x, y, z))
PCC_MATH(float, normcdff, (float x), 0.5f * erfcf(x * -0.70710678118654752f))
PCC_MATH(double, normcdf, (double x), 0.5 * erfc(x * -0.70710678118654752))

/* The C library declares these names for itself. */
#define __expf expf
#define __exp10f(x) powf(10, x)
#define __logf logf
#define __log2f log2f
#define __log10f log10f
#define __powf powf
#define __sinf sinf
#define __cosf cosf
#define __tanf tanf

/* ---- conversions ------------------------------------------------------------------------------------------------ */

PCC_MATH(unsigned, __float_as_uint, (float x), pcc_emulated_bits<unsigned>(x))
PCC_MATH(int, __float_as_int, (float x), pcc_emulated_bits<int>(x))
PCC_MATH(float, __uint_as_float, (unsigned x), pcc_emulated_bits<float>(x))
PCC_MATH(float, __int_as_float, (int x), pcc_emulated_bits<float>(x))
PCC_MATH(long long, __double_as_longlong, (double x), pcc_emulated_bits<long long>(x))
PCC_MATH(double, __longlong_as_double, (long long x), pcc_emulated_bits<double>(x))
PCC_MATH(int, __float2int_rn, (float x), (int)lrintf(x))
PCC_MATH(int, __float2int_rz, (float x), (int)x)
PCC_MATH(int, __float2int_rd, (float x), (int)floorf(x))
PCC_MATH(int, __float2int_ru, (float x), (int)ceilf(x))
PCC_MATH(unsigned, __float2uint_rn, (float x), (unsigned)lrintf(x))
PCC_MATH(unsigned, __float2uint_rz, (float x), (unsigned)x)
PCC_MATH(float, __int2float_rn, (int x), (float)x)
PCC_MATH(float, __uint2float_rn, (unsigned x), (float)x)
PCC_MATH(float, __ll2float_rn, (long long x), (float)x)
PCC_MATH(float, __ull2float_rn, (unsigned long long x), (float)x)
PCC_MATH(double, __ll2double_rn, (long long x), (double)x)
PCC_MATH(double, __ull2double_rn, (unsigned long long x), (double)x)
PCC_MATH(float, __double2float_rn, (double x), (float)x)
PCC_MATH(int, __double2hiint, (double x), (int)(pcc_emulated_bits<uint64_t>(x) >> 32))
PCC_MATH(int, __double2loint, (double x), (int)pcc_emulated_bits<uint64_t>(x))

/* ---- integers --------------------------------------------------------------------------------------------------- */

PCC_MATH(int, __ffs, (int x), __builtin_ffs(x))
PCC_MATH(int, __ffsll, (long long x), __builtin_ffsll(x))
PCC_MATH(int, __popc, (unsigned x), __builtin_popcount(x))
PCC_MATH(int, __popcll, (unsigned long long x), __builtin_popcountll(x))
PCC_MATH(int, __clz, (int x), x == 0 ? 32 : __builtin_clz((unsigned)x))
PCC_MATH(int, __clzll, (long long x), x == 0 ? 64 : __builtin_clzll((unsigned long long)x))
PCC_MATH(int, __mulhi, (int x, int y), (int)((int64_t)x *y >> 32))
PCC_MATH(unsigned, __umulhi, (unsigned x, unsigned y), (unsigned)((uint64_t)x *y >> 32))
PCC_MATH(long long, __mul64hi, (long long x, long long y), (long long)((__int128)x *y >> 64))
PCC_MATH(unsigned long long, __umul64hi, (unsigned long long x, unsigned long long y),
         (unsigned long long)((unsigned __int128)x *y >> 64))
PCC_MATH(int, __mul24, (int x, int y), (int)((int64_t)((int)((unsigned)x << 8) >> 8) * ((int)((unsigned)y << 8) >> 8)))
PCC_MATH(unsigned, __umul24, (unsigned x, unsigned y), (x & 0xffffffu) * (y & 0xffffffu))
PCC_MATH(unsigned, __funnelshift_l, (unsigned low, unsigned high, unsigned by),
         (unsigned)((((uint64_t)high << 32 | low) << (by & 31)) >> 32))
PCC_MATH(unsigned, __funnelshift_r, (unsigned low, unsigned high, unsigned by),
         (unsigned)(((uint64_t)high << 32 | low) >> (by & 31)))
#undef PCC_MATH

static inline unsigned __brev(unsigned x)
{
    unsigned reversed = 0;
    for (int i = 0; i < 32; i++)
        reversed |= (x >> i & 1) << (31 - i);
    return reversed;
}

static inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector)
{
    const uint64_t bytes = (uint64_t)y << 32 | x;
    unsigned picked = 0;
    for (int i = 0; i < 4; i++)
        picked |= (unsigned)(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
    return picked;
}

/* ---- accesses of memory with a hint ----------------------------------------------------------------------------- */

#define PCC_LOAD(name)                                  \
    template <class T> static inline T name(const T *p) \
    {                                                   \
        return *p;                                      \
    }
PCC_LOAD(__ldg)
PCC_LOAD(__ldca)
PCC_LOAD(__ldcg)
PCC_LOAD(__ldcs)
PCC_LOAD(__ldcv)
PCC_LOAD(__ldlu)
#undef PCC_LOAD

#define PCC_STORE(name)                                                     \
    template <class T> static inline void name(T *p, std::remove_cv_t<T> x) \
    {                                                                       \
        *p = x;                                                             \
    }
PCC_STORE(__stcg)
PCC_STORE(__stcs)
PCC_STORE(__stwb)
PCC_STORE(__stwt)
#undef PCC_STORE

#endif
