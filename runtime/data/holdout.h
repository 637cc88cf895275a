/* holdout.h: which samples train and which validate. */
#ifndef PCC_SPLIT_H
#define PCC_SPLIT_H

#include "data.h"
#include "../cli/options.h"

/* Some samples of a data set. */
typedef struct PccSplit {
    const PccData *data;
    int64_t *samples; /* [count] */
    int64_t count;
} PccSplit;

typedef struct PccDataSets {
    PccData opened[2]; /* the sets opened by --data and --val; unused ones are zero */
    PccSplit train;    /* empty without --data */
    PccSplit val;      /* empty with --val-fraction 0 */
} PccDataSets;

/* Validation is --val, else the data set's own part, else --val-fraction of the training data: a part chosen at random
 * but always the same, or the end when samples follow each other. The data set must not be moved after opening. */
int pcc_data_sets_open(PccDataSets *sets, const PccRunOptions *options, const PccLayout *layout, PccError *error);
void pcc_data_sets_close(PccDataSets *sets);

#endif
