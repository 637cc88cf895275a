/* accumulate.h: gradients summed over the micro-batches of an update.
 *
 *   pcc_accumulate_T(n, x, sum, s)   sum[n] = x[n] in the first micro-batch (s->micro == 0), sum + x in the others
 */
#ifndef PCC_ACCUMULATE_H
#define PCC_ACCUMULATE_H

#include "../../program.h"
#include "../common/typed.h"

#define PCC_ACCUMULATE_SEGMENT 2048 /* elements that are added at a time */

#define PCC_SO_FAR(sum) (sum) /* an output as the input that it is too */
#define PCC_T float
#define PCC_STORAGE f32
#include "../common/operands_native.inc"
#include "accumulate.inc"
#include "../common/operands_undef.inc"
#undef PCC_T
#undef PCC_STORAGE

#define PCC_T double
#define PCC_STORAGE f64
#include "../common/operands_native.inc"
#include "accumulate.inc"
#include "../common/operands_undef.inc"
#undef PCC_T
#undef PCC_STORAGE

#undef PCC_SO_FAR

#ifdef PCC_MIXED
#    include "../common/storage.h"
#    define PCC_SO_FAR(sum) ((PccIn){(sum).data, (sum).dtype})
#    define PCC_T float
#    define PCC_STORAGE mixed
#    include "../common/operands_mixed.inc"
#    include "accumulate.inc"
#    include "../common/operands_undef.inc"
#    undef PCC_T
#    undef PCC_STORAGE
#    undef PCC_SO_FAR
#endif

#endif
