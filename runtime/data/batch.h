/* batch.h: one batch of samples in the program's dtypes and dims. */
#ifndef PCC_BATCH_H
#define PCC_BATCH_H

#include "data.h"
#include "../pcc.h"

typedef struct PccBatch {
    PccSession *session; /* the session for whose device the slots are pinned */
    const PccLayout *layout;
    void **slots; /* [layout->count], each a dense tensor */
    PccFeed feed; /* the same, as the session takes it */
} PccBatch;

int pcc_batch_init(PccBatch *batch, PccSession *session, const PccLayout *layout, PccError *error);
void pcc_batch_free(PccBatch *batch);

/* Reads samples[0 … valid - 1]; the rest of the batch repeats them from the first. */
int pcc_batch_fill(PccBatch *batch, const PccData *data, const int64_t *samples, int64_t valid, PccError *error);

#endif
