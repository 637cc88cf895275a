/* dropout_terms.h: how random words are used, for both targets. */
#ifndef PCC_DROPOUT_TERMS_H
#define PCC_DROPOUT_TERMS_H

#include "../../program.h"
#include "../common/inline.h"

/* An element is dropped when its word is below this. */
PCC_KERNEL uint64_t pcc_dropout_threshold(double ratio)
{
    return ratio <= 0 ? 0 : ratio >= 1 ? (uint64_t)1 << 32 : (uint64_t)(ratio * 4294967296.0);
}

/* The factor of kept elements. */
PCC_KERNEL double pcc_dropout_factor(double ratio, bool deterministic)
{
    return deterministic ? 1 : ratio >= 1 ? 0 : 1 / (1 - ratio);
}

/* Binary digits of a number in [0, 1) that is stored as dtype. */
PCC_KERNEL int pcc_uniform_digits(PccDtype dtype)
{
    return dtype == PCC_BF16 ? 8 : dtype == PCC_F16 ? 11 : 24;
}

#endif
