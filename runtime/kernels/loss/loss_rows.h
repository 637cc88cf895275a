/* loss_rows.h: shared by the losses of both targets: the class of a row, and the sums. */
#ifndef PCC_LOSS_ROWS_H
#define PCC_LOSS_ROWS_H

#include "../common/inline.h"

#include <stdint.h>

enum { PCC_REDUCTION_NONE, PCC_REDUCTION_SUM, PCC_REDUCTION_MEAN };

/* The sums of one chunk of a loss. */
typedef struct PccLossPart {
    double loss, weight, counted;
} PccLossPart;

/* The target class of row `row`, position `column`; -1 where it does not count. */
PCC_KERNEL int64_t pcc_target_class(int64_t classes, int64_t inner, int64_t ignore_index, int64_t shift,
                                    int64_t valid_rows, const int64_t *target, int64_t row, int64_t column)
{
    if (row >= valid_rows || (shift > 0 && row % shift == shift - 1))
        return -1;
    int64_t label = target[(row + (shift > 0)) * inner + column];
    return label == ignore_index || label < 0 || label >= classes ? -1 : label;
}

#endif
