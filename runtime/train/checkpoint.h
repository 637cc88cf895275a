/* checkpoint.h: everything that a run needs to continue with the same bits, in DIR/step-NNNNNNNN.safetensors.
 *
 * Tensors param/, extra/, state/, moment1/, moment2/, absmax1/, absmax2/ NAME, those that exist; metadata: what the
 * program is, how far the run is, a CRC-32 of each tensor and one of the metadata itself. DIR/latest holds the newest
 * one's file name. Files appear whole or not at all; the newest two are kept. */
#ifndef PCC_CHECKPOINT_H
#define PCC_CHECKPOINT_H

#include "../pcc.h"

/* How far a run is, besides the session's own state: weights, moments, loss scale. */
typedef struct PccProgressState {
    int64_t step;     /* updates done, those included that were skipped */
    int64_t epoch;    /* epochs completed */
    int64_t position; /* micro-batches done in the epoch under way */
    uint64_t seed;
    double best;           /* smallest validation loss so far; infinity before the first */
    int64_t rounded, lost; /* in the epoch under way: as PccUpdate counts them */
    int64_t log_bytes;     /* size of the log at this step; -1 without one */
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
