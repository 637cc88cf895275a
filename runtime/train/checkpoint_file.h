/* checkpoint_file.h: one checkpoint file. */
#ifndef PCC_CHECKPOINT_FILE_H
#define PCC_CHECKPOINT_FILE_H

#include "checkpoint.h"

int pcc_checkpoint_file_write(const char *path, const PccSession *session, const PccProgressState *state,
                              PccError *error);

/* Checks everything before it changes anything. On failure *damaged tells whether the file is damaged, or intact but of
 * another program. */
int pcc_checkpoint_file_read(const char *path, PccSession *session, PccProgressState *state, bool *damaged,
                             PccError *error);

#endif
