/* checkpoint.h: everything that a run needs to continue bit for bit, in DIR/step-NNNNNNNN.safetensors.
 *
 * Tensors param/, extra/, state/, moment1/, moment2/, absmax1/, absmax2/ NAME, as far as they exist; metadata: the
 * program, the progress of the run, a CRC-32 of each tensor and one of the metadata itself. DIR/latest holds the newest
 * one's file name. Files are written atomically; the newest two are kept. */
#ifndef PCC_CHECKPOINT_H
#define PCC_CHECKPOINT_H

#include "../pcc.h"

/* The progress of a run, in addition to the session's own state: weights, moments, loss scale. */
typedef struct PccProgressState {
    int64_t step;     /* updates done, including skipped ones */
    int64_t epoch;    /* epochs completed */
    int64_t position; /* micro-batches done in the current epoch */
    uint64_t seed;
    double best;           /* smallest validation loss so far; infinity before the first */
    int64_t rounded, lost; /* in the current epoch, as in PccUpdate */
    int64_t log_bytes;     /* size of the log at this step; -1 without one */
} PccProgressState;

typedef struct PccCheckpoints {
    const char *directory; /* NULL: no checkpoints */
    bool fresh; /* this run has written none yet and resumes none: existing checkpoints belong to another run */
} PccCheckpoints;

/* Creates the folder; *others tells whether it holds checkpoints already. */
int pcc_checkpoints_open(PccCheckpoints *checkpoints, const char *directory, bool *others, PccError *error);

/* Writes a checkpoint, names it in `latest`, removes all but the newest two. */
int pcc_checkpoint_write(PccCheckpoints *checkpoints, const PccSession *session, const PccProgressState *state,
                         PccError *error);

/* For a run at `step`: removes later checkpoints, which are damaged or another run's, and the oldest ones beyond the
 * number kept, as a run killed between writing and pruning leaves too many. */
int pcc_checkpoints_prune(const PccCheckpoints *checkpoints, int64_t step, PccError *error);

/* Loads the newest valid checkpoint; damaged ones are skipped with a warning. *found is false when there is none at
 * all; an error when all are damaged, or one is of another program. */
int pcc_checkpoint_resume(PccCheckpoints *checkpoints, PccSession *session, PccProgressState *state, bool *found,
                          PccError *error);

#endif
