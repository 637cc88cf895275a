/* math.h: the elementary functions that emitted loops call, as pcc_NAME_f32 and pcc_NAME_f64.
 *
 * The f32 family is branch-free, vectorises in `#pragma omp simd` loops under gcc and clang without -ffast-math, is
 * within 2 ulp over the whole range (the parts of GELU: within what math_gauss.h says) and correct for NaN, infinities,
 * signed zeros and subnormals. The rarely used functions, and the f64 family, are libm's. */
#ifndef PCC_MATH_H
#define PCC_MATH_H

/* clang warns where `omp simd` does not vectorise, as with libm's functions; that is no error. */
#ifdef __clang__
#    pragma clang diagnostic ignored "-Wpass-failed"
#endif

#include "math_bits.h"
#include "math_explog.h"
#include "math_gauss.h"
#include "math_pow.h"
#include "math_sincos.h"
#include "math_tanh_erf.h"
#include "math_round.h"
#include "math_libm.h"

#endif
