/* validation.h: the loss and accuracy over a whole split. */
#ifndef PCC_EVALUATE_H
#define PCC_EVALUATE_H

#include "../data/batch.h"
#include "../log/json_lines.h"
#include "../data/holdout.h"

/* Fills the report's validation part; batches are weighted by their counted targets. An empty split has no
 * validation. */
int pcc_evaluate_split(PccSession *session, PccBatch *batch, const PccSplit *split, PccEpochReport *report,
                       PccError *error);

/* The weight in a mean of the batch that ended last, of `valid` samples: the number of targets that its loss averaged.
 * A graph's own loss may not tell it; then the number of samples. */
double pcc_loss_weight(const PccSession *session, int64_t valid);

#endif
