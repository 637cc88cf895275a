/* data_order.h: which axis of a sample in a file is which axis of the program's input: in the same order, or permuted.
 * Dims are of one sample, without the batch. Axes of size 1 are ignored: [28,28] and [1,28,28] are the same. */
#ifndef PCC_DATA_ORDER_H
#define PCC_DATA_ORDER_H

#include "../program.h"

typedef struct PccAxes {
    int rank;
    int64_t dims[PCC_MAX_RANK];
} PccAxes;

/* The positions in the data of the elements in the program's order. */
typedef struct PccDataOrder {
    int rank;                      /* rank of `dims`; 0: the same order */
    int64_t dims[PCC_MAX_RANK];    /* the program's, without axes of size 1 */
    int64_t strides[PCC_MAX_RANK]; /* the data's stride along each axis, in elements */
} PccDataOrder;

typedef enum PccDataFit {
    PCC_DATA_AS_IT_LIES, /* equal dims; or one side flattens neighbouring axes of the other */
    PCC_DATA_PERMUTED,   /* the same dims in another order, and exactly one order fits */
    PCC_DATA_SEVERAL,    /* the same dims, and several orders fit */
    PCC_DATA_OTHER,      /* other dims */
} PccDataFit;

/* Matches by the dims alone. */
PccDataFit pcc_data_fit(PccAxes data, PccAxes program, PccDataOrder *order);

/* "NHWC": a letter for each axis of the data, outermost first, N being the sample; or "NHWC:NCHW", with the program's
 * axes too. Where these are not given, they are the first order of the same letters that fits the program's dims,
 * channels first before channels last. False where it does not fit or is malformed; *problem says why. */
bool pcc_data_spelt(const char *spelling, PccAxes data, PccAxes program, PccDataOrder *order, const char **problem);

#define PCC_DATA_SPELLING (2 * (PCC_MAX_RANK + 2)) /* bytes of the text of an order, with its NUL */

/* A likely order, as text, for dims that fit in several orders. */
const char *pcc_data_suggest(char text[PCC_DATA_SPELLING], PccAxes data, PccAxes program);

/* One sample, items of 1, 2, 4 or 8 bytes, in the program's order; `from` need not be aligned. */
void pcc_data_permute(void *to, const void *from, size_t item, const PccDataOrder *order);

#endif
