/* pcc_emulated_atomic.h: integers' atomics. A sum of floats by atomics depends on the order of threads: the project has
 * none, so it does not compile here. */
#ifndef PCC_EMULATED_ATOMIC_H
#define PCC_EMULATED_ATOMIC_H

#include <type_traits>

/* Where operands have their own types, CUDA converts them to the pointer's. */
template <class T> struct PccSame {
    using Type = T;
};

template <class T, class Op> static inline T pcc_emulated_atomic(T *p, Op op)
{
    static_assert(std::is_integral<T>::value && (sizeof(T) == 4 || sizeof(T) == 8),
                  "atomics are for integers: sums of floats by atomics differ from run to run");
    T old = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(p, &old, op(old), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return old;
}

#define PCC_ATOMIC(name, result)                                               \
    template <class T> static inline T name(T *p, typename PccSame<T>::Type x) \
    {                                                                          \
        return pcc_emulated_atomic(p, [x](T old) { return (T)(result); });     \
    }
PCC_ATOMIC(atomicAdd, (std::make_unsigned_t<T>)old + (std::make_unsigned_t<T>)x)
PCC_ATOMIC(atomicSub, (std::make_unsigned_t<T>)old - (std::make_unsigned_t<T>)x)
PCC_ATOMIC(atomicMax, old < x ? x : old)
PCC_ATOMIC(atomicMin, x < old ? x : old)
PCC_ATOMIC(atomicAnd, old &x)
PCC_ATOMIC(atomicOr, old | x)
PCC_ATOMIC(atomicXor, old ^ x)
PCC_ATOMIC(atomicExch, ((void)old, x))
PCC_ATOMIC(atomicInc, old >= x ? 0 : old + 1)
PCC_ATOMIC(atomicDec, old == 0 || old > x ? x : old - 1)
#undef PCC_ATOMIC

template <class T>
static inline T atomicCAS(T *p, typename PccSame<T>::Type expected, typename PccSame<T>::Type desired)
{
    return pcc_emulated_atomic(p, [expected, desired](T old) { return old == expected ? desired : old; });
}

float atomicAdd(float *, float) = delete;
double atomicAdd(double *, double) = delete;

#endif
