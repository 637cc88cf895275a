/* data_order.h: how the axes of a sample in a file come to the axes that the program takes: as they lie, or permuted.
 * Dims are of one sample, without the batch. Axes of size 1 count for nothing: [28,28] is [1,28,28] as it lies. */
#ifndef PCC_DATA_ORDER_H
#define PCC_DATA_ORDER_H

#include "../program.h"

typedef struct PccAxes {
    int rank;
    int64_t dims[PCC_MAX_RANK];
} PccAxes;

/* Where the elements that the program takes in its order lie in the data. */
typedef struct PccDataOrder {
    int rank;                      /* of `dims`; 0: as they lie */
    int64_t dims[PCC_MAX_RANK];    /* the program's, without axes of size 1 */
    int64_t strides[PCC_MAX_RANK]; /* elements in the data from a position to the next */
} PccDataOrder;

typedef enum PccDataFit {
    PCC_DATA_AS_IT_LIES, /* equal dims; or one side has neighbouring axes of the other flattened into one */
    PCC_DATA_PERMUTED,   /* the same dims in another order, and in no two */
    PCC_DATA_SEVERAL,    /* the same dims, and several orders fit */
    PCC_DATA_OTHER,      /* other dims */
} PccDataFit;

/* By the dims alone. */
PccDataFit pcc_data_fit(PccAxes data, PccAxes program, PccDataOrder *order);

/* "NHWC": the data's axes by letters, in the order in which they lie, N being the sample; or "NHWC:NCHW", the program's
 * axes as well. Where those are not given they are, of the orders of the same letters that are in use, the first that
 * fits, channels first before channels last. False: it does not fit, or is no such spelling; *problem says why. */
bool pcc_data_spelt(const char *spelling, PccAxes data, PccAxes program, PccDataOrder *order, const char **problem);

#define PCC_DATA_SPELLING (2 * (PCC_MAX_RANK + 2)) /* bytes of a spelling, its NUL included */

/* A likely spelling for dims that fit in several orders. */
const char *pcc_data_suggest(char text[PCC_DATA_SPELLING], PccAxes data, PccAxes program);

/* One sample, items of 1, 2, 4 or 8 bytes, in the program's order; `from` need not be aligned. */
void pcc_data_permute(void *to, const void *from, size_t item, const PccDataOrder *order);

#endif
