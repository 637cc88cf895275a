/* checkpoint.h: everything that a run needs to continue with the same bits, in DIR/step-NNNNNNNN.safetensors.
 *
 * Tensors param/, state/, moment1/, moment2/ NAME; metadata: what the program is, how far the run is, a CRC-32 of each
 * tensor and one of the metadata itself. DIR/latest holds the newest one's file name. Files appear whole or not at all;
 * the newest two are kept. */
#ifndef PCC_CHECKPOINT_H
#define PCC_CHECKPOINT_H

#include "pcc.h"

/* The loss scale and what decides its next value. */
typedef struct PccLossScale {
    double scale;        /* 1 without loss scaling */
    int64_t clean_steps; /* updates without overflow since the scale last changed */
    int64_t skipped;     /* updates skipped for overflow, in the whole run */
} PccLossScale;

/* How far a run is. */
typedef struct PccProgressState {
    int64_t step;     /* updates done */
    int64_t epoch;    /* epochs completed */
    int64_t position; /* micro-batches done in the epoch under way */
    uint64_t seed;
    double best; /* smallest validation loss so far; infinity before the first */
    PccLossScale loss_scale;
    int64_t log_bytes; /* size of the log at this step; -1 without one */
} PccProgressState;

typedef struct PccCheckpoints {
    const char *directory; /* NULL: no checkpoints */
    bool fresh;            /* this run has not written yet, and continues none: what is there is another run's */
} PccCheckpoints;

/* Creates the folder; *others tells whether it holds checkpoints already. */
int pcc_checkpoints_open(PccCheckpoints *checkpoints, const char *directory, bool *others, PccError *error);

/* Writes a checkpoint, names it in `latest`, removes all but the newest two. */
int pcc_checkpoint_write(PccCheckpoints *checkpoints, const PccSession *session, const PccProgressState *state,
                         PccError *error);

/* Of a run that is at `step`: removes checkpoints after it, which are damaged or another run's, and the oldest beyond
 * the ones kept. A run killed between writing and pruning leaves more. */
int pcc_checkpoints_prune(const PccCheckpoints *checkpoints, int64_t step, PccError *error);

/* Loads the newest valid checkpoint; damaged ones are passed over with a warning. *found is false when there is none
 * at all; an error when all are damaged, or one is of another program. */
int pcc_checkpoint_resume(PccCheckpoints *checkpoints, PccSession *session, PccProgressState *state, bool *found,
                          PccError *error);

#endif
