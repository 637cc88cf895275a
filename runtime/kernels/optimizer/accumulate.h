/* accumulate.h: gradients summed over the micro-batches of an update.
 *
 *   pcc_accumulate_T(n, x, sum, s)   sum[n] = x[n] in the first micro-batch (s->micro == 0), sum + x in the others
 */
#ifndef PCC_ACCUMULATE_H
#define PCC_ACCUMULATE_H

#include "../../program.h"
#include "../common/storage.h"
#include "../common/typed.h"

#define PCC_ACCUMULATE_SEGMENT 2048 /* elements that are added at a time */

#define PCC_TEMPLATE "../optimizer/accumulate.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
