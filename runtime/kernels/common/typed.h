/* typed.h: what the kernel families written once against PCC_T share.
 *
 * NAME.h includes NAME.inc once for each type, with PCC_T, the type that is computed with, and two macros for names
 * that contain the type. PCC_FORM(name) is for functions that depend on how elements are stored: name_f32, name_f64,
 * name_narrow, name_i16 ... PCC_ARITH(name) is for those that depend on PCC_T only and are shared by narrow forms:
 * name_f32 or name_f64. */
#ifndef PCC_TYPED_H
#define PCC_TYPED_H

#include "inline.h"
#include "scratch.h" /* pcc_ceil_div, pcc_min_i64, pcc_max_i64 */

#include <stdint.h>

#define PCC_JOIN_(a, b) a##b
#define PCC_JOIN(a, b) PCC_JOIN_(a, b)
#define PCC_FORM(name) PCC_JOIN(name##_, PCC_STORAGE)
#define PCC_ARITH(name) PCC_JOIN(name##_, PCC_ARITHMETIC)

/* gcc vectorises for 256 bits on most machines that have 512, where loops with polynomials in them (GELU) are half
 * again as fast. For the functions that follow; the kernels included before choose their width themselves, and compile
 * faster without it. */
#if defined(__AVX512F__) && defined(__GNUC__) && !defined(__clang__)
#    define PCC_WIDEST_VECTORS _Pragma("GCC target(\"prefer-vector-width=512\")")
#else
#    define PCC_WIDEST_VECTORS
#endif

/* The number of elements below which a kernel runs on one thread: waking a second one costs about as much. */
#define PCC_GRAIN 16384

/* Product of n dims; 1 for none. */
PCC_KERNEL int64_t pcc_product(int64_t n, const int64_t *dims)
{
    int64_t product = 1;
    for (int64_t i = 0; i < n; i++)
        product *= dims[i];
    return product;
}

#endif
