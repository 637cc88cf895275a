/* pcc_emulated_warp.h: barriers and warp operations. All are exchanges of what lanes deposit. */
#ifndef PCC_EMULATED_WARP_H
#define PCC_EMULATED_WARP_H

#include <string.h>

#include <type_traits>

#define PCC_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

static inline void __syncthreads(PCC_PLACE)
{
    pcc_emulated_barrier(0, file, line);
}

static inline int __syncthreads_count(int predicate, PCC_PLACE)
{
    return pcc_emulated_barrier(predicate != 0, file, line);
}

static inline int __syncthreads_or(int predicate, PCC_PLACE)
{
    return pcc_emulated_barrier(predicate != 0, file, line) != 0;
}

static inline int __syncthreads_and(int predicate, PCC_PLACE)
{
    return pcc_emulated_barrier(predicate == 0, file, line) == 0;
}

static inline void __syncwarp(unsigned mask = 0xffffffffu, PCC_PLACE)
{
    pcc_emulated_deposits(mask, nullptr, 0, file, line);
}

/* What CUDA has overloads for: smaller integers are passed as int. */
template <class T> struct PccShuffled {
    static_assert(std::is_arithmetic<T>::value, "shuffles move numbers of 4 or 8 bytes");
    using Type = decltype(+T());
};

template <class T> static inline T pcc_emulated_shuffle(unsigned mask, T x, unsigned from, const char *file, int line)
{
    return ((const T *)pcc_emulated_deposits(mask, &x, sizeof x, file, line))[from % 32];
}

/* The lane that a shuffle reads, within segments of `width` lanes; the own one where it would leave the segment. */
template <class T>
static inline typename PccShuffled<T>::Type __shfl_sync(unsigned mask, T x, int lane, int width = 32, PCC_PLACE)
{
    const unsigned first = pcc_emulated_lane() & ~(unsigned)(width - 1);
    return pcc_emulated_shuffle(mask, +x, first + ((unsigned)lane & (width - 1)), file, line);
}

template <class T>
static inline typename PccShuffled<T>::Type __shfl_xor_sync(unsigned mask, T x, int bits, int width = 32, PCC_PLACE)
{
    const unsigned lane = pcc_emulated_lane(), from = lane ^ (unsigned)bits;
    const unsigned last = lane | (unsigned)(width - 1);
    return pcc_emulated_shuffle(mask, +x, from <= last ? from : lane, file, line);
}

template <class T>
static inline typename PccShuffled<T>::Type __shfl_down_sync(unsigned mask, T x, unsigned by, int width = 32, PCC_PLACE)
{
    const unsigned lane = pcc_emulated_lane(), last = lane | (unsigned)(width - 1);
    return pcc_emulated_shuffle(mask, +x, lane + by <= last ? lane + by : lane, file, line);
}

template <class T>
static inline typename PccShuffled<T>::Type __shfl_up_sync(unsigned mask, T x, unsigned by, int width = 32, PCC_PLACE)
{
    const unsigned lane = pcc_emulated_lane(), first = lane & ~(unsigned)(width - 1);
    return pcc_emulated_shuffle(mask, +x, lane >= first + by ? lane - by : lane, file, line);
}

static inline unsigned __ballot_sync(unsigned mask, int predicate, PCC_PLACE)
{
    const int *all = (const int *)pcc_emulated_deposits(mask, &predicate, sizeof predicate, file, line);
    unsigned ballot = 0;
    for (unsigned lane = 0; lane < 32; lane++)
        ballot |= (mask >> lane & 1 && all[lane] != 0 ? 1u : 0u) << lane;
    return ballot & pcc_emulated_existing();
}

static inline int __any_sync(unsigned mask, int predicate, PCC_PLACE)
{
    return __ballot_sync(mask, predicate, file, line) != 0;
}

static inline int __all_sync(unsigned mask, int predicate, PCC_PLACE)
{
    return __ballot_sync(mask, !predicate, file, line) == 0;
}

/* Any set that holds the lane is right; kernels must not count on more. */
static inline unsigned __activemask(void)
{
    return 1u << pcc_emulated_lane();
}

template <class T> static inline unsigned __match_any_sync(unsigned mask, T x, PCC_PLACE)
{
    const T *all = (const T *)pcc_emulated_deposits(mask, &x, sizeof x, file, line);
    unsigned same = 0;
    for (unsigned lane = 0; lane < 32; lane++)
        same |= (mask >> lane & 1 && memcmp(&all[lane], &x, sizeof x) == 0 ? 1u : 0u) << lane;
    return same & pcc_emulated_existing();
}

template <class T, class Op> static inline T pcc_emulated_fold(unsigned mask, T x, Op op, const char *file, int line)
{
    static_assert(std::is_integral<T>::value && sizeof(T) == 4, "__reduce_*_sync reduces int and unsigned");
    const T *all = (const T *)pcc_emulated_deposits(mask, &x, sizeof x, file, line);
    T folded = x;
    for (unsigned lane = 0; lane < 32; lane++)
        if ((mask & pcc_emulated_existing()) >> lane & 1 && lane != pcc_emulated_lane())
            folded = op(folded, all[lane]);
    return folded;
}

#define PCC_FOLD(name, result)                                             \
    template <class T> static inline T name(unsigned mask, T x, PCC_PLACE) \
    {                                                                      \
        return pcc_emulated_fold(                                          \
            mask, x, [](T a, T b) { return (T)(result); }, file, line);    \
    }
PCC_FOLD(__reduce_add_sync, (unsigned)a + (unsigned)b)
PCC_FOLD(__reduce_min_sync, b < a ? b : a)
PCC_FOLD(__reduce_max_sync, a < b ? b : a)
PCC_FOLD(__reduce_and_sync, a &b)
PCC_FOLD(__reduce_or_sync, a | b)
PCC_FOLD(__reduce_xor_sync, a ^ b)
#undef PCC_FOLD
#undef PCC_PLACE

static inline void __threadfence_block(void)
{
}

static inline void __threadfence(void)
{
}

static inline void __threadfence_system(void)
{
}

[[noreturn]] static inline void __trap(void)
{
    pcc_emulated_trap("__trap()");
}

#endif
