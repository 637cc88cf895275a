/* gemm.h: matrix products, packed and cache-blocked.
 *
 *   pcc_gemm_T(m, n, k, a, a_row, a_col, b, b_row, b_col, scratch, store, context, s)
 *       C[i, j] = sum over p of A[i, p] B[p, j], A[i, p] = a[i * a_row + p * a_col], B[p, j] = b[p * b_row + j * b_col]
 *   pcc_gemm_batched_T(batch, m, n, k, a, a_batch, a_row, a_col, b, b_batch, b_row, b_col, scratch, ...)
 *       `batch` of them, operands a_batch and b_batch elements apart; `store` sees row batch_index * m + i
 *
 * C goes through `store` only, each element once (docs/kernels.md, "Emitted epilogues"), from any thread. scratch:
 * pcc_gemm_scratch_bytes() of the literals. Transposed and plain operands are fast where one of their strides is 1;
 * other strides are correct but slow.
 *
 * pcc_gemm_narrow and pcc_gemm_batched_narrow take PccIn operands and a PccStore_f32. Two of bf16 are multiplied in
 * pairs along K (gemm_pairs.h), by AMX tiles or by vdpbf16ps where the target has them; else packing widens 16-bit
 * operands. Sums are always f32.
 *
 * Structure, outermost first: C tiles over the threads (gemm_run.inc, gemm_tiling.h), depth blocks of K with packed B
 * and groups of packed A panels in L2 (gemm_tile.inc), panels of B in L1 by strips (gemm_strip.inc), register tiles
 * (gemm_micro.inc).
 * Everything but the entry points is shared by all instances: a product spends its time in register tiles whose loop
 * bounds are literals for every shape, and outlining of OpenMP regions would hide an instance's literals from what is
 * inside anyway. */
#ifndef PCC_GEMM_H
#define PCC_GEMM_H

#include <string.h>

#include "gemm_ahead.h"
#include "gemm_simd.h"
#include "gemm_tiling.h"
#include "../common/scratch.h"
#include "../common/step.h"
#include "../common/storage.h"
#include "../common/typed.h"

#ifndef PCC_STORE_TYPES
#    define PCC_STORE_TYPES
typedef void (*PccStore_f32)(const void *context, int64_t row, int64_t column, int64_t count, const float *acc);
typedef void (*PccStore_f64)(const void *context, int64_t row, int64_t column, int64_t count, const double *acc);
#endif

#if PCC_TILES
#    include "gemm_amx.h"
#endif

#define PCC_TEMPLATE "../gemm/gemm_core.inc"
#include "../common/for_floats.inc"
#undef PCC_TEMPLATE

#define PCC_TEMPLATE "../gemm/gemm_pack.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#if PCC_PAIRS
#    include "gemm_pairs.h"
#    define PCC_PACKER_narrow(paired, name) ((paired) ? name##_pairs : name##_narrow)
#else
#    define PCC_PACKER_narrow(paired, name) name##_narrow
#endif
#if PCC_TILES
#    include "gemm_amx_pack.h"
#endif
#define PCC_PACKER_f32(paired, name) name##_f32
#define PCC_PACKER_f64(paired, name) name##_f64
/* The packer `name` of a form of storage, or its counterpart for pairs. */
#define PCC_PACKER(paired, name) PCC_FORM(PCC_PACKER)(paired, name)

/* Can operands of bf16 be multiplied in pairs along K? */
PCC_KERNEL int pcc_gemm_pairs_granted(void)
{
#if PCC_TILES
    return pcc_amx_granted();
#else
    return PCC_PAIRS;
#endif
}

/* The units in which a product counts K: pairs, or elements. */
PCC_KERNEL int64_t pcc_gemm_steps(int paired, int64_t k)
{
    return paired ? pcc_round_up((k + 1) / 2, PCC_PAIR_UNIT) : k;
}

#define PCC_TEMPLATE "../gemm/gemm.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
